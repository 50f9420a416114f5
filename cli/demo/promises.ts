/**
 * The promises of a submission review, judged by the facts: pure, so that a test can break each fact and see its
 * promise fail. What must be is taken from the plan and the product's rules, what is from {@link DemoFacts}.
 */
import { SIZE_TIERS } from '../../domain/tiers.js';
import type { DemoFacts, ReviewFacts } from './facts.js';
import { NAMED_FAMILY, plannedTiers, reviewPlan } from './plan.js';
import { counted, judged, type PromiseResult, some, tally } from './promise-result.js';
import { answeredInTime, clockStoodStill, escalated, latest, name, warnedBefore } from './promises-time.js';

export function judgePromises(facts: DemoFacts): PromiseResult[] {
  const promises = [
    networkComplete,
    everyReviewStarted,
    refusedWithReason,
    endedAsDecided,
    answeredInTime,
    warnedBefore,
    escalated,
    clockStoodStill,
    decidedBySignal,
    slotReturned,
    survivedTheKill,
    oneMailOfEachKind,
    targetsFresh,
    genresKnown,
    twoRecordsAgree,
    nothingLeftLying,
  ];
  return promises.map((promise) => promise(facts));
}

function networkComplete({ members, grants }: DemoFacts): PromiseResult {
  const planned = plannedTiers();
  const tiers = tally(members.map((member) => member.tier));
  const granted = members.filter((member) => member.balance === grants[member.tier]);
  const total = Object.values(planned).reduce((sum, count) => sum + count, 0);
  return judged(
    'Members have the tier of their followers, a genre, and the first grant',
    { expected: `${counted(planned)}; ${total} grants`, seen: `${counted(tiers)}; ${granted.length} grants` },
    [
      ...SIZE_TIERS.map(
        (tier) =>
          planned[tier] !== tiers[tier] && `${tier}: ${planned[tier]} expected, ${tiers[tier] ?? 0} there.`,
      ),
      ...members.map((member) => member.genres === 0 && `Member ${member.id} has no genre.`),
      ...members.map(
        (member) =>
          member.balance !== grants[member.tier] &&
          `Member ${member.id} (${member.tier}) has ${member.balance ?? 'no wallet'}, not ${grants[member.tier]}.`,
      ),
    ],
  );
}

function everyReviewStarted({ reviews, accepted, strayWorkflows }: DemoFacts): PromiseResult {
  const wanted = reviewPlan().length;
  const started = reviews.filter((review) => review.workflow !== null).length;
  return judged(
    'Every accepted submission has one durable review, every refused one has nothing',
    {
      expected: `${wanted} accepted, ${wanted} rows, ${wanted} reviews`,
      seen: `${accepted} accepted, ${reviews.length} rows, ${started} reviews`,
    },
    [
      (accepted !== wanted || reviews.length !== wanted) && `${wanted} submissions were to be accepted.`,
      ...strayWorkflows.map((id) => `${id} belongs to no submission.`),
      ...reviews.flatMap((review) => [
        review.planned === undefined && `Row ${review.id} was made by no accepted request.`,
        review.workflow === null && `${name(review)} has no review in Temporal.`,
        review.workflow !== null &&
          review.workflow.runs !== 1 &&
          `${name(review)} needed ${review.workflow.runs} runs.`,
      ]),
    ],
  );
}

function refusedWithReason({ refusals }: DemoFacts): PromiseResult {
  const right = refusals.filter(({ expected, seen }) => sameAnswer(expected, seen));
  return judged(
    'Bad requests are refused with a stable code',
    { expected: some(refusals.length, 'refusal'), seen: `${right.length} as expected` },
    [
      refusals.length === 0 && 'No bad request was sent.',
      ...refusals.map(
        ({ what, expected, seen }) =>
          !sameAnswer(expected, seen) &&
          `${what}: ${expected.status} ${expected.code} expected, ${seen.status} ${seen.code} came.`,
      ),
    ],
  );
}

