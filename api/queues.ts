/** Daily queues: their drafts with every reason, what changed between two, a dry run, and asking for a date. */
import { z } from 'zod';
import { memberNames } from '../db/members.js';
import { listUnused, loadDraft } from '../db/queue-drafts.js';
import { loadQueueFacts } from '../db/queue-facts.js';
import { generateBeside } from '../db/queue-generation.js';
import {
  findQueue,
  listDrafts,
  listQueues,
  QUEUE_ORDERS,
  queueSettingsOf,
  requestQueue,
} from '../db/queue-lists.js';
import type { QueueRow } from '../db/queues.js';
import { dateOf } from '../domain/calendar.js';
import { checkDryRun, checkRequest } from '../domain/daily-queue.js';
import { type DraftDiff, diffDrafts } from '../domain/queue-changes.js';
import { UNUSED_CODES } from '../domain/queue-generation-types.js';
import { type OrgSettings, type PartialSettings, withDefaults } from '../domain/settings.js';
import { audit } from './audit.js';
import type { AppDeps } from './deps.js';
import { pageOf, pageQuery, readCursor, toPage } from './pagination.js';
import { Problem } from './problems.js';
import {
  draftExplanation,
  draftExplanationSchema,
  noQueue,
  plannedJson,
  plannedSchema,
  queueDetail,
  queueDetailSchema,
  queueJson,
  queueSchema,
  queueStatus,
  unfilledJson,
  unfilledSchema,
  unusedJson,
  unusedSchema,
} from './queue-shape.js';
import { defineLongRoute, defineRoute } from './route.js';
import { calendarDate, iso, memberName, timestamp } from './schemas.js';
import { asLogin, type Scope } from './scope.js';

const SORTS = Object.keys(QUEUE_ORDERS) as [keyof typeof QUEUE_ORDERS];
const read = { access: 'anyone', scope: 'queues:read', tag: 'queues' } as const;
const ops = { access: 'ops', scope: null, tag: 'queues' } as const;
export const dateParams = z.object({
  date: calendarDate.describe("Date of the queue, in the org's timezone."),
});
const revision = z.coerce.number().int().min(1).max(1_000_000);

const listRoute = defineRoute({
  ...read,
  method: 'get',
  path: '/v1/queues',
  operationId: 'listQueues',
  summary: 'Queues, newest first',
  description: 'Members see published ones.',
  query: z.strictObject({
    status: queueStatus.optional(),
    from: calendarDate.optional(),
    to: calendarDate.optional(),
    sort: z.enum(SORTS).default('-date'),
    ...pageQuery,
  }),
  answers: { 200: { description: 'A page.', schema: pageOf(queueSchema) } },
  handle: async ({ scope, query }) => {
    const { sort, limit } = query;
    const page = { order: QUEUE_ORDERS[sort], after: readCursor(query.cursor, sort), limit };
    const rows = await listQueues(scope.trx, scope.orgId, query, page);
    const keyOf = (row: (typeof rows)[number]) => ({ value: row.sort_key, id: row.id });
    return { body: toPage(rows, limit, sort, keyOf, (row) => queueJson(row, scope)) };
  },
});

const getRoute = defineRoute({
  ...read,
  method: 'get',
  path: '/v1/queues/{date}',
  operationId: 'getQueue',
  summary: 'The queue of a date, with its assignments and every reason',
  description: 'Members see published queues, and their own assignments in them.',
  params: dateParams,
  answers: {
    200: {
      description: 'The queue.',
      schema: queueDetailSchema,
      headers: { ETag: 'Names the newest draft; commands take it as If-Match.' },
    },
  },
  problems: ['not_found'],
  handle: ({ scope, deps, params }) => queueDetail(deps, scope, params.date),
});

const UNUSED_SORT = 'member_id';

