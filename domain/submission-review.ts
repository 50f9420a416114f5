/**
 * The rules of a submission review (lifecycles.md, "submissionReview"; rules.md, "Credits"): pure functions from a
 * state and a command or an alarm to a transition. The workflow decides when, the database records what.
 * Times are business milliseconds.
 */
import { HOUR_MS } from './calendar.js';
import type { EventType } from './events.js';
import { pauseSla, resumeSla, type SlaClock, startSla } from './sla.js';
import type { SubmissionCommand } from './submission-commands.js';
import { concludeSupport, type SupportFacts } from './submission-review-support.js';
import { parseTrackUrl } from './track-url.js';

export type SubmissionStatus = 'new' | 'pending' | 'approved' | 'rejected' | 'qa_flag';

/**
 * `decision`: ops decide. `live_link`: the member owes a link. `queue`: approved, waits for a queue. `support`: a queue
 * that serves it is published, its reposts are waited for.
 */
export type ReviewStage = 'decision' | 'live_link' | 'queue' | 'support' | 'closed';

/** How a review is over: its status does not tell a withdrawal from a rejection, nor a support from a search in vain. */
export type ReviewEnd = 'rejected' | 'withdrawn' | 'supported' | 'unsupported';

/** The org's settings that matter to a review. */
export interface ReviewPolicy {
  decisionSlaHours: number;
  onBreach: 'escalate' | 'approve' | 'reject_refund';
  /** Percent of the SLA after which the owner or ops are warned. */
  warnPercent: number;
  /** Hours after the question at which a member is reminded of the live link. */
  liveLinkReminderHours: number[];
  /** Days after the question at which a submission without live link is closed. */
  liveLinkCloseDays: number;
  minRejectWords: number;
}

/** Everything a review remembers; travels through continue-as-new and is what the query `state` shows. */
export interface ReviewState {
  /** The settings as they were when the review began; a later change concerns later reviews. */
  policy: ReviewPolicy;
  stage: ReviewStage;
  status: SubmissionStatus;
  /** Null until it is over. */
  end: ReviewEnd | null;
  submittedAt: number;
  sla: SlaClock;
  /** False while no genre family is known: an approval must then name one. */
  familyKnown: boolean;
  /** Set while SoundCloud must answer before ops can judge the track; the SLA stands still meanwhile. */
  provider: { downSince: number; triedAt: number } | null;
  /** Since when the review is in this stage. */
  since: number;
  ownerId: string | null;
  liveLink: { askedAt: number; reminders: number } | null;
  decidedAt: number | null;
  /** When the stored target proposal lapses; null without one. */
  proposalExpiresAt: number | null;
  /** What was last read of its queues and assignments, and when; null before the approval. */
  support: (SupportFacts & { readAt: number }) | null;
}

export type ReviewMail =
  | 'submission_approved'
  | 'submission_rejected'
  | 'request_live_link'
  | 'support_confirmation'
  | 'submission_unsupported';

export interface ReviewNotice {
  to: 'owner_or_ops' | 'admins' | 'member';
  kind: 'warning' | 'error' | 'info' | 'submission' | 'support';
  title: string;
  message: string;
  /** Also posted to Slack, where the org has it. */
  slack: boolean;
}

/** The columns of `soundcloud_submissions` a transition writes. Instants are business ms. */
export interface SubmissionPatch {
  status?: SubmissionStatus;
  decided_at?: number | null;
  decided_by?: string | null;
  reject_reason?: string;
  withdrawn_at?: number;
  /** From then on no queue is asked for it. */
  support_ended_at?: number;
  need_live_link?: boolean;
  live_link_url?: string;
  /** Null: the track is to be read again. */
  track_urn?: null;
  qa_reason?: string | null;
  family?: string;
  owner_id?: string | null;
  notes?: string;
  support_url?: string | null;
  credits_consumed?: number;
}

