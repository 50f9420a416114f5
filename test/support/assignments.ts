/** Published queues with assignments, as publish leaves them behind: rows, holds and events. And how they stand. */
import { sql } from 'kysely';
import { withOrg } from '../../db/client.js';
import { readClock } from '../../db/clock.js';
import { postCredits } from '../../db/credits.js';
import { emitEvent } from '../../db/events.js';
import { keepTerms } from '../../db/queues.js';
import { loadSettings } from '../../db/settings.js';
import { currentTerms } from '../../domain/assignment-terms.js';
import { dateOf, HOUR_MS, toBusiness } from '../../domain/calendar.js';
import { assignmentState, assignmentWorkflowId } from '../../workflows/assignment/contract.js';
import { eventually } from './review-facts.js';
import type { Member, Submission, World } from './world.js';

export interface PublishedAssignment {
  id: string;
  queueId: string;
  workflowId: string;
  supporter: Member;
  artist: Member;
  submission: Submission;
  slotAt: number;
  price: number;
}

export interface PublishOptions {
  /** One assignment each; new members by default. */
  supporters?: Member[];
  count?: number;
  /** Hours from now until the slot of the first (default 0); the others have the same. */
  slotInHours?: number;
  price?: number;
  artist?: Member;
  submission?: Submission;
  /** True: the queue is one of the days to come, so a place that falls free is filled again (default: a past day). */
  refilled?: boolean;
  /** True marks the events as relayed: the test starts the workflows itself. */
  unstarted?: boolean;
}

