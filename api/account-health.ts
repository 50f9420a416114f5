/** How the accounts' connections stand, the daily look at them, and a look now. */
import { z } from 'zod';
import {
  accountHealthSettings,
  CONNECTION_ORDERS,
  type ConnectionListRow,
  latestSweep,
  listConnections,
  requestSweep,
} from '../db/integration-status.js';
import { ACCOUNT_STATUSES, type AccountHealthSettings, nextPromptAt } from '../domain/account-health.js';
import { SWEEP_COUNTS, sweepCounts } from '../domain/account-sweep.js';
import { accountHealthId } from '../workflows/account-health/contract.js';
import { audit } from './audit.js';
import { pageOf, pageQuery, readCursor, toPage } from './pagination.js';
import { defineLongRoute, defineRoute } from './route.js';
import { flag, id, iso, isoOrNull, memberName, timestamp } from './schemas.js';
import { asLogin } from './scope.js';
import { workflowLink, workflowLinkSchema } from './workflow-links.js';

const status = z
  .enum(ACCOUNT_STATUSES)
  .describe(
    'reconnect: Influence Planner cannot use it; disconnected: not in the network any more; error: the profile was not found on `account_health.failures_until_error` (3) days in a row.',
  );
const ops = { access: 'ops', scope: null, tag: 'accounts' } as const;
const SORTS = Object.keys(CONNECTION_ORDERS) as [keyof typeof CONNECTION_ORDERS];

const checks = {
  status,
  since: timestamp.nullable().describe('Since when it is unhealthy; null while it is linked.'),
  error_count: z.int().describe('Days in a row on which the profile could not be found or read.'),
  last_error_message: z.string().nullable(),
  last_check_at: timestamp,
  last_success_at: timestamp.nullable(),
};

const accountHealthSchema = z
  .object({
    account_id: z.uuid(),
    member_id: z.uuid(),
    member_name: z.string(),
    handle: z.string(),
    platform: z.string(),
    size_tier: z.enum(['T1', 'T2', 'T3', 'T4']),
    follower_count: z.int(),
    last_synced_at: timestamp.nullable(),
    ...checks,
    influence_planner_status: z
      .string()
      .nullable()
      .describe("The vendor's; null where the account is not known there."),
    reconnect: z.object({
      prompts_sent: z.int().describe('Done with, of the present trouble.'),
      last_sent_at: timestamp.nullable(),
      next_due_at: timestamp.nullable(),
    }),
  })
  .meta({ id: 'AccountHealth' });

const integrationSchema = z
  .object({
    id: z.uuid(),
    account_handle: z.string(),
    platform: z.string(),
    account_id: z.uuid().nullable().describe('Null when the account was removed.'),
    member_id: z.uuid().nullable(),
    member_name: memberName,
    ...checks,
    reconnect_sent_at: timestamp.nullable(),
  })
  .meta({ id: 'IntegrationStatus' });

const sweepSchema = z
  .object({
    date: z.string().describe("YYYY-MM-DD, org's timezone."),
    started_at: timestamp,
    finished_at: timestamp.nullable(),
    outcome: z
      .enum(['complete', 'partial'])
      .nullable()
      .describe('Null while it is under way; partial: the day ended before all was looked at.'),
    counts: z.object(Object.fromEntries(SWEEP_COUNTS.map((name) => [name, z.int()]))),
    notes: z.array(z.string()).describe('What was left out or could not be done.'),
    workflow: workflowLinkSchema,
  })
  .meta({ id: 'AccountSweep' });

const listQuery = z.strictObject({
  status: status.optional(),
  unhealthy: flag.optional().describe('true: everything but `linked`.'),
  member_id: id.optional(),
  sort: z.enum(SORTS).default('-since'),
  ...pageQuery,
});

function checksOf(row: ConnectionListRow) {
  return {
    status: row.status,
    since: isoOrNull(row.unhealthy_since),
    error_count: row.error_count,
    last_error_message: row.last_error_message,
    last_check_at: iso(row.last_check_at),
    last_success_at: isoOrNull(row.last_success_at),
  };
}

function healthJson(
  row: ConnectionListRow,
  settings: AccountHealthSettings,
): z.infer<typeof accountHealthSchema> {
  const standing = {
    status: row.status,
    planner: row.planner_status,
    failures: row.error_count,
    unhealthySince: row.unhealthy_since?.getTime() ?? null,
    prompts: row.reconnect_prompts,
    lastPromptAt: row.reconnect_sent_at?.getTime() ?? null,
  };
  const next = nextPromptAt(standing, settings);
  return {
    account_id: row.account_id ?? '',
    member_id: row.member_id ?? '',
    member_name: row.member_name ?? '',
    handle: row.account_handle,
    platform: row.platform,
    size_tier: row.size_tier ?? 'T1',
    follower_count: row.follower_count ?? 0,
    last_synced_at: isoOrNull(row.last_synced_at),
    ...checksOf(row),
    influence_planner_status: row.planner_status,
    reconnect: {
      prompts_sent: row.reconnect_prompts,
      last_sent_at: isoOrNull(row.reconnect_sent_at),
      next_due_at: next === null ? null : new Date(next).toISOString(),
    },
  };
}

