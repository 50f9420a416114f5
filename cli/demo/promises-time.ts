/** Promises about time: the answer within a day, the warning, the escalation, the clock that stands still. */
import { DAY_MS, HOUR_MS } from '../../domain/calendar.js';
import type { DemoFacts, ReviewFacts, SeenWait } from './facts.js';
import { LINK_REMINDER_HOURS, PROMISE_HOURS, WARNING_HOURS } from './plan.js';
import { judged, type PromiseResult, some } from './promise-result.js';

const PROMISE_MS = PROMISE_HOURS * HOUR_MS;
const WARNING_MS = WARNING_HOURS * HOUR_MS;
/** Rounding of instants on their way through database and JSON. */
const ROUNDING_MS = 1_000;

export function answeredInTime({ reviews }: DemoFacts): PromiseResult {
  const inTime = reviews.filter((review) => usedMs(review) < PROMISE_MS);
  const onRecord = reviews.filter((review) => usedMs(review) >= PROMISE_MS && breaches(review).length > 0);
  return judged(
    `Every submission is answered within ${PROMISE_HOURS} h, or its breach is on record`,
    {
      expected: `${reviews.length} of ${reviews.length}`,
      seen: `${inTime.length} in time, ${onRecord.length} on record`,
    },
    reviews.flatMap((review) => {
      const used = usedMs(review);
      const due = alarmsDue(used);
      const counted = review.workflow?.slaElapsedMs ?? null;
      const provider = review.seenWaits.some((wait) => wait.waitingOn === 'provider');
      return [
        endOf(review) === null && `${name(review)} has no answer.`,
        breaches(review).length !== due &&
          `${name(review)} took ${hours(used)} of its clock: ${some(due, 'breach')} expected, ${breaches(review).length} on record.`,
        review.planned?.breaches === true && due === 0 && `${name(review)} was meant to breach and did not.`,
        // SoundCloud's outages stop the clock too; those pauses are not seen from outside.
        !provider &&
          (counted === null || Math.abs(counted - used) > ROUNDING_MS) &&
          `${name(review)}: its workflow counted ${counted === null ? 'nothing' : hours(counted)}, the database says ${hours(used)}.`,
      ];
    }),
  );
}

export function warnedBefore(facts: DemoFacts): PromiseResult {
  const due = facts.reviews.filter((review) => usedMs(review) >= WARNING_MS);
  const warned = facts.reviews.filter((review) => stepNotices(review, 'warning').length > 0);
  return judged(
    'Ops are warned at 75 % of the time, the owner alone where there is one',
    { expected: names(due), seen: names(warned) },
    facts.reviews.flatMap((review) => {
      const notices = stepNotices(review, 'warning');
      if (usedMs(review) < WARNING_MS) {
        return [notices.length > 0 && `${name(review)} was decided early and warned about all the same.`];
      }
      const expected = review.ownerId === null ? facts.ops : [review.ownerId];
      return [
        !sameMembers(
          notices.map((notice) => notice.userId),
          expected,
        ) && `${name(review)}: ${some(expected.length, 'person')} to warn, ${notices.length} notifications.`,
        ...late(facts, review, alarmAt(review, WARNING_MS), 'the warning', notices[0]?.at),
      ];
    }),
  );
}

export function escalated(facts: DemoFacts): PromiseResult {
  const alarms = facts.reviews.flatMap((review) => breaches(review).map((event) => ({ review, event })));
  const notices = facts.reviews.flatMap((review) => stepNotices(review, 'breach'));
  const messages = facts.reviews.flatMap((review) => review.slack);
  const expected = alarms.length;
  return judged(
    'A breach goes to every admin and to Slack at once, and again each day',
    {
      expected: `${some(expected, 'alarm')}: ${expected * facts.admins.length} notifications, ${some(expected, 'Slack message')}`,
      seen: `${notices.length} notifications, ${some(messages.length, 'Slack message')}`,
    },
    [
      expected === 0 && 'Nothing breached, so that nothing of this could be seen.',
      ...facts.reviews.flatMap((review) => {
        const raised = breaches(review);
        const told = stepNotices(review, 'breach').map((notice) => notice.userId);
        const all = raised.flatMap(() => facts.admins);
        return [
          !sameMembers(told, all) &&
            `${name(review)}: ${raised.length} alarms × ${facts.admins.length} admins, ${told.length} notifications.`,
          review.slack.length !== raised.length &&
            `${name(review)}: ${raised.length} alarms, ${review.slack.length} Slack messages.`,
          raised.length > 0 &&
            !review.seenWaits.some((wait) => wait.breached) &&
            `${name(review)}: what it waited for was never shown as breached.`,
          ...raised.flatMap((event, index) =>
            late(facts, review, alarmAt(review, PROMISE_MS) + index * DAY_MS, `alarm ${index + 1}`, event.at),
          ),
        ];
      }),
    ],
  );
}

