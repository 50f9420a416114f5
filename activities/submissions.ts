/**
 * Database activities of the submission review: one transaction each. Every step has an id; a repeated step changes
 * nothing and returns what the first one returned.
 */

import { type Db, type Trx, withOrg } from '../db/client.js';
import { readClock } from '../db/clock.js';
import { pendingMails } from '../db/email.js';
import { emitEvent } from '../db/events.js';
import { familyExists, subgenrePatterns } from '../db/genres.js';
import { type Audience, notify } from '../db/notifications.js';
import { insertSubmissionProposal, newestProposalExpiry, pruneProposals } from '../db/proposals.js';
import { loadSettings } from '../db/settings.js';
import { appliedSteps, refuseStep, takeStep } from '../db/steps.js';
import { answerSubmissionTasks } from '../db/submission-support.js';
import {
  closeSubmission,
  isOpsUser,
  olderDuplicate,
  patchSubmission,
  recordTrackFacts,
  returnSubmissionSlot,
  type SubmissionRow,
} from '../db/submissions.js';
import { planTargets } from '../db/target-plan.js';
import { clearWait, loadWait, saveWait } from '../db/waits.js';
import { type BusinessClock, HOUR_MS, toBusiness } from '../domain/calendar.js';
import { classify } from '../domain/genre.js';
import type { OrgSettings } from '../domain/settings.js';
import type { SubmissionCommand, SubmissionRefusalCode } from '../domain/submission-commands.js';
import {
  type ReviewEnd,
  type ReviewPolicy,
  type ReviewState,
  recordIntake,
  type SubmissionStatus,
  type Transition,
} from '../domain/submission-review.js';
import { type ReviewFacts, resumeReview } from '../domain/submission-review-resume.js';
import { endOfReview } from '../domain/submission-review-support.js';
import { reviewWait } from '../domain/submission-review-wait.js';
import type { Wait } from '../domain/waiting.js';
import { withLifesign } from './lifesign.js';
import type { TrackDescription, TrackFacts } from './soundcloud.js';
import { queueSubmissionMail } from './submission-mails.js';
import { lockSubmission, type Refused, type ReviewTarget, waitKey } from './submission-rows.js';
import { refusalBySupport } from './submission-support.js';
import { taker } from './taker.js';
import { labelOf } from './track-label.js';

export type ReviewOpening =
  | { closed: true; status: SubmissionStatus; end: ReviewEnd }
  | {
      closed: false;
      /** "Artist – Title" or the track's URL: what summaries and details call it. */
      label: string;
      clock: BusinessClock;
      timezone: string;
      state: ReviewState;
      /** False until SoundCloud was asked and the genre was classified. */
      trackKnown: boolean;
      /** Mails of this review that are written but not handed over. */
      mails: string[];
    };

/** As it is kept with the step. */
type RecordedTransition = { applied: true; mails: string[] } | Refused;

export type TransitionResult =
  /** `repeated`: a command that was applied before, by a run that is lost; the row may have moved on since. */
  { applied: true; mails: string[]; repeated: boolean } | Refused;

const CONSOLE_PAGE = '/console/submissions/';

