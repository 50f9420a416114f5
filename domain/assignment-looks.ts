/**
 * What happens in an assignment when nobody acts: the reminder, the deadline, looks at SoundCloud and what they show
 * (rules.md, "Proof and the watch"). Times are business milliseconds.
 */
import { askOps, capture, complete, decideWithoutOps, fail, nextWatchLook } from './assignment-outcomes.js';
import {
  type AssignmentState,
  isTakenDownBy,
  isVouchedFor,
  planLook,
  SYSTEM_ACTOR,
  type Transition,
  transition,
} from './assignment-state.js';
import { confirmAbsence, type Verdict } from './proof-evidence.js';
import { isPaused, nextSlaAlarm, pauseSla, raiseSlaAlarm, resumeSla } from './sla.js';

const MINUTE_MS = 60_000;
/** Looks in a row without an answer after which the clock pauses. */
export const FAILURES_TO_PAUSE = 3;
/** Minutes until a look without an answer is made again. */
const RETRY_MINUTES = { first: 1, down: 10 } as const;

export type AssignmentAlarm = { kind: 'reminder' | 'deadline' | 'no_answer' | 'look'; at: number };

/** What a look brought. */
export type LookResult =
  /** SoundCloud does not answer: 5xx, timeout, 429, refused credentials. */
  { key: string; outcome: 'away' } | Answered;

interface Answered {
  key: string;
  outcome: 'answered';
  verdict: Verdict;
  /** When the evidence was taken. */
  at: number;
  /** There are no credentials, so nothing was looked at. */
  degraded: boolean;
  /** Influence Planner has, or may have, a schedule for it: it makes the repost, and takes it down as planned. */
  scheduled: boolean;
}

/**
 * What happens next if nobody acts; null when only a person or another workflow can move it.
 * @param looking a look is under way: no other begins before it is back
 */
export function nextAssignmentAlarm(state: AssignmentState, looking: boolean): AssignmentAlarm | null {
  const alarms: AssignmentAlarm[] = [];
  if (state.look !== null && !looking) alarms.push({ kind: 'look', at: state.look.at });
  if (state.stage === 'proof') {
    const alarm = nextSlaAlarm(state.clock);
    if (alarm !== null)
      alarms.push({ kind: alarm.kind === 'warning' ? 'reminder' : 'deadline', at: alarm.at });
  }
  if (state.stage === 'ops' && state.opsDueAt !== null)
    alarms.push({ kind: 'no_answer', at: state.opsDueAt });
  return alarms.reduce<AssignmentAlarm | null>(
    (first, alarm) => (first === null || alarm.at < first.at ? alarm : first),
    null,
  );
}

/** The transition an alarm other than `look` causes. */
export function raiseAssignmentAlarm(
  state: AssignmentState,
  kind: Exclude<AssignmentAlarm['kind'], 'look'>,
  now: number,
): Transition {
  switch (kind) {
    case 'reminder': {
      const warned = { ...state, clock: raiseSlaAlarm(state.clock, 'warning'), reminderOwed: true };
      // A look that is planned already, such as one that found no answer yet, serves the reminder too.
      return transition(state.look === null ? planLook(warned, 'reminder', now) : warned, 'reminder_due');
    }
    case 'deadline': {
      const over = { ...state, stage: 'decision' as const, since: now, reminderOwed: false, absences: [] };
      return transition(planLook(over, 'deadline', now), 'deadline');
    }
    case 'no_answer':
      return decideWithoutOps(state, now);
  }
}

/** What a look changes. One that was overtaken, by the deadline or by a newer proof, counts only if it saw the repost. */
export function applyLook(state: AssignmentState, result: LookResult, now: number): Transition {
  const change = judge(state, result, now);
  // Who reads the wait must see that the clock runs again.
  const back = state.provider !== null && change.next.provider === null && change.step === null;
  return back ? { ...change, step: 'provider_back' } : change;
}

function judge(state: AssignmentState, result: LookResult, now: number): Transition {
  if (state.stage === 'closed') return transition(state, null);
  if (result.outcome === 'away') return unanswered(state, result.key, now);
  const back = answered(state, result.degraded, now);
  if (result.key !== state.look?.key) {
    if (result.verdict === 'seen' && state.stage !== 'watch') return seen(back, now);
    return transition(back, null);
  }
  switch (state.stage) {
    case 'proof':
      return result.verdict === 'seen' ? seen(back, now) : notSeenYet(back, state);
    case 'decision':
      return decide(back, result, now);
    case 'watch':
      return watch(back, result, now);
    case 'ops':
      return result.verdict === 'seen' ? seen(back, now) : transition({ ...back, look: null }, null);
  }
}