function integrationJson(row: ConnectionListRow): z.infer<typeof integrationSchema> {
  return {
    id: row.id,
    account_handle: row.account_handle,
    platform: row.platform,
    account_id: row.account_id,
    member_id: row.member_id,
    member_name: row.member_name,
    ...checksOf(row),
    reconnect_sent_at: isoOrNull(row.reconnect_sent_at),
  };
}

const keyOf = (row: ConnectionListRow) => ({ value: row.sort_key, id: row.id });

const healthRoute = defineRoute({
  ...ops,
  method: 'get',
  path: '/v1/accounts/health',
  operationId: 'listAccountHealth',
  summary: 'How the accounts of the network stand',
  description: 'Those longest in trouble come last with `-since`; healthy ones follow those in trouble.',
  query: listQuery,
  answers: { 200: { description: 'A page.', schema: pageOf(accountHealthSchema) } },
  handle: async ({ scope, query }) => {
    const { sort, limit } = query;
    const rows = await listConnections(
      scope.trx,
      scope.orgId,
      { status: query.status, unhealthy: query.unhealthy, memberId: query.member_id, ofAccounts: true },
      { order: CONNECTION_ORDERS[sort], after: readCursor(query.cursor, sort), limit },
    );
    const settings = await asLogin(scope, (trx) => accountHealthSettings(trx, scope.orgId));
    return { body: toPage(rows, limit, sort, keyOf, (row) => healthJson(row, settings)) };
  },
});

const integrationRoute = defineRoute({
  ...ops,
  method: 'get',
  path: '/v1/integration-status',
  operationId: 'listIntegrationStatus',
  summary: 'Connections of accounts as they are stored, also of accounts that were removed',
  query: listQuery,
  answers: { 200: { description: 'A page.', schema: pageOf(integrationSchema) } },
  handle: async ({ scope, query }) => {
    const { sort, limit } = query;
    const rows = await listConnections(
      scope.trx,
      scope.orgId,
      { status: query.status, unhealthy: query.unhealthy, memberId: query.member_id, ofAccounts: false },
      { order: CONNECTION_ORDERS[sort], after: readCursor(query.cursor, sort), limit },
    );
    return { body: toPage(rows, limit, sort, keyOf, integrationJson) };
  },
});

const latestRoute = defineRoute({
  ...ops,
  method: 'get',
  path: '/v1/account-health/latest',
  operationId: 'getLatestAccountSweep',
  summary: 'The newest look at all accounts',
  answers: {
    200: {
      description: 'Null before the first.',
      schema: z.object({ sweep: sweepSchema.nullable() }),
    },
  },
  handle: async ({ scope, deps }) => {
    const row = await latestSweep(scope.trx, scope.orgId);
    if (row === undefined) return { body: { sweep: null } };
    const { date, started_at, finished_at, outcome, counts, notes } = row;
    const sweep = {
      date,
      started_at: iso(started_at),
      finished_at: isoOrNull(finished_at),
      outcome,
      counts: sweepCounts(counts as Record<string, unknown>),
      notes,
      workflow: workflowLink(deps, accountHealthId(scope.orgId, date)),
    };
    return { body: { sweep } };
  },
});

const runRoute = defineLongRoute({
  ...ops,
  method: 'post',
  path: '/v1/account-health/run',
  operationId: 'runAccountHealth',
  summary: "Look at the accounts now: today's sweep, or what is left of it",
  description:
    'Profiles that were looked at today are left alone; what changed in Influence Planner is read. One that runs already goes on.',
  answers: {
    202: {
      description: 'It runs soon, or runs already.',
      schema: z
        .object({ date: z.string().describe('YYYY-MM-DD.'), workflow: workflowLinkSchema })
        .meta({ id: 'AccountSweepRun' }),
      headers: { Location: 'What the newest sweep came to.' },
    },
  },
  problems: ['automation_disabled'],
  handle: async (context) => {
    const { deps, inScope, idempotencyKey } = context;
    return inScope(async (scope) => {
      const key = `${scope.caller.kind === 'person' ? scope.caller.userId : ''}:${idempotencyKey}`;
      const date = await asLogin(scope, (trx) => requestSweep(trx, scope.orgId, key));
      await audit(context, scope, {
        action: 'account_health.run',
        entityType: 'account_health',
        entityId: null,
        details: { date },
      });
      return {
        status: 202,
        headers: { Location: '/v1/account-health/latest' },
        body: { date, workflow: workflowLink(deps, accountHealthId(scope.orgId, date)) },
      };
    });
  },
});

export const accountHealthRoutes = [healthRoute, integrationRoute, latestRoute, runRoute];
