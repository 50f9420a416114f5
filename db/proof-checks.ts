/** Evidence that a repost is, or is not, there: `soundcloud_proof_checks`. Added once, never changed. */
import { type Selectable, sql } from 'kysely';
import type { Judgement, ProofSource } from '../domain/proof-evidence.js';
import type { Queryable, Trx } from './client.js';
import { jsonb } from './json.js';
import type { SoundcloudProofChecks } from './schema.js';

export type ProofCheckRow = Selectable<SoundcloudProofChecks>;

export interface NewProofCheck extends Judgement {
  orgId: string;
  assignmentId: string;
  phase: 'proof' | 'watch' | 'audit';
  source: ProofSource;
  facts: Record<string, unknown>;
  /** Unique within the assignment: one row, however often it is written. */
  key: string;
  /** Business ms. */
  checkedAt: number;
}

/** @returns the row that stands under the key: this one, or the one that was written before. */
export async function storeProofCheck(trx: Trx, check: NewProofCheck): Promise<ProofCheckRow> {
  await trx
    .insertInto('soundcloud_proof_checks')
    .values({
      org_id: check.orgId,
      assignment_id: check.assignmentId,
      phase: check.phase,
      source: check.source,
      verdict: check.verdict,
      positive_control: check.positiveControl,
      facts: jsonb(check.facts),
      check_key: check.key,
      checked_at: new Date(check.checkedAt),
    })
    .onConflict((conflict) => conflict.columns(['org_id', 'assignment_id', 'check_key']).doNothing())
    .execute();
  const row = await findProofCheck(trx, check);
  if (row === undefined) throw new Error(`The proof check ${check.key} was not written.`);
  return row;
}

export async function findProofCheck(
  trx: Trx,
  check: { orgId: string; assignmentId: string; key: string },
): Promise<ProofCheckRow | undefined> {
  return trx
    .selectFrom('soundcloud_proof_checks')
    .selectAll()
    .where('org_id', '=', check.orgId)
    .where('assignment_id', '=', check.assignmentId)
    .where('check_key', '=', check.key)
    .executeTakeFirst();
}

/** Oldest first. */
export async function proofChecksOf(
  db: Queryable,
  orgId: string,
  assignmentId: string,
): Promise<ProofCheckRow[]> {
  return db
    .selectFrom('soundcloud_proof_checks')
    .selectAll()
    .where('org_id', '=', orgId)
    .where('assignment_id', '=', assignmentId)
    .orderBy('checked_at')
    .orderBy('id')
    .execute();
}

/** A repost that is known to be later than a slot. */
export interface LaterRepost {
  track_urn: string | null;
  track_url: string;
  /** Handle of who made it. */
  handle: string;
}

/**
 * Reposts that are known to be later than an assignment's slot, whether by the same supporter or of the same track:
 * what was asked for only after the slot, or what the scheduler reported with a later time. A later slot alone says
 * nothing, since people repost early.
 */
export async function laterReposts(
  trx: Trx,
  orgId: string,
  assignment: { id: string; supporterId: string; trackUrl: string; slotAt: Date },
  of: 'supporter' | 'track',
): Promise<LaterRepost[]> {
  const { id, supporterId, trackUrl, slotAt } = assignment;
  const bySupporter = of === 'supporter';
  const { rows } = await sql<LaterRepost>`
    select s.track_urn, s.track_url, account.handle
    from public.soundcloud_queue_assignments a
    join public.soundcloud_submissions s on s.org_id = a.org_id and s.id = a.submission_id
    join public.soundcloud_member_accounts account
      on account.org_id = a.org_id and account.member_id = a.supporter_id and account.platform = 'soundcloud'
    where a.org_id = ${orgId} and a.id <> ${id} and a.status in ('assigned', 'completed')
      and ${
        bySupporter
          ? sql`a.supporter_id = ${supporterId} and s.track_url <> ${trackUrl}`
          : sql`a.supporter_id <> ${supporterId} and s.track_url = ${trackUrl}`
      }
      and (exists (
        select from public.soundcloud_events e
        where e.org_id = a.org_id and e.entity_id = a.id and e.type = 'assignment.published' and e.occurred_at > ${slotAt}
      ) or exists (
        select from public.soundcloud_schedules item
        where item.org_id = a.org_id and item.assignment_id = a.id
          and item.status = 'completed' and item.completed_at > ${slotAt}
      ))
    union all
    select null, campaign.track_url, account.handle
    from public.soundcloud_schedules item
    join public.soundcloud_campaigns campaign on campaign.org_id = item.org_id and campaign.id = item.parent_id
    join public.soundcloud_member_accounts account
      on account.org_id = item.org_id and account.id = item.member_account_id and account.platform = 'soundcloud'
    where item.org_id = ${orgId} and item.parent_type = 'campaign'
      and item.status = 'completed' and item.completed_at > ${slotAt}
      and ${
        bySupporter
          ? sql`account.member_id = ${supporterId} and campaign.track_url <> ${trackUrl}`
          : sql`account.member_id <> ${supporterId} and campaign.track_url = ${trackUrl}`
      }`.execute(trx);
  return rows;
}