export function createSubmissionActivities({ db }: { db: Db }) {
  return {
    /**
     * Loads the submission and, the first time, promises a decision: confirmation mail, notification to ops, wait row.
     * Resumes at the row's stage when the review was started again. @param realNow epoch ms of workflow time.
     */
    async openReview(input: ReviewTarget & { realNow: number }): Promise<ReviewOpening> {
      const { orgId, submissionId, workflowId } = input;
      return withOrg(db, orgId, async (trx) => {
        const submission = await lockSubmission(trx, orgId, submissionId);
        if (submission.closed_at !== null)
          return { closed: true, status: submission.status, end: endOfReview(submission) };
        const clock = await readClock(trx);
        const settings = await loadSettings(trx, orgId);
        const now = toBusiness(clock, input.realNow);
        const wait = await loadWait(trx, orgId, workflowId);
        // An approved one that waits for nothing any more has ended; its steps say so.
        const begun = wait !== null || submission.status === 'approved';
        const steps = begun ? await appliedSteps(trx, orgId, workflowId) : [];
        const proposalExpiresAt = await newestProposalExpiry(trx, orgId, submissionId);
        const facts = { ...factsOf(submission), proposalExpiresAt };
        const state = resumeReview(facts, reviewPolicy(settings), wait, steps);
        const step = { orgId, stepId: `open:${workflowId}`, workflowId, taker: taker(), name: 'open' };
        await takeStep(trx, step, async () => {
          await queueSubmissionMail(trx, {
            orgId,
            template: 'submission_confirmation',
            submission,
            timezone: settings.timezone,
            facts: { decision_due: new Date(state.submittedAt + settings.decision_sla_hours * HOUR_MS) },
          });
          await notify(trx, {
            orgId,
            audience: { kind: 'ops' },
            type: 'submission',
            title: 'New submission',
            message: `${labelOf(submission)} waits for a decision.`,
            actionUrl: `${CONSOLE_PAGE}${submissionId}`,
            metadata: { submission_id: submissionId },
          });
          await saveWait(trx, waitKey(input), reviewWait(state, now));
          return null;
        });
        return {
          closed: false,
          label: labelOf(submission),
          clock,
          timezone: settings.timezone,
          state,
          trackKnown: submission.track_urn !== null,
          mails: await pendingMails(trx, orgId, 'submission', submissionId),
        };
      });
    },

    /** Writes what SoundCloud said of the track and its genre; a track that cannot be placed is flagged for ops. */
    async recordTrack(
      input: ReviewTarget & { found: TrackDescription; state: ReviewState; now: number },
    ): Promise<{ familyKnown: boolean; flagged: boolean; label: string }> {
      const { orgId, submissionId, found, state, now } = input;
      return withOrg(db, orgId, async (trx) => {
        const submission = await lockSubmission(trx, orgId, submissionId);
        const track = found.outcome === 'found' ? found.track : null;
        const genre =
          track === null ? null : classify({ ...track, subgenres: await subgenrePatterns(trx, orgId) });
        const familyKnown = submission.family !== null || genre !== null;
        const duplicate = await duplicateBehindShortLink(trx, submission, track);
        const doubtful = !familyKnown || track === null || duplicate !== null;
        const next = recordIntake(state, { familyKnown, flagged: doubtful }, now);
        const flagged = next.status === 'qa_flag' && state.status !== 'qa_flag';
        const reason = duplicate === null ? flagReason(found) : `duplicate_track: ${duplicate}`;
        await recordTrackFacts(trx, submission, { track, genre, flag: flagged ? reason : null });
        await saveWait(trx, waitKey(input), reviewWait(next, now));
        const named = {
          ...submission,
          track_name: submission.track_name ?? track?.title ?? null,
          artist_name: submission.artist_name ?? track?.artistName ?? null,
        };
        return { familyKnown, flagged: doubtful, label: labelOf(named) };
      });
    },

    /** SoundCloud does not answer: the wait shows it and the SLA stands still. */
    async recordProviderPause(input: ReviewTarget & { wait: Wait | null; now: number }): Promise<void> {
      await withOrg(db, input.orgId, async (trx) => {
        await saveWait(trx, waitKey(input), input.wait);
        await notify(trx, {
          orgId: input.orgId,
          audience: { kind: 'ops' },
          type: 'warning',
          title: 'SoundCloud does not answer',
          message:
            'New submissions cannot be read; their decision clocks stand still. You may decide meanwhile: an approval then names the genre family.',
          actionUrl: '/console/inbox',
          metadata: { provider: 'soundcloud' },
          // One message a day, however many reviews wait.
          dedupeKey: `soundcloud-away:${new Date(input.now).toISOString().slice(0, 10)}`,
        });
      });
    },

    /** One transition: columns, event, mail, notifications, wait and the command's outcome, or nothing of it. */
    async recordTransition(input: ReviewTarget & TransitionRecord): Promise<TransitionResult> {
      const { orgId, workflowId, command } = input;
      return withOrg(db, orgId, async (trx) => {
        const step = {
          orgId,
          stepId: input.stepId,
          workflowId,
          taker: taker(),
          name: input.step,
          payload: command,
        };
        const refusal =
          command === null ? null : await refusalByFacts(trx, orgId, input.submissionId, command);
        const { result, repeated } =
          refusal === null
            ? await takeStep(trx, step, () => recordChange(trx, input))
            : await refuseStep<RecordedTransition, Refused>(trx, step, refusal);
        return result.applied ? { ...result, repeated } : result;
      });
    },

    /**
     * Keeps the refusal of a command, so that whoever sent it can read why. @returns the outcome that stands: a command
     * that a lost run applied comes too late for its own effect, and is applied.
     */
    async recordRefusal(
      input: ReviewTarget & { command: SubmissionCommand; code: SubmissionRefusalCode; reason: string },
    ): Promise<{ applied: true } | Refused> {
      const { orgId, workflowId, command, code, reason } = input;
      const step = {
        orgId,
        stepId: command.commandId,
        workflowId,
        taker: taker(),
        name: command.name,
        payload: command,
      };
      const { result } = await withOrg(db, orgId, (trx) =>
        refuseStep<RecordedTransition, Refused>(trx, step, { applied: false, code, reason }),
      );
      return result.applied ? { applied: true } : result;
    },

    /** Builds and stores the target proposal; the first one after an approval also tells the member. */
    async buildSubmissionProposal(
      input: ReviewTarget & { stepId: string; now: number },
    ): Promise<{ proposalId: string; expiresAt: number; mails: string[] }> {
      const { orgId, submissionId, workflowId, now } = input;
      const build = async (trx: Trx) => {
        const step = { orgId, stepId: input.stepId, workflowId, taker: taker(), name: 'build_proposal' };
        const { result } = await takeStep(trx, step, async () => {
          const submission = await lockSubmission(trx, orgId, submissionId);
          const settings = await loadSettings(trx, orgId);
          const built = await planTargets(trx, { orgId, submission, settings, now });
          const expiresAt = now + settings.pacing.proposal_hours * HOUR_MS;
          await pruneProposals(trx, { orgId, parentType: 'submission', parentId: submissionId, now });
          const proposalId = await insertSubmissionProposal(trx, {
            orgId,
            submissionId,
            proposal: built.proposal,
            reach: built.reach,
            supportDate: built.supportDate,
            createdAt: now,
            expiresAt,
          });
          const mail = await queueSubmissionMail(trx, {
            orgId,
            template: 'submission_approved',
            submission,
            timezone: settings.timezone,
            facts: {
              expected_reach_min: built.reach.expected_reach_min,
              expected_reach_max: built.reach.expected_reach_max,
              support_date: built.supportDate,
            },
          });
          return { proposalId, expiresAt, mails: mail === null ? [] : [mail] };
        });
        return result;
      };
      return withLifesign(() => withOrg(db, orgId, build));
    },

    /** The review's last transaction: the row is terminal, nothing waits any more. */
    async closeReview(input: ReviewTarget & { now: number }): Promise<void> {
      await withOrg(db, input.orgId, async (trx) => {
        const { orgId, submissionId, now } = input;
        await closeSubmission(trx, orgId, submissionId, now);
        await pruneProposals(trx, {
          orgId,
          parentType: 'submission',
          parentId: submissionId,
          now,
          all: true,
        });
        await clearWait(trx, input.orgId, input.workflowId);
      });
    },
  };
}

