/**
 * What happens in a submission review when nobody acts in time: warnings, breaches, reminders, retries
 * (lifecycles.md, "submissionReview"). Times are business milliseconds.
 */
import { DAY_MS, HOUR_MS } from './calendar.js';
import { dueAt, nextSlaAlarm, raiseSlaAlarm } from './sla.js';
import {
  approve,
  type ReviewNotice,
  type ReviewState,
  reject,
  SYSTEM_ACTOR,
  type Transition,
  transition,
} from './submission-review.js';

export const PROVIDER_RETRY_HOURS = 0.5;
/** The rows of assignments are read at least this often, should a signal have been lost. */
export const SUPPORT_CHECK_HOURS = 24;

/** Whether an alarm tells of the promise itself: it is raised even when a command waits beside it. */
export function isSlaAlarm(alarm: ReviewAlarm): boolean {
  return alarm.kind === 'warning' || alarm.kind === 'breach';
}

export type ReviewAlarm = {
  kind:
    | 'warning'
    | 'breach'
    | 'live_link_reminder'
    | 'live_link_close'
    | 'proposal_expired'
    | 'support_check'
    | 'provider_retry';
  at: number;
};

/** What happens next if nobody acts; null when only a person or another workflow can move the review. */
export function nextAlarm(state: ReviewState): ReviewAlarm | null {
  const alarms = [stageAlarm(state), providerRetry(state)].filter((alarm) => alarm !== null);
  return alarms.reduce<ReviewAlarm | null>(
    (first, alarm) => (first === null || alarm.at < first.at ? alarm : first),
    null,
  );
}

function providerRetry(state: ReviewState): ReviewAlarm | null {
  if (state.provider === null || state.stage === 'closed') return null;
  return { kind: 'provider_retry', at: state.provider.triedAt + PROVIDER_RETRY_HOURS * HOUR_MS };
}

function stageAlarm(state: ReviewState): ReviewAlarm | null {
  switch (state.stage) {
    case 'closed':
      return null;
    case 'queue':
      return state.proposalExpiresAt === null
        ? null
        : { kind: 'proposal_expired', at: state.proposalExpiresAt };
    case 'support':
      return {
        kind: 'support_check',
        at: (state.support?.readAt ?? state.since) + SUPPORT_CHECK_HOURS * HOUR_MS,
      };
    case 'live_link': {
      if (state.liveLink === null) return null;
      const { askedAt, reminders } = state.liveLink;
      const hours = state.policy.liveLinkReminderHours[reminders];
      return hours === undefined
        ? { kind: 'live_link_close', at: askedAt + state.policy.liveLinkCloseDays * DAY_MS }
        : { kind: 'live_link_reminder', at: askedAt + hours * HOUR_MS };
    }
    case 'decision':
      return nextSlaAlarm(state.sla);
  }
}

/** The transition an alarm causes. The last three change no state of the submission: they make the review look again. */
export function raiseAlarm(state: ReviewState, alarm: ReviewAlarm, now: number): Transition {
  switch (alarm.kind) {
    case 'warning':
      return transition(
        { ...state, sla: raiseSlaAlarm(state.sla, 'warning') },
        {
          notice: {
            to: 'owner_or_ops',
            kind: 'warning',
            title: 'A submission is due soon',
            message: `${state.policy.warnPercent} % of the ${state.policy.decisionSlaHours} h for a decision are used up. Approve, reject or ask for a link.`,
            slack: false,
          },
        },
      );
    case 'breach':
      return breach({ ...state, sla: raiseSlaAlarm(state.sla, 'breach') });
    case 'live_link_reminder':
      return transition(
        {
          ...state,
          liveLink: state.liveLink && { ...state.liveLink, reminders: state.liveLink.reminders + 1 },
        },
        { mail: 'request_live_link' },
      );
    case 'live_link_close':
      return reject(
        state,
        now,
        SYSTEM_ACTOR,
        `We asked for the public link of your track and waited ${state.policy.liveLinkCloseDays} days without an answer, so we closed this submission.`,
        false,
      );
    case 'proposal_expired':
    case 'support_check':
    case 'provider_retry':
      return transition(state, {});
  }
}

function breach(state: ReviewState): Transition {
  const event = {
    type: 'submission.breached' as const,
    data: {
      promise: 'decision',
      hours: state.policy.decisionSlaHours,
      times: state.sla.breaches,
      due_at: iso(dueAt(state.sla)),
    },
  };
  const notice: ReviewNotice = {
    to: 'admins',
    kind: 'error',
    title: 'A decision promise is broken',
    message: `No decision within ${state.policy.decisionSlaHours} h${state.sla.breaches > 1 ? ` (alarm ${state.sla.breaches})` : ''}. Decide now: approve, reject or ask for a link.`,
    slack: true,
  };
  return transition(state, { event, notice });
}

/**
 * What the org's breach policy decides once a breach is on record, at the first one or, should that have been lost or
 * impossible, at a repetition; null to wait on.
 * An approval without a known genre family is impossible, so `approve` then waits for a person like `escalate`.
 */
export function decideOnBreach(state: ReviewState, now: number): Transition | null {
  if (state.stage !== 'decision' || state.sla.breaches < 1) return null;
  if (state.policy.onBreach === 'approve' && state.familyKnown) {
    return approve(
      state,
      now,
      SYSTEM_ACTOR,
      undefined,
      'Approved automatically: no decision within the promised time.',
    );
  }
  if (state.policy.onBreach === 'reject_refund') {
    const reason = `We could not decide on your track within the promised ${state.policy.decisionSlaHours} hours. Your submission slot of this month is free again.`;
    return reject(state, now, SYSTEM_ACTOR, reason, true);
  }
  return null;
}

function iso(instant: number | null): string | null {
  return instant === null ? null : new Date(instant).toISOString();
}
