/** Where a review stands whose workflow was lost: what the database knows of it, put together again. */
import { DAY_MS } from './calendar.js';
import {
  beginReview,
  type ReviewEnd,
  type ReviewPolicy,
  type ReviewState,
  type SubmissionStatus,
} from './submission-review.js';
import type { Wait } from './waiting.js';

/** What the row says. Instants are business ms. */
export interface ReviewFacts {
  status: SubmissionStatus;
  /** How it ended, if it is over. */
  end: ReviewEnd;
  submittedAt: number;
  decidedAt: number | null;
  ownerId: string | null;
  familyKnown: boolean;
  /** When the newest target proposal lapses; null without one. */
  proposalExpiresAt: number | null;
}

/** A command or an alarm the review took, by name; commands with their payload. */
export interface PastStep {
  name: string;
  payload: unknown;
}

/**
 * The state of an open review. Alarms that were raised are not raised again; the settings are those of today.
 * @param wait the stored wait; null when the review has not begun.
 * @param steps what was applied, in order.
 */
export function resumeReview(
  facts: ReviewFacts,
  policy: ReviewPolicy,
  wait: Wait | null,
  steps: readonly PastStep[],
): ReviewState {
  const fresh: ReviewState = {
    ...beginReview(facts.submittedAt, facts.ownerId, policy),
    status: facts.status,
    familyKnown: facts.familyKnown,
    decidedAt: facts.decidedAt,
  };
  if (facts.status === 'rejected') return { ...fresh, stage: 'closed', end: facts.end };
  if (facts.status === 'approved') return resumeApproved(fresh, facts, wait, steps);
  if (wait === null) return fresh;
  const { warned, breaches, reminders } = alarmsRaised(steps);
  const limit = fresh.sla.limitMs;
  const sla = wait.paused
    ? { ...fresh.sla, warned, breaches, elapsedMs: limit - (wait.remainingMs ?? limit), runningSince: null }
    : { ...fresh.sla, warned, breaches, ...(wait.dueAt !== null && { runningSince: wait.dueAt - limit }) };
  if (wait.stage === 'live_link') {
    const askedAt = wait.dueAt === null ? wait.since : wait.dueAt - policy.liveLinkCloseDays * DAY_MS;
    return { ...fresh, stage: 'live_link', since: wait.since, sla, liveLink: { askedAt, reminders } };
  }
  const provider = wait.waitingOn === 'provider' ? { downSince: wait.since, triedAt: wait.since } : null;
  return { ...fresh, since: wait.since, sla, provider };
}

/** Steps after which an approved submission is over, with only mails owed and the row to close. */
const ENDINGS: ReadonlySet<string> = new Set(['closeSupport', 'supported', 'unsupported']);

/** Queue or support: the review reads the rows of its assignments before anything else and finds out. */
function resumeApproved(
  fresh: ReviewState,
  facts: ReviewFacts,
  wait: Wait | null,
  steps: readonly PastStep[],
): ReviewState {
  if (steps.some((step) => ENDINGS.has(step.name))) return { ...fresh, stage: 'closed', end: facts.end };
  if (wait?.stage === 'support') return { ...fresh, stage: 'support', since: wait.since };
  const since = facts.decidedAt ?? fresh.since;
  return { ...fresh, stage: 'queue', since, proposalExpiresAt: facts.proposalExpiresAt };
}

function alarmsRaised(steps: readonly PastStep[]) {
  const raised = { warned: false, breaches: 0, reminders: 0 };
  for (const { name, payload } of steps) {
    if (name === 'warning') raised.warned = true;
    if (name === 'breach') Object.assign(raised, { warned: true, breaches: raised.breaches + 1 });
    if (name === 'live_link_reminder') raised.reminders += 1;
    // Asked for once more, after an answer: the reminders begin anew.
    if (name === 'decide' && (payload as { needLiveLink?: boolean } | null)?.needLiveLink)
      raised.reminders = 0;
  }
  return raised;
}
