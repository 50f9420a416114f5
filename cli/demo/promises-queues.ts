/** Promises about queues: what is approved goes out, who is asked is told, and a place that is given up is filled. */
import type { DemoFacts } from './facts.js';
import { counted, judged, type PromiseResult, some, tally } from './promise-result.js';
import { latest } from './promises-time.js';
import type { QueueFact, RepostFact } from './queue-facts.js';

type Problems = (string | false)[];

export function queuesAsApproved(facts: DemoFacts): PromiseResult {
  const { queues, queueDates } = facts;
  const wanted = queueDates.map((date, day) => ({ date, status: day < 2 ? 'published' : 'lapsed' }));
  const words = (list: readonly { date: string; status: string }[]) =>
    list.map(({ date, status }) => `${date} ${status}`).join(', ') || 'no queue';
  return judged(
    'Two queues go out as they were approved; the third, which nobody approved, lapses and says why',
    { expected: words(wanted), seen: words(queues) },
    [
      queues.length !== wanted.length && `${queues.length} queues are there.`,
      ...wanted.flatMap(({ date, status }) => {
        const queue = queues.find((one) => one.date === date);
        if (queue === undefined) return [`There is no queue of ${date}.`];
        if (queue.status !== status) return [`The queue of ${date} is ${queue.status}, not ${status}.`];
        return status === 'published' ? publishedProblems(facts, queue) : lapsedProblems(facts, queue);
      }),
    ],
  );
}

function publishedProblems({ reposts, people }: DemoFacts, queue: QueueFact): Problems {
  const { date, approved, dropped, refilled } = queue;
  const own = reposts.filter((repost) => repost.date === date);
  // Who stepped in later was published later.
  const atOnce = own.filter((repost) => repost.publishedAt === queue.publishedAt).map(pairOf);
  const due = [...approved.filter((pair) => !dropped.includes(pair)), ...refilled];
  const cutOff = queue.approveBy ?? 0;
  return [
    queue.approvedBy !== people.moderator && `The queue of ${date} does not name who approved it.`,
    (queue.approvedAt ?? Number.POSITIVE_INFINITY) > cutOff &&
      `The queue of ${date} was approved after its cut-off.`,
    due.length === 0 && `Nothing of the queue of ${date} was approved.`,
    !sameMembers(atOnce, due) &&
      `${due.length} approved assignments of ${date} were to go out, ${atOnce.length} went.`,
    queue.filledSlots !== own.length &&
      `The queue of ${date} says ${queue.filledSlots} assignments, there are ${own.length}.`,
    ...['queue.drafted', 'queue.approved', 'queue.published', 'queue.settled'].map(
      (type) => once(queue, type) === false && `The queue of ${date} has not one event ${type}.`,
    ),
    (queue.settledAt === null || queue.closedAt === null) && `The queue of ${date} is not settled.`,
    queue.workflow !== 'COMPLETED' && `The workflow of the queue of ${date} is ${queue.workflow}.`,
  ];
}

function lapsedProblems(facts: DemoFacts, queue: QueueFact): Problems {
  const { date, shifted } = queue;
  const closedAt = queue.closedAt ?? Number.POSITIVE_INFINITY;
  const cutOff = queue.approveBy ?? Number.POSITIVE_INFINITY;
  return [
    queue.approvedBy !== null && `The queue of ${date} lapsed, and was approved.`,
    (closedAt < cutOff || closedAt > latest(facts, cutOff)) &&
      `The queue of ${date} did not lapse at its cut-off.`,
    facts.reposts.some((repost) => repost.date === date) && `Something of the queue of ${date} went out.`,
    (once(queue, 'queue.lapsed') === false || queue.events.includes('queue.published')) &&
      `The events of the queue of ${date} are ${queue.events.join(', ')}.`,
    shifted.length === 0 && `No track moved on from the queue of ${date}.`,
    ...shifted.map(
      ({ track, reason }) =>
        !reason.includes('not approved in time') && `${track} moved on from ${date} because: ${reason}`,
    ),
    !queue.told.some((title) => title.includes('lapsed')) &&
      `Nobody was told that the queue of ${date} lapsed.`,
    queue.workflow !== 'COMPLETED' && `The workflow of the queue of ${date} is ${queue.workflow}.`,
  ];
}

