/** Schedules: what Influence Planner is asked to do, what became of it, and what ops answer. */
import { z } from 'zod';
import {
  findIntent,
  findSchedule,
  type IntentRow,
  listSchedules,
  SCHEDULE_ORDERS,
  type ScheduleRow,
} from '../db/schedules.js';
import { waitOfEntity } from '../db/submission-lists.js';
import { closedReason } from '../domain/repost-schedule.js';
import type { ScheduleCommandName } from '../domain/repost-schedule-commands.js';
import { repostScheduleId } from '../workflows/repost-schedule/contract.js';
import type { AppDeps } from './deps.js';
import { waitJson, waitSchema } from './inbox.js';
import { commandAnswers, runCommand } from './lifecycle-command.js';
import { pageOf, pageQuery, readCursor, toPage } from './pagination.js';
import { Problem, type ProblemCode } from './problems.js';
import { defineLongRoute, defineRoute, type Route } from './route.js';
import { flag, id, idParam, iso, isoOrNull, prose, timestamp } from './schemas.js';
import type { Scope } from './scope.js';
import { workflowLink, workflowLinkSchema } from './workflow-links.js';

const scheduleStatus = z.enum(['pending', 'scheduled', 'completed', 'failed', 'cancelled']);
const parentType = z.enum(['campaign', 'submission']);

const fields = {
  id: z.uuid(),
  ip_schedule_id: z.string().nullable().describe('The id in Influence Planner; null until it is known.'),
  parent_type: parentType,
  parent_id: z.uuid(),
  assignment_id: z.uuid().nullable().describe('Null for a campaign.'),
  target_handle: z.string().describe('SoundCloud handle of the account that reposts.'),
  member_account_id: z.uuid().nullable(),
  status: scheduleStatus,
  scheduled_at: timestamp.nullable().describe('Business time, as are completed_at and closed_at.'),
  completed_at: timestamp.nullable(),
  proof_url: z.string().nullable(),
  credits_allocated: z.int(),
  error_message: z.string().nullable().describe('Why it failed or was cancelled.'),
  retry_count: z.int().describe('Requests that were certainly not taken.'),
  closed_at: timestamp.nullable(),
  created_at: timestamp,
  updated_at: timestamp,
};

const scheduleSchema = z.object(fields).meta({ id: 'Schedule' });

const intentSchema = z
  .object({
    status: z.enum(['intended', 'sent', 'confirmed', 'failed', 'unknown', 'cancelled']),
    request: z.record(z.string(), z.unknown()).describe('What was asked, or is about to be.'),
    attempts: z.int(),
    sent_at: timestamp.nullable(),
    resolved_at: timestamp.nullable(),
    resolved_by: z.enum(['response', 'evidence', 'webhook', 'ops']).nullable(),
    error: z.string().nullable(),
    calendar_url: z.string().nullable().describe('Its page in Influence Planner.'),
  })
  .meta({ id: 'ScheduleIntent' });

const detailSchema = z
  .object({
    ...fields,
    intent: intentSchema.nullable().describe('Null before its lifecycle began, and for API keys.'),
    evidence: z
      .array(z.record(z.string(), z.unknown()))
      .describe('Looks for the repost on SoundCloud, oldest first.'),
    wait: waitSchema.nullable(),
    workflow: workflowLinkSchema.nullable().describe("Null while a campaign's waits to be sent."),
  })
  .meta({ id: 'ScheduleDetail' });

const SORTS = Object.keys(SCHEDULE_ORDERS) as [keyof typeof SCHEDULE_ORDERS];
const read = { access: 'ops', scope: 'schedules:read', tag: 'schedules', method: 'get' } as const;
const params = z.object({ schedule_id: idParam('schedule') });

