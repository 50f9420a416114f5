/** Manual credit changes with four eyes: ops ask for one, above the org's threshold a second ops person decides. */
import { z } from 'zod';
import {
  CREDIT_CHANGE_STATUSES,
  type CreditChangeRow,
  type CreditChangeStatus,
  decideCreditChange,
  findCreditChange,
  listCreditChanges,
  requestCreditChange,
} from '../db/credit-changes.js';
import { MAX_CHANGE, reasonProblem } from '../domain/credit-changes.js';
import { audit } from './audit.js';
import { pageOf, pageQuery, readCursor, toPage } from './pagination.js';
import { Problem, type ProblemCode } from './problems.js';
import { defineRoute, type Route, type ScopedContext } from './route.js';
import { id, idParam, iso, isoOrNull, prose, timestamp } from './schemas.js';
import { asLogin, type Scope } from './scope.js';

const ops = { access: 'ops', scope: null, tag: 'credits' } as const;
const status = z.enum(CREDIT_CHANGE_STATUSES);
const params = z.object({ credit_change_id: idParam('credit change') });

const creditChangeSchema = z
  .object({
    id: z.uuid(),
    member_id: z.uuid(),
    member_name: z.string(),
    amount: z.int().describe('Credits given (positive) or taken (negative).'),
    reason: z.string(),
    status: status.describe(
      'applied: at once, at or below the threshold. pending: waits for a second person, who approves or rejects it; the requester may withdraw it.',
    ),
    requested_by: z.uuid(),
    requested_at: timestamp.describe('Business time.'),
    decided_by: z
      .uuid()
      .nullable()
      .describe('The second person, or the requester who withdrew; null when applied.'),
    decided_at: timestamp.nullable(),
    decision_note: z.string().nullable(),
    entry_id: z.uuid().nullable().describe('Its ledger entry, once credits moved.'),
    balance_after: z.int().nullable().describe("The member's balance right after that entry."),
  })
  .meta({ id: 'CreditChange' });

const requestBody = z
  .strictObject({
    amount: z
      .int()
      .min(-MAX_CHANGE)
      .max(MAX_CHANGE)
      .refine((amount) => amount !== 0, 'must not be 0')
      .describe('Positive gives, negative takes.'),
    reason: prose(1_000).describe('At least 3 words; the member reads it.'),
  })
  .meta({ id: 'NewCreditChange' });

function creditChangeJson(row: CreditChangeRow): z.infer<typeof creditChangeSchema> {
  return {
    id: row.id,
    member_id: row.member_id,
    member_name: row.member_name,
    amount: row.amount,
    reason: row.reason,
    status: row.status as CreditChangeStatus,
    requested_by: row.requested_by,
    requested_at: iso(row.requested_at),
    decided_by: row.decided_by,
    decided_at: isoOrNull(row.decided_at),
    decision_note: row.decision_note,
    entry_id: row.entry_id,
    balance_after: row.balance_after,
  };
}

/** @throws Problem not_found, also for a change of another org */
async function requireCreditChange(scope: Scope, changeId: string): Promise<CreditChangeRow> {
  const row = await findCreditChange(scope.trx, scope.orgId, changeId);
  if (row === undefined) throw new Problem('not_found');
  return row;
}

const SORT = '-requested_at';

const listRoute = defineRoute({
  ...ops,
  method: 'get',
  path: '/v1/credit-changes',
  operationId: 'listCreditChanges',
  summary: 'Manual credit changes, newest first',
  query: z.strictObject({ status: status.optional(), member_id: id.optional(), ...pageQuery }),
  answers: { 200: { description: 'A page.', schema: pageOf(creditChangeSchema) } },
  handle: async ({ scope, query }) => {
    const rows = await listCreditChanges(
      scope.trx,
      scope.orgId,
      { status: query.status, memberId: query.member_id },
      { after: readCursor(query.cursor, SORT), limit: query.limit },
    );
    const keyOf = (row: (typeof rows)[number]) => ({ value: row.sort_key, id: row.id });
    return { body: toPage(rows, query.limit, SORT, keyOf, creditChangeJson) };
  },
});

const getRoute = defineRoute({
  ...ops,
  method: 'get',
  path: '/v1/credit-changes/{credit_change_id}',
  operationId: 'getCreditChange',
  summary: 'One manual credit change',
  params,
  answers: { 200: { description: 'The change.', schema: creditChangeSchema } },
  problems: ['not_found'],
  handle: async ({ scope, params: { credit_change_id } }) => ({
    body: creditChangeJson(await requireCreditChange(scope, credit_change_id)),
  }),
});

