/**
 * Connections of accounts: `soundcloud_integration_status` (one row an account) with the account and its member. Whoever
 * changes them locks the row of the connection first, then accounts, wallets and members.
 */
import { sql } from 'kysely';
import type { AccountStatus } from '../domain/account-health.js';
import type { SizeTier } from '../domain/tiers.js';
import type { Trx } from './client.js';
import { lockWallets } from './credits.js';

/** `connection_data` of an account, as far as the sweep keeps it. */
export interface ConnectionData {
  /** Resolved once for a handle. */
  soundcloud?: { urn: string; resolved_from: string };
  influence_planner?: PlannerRecord;
}

export interface PlannerRecord {
  /** `SOUNDCLOUD-USER-<n>`; null where the list was read and the account was not in it. */
  user_id: string | null;
  membership_id: string | null;
  /** The vendor's, or `ABSENT`. */
  status: string;
  /** The vendor's time of the row, ISO; null with `ABSENT`. */
  updated_at: string | null;
}

export interface ConnectionRow {
  id: string;
  account_id: string;
  member_id: string;
  handle: string;
  follower_count: number;
  status: AccountStatus;
  data: ConnectionData;
  size_tier: SizeTier;
  below_tier_syncs: number;
  checked_on: string | null;
  error_count: number;
  unhealthy_since: Date | null;
  reconnect_prompts: number;
  reconnect_sent_at: Date | null;
}

const connections = sql`
  select s.id, a.id as account_id, a.member_id, a.handle, a.follower_count, a.status, a.connection_data as data,
    m.size_tier, m.below_tier_syncs, s.checked_on, s.error_count, s.unhealthy_since, s.reconnect_prompts,
    s.reconnect_sent_at
  from public.soundcloud_integration_status s
  join public.soundcloud_member_accounts a on a.org_id = s.org_id and a.id = s.member_account_id
  join public.soundcloud_members m on m.org_id = a.org_id and m.id = a.member_id`;

/**
 * Gives every SoundCloud account its row, under its present handle.
 * @returns accounts left without one, because another account of the org has the same handle.
 */
export async function openConnections(trx: Trx, orgId: string): Promise<number> {
  await sql`
    update public.soundcloud_integration_status s set account_handle = a.handle
    from public.soundcloud_member_accounts a
    where s.org_id = ${orgId} and a.org_id = s.org_id and a.id = s.member_account_id and a.handle <> s.account_handle
      and not exists (
        select from public.soundcloud_integration_status other
        where other.org_id = s.org_id and other.platform = s.platform and other.account_handle = a.handle
      )`.execute(trx);
  await sql`
    insert into public.soundcloud_integration_status as s
      (org_id, account_handle, platform, member_account_id, status, last_check_at)
    select distinct on (a.handle) a.org_id, a.handle, a.platform, a.id, a.status, private.business_now()
    from public.soundcloud_member_accounts a
    where a.org_id = ${orgId} and a.platform = 'soundcloud' and not exists (
      select from public.soundcloud_integration_status known
      where known.org_id = a.org_id and known.member_account_id = a.id
    )
    order by a.handle, a.created_at, a.id
    on conflict (org_id, account_handle, platform) do update set member_account_id = excluded.member_account_id
      where s.member_account_id is null`.execute(trx);
  const { rows } = await sql<{ left_out: number }>`
    select count(*)::int as left_out from public.soundcloud_member_accounts a
    where a.org_id = ${orgId} and a.platform = 'soundcloud' and not exists (
      select from public.soundcloud_integration_status known
      where known.org_id = a.org_id and known.member_account_id = a.id
    )`.execute(trx);
  return rows[0]?.left_out ?? 0;
}

/** Accounts whose profile is due on a date, after an account's id: those not looked at, or in vain. */
export async function profilesDue(
  trx: Trx,
  orgId: string,
  page: { date: string; after: string | null; limit: number },
): Promise<ConnectionRow[]> {
  const { date, after, limit } = page;
  const { rows } = await sql<ConnectionRow>`
    ${connections}
    where s.org_id = ${orgId} and a.platform = 'soundcloud' and (${after}::uuid is null or a.id > ${after}::uuid)
      and (s.checked_on is null or s.checked_on < ${date}::date or s.error_count > 0)
    order by a.id limit ${limit}`.execute(trx);
  return rows;
}

