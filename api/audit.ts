/** Writes the audit trail of a request, as part of its transaction. */
import { type AuditEntry, writeAudit } from '../db/audit.js';
import type { RequestContext } from './route.js';
import { asLogin, type Scope } from './scope.js';

/** @param entry without what the request knows itself: org, time, request id */
export async function audit(
  context: Pick<RequestContext<unknown, unknown, unknown>, 'request' | 'deps'>,
  scope: Scope,
  entry: Omit<AuditEntry, 'orgId' | 'occurredAt' | 'requestId'>,
): Promise<void> {
  const occurredAt = await context.deps.businessNow(scope.trx);
  await asLogin(scope, (trx) =>
    writeAudit(trx, { ...entry, orgId: scope.orgId, occurredAt, requestId: String(context.request.id) }),
  );
}
