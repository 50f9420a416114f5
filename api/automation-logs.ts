/** What automation templates sent, to whom, and what became of it. */
import { z } from 'zod';
import {
  AUTOMATION_LOG_ORDERS,
  type AutomationLogRow,
  listAutomationLogs,
} from '../db/automation-templates.js';
import { pageOf, pageQuery, readCursor, toPage } from './pagination.js';
import { defineRoute } from './route.js';
import { id, iso, isoOrNull, memberName, timestamp } from './schemas.js';

const status = z.enum(['sent', 'delivered', 'opened', 'clicked', 'bounced', 'failed']);

const logSchema = z
  .object({
    id: z.uuid(),
    template_key: z.string(),
    recipient_email: z.string(),
    recipient_member_id: z.uuid().nullable(),
    recipient_member_name: memberName,
    parent_type: z.string().nullable(),
    parent_id: z.uuid().nullable(),
    status,
    subject: z.string().nullable(),
    provider_message_id: z.string().nullable(),
    error_message: z.string().nullable(),
    sent_at: timestamp.describe('Business time; of a failed mail, when it was given up.'),
    delivered_at: timestamp.nullable(),
    opened_at: timestamp.nullable(),
    clicked_at: timestamp.nullable(),
    bounced_at: timestamp.nullable(),
    created_at: timestamp,
  })
  .meta({ id: 'AutomationLog' });

const SORT = '-created_at';

function logJson(
  row: AutomationLogRow & { recipient_member_name: string | null },
): z.infer<typeof logSchema> {
  return {
    id: row.id,
    template_key: row.template_key,
    recipient_email: row.recipient_email,
    recipient_member_id: row.recipient_member_id,
    recipient_member_name: row.recipient_member_name,
    parent_type: row.parent_type,
    parent_id: row.parent_id,
    status: row.status,
    subject: row.subject,
    provider_message_id: row.provider_message_id,
    error_message: row.error_message,
    sent_at: iso(row.sent_at),
    delivered_at: isoOrNull(row.delivered_at),
    opened_at: isoOrNull(row.opened_at),
    clicked_at: isoOrNull(row.clicked_at),
    bounced_at: isoOrNull(row.bounced_at),
    created_at: iso(row.created_at),
  };
}

const listRoute = defineRoute({
  method: 'get',
  path: '/v1/automation-logs',
  access: 'ops',
  scope: null,
  operationId: 'listAutomationLogs',
  tag: 'automations',
  summary: 'Mails of automation templates, newest first',
  query: z.strictObject({
    template_key: z.string().max(100).optional(),
    status: status.optional(),
    member_id: id.optional(),
    ...pageQuery,
  }),
  answers: { 200: { description: 'A page.', schema: pageOf(logSchema) } },
  handle: async ({ scope, query }) => {
    const rows = await listAutomationLogs(
      scope.trx,
      scope.orgId,
      { templateKey: query.template_key, status: query.status, memberId: query.member_id },
      { order: AUTOMATION_LOG_ORDERS[SORT], after: readCursor(query.cursor, SORT), limit: query.limit },
    );
    const keyOf = (row: (typeof rows)[number]) => ({ value: row.sort_key, id: row.id });
    return { body: toPage(rows, query.limit, SORT, keyOf, logJson) };
  },
});

export const automationLogRoutes = [listRoute];