function scheduleJson(row: ScheduleRow): z.infer<typeof scheduleSchema> {
  return {
    id: row.id,
    ip_schedule_id: row.ip_schedule_id,
    parent_type: row.parent_type === 'campaign' ? 'campaign' : 'submission',
    parent_id: row.parent_id,
    assignment_id: row.assignment_id,
    target_handle: row.target_handle,
    member_account_id: row.member_account_id,
    status: row.status,
    scheduled_at: isoOrNull(row.scheduled_at),
    completed_at: isoOrNull(row.completed_at),
    proof_url: row.proof_url,
    credits_allocated: row.credits_allocated,
    error_message: row.error_message,
    retry_count: row.retry_count,
    closed_at: isoOrNull(row.closed_at),
    created_at: iso(row.created_at),
    updated_at: iso(row.updated_at),
  };
}

function intentJson(row: IntentRow): z.infer<typeof intentSchema> {
  return {
    status: intentSchema.shape.status.parse(row.status),
    request: row.request as Record<string, unknown>,
    attempts: row.attempts,
    sent_at: isoOrNull(row.sent_at),
    resolved_at: isoOrNull(row.resolved_at),
    resolved_by: intentSchema.shape.resolved_by.parse(row.resolved_by),
    error: row.error,
    calendar_url: responseOf(row).calendarUrl ?? null,
  };
}

function responseOf(row: IntentRow) {
  return (row.response ?? {}) as { calendarUrl?: string; looks?: Record<string, unknown>[] };
}

/** @throws Problem not_found, also for one the caller may not see */
async function scheduleDetail(
  deps: AppDeps,
  scope: Scope,
  scheduleId: string,
): Promise<z.infer<typeof detailSchema>> {
  const row = await findSchedule(scope.trx, scope.orgId, scheduleId);
  if (row === undefined) throw new Problem('not_found');
  // API keys have no rights on intents and waits.
  const person = scope.caller.kind === 'person';
  const intent = person ? await findIntent(scope.trx, scope.orgId, scheduleId) : undefined;
  const wait = person ? await waitOfEntity(scope.trx, scope.orgId, 'schedule', scheduleId) : undefined;
  const hasWorkflow = row.assignment_id !== null || row.status !== 'pending' || intent !== undefined;
  return {
    ...scheduleJson(row),
    intent: intent === undefined ? null : intentJson(intent),
    evidence: intent === undefined ? [] : (responseOf(intent).looks ?? []),
    wait: wait === undefined ? null : waitJson(wait),
    workflow: hasWorkflow ? workflowLink(deps, repostScheduleId(scope.orgId, scheduleId)) : null,
  };
}

const listRoute = defineRoute({
  ...read,
  path: '/v1/schedules',
  operationId: 'listSchedules',
  summary: 'Schedules in Influence Planner',
  query: z.strictObject({
    status: z
      .string()
      .transform((text) => text.split(','))
      .pipe(z.array(scheduleStatus).min(1))
      .optional()
      .describe('One status, or several separated by commas.'),
    parent_type: parentType.optional(),
    parent_id: id.optional(),
    assignment_id: id.optional(),
    open: flag.optional().describe('true: only what is not closed; false: only what is.'),
    sort: z.enum(SORTS).default('-created_at'),
    ...pageQuery,
  }),
  answers: { 200: { description: 'A page.', schema: pageOf(scheduleSchema) } },
  handle: async ({ scope, query }) => {
    const rows = await listSchedules(
      scope.trx,
      scope.orgId,
      {
        statuses: query.status,
        parentType: query.parent_type,
        parentId: query.parent_id,
        assignmentId: query.assignment_id,
        open: query.open,
      },
      {
        order: SCHEDULE_ORDERS[query.sort],
        after: readCursor(query.cursor, query.sort),
        limit: query.limit,
      },
    );
    const keyOf = (row: (typeof rows)[number]) => ({ value: row.sort_key, id: row.id });
    return { body: toPage(rows, query.limit, query.sort, keyOf, scheduleJson) };
  },
});

