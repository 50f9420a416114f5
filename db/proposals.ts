/** Target proposals: stored whole, so that every choice and exclusion can be explained later. */
import { sql } from 'kysely';
import type { Proposal } from '../domain/targeting-types.js';
import type { Trx } from './client.js';
import { jsonb } from './json.js';

export interface ReachPlan {
  expected_reach_planned: number;
  expected_reach_min: number;
  expected_reach_max: number;
}

/**
 * Stores a submission's proposal and what follows from it on the submission: planned reach, suggested supporters,
 * support date. @param expiresAt business ms.
 */
export async function insertSubmissionProposal(
  trx: Trx,
  input: {
    orgId: string;
    submissionId: string;
    proposal: Proposal;
    reach: ReachPlan;
    supportDate: string;
    createdAt: number;
    expiresAt: number;
  },
): Promise<string> {
  const { proposal } = input;
  const row = await trx
    .insertInto('soundcloud_target_proposals')
    .values({
      org_id: input.orgId,
      parent_type: 'submission',
      parent_id: input.submissionId,
      criteria: jsonb(proposal.criteria),
      proposed_targets: jsonb(proposal.proposed_targets),
      conflicts: jsonb(proposal.conflicts),
      total_capacity: proposal.total_capacity,
      estimated_credits: proposal.estimated_credits,
      created_at: new Date(input.createdAt),
      expires_at: new Date(input.expiresAt),
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  await trx
    .updateTable('soundcloud_submissions')
    .set({
      ...input.reach,
      suggested_supporters: proposal.proposed_targets.map((target) => target.member_id),
      // Only the first proposal sets it: later moves are the queue's, and a draft may hold the submission by now.
      support_date: sql<string>`coalesce(support_date, ${input.supportDate}::date)`,
    })
    .where('org_id', '=', input.orgId)
    .where('id', '=', input.submissionId)
    .execute();
  return row.id;
}

/** When the newest proposal of a submission lapses, business ms; null without one. */
export async function newestProposalExpiry(
  trx: Trx,
  orgId: string,
  submissionId: string,
): Promise<number | null> {
  const row = await trx
    .selectFrom('soundcloud_target_proposals')
    .select('expires_at')
    .where('org_id', '=', orgId)
    .where('parent_type', '=', 'submission')
    .where('parent_id', '=', submissionId)
    .orderBy('created_at', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.expires_at.getTime() ?? null;
}

/**
 * Accepts a campaign's proposal in the name of the caller. Call this as the login, not as the caller.
 * @returns false when it was accepted or has expired meanwhile
 */
export async function acceptProposal(trx: Trx, orgId: string, id: string, at: Date): Promise<boolean> {
  const { rows } = await sql<{ accepted: boolean }>`
    select private.api_accept_proposal(${orgId}, ${id}, ${at}) as accepted`.execute(trx);
  return rows[0]?.accepted ?? false;
}

/**
 * Takes out of proposals that expired unused what makes their rows large: one entry for each supporter who was not
 * proposed. Who was proposed and the counts by reason stay. @param now business ms. @param all also those not expired
 * yet: nobody will use them any more.
 */
export async function pruneProposals(
  trx: Trx,
  input: {
    orgId: string;
    parentType: 'submission' | 'campaign';
    parentId: string;
    now: number;
    all?: boolean;
  },
): Promise<void> {
  const { orgId, parentType, parentId, now, all = false } = input;
  await sql`update public.soundcloud_target_proposals
    set conflicts = '[]',
      criteria = (criteria - 'not_chosen') || jsonb_build_object('pruned_at', ${new Date(now).toISOString()}::text)
    where org_id = ${orgId} and parent_type = ${parentType} and parent_id = ${parentId}
      and accepted_at is null and (${all}::boolean or expires_at <= ${new Date(now)})
      and not criteria ? 'pruned_at'`.execute(trx);
}
