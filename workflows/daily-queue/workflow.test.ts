/** The daily queue against the time-skipping server: cut-offs pass in seconds. */
import { WorkflowUpdateFailedError } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addQueueOrg, settleAll, startQueue, type TestQueue } from '../../test/support/daily-queues.js';
import { eventually } from '../../test/support/review-facts.js';
import { startTimeSkipping } from '../../test/support/time-skipping.js';
import { createWorld, type World } from '../../test/support/world.js';
import { SCHEDULED_START_TYPE, type ScheduledStartResult } from '../scheduled-start/contract.js';
import { assignmentsSettledSignal, dailyQueueState, dailyQueueUpdates } from './contract.js';

let env: TestWorkflowEnvironment;
let world: World;

beforeAll(async () => {
  env = await startTimeSkipping();
  world = await createWorld({ temporalAddress: env.address, now: () => env.currentTimeMs() });
  await world.startWorker();
});

afterAll(async () => {
  await world?.remove();
  await env?.teardown();
});

async function drafted(hours = {}) {
  const queue = await addQueueOrg(world, await env.currentTimeMs(), hours);
  const handle = await startQueue(world, queue);
  await stage(queue, 'approval');
  return { queue, handle };
}

const stateOf = async (queue: TestQueue) =>
  (await world.client.workflow.getHandle(queue.workflowId).query(dailyQueueState)).state;
const stage = (queue: TestQueue, wanted: string) =>
  eventually(`stage ${wanted}`, async () => (await stateOf(queue))?.stage === wanted);

describe('the cut-off', () => {
  it('is announced by the warnings that are still to come, then the queue lapses', async () => {
    // It is ten: of three hours and one hour before noon only the latter is ahead.
    const { queue, handle } = await drafted();
    await world.db
      .updateTable('soundcloud_settings')
      .set({ slack_enabled: true, slack_webhook: world.sandbox.urls.slackWebhook })
      .where('org_id', '=', queue.orgId)
      .execute();
    await env.sleep('70 minutes');
    await eventually('the warning', async () =>
      (await queue.facts.notifications()).includes(`The queue of ${queue.date} waits for approval`),
    );
    await env.sleep('2 hours');
    await handle.result();
    expect(await queue.facts.queue(queue.date)).toMatchObject({ status: 'lapsed' });
    expect((await queue.facts.queue(queue.date))?.closed_at).not.toBeNull();
    expect(await queue.facts.events()).toEqual({
      'queue.drafted': 1,
      'submission.shifted': 1,
      'queue.lapsed': 1,
    });
    expect((await queue.facts.notifications()).sort()).toEqual([
      `The queue of ${queue.date} is drafted`,
      `The queue of ${queue.date} lapsed`,
      `The queue of ${queue.date} waits for approval`,
    ]);
    // Slack is told of the warning that was given and of the lapse.
    const slack = (await world.sandbox.admin.slackMessages()).map(({ text }) => text);
    expect(slack).toEqual([
      expect.stringMatching(/waits for approval.*It lapses in 1 h unless somebody approves it/s),
      expect.stringContaining(`The queue of ${queue.date} lapsed`),
    ]);
  });

  it('leaves at least the hours the org promises, and both warnings when they are ahead', async () => {
    const { queue, handle } = await drafted({ min_approval_hours: 5 });
    const state = await stateOf(queue);
    expect(state?.approveBy).toBe((state?.generatedAt ?? 0) + 5 * 3_600_000);
    await env.sleep('270 minutes');
    await eventually('both warnings', async () => (await stateOf(queue))?.warned.length === 2);
    await env.sleep('1 hour');
    await handle.result();
    const titles = await queue.facts.notifications();
    expect(titles.filter((title) => title.endsWith('waits for approval'))).toHaveLength(2);
  });
});

