/** What runs unattended: how it is, when it runs next, off and on. */
import { z } from 'zod';
import { type Automation, listAutomations, switchAutomation } from '../db/automation-health.js';
import { readClock } from '../db/clock.js';
import { queueSettingsOf } from '../db/queue-lists.js';
import { type BusinessClock, compression, toBusiness } from '../domain/calendar.js';
import {
  isLate,
  isScheduledAutomation,
  nextStart,
  type ScheduledAutomation,
  timingOf,
} from '../domain/scheduled-automations.js';
import { type OrgSettings, withDefaults } from '../domain/settings.js';
import { inspectSchedule, scheduleIdOf } from '../outbox/schedules.js';
import { automationsWithSchedule } from '../workflows/scheduled-start/lifecycles.js';
import { audit } from './audit.js';
import type { AppDeps } from './deps.js';
import { Problem } from './problems.js';
import { defineLongRoute, type LongContext } from './route.js';
import { isoOrNull, timestamp } from './schemas.js';
import { asLogin } from './scope.js';

/** Somebody waits for the answer; what Temporal does not say in time is left out. */
const TEMPORAL_DEADLINE_MS = 2_000;

const automationSchema = z
  .object({
    name: z.string(),
    status: z
      .enum(['healthy', 'warning', 'error', 'disabled', 'not_built'])
      .describe(
        'warning: the last run failed; error: three in a row did; disabled: an admin switched it off; not_built: nothing runs it yet, its part of the product is still to come.',
      ),
    late: z.boolean().describe('Its last success is older than it should be.'),
    last_run_at: timestamp.nullable().describe('Business time, as the next two.'),
    last_success_at: timestamp.nullable(),
    last_error_at: timestamp.nullable(),
    last_error_message: z.string().nullable(),
    success_count: z.int(),
    error_count: z.int(),
    consecutive_errors: z.int(),
    total_runs: z.int(),
    schedule: z
      .object({
        id: z.string().describe('Id of the Schedule in Temporal.'),
        state: z
          .enum(['active', 'paused', 'missing', 'unknown'])
          .describe(
            'unknown: Temporal did not answer. `spark doctor` says how to repair what is missing or paused.',
          ),
        next_run_at: timestamp.nullable().describe('Business time; null unless it is active and enabled.'),
      })
      .nullable()
      .describe('Null for an automation that events start, or nothing.'),
  })
  .meta({ id: 'Automation' });

const params = z.object({ name: z.string().max(100).describe('Name of the automation.') });
const ops = { access: 'ops', scope: null, tag: 'automations' } as const;

type Context = Pick<LongContext<unknown, unknown, unknown>, 'deps' | 'inScope'>;

const listRoute = defineLongRoute({
  ...ops,
  method: 'get',
  path: '/v1/automations',
  operationId: 'listAutomations',
  summary: 'All automations of the org',
  answers: { 200: { description: 'By name.', schema: z.object({ data: z.array(automationSchema) }) } },
  handle: async (context) => ({ body: { data: await read(context) } }),
});

const getRoute = defineLongRoute({
  ...ops,
  method: 'get',
  path: '/v1/automations/{name}',
  operationId: 'getAutomation',
  summary: 'One automation',
  params,
  answers: { 200: { description: 'The automation.', schema: automationSchema } },
  problems: ['not_found'],
  handle: async (context) => ({ body: await readOne(context, context.params.name) }),
});

