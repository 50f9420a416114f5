/**
 * A queue of 2,000 assignments, from its draft to the last settled one, on servers of its own: nothing is too slow, no
 * history grows too long, and the credits add up. Days last 480 s, so the watch of 8 h lasts 160 s.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readClock } from '../../db/clock.js';
import { toBusiness } from '../../domain/calendar.js';
import {
  ASSIGNMENT_TYPE,
  assignmentSignals,
  assignmentUpdates,
  assignmentWorkflowId,
} from '../../workflows/assignment/contract.js';
import { dailyQueueState, dailyQueueUpdates } from '../../workflows/daily-queue/contract.js';
import { SUBMISSION_REVIEW_TYPE } from '../../workflows/submission-review/contract.js';
import { expectAssignmentInvariants } from '../chaos/support/assignment-invariants.js';
import {
  type OwnPostgres,
  type OwnTemporal,
  ownPostgres,
  ownTemporal,
} from '../chaos/support/own-servers.js';
import { startQueue } from '../support/daily-queues.js';
import { addApproved, addMembers, queueFacts } from '../support/queue-world.js';
import { eventually } from '../support/review-facts.js';
import { createWorld, type World } from '../support/world.js';

const DATE = '2027-03-02';
/** Each can pay for 20 reposts, the most that the target builder asks for. */
const SUBMISSIONS = 100;
const ASSIGNMENTS = 2_000;
/** Two a day each: more than are needed, so that somebody is free for a backfill. */
const SUPPORTERS = 1_050;
const SKIPPED = 4;
const FAILED = 2;
/** Signals under way at once. */
const AT_ONCE = 25;

let postgres: OwnPostgres;
let temporal: OwnTemporal;
let world: World;

beforeAll(async () => {
  [postgres, temporal] = await Promise.all([ownPostgres(), ownTemporal()]);
  world = await createWorld({
    daySeconds: 480,
    businessStart: Date.parse(`${DATE}T10:00:00Z`),
    servers: { database: postgres.database, temporalAddress: temporal.address },
  });
  // Nobody waits for slots in the evening, and a machine that is busy has time for the backfills.
  await sql`update public.soundcloud_settings set watch_hours = 8, auto_schedule = false,
    queue_hours = '{"window_end": "18:00", "backfill_min_hours": 1}' where org_id = ${world.orgId}`.execute(
    world.db,
  );
  await addNetwork();
  await world.startWorker();
}, 180_000);

afterAll(async () => {
  await world?.remove();
  await Promise.all([temporal?.remove(), postgres?.remove()]);
});

async function addNetwork(): Promise<void> {
  const { db, orgId, sandbox } = world;
  const activeAt = await businessNow();
  const artists = names('artist', SUBMISSIONS);
  const supporters = names('supporter', SUPPORTERS);
  await sandbox.admin.addUsers(
    [...artists, ...supporters].map((handle) => ({ handle, name: handle, followers: 10_000 })),
  );
  const tracks = await sandbox.admin.addTracks(
    artists.map((handle) => ({ handle, title: 'Low Tide', slug: 'low-tide', genre: 'House', tags: [] })),
  );
  const memberIds = await addMembers(db, orgId, [
    ...artists.map((handle) => ({ handle, balance: 20, activeAt })),
    ...supporters.map((handle) => ({ handle, balance: 0, activeAt })),
  ]);
  await addApproved(
    db,
    orgId,
    artists.map((artist, n) => ({
      memberId: memberIds[n] ?? '',
      artist,
      slug: 'low-tide',
      supportDate: DATE,
      ...(tracks[n] && { trackUrn: tracks[n].urn }),
    })),
  );
}

const names = (kind: string, count: number) => Array.from({ length: count }, (_, n) => `${kind}-${n + 1}`);
const businessNow = async () => toBusiness(await readClock(world.db), Date.now());
const handleOf = (assignmentId: string) =>
  world.client.workflow.getHandle(assignmentWorkflowId(world.orgId, assignmentId));

interface OpenAssignment {
  id: string;
  handle: string;
  track_url: string;
  member_id: string;
}

/** Assignments whose slot has come, which nobody has reposted yet. */
async function due(done: ReadonlySet<string>): Promise<OpenAssignment[]> {
  const { rows } = await sql<OpenAssignment>`
    select a.id, m.soundcloud_handle as handle, s.track_url, m.id as member_id
    from public.soundcloud_queue_assignments a
    join public.soundcloud_submissions s on s.id = a.submission_id
    join public.soundcloud_members m on m.id = a.supporter_id
    join public.soundcloud_waits w on w.entity_id = a.id
    where a.org_id = ${world.orgId} and a.status = 'assigned' and a.slot_at <= private.business_now()`.execute(
    world.db,
  );
  return rows.filter(({ id }) => !done.has(id));
}

/** They repost, and hand in where. */
async function repost(assignments: readonly OpenAssignment[]): Promise<void> {
  await world.sandbox.admin.addReposts(
    assignments.map(({ handle, track_url }) => ({ handle, trackUrl: track_url })),
  );
  for (let at = 0; at < assignments.length; at += AT_ONCE) {
    await Promise.all(
      assignments.slice(at, at + AT_ONCE).map(({ id, track_url, member_id }) =>
        handleOf(id).signal(assignmentSignals.submitProof, {
          by: member_id,
          url: track_url,
          commandId: `proof:${id}`,
        }),
      ),
    );
  }
}

