/** Attribution against the time-skipping server: weeks of snapshots in seconds. */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addDays, DAY_MS, dateOf, HOUR_MS, startOfDate } from '../../domain/calendar.js';
import { lifecycleOf } from '../../outbox/lifecycles.js';
import { queuesOf } from '../../test/support/queues.js';
import { eventually, reviewFacts } from '../../test/support/review-facts.js';
import { startTimeSkipping } from '../../test/support/time-skipping.js';
import { createWorld, type Member, type Submission, type World } from '../../test/support/world.js';
import { submissionUpdates } from '../submission-review/contract.js';
import { type AttributionParent, attributionId } from './contract.js';

let env: TestWorkflowEnvironment;
let world: World;
let facts: ReturnType<typeof reviewFacts>;
let queues: ReturnType<typeof queuesOf>;
let supporter: Member;

beforeAll(async () => {
  env = await startTimeSkipping();
  world = await createWorld({ temporalAddress: env.address, now: () => env.currentTimeMs() });
  facts = reviewFacts(world);
  queues = queuesOf(world);
  supporter = await world.addMember();
  await world.startWorker();
});

afterAll(async () => {
  await world?.remove();
  await env?.teardown();
});

const now = () => env.currentTimeMs();
const today = async () => dateOf(await now(), 'UTC');
const admin = new Proxy({} as World['sandbox']['admin'], {
  get: (_, name) => Reflect.get(world.sandbox.admin, name),
});

/** Workflow time at a time of day; a test begins at noon, so that it knows on which side of midnight it is. */
async function noon(): Promise<void> {
  const at = await now();
  const next = startOfDate(addDays(dateOf(at, 'UTC'), 1), 'UTC') + 12 * HOUR_MS;
  await env.sleep(next - at);
}

const handleOf = (id: string, type: AttributionParent = 'submission') =>
  world.client.workflow.getHandle(attributionId(world.orgId, type, id));

const row = (id: string) =>
  world.db.selectFrom('soundcloud_attributions').selectAll().where('parent_id', '=', id).executeTakeFirst();

const gaps = async (id: string) => ((await row(id))?.gaps ?? []) as unknown as object[];

const snapshots = (id: string) =>
  world.db
    .selectFrom('soundcloud_attribution_snapshots')
    .selectAll()
    .where('parent_id', '=', id)
    .orderBy('day_index')
    .execute();

const days = async (id: string) => (await snapshots(id)).map((snapshot) => snapshot.day_index);

/** An approved submission with one published assignment; its attribution has its baseline. */
async function published(options: { slotInMs?: number } = {}) {
  const submission = await world.submit();
  await eventually('the track', async () => (await facts.row(submission)).track_urn !== null);
  await world.client.workflow.getHandle(submission.workflowId).executeUpdate(submissionUpdates.decide, {
    args: [{ by: world.adminId, action: 'approve' }],
  });
  const at = await now();
  const [assignment] = await queues.publish({
    date: await today(),
    submission,
    supporters: [supporter],
    slotAt: at + (options.slotInMs ?? HOUR_MS),
    at,
  });
  if (assignment === undefined) throw new Error('an assignment');
  return { submission, assignment };
}

const baseline = (submission: Submission) =>
  eventually('the baseline', async () => (await days(submission.id)).includes(0));