const getRoute = defineRoute({
  ...read,
  path: '/v1/schedules/{schedule_id}',
  operationId: 'getSchedule',
  summary: 'One schedule, with its intent, the evidence, and what it waits for',
  params,
  answers: { 200: { description: 'The schedule.', schema: detailSchema } },
  problems: ['not_found'],
  handle: async ({ scope, deps, params: { schedule_id } }) => ({
    body: await scheduleDetail(deps, scope, schedule_id),
  }),
});

function defineCommand<B extends z.ZodType = z.ZodUndefined>(command: {
  /** Last part of the path. */
  verb: string;
  name: ScheduleCommandName;
  operationId: string;
  summary: string;
  description: string;
  body?: B;
  refusals: readonly ProblemCode[];
  /** The workflow's words for the body. */
  payload(body: z.output<B>): Record<string, unknown>;
}): Route {
  return defineLongRoute<typeof params, z.ZodObject<Record<never, never>>, B>({
    method: 'post',
    path: `/v1/schedules/{schedule_id}/${command.verb}`,
    access: 'ops',
    scope: null,
    operationId: command.operationId,
    tag: 'schedules',
    summary: command.summary,
    description: command.description,
    params,
    ...(command.body !== undefined && { body: command.body }),
    answers: commandAnswers(detailSchema, 'schedule'),
    problems: [
      'not_found',
      'malformed_command',
      'schedule_closed',
      ...command.refusals,
      'temporal_unavailable',
      'workflow_unavailable',
    ],
    handle: (context) => {
      const { schedule_id: scheduleId } = context.params;
      return runCommand(context, {
        entityType: 'schedule',
        name: command.name,
        payload: command.payload(context.body),
        async requireOpen(scope) {
          const row = await findSchedule(scope.trx, scope.orgId, scheduleId);
          if (row === undefined) throw new Problem('not_found');
          if (row.closed_at !== null)
            throw new Problem('schedule_closed', { detail: closedReason(row.status) });
          return { entityId: scheduleId, entityKey: null };
        },
        answer: async (scope) => ({ body: await scheduleDetail(context.deps, scope, scheduleId) }),
      });
    },
  });
}

const cancel = defineCommand({
  verb: 'cancel',
  name: 'cancel',
  operationId: 'cancelSchedule',
  summary: 'Stop it',
  description:
    'Not sent yet: it is cancelled at once. Sent: its API cannot cancel, so somebody takes it out of the calendar of Influence Planner and confirms that.',
  body: z.strictObject({ reason: prose(1_000).min(1) }),
  refusals: ['schedule_being_cancelled'],
  payload: ({ reason }) => ({ reason }),
});

const confirmCancelled = defineCommand({
  verb: 'confirm-cancelled',
  name: 'confirmCancelled',
  operationId: 'confirmScheduleCancelled',
  summary: 'It was taken out of the calendar of Influence Planner',
  description: 'Also when it was not there.',
  refusals: ['schedule_not_being_cancelled'],
  payload: () => ({}),
});

const answerUnknown = defineCommand({
  verb: 'answer-unknown',
  name: 'answerUnknown',
  operationId: 'answerUnknownSchedule',
  summary: 'Whether Influence Planner has it',
  description:
    'The answer to its request was lost. sent true: it is in the calendar and is followed from there. sent false: it failed, and the supporter reposts by hand; it is never sent again.',
  body: z.strictObject({
    sent: z.boolean(),
    ip_schedule_id: z
      .string()
      .trim()
      .min(1)
      .max(200)
      .optional()
      .describe('Last part of its address in the calendar.'),
  }),
  refusals: ['schedule_not_unknown'],
  payload: ({ sent, ip_schedule_id }) => ({
    sent,
    ...(ip_schedule_id !== undefined && { scheduleId: ip_schedule_id }),
  }),
});

export const scheduleRoutes = [listRoute, getRoute, cancel, confirmCancelled, answerUnknown];
