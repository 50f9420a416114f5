/** Sweeps over an org's accounts, how far Influence Planner's list was read, and who became inactive. */
import { sql } from 'kysely';
import { SWEEP_COUNTS, type SweepCounts, type SweepResult, sweepCounts } from '../domain/account-sweep.js';
import type { Queryable, Trx } from './client.js';
import { jsonb } from './json.js';

/** Begins a date's sweep, or takes it up again. @returns when it began, business ms. */
export async function openSweep(trx: Trx, orgId: string, date: string, at: number): Promise<number> {
  const row = await trx
    .insertInto('soundcloud_account_sweeps')
    .values({ org_id: orgId, date, started_at: new Date(at) })
    .onConflict((conflict) =>
      conflict.columns(['org_id', 'date']).doUpdateSet({ finished_at: null, outcome: null, notes: [] }),
    )
    .returning('started_at')
    .executeTakeFirstOrThrow();
  return row.started_at.getTime();
}

/** Adds to the counts of a date's sweep, in the transaction that did what is counted. */
export async function tally(
  trx: Trx,
  orgId: string,
  date: string,
  counts: Partial<SweepCounts>,
): Promise<void> {
  const added = SWEEP_COUNTS.filter((name) => (counts[name] ?? 0) !== 0);
  if (added.length === 0) return;
  const delta = JSON.stringify(Object.fromEntries(added.map((name) => [name, counts[name]])));
  await sql`
    update public.soundcloud_account_sweeps s
    set counts = s.counts || (
      select jsonb_object_agg(d.key, coalesce((s.counts ->> d.key)::integer, 0) + d.value::integer)
      from jsonb_each_text(${delta}::jsonb) d
    )
    where s.org_id = ${orgId} and s.date = ${date}::date`.execute(trx);
}

/** Ends a date's sweep. @param at business ms. */
export async function closeSweep(
  trx: Trx,
  orgId: string,
  end: { date: string; at: number; outcome: SweepResult['outcome']; notes: readonly string[] },
): Promise<SweepCounts> {
  const row = await trx
    .updateTable('soundcloud_account_sweeps')
    .set({ finished_at: new Date(end.at), outcome: end.outcome, notes: [...end.notes] })
    .where('org_id', '=', orgId)
    .where('date', '=', end.date)
    .returning('counts')
    .executeTakeFirstOrThrow();
  return sweepCounts(row.counts as Record<string, unknown>);
}

/** SoundCloud accounts of the org by status. */
export async function accountsByStatus(db: Queryable, orgId: string): Promise<SweepResult['accounts']> {
  const rows = await db
    .selectFrom('soundcloud_member_accounts')
    .select(['status', sql<number>`count(*)::int`.as('accounts')])
    .where('org_id', '=', orgId)
    .where('platform', '=', 'soundcloud')
    .groupBy('status')
    .execute();
  const none = { linked: 0, reconnect: 0, disconnected: 0, error: 0 };
  return { ...none, ...Object.fromEntries(rows.map(({ status, accounts }) => [status, accounts])) };
}

/**
 * Brings `last_activity_at` (a submission, a proof, a repost done) and `inactive_since` up to date. Members that somebody
 * else works on at this moment are left to the next sweep, so that nobody waits for anybody.
 * @param now business ms.
 */
export async function noteInactivity(
  trx: Trx,
  orgId: string,
  inactivityDays: number,
  now: number,
): Promise<{ inactive: number; became: number }> {
  const { rows: changed } = await sql<{ became: boolean }>`
    with activity as (
      select m.id, greatest(m.last_activity_at, m.last_submission_at, done.at) as at
      from public.soundcloud_members m
      left join (
        select supporter_id, max(greatest(proof_submitted_at, completed_at)) as at
        from public.soundcloud_queue_assignments where org_id = ${orgId} group by supporter_id
      ) as done on done.supporter_id = m.id
      where m.org_id = ${orgId}
    ), judged as (
      select a.id, a.at, ends.at as inactive_since
      from activity a
      left join lateral (
        select a.at + make_interval(hours => 24 * ${inactivityDays}::integer) as at
      ) as ends on ends.at <= ${new Date(now)}
    ), free as (
      select m.id, m.inactive_since is null and j.inactive_since is not null as became, j.at, j.inactive_since
      from judged j
      join public.soundcloud_members m on m.org_id = ${orgId} and m.id = j.id
      where (m.last_activity_at, m.inactive_since) is distinct from (j.at, j.inactive_since)
      order by m.id
      for update of m skip locked
    )
    update public.soundcloud_members m
    set last_activity_at = f.at, inactive_since = f.inactive_since
    from free f where m.org_id = ${orgId} and m.id = f.id
    returning f.became`.execute(trx);
  const { rows } = await sql<{ inactive: number }>`
    select count(*)::int as inactive from public.soundcloud_members
    where org_id = ${orgId} and inactive_since is not null`.execute(trx);
  return { inactive: rows[0]?.inactive ?? 0, became: changed.filter((row) => row.became).length };
}

export interface ReadCursor {
  /** The provider's time, epoch ms. */
  readUntil: number;
  fullSweepOn: string;
}

export async function loadCursor(trx: Trx, orgId: string, provider: string): Promise<ReadCursor | undefined> {
  const row = await trx
    .selectFrom('soundcloud_provider_cursors')
    .select(['read_until', 'full_sweep_on'])
    .where('org_id', '=', orgId)
    .where('provider', '=', provider)
    .executeTakeFirst();
  return row && { readUntil: row.read_until.getTime(), fullSweepOn: row.full_sweep_on };
}

/** Moves a cursor on; never back. @param fullSweepOn set when the whole list was read. */
export async function saveCursor(
  trx: Trx,
  orgId: string,
  provider: string,
  cursor: { readUntil: number; fullSweepOn: string | null },
): Promise<void> {
  const { readUntil, fullSweepOn } = cursor;
  const at = new Date(readUntil);
  if (fullSweepOn === null) {
    await sql`
      update public.soundcloud_provider_cursors set read_until = greatest(read_until, ${at})
      where org_id = ${orgId} and provider = ${provider}`.execute(trx);
    return;
  }
  await sql`
    insert into public.soundcloud_provider_cursors as c (org_id, provider, read_until, full_sweep_on)
    values (${orgId}, ${provider}, ${at}, ${fullSweepOn}::date)
    on conflict (org_id, provider) do update
    set read_until = greatest(c.read_until, excluded.read_until),
      full_sweep_on = greatest(c.full_sweep_on, excluded.full_sweep_on)`.execute(trx);
}

/** Whether an account was never looked for in Influence Planner's whole list. */
export async function anyUnsought(trx: Trx, orgId: string): Promise<boolean> {
  const { rows } = await sql<{ found: boolean }>`
    select exists (
      select from public.soundcloud_member_accounts a
      where a.org_id = ${orgId} and a.platform = 'soundcloud' and not a.connection_data ? 'influence_planner'
    ) as found`.execute(trx);
  return rows[0]?.found ?? false;
}

/** Notes of accounts that were there when a whole reading began and were not in it that they are absent. @param begunAt real ms. */
export async function markAbsent(trx: Trx, orgId: string, begunAt: number): Promise<void> {
  const absent = { user_id: null, membership_id: null, status: 'ABSENT', updated_at: null };
  await sql`
    update public.soundcloud_member_accounts a
    set connection_data = a.connection_data || jsonb_build_object('influence_planner', ${jsonb(absent)})
    where a.org_id = ${orgId} and a.platform = 'soundcloud' and not a.connection_data ? 'influence_planner'
      and a.created_at < ${new Date(begunAt)}`.execute(trx);
}
