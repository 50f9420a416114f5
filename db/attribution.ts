/** Attribution as rows: what is tracked, its snapshots and its gaps. The same code for submissions and campaigns. */
import { type Selectable, sql } from 'kysely';
import type { Gap, Snapshot } from '../domain/attribution.js';
import type { Queryable, Trx } from './client.js';
import type { SoundcloudAttributionSnapshots, SoundcloudAttributions } from './schema.js';

export type AttributionParent = 'submission' | 'campaign';

export type AttributionRow = Selectable<SoundcloudAttributions>;
export type SnapshotRow = Selectable<SoundcloudAttributionSnapshots>;

/** What is tracked, and what its own rows say of start and end. Instants are business ms. */
export type ParentFacts = { label: string } & (
  | {
      type: 'submission';
      /** Date of the first published queue; null before. */
      startDate: string | null;
      firstSlotAt: number | null;
      /** False once every assignment is settled and none is to be replaced, or the submission is closed. */
      open: boolean;
      lastRepostAt: number | null;
    }
  | {
      type: 'campaign';
      startDate: string | null;
      endDate: string | null;
      attributionEndDate: string | null;
      cancelledAt: number | null;
    }
);

/** @returns undefined when there is no such parent in the org. */
export async function loadParentFacts(
  trx: Trx,
  orgId: string,
  type: AttributionParent,
  id: string,
): Promise<ParentFacts | undefined> {
  if (type === 'campaign') {
    const row = await trx
      .selectFrom('soundcloud_campaigns')
      .select(['artist_name', 'track_name', 'status', 'start_date', 'end_date', 'attribution_end_date'])
      .select(['closed_at', 'updated_at'])
      .where('org_id', '=', orgId)
      .where('id', '=', id)
      .executeTakeFirst();
    if (row === undefined) return undefined;
    const cancelled = row.status === 'cancelled' ? (row.closed_at ?? row.updated_at) : null;
    return {
      type,
      label: `${row.artist_name} – ${row.track_name}`.slice(0, 200),
      startDate: row.start_date,
      endDate: row.end_date,
      attributionEndDate: row.attribution_end_date,
      cancelledAt: cancelled?.getTime() ?? null,
    };
  }
  const { rows } = await sql<{
    label: string;
    start_date: string | null;
    first_slot_at: Date | null;
    open: boolean;
    last_repost_at: Date | null;
  }>`
    with published as (
      select a.*, q.date from public.soundcloud_queue_assignments a
      join public.soundcloud_queues q on q.org_id = a.org_id and q.id = a.queue_id and q.status = 'published'
      where a.org_id = ${orgId} and a.submission_id = ${id}
    )
    select coalesce(nullif(concat_ws(' – ', s.artist_name, s.track_name), ''), 'submission ' || s.id) as label,
      (select min(date)::text from published) as start_date,
      (select min(slot_at) from published) as first_slot_at,
      s.closed_at is null or exists (select from published where settled_at is null) as open,
      (select max(coalesce(completed_at, slot_at)) from published where status = 'completed') as last_repost_at
    from public.soundcloud_submissions s
    where s.org_id = ${orgId} and s.id = ${id}`.execute(trx);
  const row = rows[0];
  if (row === undefined) return undefined;
  return {
    type,
    label: row.label.slice(0, 200),
    startDate: row.start_date,
    firstSlotAt: row.first_slot_at?.getTime() ?? null,
    open: row.open,
    lastRepostAt: row.last_repost_at?.getTime() ?? null,
  };
}

/** The row, made when it is missing, and locked until the transaction ends. */
export async function lockAttribution(
  trx: Trx,
  row: {
    orgId: string;
    parentType: AttributionParent;
    parentId: string;
    startDate: string;
    /** Tracked from now on, also when the start lies ahead: for the trend. */
    today: string;
    baselineBy: number | null;
  },
): Promise<AttributionRow> {
  const baselineBy = row.baselineBy === null ? null : new Date(row.baselineBy);
  await sql`insert into public.soundcloud_attributions
      (org_id, parent_type, parent_id, start_date, first_date, baseline_by)
    values (${row.orgId}, ${row.parentType}, ${row.parentId}, ${row.startDate}::date,
      least(${row.startDate}::date, ${row.today}::date), ${baselineBy})
    on conflict (org_id, parent_type, parent_id) do nothing`.execute(trx);
  return trx
    .selectFrom('soundcloud_attributions')
    .selectAll()
    .where('org_id', '=', row.orgId)
    .where('parent_type', '=', row.parentType)
    .where('parent_id', '=', row.parentId)
    .forUpdate()
    .executeTakeFirstOrThrow();
}

export function findAttribution(
  db: Queryable,
  orgId: string,
  parentType: AttributionParent,
  parentId: string,
): Promise<AttributionRow | undefined> {
  return db
    .selectFrom('soundcloud_attributions')
    .selectAll()
    .where('org_id', '=', orgId)
    .where('parent_type', '=', parentType)
    .where('parent_id', '=', parentId)
    .executeTakeFirst();
}

export function gapsOf(row: Pick<AttributionRow, 'gaps'>): Gap[] {
  return row.gaps as unknown as Gap[];
}

/** Snapshots of a parent, oldest first. */
export function listSnapshots(
  db: Queryable,
  orgId: string,
  parentType: AttributionParent,
  parentId: string,
): Promise<SnapshotRow[]> {
  return db
    .selectFrom('soundcloud_attribution_snapshots')
    .selectAll()
    .where('org_id', '=', orgId)
    .where('parent_type', '=', parentType)
    .where('parent_id', '=', parentId)
    .orderBy('day_index')
    .execute();
}

/** The row in the words of the rules. The driver gives dates as text; the generated types do not know. */
export function asSnapshot(row: SnapshotRow): Snapshot {
  const { day_index, plays, likes, reposts, comments, followers } = row;
  return { day_index, snapshot_date: String(row.snapshot_date), plays, likes, reposts, comments, followers };
}

/**
 * Moves day 0 and renumbers the snapshots with it, in one transaction: dates stay, indexes follow. In two steps,
 * because one that takes the number of another in passing would be refused.
 */
export async function moveStart(trx: Trx, row: AttributionRow, startDate: string): Promise<void> {
  const { org_id: orgId, parent_type: type, parent_id: id } = row;
  const parent = sql`org_id = ${orgId} and parent_type = ${type} and parent_id = ${id}`;
  await sql`update public.soundcloud_attribution_snapshots
    set day_index = 1000000 + (snapshot_date - ${startDate}::date) where ${parent}`.execute(trx);
  await sql`update public.soundcloud_attribution_snapshots
    set day_index = day_index - 1000000 where ${parent}`.execute(trx);
  await sql`update public.soundcloud_attributions
    set start_date = ${startDate}::date, first_date = least(first_date, ${startDate}::date)
    where org_id = ${orgId} and id = ${row.id}`.execute(trx);
}

/** Keeps what the plan of a day found: gaps, the last day, and the end. @param closedAt business ms. */
export async function keepPlan(
  trx: Trx,
  row: AttributionRow,
  plan: { gaps: Gap[]; lastDate: string | null; closedAt: number | null },
): Promise<void> {
  await sql`update public.soundcloud_attributions
    set gaps = ${JSON.stringify(plan.gaps)}::jsonb, last_date = ${plan.lastDate}::date,
      closed_at = ${plan.closedAt === null ? null : new Date(plan.closedAt)}
    where org_id = ${row.org_id} and id = ${row.id}`.execute(trx);
}
