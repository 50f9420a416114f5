/** `soundcloud_waits`: what every open lifecycle waits for. Inbox, metrics and doctor read it. */

import type { Wait } from '../domain/waiting.js';
import type { Trx } from './client.js';

export interface WaitKey {
  orgId: string;
  workflowId: string;
  entityType: string;
  entityId: string;
}

/** Writes the wait in the transaction that changes the state; null removes it. */
export async function saveWait(trx: Trx, key: WaitKey, wait: Wait | null): Promise<void> {
  if (wait === null) return clearWait(trx, key.orgId, key.workflowId);
  const columns = {
    stage: wait.stage,
    waiting_on: wait.waitingOn,
    who_can_act: wait.whoCanAct,
    how_to_act: wait.howToAct,
    since: new Date(wait.since),
    due_at: wait.dueAt === null ? null : new Date(wait.dueAt),
    paused: wait.paused,
    remaining_ms: wait.remainingMs === null ? null : Math.round(wait.remainingMs),
    breached: wait.breached,
  };
  await trx
    .insertInto('soundcloud_waits')
    .values({
      org_id: key.orgId,
      workflow_id: key.workflowId,
      entity_type: key.entityType,
      entity_id: key.entityId,
      ...columns,
    })
    .onConflict((conflict) => conflict.columns(['org_id', 'workflow_id']).doUpdateSet(columns))
    .execute();
}

export async function clearWait(trx: Trx, orgId: string, workflowId: string): Promise<void> {
  await trx
    .deleteFrom('soundcloud_waits')
    .where('org_id', '=', orgId)
    .where('workflow_id', '=', workflowId)
    .execute();
}

/** The stored wait of a workflow; null when it waits for nothing. */
export async function loadWait(trx: Trx, orgId: string, workflowId: string): Promise<Wait | null> {
  const row = await trx
    .selectFrom('soundcloud_waits')
    .selectAll()
    .where('org_id', '=', orgId)
    .where('workflow_id', '=', workflowId)
    .executeTakeFirst();
  if (row === undefined) return null;
  return {
    stage: row.stage,
    waitingOn: row.waiting_on as Wait['waitingOn'],
    whoCanAct: row.who_can_act,
    howToAct: row.how_to_act,
    since: row.since.getTime(),
    dueAt: row.due_at?.getTime() ?? null,
    paused: row.paused,
    remainingMs: row.remaining_ms === null ? null : Number(row.remaining_ms),
    breached: row.breached,
  };
}
