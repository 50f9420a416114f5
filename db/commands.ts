/** Commands that were sent to a workflow. Call these as the login, not as the caller. */
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

/** A command, for whoever asked for it and for ops; undefined for others. */
export async function findCommand(trx: Trx, orgId: string, id: string): Promise<CommandRow | undefined> {
  const { rows } = await sql<CommandRow>`select * from private.api_command_get(${orgId}, ${id})`.execute(trx);
  return rows[0];
}