export interface TransitionRecord {
  stepId: string;
  /** The command or alarm, for the record. */
  step: string;
  command: SubmissionCommand | null;
  change: Omit<Transition, 'next'>;
  wait: Wait | null;
  now: number;
}

async function recordChange(trx: Trx, input: ReviewTarget & TransitionRecord): Promise<RecordedTransition> {
  const { orgId, submissionId, change, now } = input;
  const submission = await lockSubmission(trx, orgId, submissionId);
  await patchSubmission(trx, orgId, submissionId, change.row);
  if (change.returnsSlot) await returnSubmissionSlot(trx, orgId, submissionId, now);
  if (change.answersTask !== null) {
    const { command } = input;
    const reason = command !== null && 'reason' in command ? command.reason : undefined;
    await answerSubmissionTasks(trx, {
      orgId,
      submissionId,
      by: command?.by ?? null,
      outcome: change.answersTask,
      ...(reason !== undefined && { reason }),
      at: now,
    });
  }
  if (change.event !== null) {
    await emitEvent(trx, {
      orgId,
      type: change.event.type,
      entityType: 'submission',
      entityId: submissionId,
      data: { submission_id: submissionId, ...change.event.data },
      occurredAt: now,
      dedupeKey: `${change.event.type}:${submissionId}:${input.stepId}`,
    });
  }
  const mail = change.mail === null ? null : await queueTransitionMail(trx, input, change.mail, submission);
  if (change.notice !== null) {
    const ownerId = change.row.owner_id === undefined ? submission.owner_id : change.row.owner_id;
    await notify(trx, {
      orgId,
      audience: audienceOf(change.notice.to, submission, ownerId),
      type: change.notice.kind,
      title: change.notice.title,
      message: `${labelOf(submission)}: ${change.notice.message}`,
      actionUrl: `${CONSOLE_PAGE}${submissionId}`,
      metadata: { submission_id: submissionId, step: input.step },
    });
  }
  await saveWait(trx, waitKey(input), input.wait);
  return { applied: true, mails: mail === null ? [] : [mail] };
}

