/** Which commands a submission review takes in which state, and why not (lifecycles.md, "submissionReview"). */
import type { RuleCheck, SubmissionCommand, SubmissionRefusalCode } from './submission-commands.js';
import type { ReviewState } from './submission-review.js';
import { isApproved, submissionIsClosed } from './submission-review-support.js';
import { parseTrackUrl } from './track-url.js';
import { wordsIn } from './word-count.js';

/** May this command be applied now? The reason says what the state is and what to do instead. */
export function checkCommand(state: ReviewState, command: SubmissionCommand): RuleCheck {
  if (state.stage === 'closed' && state.end !== null)
    return refuse('submission_closed', submissionIsClosed(state.end));
  switch (command.name) {
    case 'assignOwner':
      return { ok: true };
    case 'withdraw':
      return state.stage === 'support' ? refuse('queue_published', QUEUE_PUBLISHED) : { ok: true };
    case 'keepWaiting':
      return checkApproved(state);
    case 'closeSupport':
      return checkClosing(state, command.reason);
    case 'provideLiveLink':
      if (state.stage !== 'live_link') {
        return refuse(
          'not_waiting_for_live_link',
          `No live link was asked for: the submission is ${state.status} (${state.stage}).`,
        );
      }
      return checkLiveLink(command.url);
    case 'decide':
      return checkDecision(state, command);
  }
}

/** Why a submission cannot be withdrawn any more. */
export const QUEUE_PUBLISHED =
  'A queue with this track is published: its supporters have been asked. It can no longer be withdrawn.';

function checkApproved(state: ReviewState): RuleCheck {
  if (isApproved(state)) return { ok: true };
  return refuse(
    'not_approved',
    `This submission is ${state.status} and waits for no queue. Decide it first.`,
  );
}

function checkClosing(state: ReviewState, reason: string): RuleCheck {
  const approved = checkApproved(state);
  if (!approved.ok) return approved;
  if (wordsIn(reason) === 0)
    return refuse('reason_required', 'Say in `reason` why nobody could repost it; it goes into the mail.');
  // Whether assignments are open is asked of the rows when it is applied: what the state knows may be old.
  return { ok: true };
}

/** Why a support with open assignments cannot be closed. */
export function assignmentsOpen(count: number): string {
  return `${count} ${count === 1 ? 'assignment is' : 'assignments are'} still open. Close it when they are settled, or skip them first.`;
}

function checkDecision(state: ReviewState, command: SubmissionCommand & { name: 'decide' }): RuleCheck {
  if (state.stage === 'queue') {
    return refuse(
      'already_decided',
      'This submission is already approved and waits for a queue. Withdraw it to stop it.',
    );
  }
  if (state.stage === 'support') {
    return refuse('already_decided', 'This submission is approved, and its supporters have been asked.');
  }
  const { action } = command;
  if (state.stage === 'live_link' && (action === 'pend' || action === 'flag')) {
    return refuse(
      'waiting_for_live_link',
      'The member was asked for a live link. Approve or reject, or wait for the link.',
    );
  }
  if (action === 'reject' && wordsIn(command.reason) < state.policy.minRejectWords) {
    return refuse(
      'reason_too_short',
      `A rejection needs a reason of at least ${state.policy.minRejectWords} words; it goes into the mail to the member.`,
    );
  }
  if (action === 'flag' && wordsIn(command.reason) === 0) {
    return refuse('reason_required', 'Say in `reason` what has to be looked at.');
  }
  if (action === 'approve' && !state.familyKnown && command.family === undefined) {
    return refuse(
      'family_required',
      'The genre of this track is unknown. Name the genre `family` to approve it.',
    );
  }
  return { ok: true };
}

function checkLiveLink(url: string): RuleCheck {
  const parsed = parseTrackUrl(url);
  return parsed.ok ? { ok: true } : refuse('live_link_not_a_track', parsed.reason);
}

function refuse(code: SubmissionRefusalCode, reason: string): RuleCheck {
  return { ok: false, code, reason };
}
