/**
 * The worker is killed with SIGKILL around the one request that must not be made twice, and started again. Influence
 * Planner then has the repost exactly once, or nobody knows and nobody asks again.
 */
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/review-facts.js';
import { type ScheduledRepost, schedulesOf } from '../support/schedules.js';
import { createWorld, type World } from '../support/world.js';
import { createGateKeeper, type GateKeeper } from './support/gates.js';
import { type HeldLine, openHeldLine } from './support/held-line.js';
import { type WorkerProcess, type WorkerProcesses, workerProcesses } from './support/worker-process.js';

/** A killed worker's activity is tried again after its time to finish (30 s), and may meet the next kill. */
const RECOVERY_MS = 180_000;
const CREATE = '/partner/v1/schedule/create';

let world: World;
let the: ReturnType<typeof schedulesOf>;
let gates: GateKeeper;
let line: HeldLine;
let workers: WorkerProcesses;
let worker: WorkerProcess;
const killed = new Map<string, ScheduledRepost>();

interface KillPoint {
  /** What goes on when the worker dies. */
  during: string;
  /** Brings a schedule exactly there. @returns what puts the world right again */
  reach(): Promise<{ repost: ScheduledRepost; mend?: () => Promise<void> }>;
  /** It is looked after to its end before the next kill. */
  recoversFirst?: boolean;
  /** Stage it ends up in, and how often the vendor has it. */
  stage: 'completion' | 'unknown';
  atVendor: number;
}

/** In front of a new schedule's intent; earlier ones, which still recover, go by. */
function intent(status: string) {
  const others = [...killed.values()].map(({ id }) => ` and new.entity_id <> '${id}'`).join('');
  const becomes = `new.status = '${status}' and old.status <> '${status}'`;
  return gates.close('update', 'soundcloud_provider_intents', `${becomes}${others}`);
}

/** Stops at a gate; the worker dies with its transaction open. */
async function beforeCommit(status: string) {
  const gate = await intent(status);
  const repost = await the.schedule();
  await eventually('the worker stands before the gate', () => gate.someoneWaits(), RECOVERY_MS);
  return { repost, mend: () => gate.open() };
}

/** Stops the worker's line to Temporal at a gate, and lets only the transaction through. */
async function afterCommit(status: string) {
  const gate = await intent(status);
  const repost = await the.schedule();
  await eventually('the worker stands before the gate', () => gate.someoneWaits(), RECOVERY_MS);
  line.hold();
  await gate.open();
  await eventually('the transaction is committed', async () => {
    const row = await the.facts.intent(repost);
    return row.status === status;
  });
  return { repost };
}

/** The request hangs at the vendor, carried out or not. */
async function duringRequest(processed: boolean) {
  const { admin } = world.sandbox;
  const before = (await admin.requests('planner', CREATE)).length;
  await admin.addFault('planner', { kind: 'hang', processed, path: CREATE, count: 1 });
  const repost = await the.schedule();
  await eventually('the vendor has the request', async () => {
    const made = (await the.facts.atVendor(repost)).length === 1;
    return processed ? made : (await admin.requests('planner', CREATE)).length > before;
  });
  // Cleared before the client is gone, what hangs would go on.
  return { repost };
}

const POINTS: KillPoint[] = [
  {
    during: 'the request is with the vendor, who has not carried it out',
    reach: () => duringRequest(false),
    stage: 'unknown',
    atVendor: 0,
  },
  {
    during: 'the request was carried out, and its answer is on the way',
    reach: () => duringRequest(true),
    stage: 'unknown',
    atVendor: 1,
  },
  {
    during: 'the answer is recorded, before the transaction commits',
    reach: () => beforeCommit('confirmed'),
    stage: 'completion',
    atVendor: 1,
  },
  {
    during: 'the answer is recorded, but Temporal has not heard of it',
    reach: () => afterCommit('confirmed'),
    stage: 'completion',
    atVendor: 1,
  },
  {
    during: 'the intent becomes sent, before the transaction commits',
    // These ask the vendor only after the kill: the next kill must not meet that.
    recoversFirst: true,
    reach: () => beforeCommit('sent'),
    stage: 'completion',
    atVendor: 1,
  },
  {
    during: 'the intent is sent, but Temporal has not heard of it and no request has left',
    recoversFirst: true,
    reach: () => afterCommit('sent'),
    stage: 'completion',
    atVendor: 1,
  },
];

beforeAll(async () => {
  world = await createWorld();
  the = schedulesOf(world);
  gates = await createGateKeeper(world.database.adminUrl);
  line = await openHeldLine(world.config.TEMPORAL_ADDRESS);
  workers = workerProcesses({ ...world.env, TEMPORAL_ADDRESS: line.address });
  worker = await workers.start();
});

afterAll(async () => {
  await gates?.end();
  await workers?.end();
  await line?.close();
  await world?.remove();
});

describe('a worker is killed while', () => {
  it.each(POINTS)('$during', { timeout: RECOVERY_MS }, async ({ during, reach, recoversFirst, stage }) => {
    const { repost, mend } = await reach();
    await worker.kill();
    line.cut();
    await mend?.();
    worker = await workers.start();
    killed.set(during, repost);
    if (recoversFirst) await the.inStage(repost, stage, RECOVERY_MS);
  });
});

describe('the vendor has it exactly once, or nobody knows and it is not asked again, after a kill while', () => {
  it.each(POINTS)('$during', { timeout: RECOVERY_MS }, async ({ during, stage, atVendor }) => {
    const repost = killed.get(during);
    if (repost === undefined) throw new Error('it was not reached');
    await the.inStage(repost, stage, RECOVERY_MS);
    expect(await the.facts.intent(repost)).toMatchObject({
      status: stage === 'unknown' ? 'unknown' : 'confirmed',
      attempts: 1,
    });
    expect(await the.facts.atVendor(repost)).toHaveLength(atVendor);
    const tasks = (await the.facts.tasks(repost)).map(({ kind }) => kind);
    expect(tasks).toEqual(stage === 'unknown' ? ['schedule_unknown'] : []);
  });

  it('and a workflow that is lost too starts again where it was', { timeout: RECOVERY_MS }, async () => {
    const [unknown] = [...killed]
      .filter(([during]) => during.includes('carried out'))
      .map(([, repost]) => repost);
    if (unknown === undefined) throw new Error('nothing is unknown');
    const requests = (await world.sandbox.admin.requests('planner', CREATE)).length;
    await the.handleOf(unknown).terminate('lost');
    // As if it was lost while it asked: only the intent knows of the request.
    await sql`update public.soundcloud_provider_intents set status = 'sent' where entity_id = ${unknown.id}`.execute(
      world.db,
    );
    await sql`delete from public.soundcloud_waits where entity_id = ${unknown.id}`.execute(world.db);
    const candidates = await sql<{ entity_id: string }>`
      select entity_id from private.reconcile_candidates() where entity_type = 'schedule'`.execute(world.db);
    expect(candidates.rows.map(({ entity_id }) => entity_id)).toContain(unknown.id);
    await world.client.workflow.start('reconcilerWorkflow', {
      workflowId: `reconciler-${unknown.id}`,
      taskQueue: world.config.SPARK_TASK_QUEUE,
    });
    await the.inStage(unknown, 'unknown', RECOVERY_MS);
    expect(await the.facts.intent(unknown)).toMatchObject({ status: 'unknown', attempts: 1 });
    expect((await world.sandbox.admin.requests('planner', CREATE)).length).toBe(requests);
  });
});