function endedAsDecided({ reviews, people }: DemoFacts): PromiseResult {
  return judged(
    'Every review ends as it was decided, once, and knows by whom',
    {
      expected: counted(tally(reviewPlan().map((planned) => planned.ending))),
      seen: counted(tally(reviews.map(endingOf))),
    },
    reviews.flatMap((review) => {
      const { planned } = review;
      if (!planned) return [];
      const by = planned.decidedBy === null ? null : people[planned.decidedBy];
      const events = review.events.filter(isFinal);
      const steps = review.commands.filter(
        ({ name: command, status, action }) =>
          status === 'applied' &&
          (command === 'withdraw' || (command === 'decide' && (action === 'approve' || action === 'reject'))),
      );
      return [
        endingOf(review) !== planned.ending &&
          `${planned.track} was to be ${planned.ending} and is ${endingOf(review)}.`,
        review.decidedBy !== by && `${planned.track} does not name who decided.`,
        planned.ending === 'rejected' &&
          (review.rejectReason ?? '').split(/\s+/u).length < 10 &&
          `${planned.track} was rejected without a reason of ten words.`,
        events.length !== 1 && `${planned.track} has ${events.length} final events.`,
        steps.length !== 1 && `${planned.track}: ${steps.length} deciding commands were applied.`,
      ];
    }),
  );
}

function decidedBySignal({ reviews }: DemoFacts): PromiseResult {
  const bySignal = reviews.filter(
    ({ workflow }) => workflow?.signals.includes('decide') && !workflow.updates.includes('decide'),
  );
  const planned = reviews.filter((review) => review.planned?.bySignal);
  return judged(
    'A decision sent as a Signal (Temporal UI, CLI) counts like one by the API',
    {
      expected: planned.map(name).join(', ') || 'one review',
      seen: bySignal.map((review) => `${name(review)} ${endingOf(review)}`).join(', ') || 'none',
    },
    [
      planned.length === 0 && 'No review was to be decided by Signal.',
      ...planned.map(
        (review) => !bySignal.includes(review) && `${name(review)} has no Signal "decide" in its history.`,
      ),
      ...planned.map(
        (review) =>
          endingOf(review) !== review.planned?.ending &&
          `${name(review)}: the Signal was not applied, it is ${endingOf(review)}.`,
      ),
    ],
  );
}

function slotReturned({ reviews, members }: DemoFacts): PromiseResult {
  const withdrawn = reviews.filter((review) => review.withdrawnAt !== null);
  const used = (review: ReviewFacts) =>
    members.find((member) => member.id === review.memberId)?.submissionsThisMonth;
  return judged(
    "Withdrawn: closed without a decision, and the month's slot is free again",
    {
      expected: '1 withdrawn, 0 slots used',
      seen: `${withdrawn.length} withdrawn, ${withdrawn.map((review) => used(review) ?? '?').join(', ') || '-'} slots used`,
    },
    [
      withdrawn.length !== 1 && 'One submission was to be withdrawn.',
      ...withdrawn.flatMap((review) => [
        (!review.slotReturned || used(review) !== 0) && `${name(review)}: its slot was not given back.`,
        review.decidedAt !== null && `${name(review)} was decided all the same.`,
        review.closedAt === null && `${name(review)} is not closed.`,
      ]),
    ],
  );
}

