/**
 * Tasks for ops. A lifecycle that asks waits for one of the task's actions, a request to the API, and closes the task
 * itself; a task nobody waits for is closed here.
 */
import { z } from 'zod';
import {
  closeOwnOpsTask,
  findOpsTask,
  listOpsTasks,
  OPS_TASK_ORDERS,
  type OpsTaskRow,
} from '../db/ops-tasks.js';
import { audit } from './audit.js';
import { pageOf, pageQuery, readCursor, toPage } from './pagination.js';
import { Problem } from './problems.js';
import { defineRoute } from './route.js';
import { id, idParam, iso, isoOrNull, prose, timestamp } from './schemas.js';
import { asLogin } from './scope.js';
import { workflowLink, workflowLinkSchema } from './workflow-links.js';

const SORTS = Object.keys(OPS_TASK_ORDERS) as [keyof typeof OPS_TASK_ORDERS];
const params = z.object({ task_id: idParam('task') });
const taskStatus = z.enum(['open', 'done', 'dismissed']);

const actionSchema = z
  .object({
    label: z.string(),
    method: z.string(),
    path: z.string(),
    body: z
      .record(z.string(), z.unknown())
      .optional()
      .describe('What is sent, together with what `needs` names.'),
    needs: z
      .array(z.string())
      .default([])
      .describe('Required fields that the body lacks: whoever answers adds them.'),
  })
  .meta({ id: 'OpsTaskAction' });

const taskSchema = z
  .object({
    id: z.uuid(),
    kind: z.string(),
    title: z.string(),
    body: z.string(),
    entity_type: z.string().nullable(),
    entity_id: z.uuid().nullable(),
    actions: z.array(actionSchema).describe('The possible answers. Empty: close the task when it is done.'),
    status: taskStatus,
    due_at: timestamp.nullable().describe('Business time.'),
    resolved_at: timestamp.nullable(),
    resolved_by: z.uuid().nullable(),
    resolution: z.record(z.string(), z.unknown()).nullable(),
    workflow: workflowLinkSchema.nullable().describe('Who waits for the answer.'),
    created_at: timestamp,
  })
  .meta({ id: 'OpsTask' });

type Links = Parameters<typeof workflowLink>[0];

function taskJson(deps: Links, row: OpsTaskRow): z.infer<typeof taskSchema> {
  return {
    id: row.id,
    kind: row.kind,
    title: row.title,
    body: row.body,
    entity_type: row.entity_type,
    entity_id: row.entity_id,
    actions: z.array(actionSchema).parse(row.actions),
    status: taskStatus.parse(row.status),
    due_at: isoOrNull(row.due_at),
    resolved_at: isoOrNull(row.resolved_at),
    resolved_by: row.resolved_by,
    resolution: row.resolution as Record<string, unknown> | null,
    workflow: row.workflow_id === null ? null : workflowLink(deps, row.workflow_id),
    created_at: iso(row.created_at),
  };
}

const listRoute = defineRoute({
  method: 'get',
  path: '/v1/ops-tasks',
  access: 'ops',
  scope: null,
  operationId: 'listOpsTasks',
  tag: 'ops tasks',
  summary: 'Tasks for ops, soonest due first',
  query: z.strictObject({
    status: taskStatus.default('open'),
    kind: z.string().max(100).optional(),
    entity_id: id.optional(),
    sort: z.enum(SORTS).default('due_at'),
    ...pageQuery,
  }),
  answers: { 200: { description: 'A page.', schema: pageOf(taskSchema) } },
  handle: async ({ scope, query, deps }) => {
    const rows = await listOpsTasks(
      scope.trx,
      scope.orgId,
      { status: query.status, kind: query.kind, entityId: query.entity_id },
      {
        order: OPS_TASK_ORDERS[query.sort],
        after: readCursor(query.cursor, query.sort),
        limit: query.limit,
      },
    );
    const keyOf = (row: (typeof rows)[number]) => ({ value: row.sort_key, id: row.id });
    return { body: toPage(rows, query.limit, query.sort, keyOf, (row) => taskJson(deps, row)) };
  },
});

const getRoute = defineRoute({
  method: 'get',
  path: '/v1/ops-tasks/{task_id}',
  access: 'ops',
  scope: null,
  operationId: 'getOpsTask',
  tag: 'ops tasks',
  summary: 'One task, with its possible answers',
  params,
  answers: { 200: { description: 'The task.', schema: taskSchema } },
  problems: ['not_found'],
  handle: async ({ scope, deps, params: { task_id } }) => {
    const row = await findOpsTask(scope.trx, scope.orgId, task_id);
    if (row === undefined) throw new Problem('not_found');
    return { body: taskJson(deps, row) };
  },
});

const closeRoute = defineRoute({
  method: 'post',
  path: '/v1/ops-tasks/{task_id}/close',
  access: 'ops',
  scope: null,
  operationId: 'closeOpsTask',
  tag: 'ops tasks',
  summary: 'Close a task that no workflow waits for',
  description:
    'done: what it asks for was done. dismissed: it need not be done. A task with a waiting workflow is answered by one of its actions instead.',
  params,
  body: z
    .strictObject({
      status: z.enum(['done', 'dismissed']),
      note: prose(4_000).min(1).describe('What was done, or why nothing was.'),
    })
    .meta({ id: 'TaskClosing' }),
  answers: { 200: { description: 'The closed task.', schema: taskSchema } },
  problems: ['not_found', 'ops_task_waited_for', 'ops_task_closed'],
  handle: async (context) => {
    const { scope, deps, body } = context;
    const { task_id } = context.params;
    const at = await deps.businessNow(scope.trx);
    const closing = { orgId: scope.orgId, id: task_id, ...body };
    if (!(await asLogin(scope, (trx) => closeOwnOpsTask(trx, closing, at))))
      throw new Problem('ops_task_closed');
    await audit(context, scope, {
      action: 'ops_task.close',
      entityType: 'ops_task',
      entityId: task_id,
      reason: body.note,
      details: { status: body.status },
    });
    const row = await findOpsTask(scope.trx, scope.orgId, task_id);
    if (row === undefined) throw new Problem('not_found');
    return { body: taskJson(deps, row) };
  },
});

export const opsTaskRoutes = [listRoute, getRoute, closeRoute];
