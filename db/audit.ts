/** The audit trail. Written as the login, not as the caller; the actor is taken from the verified claims. */
import { sql } from 'kysely';
import type { Trx } from './client.js';
import { jsonb } from './json.js';

export interface AuditEntry {
  orgId: string;
  /** `<entity>.<verb>`, for example `submission.decide`. */
  action: string;
  entityType: string;
  entityId: string | null;
  /** Business time. */
  occurredAt: Date;
  commandId?: string | undefined;
  requestId?: string | undefined;
  reason?: string | undefined;
  before?: unknown;
  after?: unknown;
  details?: Record<string, unknown> | undefined;
}

export async function writeAudit(trx: Trx, entry: AuditEntry): Promise<void> {
  const optional = (value: unknown) => (value === undefined ? sql`null::jsonb` : jsonb(value));
  await sql`select private.api_audit(
    ${entry.orgId}, ${entry.action}, ${entry.entityType}, ${entry.entityId}, ${entry.occurredAt},
    ${entry.commandId ?? null}, ${entry.requestId ?? null}, ${entry.reason ?? null},
    ${optional(entry.before)}, ${optional(entry.after)}, ${jsonb(entry.details ?? {})}
  )`.execute(trx);
}

/** An entry by a lifecycle itself, in the transaction of what it tells of. @param by user of the org, null = the product. */
export async function writeWorkerAudit(
  trx: Trx,
  entry: Omit<AuditEntry, 'requestId' | 'before' | 'after'> & { by: string | null },
): Promise<void> {
  await trx
    .insertInto('soundcloud_audit_log')
    .values({
      org_id: entry.orgId,
      actor_type: entry.by === null ? 'system' : 'user',
      actor_id: entry.by,
      action: entry.action,
      entity_type: entry.entityType,
      entity_id: entry.entityId,
      command_id: entry.commandId ?? null,
      reason: entry.reason ?? null,
      details: jsonb(entry.details ?? {}),
      occurred_at: entry.occurredAt,
    })
    .execute();
}
