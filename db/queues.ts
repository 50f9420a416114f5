/** What the daily queue reads and writes of `soundcloud_queues` and its assignments. */
import { type Selectable, sql } from 'kysely';
import type { AssignmentTerms } from '../domain/assignment-terms.js';
import type { QueueAssignment } from '../domain/queue-generation-types.js';
import type { Trx } from './client.js';
import { jsonb } from './json.js';
import type { SoundcloudQueues } from './schema.js';

export type QueueRow = Selectable<SoundcloudQueues>;

/** Ops insisted on a pair against the rules. */
export interface PairOverride {
  codes: string[];
  reason: string;
  by: string;
}

/** An assignment as a draft keeps it: what was planned, with the id of its row. */
export interface DraftAssignment extends QueueAssignment {
  id: string;
  /** The skipped or failed assignment it takes the place of. */
  replacement_for: string | null;
  override: PairOverride | null;
}

/** @param lock true to keep others from changing the queue until the transaction ends; taken before any wallet. */
export async function loadQueue(
  trx: Trx,
  orgId: string,
  date: string,
  options: { lock?: boolean } = {},
): Promise<QueueRow | undefined> {
  const query = trx
    .selectFrom('soundcloud_queues')
    .selectAll()
    .where('org_id', '=', orgId)
    .where('date', '=', sql<string>`${date}::date`);
  return (options.lock ? query.forUpdate() : query).executeTakeFirst();
}

export async function loadQueueById(trx: Trx, orgId: string, id: string): Promise<QueueRow | undefined> {
  return trx
    .selectFrom('soundcloud_queues')
    .selectAll()
    .where('org_id', '=', orgId)
    .where('id', '=', id)
    .executeTakeFirst();
}

export async function insertQueue(trx: Trx, orgId: string, date: string): Promise<QueueRow> {
  return trx
    .insertInto('soundcloud_queues')
    .values({ org_id: orgId, date, status: 'draft' })
    .returningAll()
    .executeTakeFirstOrThrow();
}

export async function patchQueue(
  trx: Trx,
  orgId: string,
  id: string,
  columns: Partial<Omit<QueueRow, 'id' | 'org_id' | 'date' | 'totals'>> & { totals?: object },
): Promise<void> {
  const { totals, ...plain } = columns;
  await trx
    .updateTable('soundcloud_queues')
    .set({ ...plain, ...(totals !== undefined && { totals: jsonb(totals) }) })
    .where('org_id', '=', orgId)
    .where('id', '=', id)
    .execute();
}

/** Makes the queue's rows those of a draft: no workflow and no hold depends on them before the queue is published. */
export async function replaceAssignments(
  trx: Trx,
  orgId: string,
  queueId: string,
  assignments: readonly DraftAssignment[],
): Promise<void> {
  await deleteAssignments(trx, orgId, queueId, null);
  await insertAssignments(trx, orgId, queueId, assignments);
}

/** @param ids null = all of the queue. */
export async function deleteAssignments(
  trx: Trx,
  orgId: string,
  queueId: string,
  ids: readonly string[] | null,
): Promise<void> {
  await sql`
    delete from public.soundcloud_queue_assignments
    where org_id = ${orgId} and queue_id = ${queueId}
      and (${ids}::uuid[] is null or id = any (${ids === null ? null : [...ids]}::uuid[]))`.execute(trx);
}

export async function insertAssignments(
  trx: Trx,
  orgId: string,
  queueId: string,
  assignments: readonly DraftAssignment[],
): Promise<void> {
  if (assignments.length === 0) return;
  const rows = assignments.map((assignment) => ({
    id: assignment.id,
    submission_id: assignment.submission_id,
    supporter_id: assignment.supporter_id,
    position: assignment.position,
    credits_allocated: assignment.credits,
    reach: assignment.reach,
    reach_factor: assignment.reach_factor,
    slot_at: new Date(assignment.slot_at).toISOString(),
    replacement_for: assignment.replacement_for,
  }));
  await sql`
    insert into public.soundcloud_queue_assignments
      (id, org_id, queue_id, submission_id, supporter_id, position, credits_allocated, reach, reach_factor, slot_at,
       replacement_for)
    select r.id, ${orgId}::uuid, ${queueId}::uuid, r.submission_id, r.supporter_id, r.position, r.credits_allocated,
      r.reach, r.reach_factor, r.slot_at, r.replacement_for
    from jsonb_to_recordset(${jsonb(rows)}) as r (id uuid, submission_id uuid, supporter_id uuid, position integer,
      credits_allocated integer, reach integer, reach_factor numeric, slot_at timestamptz, replacement_for uuid)`.execute(
    trx,
  );
}

/** Keeps with assignments that go out what their supporters are promised. */
export async function keepTerms(
  trx: Trx,
  orgId: string,
  ids: readonly string[],
  terms: AssignmentTerms,
): Promise<void> {
  await sql`
    update public.soundcloud_queue_assignments
    set fee_percent = ${terms.feePercent}, unrepost_after_hours = ${terms.unrepostAfterHours}
    where org_id = ${orgId} and id = any (${[...ids]}::uuid[])`.execute(trx);
}

export interface QueueTotals {
  assignments: number;
  open: number;
  completed: number;
  skipped: number;
  failed: number;
  /** Credits of holds that were captured, and given back. */
  captured: number;
  released: number;
  /** Reach of completed assignments. */
  reach: number;
}

/** Counts of a published queue. */
export async function queueTotals(trx: Trx, orgId: string, queueId: string): Promise<QueueTotals> {
  const { rows } = await sql<QueueTotals>`
    select count(*)::int as assignments,
      count(*) filter (where a.settled_at is null)::int as open,
      count(*) filter (where a.status = 'completed')::int as completed,
      count(*) filter (where a.status = 'skipped')::int as skipped,
      count(*) filter (where a.status = 'failed')::int as failed,
      coalesce(sum(hold.amount) filter (where hold.status = 'captured'), 0)::int as captured,
      coalesce(sum(hold.amount) filter (where hold.status = 'released'), 0)::int as released,
      coalesce(sum(a.reach) filter (where a.status = 'completed'), 0)::int as reach
    from public.soundcloud_queue_assignments a
    left join public.soundcloud_credit_holds hold on hold.org_id = a.org_id and hold.assignment_id = a.id
    where a.org_id = ${orgId} and a.queue_id = ${queueId}`.execute(trx);
  const [row] = rows;
  if (row === undefined) throw new Error('An aggregate gave no row.');
  return row;
}