export function oneWorkflowEach({ reposts, strayReposts }: DemoFacts): PromiseResult {
  const statuses = tally(reposts.map(({ workflow }) => workflow?.status.toLowerCase() ?? 'missing'));
  return judged(
    'Every published assignment is one durable workflow, from the publication to the moved credits',
    { expected: counted({ completed: reposts.length }), seen: counted(statuses) },
    [
      reposts.length === 0 && 'Nothing was published.',
      ...strayReposts.map((id) => `${id} belongs to no published assignment.`),
      ...reposts.flatMap((repost) => [
        repost.workflow === null && `${nameOf(repost)} has no workflow.`,
        repost.workflow !== null &&
          (repost.workflow.status !== 'COMPLETED' || repost.workflow.runs !== 1) &&
          `${nameOf(repost)}: its workflow is ${repost.workflow.status} after ${some(repost.workflow.runs, 'run')}.`,
        repost.settledAt === null && `${nameOf(repost)} is not settled.`,
      ]),
    ],
  );
}

export function supportersTold({ reposts }: DemoFacts): PromiseResult {
  const arrived = reposts.flatMap(({ mails }) =>
    mails.flatMap((mail) => Array<string>(mail.arrived).fill(mail.template)),
  );
  const silent = reposts.filter(({ world }) => world === 'absent').length;
  return judged(
    'Every supporter is told of the assignment once, and reminded only who neither reposted nor skipped',
    {
      expected: counted({ assignment_published: reposts.length, proof_reminder: silent }),
      seen: counted(tally(arrived)),
    },
    [
      silent === 0 && 'Nobody was to be reminded, so that this could not be seen.',
      ...reposts.flatMap((repost) => {
        const due: Record<string, number> = {
          assignment_published: 1,
          proof_reminder: repost.world === 'absent' ? 1 : 0,
        };
        const written = tally(repost.mails.map(({ template }) => template));
        return [
          ...[...new Set([...Object.keys(due), ...Object.keys(written)])].map(
            (template) =>
              (due[template] ?? 0) !== (written[template] ?? 0) &&
              `${nameOf(repost)}: ${due[template] ?? 0} × ${template} due, ${written[template] ?? 0} written.`,
          ),
          ...repost.mails.map(
            (mail) =>
              (mail.status !== 'sent' || mail.arrived !== 1) &&
              `${nameOf(repost)}: ${mail.template} is ${mail.status} and arrived ${mail.arrived} times.`,
          ),
        ];
      }),
    ],
  );
}

export function skipReplaced({ reposts }: DemoFacts): PromiseResult {
  const skipped = reposts.filter(({ world }) => world === 'skipped');
  const substituteOf = (skip: RepostFact) =>
    reposts.filter(({ replacementFor }) => replacementFor === skip.id);
  return judged(
    'Who skips in time is replaced on the same day, for the credits that came back',
    {
      expected: skipped.map(({ track }) => `${track}: somebody else`).join(', ') || 'one skip',
      seen: skipped
        .map(
          (skip) =>
            `${skip.track}: ${
              substituteOf(skip)
                .map(({ handle }) => handle)
                .join(', ') || 'nobody'
            }`,
        )
        .join(', '),
    },
    [
      skipped.length === 0 && 'Nobody skipped, so that this could not be seen.',
      ...skipped.flatMap((skip) => {
        const [substitute, ...more] = substituteOf(skip);
        if (substitute === undefined || more.length > 0)
          return [`${nameOf(skip)} was replaced ${more.length + (substitute ? 1 : 0)} times.`];
        return [
          substitute.date !== skip.date && `${nameOf(skip)} was replaced in the queue of ${substitute.date}.`,
          substitute.supporterId === skip.supporterId && `${nameOf(skip)} replaces itself.`,
          substitute.publishedAt !== skip.settledAt &&
            `${nameOf(substitute)} was not asked in the moment of the skip.`,
          substitute.status !== 'completed' && `${nameOf(substitute)} is ${substitute.status}.`,
        ];
      }),
    ],
  );
}

/** `Undertow by velvet-harbor`. */
export function nameOf({ track, handle }: RepostFact): string {
  return `${track} by ${handle}`;
}

function pairOf({ submissionId, supporterId }: RepostFact): string {
  return `${submissionId} ${supporterId}`;
}

function once({ events }: QueueFact, type: string): boolean {
  return events.filter((event) => event === type).length === 1;
}

function sameMembers(a: readonly string[], b: readonly string[]): boolean {
  return [...a].sort().join() === [...b].sort().join();
}
