/** Promises about reposts: each is judged by what was seen of it, and credits follow the reposts that happened. */
import { HOUR_MS } from '../../domain/calendar.js';
import { LOOKS_TO_CONFIRM } from '../../domain/proof-evidence.js';
import type { DemoFacts } from './facts.js';
import { counted, judged, type PromiseResult, some, tally } from './promise-result.js';
import { nameOf } from './promises-queues.js';
import type { CheckFact, RepostFact } from './queue-facts.js';
import { QUEUE_ENDS, UNREPOST_AFTER_HOURS, WATCH_HOURS, type World } from './queue-plan.js';

type Problems = (string | false)[];

/** Least time between two looks that count for an absence (the org's default). */
const RECHECK_MS = HOUR_MS / 6;
/** What each world must have been seen as, at least once, before its outcome. */
const WORLDS: readonly World[] = [
  'scheduled',
  'kept',
  'taken_down',
  'absent',
  'hidden',
  'skipped',
  'planned_scheduled',
  'planned',
];

export function judgedByEvidence({ reposts, people }: DemoFacts): PromiseResult {
  const ends = (list: readonly (string | undefined)[]) =>
    counted(tally(list.map((status) => status ?? 'unknown')));
  return judged(
    'Every repost is judged as it was: seen, missing in three looks beside a later one, or left to ops where nobody can tell',
    {
      expected: ends(reposts.map(({ world }) => (world === null ? undefined : QUEUE_ENDS[world].status))),
      seen: `${ends(reposts.map(({ status }) => status))}; ${counted(tally(reposts.flatMap(({ checks }) => checks.map(({ verdict }) => verdict))))} in ${some(reposts.flatMap(({ checks }) => checks).length, 'look')}`,
    },
    [
      ...WORLDS.map(
        (world) =>
          !reposts.some((repost) => repost.world === world) &&
          `No repost was ${world.replaceAll('_', ' ')}, so that this could not be seen.`,
      ),
      ...reposts.flatMap((repost) => [
        ...endProblems(repost),
        ...evidenceProblems(repost, people.moderator),
        repost.provisional && `${nameOf(repost)} was accepted although nobody ever saw it.`,
      ]),
    ],
  );
}

function endProblems(repost: RepostFact): Problems {
  const { world, status, reason } = repost;
  if (world === null) return [`${nameOf(repost)}: nobody played it.`];
  const end = QUEUE_ENDS[world];
  return [
    status !== end.status && `${nameOf(repost)} is ${status}, and was ${world}.`,
    end.reason !== undefined &&
      reason !== end.reason &&
      `${nameOf(repost)} ended for ${reason ?? 'no reason'}, not for ${end.reason ?? 'none'}.`,
  ];
}

function evidenceProblems(repost: RepostFact, moderator: string): Problems {
  const name = nameOf(repost);
  const proof = repost.checks.filter(({ phase }) => phase === 'proof');
  const watch = repost.checks.filter(({ phase }) => phase === 'watch');
  const seen = proof.filter(({ verdict }) => verdict === 'seen');
  const answered = repost.tasks.filter(({ outcome, by }) => outcome === 'completed' && by === moderator);
  switch (repost.world) {
    case null:
      return [];
    case 'scheduled':
    case 'planned_scheduled':
      return [
        !seen.some(({ source }) => source === 'scheduler') && `${name}: the scheduler did not report it.`,
        repost.schedule !== 'completed' && `${name}: its schedule is ${repost.schedule ?? 'missing'}.`,
        repost.tasks.length > 0 && `${name}: ops were asked.`,
      ];
    case 'kept':
    case 'planned':
    case 'taken_down':
      return [
        !seen.some(({ source }) => source === 'user_reposts' || source === 'reposters') &&
          `${name} was not seen in any list.`,
        repost.schedule !== null && `${name}: Influence Planner was asked for it as well.`,
        repost.tasks.length > 0 && `${name}: ops were asked.`,
        repost.world === 'taken_down' &&
          confirmed(watch) < LOOKS_TO_CONFIRM &&
          `${name} was missing in ${confirmed(watch)} looks of its watch that count.`,
      ];
    case 'absent':
      return [
        repost.checks.some(({ verdict }) => verdict === 'seen') && `${name} was seen, and was never made.`,
        confirmed(proof) < LOOKS_TO_CONFIRM &&
          `${name} was missing in ${confirmed(proof)} looks that count; ${LOOKS_TO_CONFIRM} confirm it.`,
      ];
    case 'hidden':
      return [
        proof.some(({ verdict }) => verdict !== 'inconclusive') &&
          `${name}: an empty list was taken for more than inconclusive.`,
        !proof.some(({ source }) => source === 'user_reposts') && `${name} was never looked for.`,
        (repost.tasks.length !== 1 || answered.length !== 1) &&
          `${name}: ${some(repost.tasks.length, 'task')} for ops, ${answered.length} answered by the moderator.`,
      ];
    case 'skipped':
      return [repost.checks.length > 0 && `${name} was skipped, and looked for.`];
  }
}

