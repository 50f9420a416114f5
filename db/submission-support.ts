/** What the rows say of an approved submission: its queues, assignments, captured credits and open questions to ops. */
import { sql } from 'kysely';
import type { SupportFacts } from '../domain/submission-review-support.js';
import type { Trx } from './client.js';

interface FactsRow extends Omit<SupportFacts, 'firstSlotAt'> {
  firstSlotAt: Date | null;
}

/**
 * Counts in one statement, so that the numbers belong together. Only published queues count: a draft promises nothing.
 * A replacement is owed for every settled skip or failure that no published assignment names in `replacement_for`.
 */
export async function loadSupportFacts(
  trx: Trx,
  orgId: string,
  submissionId: string,
): Promise<SupportFacts | undefined> {
  const { rows } = await sql<FactsRow>`
    with published as (
      select a.*, q.date from public.soundcloud_queue_assignments a
      join public.soundcloud_queues q on q.org_id = a.org_id and q.id = a.queue_id and q.status = 'published'
      where a.org_id = ${orgId} and a.submission_id = ${submissionId}
    ), kept as (
      select p.*, coalesce(p.proof_url, 'https://soundcloud.com/' || account.handle || '/reposts') as url
      from published p
      left join public.soundcloud_member_accounts account
        on account.org_id = p.org_id and account.member_id = p.supporter_id and account.platform = 'soundcloud'
      where p.status = 'completed' and p.settled_at is not null
    )
    select
      (select min(date)::text from published) as "queueDate",
      (select min(slot_at) from published) as "firstSlotAt",
      (select count(*)::int from published where settled_at is null) as "open",
      (select count(*)::int from published p
        where p.settled_at is not null and p.status in ('skipped', 'failed')
          and not exists (select from published r where r.replacement_for = p.id)) as "owed",
      (select count(*)::int from kept) as "completed",
      (select coalesce(sum(reach), 0)::int from kept) as "reach",
      (select coalesce(sum(h.amount), 0)::int from kept
        join public.soundcloud_credit_holds h
          on h.org_id = kept.org_id and h.assignment_id = kept.id and h.status = 'captured') as "credits",
      (select url from kept where url is not null
        order by provisional, (proof_url is null), reach desc nulls last, completed_at, id limit 1) as "supportUrl",
      s.support_date::text as "supportDate",
      exists (select from public.soundcloud_queues q
        where q.org_id = s.org_id and q.date = s.support_date and q.status = 'published') as "supportDateOut",
      s.shift_count as "shifts", s.shift_reason as "shiftReason",
      exists (select from public.soundcloud_ops_tasks t
        where t.org_id = s.org_id and t.entity_type = 'submission' and t.entity_id = s.id
          and t.status = 'open') as "asked"
    from public.soundcloud_submissions s
    where s.org_id = ${orgId} and s.id = ${submissionId}`.execute(trx);
  const row = rows[0];
  return row && { ...row, firstSlotAt: row.firstSlotAt?.getTime() ?? null };
}

/**
 * Keeps the queues a submission is drafted for from being published until the transaction ends, so that a publication
 * of the same moment is either seen here or sees what is written here. Queues are locked before everything else.
 */
export async function lockDraftsOf(trx: Trx, orgId: string, submissionId: string): Promise<void> {
  await sql`select q.id from public.soundcloud_queues q
    where q.org_id = ${orgId} and q.status in ('draft', 'approved') and exists (
      select from public.soundcloud_queue_assignments a
      where a.org_id = q.org_id and a.queue_id = q.id and a.submission_id = ${submissionId})
    order by q.id
    for update of q`.execute(trx);
}

/**
 * Ends the questions to ops about a submission. @param by who answered, when that is a user of the org. @param at
 * business ms.
 */
export async function answerSubmissionTasks(
  trx: Trx,
  answer: {
    orgId: string;
    submissionId: string;
    by: string | null;
    outcome: string;
    reason?: string;
    at: number;
  },
): Promise<void> {
  const { orgId, submissionId, by, outcome, reason, at } = answer;
  await sql`update public.soundcloud_ops_tasks
    set status = 'done', resolved_at = ${new Date(at)},
      resolved_by = (select user_id from public.memberships where org_id = ${orgId} and user_id::text = ${by}),
      resolution = ${JSON.stringify({ outcome, ...(reason !== undefined && { reason }) })}::jsonb
    where org_id = ${orgId} and entity_type = 'submission' and entity_id = ${submissionId}
      and status = 'open'`.execute(trx);
}
