/** Whether credits add up, and what to do where they do not. Sentences are for a tired operator: one step each. */
import { sql } from 'kysely';
import type { Db } from '../../db/client.js';
import {
  ABOUT_ASSIGNMENTS,
  type AssignmentPeople,
  type LedgerViolation,
  standingViolations,
} from '../../db/ledger-invariants.js';
import { earningOf } from '../../domain/credits.js';
import type { Finding } from './finding.js';

/** Business days after which a change that waits for a second person is a finding. */
const PENDING_DAYS = 3;
const AT_MOST = 100;

/** Looks at wallets, ledger, holds and credit changes of all orgs, as the owner. */
export async function checkLedger(db: Db): Promise<Finding[]> {
  const findings = (await standingViolations(db, AT_MOST)).map(
    ({ violation, people }): Finding => ({
      area: 'ledger',
      problem: `${violation.rule} is broken for ${subjectOf(violation)} of org ${violation.orgId}: ${violation.detail}.`,
      repair: repairOf(violation, people),
    }),
  );
  return [...findings, ...(await checkSettledHolds(db)), ...(await checkPendingChanges(db))];
}

function subjectOf({ rule, subjectId }: LedgerViolation): string {
  return `${ABOUT_ASSIGNMENTS.has(rule) ? 'assignment' : 'member'} ${subjectId}`;
}

/** The next step. What stands between backticks and begins with a verb of SQL is run as the owner of the database. */
function repairOf(violation: LedgerViolation, assignment: AssignmentPeople | undefined): string {
  const { rule, subjectId, orgId, found, expected } = violation;
  const wallet = (change: string) =>
    `\`update public.soundcloud_repost_credit_wallet set ${change} where org_id = '${orgId}' and member_id = '${subjectId}'\``;
  const excess = found - expected;
  switch (rule) {
    case 'balance_is_sum_of_entries':
      return `The ledger is right: set the wallet to it as the owner of the database, ${wallet(`balance = ${expected}`)}; then find out who wrote past private.post_credits.`;
    case 'versions_gap_free':
      return violation.detail.startsWith('wallet')
        ? `The ledger is right: set the wallet to it as the owner of the database, ${wallet(`version = ${expected}`)}.`
        : `Entries before version ${found} are missing: take them back from a backup of soundcloud_repost_credit_ledger; nothing else can stand in their place.`;
    case 'balance_chain':
      return `An entry was changed after it was written, or one before it is missing: compare the entries of the member with a backup. If the member lost credits by it, ${manualChange(subjectId, expected - found, 'Correction of a broken ledger entry')}.`;
    case 'held_is_sum_of_open_holds':
      return `The holds are right: set the wallet to them as the owner of the database, ${wallet(`held = ${expected}`)}.`;
    case 'balance_not_negative':
      return `Bring it to 0: ${manualChange(subjectId, -found, 'Correction of a negative balance')}.`;
    case 'within_cap':
      return `Let the cap follow what the wallet holds, as after a demotion; it falls again as credits are spent: as the owner of the database, ${wallet(`cap = ${found}`)}.`;
    case 'earned_within_captured':
      return assignment === undefined
        ? 'The assignment does not exist any more: take it back from a backup of soundcloud_queue_assignments.'
        : `The supporter was paid ${excess} too much: ${manualChange(assignment.supporterId, -excess, correctionOf(subjectId))}. The finding ends with the entry that names the assignment.`;
    case 'resolved_once':
      return resolveTwice(violation, assignment);
    case 'mirrors_agree':
      return `Wallet, ledger and holds are right: let the member follow them, as the owner of the database, \`select private.repair_mirrors('${orgId}', '${subjectId}')\`.`;
  }
}

