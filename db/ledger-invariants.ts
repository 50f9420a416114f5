/** What is always true of wallets, ledger and holds (data.md, "Ledger"): for the doctor and the end of test suites. */
import { sql } from 'kysely';
import type { Queryable } from './client.js';

export interface LedgerViolation {
  rule:
    | 'balance_is_sum_of_entries'
    | 'versions_gap_free'
    | 'balance_chain'
    | 'held_is_sum_of_open_holds'
    | 'balance_not_negative'
    | 'within_cap'
    | 'earned_within_captured'
    | 'resolved_once'
    | 'mirrors_agree';
  orgId: string;
  /** The member, or for rules about one assignment the assignment. */
  subjectId: string;
  detail: string;
  /** The number that breaks the rule, and the one that would keep it. */
  found: number;
  expected: number;
}

/**
 * Checks every wallet the connection may see: the owner's sees all orgs, a scoped one its own.
 * @returns violations, at most `limit` (default 100) for each rule; empty = everything adds up.
 */
export async function ledgerViolations(db: Queryable, limit = 100): Promise<LedgerViolation[]> {
  const { rows } = await sql<{
    rule: LedgerViolation['rule'];
    org_id: string;
    subject_id: string;
    detail: string;
    found: number;
    expected: number;
  }>`
    with entries as (
      select l.*,
        row_number() over w as expected_version,
        sum(l.change_amount) over w as expected_balance
      from soundcloud_repost_credit_ledger l
      window w as (partition by l.org_id, l.member_id order by l.version)
    ),
    totals as (
      select org_id, member_id, sum(change_amount)::integer as total, max(version) as version,
        -- The reason of a manual change is what somebody wrote.
        sum(change_amount) filter (
          where reason in ('monthly_grant', 'repost_earned', 'campaign_earned')
            and reference_type is distinct from 'manual'
        )::integer as given
      from entries group by org_id, member_id
    ),
    holds as (
      select org_id, member_id, sum(amount) filter (where status = 'open')::integer as held,
        sum(amount) filter (where status = 'captured')::integer as used
      from soundcloud_credit_holds group by org_id, member_id
    ),
    wallets as (
      select w.*, coalesce(t.total, 0) as total, coalesce(t.version, 0) as last_version, coalesce(h.held, 0) as open_held,
        coalesce(t.given, 0) as given, coalesce(h.used, 0) as used
      from soundcloud_repost_credit_wallet w
      left join totals t on t.org_id = w.org_id and t.member_id = w.member_id
      left join holds h on h.org_id = w.org_id and h.member_id = w.member_id
    ),
    earned as (
      select org_id, reference_id as assignment_id, sum(change_amount + forfeited)::integer as amount
      from soundcloud_repost_credit_ledger where reason = 'repost_earned' group by org_id, reference_id
    ),
    resolutions as (
      select org_id, reference_id as assignment_id, count(*) as times
      from soundcloud_repost_credit_ledger where reason in ('capture', 'refund') and reference_id is not null
      group by org_id, reference_id
    ),
    violations as (
      select 'balance_is_sum_of_entries' as rule, org_id, member_id as subject_id,
        format('balance %s, entries sum to %s', balance, total) as detail,
        balance::bigint as found, total::bigint as expected
      from wallets where balance <> total
      union all
      select 'versions_gap_free', org_id, member_id, format('entry %s has version %s, not %s', id, version, expected_version),
        version, expected_version
      from entries where version <> expected_version
      union all
      select 'versions_gap_free', org_id, member_id, format('wallet at version %s, ledger at %s', version, last_version),
        version, last_version
      from wallets where version <> last_version
      union all
      select 'balance_chain', org_id, member_id,
        format('entry %s says %s, the chain %s', id, balance_after, expected_balance), balance_after, expected_balance
      from entries where balance_after <> expected_balance
      union all
      select 'held_is_sum_of_open_holds', org_id, member_id, format('held %s, open holds %s', held, open_held), held, open_held
      from wallets where held <> open_held
      union all
      select 'balance_not_negative', org_id, member_id, format('balance %s', balance), balance, 0 from wallets where balance < 0
      union all
      select 'within_cap', org_id, member_id, format('balance %s + held %s above cap %s', balance, held, cap), balance + held, cap
      from wallets where balance + held > cap
      union all
      select 'earned_within_captured', e.org_id, e.assignment_id, format('earned %s, captured %s', e.amount, coalesce(h.amount, 0)),
        e.amount, coalesce(h.amount, 0)
      from earned e
      left join soundcloud_credit_holds h
        on h.org_id = e.org_id and h.assignment_id = e.assignment_id and h.status = 'captured'
      where e.amount > coalesce(h.amount, 0)
      union all
      select 'resolved_once', r.org_id, r.assignment_id, format('resolved %s times, hold is %s', r.times, coalesce(h.status, 'missing')), r.times, 1
      from resolutions r
      left join soundcloud_credit_holds h on h.org_id = r.org_id and h.assignment_id = r.assignment_id
      where r.times > 1 or h.status is null or h.status = 'open'
      union all
      select 'mirrors_agree', w.org_id, w.member_id,
        format('member shows balance %s of %s, grant %s since %s, given %s, used %s; it is balance %s of %s, grant %s since %s, given %s, used %s',
          m.credits_balance, m.credits_cap, m.credits_monthly_grant, coalesce(m.last_grant_at::text, 'never'),
          m.credits_given, m.credits_used,
          w.balance, w.cap, w.monthly_grant, w.last_granted_at, w.given, w.used),
        m.credits_balance, w.balance
      from wallets w
      join soundcloud_members m on m.org_id = w.org_id and m.id = w.member_id
      where (m.credits_balance, m.net_credits, m.credits_cap, m.credits_monthly_grant, m.last_grant_at,
          m.credits_given, m.credits_used)
        is distinct from (w.balance, w.balance, w.cap, w.monthly_grant, w.last_granted_at, w.given, w.used)
    ),
    numbered as (
      select *, row_number() over (partition by rule order by org_id, subject_id) as position from violations
    )
    select rule, org_id, subject_id, detail, found::double precision, expected::double precision from numbered where position <= ${limit}
    order by rule, org_id, subject_id`.execute(db);
  return rows.map((row) => ({
    rule: row.rule,
    orgId: row.org_id,
    subjectId: row.subject_id,
    detail: row.detail,
    found: row.found,
    expected: row.expected,
  }));
}

