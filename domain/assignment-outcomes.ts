/** How an assignment goes on to its end: completed and watched, captured, skipped, failed, left to ops. */
import type { AccountStatus } from './account-health.js';
import {
  type AcceptedBy,
  type AssignmentState,
  isVouchedFor,
  planLook,
  SYSTEM_ACTOR,
  type Transition,
  transition,
} from './assignment-state.js';
import { HOUR_MS } from './calendar.js';
import { isAuditSample } from './proof-evidence.js';
import { pauseSla } from './sla.js';

/** Parts of the watch after which the repost is looked for. */
export const WATCH_CHECKS = [1 / 4, 1 / 2, 1] as const;

/** The repost counts as made; the watch begins. @param by `user id` of ops, or what saw it */
export function complete(
  state: AssignmentState,
  now: number,
  how: AcceptedBy,
  by: string,
  parts: Partial<Omit<Transition, 'next' | 'step'>> = {},
): Transition {
  const endsAt = now + state.policy.watchHours * HOUR_MS;
  const next: AssignmentState = {
    ...state,
    ...settledClock(state, now),
    stage: 'watch',
    status: 'completed',
    since: now,
    seen: state.seen || how === 'evidence',
    acceptedBy: how,
    watch: { startedAt: now, endsAt, checks: 0 },
  };
  const provisional = how === 'timeout';
  return transition(nextWatchLook(next), `completed_${how}`, {
    ...parts,
    row: { status: 'completed', completed_at: now, provisional, ...parts.row },
    event: { type: 'assignment.completed', data: { accepted_by: how, provisional } },
    notices: [
      {
        to: 'supporter',
        kind: 'success',
        title: how === 'evidence' ? 'Your repost was seen' : 'Your proof was accepted',
        message: `Keep it up for the watch of ${state.policy.watchHours} h; then the credits are yours.`,
      },
    ],
    closesTask: closing(state, 'completed', by),
    active: true,
  });
}

/** The watch is over: the artist pays, the supporter earns. @param by who ended it; the product itself at its end */
export function capture(state: AssignmentState, now: number, by: string = SYSTEM_ACTOR): Transition {
  const provisional = !isVouchedFor(state) && by === SYSTEM_ACTOR;
  const { assignmentId, policy } = state;
  const audited = provisional && isAuditSample(assignmentId, policy.auditPercent);
  return transition(closed(state, now), 'captured', {
    row: { provisional },
    settles: 'capture',
    notices: [
      {
        to: 'supporter',
        kind: 'success',
        title: 'Your repost has earned its credits',
        message: 'The watch is over and the credits are booked.',
      },
    ],
    opensTask: audited
      ? {
          kind: 'proof_audit',
          title: 'Audit a proof that nobody could verify',
          body: `It was accepted unseen${state.proofUrl === null ? '' : `: ${state.proofUrl}`}. Open the supporter's profile and look for the repost; if it was never there, take the credits back by a manual change.`,
          dueAt: null,
        }
      : null,
  });
}

/** The supporter does not do it: no credits move, reliability stays. */
export function skip(state: AssignmentState, now: number, by: string, reason: string): Transition {
  return transition({ ...closed(state, now), status: 'skipped' }, 'skipped', {
    row: { status: 'skipped', outcome_reason: reason },
    event: { type: 'assignment.skipped', data: { by, reason } },
    settles: 'release',
    notices: [
      {
        to: 'supporter',
        kind: 'info',
        title: 'A repost was skipped',
        message: `No credits are booked, and your reliability stays as it is. ${skipText(by, reason)}`,
        notTo: by,
      },
    ],
    closesTask: closing(state, 'skipped', by),
  });
}

/** The repost was not made, or not kept: no credits move, reliability falls. */
export function fail(
  state: AssignmentState,
  now: number,
  why: { by: string; reason: string; unreposted?: boolean },
): Transition {
  const { by, reason, unreposted = false } = why;
  return transition({ ...closed(state, now), status: 'failed' }, unreposted ? 'unreposted' : 'failed', {
    row: { status: 'failed', outcome_reason: reason },
    event: {
      type: unreposted ? 'assignment.unreposted' : 'assignment.failed',
      data: { by, reason },
    },
    settles: 'release',
    notices: [
      {
        to: 'supporter',
        kind: 'warning',
        title: unreposted ? 'Your repost was taken down too early' : 'A repost did not count',
        message: `${failureText(reason)} No credits are booked, and your reliability falls. If this is a mistake, write to the team.`,
      },
    ],
    closesTask: closing(state, 'failed', by),
  });
}

