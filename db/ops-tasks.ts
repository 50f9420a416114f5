/** Tasks for ops: a lifecycle asks, the console shows, an answer closes. */
import { sql } from 'kysely';
import type { Trx } from './client.js';
import { jsonb } from './json.js';

/** What the console offers: a request to the API. */
export interface OpsTaskAction {
  label: string;
  method: 'POST';
  path: string;
  /** What is sent; `reason` and the like are asked of the person. */
  body: Record<string, unknown>;
}

export interface NewOpsTask {
  orgId: string;
  kind: string;
  title: string;
  body: string;
  entityType: string;
  entityId: string;
  /** Who waits for the answer and closes the task; null: nobody, ops close it themselves. */
  workflowId: string | null;
  actions: OpsTaskAction[];
  /** Business ms. */
  dueAt: number | null;
  /** The same key in the same org is written once. */
  dedupeKey: string;
}

export async function openOpsTask(trx: Trx, task: NewOpsTask): Promise<void> {
  await trx
    .insertInto('soundcloud_ops_tasks')
    .values({
      org_id: task.orgId,
      kind: task.kind,
      title: task.title,
      body: task.body,
      entity_type: task.entityType,
      entity_id: task.entityId,
      workflow_id: task.workflowId,
      actions: jsonb(task.actions),
      due_at: task.dueAt === null ? null : new Date(task.dueAt),
      dedupe_key: task.dedupeKey,
    })
    .onConflict((conflict) => conflict.columns(['org_id', 'dedupe_key']).doNothing())
    .execute();
}

/** Closes the open tasks of a kind about an entity. @param by user id; others are kept in the resolution only. @param at business ms */
export async function closeOpsTasks(
  trx: Trx,
  task: {
    orgId: string;
    kind: string;
    entityId: string;
    resolution: { by: string } & Record<string, unknown>;
  },
  at: number,
): Promise<void> {
  await trx
    .updateTable('soundcloud_ops_tasks')
    .set({
      status: 'done',
      resolved_at: new Date(at),
      resolution: jsonb(task.resolution),
      resolved_by: sql<string | null>`(
        select user_id from public.memberships where org_id = ${task.orgId} and user_id::text = ${task.resolution.by})`,
    })
    .where('org_id', '=', task.orgId)
    .where('kind', '=', task.kind)
    .where('entity_id', '=', task.entityId)
    .where('status', '=', 'open')
    .execute();
}
