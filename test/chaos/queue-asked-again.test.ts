/** A date is asked for again while the run that let it lapse still has something to deliver: that run goes on with it. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { dailyQueueState, dailyQueueUpdates } from '../../workflows/daily-queue/contract.js';
import { addQueueOrg, askAgain, settleAll, startQueue } from '../support/daily-queues.js';
import { eventually } from '../support/review-facts.js';
import { createWorld, type World } from '../support/world.js';

/** Seconds after the draft. */
const SOON = { approval_cutoff: '00:00', min_approval_hours: 0.001 };

let world: World;

beforeAll(async () => {
  world = await createWorld();
  await world.startWorker();
});
afterAll(async () => {
  await world?.remove();
});

it('is drafted at once, by the run that was ending', { timeout: 90_000 }, async () => {
  const queue = await addQueueOrg(world, Date.now(), SOON);
  await world.db
    .updateTable('soundcloud_settings')
    .set({ slack_enabled: true, slack_webhook: world.sandbox.urls.slackWebhook })
    .where('org_id', '=', queue.orgId)
    .execute();
  // Slack does not answer, so the run cannot end.
  await world.sandbox.admin.addFault('slack', { kind: 'hang' });
  const handle = await startQueue(world, queue);
  const stage = async () => (await handle.query(dailyQueueState)).state?.stage;
  await eventually('the lapse', async () => (await queue.facts.queue(queue.date))?.status === 'lapsed');
  const { runId, status } = await handle.describe();
  expect(status.name).toBe('RUNNING');

  await world.db
    .updateTable('soundcloud_settings')
    .set({ queue_hours: JSON.stringify({ approval_cutoff: '23:59' }) })
    .where('org_id', '=', queue.orgId)
    .execute();
  // Still unanswered when the date is asked for: it is told of the draft to come, not of the lapse.
  await handle.signal('approve', { by: queue.adminId });
  await askAgain(world, queue);
  await eventually('the second draft', async () => (await stage()) === 'approval', 15_000);
  expect((await handle.query(dailyQueueState)).refused).toMatchObject([
    { command: 'approve', code: 'queue_closed', reason: expect.stringContaining('draft is being made') },
  ]);
  expect((await handle.describe()).runId).toBe(runId);
  await handle.executeUpdate(dailyQueueUpdates.approve, { args: [{ by: queue.adminId }] });
  await eventually('it is out', async () => (await stage()) === 'settling');
  await settleAll(world, queue, Date.now());
  await handle.signal('assignmentsSettled', {});
  await world.sandbox.admin.clearFaults('slack');
  await handle.result();
  expect(await queue.facts.events()).toEqual({
    'queue.drafted': 2,
    'submission.shifted': 2,
    'queue.lapsed': 1,
    'queue.approved': 1,
    'queue.published': 1,
    'submission.assigned': 1,
    'assignment.published': 3,
    'queue.settled': 1,
  });
});

it('is drafted by a new run when the other has ended', { timeout: 60_000 }, async () => {
  const queue = await addQueueOrg(world, Date.now(), SOON);
  const handle = await startQueue(world, queue);
  await handle.result();
  const { runId } = await handle.describe();
  await askAgain(world, queue);
  const latest = world.client.workflow.getHandle(queue.workflowId);
  await eventually('another run', async () => (await latest.describe()).runId !== runId);
  await eventually('its draft', async () => (await queue.facts.drafts()).length === 2);
  await eventually('the end', async () => (await latest.describe()).status.name === 'COMPLETED');
});