describe('approval', () => {
  it('publishes at once; the last settled assignment closes the queue', async () => {
    const { queue, handle } = await drafted();
    await handle.executeUpdate(dailyQueueUpdates.approve, { args: [{ by: queue.adminId }] });
    await stage(queue, 'settling');
    expect(await queue.facts.heldCredits()).toBe(3);
    const late = handle.executeUpdate(dailyQueueUpdates.regenerate, { args: [{ by: queue.adminId }] });
    await expect(late).rejects.toBeInstanceOf(WorkflowUpdateFailedError);
    await expect(late).rejects.toMatchObject({ cause: { message: expect.stringContaining(queue.adminId) } });

    // Told too early, it looks, and waits on.
    await handle.signal(assignmentsSettledSignal, {});
    await settleAll(world, queue, await env.currentTimeMs());
    await handle.signal(assignmentsSettledSignal, {});
    await handle.result();
    expect(await queue.facts.queue(queue.date)).toMatchObject({
      status: 'published',
      totals: { assignments: 3, completed: 3, captured: 3 },
    });
    expect((await queue.facts.events())['queue.settled']).toBe(1);
    const { historyLength } = await handle.describe();
    expect(historyLength).toBeLessThan(100);
  });

  it('is refused for a draft that is not the newest, and edits are made before it', async () => {
    const { queue, handle } = await drafted();
    const [first] = await queue.facts.assignments(queue.date);
    const view = await handle.executeUpdate(dailyQueueUpdates.dropAssignment, {
      args: [{ by: queue.adminId, assignmentId: first?.id ?? '' }],
    });
    expect(view.state).toMatchObject({ revision: 2, assignments: 2 });
    await expect(
      handle.executeUpdate(dailyQueueUpdates.approve, { args: [{ by: queue.adminId, ifRevision: 1 }] }),
    ).rejects.toMatchObject({ cause: { type: 'queue_changed' } });
    const again = await handle.executeUpdate(dailyQueueUpdates.regenerate, { args: [{ by: queue.adminId }] });
    expect(again.state).toMatchObject({ revision: 3, assignments: 3, stage: 'approval' });
    await handle.signal('approve', 'rubbish');
    await eventually('the refusal', async () =>
      (await handle.query(dailyQueueState)).refused.some(({ code }) => code === 'malformed_command'),
    );
    await handle.terminate('done');
  });
});

describe('publishing', () => {
  it('that Postgres refuses is told to ops once and waits in the inbox; mended, the queue goes out', async () => {
    const { queue, handle } = await drafted();
    await sql
      .raw(
        `create function public.refuse_publishing() returns trigger language plpgsql as
         $$ begin raise exception 'not this queue'; end $$;
         create trigger refuse_publishing before update on soundcloud_queues for each row
         when (new.status = 'published' and new.org_id = '${queue.orgId}') execute function public.refuse_publishing()`,
      )
      .execute(world.db);
    const wait = async () => {
      const { rows } = await sql<{ stage: string; waiting_on: string; how_to_act: string }>`
        select stage, waiting_on, how_to_act from soundcloud_waits where workflow_id = ${queue.workflowId}`.execute(
        world.db,
      );
      return rows[0];
    };
    const health = async () => {
      const { rows } = await sql<{ status: string; last_error_message: string; error_count: number }>`
        select status, last_error_message, error_count from soundcloud_automation_health
        where org_id = ${queue.orgId} and automation_name = 'daily-queue'`.execute(world.db);
      return rows[0];
    };
    try {
      await handle.executeUpdate(dailyQueueUpdates.approve, { args: [{ by: queue.adminId }] });
      expect(await wait()).toMatchObject({
        stage: 'publishing',
        waiting_on: 'ops',
        how_to_act: expect.stringContaining('automation daily-queue'),
      });
      expect((await handle.describe()).searchAttributes.Stage).toEqual(['publishing']);
      // Each try gives up after less than two minutes, and the next comes five minutes later.
      await env.sleep('25 minutes');
      expect(await health()).toMatchObject({ status: 'error', last_error_message: 'not this queue' });
      const told = (await queue.facts.notifications()).filter((title) =>
        title.includes('could not be published'),
      );
      expect(told).toEqual([`The queue of ${queue.date} could not be published`]);
      // Meanwhile nothing is out, nothing is paid, and a late command is answered.
      expect(await queue.facts.heldCredits()).toBe(0);
      await expect(
        handle.executeUpdate(dailyQueueUpdates.regenerate, { args: [{ by: queue.adminId }] }),
      ).rejects.toMatchObject({ cause: { type: 'queue_already_approved' } });
    } finally {
      await sql
        .raw('drop trigger refuse_publishing on soundcloud_queues; drop function public.refuse_publishing()')
        .execute(world.db);
    }
    await env.sleep('7 minutes');
    await stage(queue, 'settling');
    expect(await queue.facts.heldCredits()).toBe(3);
    expect(await wait()).toMatchObject({ stage: 'settling' });
    expect(await health()).toMatchObject({ status: 'healthy' });
    expect((await queue.facts.events())['queue.published']).toBe(1);
    await handle.terminate('done');
  });
});

