/** Monthly grants as ops read them. Call these as the login: the month stands inside the entries' keys. */
import { sql } from 'kysely';
import type { Trx } from './client.js';

export interface GrantMonth {
  /** `YYYY-MM`: the month the grant is for; a late one was posted in a later month. */
  month: string;
  members: number;
  credits: number;
  forfeited: number;
}

/** Newest month first; one row more than `limit` when there is a next page. @throws 42501 for who is not ops */
export async function listGrantMonths(
  trx: Trx,
  orgId: string,
  page: { before: string | undefined; limit: number },
): Promise<GrantMonth[]> {
  const { rows } = await sql<GrantMonth>`
    select month, members, credits, forfeited
    from private.api_grant_months(${orgId}, ${page.limit + 1}, ${page.before ?? null})`.execute(trx);
  return rows;
}

export interface GrantEntry {
  entry_id: string;
  member_id: string;
  member_name: string;
  version: number;
  change_amount: number;
  forfeited: number;
  balance_after: number;
  occurred_at: Date;
}

/** One month's entries by member; one row more than `limit` when there is a next page. @throws 42501 for who is not ops */
export async function listGrantEntries(
  trx: Trx,
  orgId: string,
  month: string,
  page: { afterMember: string | undefined; limit: number },
): Promise<GrantEntry[]> {
  const { rows } = await sql<GrantEntry>`
    select entry_id, member_id, member_name, version, change_amount, forfeited, balance_after, occurred_at
    from private.api_grant_entries(${orgId}, ${month}, ${page.limit + 1}, ${page.afterMember ?? null})`.execute(
    trx,
  );
  return rows;
}
