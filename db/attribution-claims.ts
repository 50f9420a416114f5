/**
 * The numbers of a day are asked for together: one activity claims every attribution of the org that is due, the others
 * find theirs claimed or done. A claim is a lease, so that one that died with its worker is free again.
 */
import { sql } from 'kysely';
import type { Counts } from '../domain/attribution.js';
import type { AttributionParent } from './attribution.js';
import type { Trx } from './client.js';
import { emitEvents } from './events.js';
import { jsonb } from './json.js';

export interface ClaimedAttribution {
  id: string;
  parent_type: AttributionParent;
  parent_id: string;
  start_date: string;
  baseline_by: Date | null;
  track_urn: string | null;
  track_url: string;
}

export interface DueQuestion {
  orgId: string;
  parentType: AttributionParent;
  parentId: string;
  /** `YYYY-MM-DD`. */
  date: string;
  /** The call this is a try of: a repeated try takes its own claims again. */
  taker: string;
  /** Business ms. */
  now: number;
  /** How long a claim stands, business ms. */
  leaseMs: number;
}

/** Most attributions of one claim: six requests for tracks, and as many for their artists. */
const MOST_CLAIMED = 300;

/** The date is among the days tracked, and not given up. */
function dueOn(date: string) {
  return sql`a.first_date <= ${date}::date and coalesce(a.last_date >= ${date}::date, true)
    and not a.gaps @> ${JSON.stringify([{ date }])}::jsonb`;
}

/** How one's own attribution stands on a date. `closed`: the date is not, or no longer, to be captured. */
export async function standOf(
  trx: Trx,
  { orgId, parentType, parentId, date, taker, now }: DueQuestion,
): Promise<'captured' | 'free' | 'claimed' | 'failed' | 'closed'> {
  const { rows } = await sql<{ captured: boolean; claimed: boolean; failed: boolean; closed: boolean }>`
    select a.closed_at is not null or not (${dueOn(date)}) as closed,
      exists (select from public.soundcloud_attribution_snapshots s
        where s.org_id = a.org_id and s.parent_type = a.parent_type and s.parent_id = a.parent_id
          and s.snapshot_date = ${date}::date) as captured,
      a.claimed_until > ${new Date(now)} and a.claimed_by is distinct from ${taker} as claimed,
      a.last_error is not null as failed
    from public.soundcloud_attributions a
    where a.org_id = ${orgId} and a.parent_type = ${parentType} and a.parent_id = ${parentId}`.execute(trx);
  const row = rows[0];
  if (row === undefined || row.closed) return 'closed';
  if (row.captured) return 'captured';
  if (!row.claimed) return 'free';
  return row.failed ? 'failed' : 'claimed';
}

/** Claims what is due on a date and free, one's own first. */
export async function claimDue(trx: Trx, question: DueQuestion): Promise<ClaimedAttribution[]> {
  const { orgId, parentId, date, taker, now, leaseMs } = question;
  const { rows } = await sql<ClaimedAttribution>`
    with due as (
      select a.id from public.soundcloud_attributions a
      where a.org_id = ${orgId} and a.closed_at is null and ${dueOn(date)}
        and (a.claimed_until is null or a.claimed_until <= ${new Date(now)} or a.claimed_by = ${taker})
        and not exists (select from public.soundcloud_attribution_snapshots s
          where s.org_id = a.org_id and s.parent_type = a.parent_type and s.parent_id = a.parent_id
            and s.snapshot_date = ${date}::date)
      order by a.parent_id = ${parentId} desc, a.id
      limit ${MOST_CLAIMED}
      for update skip locked
    ), claimed as (
      update public.soundcloud_attributions a
      set claimed_by = ${taker}, last_error = null,
        claimed_until = ${new Date(now + leaseMs)}
      from due where a.org_id = ${orgId} and a.id = due.id
      returning a.*
    )
    select c.id, c.parent_type, c.parent_id, c.start_date::text as start_date, c.baseline_by,
      coalesce(s.track_urn, c.track_urn) as track_urn,
      coalesce(s.live_link_url, s.track_url, campaign.track_url) as track_url
    from claimed c
    left join public.soundcloud_submissions s
      on s.org_id = c.org_id and s.id = c.parent_id and c.parent_type = 'submission'
    left join public.soundcloud_campaigns campaign
      on campaign.org_id = c.org_id and campaign.id = c.parent_id and c.parent_type = 'campaign'
    order by c.id`.execute(trx);
  return rows;
}

