/** Connections of accounts as ops read them. */
import { sql } from 'kysely';
import type { AccountHealthSettings, AccountStatus } from '../domain/account-health.js';
import { type PartialSettings, withDefaults } from '../domain/settings.js';
import type { SizeTier } from '../domain/tiers.js';
import type { Queryable, Trx } from './client.js';
import { behind, type Keyset, type KeysetOrder, keysetOrderBy, sortKey } from './keyset.js';

const since = { column: 's.unhealthy_since', id: 's.id', type: 'timestamptz', nullable: true } as const;

export const CONNECTION_ORDERS = {
  handle: { column: 's.account_handle', id: 's.id', type: 'text', direction: 'asc' },
  '-since': { ...since, direction: 'desc' },
  since: { ...since, direction: 'asc' },
} as const satisfies Record<string, KeysetOrder>;

export interface ConnectionFilter {
  status?: AccountStatus | undefined;
  /** True: everything but `linked`. */
  unhealthy?: boolean | undefined;
  memberId?: string | undefined;
  /** Leaves out connections whose account was removed. */
  ofAccounts: boolean;
}

export interface ConnectionListRow {
  id: string;
  account_handle: string;
  platform: string;
  status: AccountStatus;
  account_id: string | null;
  member_id: string | null;
  member_name: string | null;
  size_tier: SizeTier | null;
  follower_count: number | null;
  last_synced_at: Date | null;
  planner_status: string | null;
  unhealthy_since: Date | null;
  error_count: number;
  last_error_message: string | null;
  last_check_at: Date;
  last_success_at: Date | null;
  reconnect_prompts: number;
  reconnect_sent_at: Date | null;
  sort_key: string | null;
}

/** One row more than `limit` when there is a next page. */
export async function listConnections(
  db: Queryable,
  orgId: string,
  filter: ConnectionFilter,
  page: { order: KeysetOrder; after: Keyset | undefined; limit: number },
): Promise<ConnectionListRow[]> {
  const { status, unhealthy, memberId, ofAccounts } = filter;
  const { rows } = await sql<ConnectionListRow>`
    select s.id, s.account_handle, s.platform, s.status, a.id as account_id, a.member_id, m.name as member_name,
      m.size_tier, a.follower_count, a.last_synced_at,
      nullif(a.connection_data -> 'influence_planner' ->> 'status', 'ABSENT') as planner_status, s.unhealthy_since,
      s.error_count, s.last_error_message, s.last_check_at, s.last_success_at, s.reconnect_prompts, s.reconnect_sent_at,
      ${sortKey(page.order)} as sort_key
    from public.soundcloud_integration_status s
    left join public.soundcloud_member_accounts a on a.org_id = s.org_id and a.id = s.member_account_id
    left join public.soundcloud_members m on m.org_id = a.org_id and m.id = a.member_id
    where s.org_id = ${orgId}
      and (${status ?? null}::public.soundcloud_connection_status is null or s.status = ${status ?? null})
      and (${unhealthy ?? null}::boolean is null or (s.status <> 'linked') = ${unhealthy ?? null})
      and (${memberId ?? null}::uuid is null or a.member_id = ${memberId ?? null})
      and (not ${ofAccounts}::boolean or a.id is not null)
      and ${page.after === undefined ? sql`true` : behind(page.order, page.after)}
    order by ${keysetOrderBy(page.order)}
    limit ${page.limit + 1}`.execute(db);
  return rows;
}

/** The newest sweep of the org; undefined before the first. */
export async function latestSweep(db: Queryable, orgId: string) {
  return db
    .selectFrom('soundcloud_account_sweeps')
    .select(['date', 'started_at', 'finished_at', 'outcome', 'counts', 'notes'])
    .where('org_id', '=', orgId)
    .orderBy('date', 'desc')
    .limit(1)
    .executeTakeFirst();
}

/** Asks for today's sweep; the relay starts it. @param key tells requests apart. @returns the org's date. */
export async function requestSweep(db: Queryable, orgId: string, key: string): Promise<string> {
  const { rows } = await sql<{ date: string }>`
    select private.api_request_account_health(${orgId}, ${key}) as date`.execute(db);
  const [row] = rows;
  if (row === undefined) throw new Error('private.api_request_account_health gave no row.');
  return row.date;
}

/** Numbers over all orgs, for /metrics; call it as the login. */
export interface AccountHealthTotals {
  accounts: Partial<Record<AccountStatus, number>>;
  /** Business seconds since the newest finished sweep of the org that waits longest; null before any. */
  oldest_sweep_seconds: number | null;
  /** All sweeps together. */
  totals: Partial<Record<string, number>>;
}

export async function accountHealthTotals(db: Queryable): Promise<AccountHealthTotals> {
  const { rows } = await sql<{ health: AccountHealthTotals }>`
    select private.api_account_health() as health`.execute(db);
  const [row] = rows;
  if (row === undefined) throw new Error('private.api_account_health gave no row.');
  return row.health;
}

/** How patient the daily look is, for ops who may not see the other settings. As the login. @throws 42501 for who is not ops */
export async function accountHealthSettings(trx: Trx, orgId: string): Promise<AccountHealthSettings> {
  const { rows } = await sql<{ settings: PartialSettings['account_health'] | null }>`
    select private.api_account_health_settings(${orgId}) as settings`.execute(trx);
  return withDefaults({ account_health: rows[0]?.settings ?? {} }).account_health;
}
