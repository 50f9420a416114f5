/** Target proposals: what the target builder suggests, with its reasons. */
import { z } from 'zod';
import { findProposal, listProposals, PROPOSAL_ORDERS, type ProposalListRow } from '../db/proposal-lists.js';
import { acceptProposal } from '../db/proposals.js';
import { checkAcceptance, type ProposalStanding, proposalState } from '../domain/proposals.js';
import { EXCLUSION_CODES } from '../domain/targeting-types.js';
import { audit } from './audit.js';
import { pageOf, pageQuery, readCursor, toPage } from './pagination.js';
import { Problem } from './problems.js';
import { defineRoute } from './route.js';
import { id, idParam, iso, isoOrNull, timestamp, withTimes } from './schemas.js';
import { asLogin, type Scope } from './scope.js';

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

function standingOf(row: ProposalListRow): ProposalStanding {
  return {
    parentType: row.parent_type === 'campaign' ? 'campaign' : 'submission',
    expiresAt: row.expires_at.getTime(),
    acceptedAt: row.accepted_at?.getTime() ?? null,
  };
}

function summaryJson(row: ProposalListRow, now: Date): z.infer<typeof summarySchema> {
  const standing = standingOf(row);
  const { id, parent_id, total_capacity, estimated_credits, accepted_by } = row;
  return {
    id,
    parent_type: standing.parentType,
    parent_id,
    total_capacity,
    estimated_credits,
    target_count: row.target_count,
    conflict_count: Object.values(row.excluded).reduce((sum, count) => sum + count, 0),
    excluded: row.excluded,
    state: proposalState(standing, now.getTime()),
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
    const row = await requireProposal(scope, params.proposal_id);
    const now = await deps.businessNow(scope.trx);
    const { proposed_targets, conflicts } = row;
    const criteria = withTimes(row.criteria as Record<string, unknown>, ['built_at']);
    return { body: { ...summaryJson(row, now), criteria, proposed_targets, conflicts } };
  },
});

const acceptRoute = defineRoute({
  method: 'post',
  path: '/v1/proposals/{proposal_id}/accept',
  access: 'ops',
  scope: null,
  operationId: 'acceptProposal',
  tag: 'proposals',
  summary: 'Accept a campaign’s proposal',
  description:
    'Until it expires; accepted it never does. A submission’s is not accepted: the daily queue chooses its supporters. Audited.',
  params: z.object({ proposal_id: idParam('proposal') }),
  answers: { 200: { description: 'The proposal as it is now.', schema: summarySchema } },
  problems: ['not_found', 'proposal_advisory', 'proposal_accepted', 'proposal_expired'],
  handle: async (context) => {
    const { scope, deps, params } = context;
    const now = await deps.businessNow(scope.trx);
    const row = await requireAcceptable(scope, params.proposal_id, now);
    if (!(await asLogin(scope, (trx) => acceptProposal(trx, scope.orgId, row.id, now)))) {
      // Somebody was quicker: the row says so by now.
      await requireAcceptable(scope, row.id, now);
      throw new Error(`Proposal ${row.id} can be accepted, and was not.`);
    }
    const accepted = summaryJson(await requireProposal(scope, row.id), now);
    await audit(context, scope, {
      action: 'proposal.accept',
      entityType: 'proposal',
      entityId: row.id,
      after: {
        parent_type: accepted.parent_type,
        parent_id: accepted.parent_id,
        target_count: accepted.target_count,
        total_capacity: accepted.total_capacity,
      },
    });
    return { body: accepted };
  },
});

/** @throws Problem not_found, also for a proposal of another org */
async function requireProposal(scope: Scope, proposalId: string) {
  const row = await findProposal(scope.trx, scope.orgId, proposalId);
  if (row === undefined) throw new Problem('not_found');
  return row;
}

/** @throws Problem what keeps it from being accepted */
async function requireAcceptable(scope: Scope, proposalId: string, now: Date) {
  const row = await requireProposal(scope, proposalId);
  const check = checkAcceptance(standingOf(row), now.getTime());
  if (!check.ok) throw new Problem(check.code, { detail: check.reason });
  return row;
}

export const proposalRoutes = [listRoute, getRoute, acceptRoute];
