/**
 * What becomes of an approved submission (lifecycles.md, "submissionReview", steps 4 and 5): it waits for a queue, then
 * for its reposts, and is supported in the end, or not. Everything follows from rows; signals only say that there is
 * something to read. Times are business milliseconds.
 */
import type { ReviewEnd, ReviewState, SubmissionStatus, Transition } from './submission-review.js';

/** What the rows of a submission's queues and assignments say. */
export interface SupportFacts {
  /** Date of the first published queue that serves it; null before. */
  queueDate: string | null;
  /** Earliest slot of a published queue. */
  firstSlotAt: number | null;
  /** Published assignments that are not settled. */
  open: number;
  /** Skipped or failed ones that no published assignment replaces yet. */
  owed: number;
  /** Settled reposts that stayed up, what they reached, and the credits captured for them. */
  completed: number;
  reach: number;
  credits: number;
  /** The best repost to look at; null without any. */
  supportUrl: string | null;
  /** The queue it is meant for. */
  supportDate: string | null;
  /** That queue is published: what it does not serve waits for another. */
  supportDateOut: boolean;
  shifts: number;
  shiftReason: string | null;
  /** Ops were asked whether to go on after many shifts, and have not answered. */
  asked: boolean;
}

/** Approved: only queues and their assignments move it. */
export function isApproved(state: ReviewState): boolean {
  return state.stage === 'queue' || state.stage === 'support';
}

/** Whether every assignment is settled and none is to be replaced any more. */
export function isSupportOver(facts: SupportFacts): boolean {
  return facts.queueDate !== null && facts.open === 0 && facts.owed === 0;
}

/** The state after the rows were read; once a queue is published no proposal is renewed. */
export function noteSupport(state: ReviewState, facts: SupportFacts, now: number): ReviewState {
  if (!isApproved(state)) return state;
  const served = facts.queueDate !== null;
  const stage = served ? 'support' : 'queue';
  return {
    ...state,
    stage,
    since: stage === state.stage ? state.since : now,
    support: { ...facts, readAt: now },
    proposalExpiresAt: served ? null : state.proposalExpiresAt,
  };
}

const NOBODY = 'None of the reposts we asked for stayed up, and nobody else was free to take over.';

/**
 * The end: supported when at least one repost stayed up, else unsupported, with the month's slot given back.
 * @param by who ended it, null when the last assignment did. @param reason goes into the mail when nobody reposted.
 */
export function concludeSupport(
  state: ReviewState,
  facts: SupportFacts,
  now: number,
  by: string | null = null,
  reason: string = NOBODY,
): Transition {
  const end = facts.completed > 0 ? 'supported' : 'unsupported';
  const next: ReviewState = { ...state, stage: 'closed', end, since: now, proposalExpiresAt: null };
  const closedBy = by === null ? {} : { closed_by: by };
  const common = { next, answersTask: by === null ? 'settled' : 'closed' } as const;
  if (end === 'supported') {
    return {
      ...common,
      row: { support_url: facts.supportUrl, credits_consumed: facts.credits, support_ended_at: now },
      event: {
        type: 'submission.supported',
        data: {
          reposts: facts.completed,
          reach: facts.reach,
          credits_consumed: facts.credits,
          support_url: facts.supportUrl,
          ...closedBy,
        },
      },
      mail: 'support_confirmation',
      notice: {
        to: 'member',
        kind: 'support',
        title: 'Your track was supported',
        message: `${plural(facts.completed, 'repost')} stayed up, for ${plural(facts.credits, 'credit')}.`,
        slack: false,
      },
      returnsSlot: false,
    };
  }
  return {
    ...common,
    row: { support_ended_at: now },
    event: { type: 'submission.unsupported', data: { reason, ...closedBy } },
    mail: 'submission_unsupported',
    notice: {
      to: 'member',
      kind: 'support',
      title: 'Nobody reposted your track',
      message: 'No credits were spent, and your submission slot is free again.',
      slack: false,
    },
    returnsSlot: true,
  };
}

const ENDS: Readonly<Record<ReviewEnd, string>> = {
  rejected: 'rejected',
  withdrawn: 'withdrawn',
  supported: 'supported',
  unsupported: 'approved, but nobody reposted it',
};

/** How a submission ended whose review is over, by its row. */
export function endOfReview(row: {
  status: SubmissionStatus;
  withdrawn_at: Date | null;
  support_url: string | null;
  credits_consumed: number;
}): ReviewEnd {
  if (row.withdrawn_at !== null) return 'withdrawn';
  if (row.status !== 'approved') return 'rejected';
  return row.credits_consumed > 0 || row.support_url !== null ? 'supported' : 'unsupported';
}

/** Why a closed submission takes no command: how it ended. */
export function submissionIsClosed(end: ReviewEnd): string {
  return `This submission is closed (${ENDS[end]}); it takes no further commands.`;
}

/** Who is waited for while a submission is approved, in words; the other parts of its wait follow from the stage. */
export function supportWaitWords(
  state: ReviewState,
): { waitingOn: 'queue' | 'supporter' | 'ops'; whoCanAct: string; howToAct: string } | null {
  if (!isApproved(state)) return null;
  const { support, stage } = state;
  const withdrawal = stage === 'queue' ? '; withdraw stops it' : '';
  if (support?.asked) {
    return {
      waitingOn: 'ops',
      whoCanAct: 'an admin or moderator',
      howToAct: `keepWaiting, or closeSupport with a reason: no queue had room ${plural(support.shifts, 'time')}${withdrawal}`,
    };
  }
  if (stage === 'support' && support !== null && support.open > 0) {
    const owed = support.owed > 0 ? `; ${plural(support.owed, 'replacement')} still to come` : '';
    return {
      waitingOn: 'supporter',
      whoCanAct: `the supporters of ${plural(support.open, 'open assignment')}`,
      howToAct: `nothing to do: each assignment waits for its proof and is watched${owed}`,
    };
  }
  const which = queueAhead(support);
  const shifted =
    support !== null && support.shifts > 0
      ? ` (moved ${plural(support.shifts, 'time')}${support.shiftReason === null ? '' : `: ${support.shiftReason}`})`
      : '';
  return stage === 'support'
    ? {
        waitingOn: 'queue',
        whoCanAct: which,
        howToAct: `nothing to do: the queue finds ${plural(support?.owed ?? 0, 'replacement')}${shifted}; closeSupport ends it`,
      }
    : {
        waitingOn: 'queue',
        whoCanAct: `${which}; the member may still withdraw`,
        howToAct: `nothing to do: the queue picks it up${shifted}${withdrawal}`,
      };
}

/** Once a queue is out it takes in nobody by itself: who was not found when an assignment was settled is left to the next. */
function queueAhead(support: ReviewState['support']): string {
  if (support?.supportDate == null) return 'the next daily queue';
  const { supportDate, supportDateOut } = support;
  return supportDateOut
    ? `the next daily queue (that of ${supportDate} is out)`
    : `the queue of ${supportDate} or a later one`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
