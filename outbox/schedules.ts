/**
 * Temporal Schedules: one for the installation, and for each org one per automation; created or brought up to date at
 * each worker start, when an org is made and when its timezone or hours change. A Schedule is only a trigger: what it
 * starts acts on everything that is due.
 */
import {
  type Client,
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  type ScheduleOptions,
  ScheduleOverlapPolicy,
  type ScheduleSpec,
} from '@temporalio/client';
import { type BusinessClock, compression, startOfDate, toReal } from '../domain/calendar.js';
import { type ScheduledAutomation, timingOf, triggerTimes } from '../domain/scheduled-automations.js';
import type { QueueHours } from '../domain/settings.js';
import {
  RECONCILER_EVERY_MINUTES,
  RECONCILER_ID,
  RECONCILER_TYPE,
} from '../workflows/reconciler/contract.js';
import {
  SCHEDULED_START_TYPE,
  type ScheduledStartInput,
  scheduleId,
} from '../workflows/scheduled-start/contract.js';
import { automationsWithSchedule } from '../workflows/scheduled-start/lifecycles.js';

export interface ScheduledOrg {
  orgId: string;
  timezone: string;
  queueHours: QueueHours;
}

const HOUR_SECONDS = 3_600;
/** The server refuses less. */
const SHORTEST_CATCH_UP_SECONDS = 10;
/** Name of the one Schedule an org has when its days are compressed. */
const COMPRESSED_DAY = 'business-day';

/** The installation's own schedule. Idempotent: an existing one gets the present spec and keeps being paused, if it was. */
export async function ensureSchedules(client: Client, taskQueue: string): Promise<void> {
  await ensureSchedule(client, reconcilerSchedule(taskQueue));
}

/**
 * The schedules of an org. Idempotent, as {@link ensureSchedules}. Making a Schedule and starting it is one request, so
 * that whoever is interrupted leaves either both or neither.
 * @param options.startGrant the grant is started if its Schedule is not there and has to be made. On compressed days it
 *   comes with the next first.
 * @throws RangeError when compressed days have no whole number of seconds, which a Schedule cannot follow.
 */
export async function ensureOrgSchedules(
  client: Client,
  taskQueue: string,
  clock: BusinessClock,
  org: ScheduledOrg,
  { startGrant = false }: { startGrant?: boolean } = {},
): Promise<void> {
  const grant = scheduleIdOf(taskQueue, clock, org.orgId, 'monthly-credit-grant');
  for (const options of orgSchedules(taskQueue, clock, org)) {
    const starts = startGrant && compression(clock) === 1 && options.scheduleId === grant;
    await ensureSchedule(client, starts ? { ...options, state: { triggerImmediately: true } } : options);
  }
}

/**
 * The schedules of an org that should be there already: the grant is started when its own is not, since with the
 * Schedule went the knowledge of which firsts passed.
 */
export function restoreOrgSchedules(
  client: Client,
  taskQueue: string,
  clock: BusinessClock,
  org: ScheduledOrg,
): Promise<void> {
  return ensureOrgSchedules(client, taskQueue, clock, org, { startGrant: true });
}

/** The schedules an org has: in real time one for each automation, on compressed days one for all of them. */
export function orgSchedules(taskQueue: string, clock: BusinessClock, org: ScheduledOrg): ScheduleOptions[] {
  const automations = automationsWithSchedule();
  if (automations.length === 0) return [];
  if (compression(clock) === 1) {
    return automations.map((automation) => {
      const { catchUpHours } = timingOf(automation, org.queueHours);
      return orgSchedule(taskQueue, org, automation, [automation], {
        spec: calendarOf(automation, org),
        catchUpSeconds: catchUpHours * HOUR_SECONDS,
      });
    });
  }
  const { daySeconds } = clock;
  if (!Number.isInteger(daySeconds)) {
    throw new RangeError(
      `A compressed day must last whole seconds, not ${daySeconds}. Set the day length accordingly.`,
    );
  }
  const inDayOrder = [...automations].sort((a, b) => {
    const [first, second] = [timingOf(a, org.queueHours), timingOf(b, org.queueHours)];
    return first.timeOfDay < second.timeOfDay ? -1 : 1;
  });
  const midnight = toReal(clock, startOfDate('2026-01-01', 'UTC'));
  const dayMs = daySeconds * 1_000;
  const offsetSeconds = Math.round((((midnight % dayMs) + dayMs) % dayMs) / 1_000) % daySeconds;
  return [
    orgSchedule(taskQueue, org, COMPRESSED_DAY, inDayOrder, {
      spec: { intervals: [{ every: `${daySeconds} seconds`, offset: `${offsetSeconds} seconds` }] },
      catchUpSeconds: Math.round(daySeconds / 2),
    }),
  ];
}