/** Rules whose subject is an assignment; that of the others is a member. */
export const ABOUT_ASSIGNMENTS: ReadonlySet<LedgerViolation['rule']> = new Set([
  'earned_within_captured',
  'resolved_once',
]);

export interface AssignmentPeople {
  artistId: string | null;
  supporterId: string;
}

export interface StandingViolation {
  violation: LedgerViolation;
  /** Whom it is about, for a rule about assignments. */
  people: AssignmentPeople | undefined;
}

/**
 * What {@link ledgerViolations} finds, without what an entry has made good since.
 * @returns at most `limit` for each rule
 */
export async function standingViolations(db: Queryable, limit?: number): Promise<StandingViolation[]> {
  const violations = await ledgerViolations(db, limit);
  const people = await peopleOfAssignments(
    db,
    violations.filter(({ rule }) => ABOUT_ASSIGNMENTS.has(rule)).map(({ subjectId }) => subjectId),
  );
  const standing: StandingViolation[] = [];
  for (const violation of violations) {
    const behind = people.get(violation.subjectId);
    if (behind === undefined || !(await isCorrected(db, violation, behind)))
      standing.push({ violation, people: behind });
  }
  return standing;
}

async function peopleOfAssignments(
  db: Queryable,
  assignmentIds: readonly string[],
): Promise<Map<string, AssignmentPeople>> {
  if (assignmentIds.length === 0) return new Map();
  const { rows } = await sql<{ id: string; artist_id: string | null; supporter_id: string }>`
    select a.id, s.member_id as artist_id, a.supporter_id
    from public.soundcloud_queue_assignments a
    join public.soundcloud_submissions s on s.org_id = a.org_id and s.id = a.submission_id
    where a.id = any (${assignmentIds}::uuid[])`.execute(db);
  return new Map(
    rows.map((row) => [row.id, { artistId: row.artist_id, supporterId: row.supporter_id }] as const),
  );
}

/** Entries stay as they are, so what was paid twice is made good by an entry that takes it back and names the assignment. */
async function isCorrected(
  db: Queryable,
  { rule, orgId, subjectId, found, expected }: LedgerViolation,
  { artistId, supporterId }: AssignmentPeople,
): Promise<boolean> {
  if (rule === 'resolved_once' && found <= expected) return false;
  const memberId = rule === 'resolved_once' ? artistId : supporterId;
  const atLeast = rule === 'resolved_once' ? 1 : found - expected;
  const { rows } = await sql<{ taken: number }>`
    select coalesce(-sum(change_amount), 0)::integer as taken
    from public.soundcloud_repost_credit_ledger
    where org_id = ${orgId} and member_id = ${memberId} and reference_type = 'manual'
      and strpos(reason, ${subjectId}) > 0`.execute(db);
  return (rows[0]?.taken ?? 0) >= atLeast;
}