function survivedTheKill({ reviews, killedWorker, workerPid }: DemoFacts): PromiseResult {
  const under = reviews.filter((review) => review.planned?.underKill);
  const carriedOn = reviews.filter(({ workflow }) => {
    const workers = workflow?.workers ?? [];
    const at = killedWorker === null ? -1 : workers.indexOf(killedWorker);
    return at >= 0 && workers.slice(at).some((worker) => worker !== killedWorker);
  });
  return judged(
    'A worker killed in the middle loses nothing: reviews go on where they were, in the same run',
    {
      expected: `a new worker, ${under.length} reviews or more carried on`,
      seen: `${workerPid === null ? 'no worker' : `worker ${workerPid}`}, ${carriedOn.length} carried on`,
    },
    [
      killedWorker === null && 'No worker was killed.',
      workerPid === null && 'No worker runs.',
      workerPid !== null &&
        killedWorker?.split('@')[0] === String(workerPid) &&
        'The killed worker still runs.',
      under.length === 0 && 'No review was being decided at the kill.',
      ...under.map(
        (review) => !carriedOn.includes(review) && `${name(review)} was not carried on by another worker.`,
      ),
      ...reviews.map(
        ({ workflow, ...review }) =>
          workflow !== null &&
          !['RUNNING', 'COMPLETED'].includes(workflow.status) &&
          `${review.planned?.track ?? review.id}: its review is ${workflow.status}.`,
      ),
    ],
  );
}

function oneMailOfEachKind({ reviews, strayMails }: DemoFacts): PromiseResult {
  const wanted = reviews.map(expectedMails);
  const arrived = reviews.flatMap((review) =>
    review.mails.flatMap((mail) => Array<string>(mail.arrived).fill(mail.template)),
  );
  return judged(
    'Each mail that is due arrives once, none twice, none that is not due',
    { expected: counted(sum(wanted)), seen: counted(tally(arrived)) },
    [
      strayMails > 0 && `${strayMails} mails arrived that nobody wrote down.`,
      ...reviews.flatMap((review, index) => {
        const due = wanted[index] ?? {};
        const written = tally(review.mails.map((mail) => mail.template));
        const templates = new Set([...Object.keys(due), ...Object.keys(written)]);
        return [
          ...[...templates].map(
            (template) =>
              (due[template] ?? 0) !== (written[template] ?? 0) &&
              `${name(review)}: ${due[template] ?? 0} × ${template} due, ${written[template] ?? 0} written.`,
          ),
          ...review.mails.map(
            (mail) =>
              (mail.status !== 'sent' || mail.arrived !== 1) &&
              `${name(review)}: ${mail.template} is ${mail.status} and arrived ${mail.arrived} times.`,
          ),
        ];
      }),
    ],
  );
}

/** By the state of the row; how often a link is asked for is judged with the clock. */
function expectedMails(review: ReviewFacts): Record<string, number> {
  const asks = review.mails.filter((mail) => mail.template === 'request_live_link').length;
  return {
    submission_confirmation: 1,
    submission_approved: review.status === 'approved' ? 1 : 0,
    submission_rejected: review.status === 'rejected' && review.withdrawnAt === null ? 1 : 0,
    request_live_link: review.planned?.asksLink ? asks : 0,
  };
}

function targetsFresh(facts: DemoFacts): PromiseResult {
  const approved = facts.reviews.filter((review) => review.status === 'approved');
  const fresh = approved.filter((review) => (review.proposals.at(-1)?.expiresAt ?? 0) > facts.now);
  const rebuilt = approved.reduce((count, review) => count + Math.max(0, review.proposals.length - 1), 0);
  return judged(
    'Every approved track has a target proposal that is not older than a day',
    { expected: `${approved.length} fresh`, seen: `${fresh.length} fresh, ${rebuilt} built anew` },
    [
      rebuilt === 0 && 'No proposal was built anew, so that this could not be seen.',
      ...approved.flatMap((review) => {
        const { proposals } = review;
        const last = proposals.at(-1);
        if (!last) return [`${name(review)} has no proposal.`];
        return [
          latest(facts, last.expiresAt) < facts.now && `${name(review)}: its proposal has expired.`,
          (last.targets === 0 || review.suggestedSupporters === 0) && `${name(review)} has no targets.`,
          ...proposals.slice(1).map((next, index) => {
            const due = proposals[index]?.expiresAt ?? 0;
            return (
              (next.createdAt < due || next.createdAt > latest(facts, due)) &&
              `${name(review)}: proposal ${index + 2} was not built when the one before expired.`
            );
          }),
        ];
      }),
    ],
  );
}

