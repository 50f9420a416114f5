/** Target proposals: stored whole, so that every choice and exclusion can be explained later. */
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
      support_date: input.supportDate,
    })
    .where('org_id', '=', input.orgId)
    .where('id', '=', input.submissionId)
    .execute();
  return row.id;
}
