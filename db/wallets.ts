/** Wallets, ledger and holds as people read them. Written by private.post_credits only (db/credits.ts). */
import { sql } from 'kysely';
import type { Queryable } from './client.js';
import { behind, type Keyset, type KeysetOrder, keysetOrderBy, sortKey } from './keyset.js';
import type { SoundcloudSizeTier } from './schema.js';

export interface WalletFilter {
  sizeTier?: SoundcloudSizeTier | undefined;
  minBalance?: number | undefined;
  /** True: only wallets with open holds; false: only those without. */
  held?: boolean | undefined;
}

/**
 * @param timezone of the org. An org that moved west has its last grant in the month before, as its new zone sees it;
 * whether the month after that was granted is told by the grant's key.
 */
const wallets = (db: Queryable, orgId: string, timezone: string) =>
  db
    .selectFrom('soundcloud_repost_credit_wallet as wallet')
    .innerJoin('soundcloud_members', (join) =>
      join
        .onRef('soundcloud_members.org_id', '=', 'wallet.org_id')
        .onRef('soundcloud_members.id', '=', 'wallet.member_id'),
    )
    .select([
      'wallet.member_id',
      'soundcloud_members.name as member_name',
      'soundcloud_members.size_tier',
      'wallet.balance',
      'wallet.held',
      'wallet.cap',
      'wallet.monthly_grant',
      'wallet.last_granted_at',
      'wallet.version',
      sql<boolean>`exists (
        select from public.soundcloud_repost_credit_ledger grant_entry
        where grant_entry.org_id = wallet.org_id
          and grant_entry.idempotency_key = 'grant:' || wallet.member_id || ':'
            || to_char(date_trunc('month', wallet.last_granted_at at time zone ${timezone}) + interval '1 month', 'YYYY-MM')
      )`.as('month_after_granted'),
    ])
    .where('wallet.org_id', '=', orgId);

export type WalletRow = Awaited<ReturnType<ReturnType<typeof wallets>['executeTakeFirstOrThrow']>>;

/**
 * One row more than `limit` when there is a next page. `held` is asked of the index of open holds; balances have no
 * index, because one would have to be written with every post.
 */
export function listWallets(
  db: Queryable,
  orgId: string,
  filter: WalletFilter,
  page: { order: KeysetOrder; after: Keyset | undefined; limit: number; timezone: string },
): Promise<(WalletRow & { sort_key: string | null })[]> {
  const { sizeTier, minBalance, held } = filter;
  const { after } = page;
  const openHold = sql<boolean>`exists (
    select from public.soundcloud_credit_holds hold
    where hold.org_id = wallet.org_id and hold.member_id = wallet.member_id and hold.status = 'open')`;
  return wallets(db, orgId, page.timezone)
    .select(sortKey(page.order).as('sort_key'))
    .$if(sizeTier !== undefined, (query) =>
      query.where('soundcloud_members.size_tier', '=', sizeTier ?? 'T1'),
    )
    .$if(minBalance !== undefined, (query) => query.where('wallet.balance', '>=', minBalance ?? 0))
    .$if(held === true, (query) => query.where(openHold))
    .$if(held === false, (query) => query.where(sql<boolean>`not ${openHold}`))
    .$if(after !== undefined, (query) => query.where(behind(page.order, after ?? { value: null, id: '' })))
    .orderBy(keysetOrderBy(page.order))
    .limit(page.limit + 1)
    .execute();
}

/** Undefined when there is no such member, or the caller may not see its wallet. */
export function findWallet(
  db: Queryable,
  orgId: string,
  memberId: string,
  timezone: string,
): Promise<WalletRow | undefined> {
  return wallets(db, orgId, timezone).where('wallet.member_id', '=', memberId).executeTakeFirst();
}

/** False when there is no such member, or the caller may not see its wallet. */
export async function walletExists(db: Queryable, orgId: string, memberId: string): Promise<boolean> {
  const row = await db
    .selectFrom('soundcloud_repost_credit_wallet')
    .select('id')
    .where('org_id', '=', orgId)
    .where('member_id', '=', memberId)
    .executeTakeFirst();
  return row !== undefined;
}

