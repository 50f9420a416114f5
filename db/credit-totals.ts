/** Credits over all orgs. For /metrics; call it as the login. */
import { sql } from 'kysely';
import type { Queryable } from './client.js';

export interface CreditTotals {
  /** Σ of what can be spent. */
  balance: number;
  /** Σ of what open holds reserve. */
  held: number;
  openHolds: number;
  /** Credits lost above caps since the first of the month, UTC. */
  forfeitedThisMonth: number;
  /** Manual changes that wait for a second person. */
  pendingChanges: number;
}

export async function creditTotals(db: Queryable): Promise<CreditTotals> {
  const { rows } = await sql<{
    totals: {
      balance: number;
      held: number;
      open_holds: number;
      forfeited_this_month: number;
      pending_changes: number;
    };
  }>`select private.api_credit_totals() as totals`.execute(db);
  const [row] = rows;
  if (row === undefined) throw new Error('private.api_credit_totals gave no row.');
  const { balance, held, open_holds, forfeited_this_month, pending_changes } = row.totals;
  return {
    balance,
    held,
    openHolds: open_holds,
    forfeitedThisMonth: forfeited_this_month,
    pendingChanges: pending_changes,
  };
}