const unusedRoute = defineRoute({
  ...ops,
  method: 'get',
  path: '/v1/queues/{date}/unused',
  operationId: 'listUnusedSupporters',
  summary: 'Supporters without an assignment in the queue, each with the reason',
  description: 'By id. As the newest generated draft found them, without those who were brought in since.',
  params: dateParams,
  query: z.strictObject({
    code: z.enum(UNUSED_CODES).optional().describe('Only those with this reason.'),
    revision: revision.optional().describe('As of this version; left out: of the queue as it is.'),
    ...pageQuery,
  }),
  answers: { 200: { description: 'A page.', schema: pageOf(unusedSchema) } },
  problems: ['not_found'],
  handle: async ({ scope, params, query }) => {
    const queue = await requireQueue(scope, params.date);
    const { code, limit } = query;
    if (query.revision !== undefined && query.revision > queue.revision) throw noDraft(queue, query.revision);
    const after = readCursor(query.cursor, UNUSED_SORT)?.id;
    const rows = await listUnused(
      scope.trx,
      scope.orgId,
      queue,
      { code, revision: query.revision },
      { after, limit },
    );
    const keyOf = ({ member_id }: (typeof rows)[number]) => ({ value: null, id: member_id });
    return { body: toPage(rows, limit, UNUSED_SORT, keyOf, unusedJson) };
  },
});

const requestRoute = defineRoute({
  ...ops,
  method: 'post',
  path: '/v1/queues',
  operationId: 'requestQueue',
  summary: 'Ask for the queue of a date',
  description:
    'For a date whose queue lapsed, was missed, or is wanted before its hour. It is drafted by the worker: GET it a moment later. Without open demand there is none.',
  body: z.strictObject({ date: calendarDate }).meta({ id: 'QueueRequest' }),
  answers: {
    202: {
      description: 'The draft follows.',
      schema: z.object({ date: calendarDate }),
      headers: { Location: 'Where the queue will be.' },
    },
  },
  problems: ['queue_exists', 'automation_disabled', 'queue_date_out_of_range', 'too_late_to_generate'],
  handle: async (context) => {
    const { scope, deps, body } = context;
    const now = await deps.businessNow(scope.trx);
    const check = await requestCheck(deps, scope, body.date);
    if (!check.ok) throw new Problem(check.code, { detail: check.reason });
    await asLogin(scope, (trx) => requestQueue(trx, scope.orgId, body.date, now));
    const details = { date: body.date };
    await audit(context, scope, { action: 'queue.request', entityType: 'queue', entityId: null, details });
    return { body: { date: body.date }, headers: { Location: `/v1/queues/${body.date}` } };
  },
});

const draftFields = {
  revision: z.int(),
  cause: z.enum(['generated', 'regenerated', 'swapped', 'dropped', 'added', 'approved', 'published']),
  created_by: z.uuid().nullable(),
  generated_at: timestamp,
};

const draftSummarySchema = z
  .object({
    ...draftFields,
    assignments: z.int(),
    unfilled: z.int(),
    edit: z.unknown().describe('What ops changed; null for a generated draft.'),
  })
  .meta({ id: 'QueueDraftSummary' });

const listDraftsRoute = defineRoute({
  ...ops,
  method: 'get',
  path: '/v1/queues/{date}/drafts',
  operationId: 'listQueueDrafts',
  summary: 'Every version of a queue, newest first',
  params: dateParams,
  answers: { 200: { description: 'All of them.', schema: z.object({ data: z.array(draftSummarySchema) }) } },
  problems: ['not_found'],
  handle: async ({ scope, params }) => {
    const queue = await requireQueue(scope, params.date);
    const drafts = await listDrafts(scope.trx, scope.orgId, queue.id);
    return {
      body: {
        data: drafts.map(({ input_hash: _, ...draft }) => ({
          ...draft,
          generated_at: iso(draft.generated_at),
        })),
      },
    };
  },
});

const draftSchema = z
  .object({
    ...draftFields,
    input_hash: z.string().nullable().describe('Two generated drafts with the same hash saw the same facts.'),
    assignments: z.array(plannedSchema),
    unfilled: z.array(unfilledSchema),
    explanation: draftExplanationSchema,
  })
  .meta({ id: 'QueueDraft' });

