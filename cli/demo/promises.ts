/**
 * The promises of submission reviews, of queues and reposts, and of a month's end, judged by the facts: pure, so that a test can break each
 * fact and see its promise fail. What must be is taken from the plan and the product's rules, what is from
 * {@link DemoFacts}.
 */
import { SIZE_TIERS } from '../../domain/tiers.js';
import { demoArtists } from '../../sandbox/soundcloud/catalogue.js';
import type { DemoFacts, MemberFact, ReviewFacts } from './facts.js';
import { plannedTiers, reviewPlan } from './plan.js';
import { counted, judged, type PromiseResult, some, tally } from './promise-result.js';
import { cameBack, doctorAgrees, grantedOnce, tiersMoved } from './promises-month.js';
import { oneWorkflowEach, queuesAsApproved, skipReplaced, supportersTold } from './promises-queues.js';
import {
  balancesAddUp,
  creditsFollow,
  judgedByEvidence,
  supportedAsReposted,
  takenDown,
} from './promises-reposts.js';
import { answeredInTime, clockStoodStill, escalated, name, warnedBefore } from './promises-time.js';
import {
  genresKnown,
  nothingLeftLying,
  oneMailOfEachKind,
  targetsFresh,
  twoRecordsAgree,
} from './promises-upkeep.js';

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
    queuesAsApproved,
    supportersTold,
    skipReplaced,
    judgedByEvidence,
    takenDown,
    creditsFollow,
    supportedAsReposted,
    oneWorkflowEach,
    twoRecordsAgree,
    nothingLeftLying,
    grantedOnce,
    balancesAddUp,
    tiersMoved,
    cameBack,
    doctorAgrees,
  ];
  return promises.map((promise) => promise(facts));
}

function networkComplete({ members, grants }: DemoFacts): PromiseResult {
  const planned = plannedTiers();
  const tiers = tally(members.map((member) => member.tier));
  const joined = new Map<string, string>(demoArtists().map(({ handle, tier }) => [handle, tier]));
  const due = (member: MemberFact) => grants[joined.get(member.handle) ?? ''];
  const granted = members.filter((member) => member.firstGrant === due(member));
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
          member.firstGrant !== due(member) &&
          `Member ${member.id} began with ${member.firstGrant ?? 'nothing'}, not ${due(member)}.`,
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
    'Every submission gets one decision, the one that was given, and names who gave it',
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
