/** Evidence that a repost is, or is not, there: `soundcloud_proof_checks`. Added once, never changed. */
import { type Selectable, sql } from 'kysely';
import type { Judgement, ListSource, ProofSource } from '../domain/proof-evidence.js';
import type { Queryable, Trx } from './client.js';
import { jsonb } from './json.js';
import type { SoundcloudProofChecks } from './schema.js';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export type ProofCheckRow = Selectable<SoundcloudProofChecks>;

export interface NewProofCheck extends Judgement {
  orgId: string;
  assignmentId: string;
  phase: 'proof' | 'watch' | 'audit';
  source: ProofSource;
  facts: Record<string, unknown>;
  /** Unique within the assignment: one row, however often it is written. */
  key: string;
  /** Business ms. */
  checkedAt: number;
}

/** @returns the row that stands under the key: this one, or the one that was written before. */
export async function storeProofCheck(trx: Trx, check: NewProofCheck): Promise<ProofCheckRow> {
  await trx
    .insertInto('soundcloud_proof_checks')
    .values({
      org_id: check.orgId,
      assignment_id: check.assignmentId,
      phase: check.phase,
      source: check.source,
      verdict: check.verdict,
      positive_control: check.positiveControl,
      facts: jsonb(check.facts),
      check_key: check.key,
      checked_at: new Date(check.checkedAt),
    })
    .onConflict((conflict) => conflict.columns(['org_id', 'assignment_id', 'check_key']).doNothing())
    .execute();
  const row = await findProofCheck(trx, check);
  if (row === undefined) throw new Error(`The proof check ${check.key} was not written.`);
  return row;
}

export async function findProofCheck(
  trx: Trx,
  check: { orgId: string; assignmentId: string; key: string },
): Promise<ProofCheckRow | undefined> {
  return trx
    .selectFrom('soundcloud_proof_checks')
    .selectAll()
    .where('org_id', '=', check.orgId)
    .where('assignment_id', '=', check.assignmentId)
    .where('check_key', '=', check.key)
    .executeTakeFirst();
}

/** Oldest first. */
export async function proofChecksOf(
  db: Queryable,
  orgId: string,
  assignmentId: string,
): Promise<ProofCheckRow[]> {
  return db
    .selectFrom('soundcloud_proof_checks')
    .selectAll()
    .where('org_id', '=', orgId)
    .where('assignment_id', '=', assignmentId)
    .orderBy('checked_at')
    .orderBy('id')
    .execute();
}

/**
 * Handles of whoever made the reposts that evidence names by id, of assignments or of campaigns' schedules. Those the
 * caller may not read are left out, and so is what is no id: evidence is JSON, and never changed once it is written.
 */
export async function makersOf(
  db: Queryable,
  orgId: string,
  ids: readonly string[],
): Promise<Map<string, string>> {
  const known = ids.filter((id) => UUID.test(id));
  const { rows } = await sql<{ id: string; handle: string }>`
    select made.id, account.handle
    from (
      select a.id, a.supporter_id as member_id, null::uuid as account_id
      from public.soundcloud_queue_assignments a where a.org_id = ${orgId} and a.id = any (${known}::uuid[])
      union all
      select item.id, null, item.member_account_id
      from public.soundcloud_schedules item where item.org_id = ${orgId} and item.id = any (${known}::uuid[])
    ) made
    join public.soundcloud_member_accounts account on account.org_id = ${orgId} and account.platform = 'soundcloud'
      and (account.member_id = made.member_id or account.id = made.account_id)`.execute(db);
  return new Map(rows.map(({ id, handle }) => [id, handle]));
}

/** A repost that is known to be later than a slot. */
export interface LaterRepost {
  /** Of the assignment it was made for, or of a campaign's schedule. */
  id: string;
  track_urn: string | null;
  track_url: string;
  /** Handle of who made it. */
  handle: string;
}

/** Whether two rows with `track_url`, `track_urn` and `live_link_url` name one track. */
function sameTrack(one: string, other: string) {
  const [a, b] = [sql.ref(one), sql.ref(other)];
  return sql<boolean>`(${a}.track_url = ${b}.track_url or ${a}.track_urn = ${b}.track_urn
    or ${a}.live_link_url = ${b}.track_url or ${a}.track_url = ${b}.live_link_url
    or ${a}.live_link_url = ${b}.live_link_url)`;
}

/**
 * Reposts that are known to be later than an assignment's slot, whether by the same supporter or of the same track:
 * what was asked for only after the slot, or what the scheduler reported with a later time. A later slot alone says
 * nothing, since people repost early; nor does a track that the same account may have reposted before, because
 * SoundCloud's lists have no times and the one they show may be the old one.
 */
