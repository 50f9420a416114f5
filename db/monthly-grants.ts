/** What the monthly grant reads, and how its pages follow each other; one page is `grantPage` of credits.ts. */
import { sql } from 'kysely';
import type { GrantedMonth } from '../domain/monthly-grant.js';
import { type Db, type Trx, withOrg } from './client.js';
import { type GrantPage, type GrantPageInput, grantPage } from './credits.js';

/** How many wallets an org has, and when the one that is furthest behind was granted last. */
export async function walletsToGrant(
  trx: Trx,
  orgId: string,
): Promise<{ wallets: number; oldest: Date | null }> {
  return trx
    .selectFrom('soundcloud_repost_credit_wallet')
    .select(({ fn }) => [
      fn.countAll<number>().as('wallets'),
      fn.min<Date | null>('last_granted_at').as('oldest'),
    ])
    .where('org_id', '=', orgId)
    .executeTakeFirstOrThrow();
}

/** The grants of one run by month, as the ledger has them. @param at business time of the run's entries. */
export async function grantedMonths(trx: Trx, orgId: string, at: Date): Promise<GrantedMonth[]> {
  const { rows } = await sql<GrantedMonth>`
    select right(idempotency_key, 7) as month, count(*) as members, sum(change_amount) as credits,
           sum(forfeited) as forfeited
    from public.soundcloud_repost_credit_ledger
    where org_id = ${orgId} and reference_type = 'monthly_grant' and occurred_at = ${at}
    group by 1
    order by 1`.execute(trx);
  return rows;
}

/**
 * The next two pages of a month at once, each in one transaction on a connection of its own: a page keeps one processor
 * of the database busy. Repeating them grants nobody twice.
 * @returns both together; `next` is up to where everybody has been granted.
 * @throws what `grantPage` throws, after both have ended.
 */
export async function grantTwoPages(db: Db, page: GrantPageInput): Promise<GrantPage> {
  const { orgId } = page;
  const middle = await withOrg(db, orgId, (trx) => endOfPage(trx, page));
  const starts = middle === null ? [page.after] : [page.after, middle];
  const ended = await Promise.allSettled(
    starts.map((after) => withOrg(db, orgId, (trx) => grantPage(trx, { ...page, after }))),
  );
  const pages = ended.map((end) => {
    if (end.status === 'rejected') throw end.reason;
    return end.value;
  });
  const sum = (of: (page: GrantPage) => number) => pages.reduce((total, one) => total + of(one), 0);
  const [first, second] = pages;
  return {
    granted: sum(({ granted }) => granted),
    credits: sum(({ credits }) => credits),
    forfeited: sum(({ forfeited }) => forfeited),
    // Where somebody else granted or joined meanwhile, the first page ended elsewhere: from there on it is looked at again.
    next: (second !== undefined && first?.next === middle ? second : first)?.next ?? null,
  };
}

/** The last member of the next page; null when there are fewer than a page holds. */
async function endOfPage(trx: Trx, { orgId, month, after, limit }: GrantPageInput): Promise<string | null> {
  const { rows } = await sql<{ member_id: string }>`
    select w.member_id
    from public.soundcloud_repost_credit_wallet w
    join public.soundcloud_settings s on s.org_id = w.org_id
    where w.org_id = ${orgId}
      and w.member_id > coalesce(${after}::uuid, '00000000-0000-0000-0000-000000000000')
      and w.last_granted_at < (${month} || '-01')::timestamp at time zone s.timezone
    order by w.member_id
    offset ${limit - 1}
    limit 1`.execute(trx);
  return rows[0]?.member_id ?? null;
}
