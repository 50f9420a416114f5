/** Published assignments of linked supporters with their schedules, and how those stand. */
import { sql } from 'kysely';
import { scheduleReposts } from '../../activities/repost-scheduling.js';
import { withOrg } from '../../db/client.js';
import { readClock } from '../../db/clock.js';
import { HOUR_MS, toBusiness } from '../../domain/calendar.js';
import type { Schedule } from '../../sandbox/influence-planner/schedules.js';
import { repostScheduleId, repostScheduleState } from '../../workflows/repost-schedule/contract.js';
import { eventually } from './review-facts.js';
import type { Member, World } from './world.js';

export interface ScheduledRepost {
  id: string;
  workflowId: string;
  assignmentId: string;
  submissionId: string;
  supporter: Member;
  /** What Influence Planner calls the supporter. */
  userId: string;
  trackUrl: string;
  /** Business ms. */
  slotAt: number;
}

export function schedulesOf(world: World) {
  const { db, orgId, client } = world;
  const { admin } = world.sandbox;

  async function businessNow(): Promise<number> {
    return toBusiness(await readClock(db), Date.now());
  }

  /** A supporter whom Influence Planner knows as LINKED, as the daily sweep writes it down. */
  async function addSupporter(): Promise<{ supporter: Member; userId: string }> {
    const supporter = await world.addMember();
    await admin.addUsers([{ handle: supporter.handle, name: supporter.handle, followers: 5_000 }]);
    const [member] = await admin.addMembers([{ handle: supporter.handle }]);
    if (member === undefined) throw new Error('the stand-in took no member');
    const link = { user_id: member.userId, membership_id: member.membershipId, status: 'LINKED' };
    await sql`update public.soundcloud_member_accounts
      set connection_data = jsonb_build_object('influence_planner', ${JSON.stringify(link)}::jsonb)
      where org_id = ${orgId} and member_id = ${supporter.id}`.execute(db);
    return { supporter, userId: member.userId };
  }

  /** A published assignment without a schedule. @param slotInHours business hours from now */
  async function publishedAssignment(supporterId: string, slotInHours: number) {
    const submission = await world.submit({ unstarted: true });
    const slotAt = (await businessNow()) + slotInHours * HOUR_MS;
    const { rows } = await sql<{ id: string }>`
      with queue as (
        -- A date of its own for each.
        insert into public.soundcloud_queues (org_id, date, status)
        select ${orgId}, date '2030-01-01' + count(*)::integer, 'published'
        from public.soundcloud_queues where org_id = ${orgId}
        returning id
      )
      insert into public.soundcloud_queue_assignments
        (org_id, queue_id, submission_id, supporter_id, position, credits_allocated, slot_at, fee_percent,
          unrepost_after_hours)
      select ${orgId}, queue.id, ${submission.id}, ${supporterId}, 1, 2, ${new Date(slotAt)}, settings.fee_percent,
        settings.unrepost_after_hours
      from queue join public.soundcloud_settings settings on settings.org_id = ${orgId}
      returning id`.execute(db);
    const id = rows[0]?.id;
    if (id === undefined) throw new Error('the assignment was not inserted');
    return { assignmentId: id, submissionId: submission.id, trackUrl: submission.trackUrl, slotAt };
  }

  function rowOf(assignmentId: string) {
    return db
      .selectFrom('soundcloud_schedules')
      .selectAll()
      .where('assignment_id', '=', assignmentId)
      .executeTakeFirst();
  }

  const handleOf = (repost: ScheduledRepost) => client.workflow.getHandle(repost.workflowId);

  const facts = {
    row: (repost: ScheduledRepost) =>
      db.selectFrom('soundcloud_schedules').selectAll().where('id', '=', repost.id).executeTakeFirstOrThrow(),

    intent: (repost: ScheduledRepost) =>
      db
        .selectFrom('soundcloud_provider_intents')
        .selectAll()
        .where('entity_id', '=', repost.id)
        .executeTakeFirstOrThrow(),

    stage: async (repost: ScheduledRepost) =>
      (
        await db
          .selectFrom('soundcloud_waits')
          .select('stage')
          .where('entity_id', '=', repost.id)
          .executeTakeFirst()
      )?.stage,

    state: async (repost: ScheduledRepost) => (await handleOf(repost).query(repostScheduleState)).state,

    tasks: (repost: ScheduledRepost) =>
      db
        .selectFrom('soundcloud_ops_tasks')
        .selectAll()
        .where('entity_id', '=', repost.id)
        .orderBy('created_at')
        .execute(),

    /** What the assignment is told. */
    reports: async (repost: ScheduledRepost) =>
      (
        await db
          .selectFrom('soundcloud_events')
          .select('data')
          .where('entity_id', '=', repost.id)
          .where('type', '=', 'schedule.reported')
          .execute()
      ).map(({ data }) => data as Record<string, unknown>),

    /** What Influence Planner really has of it. */
    atVendor: async (repost: ScheduledRepost): Promise<Schedule[]> =>
      (await admin.schedules()).filter(({ mediaUrl }) => mediaUrl === repost.trackUrl),

    /** Type and outcome of each webhook about it that was stored, as they came. */
    receipts: async (repost: ScheduledRepost) => {
      const { rows } = await sql<{ type: string; outcome: string | null }>`
        select type, outcome from public.soundcloud_webhook_receipts
        where payload -> 'data' ->> 'media_url' = ${repost.trackUrl} order by received_at`.execute(db);
      return rows.map(({ type, outcome }) => `${type} ${outcome}`);
    },
  };

  return {
    facts,
    handleOf,
    rowOf,
    businessNow,
    addSupporter,
    publishedAssignment,

    /** Publishes one assignment and asks for its schedule, in one transaction as publishing does. */
    async schedule(options: { slotInHours?: number } = {}): Promise<ScheduledRepost> {
      const { supporter, userId } = await addSupporter();
      const published = await publishedAssignment(supporter.id, options.slotInHours ?? 4);
      const now = await businessNow();
      await withOrg(db, orgId, async (trx) => {
        const reposts = [{ ...published, supporterId: supporter.id }];
        if ((await scheduleReposts(trx, { orgId, reposts, now })) !== 1)
          throw new Error('no schedule was made');
      });
      const id = (await rowOf(published.assignmentId))?.id ?? '';
      return { id, workflowId: repostScheduleId(orgId, id), supporter, userId, ...published };
    },

    /** Waits until it is in a stage, in the database and in its workflow. */
    inStage: (repost: ScheduledRepost, stage: string, limitMs?: number) =>
      eventually(
        `stage ${stage} of schedule ${repost.id}`,
        async () => {
          const stored = (await facts.stage(repost)) === stage;
          return stored && (await facts.state(repost))?.stage === stage;
        },
        limitMs,
      ),

    closed: (repost: ScheduledRepost, limitMs?: number) =>
      eventually(
        `the end of schedule ${repost.id}`,
        async () => (await facts.row(repost)).closed_at !== null,
        limitMs,
      ),
  };
}
