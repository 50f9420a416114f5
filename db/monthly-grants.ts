/** The monthly grant page by page, and what a run came to. */
import { sql } from 'kysely';
import { type GrantedMonth, type GrantedPage, ungrantedMonths } from '../domain/monthly-grant.js';
import type { Trx } from './client.js';
import { type CreditRequest, postCredits } from './credits.js';
import { loadSettings } from './settings.js';

/** Wallets of an org: how many members a run looks at. */
export async function countWallets(trx: Trx, orgId: string): Promise<number> {
  const { wallets } = await trx
    .selectFrom('soundcloud_repost_credit_wallet')
    .select(({ fn }) => fn.countAll<number>().as('wallets'))
    .where('org_id', '=', orgId)
    .executeTakeFirstOrThrow();
  return wallets;
}

/**
 * Grants every ungranted month up to and with `month` to the next members in the order of ids, oldest month first.
 * @param page.after the last member of the page before; null for the first page
 * @param page.at business time of the entries
 */
export async function grantPage(
  trx: Trx,
  page: { orgId: string; month: string; after: string | null; limit: number; at: Date },
): Promise<GrantedPage> {
  const { orgId, month, after, limit, at } = page;
  const { timezone } = await loadSettings(trx, orgId);
  const wallets = await trx
    .selectFrom('soundcloud_repost_credit_wallet')
    .select(['member_id', 'last_granted_at'])
    .where('org_id', '=', orgId)
    .$if(after !== null, (query) => query.where('member_id', '>', after ?? ''))
    .orderBy('member_id')
    .limit(limit)
    .execute();
  const requests = wallets.flatMap(({ member_id, last_granted_at }) =>
    ungrantedMonths(last_granted_at.getTime(), timezone, month).map(
      (ungranted): CreditRequest => ({ kind: 'grant', member_id, month: ungranted }),
    ),
  );
  const posted = (await postCredits(trx, orgId, requests, { at })).filter(({ replayed }) => !replayed);
  return {
    after: wallets.at(-1)?.member_id ?? after,
    more: wallets.length === limit,
    members: wallets.length,
    grants: posted.length,
    credits: posted.reduce((total, entry) => total + (entry.change_amount ?? 0), 0),
    forfeited: posted.reduce((total, entry) => total + (entry.forfeited ?? 0), 0),
  };
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
