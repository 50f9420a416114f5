/**
 * Temporal is stopped over the time of a Schedule and comes back within its catch-up window: the grant of the month
 * comes, late and once. Midnight to midnight lasts four minutes here, and the window is two of them.
 */
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createLogger } from '../../config/log.js';
import { readClock } from '../../db/clock.js';
import { ledgerViolations } from '../../db/ledger-invariants.js';
import { atTimeOfDay, HOUR_MS, toBusiness } from '../../domain/calendar.js';
import { type RunningWorker, startWorker } from '../../worker.js';
import { monthlyCreditGrantId } from '../../workflows/monthly-credit-grant/contract.js';
import { type ScheduledStartResult, scheduleId } from '../../workflows/scheduled-start/contract.js';
import { eventually } from '../support/review-facts.js';
import { createWorld, type Member, type World } from '../support/world.js';
import { type OwnTemporal, ownTemporal } from './support/own-servers.js';

const DAY_SECONDS = 240;
/** Half a minute before midnight of the first: by then the Schedule is made. */
const EVENING = Date.UTC(2027, 1, 28, 21);
const DUE = atTimeOfDay('2027-03-01', '00:05', 'UTC');
/** The worker's polls come back by themselves, at longer and longer intervals. */
const COMES_BACK_MS = 120_000;

let temporal: OwnTemporal;
let world: World;
let worker: RunningWorker;
let member: Member;

beforeAll(async () => {
  temporal = await ownTemporal();
  world = await createWorld({
    daySeconds: DAY_SECONDS,
    businessStart: EVENING,
    servers: { temporalAddress: temporal.address },
  });
  member = await world.addMember();
  worker = await startWorker({ ...world.config, SPARK_ORG_SCHEDULES: 'on' }, createLogger('test', 'silent'));
});

afterAll(async () => {
  await worker?.stop();
  await world?.remove();
  await temporal?.remove();
});

const businessNow = async () => toBusiness(await readClock(world.db), Date.now());

const schedule = () =>
  world.client.schedule.getHandle(scheduleId(world.config.SPARK_TASK_QUEUE, world.orgId, 'business-day'));

async function grants(): Promise<string[]> {
  const rows = await world.db
    .selectFrom('soundcloud_repost_credit_ledger')
    .select(sql<string>`right(idempotency_key, 7)`.as('month'))
    .where('member_id', '=', member.id)
    .where('reference_type', '=', 'monthly_grant')
    .orderBy('version')
    .execute();
  return rows.map(({ month }) => month);
}

it('a grant whose time passes while Temporal is down comes when it is back, once', {
  timeout: 240_000,
}, async () => {
  expect((await schedule().describe()).policies.catchupWindow).toBe((DAY_SECONDS / 2) * 1_000);
  await eventually('midnight is near', async () => (await businessNow()) > DUE - HOUR_MS);
  expect(await businessNow()).toBeLessThan(DUE);
  await temporal.stop();
  // Later than the shortest window that a server takes, and well within this one.
  await eventually('the time has passed', async () => (await businessNow()) > DUE + 2 * HOUR_MS, 60_000);
  expect(await grants()).toEqual(['2027-02']);
  await temporal.start();

  await eventually('the grant', async () => (await grants()).length > 1, COMES_BACK_MS);
  const grant = world.client.workflow.getHandle(monthlyCreditGrantId(world.orgId, '2027-03'));
  await grant.result();
  const started = toBusiness(await readClock(world.db), (await grant.describe()).startTime.getTime());
  expect(started).toBeGreaterThan(DUE + 2 * HOUR_MS);

  // One run of the Schedule, for the time that was missed; it named the date by that time.
  const { recentActions, numActionsMissedCatchupWindow } = (await schedule().describe()).info;
  expect(numActionsMissedCatchupWindow).toBe(0);
  expect(recentActions).toHaveLength(1);
  const [action] = recentActions;
  if (action === undefined) throw new Error('no run of the schedule');
  expect(action.takenAt.getTime()).toBeGreaterThan(action.scheduledAt.getTime() + 15_000);
  const run: ScheduledStartResult = await world.client.workflow
    .getHandle(action.action.workflow.workflowId, action.action.workflow.firstExecutionRunId)
    .result();
  expect(run).toMatchObject({ date: '2027-03-01', started: expect.arrayContaining([grant.workflowId]) });

  expect(await grants()).toEqual(['2027-02', '2027-03']);
  const { rows } = await sql<{ month: string; members: number }>`
    select data ->> 'month' as month, (data ->> 'members')::int as members from soundcloud_events
    where type = 'credits.granted' and org_id = ${world.orgId}`.execute(world.db);
  expect(rows).toEqual([{ month: '2027-03', members: 1 }]);
  expect(await ledgerViolations(world.db)).toEqual([]);
});
