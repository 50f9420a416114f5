/** What the assignment's lifecycle reads and writes of `soundcloud_queue_assignments`. */
import { type Selectable, sql } from 'kysely';
import type { AssignmentPatch, AssignmentState } from '../domain/assignment-state.js';
import type { Trx } from './client.js';
import type { SoundcloudQueueAssignments } from './schema.js';

export type AssignmentRow = Selectable<SoundcloudQueueAssignments>;

/** An assignment with what its supporter must know. */
export interface AssignmentFacts extends AssignmentRow {
  /** `YYYY-MM-DD` */
  queue_date: string;
  track_url: string;
  track_urn: string | null;
  live_link_url: string | null;
  track_name: string | null;
  artist_name: string | null;
  /** SoundCloud handle of the supporter. */
  handle: string | null;
}

/** Undefined when the org has none with that id. */
export async function loadAssignment(
  trx: Trx,
  orgId: string,
  id: string,
): Promise<AssignmentFacts | undefined> {
  const row = await trx
    .selectFrom('soundcloud_queue_assignments as assignment')
    .innerJoin('soundcloud_queues as queue', (join) =>
      join.onRef('queue.org_id', '=', 'assignment.org_id').onRef('queue.id', '=', 'assignment.queue_id'),
    )
    .innerJoin('soundcloud_submissions as submission', (join) =>
      join
        .onRef('submission.org_id', '=', 'assignment.org_id')
        .onRef('submission.id', '=', 'assignment.submission_id'),
    )
    .leftJoin('soundcloud_member_accounts as account', (join) =>
      join
        .onRef('account.org_id', '=', 'assignment.org_id')
        .onRef('account.member_id', '=', 'assignment.supporter_id')
        .on('account.platform', '=', 'soundcloud'),
    )
    .selectAll('assignment')
    .select([
      sql<string>`queue.date::text`.as('queue_date'),
      'submission.track_url',
      'submission.track_urn',
      'submission.live_link_url',
      'submission.track_name',
      'submission.artist_name',
      'account.handle',
    ])
    .where('assignment.org_id', '=', orgId)
    .where('assignment.id', '=', id)
    .executeTakeFirst();
  return row;
}

/** Keeps others from changing the row until the transaction ends. */
export async function lockAssignment(
  trx: Trx,
  orgId: string,
  id: string,
): Promise<AssignmentRow | undefined> {
  return trx
    .selectFrom('soundcloud_queue_assignments')
    .selectAll()
    .where('org_id', '=', orgId)
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst();
}

/** Locks the queue's row: who settles or publishes does so before anything else (docs/decisions/0071). */
export async function lockQueue(trx: Trx, orgId: string, queueId: string): Promise<void> {
  await trx
    .selectFrom('soundcloud_queues')
    .select('id')
    .where('org_id', '=', orgId)
    .where('id', '=', queueId)
    .forUpdate()
    .executeTakeFirstOrThrow();
}

/** Writes the columns a transition names. */
export async function patchAssignment(
  trx: Trx,
  orgId: string,
  id: string,
  patch: AssignmentPatch & { settled_at?: number },
): Promise<void> {
  const { completed_at, proof_submitted_at, settled_at, ...plain } = patch;
  const columns = {
    ...plain,
    ...(completed_at !== undefined && { completed_at: new Date(completed_at) }),
    ...(proof_submitted_at !== undefined && { proof_submitted_at: new Date(proof_submitted_at) }),
    ...(settled_at !== undefined && { settled_at: new Date(settled_at) }),
  };
  if (Object.keys(columns).length === 0) return;
  await trx
    .updateTable('soundcloud_queue_assignments')
    .set(columns)
    .where('org_id', '=', orgId)
    .where('id', '=', id)
    .execute();
}

/** A proof that was refused and stands in the row, because it was written there directly, gives way to the one before. */
export async function dropRefusedProof(
  trx: Trx,
  orgId: string,
  id: string,
  urls: { refused: string; before: string | null },
): Promise<boolean> {
  const result = await trx
    .updateTable('soundcloud_queue_assignments')
    .set({
      proof_url: urls.before,
      ...(urls.before === null && { proof_submitted_at: null }),
    })
    .where('org_id', '=', orgId)
    .where('id', '=', id)
    .where('proof_url', '=', urls.refused)
    .where('proof_url', 'is distinct from', urls.before)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** How many assignments of a queue are not settled. */
export async function unsettledIn(trx: Trx, orgId: string, queueId: string): Promise<number> {
  const { open } = await trx
    .selectFrom('soundcloud_queue_assignments')
    .select(sql<number>`count(*)::integer`.as('open'))
    .where('org_id', '=', orgId)
    .where('queue_id', '=', queueId)
    .where('settled_at', 'is', null)
    .executeTakeFirstOrThrow();
  return open;
}

/** Credits held for an assignment that are neither spent nor given back; null when there are none. */
export async function openHold(trx: Trx, orgId: string, assignmentId: string): Promise<number | null> {
  const hold = await trx
    .selectFrom('soundcloud_credit_holds')
    .select('amount')
    .where('org_id', '=', orgId)
    .where('assignment_id', '=', assignmentId)
    .where('status', '=', 'open')
    .executeTakeFirst();
  return hold?.amount ?? null;
}

/** The supporter did something. Never earlier than what is known. @param at business ms */
export async function noteActivity(trx: Trx, orgId: string, memberId: string, at: number): Promise<void> {
  await trx
    .updateTable('soundcloud_members')
    .set({ last_activity_at: sql<Date>`greatest(last_activity_at, ${new Date(at)}::timestamptz)` })
    .where('org_id', '=', orgId)
    .where('id', '=', memberId)
    .execute();
}

/** The state that the newest step left behind; null when no step was taken yet. */
export async function lastAssignmentState(
  trx: Trx,
  orgId: string,
  workflowId: string,
): Promise<AssignmentState | null> {
  const { rows } = await sql<{ state: AssignmentState }>`
    select result -> 'value' -> 'state' as state from public.soundcloud_commands
    where org_id = ${orgId} and workflow_id = ${workflowId} and status = 'applied'
      and result -> 'value' -> 'state' is not null
    order by (result -> 'value' -> 'state' ->> 'revision')::integer desc
    limit 1`.execute(trx);
  return rows[0]?.state ?? null;
}

/** The row is terminal. @param at business ms. */
export async function closeAssignmentRow(trx: Trx, orgId: string, id: string, at: number): Promise<void> {
  await trx
    .updateTable('soundcloud_queue_assignments')
    .set({ closed_at: new Date(at) })
    .where('org_id', '=', orgId)
    .where('id', '=', id)
    .where('closed_at', 'is', null)
    .execute();
}