/** Looks in a row that found it missing beside a later repost, far enough apart to count. */
function confirmed(checks: readonly CheckFact[]): number {
  let count = 0;
  let last = Number.NEGATIVE_INFINITY;
  for (const { verdict, control, at } of checks) {
    if (verdict !== 'absent' || !control || at < last + RECHECK_MS) continue;
    count += 1;
    last = at;
  }
  return count;
}

export function takenDown({ reposts }: DemoFacts): PromiseResult {
  const early = reposts.filter(({ world }) => world === 'taken_down');
  const planned = reposts.filter(({ world }) => world === 'planned' || world === 'planned_scheduled');
  const words = (list: readonly RepostFact[]) => counted(tally(list.map(({ status }) => status)));
  return judged(
    'A repost taken down within its watch fails, and costs the artist nothing; one taken down as planned is paid',
    {
      expected: `${early.length} failed within the watch; ${planned.length} completed as planned`,
      seen: `${words(early)} within the watch; ${words(planned)} as planned`,
    },
    [
      early.length === 0 && 'Nobody took a repost down early.',
      planned.length === 0 && 'Nothing came down as planned.',
      ...early.flatMap((repost) => {
        const failed = repost.events.filter(({ type }) => type === 'assignment.unreposted');
        const end = (repost.completedAt ?? Number.NaN) + WATCH_HOURS * HOUR_MS;
        return [
          failed.length !== 1 && `${nameOf(repost)} has ${failed.length} events of the un-repost.`,
          // Looks at the end of the watch may still have to be confirmed.
          failed.some(({ at }) => at > end + LOOKS_TO_CONFIRM * HOUR_MS) &&
            `${nameOf(repost)} failed long after its watch.`,
          repost.earned.length > 0 && `${nameOf(repost)} earned credits all the same.`,
        ];
      }),
      ...planned.flatMap((repost) => {
        const gone = repost.checks.filter(({ phase, verdict }) => phase === 'watch' && verdict === 'absent');
        const due = repost.slotAt + UNREPOST_AFTER_HOURS * HOUR_MS;
        return [
          gone.length === 0 && `${nameOf(repost)} was never seen to be gone.`,
          gone.some(({ at }) => at < due) && `${nameOf(repost)} was gone before it was to be.`,
          repost.events.some(({ type }) => type === 'assignment.unreposted') &&
            `${nameOf(repost)} was held against its supporter.`,
        ];
      }),
    ],
  );
}

