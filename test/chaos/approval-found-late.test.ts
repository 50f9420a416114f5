/**
 * An approval counts when it was asked for before the cut-off, with what was changed before it, also when no worker runs from then over the cut-off, or
 * when both come in the same second. The database, the workflow and the answer to the command say the same.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createOrg } from '../../db/setup.js';
import { dateOf, HOUR_MS } from '../../domain/calendar.js';
import { dailyQueueState } from '../../workflows/daily-queue/contract.js';
import { type ApiWorld, createApiWorld } from '../support/api-world.js';
import { startQueue, zoneAtTen } from '../support/daily-queues.js';
import { addApproved, addMembers, queueFacts } from '../support/queue-world.js';
import { eventually } from '../support/review-facts.js';
import { createWorld, type World } from '../support/world.js';

/** From the draft to its cut-off. */
const PROMISED_MS = 10_000;
const LAPSED = { 'queue.drafted': 1, 'submission.shifted': 1, 'queue.lapsed': 1 };

let world: World;
let api: ApiWorld;
let made = 0;

beforeAll(async () => {
  world = await createWorld();
  api = await createApiWorld({
    database: world.database,
    commandTimeoutMs: 500,
    env: { SPARK_TASK_QUEUE: world.config.SPARK_TASK_QUEUE },
  });
});
afterAll(async () => {
  await api?.remove();
  await world?.remove();
});

/** The draft of a new org, whose worker runs. */
async function drafted() {
  made += 1;
  const { orgId } = await createOrg(api.db, { name: `Late ${made}`, adminUserId: api.admin.id });
  const now = Date.now();
  const timezone = zoneAtTen(now);
  const date = dateOf(now, timezone);
  const facts = queueFacts(api.db, orgId);
  await api.db
    .updateTable('soundcloud_settings')
    .set({
      timezone,
      queue_hours: JSON.stringify({ approval_cutoff: '00:00', min_approval_hours: PROMISED_MS / HOUR_MS }),
    })
    .where('org_id', '=', orgId)
    .execute();
  const [memberId = ''] = await addMembers(
    api.db,
    orgId,
    ['artist', 'one', 'two', 'three'].map((handle) => ({ handle, balance: 3, activeAt: now })),
  );
  await addApproved(api.db, orgId, [{ memberId, slug: 'track', artist: 'artist', supportDate: date }]);
  const handle = await startQueue(world, { orgId, date });
  const state = async () => (await handle.query(dailyQueueState)).state;
  await eventually('the draft', async () => (await state())?.stage === 'approval');
  const queue = () => facts.queue(date);
  const cutoff = (await queue())?.approve_by?.getTime() ?? 0;
  const send = async (verb: string, body = {}) => {
    const answer = await api.call('POST', `/v1/queues/${date}/${verb}`, { body, org: orgId });
    const address = answer.headers.get('location') ?? '';
    return {
      status: answer.status,
      code: answer.body.code,
      command: async () => (await api.call('GET', address, { org: orgId })).body,
    };
  };
  return {
    date,
    handle,
    facts,
    queue,
    cutoff,
    at: (moment: number) => eventually('the moment', async () => Date.now() >= moment, 2 * PROMISED_MS),
    approve: () => send('approve'),
    drop: (assignmentId: string) => send('assignments/drop', { assignment_id: assignmentId }),
    pending: async () =>
      (
        await api.db
          .selectFrom('soundcloud_commands')
          .select('id')
          .where('org_id', '=', orgId)
          .where('status', '=', 'pending')
          .execute()
      ).length,
    /** Database and workflow say that it went out. */
    async isOut() {
      const shown = await eventually('it is out', async () => {
        const view = await handle.query(dailyQueueState);
        return view.state?.stage === 'settling' && view;
      });
      const row = await queue();
      expect(row).toMatchObject({ status: 'published', approved_by_id: api.admin.id });
      expect(row?.approved_at?.getTime()).toBeLessThan(cutoff);
      expect(shown.state).toMatchObject({
        status: 'published',
        approvedBy: api.admin.id,
        approvedAt: row?.approved_at?.getTime(),
      });
      expect(shown.refused).toEqual([]);
      expect(await facts.events()).toMatchObject({ 'queue.approved': 1, 'queue.published': 1 });
      await handle.terminate('done');
    },
    async isLapsed() {
      await handle.result();
      expect(await queue()).toMatchObject({ status: 'lapsed', approved_at: null });
      expect(await facts.events()).toEqual(LAPSED);
    },
  };
}