/** Id of the Schedule that starts an automation of an org. */
export function scheduleIdOf(
  taskQueue: string,
  clock: BusinessClock,
  orgId: string,
  automation: ScheduledAutomation,
): string {
  return scheduleId(taskQueue, orgId, compression(clock) === 1 ? automation : COMPRESSED_DAY);
}

function calendarOf(automation: ScheduledAutomation, org: ScheduledOrg): ScheduleSpec {
  const timing = timingOf(automation, org.queueHours);
  const dayOfMonth = timing.dayOfMonth ?? { start: 1, end: 31 };
  const calendars = triggerTimes(timing).map((time) => {
    const [hour = 0, minute = 0] = time.split(':').map(Number);
    return { hour, minute, second: 0, dayOfMonth };
  });
  return { calendars, timezone: org.timezone };
}

function orgSchedule(
  taskQueue: string,
  org: ScheduledOrg,
  name: string,
  automations: ScheduledAutomation[],
  when: { spec: ScheduleSpec; catchUpSeconds: number },
): ScheduleOptions {
  const input: ScheduledStartInput = { orgId: org.orgId, automations };
  const id = scheduleId(taskQueue, org.orgId, name);
  return {
    scheduleId: id,
    spec: when.spec,
    policies: {
      // A run starts its lifecycle and ends; while the worker is away each date keeps its own run.
      overlap: ScheduleOverlapPolicy.ALLOW_ALL,
      catchupWindow: `${Math.max(when.catchUpSeconds, SHORTEST_CATCH_UP_SECONDS)} seconds`,
    },
    action: {
      type: 'startWorkflow',
      workflowType: SCHEDULED_START_TYPE,
      workflowId: id,
      taskQueue,
      args: [input],
      staticSummary: `Starts ${automations.join(', ')}`,
    },
  };
}

function reconcilerSchedule(taskQueue: string): ScheduleOptions {
  return {
    // A prefix of its own for a task queue of its own, so that installations may share a namespace.
    scheduleId: `${taskQueue}:${RECONCILER_ID}`,
    spec: { intervals: [{ every: `${RECONCILER_EVERY_MINUTES} minutes` }] },
    // A run looks at everything that is open, so a missed or overlapping one is not worth making up for.
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 minute' },
    action: {
      type: 'startWorkflow',
      workflowType: RECONCILER_TYPE,
      workflowId: `${taskQueue}:${RECONCILER_ID}`,
      taskQueue,
      staticSummary: 'Starts lifecycles whose workflow is missing',
    },
  };
}

/** @param options their state holds for a Schedule that has to be made; one that is there keeps its own. */
async function ensureSchedule(client: Client, options: ScheduleOptions): Promise<void> {
  try {
    await client.schedule.create(options);
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    const handle = client.schedule.getHandle(options.scheduleId);
    await handle.update((previous) => ({
      ...previous,
      spec: options.spec,
      policies: options.policies,
      action: options.action,
    }));
  }
}

/** How a Schedule stands. */
export type ScheduleCondition = { state: 'active'; nextAt: Date | null } | { state: 'paused' | 'missing' };

/** @throws ServiceError when Temporal is away. */
export async function inspectSchedule(client: Client, id: string): Promise<ScheduleCondition> {
  try {
    const { state, info } = await client.schedule.getHandle(id).describe();
    return state.paused ? { state: 'paused' } : { state: 'active', nextAt: info.nextActionTimes[0] ?? null };
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return { state: 'missing' };
    throw error;
  }
}