export async function laterReposts(
  trx: Trx,
  orgId: string,
  assignment: { id: string; supporterId: string; trackUrl: string; slotAt: Date },
  of: 'supporter' | 'track',
): Promise<LaterRepost[]> {
  const { id, supporterId, trackUrl, slotAt } = assignment;
  const bySupporter = of === 'supporter';
  const wanted = (member: string, track: string) =>
    bySupporter
      ? sql`${sql.ref(member)} = ${supporterId} and ${sql.ref(track)} <> ${trackUrl}`
      : sql`${sql.ref(member)} <> ${supporterId} and ${sql.ref(track)} = ${trackUrl}`;
  const askedAfter = (assignmentId: string) => sql`exists (
    select from public.soundcloud_events e
    where e.org_id = ${orgId} and e.entity_id = ${sql.ref(assignmentId)} and e.type = 'assignment.published'
      and e.occurred_at > ${slotAt})`;
  const { rows } = await sql<LaterRepost>`
    with later as (
      select a.id, a.supporter_id as member_id, s.track_urn, s.track_url, s.live_link_url
      from public.soundcloud_queue_assignments a
      join public.soundcloud_submissions s on s.org_id = a.org_id and s.id = a.submission_id
      where a.org_id = ${orgId} and a.id <> ${id} and a.status in ('assigned', 'completed')
        and ${wanted('a.supporter_id', 's.track_url')}
        and (${askedAfter('a.id')} or exists (
          select from public.soundcloud_schedules item
          where item.org_id = a.org_id and item.assignment_id = a.id
            and item.status = 'completed' and item.completed_at > ${slotAt}
        ))
      union all
      select item.id, account.member_id, null, campaign.track_url, null
      from public.soundcloud_schedules item
      join public.soundcloud_campaigns campaign on campaign.org_id = item.org_id and campaign.id = item.parent_id
      join public.soundcloud_member_accounts account
        on account.org_id = item.org_id and account.id = item.member_account_id and account.platform = 'soundcloud'
      where item.org_id = ${orgId} and item.parent_type = 'campaign'
        and item.status = 'completed' and item.completed_at > ${slotAt}
        and ${wanted('account.member_id', 'campaign.track_url')}
    )
    select later.id, later.track_urn, later.track_url, account.handle
    from later
    join public.soundcloud_member_accounts account
      on account.org_id = ${orgId} and account.member_id = later.member_id and account.platform = 'soundcloud'
    where not exists (
      select from public.soundcloud_queue_assignments older
      join public.soundcloud_submissions track on track.org_id = older.org_id and track.id = older.submission_id
      join public.soundcloud_queues queue
        on queue.org_id = older.org_id and queue.id = older.queue_id and queue.status = 'published'
      where older.org_id = ${orgId} and older.supporter_id = later.member_id and older.id <> later.id
        and ${sameTrack('track', 'later')} and not ${askedAfter('older.id')}
    ) and not exists (
      select from public.soundcloud_schedules older
      join public.soundcloud_campaigns track on track.org_id = older.org_id and track.id = older.parent_id
      join public.soundcloud_member_accounts maker
        on maker.org_id = older.org_id and maker.id = older.member_account_id
      where older.org_id = ${orgId} and older.parent_type = 'campaign' and older.status <> 'cancelled'
        and maker.member_id = later.member_id and older.id <> later.id
        and track.track_url in (later.track_url, later.live_link_url)
        and coalesce(older.completed_at, older.scheduled_at, older.created_at) <= ${slotAt}
    )`.execute(trx);
  return rows;
}

/**
 * Whether an assignment's supporter is known to have reposted the track before it was asked for, while nothing says that
 * this repost is gone: what a list shows may then be the old one. It is gone when the same list was fresh since and did
 * not show it, or when the scheduler that made it was to take it down. Kept without an hour for that, it stays.
 */
export async function hasOlderRepost(
  trx: Trx,
  orgId: string,
  assignmentId: string,
  list: ListSource,
): Promise<boolean> {
  const { rows } = await sql<{ older: boolean }>`
    with asked as (
      select a.supporter_id, s.track_urn, s.track_url, s.live_link_url, coalesce((
        select min(e.occurred_at) from public.soundcloud_events e
        where e.org_id = a.org_id and e.entity_id = a.id and e.type = 'assignment.published'
      ), a.slot_at, a.created_at) as at
      from public.soundcloud_queue_assignments a
      join public.soundcloud_submissions s on s.org_id = a.org_id and s.id = a.submission_id
      where a.org_id = ${orgId} and a.id = ${assignmentId}
    ), made as (
      select older.id, max(c.checked_at) as at
      from asked
      join public.soundcloud_queue_assignments older
        on older.org_id = ${orgId} and older.supporter_id = asked.supporter_id and older.id <> ${assignmentId}
      join public.soundcloud_submissions track on track.org_id = older.org_id and track.id = older.submission_id
      join public.soundcloud_proof_checks c
        on c.org_id = older.org_id and c.assignment_id = older.id and c.verdict = 'seen' and c.checked_at < asked.at
      where ${sameTrack('track', 'asked')}
        and not (coalesce(older.slot_at + make_interval(hours => older.unrepost_after_hours) < asked.at, false) and exists (
          select from public.soundcloud_schedules item
          where item.org_id = older.org_id and item.assignment_id = older.id and item.status = 'completed'))
      group by older.id
      union all
      select item.id, item.completed_at
      from asked
      join public.soundcloud_campaigns track
        on track.org_id = ${orgId} and track.track_url in (asked.track_url, asked.live_link_url)
      join public.soundcloud_schedules item on item.org_id = track.org_id and item.parent_type = 'campaign'
        and item.parent_id = track.id and item.status = 'completed' and item.completed_at < asked.at
      join public.soundcloud_member_accounts maker on maker.org_id = item.org_id
        and maker.id = item.member_account_id and maker.member_id = asked.supporter_id
    )
    select exists (
      select from made
      where not exists (
        select from public.soundcloud_proof_checks missed
        where missed.org_id = ${orgId} and missed.assignment_id in (${assignmentId}, made.id)
          and missed.source = ${list} and missed.verdict = 'absent' and missed.positive_control
          and missed.checked_at > made.at)
    ) as older`.execute(trx);
  return rows[0]?.older ?? false;
}