/** Accounts as they are now, locked until the transaction ends. */
export async function lockConnections(
  trx: Trx,
  orgId: string,
  accountIds: readonly string[],
): Promise<ConnectionRow[]> {
  await sql`
    select from public.soundcloud_integration_status s
    where s.org_id = ${orgId} and s.member_account_id = any (${accountIds}::uuid[])
    order by s.member_account_id for update`.execute(trx);
  const { rows } = await sql<ConnectionRow>`
    ${connections} where s.org_id = ${orgId} and s.member_account_id = any (${accountIds}::uuid[])
    order by a.id`.execute(trx);
  return rows;
}

/**
 * Locks accounts and these members' wallets, each in id order, until the transaction ends: all that it will write, at once,
 * because locks that come by and by are in no order.
 */
export async function lockAccountsAndWallets(
  trx: Trx,
  orgId: string,
  of: { accountIds: readonly string[]; memberIds: readonly string[] },
): Promise<void> {
  await sql`
    select from public.soundcloud_member_accounts a
    where a.org_id = ${orgId} and a.id = any (${of.accountIds}::uuid[])
    order by a.id for no key update`.execute(trx);
  await lockWallets(trx, orgId, of.memberIds);
}

/** Accounts that a row of Influence Planner may be about: by SoundCloud URN, or by handle (lower case). */
export async function connectionsNamed(
  trx: Trx,
  orgId: string,
  names: { urns: readonly string[]; handles: readonly string[] },
): Promise<Pick<ConnectionRow, 'account_id' | 'handle' | 'data'>[]> {
  const { rows } = await sql<ConnectionRow>`
    ${connections}
    where s.org_id = ${orgId} and a.platform = 'soundcloud' and (
      a.connection_data -> 'soundcloud' ->> 'urn' = any (${names.urns}::text[])
      or lower(a.handle) = any (${names.handles}::text[])
    )
    order by a.id`.execute(trx);
  return rows;
}

/** Unhealthy accounts after an account's id. */
export async function unhealthyConnections(
  trx: Trx,
  orgId: string,
  page: { after: string | null; limit: number },
): Promise<ConnectionRow[]> {
  const { rows } = await sql<ConnectionRow>`
    ${connections}
    where s.org_id = ${orgId} and s.unhealthy_since is not null and a.status <> 'linked'
      and (${page.after}::uuid is null or a.id > ${page.after}::uuid)
    order by a.id limit ${page.limit}`.execute(trx);
  return rows;
}

/** What becomes of an account. */
export interface ConnectionChange {
  id: string;
  account_id: string;
  member_id: string;
  status: AccountStatus;
  data: ConnectionData;
  error_count: number;
  unhealthy_since: string | null;
  reconnect_prompts: number;
  last_error_message: string | null;
  /** Whether the profile was found, or Influence Planner answered. */
  succeeded: boolean;
  /** The date of a look at the profile; null leaves the former one. */
  checked_on: string | null;
}