/** Credits a member lost because they did not fit, in all and since an instant (business time). */
export async function forfeitedOf(
  db: Queryable,
  orgId: string,
  memberId: string,
  since: Date,
): Promise<{ total: number; since: number }> {
  const { rows } = await sql<{ total: number; since: number }>`
    select coalesce(sum(forfeited), 0)::integer as total,
           coalesce(sum(forfeited) filter (where occurred_at >= ${since}), 0)::integer as since
    from public.soundcloud_repost_credit_ledger
    where org_id = ${orgId} and member_id = ${memberId}`.execute(db);
  return rows[0] ?? { total: 0, since: 0 };
}

/**
 * A member's entries, newest version first, each with the member on the other side of its repost; one row more than
 * `limit` when there is a next page.
 */
export function listLedger(
  db: Queryable,
  orgId: string,
  memberId: string,
  page: { beforeVersion: string | undefined; limit: number },
) {
  return db
    .selectFrom('soundcloud_repost_credit_ledger as entry')
    .leftJoin('soundcloud_queue_assignments as repost', (join) =>
      join.onRef('repost.org_id', '=', 'entry.org_id').onRef('repost.id', '=', 'entry.reference_id'),
    )
    .leftJoin('soundcloud_submissions as track', (join) =>
      join.onRef('track.org_id', '=', 'repost.org_id').onRef('track.id', '=', 'repost.submission_id'),
    )
    .leftJoin('soundcloud_members as other', (join) =>
      join.onRef('other.org_id', '=', 'entry.org_id').on(
        'other.id',
        '=',
        sql<string>`case entry.member_id
          when repost.supporter_id then track.member_id else repost.supporter_id end`,
      ),
    )
    .select([
      'entry.id',
      'entry.version',
      'entry.change_amount',
      'entry.balance_after',
      'entry.forfeited',
      'entry.reason',
      'entry.reference_type',
      'entry.reference_id',
      'other.id as other_member_id',
      'other.name as other_member_name',
      'entry.occurred_at',
      'entry.created_by',
    ])
    .where('entry.org_id', '=', orgId)
    .where('entry.member_id', '=', memberId)
    .$if(page.beforeVersion !== undefined, (query) =>
      query.where(sql<boolean>`entry.version < ${page.beforeVersion}::bigint`),
    )
    .orderBy('entry.version', 'desc')
    .limit(page.limit + 1)
    .execute();
}

export type LedgerRow = Awaited<ReturnType<typeof listLedger>>[number];

const HOLD_ORDER: KeysetOrder = {
  column: 'entry.occurred_at',
  id: 'hold.id',
  type: 'timestamptz',
  direction: 'desc',
};

/** A member's holds, newest first; one row more than `limit` when there is a next page. */
export function listHolds(
  db: Queryable,
  orgId: string,
  memberId: string,
  filter: { open?: boolean | undefined },
  page: { after: Keyset | undefined; limit: number },
) {
  const { after } = page;
  return db
    .selectFrom('soundcloud_credit_holds as hold')
    .innerJoin('soundcloud_repost_credit_ledger as entry', (join) =>
      join.onRef('entry.org_id', '=', 'hold.org_id').onRef('entry.id', '=', 'hold.hold_entry_id'),
    )
    .select([
      'hold.id',
      'hold.assignment_id',
      'hold.amount',
      'hold.status',
      'entry.occurred_at as held_at',
      'hold.resolved_at',
      'hold.hold_entry_id',
      'hold.resolving_entry_id',
      sortKey(HOLD_ORDER).as('sort_key'),
    ])
    .where('hold.org_id', '=', orgId)
    .where('hold.member_id', '=', memberId)
    .$if(filter.open === true, (query) => query.where(sql<boolean>`hold.status = 'open'`))
    .$if(filter.open === false, (query) => query.where(sql<boolean>`hold.status <> 'open'`))
    .$if(after !== undefined, (query) => query.where(behind(HOLD_ORDER, after ?? { value: null, id: '' })))
    .orderBy(keysetOrderBy(HOLD_ORDER))
    .limit(page.limit + 1)
    .execute();
}

export type HoldRow = Awaited<ReturnType<typeof listHolds>>[number];
