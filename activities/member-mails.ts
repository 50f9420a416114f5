/** A mail to a member: rendered and written in the transaction of what it tells. */
import type { Trx } from '../db/client.js';
import { activeTemplate, memberAddress, type NewMail, queueMail } from '../db/email.js';
import { notify } from '../db/notifications.js';
import { renderMail } from '../domain/mail-template.js';

export interface MemberMail {
  orgId: string;
  template: string;
  /** Null: nobody to write to. */
  memberId: string | null;
  timezone: string;
  /** The template's variables beside the member's name. Instants are Dates in business time. */
  facts: Record<string, string | number | Date>;
  relatedType: NewMail['relatedType'];
  relatedId: string;
  /** Tells apart mails of one template, such as reminders; without it the object gets the template once. */
  occasion?: string;
}

/** @returns the mail's id; null when it was written before, or there is nobody to write to or no active template. */
export async function queueMemberMail(trx: Trx, mail: MemberMail): Promise<string | null> {
  const { orgId, memberId, relatedType, relatedId } = mail;
  if (memberId === null) return null;
  const recipient = await memberAddress(trx, orgId, memberId);
  const template = await activeTemplate(trx, orgId, mail.template);
  if (recipient === undefined || template === undefined) return null;
  const variables = {
    member_name: recipient.name,
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
    idempotencyKey: [relatedType, relatedId, mail.template, mail.occasion].filter(Boolean).join(':'),
    relatedType,
    relatedId,
    ...(!rendered.ok && { failure: rendered.reason }),
  });
  if (rendered.ok || id === null) return id;
  // A template is no reason to hold a lifecycle up, but somebody must mend it.
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

/** A number below 1,000 stays one, for a section of a template is left out for 0. */
function readable(value: string | number | Date, timezone: string): string | number {
  if (typeof value === 'number') return value < 1_000 ? value : value.toLocaleString('en-GB');
  if (typeof value === 'string') return value;
  const text = new Intl.DateTimeFormat('en-GB', {
    dateStyle: 'long',
    timeStyle: 'short',
    timeZone: timezone,
  }).format(value);
  return `${text} (${timezone})`;
}
