/** Monthly grants, as ops look back at them. */
import { z } from 'zod';
import { type GrantEntry, type GrantMonth, listGrantEntries, listGrantMonths } from '../db/grants.js';
import { pageOf, pageQuery, readCursor, toPage } from './pagination.js';
import { defineRoute } from './route.js';
import { calendarMonth, iso, timestamp } from './schemas.js';
import { asLogin } from './scope.js';

const ops = { access: 'ops', scope: null, tag: 'credits', method: 'get' } as const;
/** Months have no id; a cursor has one. */
const NO_ID = '00000000-0000-0000-0000-000000000000';

const grantMonthSchema = z
  .object({
    month: calendarMonth.describe('The month the grant is for; a late one was posted in a later month.'),
    members: z.int().describe('Members it was granted to.'),
    credits: z.int().describe('What reached their wallets.'),
    forfeited: z.int().describe('What did not fit below their caps.'),
  })
  .meta({ id: 'GrantMonth' });

const grantEntrySchema = z
  .object({
    entry_id: z.uuid(),
    member_id: z.uuid(),
    member_name: z.string(),
    version: z.int(),
    change_amount: z.int(),
    forfeited: z.int(),
    balance_after: z.int(),
    occurred_at: timestamp.describe('Business time.'),
  })
  .meta({ id: 'GrantEntry' });

const MONTH_SORT = '-month';

const listRoute = defineRoute({
  ...ops,
  path: '/v1/grants',
  operationId: 'listGrants',
  summary: 'Monthly grants by month, newest first',
  description: 'The first grant of a new member counts for the month it joined in.',
  query: z.strictObject({
    ...pageQuery,
    limit: z.coerce.number().int().min(1).max(60).default(12).describe('Months per page, at most 60.'),
  }),
  answers: { 200: { description: 'A page.', schema: pageOf(grantMonthSchema) } },
  handle: async ({ scope, query }) => {
    const before = readCursor(query.cursor, MONTH_SORT)?.value ?? undefined;
    const page = { before, limit: query.limit };
    const rows = await asLogin(scope, (trx) => listGrantMonths(trx, scope.orgId, page));
    const keyOf = (row: GrantMonth) => ({ value: row.month, id: NO_ID });
    return { body: toPage(rows, query.limit, MONTH_SORT, keyOf, (row) => row) };
  },
});

const ENTRY_SORT = 'member_id';

const getRoute = defineRoute({
  ...ops,
  path: '/v1/grants/{month}',
  operationId: 'listGrantEntries',
  summary: "The entries of one month's grant, by member",
  description: 'Empty for a month without grants.',
  params: z.object({ month: calendarMonth }),
  query: z.strictObject(pageQuery),
  answers: { 200: { description: 'A page.', schema: pageOf(grantEntrySchema) } },
  handle: async ({ scope, query, params: { month } }) => {
    const page = { afterMember: readCursor(query.cursor, ENTRY_SORT)?.id, limit: query.limit };
    const rows = await asLogin(scope, (trx) => listGrantEntries(trx, scope.orgId, month, page));
    const keyOf = (row: GrantEntry) => ({ value: null, id: row.member_id });
    const toJson = (row: GrantEntry) => ({ ...row, occurred_at: iso(row.occurred_at) });
    return { body: toPage(rows, query.limit, ENTRY_SORT, keyOf, toJson) };
  },
});

export const grantRoutes = [listRoute, getRoute];