describe('the numbers of submissions', () => {
  it('are read at once and each midnight, in one request for all, until seven days after the last repost', async () => {
    await noon();
    const one = await published();
    await baseline(one.submission);
    const two = await published({ slotInMs: -HOUR_MS });
    await baseline(two.submission);
    expect((await snapshots(one.submission.id))[0]).toMatchObject({
      day_index: 0,
      snapshot_date: await today(),
      plays: expect.any(Number),
      followers: 5_000,
      collection_source: 'soundcloud',
      metadata: { hidden: false, kind: 'track', access: 'playable' },
    });
    // Its first slot was over already: such a baseline says so.
    expect((await snapshots(two.submission.id))[0]?.metadata).toMatchObject({ after_first_slot: true });

    const asked = (await admin.requests('soundcloud', '/tracks')).length;
    await env.sleep('13 hours');
    for (const { submission } of [one, two])
      await eventually('day 1', async () => (await days(submission.id)).includes(1));
    expect((await admin.requests('soundcloud', '/tracks')).length - asked).toBe(1);
    expect(
      await world.db
        .selectFrom('soundcloud_waits')
        .select(['stage', 'waiting_on', 'due_at'])
        .where('workflow_id', '=', handleOf(one.submission.id).workflowId)
        .executeTakeFirst(),
    ).toEqual({
      stage: 'tracking',
      waiting_on: 'time',
      due_at: new Date(startOfDate(addDays(await today(), 1), 'UTC')),
    });

    await queues.settle(one.assignment, 'completed', await now());
    await world.client.workflow.getHandle(one.submission.workflowId).result();
    await env.sleep('8 days');
    await handleOf(one.submission.id).result();
    // The repost was on day 1: days 0 … 8.
    expect(await days(one.submission.id)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(await row(one.submission.id)).toMatchObject({ gaps: [], closed_at: expect.any(Date) });
    // The other one's assignment is open, so it goes on.
    expect(await row(two.submission.id)).toMatchObject({ last_date: null, closed_at: null });
    const events = await world.db
      .selectFrom('soundcloud_events')
      .select('data')
      .where('type', '=', 'snapshot.captured')
      .execute();
    const told = events.filter(
      (event) => (event.data as { parent_id?: string }).parent_id === one.submission.id,
    );
    expect(told).toHaveLength(9);
    await queues.settle(two.assignment, 'skipped', await now());
  });

  it('stay hidden where the artist hides them, and null', async () => {
    await noon();
    const member = await world.addMember();
    await admin.addUsers([{ handle: member.handle, name: member.handle, followers: 7 }]);
    const [track] = await admin.addTracks([
      { handle: member.handle, title: 'Hidden', genre: 'House', tags: [], revealStats: false },
    ]);
    const submission = await world.submit({ member, trackUrl: track?.url ?? '' });
    await eventually('the track', async () => (await facts.row(submission)).track_urn !== null);
    const at = await now();
    await queues.publish({ date: await today(), submission, supporters: [supporter], slotAt: at, at });
    await baseline(submission);
    expect((await snapshots(submission.id))[0]).toMatchObject({
      plays: null,
      likes: null,
      reposts: null,
      comments: null,
      followers: 7,
      metadata: { hidden: true },
    });
  });
});

describe('a day without numbers', () => {
  it('is tried through the day, then given up; two in a row are told once; nothing is invented', async () => {
    await noon();
    const { submission } = await published();
    await baseline(submission);
    await admin.addFault('soundcloud', { kind: 'status', status: 503 });
    const asked = (await admin.requests('soundcloud', '/tracks')).length;
    await env.sleep('36 hours');
    await eventually('the first gap', async () => (await gaps(submission.id)).length === 1);
    expect((await admin.requests('soundcloud', '/tracks')).length - asked).toBeGreaterThan(5);
    expect(
      await world.db
        .selectFrom('soundcloud_waits')
        .select('waiting_on')
        .where('workflow_id', '=', handleOf(submission.id).workflowId)
        .executeTakeFirst(),
    ).toEqual({ waiting_on: 'provider' });
    await env.sleep('24 hours');
    await eventually('the second gap', async () => (await gaps(submission.id)).length === 2);
    await admin.clearFaults('soundcloud');
    await env.sleep('3 hours');
    await eventually('day 3', async () => (await days(submission.id)).includes(3));
    expect(await days(submission.id)).toEqual([0, 3]);
    const start = (await snapshots(submission.id))[0]?.snapshot_date;
    expect(await gaps(submission.id)).toEqual(
      [1, 2].map((day) => ({ date: addDays(String(start), day), reason: 'provider_unavailable' })),
    );
    const told = await world.db
      .selectFrom('soundcloud_notifications')
      .select('user_id')
      .where('title', '=', 'Attribution has gaps')
      .execute();
    expect(told.map((notification) => notification.user_id).sort()).toEqual(
      [world.adminId, world.moderatorId].sort(),
    );
  });
});

describe('a campaign', () => {
  /** One whose track the stand-in knows, and its attribution as the relay starts it. @returns id of the first run too. */
  async function tracked(title: string, days: { start: string; end: string }) {
    const member = await world.addMember();
    await admin.addUsers([{ handle: member.handle, name: member.handle, followers: 9 }]);
    const [track] = await admin.addTracks([{ handle: member.handle, title, genre: 'House', tags: [] }]);
    const { id } = await world.db
      .insertInto('soundcloud_campaigns')
      .values({
        org_id: world.orgId,
        artist_name: 'Night Ferry',
        track_name: title,
        track_url: track?.url ?? '',
        start_date: days.start,
        end_date: days.start,
        attribution_end_date: days.end,
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    const lifecycle = lifecycleOf({
      entityType: 'attribution',
      orgId: world.orgId,
      entityId: id,
      entityKey: 'campaign',
    });
    if (lifecycle === undefined) throw new Error('attribution has no lifecycle');
    const { firstExecutionRunId } = await world.client.workflow.start(lifecycle.workflowType, {
      ...lifecycle,
      taskQueue: world.config.SPARK_TASK_QUEUE,
    });
    return { id, trackUrn: track?.urn, firstExecutionRunId };
  }

  it('that lasts longer than a month goes on in a new run, which knows why a day has no numbers', {
    timeout: 180_000,
  }, async () => {
    await noon();
    // So late that its month is over after the last try of a day, and before the day is given up.
    await env.sleep('710 minutes');
    const start = await today();
    const { id, firstExecutionRunId } = await tracked('Long', { start, end: addDays(start, 33) });
    await eventually('the first day', async () => (await days(id)).length === 1);
    await env.sleep('29 days');
    await eventually('day 29', async () => (await days(id)).includes(29));
    const runId = async () => (await handleOf(id, 'campaign').describe()).runId;
    expect(await runId()).toBe(firstExecutionRunId);

    // The run's month is over at the end of a day without numbers: the next one must say why.
    await admin.addFault('soundcloud', { kind: 'status', status: 503 });
    await env.sleep('25 hours');
    await eventually('the gap', async () => (await gaps(id)).length > 0);
    await admin.clearFaults('soundcloud');
    expect(await gaps(id)).toEqual([{ date: addDays(start, 30), reason: 'provider_unavailable' }]);
    expect(await runId()).not.toBe(firstExecutionRunId);

    await env.sleep('4 days');
    await handleOf(id, 'campaign').result();
    const all = Array.from({ length: 34 }, (_, day) => day);
    expect(await days(id)).toEqual(all.filter((day) => day !== 30));
    expect(await row(id)).toMatchObject({ closed_at: expect.any(Date), last_date: addDays(start, 33) });
    const told = await world.db
      .selectFrom('soundcloud_events')
      .select('data')
      .where('type', '=', 'snapshot.captured')
      .execute();
    expect(told.filter(({ data }) => (data as { parent_id?: string }).parent_id === id)).toHaveLength(33);
  });

  it('has days before its start for the trend; a moved start renumbers them', async () => {
    await noon();
    const start = addDays(await today(), 2);
    const { id, trackUrn } = await tracked('Paid', { start, end: addDays(start, 2) });
    await eventually('the first day', async () => (await days(id)).length === 1);
    expect(await days(id)).toEqual([-2]);
    await world.db
      .updateTable('soundcloud_campaigns')
      .set({ start_date: addDays(start, -1), attribution_end_date: addDays(start, 1) })
      .where('id', '=', id)
      .execute();
    await env.sleep(2 * DAY_MS + 14 * HOUR_MS);
    await handleOf(id, 'campaign').result();
    expect(await days(id)).toEqual([-1, 0, 1, 2]);
    expect(await row(id)).toMatchObject({ start_date: addDays(start, -1), track_urn: trackUrn });
  });
});
