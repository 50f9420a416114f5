/** The one Schedule of an org whose days are compressed: it fires at business midnight, and its run waits. */
import { type ScheduleDescription, ServiceError } from '@temporalio/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createLogger } from '../config/log.js';
import { readClock } from '../db/clock.js';
import { atTimeOfDay, HOUR_MS, toBusiness } from '../domain/calendar.js';
import { type RunningWorker, startWorker } from '../worker.js';
import { dailyQueueId } from '../workflows/daily-queue/contract.js';
import { monthlyCreditGrantId } from '../workflows/monthly-credit-grant/contract.js';
import { type ScheduledStartResult, scheduleId } from '../workflows/scheduled-start/contract.js';
import { eventually } from './support/review-facts.js';
import { createWorld, type World } from './support/world.js';

const DAY_SECONDS = 24;

let world: World;
let worker: RunningWorker;

beforeAll(async () => {
  world = await createWorld({
    daySeconds: DAY_SECONDS,
    businessStart: Date.UTC(2027, 1, 28, 8),
  });
  worker = await startWorker({ ...world.config, SPARK_ORG_SCHEDULES: 'on' }, createLogger('test', 'silent'));
});

afterAll(async () => {
  await schedule().delete();
  await worker?.stop();
  await world?.remove();
});

const schedule = () =>
  world.client.schedule.getHandle(scheduleId(world.config.SPARK_TASK_QUEUE, world.orgId, 'business-day'));

/** Undefined when the server did not answer in time, as a busy one may: a Schedule is asked, like a workflow by a query. */
async function described(): Promise<ScheduleDescription | undefined> {
  try {
    return await schedule().describe();
  } catch (error) {
    if (error instanceof ServiceError) return undefined;
    throw error;
  }
}

async function runs(count: number): Promise<ScheduledStartResult[]> {
  const { info } = await eventually(
    `${count} midnights`,
    async () => {
      const found = await described();
      return found !== undefined && found.info.recentActions.length >= count && found;
    },
    (count + 1) * DAY_SECONDS * 1_000,
  );
  return Promise.all(
    info.recentActions
      .slice(0, count)
      .map(({ action }) =>
        world.client.workflow
          .getHandle(action.workflow.workflowId, action.workflow.firstExecutionRunId)
          .result(),
      ),
  );
}

async function hasStarted(workflowId: string): Promise<boolean> {
  const found = await world.client.workflow
    .getHandle(workflowId)
    .describe()
    .catch(() => undefined);
  return found !== undefined;
}

it('grants on the first of the month at five past midnight, and not on the second; what is switched off meanwhile does not start', {
  timeout: 120_000,
}, async () => {
  const member = await world.addMember();
  const grantId = monthlyCreditGrantId(world.orgId, '2027-03');
  await eventually('five past midnight', () => hasStarted(grantId), DAY_SECONDS * 1_000);
  // What is due later on a day that has begun: its run waits for six o'clock.
  await world.db
    .updateTable('soundcloud_automation_health')
    .set({ status: 'disabled' })
    .where('org_id', '=', world.orgId)
    .where('automation_name', '=', 'daily-queue')
    .execute();
  const [first, second] = await runs(2);
  expect(first).toMatchObject({
    date: '2027-03-01',
    started: expect.arrayContaining([grantId]),
    disabled: ['daily-queue'],
  });
  expect(first?.started).not.toContain(dailyQueueId(world.orgId, '2027-03-01'));
  expect(second).toMatchObject({ date: '2027-03-02', disabled: ['daily-queue'] });
  expect([...(second?.started ?? []), ...(second?.alreadyStarted ?? [])]).not.toContain(grantId);

  const grant = world.client.workflow.getHandle(grantId);
  await grant.result();
  const started = toBusiness(await readClock(world.db), (await grant.describe()).startTime.getTime());
  const due = atTimeOfDay('2027-03-01', '00:05', 'UTC');
  expect(started).toBeGreaterThanOrEqual(due);
  // The rest of the second to which timers are rounded, and what a busy machine takes.
  expect(started).toBeLessThan(due + 6 * HOUR_MS);
  const entries = await world.db
    .selectFrom('soundcloud_repost_credit_ledger')
    .select('idempotency_key')
    .where('member_id', '=', member.id)
    .orderBy('version')
    .execute();
  expect(entries.map((entry) => entry.idempotency_key.slice(-7))).toEqual(['2027-02', '2027-03']);
});