export function assignmentsOf(world: World, now?: () => Promise<number>) {
  const { db, orgId, client } = world;
  const { admin } = world.sandbox;

  /** Business time. */
  async function businessNow(): Promise<number> {
    return now === undefined ? toBusiness(await readClock(db), Date.now()) : now();
  }

  /** A member with `credits` to spend, whose profile the stand-in knows. */
  async function addArtist(credits = 3): Promise<Member> {
    const artist = await world.addMember();
    await admin.addUsers([{ handle: artist.handle, name: artist.handle, followers: 5_000 }]);
    await giveCredits(artist, credits);
    return artist;
  }

  async function giveCredits(member: Member, credits: number): Promise<void> {
    const { balance } = await wallet(member);
    if (balance === credits) return;
    await db.transaction().execute((trx) =>
      postCredits(
        trx,
        orgId,
        [
          {
            kind: 'manual',
            member_id: member.id,
            amount: credits - balance,
            reason: 'fixture',
            key: member.id,
          },
        ],
        { at: new Date() },
      ),
    );
  }

  async function addSupporter(): Promise<Member> {
    const supporter = await world.addMember();
    await admin.addUsers([{ handle: supporter.handle, name: supporter.handle, followers: 5_000 }]);
    return supporter;
  }

  /** A submission that was approved and is served by a queue; its review is not what these tests are about. */
  async function approved(artist: Member): Promise<Submission> {
    const submission = await world.submit({ member: artist, unstarted: true });
    await sql`update public.soundcloud_submissions
      set status = 'approved', decided_at = private.business_now(), artist_name = 'Night Harbor', track_name = 'Low Tide',
        family = 'Electronic', subgenres = '{House}'
      where id = ${submission.id}`.execute(db);
    return submission;
  }

  /** A date that has no queue yet: after all that have one, or before them. */
  async function freeDate(today: string, after: boolean): Promise<string> {
    const { rows } = await sql<{ date: string }>`
      select (case when ${after} then greatest(max(date), ${today}::date) + 1
                   else least(min(date), ${today}::date) - 1 end)::text as date
      from public.soundcloud_queues where org_id = ${orgId}`.execute(db);
    return rows[0]?.date ?? today;
  }

  async function publish(options: PublishOptions = {}): Promise<PublishedAssignment[]> {
    const { count = 1, slotInHours = 0, price = 1 } = options;
    const at = await businessNow();
    const slotAt = at + slotInHours * HOUR_MS;
    const supporters = options.supporters ?? [];
    while (supporters.length < count) supporters.push(await addSupporter());
    const artist = options.submission?.member ?? options.artist ?? (await addArtist());
    const submission = options.submission ?? (await approved(artist));
    const date = await freeDate(dateOf(at, 'UTC'), options.refilled === true);
    await sql`update public.soundcloud_submissions set support_date = coalesce(support_date, ${date}::date)
      where id = ${submission.id}`.execute(db);
    const rows = await withOrg(db, orgId, async (trx) => {
      const queue = await trx
        .insertInto('soundcloud_queues')
        .values({
          org_id: orgId,
          date: sql<string>`${date}::date`,
          status: 'published',
          total_slots: supporters.length,
          filled_slots: supporters.length,
          published_at: new Date(at),
        })
        .returning('id')
        .executeTakeFirstOrThrow();
      const made = await trx
        .insertInto('soundcloud_queue_assignments')
        .values(
          supporters.map((supporter, position) => ({
            org_id: orgId,
            queue_id: queue.id,
            submission_id: submission.id,
            supporter_id: supporter.id,
            position: position + 1,
            credits_allocated: price,
            reach: 300,
            reach_factor: '0.060',
            slot_at: new Date(slotAt),
          })),
        )
        .returning(['id', 'supporter_id'])
        .execute();
      const settings = await loadSettings(trx, orgId);
      await keepTerms(
        trx,
        orgId,
        made.map(({ id }) => id),
        currentTerms(settings),
      );
      await postCredits(
        trx,
        orgId,
        made.map(({ id }) => ({ kind: 'hold', member_id: artist.id, assignment_id: id, amount: price })),
        { at: new Date(at) },
      );
      for (const { id, supporter_id } of made) {
        await emitEvent(trx, {
          orgId,
          type: 'assignment.published',
          entityType: 'assignment',
          entityId: id,
          data: {
            assignment_id: id,
            queue_id: queue.id,
            queue_date: date,
            submission_id: submission.id,
            supporter_id,
            slot_at: new Date(slotAt).toISOString(),
          },
          occurredAt: at,
          dedupeKey: `assignment.published:${id}`,
        });
      }
      if (options.unstarted)
        await sql`update public.soundcloud_events set relayed_at = now() where type = 'assignment.published'
          and entity_id = any (${made.map(({ id }) => id)}::uuid[])`.execute(trx);
      return { queueId: queue.id, made };
    });
    return rows.made.map(({ id, supporter_id }) => {
      const supporter = supporters.find((member) => member.id === supporter_id);
      if (supporter === undefined) throw new Error('an assignment of nobody');
      return {
        id,
        queueId: rows.queueId,
        workflowId: assignmentWorkflowId(orgId, id),
        supporter,
        artist,
        submission,
        slotAt,
        price,
      };
    });
  }

  async function publishOne(options: PublishOptions = {}): Promise<PublishedAssignment> {
    const [assignment] = await publish(options);
    if (assignment === undefined) throw new Error('nothing was published');
    return assignment;
  }

  function wallet(member: Member) {
    return db
      .selectFrom('soundcloud_repost_credit_wallet')
      .select(['balance', 'held', 'cap'])
      .where('member_id', '=', member.id)
      .executeTakeFirstOrThrow();
  }

  const handleOf = (assignment: PublishedAssignment) => client.workflow.getHandle(assignment.workflowId);

  const facts = {
    row: (assignment: PublishedAssignment) =>
      db
        .selectFrom('soundcloud_queue_assignments')
        .selectAll()
        .where('id', '=', assignment.id)
        .executeTakeFirstOrThrow(),

    wait: (assignment: PublishedAssignment) =>
      db.selectFrom('soundcloud_waits').selectAll().where('entity_id', '=', assignment.id).executeTakeFirst(),

    /** The whole state; null in the moment before the workflow has read its row. */
    state: async (assignment: PublishedAssignment) =>
      (await handleOf(assignment).query(assignmentState)).state,

    /** Types in the order they were written. */
    async events(assignment: PublishedAssignment): Promise<string[]> {
      const rows = await db
        .selectFrom('soundcloud_events')
        .select('type')
        .where('entity_id', '=', assignment.id)
        .orderBy('seq')
        .execute();
      return rows.map((row) => row.type);
    },

    /** Templates in the order they were written, with their status. */
    async mails(assignment: PublishedAssignment): Promise<string[]> {
      const rows = await db
        .selectFrom('soundcloud_email_logs')
        .select(['template_name', 'status'])
        .where('related_object_id', '=', assignment.id)
        .orderBy('created_at')
        .execute();
      return rows.map((row) => `${row.template_name} ${row.status}`);
    },

    /** `source verdict`, with `+` for a positive control, in the order they were looked at. */
    async evidence(assignment: PublishedAssignment): Promise<string[]> {
      const rows = await db
        .selectFrom('soundcloud_proof_checks')
        .select(['source', 'verdict', 'positive_control'])
        .where('assignment_id', '=', assignment.id)
        .orderBy('created_at')
        .execute();
      return rows.map((row) => `${row.source} ${row.verdict}${row.positive_control ? '+' : ''}`);
    },

    tasks: (assignment: PublishedAssignment) =>
      db
        .selectFrom('soundcloud_ops_tasks')
        .selectAll()
        .where('entity_id', '=', assignment.id)
        .orderBy('created_at')
        .execute(),

    wallet,
  };

  return {
    facts,
    handleOf,
    publish,
    publishOne,
    addSupporter,
    addArtist,
    businessNow,

    /** The supporter reposts the track, now or at a business instant. */
    repost: (assignment: PublishedAssignment, at?: number) =>
      admin.addRepost(assignment.supporter.handle, assignment.submission.trackUrl, at),

    unrepost: (assignment: PublishedAssignment) =>
      admin.removeRepost(assignment.supporter.handle, assignment.submission.trackUrl),

    /** Waits until the assignment is in a stage, in the database and in its workflow. */
    inStage: (assignment: PublishedAssignment, stage: string, limitMs?: number) =>
      eventually(
        `stage ${stage} of ${assignment.id}`,
        async () => {
          const stored = (await facts.wait(assignment))?.stage === stage;
          return stored && (await facts.state(assignment))?.stage === stage;
        },
        limitMs,
      ),

    /** Waits until the supporter was told. */
    opened: (assignment: PublishedAssignment, limitMs?: number) =>
      eventually(
        `the opening of ${assignment.id}`,
        async () => (await facts.mails(assignment))[0]?.endsWith(' sent'),
        limitMs,
      ),
  };
}
