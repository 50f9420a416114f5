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