async function queueTransitionMail(
  trx: Trx,
  input: ReviewTarget & TransitionRecord,
  template: NonNullable<Transition['mail']>,
  submission: SubmissionRow,
): Promise<string | null> {
  const { orgId, change } = input;
  const { timezone } = await loadSettings(trx, orgId);
  const mail = { orgId, template, submission, timezone };
  if (template === 'submission_rejected') {
    return queueSubmissionMail(trx, { ...mail, facts: { reason: change.row.reject_reason ?? '' } });
  }
  if (template === 'submission_unsupported' || template === 'support_confirmation') {
    return queueSubmissionMail(trx, { ...mail, facts: endingFacts(change, submission) });
  }
  // Each reminder is a mail of its own; the step tells them apart.
  const closesAt = input.wait?.dueAt ?? input.now;
  return queueSubmissionMail(trx, {
    ...mail,
    facts: { closes_at: new Date(closesAt) },
    occasion: input.stepId,
  });
}

/** What the mail at the end of the support says: what its event says. */
function endingFacts(
  change: TransitionRecord['change'],
  submission: SubmissionRow,
): Record<string, string | number> {
  const facts = Object.entries(change.event?.data ?? {}).filter(([, value]) => value !== null);
  const support_url = submission.live_link_url ?? submission.track_url;
  return { support_url, ...Object.fromEntries(facts) } as Record<string, string | number>;
}

/** Rules that need rows: the family exists, the owner is ops, no queue was published meanwhile. */
async function refusalByFacts(
  trx: Trx,
  orgId: string,
  submissionId: string,
  command: SubmissionCommand,
): Promise<Refused | null> {
  if (command.name === 'withdraw' || command.name === 'closeSupport' || command.name === 'keepWaiting') {
    return refusalBySupport(trx, orgId, submissionId, command.name);
  }
  if (command.name === 'decide' && command.action === 'approve' && command.family !== undefined) {
    if (await familyExists(trx, orgId, command.family)) return null;
    const reason = `There is no active genre family "${command.family}". Choose one of the org's families.`;
    return { applied: false, code: 'family_unknown', reason };
  }
  if (
    command.name === 'assignOwner' &&
    command.ownerId !== null &&
    !(await isOpsUser(trx, orgId, command.ownerId))
  ) {
    return {
      applied: false,
      code: 'owner_not_ops',
      reason: 'The owner must be an admin or moderator of this org.',
    };
  }
  return null;
}

function reviewPolicy(settings: OrgSettings): ReviewPolicy {
  return {
    decisionSlaHours: settings.decision_sla_hours,
    onBreach: settings.on_breach,
    warnPercent: settings.review.warn_percent,
    liveLinkReminderHours: settings.review.live_link_reminder_hours,
    liveLinkCloseDays: settings.review.live_link_close_days,
    minRejectWords: settings.review.min_reject_words,
  };
}

function factsOf(submission: SubmissionRow): Omit<ReviewFacts, 'proposalExpiresAt'> {
  return {
    status: submission.status,
    end: endOfReview(submission),
    submittedAt: submission.submitted_at.getTime(),
    decidedAt: submission.decided_at?.getTime() ?? null,
    ownerId: submission.owner_id,
    familyKnown: submission.family !== null,
  };
}

/** What a short link stands for shows only now, so the check for duplicates at submission could not know it. */
async function duplicateBehindShortLink(
  trx: Trx,
  submission: SubmissionRow,
  track: TrackFacts | null,
): Promise<string | null> {
  if (track === null || track.url === submission.track_url) return null;
  const { review } = await loadSettings(trx, submission.org_id);
  return olderDuplicate(trx, submission, track.url, review.duplicate_days);
}

function flagReason(found: TrackDescription): string {
  switch (found.outcome) {
    case 'not_found':
      return 'track_not_found';
    case 'not_a_track':
      return 'not_a_track';
    case 'found':
    case 'not_configured':
      return 'genre_unknown';
  }
}

function audienceOf(
  to: NonNullable<Transition['notice']>['to'],
  submission: SubmissionRow,
  ownerId: string | null,
): Audience {
  switch (to) {
    case 'admins':
      return { kind: 'admins' };
    case 'member':
      return { kind: 'member', memberId: submission.member_id };
    case 'owner_or_ops':
      return ownerId === null ? { kind: 'ops' } : { kind: 'user', userId: ownerId };
  }
}