/** The third look in a row without an answer stops the clock; looks go on until one is answered. */
function unanswered(state: AssignmentState, key: string, now: number): Transition {
  const failures = state.failures + 1;
  const down = failures >= FAILURES_TO_PAUSE;
  const minutes = down ? RETRY_MINUTES.down : RETRY_MINUTES.first;
  // A look that was planned meanwhile, such as the first of the watch, keeps its time.
  const look = state.look?.key === key ? { ...state.look, at: now + minutes * MINUTE_MS } : state.look;
  const next = { ...state, failures, look, reminderOwed: false };
  const reminder = remind(state);
  if (!down || state.provider !== null) return transition(next, reminder.mail && 'reminder', reminder);
  return transition(
    { ...next, provider: { downSince: now }, clock: pauseSla(state.clock, now) },
    'provider_down',
    {
      ...reminder,
      notices: [
        {
          to: 'ops',
          kind: 'warning',
          title: 'SoundCloud does not answer',
          message:
            'Reposts cannot be verified; the clocks of the proofs stand still, and what is due meanwhile is decided after it is back. You may override an outcome.',
          oncePerDay: 'soundcloud-away-proofs',
        },
      ],
    },
  );
}

/** SoundCloud answers: the clock runs on, never earlier than from the slot. */
function answered(state: AssignmentState, degraded: boolean, now: number): AssignmentState {
  const resumes = state.stage === 'proof' && isPaused(state.clock);
  const clock = resumes ? resumeSla(state.clock, Math.max(now, state.slotAt)) : state.clock;
  return { ...state, failures: 0, provider: null, degraded, clock };
}

function seen(state: AssignmentState, now: number): Transition {
  return complete(state, now, 'evidence', SYSTEM_ACTOR);
}

/** Before the deadline a repost that is not seen may still come, or only be slow to show. */
function notSeenYet(back: AssignmentState, before: AssignmentState): Transition {
  const next = { ...back, look: null, reminderOwed: false };
  const reminder = remind(before);
  const told = before.look?.purpose === 'proof' && !back.degraded;
  if (reminder.mail !== null) return transition(next, 'reminder', reminder);
  if (!told) return transition(next, null);
  return transition(next, 'not_seen_yet', {
    notices: [
      {
        to: 'supporter',
        kind: 'info',
        title: 'We cannot see your repost yet',
        message:
          'Your proof is kept, and we look again at the deadline. If you have not reposted the track yet, there is still time.',
      },
    ],
  });
}

/** Whoever has handed in an address has done their part. */
function remind(state: AssignmentState): Pick<Transition, 'mail'> {
  return { mail: state.reminderOwed && state.proofUrl === null ? 'proof_reminder' : null };
}

function decide(
  state: AssignmentState,
  { verdict: found, at, scheduled }: Answered,
  now: number,
): Transition {
  // What was taken down as planned is gone too: that it is missing then says nothing of the supporter. Only Influence
  // Planner takes anything down; without a schedule the absence is that of a repost nobody made.
  const verdict = found === 'absent' && scheduled && isTakenDownBy(state, at) ? 'inconclusive' : found;
  const confirmation = confirmAbsence(state.absences, { verdict, at }, recheckMs(state));
  switch (confirmation.kind) {
    case 'seen':
      return seen(state, now);
    case 'inconclusive':
      return askOps(state, now, scheduled && isTakenDownBy(state, now));
    case 'confirmed':
      return fail(state, now, { by: SYSTEM_ACTOR, reason: 'repost_absent' });
    case 'again':
      return transition(
        planLook({ ...state, absences: confirmation.absences }, 'deadline', confirmation.nextAt),
        null,
      );
  }
}

function watch(state: AssignmentState, { verdict, at, scheduled }: Answered, now: number): Transition {
  // By hand it may come down at the same hour as by Influence Planner, if it was ever there.
  const planned = isTakenDownBy(state, at) && (scheduled || isVouchedFor(state));
  const confirmation = confirmAbsence(state.absences, { verdict, at }, recheckMs(state));
  if (!planned && confirmation.kind === 'confirmed')
    return fail(state, now, { by: SYSTEM_ACTOR, reason: 'unreposted', unreposted: true });
  if (!planned && confirmation.kind === 'again') {
    return transition(
      planLook({ ...state, absences: confirmation.absences }, 'watch', confirmation.nextAt),
      null,
    );
  }
  const checks = (state.watch?.checks ?? 0) + 1;
  const passed = nextWatchLook({
    ...state,
    seen: state.seen || verdict === 'seen',
    absences: [],
    watch: state.watch && { ...state.watch, checks },
  });
  return passed.look === null ? capture(passed, now) : transition(passed, null);
}

function recheckMs(state: AssignmentState): number {
  return state.policy.recheckMinutes * MINUTE_MS;
}