/** A draft whose worker has gone, before its cut-off. */
async function draftedAndLeft() {
  const worker = await world.startWorker();
  const queue = await drafted();
  await worker.stop();
  return queue;
}

it('asked for before the cut-off and found after it, it counts', { timeout: 60_000 }, async () => {
  const { cutoff, at, approve, isOut } = await draftedAndLeft();
  const { status, command } = await approve();
  expect(status).toBe(202);
  expect(Date.now()).toBeLessThan(cutoff);
  await at(cutoff);
  const worker = await world.startWorker();
  await isOut();
  expect(await command()).toMatchObject({ status: 'applied', code: null });
  await worker.stop();
});

it('asked for after a change of the draft, both count', { timeout: 60_000 }, async () => {
  const { date, facts, cutoff, at, drop, approve, isOut } = await draftedAndLeft();
  const [first, ...rest] = await facts.assignments(date);
  const dropped = await drop(first?.id ?? '');
  const approved = await approve();
  expect([dropped.status, approved.status]).toEqual([202, 202]);
  expect(Date.now()).toBeLessThan(cutoff);
  await at(cutoff);
  const worker = await world.startWorker();
  await isOut();
  for (const { command } of [dropped, approved]) {
    expect(await command()).toMatchObject({ status: 'applied', code: null });
  }
  expect((await facts.assignments(date)).map(({ id }) => id)).toEqual(rest.map(({ id }) => id));
  await worker.stop();
});

it('asked for after the cut-off, it comes too late', { timeout: 60_000 }, async () => {
  const { cutoff, at, approve, isLapsed } = await draftedAndLeft();
  await at(cutoff + 1);
  const { status, command } = await approve();
  expect(status).toBe(202);
  const worker = await world.startWorker();
  await isLapsed();
  expect(await command()).toMatchObject({ status: 'refused', code: 'queue_closed' });
  await worker.stop();
});

it('answered with an error, it does not count', { timeout: 60_000 }, async () => {
  const { cutoff, at, approve, pending, isLapsed } = await draftedAndLeft();
  await api.restart({ TEMPORAL_ADDRESS: '127.0.0.1:9' });
  expect(await approve()).toMatchObject({ status: 503, code: 'temporal_unavailable' });
  expect(await pending()).toBe(0);
  await api.restart({});
  await at(cutoff);
  const worker = await world.startWorker();
  await isLapsed();
  await worker.stop();
});

it('asked for in the second of the cut-off, everybody agrees', { timeout: 120_000 }, async () => {
  const worker = await world.startWorker();
  const rounds = await Promise.all(
    [-2_000, -200, -100, -60, -20, 0, 20, 100].map(async (distance) => {
      const queue = await drafted();
      await queue.at(queue.cutoff + distance);
      return { queue, answer: await queue.approve() };
    }),
  );
  const outcomes = new Set<string>();
  for (const { queue, answer } of rounds) {
    const outcome =
      answer.status === 202
        ? await eventually('the outcome', async () => {
            const { status } = await answer.command();
            return status !== 'pending' && String(status);
          })
        : answer.status === 200
          ? 'applied'
          : 'refused';
    outcomes.add(outcome);
    if (outcome === 'applied') await queue.isOut();
    else await queue.isLapsed();
    expect(await queue.pending()).toBe(0);
  }
  expect(outcomes).toEqual(new Set(['applied', 'refused']));
  await worker.stop();
});
