/** Mails as rows: written with the change they tell of, rendered once, handed over by an activity later. */
import { sql } from 'kysely';
import { type AutomationOrigin, logAutomation } from './automation-mails.js';
import type { Trx } from './client.js';
import { jsonb } from './json.js';

export interface NewMail {
  orgId: string;
  template: string;
  recipient: string;
  subject: string;
  html: string;
  text: string | null;
  variables: Record<string, unknown>;
  /** One mail per key and org, however often the step runs. */
  idempotencyKey: string;
  relatedType: 'submission' | 'inquiry' | 'complaint' | 'member' | 'campaign' | 'assignment' | 'notification';
  relatedId: string;
  /** Set when the mail cannot be sent as it is (a broken template): it is kept as failed with this reason. */
  failure?: string;
  /** Set for a mail of an automation template. */
  automation?: AutomationOrigin;
}

export interface StoredMail {
  id: string;
  status: string;
  recipient: string;
  subject: string;
  html: string;
  text: string | null;
  relatedType: NewMail['relatedType'];
  relatedId: string;
  suppressed: boolean;
  /** When it was first handed to the provider; real time, epoch ms. */
  firstTriedAt: number | null;
}

/** A template as stored; undefined when the org has none of that name or switched it off. */
export async function activeTemplate(trx: Trx, orgId: string, name: string) {
  return trx
    .selectFrom('soundcloud_email_templates')
    .select(['subject', 'body_html', 'body_text', 'variables'])
    .where('org_id', '=', orgId)
    .where('name', '=', name)
    .where('active', '=', true)
    .executeTakeFirst();
}

/** Where a member reads mail, and the name to greet; undefined when the member has no address. */
export async function memberAddress(
  trx: Trx,
  orgId: string,
  memberId: string,
): Promise<{ name: string; email: string } | undefined> {
  const member = await trx
    .selectFrom('soundcloud_members')
    .select(['name', 'primary_email', 'emails'])
    .where('org_id', '=', orgId)
    .where('id', '=', memberId)
    .executeTakeFirst();
  const email = member?.primary_email ?? member?.emails[0];
  return member === undefined || email === undefined ? undefined : { name: member.name, email };
}

/** Writes a mail to be sent. @returns its id, or null when this mail was written before. */
export async function queueMail(trx: Trx, mail: NewMail): Promise<string | null> {
  const row = await trx
    .insertInto('soundcloud_email_logs')
    .values({
      org_id: mail.orgId,
      template_name: mail.template,
      recipient_email: mail.recipient,
      subject: mail.subject,
      status: mail.failure === undefined ? 'pending' : 'failed',
      error_message: mail.failure ?? null,
      related_object_type: mail.relatedType,
      related_object_id: mail.relatedId,
      template_data: jsonb(mail.variables),
      metadata: jsonb({
        html: mail.html,
        text: mail.text,
        ...(mail.automation && { automation: mail.automation }),
      }),
      idempotency_key: mail.idempotencyKey,
    })
    .onConflict((conflict) => conflict.columns(['org_id', 'idempotency_key']).doNothing())
    .returning('id')
    .executeTakeFirst();
  return row?.id ?? null;
}

/** Ids of the mails about an object that nobody has handed over yet, oldest first. */
export async function pendingMails(
  trx: Trx,
  orgId: string,
  relatedType: NewMail['relatedType'],
  relatedId: string,
): Promise<string[]> {
  const rows = await trx
    .selectFrom('soundcloud_email_logs')
    .select('id')
    .where('org_id', '=', orgId)
    .where('related_object_type', '=', relatedType)
    .where('related_object_id', '=', relatedId)
    .where('status', '=', 'pending')
    .orderBy('created_at')
    .orderBy('id')
    .execute();
  return rows.map((row) => row.id);
}

export async function loadMail(trx: Trx, orgId: string, id: string): Promise<StoredMail | undefined> {
  const row = await trx
    .selectFrom('soundcloud_email_logs as mail')
    .select((select) => [
      'mail.id',
      'mail.status',
      'mail.recipient_email',
      'mail.subject',
      'mail.metadata',
      'mail.related_object_type',
      'mail.related_object_id',
      select
        .exists(
          select
            .selectFrom('soundcloud_email_suppressions as suppression')
            .select(sql<number>`1`.as('one'))
            .whereRef('suppression.org_id', '=', 'mail.org_id')
            .where('suppression.email', '=', sql<string>`lower(mail.recipient_email)`)
            .where('suppression.scope', '=', 'all')
            .where('suppression.lifted_at', 'is', null),
        )
        .as('suppressed'),
    ])
    .where('mail.org_id', '=', orgId)
    .where('mail.id', '=', id)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const body = row.metadata as unknown as { html: string; text: string | null; first_tried_at?: number };
  return {
    id: row.id,
    status: row.status,
    recipient: row.recipient_email,
    subject: row.subject ?? '',
    html: body.html,
    text: body.text,
    relatedType: row.related_object_type as NewMail['relatedType'],
    relatedId: row.related_object_id ?? row.id,
    suppressed: Boolean(row.suppressed),
    firstTriedAt: body.first_tried_at ?? null,
  };
}

/** Notes, before a mail is first handed to the provider, when that is. @param realNow epoch ms. */
export async function noteFirstTry(trx: Trx, orgId: string, id: string, realNow: number): Promise<void> {
  await trx
    .updateTable('soundcloud_email_logs')
    .set({ metadata: sql`jsonb_build_object('first_tried_at', ${realNow}::bigint) || metadata` })
    .where('org_id', '=', orgId)
    .where('id', '=', id)
    .execute();
}

/** The provider took the mail: log row, mail event and the object's list of message ids, in one transaction. @param at business ms. */
export async function markMailSent(
  trx: Trx,
  orgId: string,
  mail: StoredMail,
  messageId: string,
  at: number,
): Promise<void> {
  const sentAt = new Date(at);
  const updated = await trx
    .updateTable('soundcloud_email_logs')
    .set({ status: 'sent', resend_message_id: messageId, sent_at: sentAt, error_message: null })
    .where('org_id', '=', orgId)
    .where('id', '=', mail.id)
    .where('status', '=', 'pending')
    .executeTakeFirst();
  if (updated.numUpdatedRows === 0n) return;
  await logAutomation(trx, orgId, mail.id, at);
  await trx
    .insertInto('soundcloud_mail_events')
    .values({
      org_id: orgId,
      message_id: messageId,
      object_type: mail.relatedType,
      object_id: mail.relatedId,
      event_type: 'sent',
      timestamp: sentAt,
    })
    .execute();
  if (mail.relatedType === 'submission') {
    await trx
      .updateTable('soundcloud_submissions')
      .set({ resend_message_ids: sql<string[]>`array_append(resend_message_ids, ${messageId})` })
      .where('org_id', '=', orgId)
      .where('id', '=', mail.relatedId)
      .execute();
  }
}

/** A mail that will not be sent. @param reason shown to ops; holds no address. @param at business ms. */
export async function markMailFailed(
  trx: Trx,
  orgId: string,
  id: string,
  reason: string,
  at: number,
): Promise<void> {
  await trx
    .updateTable('soundcloud_email_logs')
    .set({ status: 'failed', error_message: reason })
    .where('org_id', '=', orgId)
    .where('id', '=', id)
    .where('status', '=', 'pending')
    .execute();
  await logAutomation(trx, orgId, id, at);
}
