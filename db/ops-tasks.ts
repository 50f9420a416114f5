/** Tasks for ops: a lifecycle asks, the console shows, an answer closes. */
import { type Selectable, sql } from 'kysely';
import type { Queryable, Trx } from './client.js';
import { jsonb } from './json.js';
import { behind, type Keyset, type KeysetOrder, keysetOrderBy, sortKey } from './keyset.js';
import type { SoundcloudOpsTasks } from './schema.js';

export type OpsTaskRow = Selectable<SoundcloudOpsTasks>;

/** What the console offers: a request to the API. */
export interface OpsTaskAction {
  label: string;
  method: 'POST';
  path: string;
  body: Record<string, unknown>;
  /** Fields of the body that are required and not in it: the person who answers gives them. */
  needs?: string[];
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

export const OPS_TASK_ORDERS = {
  due_at: {
    column: 'soundcloud_ops_tasks.due_at',
    id: 'soundcloud_ops_tasks.id',
    type: 'timestamptz',
    direction: 'asc',
    nullable: true,
  },
  '-created_at': {
    column: 'soundcloud_ops_tasks.created_at',
    id: 'soundcloud_ops_tasks.id',
    type: 'timestamptz',
    direction: 'desc',
  },
} as const satisfies Record<string, KeysetOrder>;

export interface OpsTaskFilter {
  status?: 'open' | 'done' | 'dismissed' | undefined;
  kind?: string | undefined;
  entityId?: string | undefined;
}

/** One row more than `limit` when there is a next page. */
export function listOpsTasks(
  db: Queryable,
  orgId: string,
  filter: OpsTaskFilter,
  page: { order: KeysetOrder; after: Keyset | undefined; limit: number },
): Promise<(OpsTaskRow & { sort_key: string | null })[]> {
  const { status, kind, entityId } = filter;
  const { after } = page;
  return (
    db
      .selectFrom('soundcloud_ops_tasks')
      .selectAll('soundcloud_ops_tasks')
      .select(sortKey(page.order).as('sort_key'))
      .where('org_id', '=', orgId)
      // Spelt out: under row-level security only the partial index's own predicate lets the planner use it.
      .$if(status === 'open', (query) => query.where(sql<boolean>`status = 'open'`))
      .$if(status !== undefined && status !== 'open', (query) => query.where('status', '=', status ?? 'done'))
      .$if(kind !== undefined, (query) => query.where('kind', '=', kind ?? ''))
      .$if(entityId !== undefined, (query) => query.where('entity_id', '=', entityId ?? ''))
      .$if(after !== undefined, (query) => query.where(behind(page.order, after ?? { value: null, id: '' })))
      .orderBy(keysetOrderBy(page.order))
      .limit(page.limit + 1)
      .execute()
  );
}

export function findOpsTask(db: Queryable, orgId: string, id: string): Promise<OpsTaskRow | undefined> {
  return db
    .selectFrom('soundcloud_ops_tasks')
    .selectAll()
    .where('org_id', '=', orgId)
    .where('id', '=', id)
    .executeTakeFirst();
}

/**
 * Closes a task that no lifecycle waits for. Call this as the login, not as the caller. @param at business time
 * @returns false when it was closed already. @throws database error for who is not ops, and for a task that is waited for.
 */
export async function closeOwnOpsTask(
  trx: Trx,
  task: { orgId: string; id: string; status: 'done' | 'dismissed'; note: string },
  at: Date,
): Promise<boolean> {
  const { rows } = await sql<{ closed: boolean }>`
    select private.api_close_ops_task(${task.orgId}, ${task.id}, ${task.status}, ${task.note}, ${at}) as closed`.execute(
    trx,
  );
  return rows[0]?.closed === true;
}
