/** Queues and their assignments as people read them; row-level security decides who sees which. */
import { type Selectable, sql } from 'kysely';
import type { Queryable, Trx } from './client.js';
import { behind, type Keyset, type KeysetOrder, keysetOrderBy, sortKey } from './keyset.js';
import type { QueueRow } from './queues.js';
import type { SoundcloudQueueAssignments } from './schema.js';

export const QUEUE_ORDERS = {
  '-date': {
    column: 'soundcloud_queues.date',
    id: 'soundcloud_queues.id',
    type: 'date',
    direction: 'desc',
  },
  date: { column: 'soundcloud_queues.date', id: 'soundcloud_queues.id', type: 'date', direction: 'asc' },
} as const satisfies Record<string, KeysetOrder>;

export interface QueueFilter {
  status?: QueueRow['status'] | undefined;
  /** `YYYY-MM-DD`, inclusive. */
  from?: string | undefined;
  to?: string | undefined;
}

/** One row more than `limit` when there is a next page. */
export function listQueues(
  db: Queryable,
  orgId: string,
  filter: QueueFilter,
  page: { order: KeysetOrder; after: Keyset | undefined; limit: number },
): Promise<(QueueRow & { sort_key: string | null })[]> {
  const { status, from, to } = filter;
  const { after } = page;
  return db
    .selectFrom('soundcloud_queues')
    .selectAll('soundcloud_queues')
    .select(sortKey(page.order).as('sort_key'))
    .where('soundcloud_queues.org_id', '=', orgId)
    .$if(status !== undefined, (query) => query.where('status', '=', status ?? ''))
    .$if(from !== undefined, (query) => query.where(sql<boolean>`date >= ${from}::date`))
    .$if(to !== undefined, (query) => query.where(sql<boolean>`date <= ${to}::date`))
    .$if(after !== undefined, (query) => query.where(behind(page.order, after ?? { value: null, id: '' })))
    .orderBy(keysetOrderBy(page.order))
    .limit(page.limit + 1)
    .execute();
}

export function findQueue(db: Queryable, orgId: string, date: string): Promise<QueueRow | undefined> {
  return db
    .selectFrom('soundcloud_queues')
    .selectAll()
    .where('org_id', '=', orgId)
    .where(sql<boolean>`date = ${date}::date`)
    .executeTakeFirst();
}

export type QueueAssignmentRow = Selectable<SoundcloudQueueAssignments> & {
  /** Null where the caller may not read members. */
  supporter_name: string | null;
};

/** By position. */
export function listQueueAssignments(
  db: Queryable,
  orgId: string,
  queueId: string,
): Promise<QueueAssignmentRow[]> {
  return db
    .selectFrom('soundcloud_queue_assignments as assignment')
    .leftJoin('soundcloud_members as member', (join) =>
      join
        .onRef('member.org_id', '=', 'assignment.org_id')
        .onRef('member.id', '=', 'assignment.supporter_id'),
    )
    .selectAll('assignment')
    .select('member.name as supporter_name')
    .where('assignment.org_id', '=', orgId)
    .where('assignment.queue_id', '=', queueId)
    .orderBy('assignment.position')
    .execute();
}

export interface DraftSummary {
  revision: number;
  cause: string;
  created_by: string | null;
  generated_at: Date;
  assignments: number;
  unfilled: number;
  input_hash: string | null;
  /** What ops changed; null for a generated draft. */
  edit: unknown;
}

/** Every version of a queue, newest first, without its contents. */
export async function listDrafts(db: Queryable, orgId: string, queueId: string): Promise<DraftSummary[]> {
  const { rows } = await sql<DraftSummary>`
    select revision, cause, created_by, generated_at, jsonb_array_length(assignments) as assignments,
      jsonb_array_length(unfilled) as unfilled, input_hash, explanation -> 'edit' as edit
    from public.soundcloud_queue_drafts
    where org_id = ${orgId} and queue_id = ${queueId}
    order by revision desc`.execute(db);
  return rows;
}

/** Asks for the queue of a date. Call this as the login. @throws SPK01 queue_exists, automation_disabled @param at business time */
export async function requestQueue(trx: Trx, orgId: string, date: string, at: Date): Promise<void> {
  await sql`select private.api_request_queue(${orgId}, ${date}::date, ${at})`.execute(trx);
}

/** The settings a queue is made by, without secrets, as stored. Call this as the login. */
export async function queueSettingsOf(trx: Trx, orgId: string): Promise<object> {
  const { rows } = await sql<{ settings: object | null }>`
    select private.api_queue_settings(${orgId}) as settings`.execute(trx);
  return rows[0]?.settings ?? {};
}