it('publishes and settles, and its history stays short', { timeout: 720_000 }, async () => {
  const { db, orgId, adminId, client } = world;
  const facts = queueFacts(db, orgId);
  const queue = await startQueue(world, { orgId, date: DATE });
  await eventually(
    'the draft',
    async () => (await queue.query(dailyQueueState).catch(() => null))?.state?.stage === 'approval',
    120_000,
  );
  await queue.executeUpdate(dailyQueueUpdates.approve, { args: [{ by: adminId }] });
  await eventually(
    'the publication',
    async () => (await queue.query(dailyQueueState)).state?.stage === 'settling',
    120_000,
  );
  const published = await facts.assignments(DATE);
  expect(published).toHaveLength(ASSIGNMENTS);
  expect(await facts.heldCredits()).toBe(ASSIGNMENTS);

  // A few of the first drop out; others take their places.
  const givenUp = published.slice(0, SKIPPED + FAILED).map(({ id }) => id);
  for (const [n, id] of givenUp.entries()) {
    await eventually(
      'its workflow',
      async () =>
        (await handleOf(id)
          .describe()
          .catch(() => null)) !== null,
      120_000,
    );
    if (n < SKIPPED) {
      await handleOf(id).executeUpdate(assignmentUpdates.skip, {
        args: [{ by: adminId, reason: 'on holiday' }],
      });
    } else {
      await handleOf(id).executeUpdate(assignmentUpdates.overrideOutcome, {
        args: [{ by: adminId, outcome: 'failed', reason: 'the profile is gone' }],
      });
    }
  }

  const reposted = new Set<string>();
  await eventually(
    'the last repost',
    async () => {
      const now = await due(reposted);
      if (now.length > 0) await repost(now);
      for (const { id } of now) reposted.add(id);
      // Looking all the time would take from the queue what it needs of the machine.
      await pause(1_000);
      return reposted.size === ASSIGNMENTS;
    },
    480_000,
  );
  await eventually('the last capture', async () => (await facts.queue(DATE))?.closed_at != null, 480_000);
  await queue.result();

  const { historyLength } = await queue.describe();
  expect(historyLength).toBeLessThan(500);
  const dropped = SKIPPED + FAILED;
  expect(await facts.queue(DATE)).toMatchObject({
    status: 'published',
    totals: { assignments: ASSIGNMENTS + dropped, completed: ASSIGNMENTS, captured: ASSIGNMENTS },
  });
  await expectAllEnded(ASSIGNMENT_TYPE, ASSIGNMENTS + dropped);
  await expectAllEnded(SUBMISSION_REVIEW_TYPE, SUBMISSIONS);
  await expectAssignmentInvariants(world);
  expect(await standing()).toEqual({
    unsettled: 0,
    openHolds: 0,
    captured: ASSIGNMENTS,
    priceOfCompleted: ASSIGNMENTS,
    released: dropped,
    replaced: dropped,
    closedTooEarly: 0,
  });
  expect(await facts.events()).toMatchObject({
    'queue.published': 1,
    'assignment.published': ASSIGNMENTS + dropped,
    'queue.settled': 1,
  });

  async function expectAllEnded(type: string, count: number): Promise<void> {
    const all = `WorkflowType = '${type}'`;
    await eventually(
      `the end of ${count} workflows of ${type}`,
      async () => (await client.workflow.count(`${all} AND ExecutionStatus = 'Completed'`)).count === count,
      120_000,
    );
    expect((await client.workflow.count(all)).count).toBe(count);
  }
});

async function standing() {
  const { orgId, db } = world;
  const { rows } = await sql`
    select
      (select count(*)::int from public.soundcloud_queue_assignments a
        where a.org_id = ${orgId} and (a.settled_at is null or a.closed_at is null)) as unsettled,
      (select count(*)::int from public.soundcloud_credit_holds h
        where h.org_id = ${orgId} and h.status = 'open') as "openHolds",
      (select coalesce(sum(h.amount), 0)::int from public.soundcloud_credit_holds h
        where h.org_id = ${orgId} and h.status = 'captured') as captured,
      (select coalesce(sum(a.credits_allocated), 0)::int from public.soundcloud_queue_assignments a
        where a.org_id = ${orgId} and a.status = 'completed') as "priceOfCompleted",
      (select count(*)::int from public.soundcloud_credit_holds h
        where h.org_id = ${orgId} and h.status = 'released') as released,
      (select count(*)::int from public.soundcloud_queue_assignments a
        where a.org_id = ${orgId} and a.replacement_for is not null) as replaced,
      (select count(*)::int from public.soundcloud_submissions s
        join public.soundcloud_queue_assignments a on a.org_id = s.org_id and a.submission_id = s.id
        where s.org_id = ${orgId} and s.closed_at is not null and a.settled_at is null) as "closedTooEarly"`.execute(
    db,
  );
  return rows[0];
}