/**
 * Nobody could see whether the repost is there: ops judge.
 * @param takenDown what Influence Planner was asked for is taken down by now as planned
 */
export function askOps(state: AssignmentState, now: number, takenDown: boolean): Transition {
  const { policy, proofUrl, degraded } = state;
  const opsDueAt = now + policy.answerHours * HOUR_MS;
  const otherwise =
    proofUrl === null
      ? 'it is skipped, without loss of reliability'
      : 'the proof is accepted as provisional; some of those are audited';
  const why = degraded
    ? 'SoundCloud is not configured'
    : takenDown
      ? `Influence Planner takes the repost down as planned ${policy.unrepostAfterHours} h after its slot, so that it is not there now does not say that it was never made`
      : 'SoundCloud’s lists do not tell';
  return transition({ ...state, stage: 'ops', since: now, look: null, absences: [], opsDueAt }, 'asked_ops', {
    opensTask: {
      kind: 'proof_unverified',
      title: 'Judge a repost that could not be verified',
      body: `${why}. ${proofUrl === null ? 'The supporter handed in no proof.' : `The supporter handed in ${proofUrl}.`} Without an answer within ${policy.answerHours} h ${otherwise}.`,
      dueAt: opsDueAt,
    },
    notices: [
      {
        to: 'ops',
        kind: 'warning',
        title: 'A repost could not be verified',
        message: `Look at the supporter's profile and say how it ended. Without an answer ${otherwise}.`,
      },
    ],
  });
}

/** Ops did not answer in time. */
export function decideWithoutOps(state: AssignmentState, now: number): Transition {
  return state.proofUrl === null
    ? skip(state, now, SYSTEM_ACTOR, 'no_evidence')
    : complete(state, now, 'timeout', SYSTEM_ACTOR);
}

/** The state with the look that is next in the watch; the last one is at its end. */
export function nextWatchLook(state: AssignmentState): AssignmentState {
  const { watch } = state;
  const part = watch === null ? undefined : WATCH_CHECKS[watch.checks];
  if (watch === null || part === undefined) return { ...state, look: null };
  return planLook(state, 'watch', watch.startedAt + (watch.endsAt - watch.startedAt) * part);
}

function closed(state: AssignmentState, now: number): AssignmentState {
  return { ...state, ...settledClock(state, now), stage: 'closed', since: now, watch: null };
}

/** Nothing of the proof's time is left to wait for. */
function settledClock(state: AssignmentState, now: number) {
  return {
    clock: pauseSla(state.clock, now),
    look: null,
    absences: [],
    reminderOwed: false,
    provider: null,
    opsDueAt: null,
  };
}

function closing(state: AssignmentState, outcome: string, by: string): Transition['closesTask'] {
  return state.stage === 'ops' ? { outcome, by } : null;
}

function failureText(reason: string): string {
  if (reason === 'repost_absent') return 'The repost was not there at the deadline, in three looks.';
  if (reason === 'unreposted') return 'The repost was gone during the watch, in three looks.';
  return `The team decided: ${reason}`;
}

function skipText(by: string, reason: string): string {
  if (by !== SYSTEM_ACTOR) return `The reason given: ${reason}`;
  return (
    SKIPPED_BY_ITSELF[reason] ?? `The reason: ${reason}. If you have reposted the track, write to the team.`
  );
}

/** By `outcome_reason`; those of accounts are `account_` and the status that the account fell to. */
const SKIPPED_BY_ITSELF: Readonly<Record<string, string>> = {
  no_evidence:
    'Nobody could see your repost, and no proof was handed in. If you have reposted the track, write to the team.',
  account_reconnect:
    'Influence Planner cannot use your account any more, so another supporter may take it over. Reconnect the account there to be asked again.',
  account_disconnected:
    'Your account is not part of the network in Influence Planner any more, so another supporter may take it over. Join again there to be asked again.',
  account_error:
    'The profile of your account could not be found or read on SoundCloud for days, so another supporter may take it over. If its handle has changed, write the new one to the team: with the right handle you are asked again.',
} satisfies Record<'no_evidence' | `account_${Exclude<AccountStatus, 'linked'>}`, string>;