export function clockStoodStill(facts: DemoFacts): PromiseResult {
  const asked = facts.reviews.filter((review) => review.planned?.asksLink);
  const stops = asked.map((review) => ({ review, stop: linkPause(review) }));
  const left = (wait: SeenWait | undefined) =>
    wait?.remainingMs === undefined || wait.remainingMs === null ? '?' : hours(wait.remainingMs);
  return judged(
    'The clock stands still while the member owes a live link, and goes on with what was left',
    {
      expected: stops.map(({ stop }) => `stopped and resumed with ${left(stop?.pause)} left`).join(', '),
      seen: stops
        .map(({ stop }) =>
          stop?.after?.dueAt
            ? `${hours(stop.after.dueAt - stop.after.since)} left after ${hours(stop.after.since - stop.pause.since)}`
            : 'no pause',
        )
        .join(', '),
    },
    [
      asked.length === 0 && 'No review was to be asked for a link.',
      ...stops.flatMap(({ review, stop }) => {
        if (!stop?.after) return [`${name(review)}: no pause with an end was seen.`];
        const { before, pause, after } = stop;
        const remaining = pause.remainingMs ?? Number.NaN;
        const reminders = LINK_REMINDER_HOURS.filter(
          (afterHours) => after.since - pause.since >= afterHours * HOUR_MS,
        ).length;
        const asks = review.mails.filter((mail) => mail.template === 'request_live_link').length;
        return [
          (!pause.paused || pause.waitingOn !== 'member') &&
            `${name(review)}: while it waited it was shown as ${pause.waitingOn}, ${pause.paused ? 'paused' : 'running'}.`,
          !near((before?.dueAt ?? Number.NaN) - pause.since, remaining) &&
            `${name(review)}: ${hours((before?.dueAt ?? Number.NaN) - pause.since)} were left, kept were ${hours(remaining)}.`,
          (after.dueAt === null || !near(after.dueAt - after.since, remaining)) &&
            `${name(review)}: it went on with another time than the ${hours(remaining)} left.`,
          asks !== 1 + reminders &&
            `${name(review)}: 1 question and ${some(reminders, 'reminder')} expected, ${asks} mails written.`,
        ];
      }),
    ],
  );
}

/** What a review's decision took of the time that was promised, from the database alone. */
function usedMs(review: ReviewFacts): number {
  return (endOf(review) ?? Number.POSITIVE_INFINITY) - review.submittedAt - pausedMs(review);
}

function endOf({ decidedAt, withdrawnAt }: ReviewFacts): number | null {
  return decidedAt ?? withdrawnAt;
}

function pausedMs(review: ReviewFacts): number {
  const stop = linkPause(review);
  if (!stop) return 0;
  return (stop.after?.since ?? endOf(review) ?? stop.pause.since) - stop.pause.since;
}

/** The wait for a live link, with what was waited for before and after. */
function linkPause({ seenWaits }: ReviewFacts) {
  const at = seenWaits.findIndex((wait) => wait.stage === 'live_link');
  const pause = seenWaits[at];
  if (!pause) return undefined;
  const before = seenWaits.slice(0, at).findLast((wait) => wait.stage === 'decision');
  return { before, pause, after: seenWaits.slice(at).find((wait) => wait.stage === 'decision') };
}

/** When a running clock has used that much. */
function alarmAt(review: ReviewFacts, used: number): number {
  const stop = linkPause(review);
  const straight = review.submittedAt + used;
  return stop && stop.pause.since < straight ? straight + pausedMs(review) : straight;
}

/** Alarms of a clock that ran that long: at the end of the promise, then daily. */
function alarmsDue(used: number): number {
  return used < PROMISE_MS ? 0 : 1 + Math.floor((used - PROMISE_MS) / DAY_MS);
}

function breaches(review: ReviewFacts) {
  return review.events.filter((event) => event.type === 'submission.breached');
}

function stepNotices(review: ReviewFacts, step: string) {
  return review.notifications.filter((notice) => notice.step === step);
}

function late(
  facts: DemoFacts,
  review: ReviewFacts,
  due: number,
  what: string,
  at: number | undefined,
): (string | false)[] {
  if (at === undefined) return [`${name(review)}: ${what} never came.`];
  return [
    at < due - ROUNDING_MS && `${name(review)}: ${what} came ${hours(due - at)} too early.`,
    at > latest(facts, due) && `${name(review)}: ${what} came ${hours(at - due)} late.`,
  ];
}

/**
 * Until when something due may happen: a busy machine is a little late. What was due around the kill waits for the next
 * worker, and then for Temporal to give up on the killed one.
 */
export function latest({ toleranceMs, outage, recoveryMs }: DemoFacts, due: number): number {
  if (!outage || due < outage.from - toleranceMs || due > outage.to + recoveryMs) return due + toleranceMs;
  return Math.max(due, outage.to) + recoveryMs + toleranceMs;
}

function near(a: number, b: number): boolean {
  return Math.abs(a - b) <= ROUNDING_MS;
}

function sameMembers(a: readonly string[], b: readonly string[]): boolean {
  return [...a].sort().join() === [...b].sort().join();
}

function names(reviews: readonly ReviewFacts[]): string {
  return reviews.map(name).join(', ') || 'nobody';
}

export function name(review: ReviewFacts): string {
  return review.planned?.track ?? review.id;
}

function hours(ms: number): string {
  return `${(ms / HOUR_MS).toFixed(1)} h`;
}
