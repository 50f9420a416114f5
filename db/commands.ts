/** Commands that were sent to a workflow. The API calls these as the login, not as the caller. */
import { type Selectable, sql } from 'kysely';
import type { Trx } from './client.js';
import { jsonb } from './json.js';
import type { SoundcloudCommands } from './schema.js';

export type CommandRow = Selectable<SoundcloudCommands>;

/** Notes a command before it is sent. @returns how far it is, if it was requested or applied before */
export async function requestCommand(
  trx: Trx,
  command: { orgId: string; id: string; workflowId: string; name: string; payload: unknown },
): Promise<{ created: boolean; status: string; code: string | null; reason: string | null }> {
  const { orgId, id, workflowId, name, payload } = command;
  const { rows } = await sql<{
    created: boolean;
    status: string;
    code: string | null;
    reason: string | null;
  }>`
    select created, status, code, reason
    from private.api_command_request(${orgId}, ${id}, ${workflowId}, ${name}, ${jsonb(payload)})`.execute(
    trx,
  );
  const [row] = rows;
  if (row === undefined) throw new Error('private.api_command_request gave no row.');
  return row;
}

/** Takes a request back: it was not handed over. One that has an outcome meanwhile stays. Call this as the login. */
export async function withdrawCommand(trx: Trx, orgId: string, id: string): Promise<void> {
  await sql`select private.api_command_withdraw(${orgId}, ${id})`.execute(trx);
}

/**
 * Commands that wait for a workflow and were requested from one moment on and before another, the oldest first. Requests
 * under way are waited for, and from here to the end of the transaction no other is taken, nor one of these taken back.
 * @param asked.from @param asked.before real time
 */
export async function requestedBetween(
  trx: Trx,
  asked: { orgId: string; workflowId: string; names: readonly string[]; from: Date; before: Date },
): Promise<Pick<CommandRow, 'id' | 'name' | 'payload' | 'created_at'>[]> {
  const { orgId, workflowId, names, from, before } = asked;
  await sql`select pg_advisory_xact_lock(hashtextextended(${`requests:${workflowId}`}, 0))`.execute(trx);
  return trx
    .selectFrom('soundcloud_commands')
    .select(['id', 'name', 'payload', 'created_at'])
    .where('org_id', '=', orgId)
    .where('workflow_id', '=', workflowId)
    .where('name', 'in', names)
    .where('status', '=', 'pending')
    .where('created_at', '>=', from)
    .where('created_at', '<', before)
    .orderBy('created_at')
    .orderBy('id')
    .forUpdate()
    .execute();
}

/** A command, for whoever asked for it and for ops; undefined for others. */
export async function findCommand(trx: Trx, orgId: string, id: string): Promise<CommandRow | undefined> {
  const { rows } = await sql<CommandRow>`select * from private.api_command_get(${orgId}, ${id})`.execute(trx);
  return rows[0];
}