export interface Transition {
  next: ReviewState;
  row: SubmissionPatch;
  event: { type: EventType; data: Record<string, unknown> } | null;
  mail: ReviewMail | null;
  notice: ReviewNotice | null;
  /** The month's submission slot goes back to the member. */
  returnsSlot: boolean;
  /** What became of the question to ops whether to go on after many shifts; null leaves it open. */
  answersTask: 'kept_waiting' | 'closed' | 'withdrawn' | 'settled' | null;
}

/** Approved a moment ago: no queue has been looked at. */
const NOTHING_KNOWN: SupportFacts = {
  queueDate: null,
  firstSlotAt: null,
  open: 0,
  owed: 0,
  completed: 0,
  reach: 0,
  credits: 0,
  supportUrl: null,
  supportDate: null,
  supportDateOut: false,
  shifts: 0,
  shiftReason: null,
  asked: false,
};

/** Who acts when nobody does: breach policies and deadlines. */
export const SYSTEM_ACTOR = 'system';

/** A review as it starts: the SLA runs from the moment the member submitted. */
export function beginReview(submittedAt: number, ownerId: string | null, policy: ReviewPolicy): ReviewState {
  return {
    policy,
    stage: 'decision',
    status: 'new',
    end: null,
    submittedAt,
    sla: startSla(policy.decisionSlaHours * HOUR_MS, submittedAt, policy.warnPercent / 100),
    familyKnown: false,
    provider: null,
    since: submittedAt,
    ownerId,
    liveLink: null,
    decidedAt: null,
    proposalExpiresAt: null,
    support: null,
  };
}

/** Applies a command that `checkCommand` allowed. */
export function applyCommand(state: ReviewState, command: SubmissionCommand, now: number): Transition {
  switch (command.name) {
    case 'assignOwner':
      return transition({ ...state, ownerId: command.ownerId }, { row: { owner_id: command.ownerId } });
    case 'withdraw':
      return transition(
        { ...ended(state, now, 'withdrawn'), status: 'rejected' },
        {
          row: { status: 'rejected', withdrawn_at: now, need_live_link: false },
          event: { type: 'submission.withdrawn', data: { by: command.by } },
          returnsSlot: true,
          answersTask: 'withdrawn',
        },
      );
    case 'keepWaiting':
      return transition(
        { ...state, support: state.support && { ...state.support, asked: false } },
        { answersTask: 'kept_waiting' },
      );
    case 'closeSupport':
      return concludeSupport(state, state.support ?? NOTHING_KNOWN, now, command.by, command.reason);
    case 'provideLiveLink':
      return transition(
        {
          ...state,
          stage: 'decision',
          since: now,
          status: 'new',
          liveLink: null,
          sla: state.provider === null ? resumeSla(state.sla, now) : state.sla,
        },
        {
          // The link may lead to another upload: it is read and placed anew.
          row: {
            status: 'new',
            need_live_link: false,
            live_link_url: liveLinkUrl(command.url),
            track_urn: null,
          },
          notice: {
            to: 'owner_or_ops',
            kind: 'submission',
            title: 'Live link received',
            message: 'The member sent the live link. The decision clock runs again with what was left.',
            slack: false,
          },
        },
      );
    case 'decide':
      return decide(state, command, now);
  }
}

