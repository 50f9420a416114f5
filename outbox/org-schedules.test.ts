/** Schedules at a worker's start, with a Temporal that is slow: over a line that a test can hold. */
import { Client, Connection, type ScheduleOptions, ServiceError } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLogger } from '../config/log.js';
import { createDatabase, type Db } from '../db/client.js';
import { readClock } from '../db/clock.js';
import { createOrg } from '../db/setup.js';
import { type HeldLine, openHeldLine } from '../test/chaos/support/held-line.js';
import { eventually } from '../test/support/review-facts.js';
import { createWorld, type World } from '../test/support/world.js';
import { createOrgScheduler } from './org-schedules.js';
import { patiently } from './patience.js';
import { ensureSchedules, inspectSchedule, scheduleIdOf } from './schedules.js';

let world: World;
let worker: Db;
let line: HeldLine;
let connection: Connection;
let slow: Client;
let orgIds: string[];

beforeAll(async () => {
  world = await createWorld();
  worker = createDatabase(world.database.workerUrl, { max: 2 });
  line = await openHeldLine(world.config.TEMPORAL_ADDRESS);
  connection = await Connection.connect({ address: line.address });
  slow = new Client({ connection });
  const { orgId } = await createOrg(world.db, { name: 'another', adminEmail: 'another@orgs.test' });
  orgIds = [world.orgId, orgId];
});

afterAll(async () => {
  const { client } = world;
  for await (const { scheduleId } of client.schedule.list())
    if (scheduleId.startsWith(world.config.SPARK_TASK_QUEUE))
      await client.schedule.getHandle(scheduleId).delete();
  await connection?.close();
  await line?.close();
  await worker?.destroy();
  await world?.remove();
});

/** A log and the levels of its lines so far: 40 = warn, 50 = error. */
function listen() {
  const levels: number[] = [];
  const log = createLogger('test', 'warn', { write: (text: string) => levels.push(JSON.parse(text).level) });
  return { log, levels };
}

const taskQueue = (name: string) => `${world.config.SPARK_TASK_QUEUE}-${name}`;

/** How the Schedules of the grant stand, of both orgs. */
async function states(queue: string): Promise<string[]> {
  const clock = await readClock(world.db);
  const found = orgIds.map((orgId) =>
    inspectSchedule(world.client, scheduleIdOf(queue, clock, orgId, 'monthly-credit-grant')),
  );
  return (await Promise.all(found)).map(({ state }) => state);
}

const elsewhere = () => new Client({ connection: world.client.connection, namespace: 'of-nobody' });

describe('the schedules of all orgs at a start', () => {
  it('are left for later by a Temporal that gives no answer, and made once it does', async () => {
    const queue = taskQueue('slow');
    const { log, levels } = listen();
    const scheduler = createOrgScheduler(slow, queue, worker, log, { deadlineMs: 500 });
    line.hold();
    await scheduler.ensureAll();
    expect(levels).toEqual([40]);
    expect(await states(queue)).toEqual(['missing', 'missing']);
    line.cut();
    await eventually('both are made', async () => (await states(queue)).every((state) => state === 'active'));
    await scheduler.stop();
  });

  it('are no longer tried when the worker stops', async () => {
    const [stopped, going] = [taskQueue('stopped'), taskQueue('going')];
    const begin = async (queue: string) => {
      const scheduler = createOrgScheduler(slow, queue, worker, listen().log, { deadlineMs: 500 });
      await scheduler.ensureAll();
      return scheduler;
    };
    line.hold();
    const first = await begin(stopped);
    await first.stop();
    // Another that begins later and is not stopped: once it has made its Schedules, the first had its time.
    const second = await begin(going);
    line.cut();
    await eventually('those of the other are made', async () =>
      (await states(going)).every((state) => state === 'active'),
    );
    expect(await states(stopped)).toEqual(['missing', 'missing']);
    await second.stop();
  });

  it('fail the start when Temporal refuses', async () => {
    const scheduler = createOrgScheduler(elsewhere(), taskQueue('refused'), worker, listen().log);
    await expect(scheduler.ensureAll()).rejects.toThrow(/of-nobody|not found/i);
    await scheduler.stop();
  });

  it('that are refused for one org later are told of as an error, and hold up no other org', async () => {
    const queue = taskQueue('one-refused');
    const { log, levels } = listen();
    const failure = (code: number) =>
      new ServiceError('no', { cause: Object.assign(new Error('no'), { code }) });
    const [refused = ''] = orgIds;
    let asked = 0;
    const answer = async (input: { options: ScheduleOptions }, next: (input: never) => Promise<unknown>) => {
      asked += 1;
      if (asked === 1) throw failure(4);
      if (input.options.scheduleId.includes(refused)) throw failure(7);
      return next(input as never);
    };
    const client = new Client({
      connection: world.client.connection,
      interceptors: { schedule: [{ create: answer as never }] },
    });
    const scheduler = createOrgScheduler(client, queue, worker, log);
    await scheduler.ensureAll();
    expect(levels).toEqual([40]);
    await eventually('the other is made and the refusal told', async () => {
      const [, made] = await states(queue);
      return made === 'active' && levels.includes(50);
    });
    expect(await states(queue)).toEqual(['missing', 'active']);
    await scheduler.stop();
  });
});

describe('what Temporal must know before the first workflow', () => {
  it('waits for a server that is slow', async () => {
    const queue = taskQueue('reconciler');
    const { log, levels } = listen();
    line.hold();
    const made = patiently(slow, log, 'a Schedule', () => ensureSchedules(slow, queue), { deadlineMs: 500 });
    await eventually('the first try is over', async () => levels.length > 0);
    line.cut();
    await made;
    expect(await inspectSchedule(world.client, `${queue}:reconciler`)).toMatchObject({ state: 'active' });
  });

  it('fails at once when the server refuses, and in the end when it never answers', async () => {
    const refused = listen();
    const client = elsewhere();
    const ask = () => ensureSchedules(client, taskQueue('refused'));
    await expect(patiently(client, refused.log, 'a Schedule', ask)).rejects.toThrow(/of-nobody|not found/i);
    expect(refused.levels).toEqual([]);

    const silent = listen();
    line.hold();
    const never = () => ensureSchedules(slow, taskQueue('silent'));
    const hurry = { deadlineMs: 200, firstPauseMs: 10 };
    await expect(patiently(slow, silent.log, 'a Schedule', never, hurry)).rejects.toThrow();
    expect(silent.levels).toEqual([40, 40, 40]);
    line.cut();
  });
});