const switchRoute = defineLongRoute({
  ...ops,
  method: 'patch',
  path: '/v1/automations/{name}',
  access: 'admin',
  operationId: 'switchAutomation',
  summary: 'Switch an automation off, or on again',
  description:
    'A run under way goes on. The monthly grant makes up for every month it missed while it was off, as soon as it is on again; others do not.',
  params,
  body: z.strictObject({ status: z.enum(['enabled', 'disabled']) }).meta({ id: 'AutomationSwitch' }),
  answers: { 200: { description: 'The automation as it is now.', schema: automationSchema } },
  problems: ['not_found'],
  handle: async (context) => {
    const { inScope, body } = context;
    const { name } = context.params;
    await inScope(async (scope) => {
      const [row] = await listAutomations(scope.trx, scope.orgId, { name });
      if (row === undefined) throw new Problem('not_found');
      const off = body.status === 'disabled';
      // One that is on keeps what its runs say of it.
      if (off === (row.status === 'disabled')) return;
      const status = await switchAutomation(scope.trx, scope.orgId, name, off ? 'disabled' : 'healthy');
      await audit(context, scope, {
        action: off ? 'automation.disable' : 'automation.enable',
        entityType: 'automation',
        entityId: null,
        before: { status: row.status },
        after: { status },
        details: { name },
      });
    });
    return { body: await readOne(context, name) };
  },
});

async function readOne(context: Context, name: string): Promise<z.infer<typeof automationSchema>> {
  const [automation] = await read(context, name);
  if (automation === undefined) throw new Problem('not_found');
  return automation;
}

async function read({ deps, inScope }: Context, name?: string): Promise<z.infer<typeof automationSchema>[]> {
  const { rows, ...facts } = await inScope(async (scope) => {
    const all = await listAutomations(scope.trx, scope.orgId);
    return {
      rows: name === undefined ? all : all.filter((row) => row.name === name),
      orgId: scope.orgId,
      clock: await readClock(scope.trx),
      now: (await deps.businessNow(scope.trx)).getTime(),
      settings: withDefaults(await asLogin(scope, (trx) => queueSettingsOf(trx, scope.orgId))),
    };
  });
  return Promise.all(rows.map(async (row) => automationJson(row, facts, await scheduleOf(deps, row, facts))));
}

interface Facts {
  orgId: string;
  clock: BusinessClock;
  /** Business ms. */
  now: number;
  settings: Pick<OrgSettings, 'timezone' | 'queue_hours'>;
}

function automationJson(
  row: Automation,
  { clock, now }: Facts,
  schedule: z.infer<typeof automationSchema>['schedule'],
): z.infer<typeof automationSchema> {
  const { created_at, expected_since, last_run_at, last_success_at, last_error_at, ...rest } = row;
  const counted = [last_success_at, expected_since].flatMap((at) => (at === null ? [] : [at.getTime()]));
  const since = counted.length > 0 ? Math.max(...counted) : toBusiness(clock, created_at.getTime());
  const watched = schedule !== null && isScheduledAutomation(row.name) && row.status !== 'disabled';
  return {
    ...rest,
    late: watched && isLate(row.name as ScheduledAutomation, since, now),
    last_run_at: isoOrNull(last_run_at),
    last_success_at: isoOrNull(last_success_at),
    last_error_at: isoOrNull(last_error_at),
    schedule,
  };
}

async function scheduleOf(
  deps: AppDeps,
  { name, status }: Automation,
  { orgId, clock, now, settings }: Facts,
): Promise<z.infer<typeof automationSchema>['schedule']> {
  if (!isScheduledAutomation(name) || !automationsWithSchedule().includes(name)) return null;
  const id = scheduleIdOf(deps.taskQueue, clock, orgId, name);
  const found = await deps.temporal
    .withDeadline(Date.now() + TEMPORAL_DEADLINE_MS, () => inspectSchedule(deps.temporal, id))
    .catch(() => ({ state: 'unknown' as const }));
  const next = found.state !== 'active' || status === 'disabled' ? null : nextRun(found.nextAt);
  return { id, state: found.state, next_run_at: isoOrNull(next) };

  /** A compressed day has one Schedule for all, which fires at midnight and waits. */
  function nextRun(nextAt: Date | null): Date | null {
    if (compression(clock) === 1) return nextAt;
    const timing = timingOf(name as ScheduledAutomation, settings.queue_hours);
    return new Date(nextStart(timing, now, settings.timezone));
  }
}

export const automationRoutes = [listRoute, getRoute, switchRoute];
