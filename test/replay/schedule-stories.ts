/** Histories of schedules; together they go through every step the workflow has. */
import { REPOST_SCHEDULE_TYPE, repostScheduleUpdates } from '../../workflows/repost-schedule/contract.js';
import { type ScheduledRepost, schedulesOf } from '../support/schedules.js';
import type { World } from '../support/world.js';

type Handle = ReturnType<World['client']['workflow']['getHandle']>;
type Save = (lifecycle: string, name: string, handle: Handle) => Promise<void>;

const CREATE = '/partner/v1/schedule/create';

export const SCHEDULE_STORIES: Record<string, (world: World, save: Save) => Promise<void>> = {
  async 'a schedule, not taken at first, seen on SoundCloud'(world, save) {
    const the = schedulesOf(world);
    await world.sandbox.admin.addFault('planner', { kind: 'status', status: 429, path: CREATE, count: 1 });
    const repost = await the.schedule({ slotInHours: 6 });
    await saveClosed(world, save, repost, 'sent-again-and-seen');

    const again = await world.client.workflow.start(REPOST_SCHEDULE_TYPE, {
      workflowId: repost.workflowId,
      taskQueue: world.config.SPARK_TASK_QUEUE,
      args: [{ orgId: world.orgId, scheduleId: repost.id }],
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    });
    await again.result();
    await save('repost-schedule', 'started-on-a-closed-row', again);
  },

  async 'a schedule whose answer was lost, told of by the vendor'(world, save) {
    const the = schedulesOf(world);
    await world.sandbox.admin.addFault('planner', { kind: 'drop', path: CREATE, count: 1 });
    const repost = await the.schedule({ slotInHours: 6 });
    await the.inStage(repost, 'unknown');
    await the.handleOf(repost).signal('plannerReported', { status: 'completed', scheduleId: 'x-1' });
    await saveClosed(world, save, repost, 'unknown-and-told');
  },

  async 'a schedule whose answer was lost, found by ops, cancelled'(world, save) {
    const the = schedulesOf(world);
    await world.sandbox.admin.addFault('planner', { kind: 'drop', path: CREATE, count: 1 });
    const repost = await the.schedule({ slotInHours: 12 });
    await the.inStage(repost, 'unknown');
    const handle = the.handleOf(repost);
    await handle.signal('confirmCancelled', { by: 'ops' });
    await handle.executeUpdate(repostScheduleUpdates.answerUnknown, { args: [{ by: 'ops', sent: true }] });
    await handle.executeUpdate(repostScheduleUpdates.cancel, {
      args: [{ by: 'ops', reason: 'The artist asked for it.' }],
    });
    await handle.executeUpdate(repostScheduleUpdates.confirmCancelled, { args: [{ by: 'ops' }] });
    await saveClosed(world, save, repost, 'unknown-found-and-cancelled');
  },

  async 'a schedule cancelled before it was sent'(world, save) {
    const the = schedulesOf(world);
    const repost = await the.schedule({ slotInHours: 500 });
    await the.inStage(repost, 'ahead');
    await the
      .handleOf(repost)
      .executeUpdate(repostScheduleUpdates.cancel, { args: [{ by: 'ops', reason: 'A mistake.' }] });
    await saveClosed(world, save, repost, 'cancelled-unsent');
  },
};

async function saveClosed(world: World, save: Save, repost: ScheduledRepost, name: string): Promise<void> {
  const the = schedulesOf(world);
  await the.closed(repost);
  const handle = the.handleOf(repost);
  await handle.result();
  await save('repost-schedule', name, handle);
}
