/** The ops inbox: everything that waits for somebody, by time to breach. */
import { z } from 'zod';
import { type InboxRow, listInbox } from '../db/inbox.js';
import { dateOfDailyQueue } from '../workflows/daily-queue/contract.js';
import { withPaths } from './command-paths.js';
import { pageOf, pageQuery, readCursor, toPage } from './pagination.js';
import { defineRoute } from './route.js';
import { flag, iso, isoOrNull, timestamp } from './schemas.js';
import { workflowLink, workflowLinkSchema } from './workflow-links.js';

export const waitFields = {
  stage: z.string(),
  waiting_on: z.string().describe('ops, member, provider, queue, supporter, client or time.'),
  who_can_act: z.string(),
  how_to_act: z.string().describe('Names the workflow’s command, and the address that gives it over HTTP.'),
  since: timestamp.describe('Business time.'),
  due_at: timestamp.nullable().describe('Business time; null while nothing is due.'),
  paused: z.boolean(),
  remaining_ms: z.int().nullable().describe('Business milliseconds left of a paused timer.'),
  breached: z.boolean(),
};

export const waitSchema = z.object(waitFields).meta({ id: 'Wait' });

const inboxItemSchema = z
  .object({
    entity_type: z.string(),
    entity_id: z.uuid(),
    label: z
      .string()
      .nullable()
      .describe(
        'Artist and track of a submission, an assignment, a schedule or an attribution; the date of a queue; member and amount of a credit change.',
      ),
    ...waitFields,
    workflow: workflowLinkSchema.nullable().describe('Null where a person alone decides, without workflow.'),
  })
  .meta({ id: 'InboxItem' });

/** Waits whose state is one row that a person's request changes: there is nothing to look at in Temporal. */
const WITHOUT_WORKFLOW: ReadonlySet<string> = new Set(['credit_change']);

type WaitColumns = Pick<
  InboxRow,
  | 'entity_type'
  | 'entity_id'
  | 'stage'
  | 'waiting_on'
  | 'who_can_act'
  | 'how_to_act'
  | 'since'
  | 'due_at'
  | 'paused'
  | 'remaining_ms'
  | 'breached'
> &
  Partial<Pick<InboxRow, 'workflow_id'>>;

export function waitJson(row: WaitColumns): z.infer<typeof waitSchema> {
  const { stage, waiting_on, who_can_act, paused, remaining_ms, breached } = row;
  const how_to_act = withPaths(row.entity_type, addressOf(row), row.how_to_act);
  const times = { since: iso(row.since), due_at: isoOrNull(row.due_at) };
  return { stage, waiting_on, who_can_act, how_to_act, ...times, paused, remaining_ms, breached };
}

/** A queue is addressed by its date. */
function addressOf({ entity_type, entity_id, workflow_id }: WaitColumns): string {
  return entity_type === 'queue' && workflow_id !== undefined ? dateOfDailyQueue(workflow_id) : entity_id;
}

const SORT = 'due_at,workflow_id';

/** A wait has no id but that of its workflow. */
const workflowIdKey = z.string().regex(/^[\x20-\x7e]{1,500}$/);

const listRoute = defineRoute({
  method: 'get',
  path: '/v1/inbox',
  access: 'ops',
  scope: null,
  operationId: 'listInbox',
  tag: 'inbox',
  summary: 'Everything that waits for somebody, soonest due first',
  query: z.strictObject({
    waiting_on: z.enum(['ops', 'member', 'provider', 'queue', 'supporter', 'client', 'time']).optional(),
    entity_type: z.string().max(50).optional(),
    stage: z.string().max(50).optional(),
    breached: flag.optional(),
    ...pageQuery,
  }),
  answers: { 200: { description: 'A page.', schema: pageOf(inboxItemSchema) } },
  handle: async ({ scope, query, deps }) => {
    const rows = await listInbox(
      scope.trx,
      scope.orgId,
      {
        waitingOn: query.waiting_on,
        entityType: query.entity_type,
        stage: query.stage,
        breached: query.breached,
      },
      { after: readCursor(query.cursor, SORT, workflowIdKey), limit: query.limit },
    );
    const keyOf = (row: InboxRow) => ({ value: row.sort_key, id: row.workflow_id });
    const toJson = (row: InboxRow): z.infer<typeof inboxItemSchema> => ({
      entity_type: row.entity_type,
      entity_id: row.entity_id,
      label: row.label,
      ...waitJson(row),
      workflow: WITHOUT_WORKFLOW.has(row.entity_type) ? null : workflowLink(deps, row.workflow_id),
    });
    return { body: toPage(rows, query.limit, SORT, keyOf, toJson) };
  },
});

export const inboxRoutes = [listRoute];
