/** What a supporter is promised when an assignment goes out holds, whatever the settings say afterwards. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loadAssignment, lockQueue } from '../db/assignments.js';
import { createDatabase, type Db, withOrg } from '../db/client.js';
import { assignmentsOf } from '../test/support/assignments.js';
import { schedulesOf } from '../test/support/schedules.js';
import { createWorld, type World } from '../test/support/world.js';
import { settleAssignment } from './assignment-settle.js';
import { type AssignmentOpening, createAssignmentActivities } from './assignments.js';
import { createRepostScheduleActivities, type PreparedSend } from './repost-schedules.js';

let world: World;
let worker: Db;

beforeAll(async () => {
  world = await createWorld();
  worker = createDatabase(world.database.workerUrl, { max: 2 });
});

afterAll(async () => {
  await worker?.destroy();
  await world?.remove();
});

const setting = (change: { fee_percent?: number; unrepost_after_hours?: number | null }) =>
  world.db.updateTable('soundcloud_settings').set(change).where('org_id', '=', world.orgId).execute();

beforeEach(() => setting({ fee_percent: 0, unrepost_after_hours: null }));

function open(assignment: { id: string; workflowId: string }): Promise<AssignmentOpening> {
  const { openAssignment } = createAssignmentActivities({
    db: worker,
    soundcloud: { configured: true },
    publicUrl: 'https://spark.test',
  });
  return new MockActivityEnvironment().run(openAssignment, {
    orgId: world.orgId,
    assignmentId: assignment.id,
    workflowId: assignment.workflowId,
    realNow: Date.now(),
  }) as Promise<AssignmentOpening>;
}

describe('the earning', () => {
  const settle = (id: string) =>
    withOrg(worker, world.orgId, async (trx) => {
      const assignment = await loadAssignment(trx, world.orgId, id);
      if (assignment === undefined) throw new Error('there is no such assignment');
      await lockQueue(trx, world.orgId, assignment.queue_id);
      await sql`update public.soundcloud_queue_assignments set status = 'completed' where id = ${id}`.execute(
        trx,
      );
      return settleAssignment(trx, { assignment, how: 'capture', now: Date.now() });
    });

  it('is paid as its mail promised it, although the fee was changed since', async () => {
    const the = assignmentsOf(world);
    await setting({ fee_percent: 50 });
    const assignment = await the.publishOne({ unstarted: true, price: 2 });
    await setting({ fee_percent: 100 });
    await open(assignment);
    const { template_data } = await world.db
      .selectFrom('soundcloud_email_logs')
      .select('template_data')
      .where('related_object_id', '=', assignment.id)
      .executeTakeFirstOrThrow();
    expect(template_data).toMatchObject({ credits: 1 });
    const before = await the.facts.wallet(assignment.supporter);
    expect(await settle(assignment.id)).toContain('1 credit is booked');
    expect((await the.facts.wallet(assignment.supporter)).balance).toBe(before.balance + 1);
  });
});

describe('the planned un-repost', () => {
  /** What Influence Planner is asked for, and what the watch goes by; the setting is changed between publish and both. */
  async function bothSides(published: number | null, later: number | null) {
    const schedules = schedulesOf(world);
    await setting({ unrepost_after_hours: published });
    const repost = await schedules.schedule();
    await setting({ unrepost_after_hours: later });
    const { openSchedule, prepareScheduleSend } = createRepostScheduleActivities({
      db: worker,
      influencePlanner: { configured: true },
    });
    const target = { orgId: world.orgId, scheduleId: repost.id, workflowId: repost.workflowId };
    await new MockActivityEnvironment().run(openSchedule, { ...target, realNow: Date.now() });
    const sent: PreparedSend = await new MockActivityEnvironment().run(prepareScheduleSend, {
      ...target,
      stepId: 's1',
      date: repost.slotAt,
      now: repost.slotAt - 1,
    });
    const opened = await open({
      id: repost.assignmentId,
      workflowId: `assignment:${world.orgId}:${repost.assignmentId}`,
    });
    if (!sent.go || opened.closed) throw new Error('it was sent and opened');
    return { ordered: sent.request.unrepostAfterHours, expected: opened.state.policy.unrepostAfterHours };
  }

  it.each([
    [null, 12],
    [12, null],
    [12, 30],
  ])(
    'is that of publishing (%s), for the vendor and for the watch, when the setting is %s by then',
    async (published, later) => {
      expect(await bothSides(published, later)).toEqual({ ordered: published, expected: published });
    },
  );
});