describe('the scheduled run of a date that was asked for ahead', () => {
  const successes = async (orgId: string) => {
    const { success_count } = await world.db
      .selectFrom('soundcloud_automation_health')
      .select('success_count')
      .where('org_id', '=', orgId)
      .where('automation_name', '=', 'daily-queue')
      .executeTakeFirstOrThrow();
    return success_count;
  };
  let runs = 0;
  const scheduled = async ({ orgId }: TestQueue): Promise<ScheduledStartResult> => {
    runs += 1;
    return world.client.workflow.execute(SCHEDULED_START_TYPE, {
      workflowId: `scheduled:${runs}:${orgId}`,
      taskQueue: world.config.SPARK_TASK_QUEUE,
      args: [{ orgId, automations: ['daily-queue'] }],
    });
  };

  it('is a success of the automation, whether it finds the date drafted or over', async () => {
    const { queue, handle } = await drafted();
    expect(await successes(queue.orgId)).toBe(1);
    expect(await scheduled(queue)).toMatchObject({ started: [], alreadyStarted: [queue.workflowId] });
    expect(await successes(queue.orgId)).toBe(2);
    await handle.executeUpdate(dailyQueueUpdates.approve, { args: [{ by: queue.adminId }] });
    await stage(queue, 'settling');
    await settleAll(world, queue, await env.currentTimeMs());
    await handle.signal(assignmentsSettledSignal, {});
    await handle.result();
    expect(await scheduled(queue)).toMatchObject({ started: [queue.workflowId] });
    expect(await successes(queue.orgId)).toBe(3);
  });

  it('says nothing of a date that is still to be drafted: its queue does', async () => {
    const queue = await addQueueOrg(world, await env.currentTimeMs());
    await scheduled(queue);
    await stage(queue, 'approval');
    expect(await successes(queue.orgId)).toBe(1);
    await world.client.workflow.getHandle(queue.workflowId).terminate('done');
  });
});

describe('a queue that is started', () => {
  it('without demand makes no row and ends', async () => {
    const queue = await addQueueOrg(world, await env.currentTimeMs());
    await sql`update public.soundcloud_submissions set support_date = support_date + 1
      where id = ${queue.submission}`.execute(world.db);
    await (await startQueue(world, queue)).result();
    expect(await queue.facts.queue(queue.date)).toBeUndefined();
  });

  it('too late makes none, and says so', async () => {
    const queue = await addQueueOrg(world, await env.currentTimeMs(), { no_generation_after: '09:00' });
    await (await startQueue(world, queue)).result();
    expect(await queue.facts.queue(queue.date)).toBeUndefined();
    expect(await queue.facts.notifications()).toEqual([`There is no queue for ${queue.date}`]);
  });

  it('again at any stage goes on there', async () => {
    const { queue, handle } = await drafted();
    const cutoff = (await stateOf(queue))?.approveBy;
    await handle.terminate('as after retention');
    const second = await startQueue(world, queue);
    await stage(queue, 'approval');
    expect(await stateOf(queue)).toMatchObject({ approveBy: cutoff, revision: 1 });
    await second.executeUpdate(dailyQueueUpdates.approve, { args: [{ by: queue.adminId }] });
    await stage(queue, 'settling');
    await second.terminate('as after retention');
    await settleAll(world, queue, await env.currentTimeMs());
    await (await startQueue(world, queue)).result();
    await (await startQueue(world, queue)).result();
    expect(await queue.facts.events()).toEqual({
      'queue.drafted': 1,
      'queue.approved': 1,
      'queue.published': 1,
      'submission.assigned': 1,
      'assignment.published': 3,
      'queue.settled': 1,
    });
  });
});