/** Writes a page of changes: the rows, the accounts, and what the members are by them. @param at business ms. */
export async function saveConnections(
  trx: Trx,
  orgId: string,
  changes: readonly ConnectionChange[],
  at: number,
): Promise<void> {
  if (changes.length === 0) return;
  const rows = JSON.stringify(changes);
  const now = new Date(at);
  // All members, not those that seem to move: which ones do is known only with the locks.
  await lockAccountsAndWallets(trx, orgId, {
    accountIds: changes.map((change) => change.account_id),
    memberIds: changes.map((change) => change.member_id),
  });
  await sql`
    update public.soundcloud_integration_status s
    set status = r.status, error_count = r.error_count, unhealthy_since = r.unhealthy_since,
      reconnect_prompts = r.reconnect_prompts, last_check_at = ${now},
      last_success_at = case when r.succeeded then ${now} else s.last_success_at end,
      last_error_message = coalesce(r.last_error_message, case when r.error_count > 0 then s.last_error_message end),
      checked_on = coalesce(greatest(r.checked_on, s.checked_on), r.checked_on)
    from jsonb_to_recordset(${rows}::jsonb) as r (id uuid, status public.soundcloud_connection_status,
      error_count integer, unhealthy_since timestamptz, reconnect_prompts integer, last_error_message text,
      succeeded boolean, checked_on date)
    where s.org_id = ${orgId} and s.id = r.id`.execute(trx);
  await sql`
    update public.soundcloud_member_accounts a
    set status = r.status, connection_data = a.connection_data || r.data
    from jsonb_to_recordset(${rows}::jsonb) as r (account_id uuid, status public.soundcloud_connection_status, data jsonb)
    where a.org_id = ${orgId} and a.id = r.account_id
      and (a.status <> r.status or a.connection_data is distinct from a.connection_data || r.data)`.execute(
    trx,
  );
  await sql`
    update public.soundcloud_members m set status = wanted.status
    from (
      select r.member_id,
        (case r.status when 'linked' then 'active' else 'needs_reconnect' end)::public.soundcloud_member_status as status
      from jsonb_to_recordset(${rows}::jsonb) as r (member_id uuid, status text)
    ) as wanted
    where m.org_id = ${orgId} and m.id = wanted.member_id and m.status <> wanted.status`.execute(trx);
}

/** Forgets what Influence Planner said of an account whose handle is another one now. */
export async function forgetPlanner(trx: Trx, orgId: string, accountIds: readonly string[]): Promise<void> {
  if (accountIds.length === 0) return;
  await sql`
    update public.soundcloud_member_accounts set connection_data = connection_data - 'influence_planner'
    where org_id = ${orgId} and id = any (${accountIds}::uuid[])`.execute(trx);
}

/** A member was asked to reconnect. @param at business ms. */
export async function savePrompt(
  trx: Trx,
  orgId: string,
  prompt: { id: string; prompts: number; at: number },
): Promise<void> {
  await sql`
    update public.soundcloud_integration_status
    set reconnect_prompts = ${prompt.prompts}, reconnect_sent_at = ${new Date(prompt.at)}
    where org_id = ${orgId} and id = ${prompt.id}`.execute(trx);
}

/** Published assignments of members that are still to be done: nobody handed in a proof, the slot is to come. */
export async function assignmentsToDo(
  trx: Trx,
  orgId: string,
  memberIds: readonly string[],
  at: number,
): Promise<{ id: string; supporter_id: string }[]> {
  const { rows } = await sql<{ id: string; supporter_id: string }>`
    select a.id, a.supporter_id
    from public.soundcloud_queue_assignments a
    join public.soundcloud_queues q on q.org_id = a.org_id and q.id = a.queue_id and q.status = 'published'
    where a.org_id = ${orgId} and a.supporter_id = any (${memberIds}::uuid[]) and a.status = 'assigned'
      and a.settled_at is null and a.proof_url is null and a.slot_at > ${new Date(at)}
    order by a.id`.execute(trx);
  return rows;
}

/** One profile as the follower sync takes it. */
export interface FollowerRow {
  member_id: string;
  account_id: string;
  followers: number;
  size_tier: SizeTier;
  below_tier_syncs: number;
}

export interface TierChange {
  member_id: string;
  tier_before: SizeTier;
  tier_after: SizeTier;
}

/** Writes followers and tiers with what follows for wallets. @returns whose tier changed. */
export async function applyFollowerSync(
  trx: Trx,
  orgId: string,
  rows: readonly FollowerRow[],
  at: number,
): Promise<TierChange[]> {
  if (rows.length === 0) return [];
  const { rows: changes } = await sql<TierChange>`
    select * from private.apply_follower_sync(${orgId}, ${JSON.stringify(rows)}::jsonb, ${new Date(at)})`.execute(
    trx,
  );
  return changes;
}