const createRoute = defineRoute({
  ...ops,
  method: 'post',
  path: '/v1/members/{member_id}/credit-changes',
  operationId: 'requestCreditChange',
  summary: "Change a member's credits by hand",
  description:
    "Up to the org's four_eyes_threshold, either way, it is applied at once; above it waits for another admin or moderator. What does not fit is refused, not cut.",
  params: z.object({ member_id: idParam('member') }),
  body: requestBody,
  answers: {
    201: {
      description: 'Applied, or pending: see `status`.',
      schema: creditChangeSchema,
      headers: { Location: 'Its address.' },
    },
  },
  problems: ['not_found', 'reason_too_short', 'above_headroom', 'insufficient_credits'],
  handle: async (context) => {
    const { scope, deps, body } = context;
    const problem = reasonProblem(body.reason);
    if (problem !== null) throw new Problem('reason_too_short', { detail: problem });
    const at = await deps.businessNow(scope.trx);
    const change = { memberId: context.params.member_id, ...body };
    const changeId = await asLogin(scope, (trx) => requestCreditChange(trx, scope.orgId, change, at));
    const row = await requireCreditChange(scope, changeId);
    await record(context, 'request', row);
    return { body: creditChangeJson(row), headers: { Location: `/v1/credit-changes/${changeId}` } };
  },
});

/** The trail keeps the outcome beside who asked and who decided. */
function record(
  context: ScopedContext<unknown, unknown, unknown>,
  verb: string,
  row: CreditChangeRow,
): Promise<void> {
  const { amount, reason, status, entry_id } = creditChangeJson(row);
  return audit(context, context.scope, {
    action: `credit_change.${verb}`,
    entityType: 'credit_change',
    entityId: row.id,
    reason: verb === 'request' ? reason : (row.decision_note ?? undefined),
    after: { member_id: row.member_id, amount, status, entry_id },
  });
}

interface Decision<B extends z.ZodType> {
  verb: 'approve' | 'reject' | 'withdraw';
  outcome: 'approved' | 'rejected' | 'withdrawn';
  summary: string;
  description?: string;
  body?: B;
  problems: readonly ProblemCode[];
  noteOf(body: z.output<B>): string | null;
}

function defineDecision<B extends z.ZodType = z.ZodUndefined>(decision: Decision<B>): Route {
  return defineRoute<typeof params, z.ZodObject<Record<never, never>>, B>({
    ...ops,
    method: 'post',
    path: `/v1/credit-changes/{credit_change_id}/${decision.verb}`,
    operationId: `${decision.verb}CreditChange`,
    summary: decision.summary,
    ...(decision.description !== undefined && { description: decision.description }),
    params,
    ...(decision.body !== undefined && { body: decision.body }),
    answers: { 200: { description: 'The change as it is now.', schema: creditChangeSchema } },
    problems: ['not_found', 'credit_change_decided', ...decision.problems],
    handle: async (context) => {
      const { scope, deps } = context;
      const changeId = context.params.credit_change_id;
      const at = await deps.businessNow(scope.trx);
      const note = decision.noteOf(context.body);
      await asLogin(scope, (trx) =>
        decideCreditChange(trx, scope.orgId, changeId, decision.outcome, note, at),
      );
      const row = await requireCreditChange(scope, changeId);
      await record(context, decision.verb, row);
      return { body: creditChangeJson(row) };
    },
  });
}

const note = prose(1_000);

const approveRoute = defineDecision({
  verb: 'approve',
  outcome: 'approved',
  summary: 'Approve a pending change: the credits move',
  description: 'By another admin or moderator than whoever asked for it.',
  body: z.strictObject({ note: note.optional() }).optional(),
  problems: ['second_person_required', 'above_headroom', 'insufficient_credits'],
  noteOf: (body) => body?.note || null,
});

const rejectRoute = defineDecision({
  verb: 'reject',
  outcome: 'rejected',
  summary: 'Reject a pending change',
  description: 'By another admin or moderator than whoever asked for it, who reads the note.',
  body: z.strictObject({ note: note.min(1) }),
  problems: ['second_person_required'],
  noteOf: (body) => body.note,
});

const withdrawRoute = defineDecision({
  verb: 'withdraw',
  outcome: 'withdrawn',
  summary: 'Take back a pending change one asked for',
  problems: ['requester_only'],
  noteOf: () => null,
});

export const creditChangeRoutes = [
  listRoute,
  createRoute,
  getRoute,
  approveRoute,
  rejectRoute,
  withdrawRoute,
];
