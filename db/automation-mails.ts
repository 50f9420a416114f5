/**
 * Mails of automation templates. Such a mail is a row of `soundcloud_email_logs` as every other, so that there is one way
 * to deliver; once its outcome is known, the same transaction writes `soundcloud_automation_logs`, which knows no mail
 * that is still to be sent.
 */
import { sql } from 'kysely';
import type { Trx } from './client.js';

export interface AutomationEvent {
  type: string;
  entityType: string;
  entityId: string;
  data: Record<string, unknown>;
}

export async function loadAutomationEvent(
  trx: Trx,
  orgId: string,
  id: string,
): Promise<AutomationEvent | undefined> {
  const row = await trx
    .selectFrom('soundcloud_events')
    .select(['type', 'entity_type', 'entity_id', 'data'])
    .where('org_id', '=', orgId)
    .where('id', '=', id)
    .executeTakeFirst();
  return (
    row && {
      type: row.type,
      entityType: row.entity_type,
      entityId: row.entity_id,
      data: row.data as unknown as Record<string, unknown>,
    }
  );
}

/** The enabled templates that are sent on an event type. */
export async function templatesOn(trx: Trx, orgId: string, type: string) {
  return trx
    .selectFrom('soundcloud_automation_templates')
    .select(['template_key', 'subject', 'body_html', 'body_text'])
    .where('org_id', '=', orgId)
    .where('enabled', '=', true)
    .where(sql<boolean>`${type} = any (trigger_events)`)
    .orderBy('template_key')
    .execute();
}

/** One mail for an event and template. */
export function automationMailKey(eventId: string, templateKey: string): string {
  return `automation:${eventId}:${templateKey}`;
}

/** Mails of an event that nobody has handed over yet. */
export async function pendingAutomationMails(
  trx: Trx,
  orgId: string,
  keys: readonly string[],
): Promise<string[]> {
  if (keys.length === 0) return [];
  const rows = await trx
    .selectFrom('soundcloud_email_logs')
    .select('id')
    .where('org_id', '=', orgId)
    .where('idempotency_key', 'in', keys)
    .where('status', '=', 'pending')
    .orderBy('id')
    .execute();
  return rows.map((row) => row.id);
}

/** What the mail's row keeps for its automation log (`soundcloud_email_logs.metadata.automation`). */
export interface AutomationOrigin {
  template_key: string;
  event_id: string;
  member_id: string | null;
  parent_type: string;
  parent_id: string;
}

/**
 * Writes the automation log of a mail whose outcome is known; none for a mail of a lifecycle.
 * @param at business ms.
 */
export async function logAutomation(trx: Trx, orgId: string, mailId: string, at: number): Promise<void> {
  await sql`
    insert into public.soundcloud_automation_logs
      (org_id, template_key, recipient_email, recipient_member_id, parent_type, parent_id, status, provider_message_id,
        subject, variables_used, idempotency_key, sent_at, error_message, metadata)
    select mail.org_id, origin ->> 'template_key', mail.recipient_email, (origin ->> 'member_id')::uuid,
      origin ->> 'parent_type', (origin ->> 'parent_id')::uuid,
      (case mail.status when 'sent' then 'sent' else 'failed' end)::public.soundcloud_automation_status,
      mail.resend_message_id, mail.subject, mail.template_data, mail.idempotency_key, ${new Date(at)},
      mail.error_message, jsonb_build_object('event_id', origin ->> 'event_id', 'email_log_id', mail.id)
    from public.soundcloud_email_logs mail
    cross join lateral (select mail.metadata -> 'automation' as origin) as automation
    where mail.org_id = ${orgId} and mail.id = ${mailId} and mail.status in ('sent', 'failed') and origin is not null
    on conflict (org_id, idempotency_key) do nothing`.execute(trx);
}
