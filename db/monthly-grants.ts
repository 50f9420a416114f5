/** What the monthly grant reads; its pages are `grantPage` of credits.ts. */
import { sql } from 'kysely';
import type { GrantedMonth } from '../domain/monthly-grant.js';
import type { Trx } from './client.js';

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
