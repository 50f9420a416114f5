/** Temporal Schedules, created or brought up to date at each worker start. */
import {
  type Client,
  ScheduleAlreadyRunning,
  type ScheduleOptions,
  ScheduleOverlapPolicy,
} from '@temporalio/client';
import {
  RECONCILER_EVERY_MINUTES,
  RECONCILER_ID,
  RECONCILER_TYPE,
} from '../workflows/reconciler/contract.js';

/** Idempotent: an existing schedule gets the present spec and keeps being paused, if it was. */
export async function ensureSchedules(client: Client, taskQueue: string): Promise<void> {
  await ensureSchedule(client, reconcilerSchedule(taskQueue));
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
