/** Assignments as people read them: lists by keyset, with what they wait for; who supports whom; how reliable a member is. */
import { type Selectable, sql } from 'kysely';
import type { Queryable, Trx } from './client.js';
import { behind, type Keyset, type KeysetOrder, keysetOrderBy, sortKey } from './keyset.js';
import type { SoundcloudQueueAssignments } from './schema.js';

export interface AssignmentListRow extends Selectable<SoundcloudQueueAssignments> {
  /** `YYYY-MM-DD` */
  queue_date: string;
  queue_status: string;
  /** Null where the caller may not read members. */
  supporter_name: string | null;
}

const order = (direction: KeysetOrder['direction']): KeysetOrder => ({
  column: 'assignment.slot_at',
  id: 'assignment.id',
  type: 'timestamptz',
  direction,
  nullable: true,
});

export const ASSIGNMENT_ORDERS = { '-slot_at': order('desc'), slot_at: order('asc') } as const;

export interface AssignmentFilter {
  statuses?: readonly string[] | undefined;
  queueDate?: string | undefined;
  submissionId?: string | undefined;
  supporterId?: string | undefined;
  /** True: only what is not settled; false: only what is. */
  open?: boolean | undefined;
}

function assignments(db: Queryable, orgId: string) {
  return db
    .selectFrom('soundcloud_queue_assignments as assignment')
    .innerJoin('soundcloud_queues as queue', (join) =>
      join.onRef('queue.org_id', '=', 'assignment.org_id').onRef('queue.id', '=', 'assignment.queue_id'),
    )
    .leftJoin('soundcloud_members as supporter', (join) =>
      join
        .onRef('supporter.org_id', '=', 'assignment.org_id')
        .onRef('supporter.id', '=', 'assignment.supporter_id'),
    )
    .selectAll('assignment')
    .select([
      sql<string>`queue.date::text`.as('queue_date'),
      'queue.status as queue_status',
      'supporter.name as supporter_name',
    ])
    .where('assignment.org_id', '=', orgId);
}

/** Row-level security leaves members their own of published queues. One row more than `limit` when there is a next page. */
export function listAssignments(
  db: Queryable,
  orgId: string,
  filter: AssignmentFilter,
  page: { order: KeysetOrder; after: Keyset | undefined; limit: number },
): Promise<(AssignmentListRow & { sort_key: string | null })[]> {
  const { statuses, queueDate, submissionId, supporterId, open } = filter;
  const { after } = page;
  return assignments(db, orgId)
    .select(sortKey(page.order).as('sort_key'))
    .$if(statuses !== undefined, (query) => query.where('assignment.status', 'in', [...(statuses ?? [])]))
    .$if(queueDate !== undefined, (query) => query.where(sql<boolean>`queue.date = ${queueDate}::date`))
    .$if(submissionId !== undefined, (query) =>
      query.where('assignment.submission_id', '=', submissionId ?? ''),
    )
    .$if(supporterId !== undefined, (query) => query.where('assignment.supporter_id', '=', supporterId ?? ''))
    .$if(open !== undefined, (query) => query.where('assignment.settled_at', open ? 'is' : 'is not', null))
    .$if(after !== undefined, (query) => query.where(behind(page.order, after ?? { value: null, id: '' })))
    .orderBy(keysetOrderBy(page.order))
    .limit(page.limit + 1)
    .execute();
}

/** Undefined when there is none that the caller may see. */
export function findAssignment(
  db: Queryable,
  orgId: string,
  id: string,
): Promise<AssignmentListRow | undefined> {
  return assignments(db, orgId).where('assignment.id', '=', id).executeTakeFirst();
}

export interface AssignmentWaitRow {
  assignment_id: string;
  /** Null when nothing is waited for any more; then the rest is too. */
  stage: string | null;
  waiting_on: string;
  who_can_act: string;
  how_to_act: string;
  since: Date;
  due_at: Date | null;
  paused: boolean;
  remaining_ms: number | null;
  breached: boolean;
  /** Without SoundCloud credentials nothing is verified. */
  degraded: boolean;
}

/** By assignment id; those the caller may not see are left out. Call this as the login, not as the caller. */
export async function assignmentWaits(
  trx: Trx,
  assignmentIds: readonly string[],
): Promise<Map<string, AssignmentWaitRow>> {
  if (assignmentIds.length === 0) return new Map();
  const { rows } = await sql<AssignmentWaitRow>`
    select * from private.assignment_waits(${[...assignmentIds]}::uuid[])`.execute(trx);
  return new Map(rows.map((row) => [row.assignment_id, row]));
}

export interface MemberRecord {
  completed: number;
  failed: number;
  skipped: number;
  /** Days that count. */
  days: number;
  prior_completed: number;
  prior_total: number;
}

/** Undefined for a member the caller is not, unless the caller is ops. Call this as the login, not as the caller. */
export async function memberRecord(
  trx: Trx,
  orgId: string,
  memberId: string,
  at: Date,
): Promise<MemberRecord | undefined> {
  const { rows } = await sql<MemberRecord>`
    select * from private.member_record(${orgId}, ${memberId}, ${at})`.execute(trx);
  return rows[0];
}

/** Two members who reposted each other. `first_id` < `second_id`. */
export interface ReciprocalPair {
  first_id: string;
  first_name: string;
  second_id: string;
  second_name: string;
  /** Completed reposts by the first for the second, and back. */
  first_for_second: number;
  second_for_first: number;
  /** Part of all completed reposts of the two that they made for each other, 0..1. */
  share: number;
}

/**
 * Pairs of members who support each other, most reposts in both directions first: what a network of mutual favours
 * looks like. Counts completed assignments with a slot since an instant; needs the caller to be ops.
 */
export async function reciprocalPairs(
  db: Queryable,
  orgId: string,
  question: { since: Date; until: Date; minimum: number; limit: number },
): Promise<ReciprocalPair[]> {
  const { since, until, minimum, limit } = question;
  const { rows } = await sql<ReciprocalPair>`
    with reposts as (
      select a.supporter_id, s.member_id as artist_id, count(*)::integer as times
      from public.soundcloud_queue_assignments a
      join public.soundcloud_submissions s on s.org_id = a.org_id and s.id = a.submission_id
      where a.org_id = ${orgId} and a.status = 'completed' and a.slot_at >= ${since} and a.slot_at < ${until}
        and s.member_id is not null
      group by a.supporter_id, s.member_id
    ), made as (
      select supporter_id, sum(times)::integer as times from reposts group by supporter_id
    )
    select there.supporter_id as first_id, first.name as first_name,
      there.artist_id as second_id, second.name as second_name,
      there.times as first_for_second, back.times as second_for_first,
      round((there.times + back.times)::numeric / (first_made.times + second_made.times), 4) as share
    from reposts there
    join reposts back on back.supporter_id = there.artist_id and back.artist_id = there.supporter_id
    join made first_made on first_made.supporter_id = there.supporter_id
    join made second_made on second_made.supporter_id = there.artist_id
    join public.soundcloud_members first on first.org_id = ${orgId} and first.id = there.supporter_id
    join public.soundcloud_members second on second.org_id = ${orgId} and second.id = there.artist_id
    where there.supporter_id < there.artist_id and least(there.times, back.times) >= ${minimum}
    order by least(there.times, back.times) desc, there.times + back.times desc, there.supporter_id, there.artist_id
    limit ${limit}`.execute(db);
  return rows;
}
