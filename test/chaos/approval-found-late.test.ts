/**
 * No worker runs from an approval over the cut-off: the approval counts when it was asked for before it, and comes too
 * late when it was not. The database, the workflow and the answer to the command say the same.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { dateOf, HOUR_MS } from '../../domain/calendar.js';
import { dailyQueueState } from '../../workflows/daily-queue/contract.js';
import { type ApiWorld, createApiWorld, type Person } from '../support/api-world.js';
import { startQueue, zoneAtTen } from '../support/daily-queues.js';
import { addApproved, addMembers, queueFacts } from '../support/queue-world.js';
import { eventually } from '../support/review-facts.js';
import { createWorld, type World } from '../support/world.js';

/** From the draft to its cut-off. */
const PROMISED_MS = 6_000;

let world: World;
let api: ApiWorld;

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

/** A draft whose worker has gone, before its cut-off. */
async function draftedAndLeft(orgId: string, admin: Person) {
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
  const worker = await world.startWorker();
  const handle = await startQueue(world, { orgId, date });
  await eventually('the draft', async () => {
    return (await handle.query(dailyQueueState)).state?.stage === 'approval';
  });
  await worker.stop();
  const queue = () => facts.queue(date);
  const cutoff = (await queue())?.approve_by?.getTime() ?? 0;
  return {
    handle,
    facts,
    queue,
    cutoff,
    over: () => eventually('the cut-off', async () => Date.now() > cutoff, 2 * PROMISED_MS),
    async approve() {
      const answer = await api.call('POST', `/v1/queues/${date}/approve`, { body: {}, as: admin });
      // Nobody was there to take it.
      expect(answer.status).toBe(202);
      const address = answer.headers.get('location') ?? '';
      return async () => (await api.call('GET', address, { as: admin })).body;
    },
  };
}

it('asked for before the cut-off, it counts', { timeout: 60_000 }, async () => {
  const { handle, facts, queue, cutoff, over, approve } = await draftedAndLeft(api.orgId, api.admin);
  const command = await approve();
  expect(Date.now()).toBeLessThan(cutoff);
  await over();
  const worker = await world.startWorker();
  const { state, refused } = await eventually('it is out', async () => {
    const view = await handle.query(dailyQueueState);
    return view.state?.stage === 'settling' && view;
  });
  const row = await queue();
  expect(row).toMatchObject({ status: 'published', approved_by_id: api.admin.id });
  expect(row?.approved_at?.getTime()).toBeLessThan(cutoff);
  expect(state).toMatchObject({
    status: 'published',
    approvedBy: api.admin.id,
    approvedAt: row?.approved_at?.getTime(),
  });
  expect(await command()).toMatchObject({ status: 'applied', code: null });
  expect(refused).toEqual([]);
  expect(await facts.events()).toMatchObject({ 'queue.approved': 1, 'queue.published': 1 });
  await handle.terminate('done');
  await worker.stop();
});

it('asked for after the cut-off, it comes too late', { timeout: 60_000 }, async () => {
  const { handle, facts, queue, over, approve } = await draftedAndLeft(api.otherOrgId, api.otherAdmin);
  await over();
  const command = await approve();
  await world.startWorker();
  await handle.result();
  expect(await queue()).toMatchObject({ status: 'lapsed', approved_at: null });
  expect(await command()).toMatchObject({ status: 'refused', code: 'queue_closed' });
  expect(await facts.events()).toEqual({ 'queue.drafted': 1, 'submission.shifted': 1, 'queue.lapsed': 1 });
});