function decide(
  state: ReviewState,
  command: SubmissionCommand & { name: 'decide' },
  now: number,
): Transition {
  switch (command.action) {
    case 'approve':
      return approve(state, now, command.by, command.family, command.reason);
    case 'reject':
      return reject(state, now, command.by, command.reason ?? '', false);
    case 'flag':
      return transition(
        { ...state, status: 'qa_flag' },
        {
          row: { status: 'qa_flag', qa_reason: command.reason ?? null },
          event: decided('qa_flag', command.by, command.reason),
        },
      );
    case 'pend': {
      const asksLink = command.needLiveLink === true;
      return transition(
        {
          ...state,
          status: 'pending',
          ...(asksLink && {
            stage: 'live_link' as const,
            since: now,
            liveLink: { askedAt: now, reminders: 0 },
            sla: pauseSla(state.sla, now),
          }),
        },
        {
          row: {
            status: 'pending',
            need_live_link: asksLink,
            ...(command.reason && { notes: command.reason }),
          },
          event: decided('pending', command.by, command.reason),
          mail: asksLink ? 'request_live_link' : null,
          notice: asksLink
            ? {
                to: 'member',
                kind: 'submission',
                title: 'A live link is needed',
                message: `Please send the public link of your track within ${state.policy.liveLinkCloseDays} days.`,
                slack: false,
              }
            : null,
        },
      );
    }
  }
}

/** The transition of an approval, by a person or by the org's breach policy. */
export function approve(
  state: ReviewState,
  now: number,
  by: string,
  family: string | undefined,
  note: string | undefined,
): Transition {
  return transition(
    {
      ...state,
      stage: 'queue',
      since: now,
      status: 'approved',
      familyKnown: true,
      liveLink: null,
      decidedAt: now,
      proposalExpiresAt: null,
      sla: pauseSla(state.sla, now),
    },
    {
      row: {
        status: 'approved',
        decided_at: now,
        decided_by: by,
        need_live_link: false,
        qa_reason: null,
        ...(family && { family }),
        ...(note && { notes: note }),
      },
      event: decided('approved', by, note),
    },
  );
}

/** The transition of a rejection. @param reason goes into the mail to the member. */
export function reject(
  state: ReviewState,
  now: number,
  by: string,
  reason: string,
  returnsSlot: boolean,
): Transition {
  return transition(
    { ...ended(state, now, 'rejected'), status: 'rejected', decidedAt: now },
    {
      row: {
        status: 'rejected',
        decided_at: now,
        decided_by: by,
        reject_reason: reason,
        need_live_link: false,
      },
      event: decided('rejected', by, reason),
      mail: 'submission_rejected',
      returnsSlot,
    },
  );
}

function decided(
  status: SubmissionStatus,
  by: string,
  reason: string | undefined,
): NonNullable<Transition['event']> {
  return { type: 'submission.decided', data: { status, decided_by: by, ...(reason && { reason }) } };
}

/** A provider is needed before ops can judge and does not answer: the SLA pauses until it does. */
export function pauseForProvider(state: ReviewState, now: number): ReviewState {
  const provider = { downSince: state.provider?.downSince ?? now, triedAt: now };
  return { ...state, provider, sla: pauseSla(state.sla, now) };
}

/** The track could be read (or does not need to be any more): the SLA runs on unless the member still owes a link. */
export function recordIntake(
  state: ReviewState,
  intake: { familyKnown: boolean; flagged: boolean },
  now: number,
): ReviewState {
  const untouched = state.stage === 'decision' && state.status === 'new';
  return {
    ...state,
    provider: null,
    familyKnown: state.familyKnown || intake.familyKnown,
    status: untouched && intake.flagged ? 'qa_flag' : state.status,
    sla: state.stage === 'decision' ? resumeSla(state.sla, now) : state.sla,
  };
}

function ended(state: ReviewState, now: number, end: ReviewEnd): ReviewState {
  return {
    ...state,
    stage: 'closed',
    end,
    since: now,
    liveLink: null,
    proposalExpiresAt: null,
    provider: null,
    sla: pauseSla(state.sla, now),
  };
}

/** A transition to `next` that does nothing but what `parts` name. */
export function transition(next: ReviewState, parts: Partial<Omit<Transition, 'next'>>): Transition {
  return {
    row: {},
    event: null,
    mail: null,
    notice: null,
    returnsSlot: false,
    answersTask: null,
    ...parts,
    next,
  };
}

function liveLinkUrl(text: string): string {
  const parsed = parseTrackUrl(text);
  return parsed.ok ? parsed.url : text;
}
