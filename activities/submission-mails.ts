/** The mails of a submission review: what they say and when they are the same mail. */
import type { Trx } from '../db/client.js';
import type { SubmissionRow } from '../db/submissions.js';
import { queueMemberMail } from './member-mails.js';
import { addressOf } from './track-label.js';

export type SubmissionMailTemplate =
  | 'submission_confirmation'
  | 'submission_approved'
  | 'submission_rejected'
  | 'request_live_link'
  | 'support_confirmation'
  | 'submission_unsupported';

export interface SubmissionMail {
  orgId: string;
  template: SubmissionMailTemplate;
  submission: SubmissionRow;
  timezone: string;
  /** The template's own variables, beside the member's name and the track. Instants are business ms. */
  facts: Record<string, string | number | Date>;
  /** Tells apart mails of one template, such as reminders; without it a submission gets the template once. */
  occasion?: string;
}

/**
 * Writes a mail to the submitting member, in the transaction of what it tells.
 * @returns the mail's id; null when it was written before, or there is nobody to write to or no active template.
 */
export function queueSubmissionMail(trx: Trx, mail: SubmissionMail): Promise<string | null> {
  const { orgId, submission, template, timezone, occasion } = mail;
  // The link the member handed in is the one that can be opened.
  const trackUrl = submission.live_link_url ?? submission.track_url;
  return queueMemberMail(trx, {
    orgId,
    template,
    memberId: submission.member_id,
    timezone,
    facts: {
      // The title is known once SoundCloud was asked; the confirmation goes out before.
      track_title: submission.track_name ?? addressOf(trackUrl),
      track_url: trackUrl,
      ...mail.facts,
    },
    relatedType: 'submission',
    relatedId: submission.id,
    ...(occasion !== undefined && { occasion }),
  });
}