function resolveTwice(
  { subjectId, orgId, found, detail }: LedgerViolation,
  assignment: AssignmentPeople | undefined,
): string {
  if (found > 1) {
    return assignment?.artistId
      ? `Look which of the resolving entries of the assignment is one too many, and take its credits back: POST /v1/members/${assignment.artistId}/credit-changes with a negative amount and the reason "${correctionOf(subjectId)}". The finding ends with the entry that names the assignment.`
      : 'Look which of the resolving entries of the assignment is one too many, and take its credits back with a manual credit change.';
  }
  if (detail.endsWith('missing')) {
    return 'The hold is gone: take it back from a backup of soundcloud_credit_holds.';
  }
  return `The ledger is right: let the hold say so, as the owner of the database, \`update public.soundcloud_credit_holds h set status = case l.reason when 'capture' then 'captured' else 'released' end, resolving_entry_id = l.id, resolved_at = l.occurred_at from public.soundcloud_repost_credit_ledger l where h.org_id = '${orgId}' and h.assignment_id = '${subjectId}' and l.org_id = h.org_id and l.reference_id = h.assignment_id and l.idempotency_key = 'resolve:' || h.assignment_id\`.`;
}

function correctionOf(assignmentId: string): string {
  return `Correction of assignment ${assignmentId}`;
}

function manualChange(memberId: string, amount: number, reason: string): string {
  return `POST /v1/members/${memberId}/credit-changes with {"amount": ${amount}, "reason": "${reason}"}`;
}

/** Settling resolves the hold in the same transaction; one that is still open holds the artist's credits for ever. */
async function checkSettledHolds(db: Db): Promise<Finding[]> {
  const { rows } = await sql<{
    org_id: string;
    assignment_id: string;
    amount: number;
    status: string;
    supporter_id: string;
    fee_percent: number;
  }>`
    select h.org_id, h.assignment_id, h.amount, a.status, a.supporter_id,
      coalesce(a.fee_percent, s.fee_percent) as fee_percent
    from public.soundcloud_credit_holds h
    join public.soundcloud_queue_assignments a on a.org_id = h.org_id and a.id = h.assignment_id
    join public.soundcloud_settings s on s.org_id = h.org_id
    where h.status = 'open' and a.settled_at is not null
    order by h.org_id, h.assignment_id
    limit ${AT_MOST}`.execute(db);
  return rows.map(({ org_id, assignment_id, amount, status, supporter_id, fee_percent }) => {
    const earned = earningOf(amount, fee_percent);
    const earning = { kind: 'earn', member_id: supporter_id, assignment_id, amount: earned };
    const requests =
      status === 'completed'
        ? [{ kind: 'capture', assignment_id }, ...(earned > 0 ? [earning] : [])]
        : [{ kind: 'release', assignment_id }];
    return {
      area: 'ledger',
      problem: `The assignment ${assignment_id} of org ${org_id} is settled (${status}), but its hold of ${amount} is still open.`,
      repair: `Resolve it as the assignment ended, as the owner of the database: \`select * from private.post_credits('${org_id}', '${JSON.stringify(requests)}')\`.`,
    };
  });
}

async function checkPendingChanges(db: Db): Promise<Finding[]> {
  const { rows } = await sql<{ org_id: string; id: string; requested_by: string; days: number }>`
    select org_id, id, requested_by,
           floor(extract(epoch from now_business.at - requested_at) / 86400)::integer as days
    from public.soundcloud_credit_change_requests
    cross join (select private.business_now() as at) as now_business
    where status = 'pending' and requested_at < now_business.at - make_interval(days => ${PENDING_DAYS})
    order by requested_at, id
    limit ${AT_MOST}`.execute(db);
  return rows.map(({ org_id, id, requested_by, days }) => ({
    area: 'credits',
    problem: `The credit change ${id} of org ${org_id} waits for a second person for ${days} days.`,
    repair: `Ask another admin or moderator than ${requested_by} to decide: POST /v1/credit-changes/${id}/approve, or /reject with a note. Whoever asked for it may withdraw it.`,
  }));
}
