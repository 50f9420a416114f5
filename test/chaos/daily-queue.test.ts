/**
 * A daily queue under disturbance: its worker killed while it publishes and before the relay has told anybody, two
 * approvals at once, an approval in the second of the cut-off. Afterwards history and database say the same.
 */
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ledgerViolations } from '../../db/ledger-invariants.js';
import { dailyQueueState, dailyQueueUpdates } from '../../workflows/daily-queue/contract.js';
import { addQueueOrg, settleAll, startQueue, type TestQueue } from '../support/daily-queues.js';
import { eventually } from '../support/review-facts.js';
import { createWorld, type World } from '../support/world.js';
import { createGateKeeper, type GateKeeper } from './support/gates.js';
import { type HeldLine, openHeldLine } from './support/held-line.js';
import { type WorkerProcess, type WorkerProcesses, workerProcesses } from './support/worker-process.js';

/** A killed worker's activity is tried again when its heartbeats have failed to come (20 s). */
const RECOVERY_MS = 180_000;
const PUBLISHED = {
  'queue.drafted': 1,
  'queue.approved': 1,
  'queue.published': 1,
  'submission.assigned': 1,
  'assignment.published': 3,
};

let world: World;
let gates: GateKeeper;
let line: HeldLine;
let workers: WorkerProcesses;
let worker: WorkerProcess;

beforeAll(async () => {
  world = await createWorld();
  gates = await createGateKeeper(world.database.adminUrl);
  line = await openHeldLine(world.config.TEMPORAL_ADDRESS);
  workers = workerProcesses({ ...world.env, TEMPORAL_ADDRESS: line.address });
  worker = await workers.start();
});

afterAll(async () => {
  expect(await ledgerViolations(world.db)).toEqual([]);
  await gates?.end();
  await workers?.end();
  await line?.close();
  await world?.remove();
});

const handleOf = (queue: TestQueue) => world.client.workflow.getHandle(queue.workflowId);
const stateOf = async (queue: TestQueue) => (await handleOf(queue).query(dailyQueueState)).state;
const statusOf = async (queue: TestQueue) => (await queue.facts.queue(queue.date))?.status;

async function drafted(hours = {}): Promise<TestQueue> {
  const queue = await addQueueOrg(world, Date.now(), hours);
  await startQueue(world, queue);
  await eventually('the draft', async () => (await stateOf(queue))?.stage === 'approval');
  return queue;
}

const approve = (queue: TestQueue, by = queue.adminId) =>
  handleOf(queue).executeUpdate(dailyQueueUpdates.approve, { args: [{ by }] });

async function expectPublishedOnce(queue: TestQueue): Promise<void> {
  await eventually(
    'the worker knows that the queue is out',
    async () => (await stateOf(queue).catch(() => null))?.stage === 'settling',
    RECOVERY_MS,
  );
  expect(await queue.facts.assignments(queue.date)).toHaveLength(3);
  expect(await queue.facts.heldCredits()).toBe(3);
  expect(await queue.facts.events()).toEqual(PUBLISHED);
  await eventually(
    'the relay has handed over every event',
    async () => {
      const { rows } = await sql<{ open: number }>`select count(*)::int as open from public.soundcloud_events
        where org_id = ${queue.orgId} and relayed_at is null`.execute(world.db);
      return rows[0]?.open === 0;
    },
    RECOVERY_MS,
  );
}

describe('a worker killed while a queue is published', { timeout: RECOVERY_MS }, () => {
  const publishing = (queue: TestQueue) =>
    gates.close(
      'update',
      'soundcloud_queues',
      `new.org_id = '${queue.orgId}' and new.status = 'published' and old.status = 'approved'`,
    );

  it('publishes it once, when it died before the transaction was committed', async () => {
    const queue = await drafted();
    const gate = await publishing(queue);
    await approve(queue);
    await eventually('the transaction stands before its end', () => gate.someoneWaits());
    await worker.kill();
    line.cut();
    await gate.open();
    expect(await statusOf(queue)).toBe('approved');
    expect(await queue.facts.heldCredits()).toBe(0);
    worker = await workers.start();
    await expectPublishedOnce(queue);
  });

  it('publishes it once, when it died before Temporal and the relay had heard of it', async () => {
    const queue = await drafted();
    const gate = await publishing(queue);
    await approve(queue);
    await eventually('the transaction stands before its end', () => gate.someoneWaits());
    line.hold();
    await gate.open();
    await eventually('it is committed', async () => (await statusOf(queue)) === 'published');
    await worker.kill();
    line.cut();
    worker = await workers.start();
    await expectPublishedOnce(queue);
    await settleAll(world, queue, Date.now());
    await handleOf(queue).signal('assignmentsSettled', {});
    await handleOf(queue).result();
    expect((await handleOf(queue).describe()).historyLength).toBeLessThan(100);
  });
});

describe('people at the same moment', { timeout: RECOVERY_MS }, () => {
  it('two approvals: one wins, and the other is told who it was', async () => {
    const queue = await drafted();
    const answers = await Promise.allSettled([approve(queue), approve(queue, world.moderatorId)]);
    const won = answers.filter((answer) => answer.status === 'fulfilled');
    const lost = answers.filter((answer) => answer.status === 'rejected');
    expect([won.length, lost.length]).toEqual([1, 1]);
    const winner = answers[0]?.status === 'fulfilled' ? queue.adminId : 'somebody';
    expect(lost[0]?.reason).toBeInstanceOf(WorkflowUpdateFailedError);
    expect(lost[0]?.reason).toMatchObject({
      cause: {
        type: 'queue_already_approved',
        // The moderator belongs to another org, so the row does not name them.
        message: expect.stringContaining(`approved by ${winner}`),
      },
    });
    await expectPublishedOnce(queue);
  });

  it('an approval in the second of the cut-off: one wins, and everybody agrees which', async () => {
    // Cut-offs some seconds after generation, each with an approval a little before, at, or after it.
    const rounds = await Promise.all(
      [-2_000, -20, 0, 20, 200].map(async (distance) => {
        const hours = { approval_cutoff: '00:00', min_approval_hours: 0.004 };
        const queue = await drafted(hours);
        const cutoff = (await queue.facts.queue(queue.date))?.approve_by?.getTime() ?? 0;
        await eventually('the moment', async () => Date.now() >= cutoff + distance);
        const answer = await approve(queue).then(
          () => 'applied',
          (error: unknown) => (error instanceof WorkflowUpdateFailedError ? 'refused' : 'ended'),
        );
        return { queue, answer };
      }),
    );
    for (const { queue, answer } of rounds) {
      if (answer === 'applied') {
        await expectPublishedOnce(queue);
      } else {
        await handleOf(queue).result();
        expect(await statusOf(queue)).toBe('lapsed');
        expect(await queue.facts.events()).toEqual({
          'queue.drafted': 1,
          'submission.shifted': 1,
          'queue.lapsed': 1,
        });
        expect(await queue.facts.assignments(queue.date)).toEqual([]);
        expect(await queue.facts.heldCredits()).toBe(0);
      }
    }
    expect(new Set(rounds.map(({ answer }) => answer)).size).toBeGreaterThan(1);
  });
});
