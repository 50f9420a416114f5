/** The daily look at every org's books: nobody else would notice credits that do not add up. */

import { type Db, withOrg } from '../db/client.js';
import { ledgerChecksDue, saveLedgerCheck } from '../db/ledger-checks.js';
import { standingViolations } from '../db/ledger-invariants.js';
import { notify } from '../db/notifications.js';

/** A run begins no further org after so long; the others are due at the next one. */
const BEGIN_WITHIN_MS = 180_000;

export interface BookChecks {
  /** Orgs looked at. */
  checked: number;
  /** Orgs that could not be looked at; the next run tries them again. */
  failed: number;
  violations: number;
}

/** Looks at the books of the orgs where that is due; admins are told once of each rule that is broken. */
export async function checkBooks(db: Db): Promise<BookChecks> {
  const checks: BookChecks = { checked: 0, failed: 0, violations: 0 };
  const begun = Date.now();
  for (const due of await ledgerChecksDue(db)) {
    if (Date.now() - begun > BEGIN_WITHIN_MS) break;
    try {
      checks.violations += await checkOrg(db, due);
      checks.checked += 1;
    } catch {
      // One org keeps no other from being looked at.
      checks.failed += 1;
    }
  }
  return checks;
}

/** @returns how many violations there are, at most 100 of each rule. */
async function checkOrg(db: Db, due: { orgId: string; date: string }): Promise<number> {
  const { orgId } = due;
  return withOrg(db, orgId, async (trx) => {
    const standing = await standingViolations(trx);
    const rules = [...new Set(standing.map(({ violation }) => violation.rule))];
    const news = await saveLedgerCheck(trx, due, { violations: standing.length, rules });
    if (news.length > 0) {
      await notify(trx, {
        orgId,
        audience: { kind: 'admins' },
        type: 'error',
        title: 'Credits do not add up',
        message: `The look at the books found what must not be: ${news.join(', ')}. Run \`spark doctor\`; it names each wallet and says how to repair it.`,
        actionUrl: '/console/wallets',
        // What was found is written with it, so that it is told once; repaired and broken anew it is news again.
        metadata: { rules: news, violations: standing.length },
      });
    }
    return standing.length;
  });
}
