/** Assignments: one repost by one supporter each. Supporters see their own once the queue is published, ops all. */
import { z } from 'zod';
import { ASSIGNMENT_ORDERS, findAssignment, listAssignments } from '../db/assignment-lists.js';
import { makersOf, type ProofCheckRow, proofChecksOf } from '../db/proof-checks.js';
import {
  assignmentDetail,
  assignmentDetailSchema,
  assignmentSchema,
  assignmentStatus,
  assignmentsJson,
} from './assignment-shape.js';
import { pageOf, pageQuery, readCursor, toPage } from './pagination.js';
import { Problem } from './problems.js';
import { defineRoute } from './route.js';
import { calendarDate, flag, id, idParam, iso, timestamp } from './schemas.js';

const SORTS = Object.keys(ASSIGNMENT_ORDERS) as [keyof typeof ASSIGNMENT_ORDERS];
const read = { access: 'anyone', scope: 'queues:read', tag: 'assignments' } as const;
const params = z.object({ assignment_id: idParam('assignment') });

const listRoute = defineRoute({
  ...read,
  method: 'get',
  path: '/v1/assignments',
  operationId: 'listAssignments',
  summary: 'Assignments',
  description: 'Ops see all of the org, members their own of published queues.',
  query: z.strictObject({
    status: z
      .string()
      .transform((text) => text.split(','))
      .pipe(z.array(assignmentStatus).min(1))
      .optional()
      .describe('One status, or several separated by commas.'),
    date: calendarDate.optional().describe('Date of the queue.'),
    submission_id: id.optional(),
    supporter_id: id.optional(),
    open: flag.optional().describe('true: only what is not settled; false: only what is.'),
    sort: z.enum(SORTS).default('-slot_at'),
    ...pageQuery,
  }),
  answers: { 200: { description: 'A page.', schema: pageOf(assignmentSchema) } },
  handle: async ({ scope, query }) => {
    const rows = await listAssignments(
      scope.trx,
      scope.orgId,
      {
        statuses: query.status,
        queueDate: query.date,
        submissionId: query.submission_id,
        supporterId: query.supporter_id,
        open: query.open,
      },
      {
        order: ASSIGNMENT_ORDERS[query.sort],
        after: readCursor(query.cursor, query.sort),
        limit: query.limit,
      },
    );
    const shown = await assignmentsJson(scope, rows.slice(0, query.limit));
    const keyOf = (row: (typeof rows)[number]) => ({ value: row.sort_key, id: row.id });
    const page = toPage(rows, query.limit, query.sort, keyOf, (row) => row.id);
    return { body: { ...page, data: shown } };
  },
});

const getRoute = defineRoute({
  ...read,
  method: 'get',
  path: '/v1/assignments/{assignment_id}',
  operationId: 'getAssignment',
  summary: 'One assignment, with what it waits for',
  params,
  answers: { 200: { description: 'The assignment.', schema: assignmentDetailSchema } },
  problems: ['not_found'],
  handle: async ({ scope, deps, params: { assignment_id } }) => ({
    body: await assignmentDetail(deps, scope, assignment_id),
  }),
});

const evidenceSchema = z
  .object({
    id: z.uuid(),
    phase: z.enum(['proof', 'watch', 'audit']),
    source: z
      .enum(['member_url', 'scheduler', 'reposters', 'user_reposts'])
      .describe('Where it was looked; the address a member hands in proves nothing by itself.'),
    verdict: z.enum(['seen', 'absent', 'inconclusive']),
    positive_control: z
      .boolean()
      .describe(
        'The list shows another repost that is known to be later; without it, absent does not count.',
      ),
    facts: z
      .record(z.string(), z.unknown())
      .describe(
        'What the list showed. `later`: the later reposts in it, by track in user_reposts; in reposters by who made them, for ops only. `reason` reposted_before: it shows a repost that may be an older one of the same track.',
      ),
    checked_at: timestamp.describe('Business time.'),
  })
  .meta({ id: 'ProofCheck' });

/** @param makers handles by the ids that evidence keeps; null for a member, who does not learn who else supports */
function evidenceJson(
  row: ProofCheckRow,
  makers: ReadonlyMap<string, string> | null,
): z.infer<typeof evidenceSchema> {
  const { phase, source, verdict } = evidenceSchema
    .pick({ phase: true, source: true, verdict: true })
    .parse(row);
  return {
    id: row.id,
    phase,
    source,
    verdict,
    positive_control: row.positive_control,
    facts: factsFor(row, makers),
    checked_at: iso(row.checked_at),
  };
}

function factsFor(row: ProofCheckRow, makers: ReadonlyMap<string, string> | null): Record<string, unknown> {
  const { later, ...facts } = row.facts as Record<string, unknown>;
  if (later === undefined || row.source !== 'reposters') return row.facts as Record<string, unknown>;
  return makers === null ? facts : { ...facts, later: laterIds(row).map((made) => makers.get(made) ?? made) };
}

/** Ids of the later reposts a list of reposters showed, as they stand in the JSON: not every one need be an id. */
function laterIds({ source, facts }: ProofCheckRow): string[] {
  const { later } = facts as { later?: unknown };
  return source === 'reposters' && Array.isArray(later) ? later.filter((one) => typeof one === 'string') : [];
}

const evidenceRoute = defineRoute({
  ...read,
  method: 'get',
  path: '/v1/assignments/{assignment_id}/evidence',
  operationId: 'getAssignmentEvidence',
  summary: 'What was seen of the repost, oldest first',
  params,
  answers: {
    200: { description: 'All looks.', schema: z.object({ data: z.array(evidenceSchema) }) },
  },
  problems: ['not_found'],
  handle: async ({ scope, params: { assignment_id } }) => {
    const row = await findAssignment(scope.trx, scope.orgId, assignment_id);
    if (row === undefined) throw new Problem('not_found');
    const checks = await proofChecksOf(scope.trx, scope.orgId, assignment_id);
    const makers = scope.ops ? await makersOf(scope.trx, scope.orgId, checks.flatMap(laterIds)) : null;
    return { body: { data: checks.map((check) => evidenceJson(check, makers)) } };
  },
});

export const assignmentRoutes = [listRoute, getRoute, evidenceRoute];