/**
 * Gives claims back. @param error why there are no numbers; the claim then stands for its lease, so that the others of
 * the batch do not ask at once for what was just refused.
 */
export async function releaseClaims(
  trx: Trx,
  input: Pick<DueQuestion, 'orgId' | 'taker' | 'now' | 'leaseMs'> & { error: string | null },
): Promise<void> {
  const { orgId, taker, error, now, leaseMs } = input;
  await sql`update public.soundcloud_attributions
    set claimed_by = case when ${error}::text is null then null else 'failed' end, last_error = ${error},
      claimed_until = case when ${error}::text is null then null
        else ${new Date(now + leaseMs)}::timestamptz end
    where org_id = ${orgId} and claimed_by = ${taker}`.execute(trx);
}

/** The numbers of a day for one claim. */
export interface NewSnapshot {
  claim: ClaimedAttribution;
  dayIndex: number;
  counts: Counts;
  urn: string;
  metadata: Record<string, unknown>;
}

/**
 * Writes snapshots of a date with their events and gives the claims back, in a few statements however many. Once a day:
 * numbers that are there already, measured or entered by hand, stay.
 * @param day.date `YYYY-MM-DD` @param day.collectedAt business ms
 */
export async function writeSnapshots(
  trx: Trx,
  orgId: string,
  day: { date: string; collectedAt: number },
  snapshots: readonly NewSnapshot[],
): Promise<void> {
  if (snapshots.length === 0) return;
  const { date, collectedAt } = day;
  const rows = snapshots.map(({ claim, dayIndex, counts, urn, metadata }) => ({
    attribution_id: claim.id,
    parent_type: claim.parent_type,
    parent_id: claim.parent_id,
    day_index: dayIndex,
    ...counts,
    urn,
    metadata,
  }));
  const { rows: written } = await sql<{ id: string; parent_type: AttributionParent; parent_id: string }>`
    insert into public.soundcloud_attribution_snapshots
      (org_id, parent_type, parent_id, day_index, snapshot_date, plays, likes, reposts, comments, followers,
       collected_at, collection_source, metadata)
    select ${orgId}::uuid, r.parent_type, r.parent_id, r.day_index, ${date}::date, r.plays, r.likes, r.reposts,
      r.comments, r.followers, ${new Date(collectedAt)}, 'soundcloud', r.metadata
    from jsonb_to_recordset(${jsonb(rows)}) as r (parent_type text, parent_id uuid, day_index integer, plays integer,
      likes integer, reposts integer, comments integer, followers integer, metadata jsonb)
    on conflict (org_id, parent_type, parent_id, day_index) do nothing
    returning id, parent_type, parent_id`.execute(trx);
  await sql`
    update public.soundcloud_attributions a
    set track_urn = r.urn, claimed_until = null, claimed_by = null, last_error = null
    from jsonb_to_recordset(${jsonb(rows)}) as r (attribution_id uuid, urn text)
    where a.org_id = ${orgId} and a.id = r.attribution_id`.execute(trx);
  const byParent = new Map(snapshots.map((snapshot) => [parentOf(snapshot.claim), snapshot]));
  await emitEvents(
    trx,
    written.flatMap(({ id, parent_type, parent_id }) => {
      const snapshot = byParent.get(parentOf({ parent_type, parent_id }));
      if (snapshot === undefined) return [];
      const { dayIndex: day_index, counts } = snapshot;
      return {
        orgId,
        type: 'snapshot.captured' as const,
        entityType: 'snapshot',
        entityId: id,
        data: { parent_type, parent_id, day_index, snapshot_date: date, source: 'soundcloud', ...counts },
        occurredAt: collectedAt,
        dedupeKey: `snapshot.captured:${parent_type}:${parent_id}:${date}`,
      };
    }),
  );
}

function parentOf(parent: Pick<ClaimedAttribution, 'parent_type' | 'parent_id'>): string {
  return `${parent.parent_type}:${parent.parent_id}`;
}