export function creditsFollow({ reposts }: DemoFacts): PromiseResult {
  const holds = reposts.flatMap((repost) => repost.holds);
  const credits = (status: string) =>
    holds.filter((hold) => hold.status === status).reduce((sum, hold) => sum + hold.credits, 0);
  const due = (hold: string) =>
    reposts
      .filter(({ world }) => world !== null && QUEUE_ENDS[world].hold === hold)
      .reduce((sum, repost) => sum + repost.credits, 0);
  const earned = reposts.flatMap((repost) => repost.earned);
  const paid = earned.reduce((sum, entry) => sum + entry.credits + entry.forfeited, 0);
  return judged(
    'Credits move for reposts that happened, and for no other: held once, then captured and earned, or released',
    {
      expected: `${due('captured')} captured and earned, ${due('released')} released`,
      seen: `${credits('captured')} captured, ${paid} earned, ${credits('released')} released, ${credits('open')} held`,
    },
    reposts.flatMap((repost) => {
      const [hold, ...more] = repost.holds;
      const name = nameOf(repost);
      if (hold === undefined || more.length > 0) return [`${name} has ${some(repost.holds.length, 'hold')}.`];
      const happened = repost.status === 'completed';
      const gain = repost.earned.reduce((sum, entry) => sum + entry.credits + entry.forfeited, 0);
      return [
        hold.credits !== repost.credits && `${name} costs ${repost.credits}, held were ${hold.credits}.`,
        hold.status !== (happened ? 'captured' : 'released') &&
          `${name} is ${repost.status}, its hold ${hold.status}.`,
        repost.earned.length !== (happened ? 1 : 0) &&
          `${name} is ${repost.status} and has ${repost.earned.length} earnings.`,
        happened && gain !== repost.credits && `${name} cost ${repost.credits} and brought ${gain}.`,
      ];
    }),
  );
}

export function supportedAsReposted({ reviews, reposts }: DemoFacts): PromiseResult {
  const served = reviews.filter(({ id }) => reposts.some(({ submissionId }) => submissionId === id));
  const ended = served.filter(({ supportEndedAt }) => supportEndedAt !== null);
  const costOf = (id: string) =>
    reposts
      .filter(({ submissionId }) => submissionId === id)
      .flatMap(({ holds }) => holds.filter(({ status }) => status === 'captured'))
      .reduce((sum, hold) => sum + hold.credits, 0);
  const words = (list: readonly string[]) => [...list].sort().join(', ') || 'none';
  const title = ({ id, planned }: DemoFacts['reviews'][number]) => planned?.track ?? id;
  return judged(
    'A track ends as supported when its reposts are settled, with what they cost',
    {
      expected: words(served.map((review) => `${title(review)} (${costOf(review.id)})`)),
      seen: words(ended.map((review) => `${title(review)} (${review.creditsConsumed})`)),
    },
    [
      served.length === 0 && 'No track was reposted.',
      ...served.flatMap((review) => [
        review.closedAt === null && `${title(review)} is not closed.`,
        review.events.filter(({ type }) => type === 'submission.supported').length !== 1 &&
          `${title(review)} has not one event that it was supported.`,
        review.creditsConsumed !== costOf(review.id) &&
          `${title(review)} says ${review.creditsConsumed} credits, captured were ${costOf(review.id)}.`,
        review.slotReturned && `${title(review)} was supported and its slot given back.`,
      ]),
    ],
  );
}

export function balancesAddUp({ members }: DemoFacts): PromiseResult {
  const total = (credits: (member: DemoFacts['members'][number]) => number) =>
    members.reduce((sum, member) => sum + credits(member), 0);
  const due = (member: DemoFacts['members'][number]) =>
    (member.firstGrant ?? 0) +
    member.given +
    member.newGrants.reduce((sum, grant) => sum + grant.credits, 0) +
    member.earned -
    member.spent;
  return judged(
    'What every member has is what was granted, given and earned, less what was spent; nothing is held any more',
    {
      expected: `${total(due)} credits, 0 held`,
      seen: `${total((member) => member.balance ?? 0)} credits, ${total((member) => member.held ?? 0)} held`,
    },
    [
      total((member) => member.spent) === 0 && 'Nobody spent anything, so that this could not be seen.',
      total((member) => member.earned) === 0 && 'Nobody earned anything, so that this could not be seen.',
      total((member) => member.given) === 0 && 'Nobody was given anything, so that this could not be seen.',
      ...members.flatMap((member) => [
        member.balance !== due(member) &&
          `${member.handle} has ${member.balance ?? 'no wallet'}, which should be ${due(member)}.`,
        member.held !== 0 && `${member.handle}: ${member.held ?? 'unknown'} credits are held.`,
      ]),
    ],
  );
}
