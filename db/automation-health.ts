/** `soundcloud_automation_health`: how the things that run unattended are. */
import { sql } from 'kysely';
import type { Trx } from './client.js';

/** Tells how a run went. @param error what went wrong, without addresses; null on success. */
export async function reportAutomation(
  trx: Trx,
  name: string,
  success: boolean,
  error: string | null,
): Promise<void> {
  await sql`select public.update_automation_health(${name}, ${success}, ${error})`.execute(trx);
}

/** Names of the automations an admin switched off. */
export async function disabledAutomations(trx: Trx, orgId: string): Promise<Set<string>> {
  const rows = await trx
    .selectFrom('soundcloud_automation_health')
    .select('automation_name')
    .where('org_id', '=', orgId)
    .where('status', '=', 'disabled')
    .execute();
  return new Set(rows.map((row) => row.automation_name));
}