const getDraftRoute = defineRoute({
  ...ops,
  method: 'get',
  path: '/v1/queues/{date}/drafts/{revision}',
  operationId: 'getQueueDraft',
  summary: 'One version of a queue',
  description: 'Supporters it does not use: `GET /v1/queues/{date}/unused`, with its revision.',
  params: dateParams.extend({ revision }),
  answers: { 200: { description: 'The draft.', schema: draftSchema } },
  problems: ['not_found'],
  handle: async ({ scope, params }) => {
    const queue = await requireQueue(scope, params.date);
    const draft = await requireDraft(scope, queue, params.revision);
    const names = await supporterNames(scope, draft.assignments);
    const { cause, created_by, input_hash, explanation } = draft;
    return {
      body: {
        revision: draft.revision,
        cause,
        created_by,
        generated_at: iso(draft.generated_at),
        input_hash,
        assignments: draft.assignments.map((assignment) => plannedJson(assignment, names)),
        unfilled: unfilledJson(draft),
        explanation: draftExplanation(explanation as object),
      },
    };
  },
});

const change = z.object({
  submission_id: z.uuid(),
  supporter_id: z.uuid(),
  supporter_name: memberName,
  from: z.union([timestamp, z.int()]),
  to: z.union([timestamp, z.int()]),
});

const diffSchema = z
  .object({
    added: z.array(plannedSchema),
    removed: z.array(plannedSchema),
    moved: z.array(change).describe('Other slots.'),
    repriced: z.array(change).describe('Other prices, in credits.'),
  })
  .meta({ id: 'QueueDiff' });

/** @param names of the supporters of both versions */
function diffJson(diff: DraftDiff, names: ReadonlyMap<string, string>): z.infer<typeof diffSchema> {
  const named = <T extends { supporter_id: string }>(pair: T) => ({
    ...pair,
    supporter_name: names.get(pair.supporter_id) ?? null,
  });
  return {
    added: diff.added.map((assignment) => plannedJson(assignment, names)),
    removed: diff.removed.map((assignment) => plannedJson(assignment, names)),
    moved: diff.moved.map((moved) => ({
      ...named(moved),
      from: iso(new Date(moved.from)),
      to: iso(new Date(moved.to)),
    })),
    repriced: diff.repriced.map(named),
  };
}

const diffRoute = defineRoute({
  ...ops,
  method: 'get',
  path: '/v1/queues/{date}/diff',
  operationId: 'diffQueueDrafts',
  summary: 'What changed from one version of a queue to another',
  params: dateParams,
  query: z.strictObject({ from: revision, to: revision }),
  answers: { 200: { description: 'The changes.', schema: diffSchema } },
  problems: ['not_found'],
  handle: async ({ scope, params, query }) => {
    const queue = await requireQueue(scope, params.date);
    const from = await requireDraft(scope, queue, query.from);
    const to = await requireDraft(scope, queue, query.to);
    const names = await supporterNames(scope, [...from.assignments, ...to.assignments]);
    return { body: diffJson(diffDrafts(from.assignments, to.assignments), names) };
  },
});

const dryRunSchema = z
  .object({
    date: calendarDate,
    total_slots: z.int(),
    filled_slots: z.int(),
    assignments: z.array(plannedSchema),
    unfilled: z.array(unfilledSchema),
    unused: z.array(unusedSchema),
    explanation: draftExplanationSchema,
    diff: diffSchema.nullable().describe('Against the draft there is; null without one.'),
  })
  .meta({ id: 'QueueDryRun' });

