/** The mails of a submission review: what they say and when they are the same mail. */
import type { Trx } from '../db/client.js';
import { activeTemplate, memberAddress, queueMail } from '../db/email.js';
import { notify } from '../db/notifications.js';
import type { SubmissionRow } from '../db/submissions.js';
import { renderMail } from '../domain/mail-template.js';

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
export async function queueSubmissionMail(trx: Trx, mail: SubmissionMail): Promise<string | null> {
  const { orgId, submission } = mail;
  if (submission.member_id === null) return null;
  const recipient = await memberAddress(trx, orgId, submission.member_id);
  const template = await activeTemplate(trx, orgId, mail.template);
  if (recipient === undefined || template === undefined) return null;
  const variables = {
    member_name: recipient.name,
    track_title: submission.track_name ?? 'your track',
    // The link the member handed in is the one that can be opened.
    track_url: submission.live_link_url ?? submission.track_url,
    ...Object.fromEntries(
      Object.entries(mail.facts).map(([name, value]) => [name, readable(value, mail.timezone)]),
    ),
  };
  const rendered = renderMail(template, variables);
  const body = rendered.ok ? rendered : { subject: template.subject, html: '', text: null };
  const id = await queueMail(trx, {
    orgId,
    template: mail.template,
    recipient: recipient.email,
    subject: body.subject,
    html: body.html,
    text: body.text,
    variables,
    idempotencyKey: ['submission', submission.id, mail.template, mail.occasion].filter(Boolean).join(':'),
    relatedType: 'submission',
    relatedId: submission.id,
    ...(!rendered.ok && { failure: rendered.reason }),
  });
  if (rendered.ok || id === null) return id;
  // A template is no reason to hold the review up, but somebody must mend it.
  await notify(trx, {
    orgId,
    audience: { kind: 'admins' },
    type: 'error',
    title: 'A mail template is broken',
    message: `${mail.template}: ${rendered.reason}`,
    actionUrl: '/console/mail/templates',
    metadata: { email_log_id: id, template: mail.template },
  });
  return null;
}

/** Numbers stay numbers: a section of a template is left out for 0. */
function readable(value: string | number | Date, timezone: string): string | number {
  if (!(value instanceof Date)) return value;
  const text = new Intl.DateTimeFormat('en-GB', {
    dateStyle: 'long',
    timeStyle: 'short',
    timeZone: timezone,
  }).format(value);
  return `${text} (${timezone})`;
}
