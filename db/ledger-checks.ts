/** `soundcloud_ledger_checks`: what each day's newest look at an org's books found. */
import { sql } from 'kysely';
import type { Queryable, Trx } from './client.js';

export interface LedgerCheckDue {
  orgId: string;
  /** `YYYY-MM-DD`, the org's present date. */
  date: string;
}

/** Orgs whose books were not looked at on their present date, or were not in order. Across orgs; as the worker. */
export async function ledgerChecksDue(db: Queryable): Promise<LedgerCheckDue[]> {
  const { rows } = await sql<LedgerCheckDue>`
    select org_id as "orgId", date from private.ledger_checks_due()`.execute(db);
  return rows;
}

/** Writes what a look found. @returns the rules that are broken now and were not at the look before. */
export async function saveLedgerCheck(
  trx: Trx,
  { orgId, date }: LedgerCheckDue,
  found: { violations: number; rules: readonly string[] },
): Promise<string[]> {
  const before = await trx
    .selectFrom('soundcloud_ledger_checks')
    .select('rules')
    .where('org_id', '=', orgId)
    .orderBy('checked_on', 'desc')
    .limit(1)
    .forUpdate()
    .executeTakeFirst();
  const values = {
    checked_at: sql<Date>`private.business_now()`,
    violations: found.violations,
    rules: [...found.rules],
  };
  await trx
    .insertInto('soundcloud_ledger_checks')
    .values({ org_id: orgId, checked_on: date, ...values })
    .onConflict((conflict) => conflict.columns(['org_id', 'checked_on']).doUpdateSet(values))
    .execute();
  return found.rules.filter((rule) => !before?.rules.includes(rule));
}

/** What the newest looks found, over all orgs; null before any. For /metrics; as the login of the API. */
export async function countLedgerViolations(db: Queryable): Promise<number | null> {
  const { rows } = await sql<{ violations: number | null }>`
    select private.api_ledger_violations() as violations`.execute(db);
  return rows[0]?.violations ?? null;
}
