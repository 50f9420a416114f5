/** Which assignments get a schedule, and what must be true at the moment one is sent. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type Db, withOrg } from '../db/client.js';
import { type ScheduledRepost, schedulesOf } from '../test/support/schedules.js';
import { createWorld, type World } from '../test/support/world.js';
import { createRepostScheduleActivities } from './repost-schedules.js';
import { scheduleRepost, scheduleReposts } from './repost-scheduling.js';

let world: World;
let worker: Db;
let the: ReturnType<typeof schedulesOf>;

beforeAll(async () => {
  world = await createWorld();
  worker = createDatabase(world.database.workerUrl, { max: 4 });
  the = schedulesOf(world);
});

afterAll(async () => {
  await worker?.destroy();
  await world?.remove();
});

async function assignment() {
  const { supporter } = await the.addSupporter();
  return { ...(await the.publishedAssignment(supporter.id, 4)), supporterId: supporter.id };
}

async function ask(repost: Awaited<ReturnType<typeof assignment>>): Promise<boolean> {
  const now = await the.businessNow();
  return withOrg(worker, world.orgId, (trx) => scheduleRepost(trx, { orgId: world.orgId, now, ...repost }));
}

async function requested(scheduleId: string | undefined): Promise<number> {
  const rows = await world.db
    .selectFrom('soundcloud_events')
    .select('id')
    .where('entity_id', '=', scheduleId ?? '')
    .where('type', '=', 'schedule.requested')
    .execute();
  return rows.length;
}

describe('a schedule is asked for', () => {
  it('once, with time, price and account of the assignment', async () => {
    const repost = await assignment();
    expect([await ask(repost), await ask(repost)]).toEqual([true, false]);
    const row = await the.rowOf(repost.assignmentId);
    expect(row).toMatchObject({
      parent_type: 'submission',
      parent_id: repost.submissionId,
      status: 'pending',
      scheduled_at: new Date(repost.slotAt),
      credits_allocated: 2,
      ip_schedule_id: null,
    });
    expect(row?.member_account_id).not.toBeNull();
    expect(await requested(row?.id)).toBe(1);
    // Not again either when the first one has ended.
    await sql`update public.soundcloud_schedules set status = 'failed', closed_at = now() where id = ${row?.id}`.execute(
      world.db,
    );
    expect(await ask(repost)).toBe(false);
  });

  it('only while auto_schedule is on, and only for linked accounts', async () => {
    const off = await assignment();
    await world.db.updateTable('soundcloud_settings').set({ auto_schedule: false }).execute();
    expect(await ask(off)).toBe(false);
    await world.db.updateTable('soundcloud_settings').set({ auto_schedule: true }).execute();
    const invalid = await assignment();
    await sql`update public.soundcloud_member_accounts
      set connection_data = jsonb_set(connection_data, '{influence_planner,status}', '"INVALID"')
      where member_id = ${invalid.supporterId}`.execute(world.db);
    const stranger = await world.addMember();
    const unknown = { ...(await the.publishedAssignment(stranger.id, 4)), supporterId: stranger.id };
    expect([await ask(invalid), await ask(unknown), await ask(off)]).toEqual([false, false, true]);
  });

  it('for a private track only when it has a public link', async () => {
    const repost = await assignment();
    const set = (column: string, value: string) =>
      sql`update public.soundcloud_submissions set ${sql.ref(column)} = ${value} where id = ${repost.submissionId}`.execute(
        world.db,
      );
    await set('track_url', `${repost.trackUrl}/s-abc123`);
    expect(await ask(repost)).toBe(false);
    await set('live_link_url', repost.trackUrl);
    expect(await ask(repost)).toBe(true);
  });

  it('for a queue of 2,000 in one statement, and by two at once only once each', {
    timeout: 120_000,
  }, async () => {
    const { supporter } = await the.addSupporter();
    const first = await the.publishedAssignment(supporter.id, 4);
    const { rows } = await sql<{ id: string; slot_at: Date }>`
      with base as (select * from public.soundcloud_queue_assignments where id = ${first.assignmentId}),
      submissions as (
        insert into public.soundcloud_submissions (org_id, member_id, track_url, imported_at)
        select ${world.orgId}, ${supporter.id}, 'https://soundcloud.com/deep-current/many-' || n, now()
        from generate_series(1, 2000) n returning id
      )
      insert into public.soundcloud_queue_assignments
        (org_id, queue_id, submission_id, supporter_id, position, credits_allocated, slot_at)
      select base.org_id, base.queue_id, submissions.id, base.supporter_id, 1 + row_number() over (), 1, base.slot_at
      from base, submissions returning id, submission_id, slot_at`.execute(world.db);
    const submissions = await world.db
      .selectFrom('soundcloud_queue_assignments')
      .select(['id', 'submission_id'])
      .execute();
    const submissionOf = new Map(submissions.map(({ id, submission_id }) => [id, submission_id]));
    const reposts = rows.map(({ id, slot_at }) => ({
      assignmentId: id,
      submissionId: submissionOf.get(id) ?? '',
      supporterId: supporter.id,
      slotAt: slot_at.getTime(),
    }));
    const now = await the.businessNow();
    const publish = () =>
      withOrg(worker, world.orgId, (trx) => scheduleReposts(trx, { orgId: world.orgId, reposts, now }));
    const made = await Promise.all([publish(), publish()]);
    expect(made.sort()).toEqual([0, 2_000]);
    const { rows: counted } = await sql<{ schedules: number; events: number }>`
      select count(*)::integer as schedules, count(e.id)::integer as events
      from public.soundcloud_schedules s
      left join public.soundcloud_events e on e.entity_id = s.id and e.type = 'schedule.requested'
      where s.assignment_id = any (${reposts.map(({ assignmentId }) => assignmentId)}::uuid[])`.execute(
      world.db,
    );
    expect(counted).toEqual([{ schedules: 2_000, events: 2_000 }]);
  });
});

describe('at the moment it is sent', () => {
  const activities = (configured = true) =>
    createRepostScheduleActivities({ db: worker, influencePlanner: { configured } });
  const targetOf = ({ id, workflowId }: ScheduledRepost) => ({
    orgId: world.orgId,
    scheduleId: id,
    workflowId,
  });

  async function opened() {
    const repost = await the.schedule();
    await new MockActivityEnvironment().run(activities().openSchedule, {
      ...targetOf(repost),
      realNow: Date.now(),
    });
    return repost;
  }

  function prepare(repost: ScheduledRepost, { configured = true, stepId = 's1', attempt = '1' } = {}) {
    const environment = new MockActivityEnvironment({ activityId: attempt });
    const input = { ...targetOf(repost), stepId, date: repost.slotAt, now: repost.slotAt - 1 };
    return environment.run(activities(configured).prepareScheduleSend, input);
  }

  it('the intent is noted as sent before, and a second request is never allowed', async () => {
    const repost = await opened();
    const go = { go: true, request: expect.objectContaining({ targetUserId: repost.userId }) };
    expect(await prepare(repost)).toEqual(go);
    expect(await the.facts.intent(repost)).toMatchObject({ status: 'sent', attempts: 1 });
    // The same call, tried again, has not sent anything yet. Another one may not.
    expect(await prepare(repost)).toEqual(go);
    expect(await prepare(repost, { attempt: '2' })).toEqual({ go: false, why: 'sent_before' });
    expect(await prepare(repost, { stepId: 's2', attempt: '3' })).toEqual({ go: false, why: 'sent_before' });
    expect(await the.facts.intent(repost)).toMatchObject({ status: 'sent', attempts: 1 });
  });

  it('nothing leaves without credentials, without a link, or for an assignment that is over', async () => {
    const [bare, unlinked, over] = [await opened(), await opened(), await opened()];
    await sql`update public.soundcloud_member_accounts set connection_data = '{}'
      where member_id = ${unlinked.supporter.id}`.execute(world.db);
    await sql`update public.soundcloud_queue_assignments set status = 'completed' where id = ${over.assignmentId}`.execute(
      world.db,
    );
    expect(await prepare(bare, { configured: false })).toEqual({ go: false, why: 'not_configured' });
    expect(await prepare(unlinked)).toEqual({ go: false, why: 'account_not_linked' });
    expect(await prepare(over)).toEqual({ go: false, why: 'assignment_over' });
    for (const repost of [bare, unlinked, over])
      expect(await the.facts.intent(repost)).toMatchObject({ status: 'intended', attempts: 0 });
  });
});