function genresKnown({ reviews }: DemoFacts): PromiseResult {
  const known = reviews.filter((review) => review.planned?.family !== null);
  const right = known.filter((review) => review.family === review.planned?.family);
  const unknown = reviews.filter((review) => review.planned?.family === null);
  const named = unknown.filter(
    (review) => review.flags.includes('genre_unknown') && review.family === NAMED_FAMILY,
  );
  return judged(
    'Genres are read from title, tags and genre; a track without one goes to a person',
    {
      expected: `${known.length} classified, ${unknown.length} flagged and named`,
      seen: `${right.length} classified, ${named.length} flagged and named`,
    },
    [
      ...known.map(
        (review) =>
          !right.includes(review) &&
          `${name(review)} is ${review.family ?? 'nothing'}, not ${review.planned?.family}.`,
      ),
      ...unknown.map((review) => !named.includes(review) && `${name(review)} was not flagged and named.`),
    ],
  );
}

function twoRecordsAgree({ reviews }: DemoFacts): PromiseResult {
  const open = reviews.filter((review) => review.closedAt === null);
  const running = reviews.filter(({ workflow }) => workflow?.status === 'RUNNING');
  return judged(
    'Database and Temporal tell the same: what is open, what it waits for, until when',
    {
      expected: `${open.length} open, ${reviews.length - open.length} closed`,
      seen: `${running.length} running, ${reviews.length - running.length} ended`,
    },
    reviews.flatMap(({ workflow, wait, closedAt, ...rest }) => {
      const title = rest.planned?.track ?? rest.id;
      if (workflow === null) return [];
      if (closedAt !== null) {
        return [
          workflow.status !== 'COMPLETED' && `${title} is closed, its review ${workflow.status}.`,
          wait !== null && `${title} is closed and still waits for ${wait.waitingOn}.`,
        ];
      }
      if (wait === null) return [`${title} is open and waits for nothing.`];
      const seen = [workflow.stage, workflow.waitingOn, workflow.dueAt, workflow.breached];
      const expected = [wait.stage, wait.waitingOn, wait.dueAt, wait.breached];
      return [
        workflow.status !== 'RUNNING' && `${title} is open, its review ${workflow.status}.`,
        JSON.stringify(seen) !== JSON.stringify(expected) &&
          `${title} waits for ${expected.join(' / ')}, Temporal shows ${seen.join(' / ')}.`,
      ];
    }),
  );
}

function nothingLeftLying({ reviews, outbox, ledgerViolations }: DemoFacts): PromiseResult {
  const commands = reviews.flatMap((review) => review.commands.filter(({ status }) => status === 'pending'));
  const mails = reviews.flatMap((review) => review.mails.filter(({ status }) => status === 'pending'));
  return judged(
    'Nothing is left lying: outbox, commands and mails are done, the ledger adds up',
    {
      expected: '0 events, 0 commands, 0 mails, 0 violations',
      seen: `${outbox.unrelayed} events, ${commands.length} commands, ${mails.length} mails, ${some(ledgerViolations.length, 'violation')}`,
    },
    [
      outbox.unrelayed > 0 && `${outbox.unrelayed} events wait in the outbox (${outbox.failing} failing).`,
      commands.length > 0 && `${commands.length} commands have no outcome.`,
      mails.length > 0 && `${mails.length} mails are not sent.`,
      ...ledgerViolations,
    ],
  );
}

function endingOf(review: ReviewFacts): string {
  return review.withdrawnAt === null ? review.status : 'withdrawn';
}

function isFinal({ type, status }: ReviewFacts['events'][number]): boolean {
  if (type === 'submission.withdrawn') return true;
  return type === 'submission.decided' && (status === 'approved' || status === 'rejected');
}

function sameAnswer(a: { status: number; code: string }, b: { status: number; code: string }): boolean {
  return a.status === b.status && a.code === b.code;
}

function sum(all: readonly Record<string, number>[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const counts of all) {
    for (const [key, count] of Object.entries(counts)) total[key] = (total[key] ?? 0) + count;
  }
  return total;
}
