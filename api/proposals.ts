/** Target proposals: what the target builder suggests, with its reasons. */
import { z } from 'zod';
import { findProposal, listProposals, PROPOSAL_ORDERS, type ProposalListRow } from '../db/proposal-lists.js';
import { proposalState } from '../domain/proposals.js';
import { EXCLUSION_CODES } from '../domain/targeting-types.js';
import { pageOf, pageQuery, readCursor, toPage } from './pagination.js';
import { Problem } from './problems.js';
import { defineRoute } from './route.js';
import { id, idParam, iso, isoOrNull, timestamp, withTimes } from './schemas.js';

const summaryFields = {
  id: z.uuid(),
  parent_type: z.enum(['campaign', 'submission']),
  parent_id: z.uuid(),
  total_capacity: z.int().describe('Reach of all proposed targets.'),
  estimated_credits: z.int(),
  target_count: z.int(),
  conflict_count: z.int().describe('Exclusions; one supporter may have several.'),
  excluded: z
    .partialRecord(z.enum(EXCLUSION_CODES), z.int())
    .describe('Exclusions by reason, as counted when it was built.'),
  state: z
    .enum(['open', 'expired', 'accepted'])
    .describe('A submission’s only advises and is never accepted.'),
  pruned_at: timestamp
    .nullable()
    .describe('When its single exclusions were taken out, after it expired unused.'),
  created_at: timestamp,
  expires_at: timestamp,
  accepted_at: timestamp.nullable(),
  accepted_by: z.uuid().nullable(),
};

const summarySchema = z.object(summaryFields).meta({ id: 'ProposalSummary' });

const proposalSchema = z
  .object({
    ...summaryFields,
    criteria: z
      .looseObject({ built_at: timestamp.optional().describe('Business time at which the facts were read.') })
      .describe('All inputs and the version of the rules.'),
    proposed_targets: z
      .array(z.record(z.string(), z.unknown()))
      .describe('Member, account, reach, price, score and its parts.'),
    conflicts: z
      .array(z.record(z.string(), z.unknown()))
      .describe('Who is excluded, with code and facts; empty once pruned.'),
  })
  .meta({ id: 'Proposal' });

const SORT = '-created_at';

function summaryJson(row: ProposalListRow, now: Date): z.infer<typeof summarySchema> {
  const parentType = row.parent_type === 'campaign' ? 'campaign' : 'submission';
  const expiresAt = row.expires_at.getTime();
  const acceptedAt = row.accepted_at?.getTime() ?? null;
  const { id, parent_id, total_capacity, estimated_credits, accepted_by } = row;
  return {
    id,
    parent_type: parentType,
    parent_id,
    total_capacity,
    estimated_credits,
    target_count: row.target_count,
    conflict_count: Object.values(row.excluded).reduce((sum, count) => sum + count, 0),
    excluded: row.excluded,
    state: proposalState({ parentType, expiresAt, acceptedAt }, now.getTime()),
    pruned_at: row.pruned_at,
    created_at: iso(row.created_at),
    expires_at: iso(row.expires_at),
    accepted_at: isoOrNull(row.accepted_at),
    accepted_by,
  };
}

const listRoute = defineRoute({
  method: 'get',
  path: '/v1/proposals',
  access: 'ops',
  scope: 'proposals:read',
  operationId: 'listProposals',
  tag: 'proposals',
  summary: 'Target proposals, newest first',
  query: z.strictObject({
    parent_type: summaryFields.parent_type.optional(),
    parent_id: id.optional(),
    ...pageQuery,
  }),
  answers: { 200: { description: 'A page.', schema: pageOf(summarySchema) } },
  handle: async ({ scope, query, deps }) => {
    const now = await deps.businessNow(scope.trx);
    const rows = await listProposals(
      scope.trx,
      scope.orgId,
      { parentType: query.parent_type, parentId: query.parent_id },
      { order: PROPOSAL_ORDERS[SORT], after: readCursor(query.cursor, SORT), limit: query.limit },
    );
    const keyOf = (row: (typeof rows)[number]) => ({ value: row.sort_key, id: row.id });
    return { body: toPage(rows, query.limit, SORT, keyOf, (row) => summaryJson(row, now)) };
  },
});

const getRoute = defineRoute({
  method: 'get',
  path: '/v1/proposals/{proposal_id}',
  access: 'ops',
  scope: 'proposals:read',
  operationId: 'getProposal',
  tag: 'proposals',
  summary: 'One target proposal with every choice and exclusion explained',
  params: z.object({ proposal_id: idParam('proposal') }),
  answers: { 200: { description: 'The proposal.', schema: proposalSchema } },
  problems: ['not_found'],
  handle: async ({ scope, params, deps }) => {
    const row = await findProposal(scope.trx, scope.orgId, params.proposal_id);
    if (row === undefined) throw new Problem('not_found');
    const now = await deps.businessNow(scope.trx);
    const { proposed_targets, conflicts } = row;
    const criteria = withTimes(row.criteria as Record<string, unknown>, ['built_at']);
    return { body: { ...summaryJson(row, now), criteria, proposed_targets, conflicts } };
  },
});

export const proposalRoutes = [listRoute, getRoute];
