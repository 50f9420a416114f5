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

/** A page waits for the disk at its commit; three of them keep two processors of the database busy meanwhile. */
const AT_ONCE = 3;

/**
 * The next pages of a month, several at once, each in one transaction on a connection of its own. Repeating them grants
 * nobody twice.
 * @param count how many pages, at least 1.
 * @returns all together; `next` is up to where everybody has been granted.
 * @throws what `grantPage` throws, after all that were begun have ended.
 */
export async function grantNextPages(db: Db, page: GrantPageInput, count: number): Promise<GrantPage> {
  const { orgId } = page;
  const ends = await withOrg(db, orgId, (trx) => endsOfPages(trx, page, count - 1));
  const starts = [page.after, ...ends];
  const pages: GrantPage[] = [];
  let begun = 0;
  const lane = async () => {
    while (begun < starts.length) {
      const at = begun;
      begun += 1;
      const after = starts[at] ?? null;
      try {
        pages[at] = await withOrg(db, orgId, (trx) => grantPage(trx, { ...page, after }));
      } catch (error) {
        begun = starts.length;
        throw error;
      }
    }
  };
  for (const end of await Promise.allSettled(Array.from({ length: AT_ONCE }, lane)))
    if (end.status === 'rejected') throw end.reason;

  const sum = (of: (page: GrantPage) => number) => pages.reduce((total, one) => total + of(one), 0);
  // Where somebody else granted or joined meanwhile, a page ended elsewhere: from there on it is looked at again.
  const elsewhere = pages.find(({ next }, at) => next !== starts[at + 1]);
  return {
    granted: sum(({ granted }) => granted),
    credits: sum(({ credits }) => credits),
    forfeited: sum(({ forfeited }) => forfeited),
    next: elsewhere?.next ?? null,
  };
}

/** The last member of each of the next pages that are full, at most `count`. */
async function endsOfPages(
  trx: Trx,
  { orgId, month, after, limit }: GrantPageInput,
  count: number,
): Promise<string[]> {
  const { rows } = await sql<{ member_id: string }>`
    select member_id
    from (
      select w.member_id, row_number() over (order by w.member_id) as place
      from public.soundcloud_repost_credit_wallet w
      join public.soundcloud_settings s on s.org_id = w.org_id
      where w.org_id = ${orgId}
        and w.member_id > coalesce(${after}::uuid, '00000000-0000-0000-0000-000000000000')
        and w.last_granted_at < (${month} || '-01')::timestamp at time zone s.timezone
      order by w.member_id
      limit ${limit * count}
    ) waiting
    where place % ${limit}::integer = 0
    order by member_id`.execute(trx);
  return rows.map(({ member_id }) => member_id);
}