const dryRunRoute = defineLongRoute({
  ...ops,
  method: 'post',
  path: '/v1/queues/{date}/dry-run',
  // It changes nothing, so there is nothing to do only once.
  idempotent: false,
  operationId: 'dryRunQueue',
  summary: 'The queue as it would be generated now, without writing anything',
  description:
    'Until the queue of the date is approved: then its draft is fixed, and `GET /v1/queues/{date}` shows it.',
  params: dateParams,
  answers: { 200: { description: 'The queue.', schema: dryRunSchema } },
  problems: ['queue_already_approved', 'queue_date_out_of_range', 'too_late_to_generate'],
  handle: async ({ inScope, deps, params }) => {
    const { date } = params;
    // The transaction ends before the generator begins to compute.
    const { input, current } = await inScope(async (scope) => {
      const queue = await findQueue(scope.trx, scope.orgId, date);
      if (queue !== undefined) requireOpenDraft(queue);
      const settings = await settingsOf(scope);
      const now = (await deps.businessNow(scope.trx)).getTime();
      const check = checkRequest(date, now, settings.timezone, settings.queue_hours);
      if (!check.ok && (check.code !== 'too_late_to_generate' || date !== dateOf(now, settings.timezone))) {
        throw new Problem(check.code, { detail: check.reason });
      }
      const question = { orgId: scope.orgId, date, now, earliest: now, settings, queueId: queue?.id ?? null };
      const found = await loadQueueFacts(scope.trx, question);
      const draft = queue === undefined ? undefined : await loadDraft(scope.trx, scope.orgId, queue.id);
      return { input: found.input, current: draft };
    });
    const draft = await generateBeside(input);
    const shown = [...draft.assignments, ...(current?.assignments ?? [])].map(
      ({ supporter_id }) => supporter_id,
    );
    const unused = draft.unused.map(({ member_id }) => member_id);
    const names = await inScope(({ trx, orgId }) => memberNames(trx, orgId, [...shown, ...unused]));
    return {
      body: {
        date,
        total_slots: draft.total_slots,
        filled_slots: draft.filled_slots,
        assignments: draft.assignments.map((assignment) => plannedJson(assignment, names)),
        unfilled: unfilledJson(draft),
        unused: draft.unused.map((one) =>
          unusedJson({ ...one, member_name: names.get(one.member_id) ?? null }),
        ),
        explanation: draftExplanation(draft.explanation),
        diff:
          current === undefined ? null : diffJson(diffDrafts(current.assignments, draft.assignments), names),
      },
    };
  },
});

/** May the caller's org ask for the queue of this date now? */
export async function requestCheck(
  deps: Pick<AppDeps, 'businessNow'>,
  scope: Scope,
  date: string,
): Promise<ReturnType<typeof checkRequest>> {
  const { timezone, queue_hours } = await settingsOf(scope);
  return checkRequest(date, (await deps.businessNow(scope.trx)).getTime(), timezone, queue_hours);
}

function supporterNames(
  { trx, orgId }: Scope,
  assignments: readonly { supporter_id: string }[],
): Promise<ReadonlyMap<string, string>> {
  return memberNames(
    trx,
    orgId,
    assignments.map(({ supporter_id }) => supporter_id),
  );
}

async function settingsOf(scope: Scope): Promise<OrgSettings> {
  return withDefaults((await asLogin(scope, (trx) => queueSettingsOf(trx, scope.orgId))) as PartialSettings);
}

async function requireQueue(scope: Scope, date: string): Promise<QueueRow> {
  const queue = await findQueue(scope.trx, scope.orgId, date);
  if (queue === undefined) throw noQueue(scope, date);
  return queue;
}

/** @throws Problem queue_already_approved */
function requireOpenDraft({ date, status, approved_by_id, approved_at }: QueueRow): void {
  const check = checkDryRun({
    date,
    status,
    approvedBy: approved_by_id,
    approvedAt: approved_at?.getTime() ?? null,
  });
  if (!check.ok) throw new Problem(check.code, { detail: check.reason });
}

async function requireDraft(scope: Scope, queue: QueueRow, wanted: number) {
  const draft = await loadDraft(scope.trx, scope.orgId, queue.id, wanted);
  if (draft === undefined) throw noDraft(queue, wanted);
  return draft;
}

function noDraft(queue: QueueRow, wanted: number): Problem {
  return new Problem('not_found', {
    detail: `The queue of ${queue.date} has no draft ${wanted}; the newest is ${queue.revision}.`,
  });
}

export const queueRoutes = [
  listRoute,
  requestRoute,
  getRoute,
  unusedRoute,
  listDraftsRoute,
  getDraftRoute,
  diffRoute,
  dryRunRoute,
];
