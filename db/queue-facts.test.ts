/** What the queue is made from, as the database gives it: which reposts start cool-downs, which take slots, in which days. */
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { atTimeOfDay, DAY_MS, HOUR_MS } from '../domain/calendar.js';
import { createTestDatabase, type TestDatabase } from '../test/support/database.js';
import { addApproved, addMembers, createQueueOrg } from '../test/support/queue-world.js';
import { createDatabase, type Db, withOrg } from './client.js';
import { loadQueueFacts, type QueueQuestion } from './queue-facts.js';
import { loadSettings } from './settings.js';

/** The org's zone is Berlin: 06:00. */
const NOW = Date.UTC(2026, 4, 11, 4);
const DATE = '2026-05-11';
const EARLIER = '2026-05-08';
const ZONE = 'Europe/Berlin';

let database: TestDatabase;
let owner: Db;
let worker: Db;
let orgs = 0;
let orgId: string;
let artist: string;
let supporter: string;
let other: string;
/** A track of the artist. */
let track: string;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = createDatabase(database.adminUrl, { max: 2 });
  worker = createDatabase(database.workerUrl, { max: 2 });
});

afterAll(async () => {
  await worker?.destroy();
  await owner?.destroy();
  await database?.drop();
});

beforeEach(async () => {
  orgs += 1;
  ({ orgId } = await createQueueOrg(owner, `Facts ${orgs}`));
  [artist = '', supporter = '', other = ''] = await addMembers(
    owner,
    orgId,
    ['artist', 'supporter', 'other'].map((name) => ({ handle: `${name}-${orgs}`, activeAt: NOW - DAY_MS })),
  );
  const plan = { memberId: artist, slug: 'track', artist: `artist-${orgs}`, supportDate: DATE };
  [track = ''] = await addApproved(owner, orgId, [plan]);
});

/** A track of before, which asks for nothing. */
async function submit(slug: string, memberId = artist): Promise<string> {
  const { rows } = await sql<{ id: string }>`
    insert into public.soundcloud_submissions (org_id, member_id, track_url, imported_at)
    values (${orgId}, ${memberId}, ${`https://soundcloud.com/artist-${orgs}/${slug}`}, ${new Date(NOW)})
    returning id`.execute(owner);
  return rows[0]?.id ?? '';
}

/** A repost of a queue of another date. @returns the queue's id */
async function assign(
  status: string,
  at: number,
  { submissionId = track, by = supporter, date = EARLIER } = {},
): Promise<string> {
  const { rows } = await sql<{ queue_id: string }>`
    with queue as (
      insert into public.soundcloud_queues (org_id, date, status) values (${orgId}, ${date}::date, 'published')
      on conflict (org_id, date) do update set status = 'published' returning id
    )
    insert into public.soundcloud_queue_assignments
      (org_id, queue_id, submission_id, supporter_id, status, slot_at, position)
    select ${orgId}, queue.id, ${submissionId}, ${by}, ${status}, ${new Date(at)},
      1 + (select count(*) from public.soundcloud_queue_assignments a where a.queue_id = queue.id)
    from queue returning queue_id`.execute(owner);
  return rows[0]?.queue_id ?? '';
}

async function load(change: Partial<QueueQuestion> = {}) {
  return withOrg(worker, orgId, async (trx) => {
    const settings = { ...(await loadSettings(trx, orgId)), timezone: ZONE };
    const question = { orgId, date: DATE, now: NOW, earliest: NOW, settings, queueId: null };
    return loadQueueFacts(trx, { ...question, ...change });
  });
}

const STATUSES = ['assigned', 'completed', 'skipped', 'failed'];

describe('cool-downs', () => {
  it('are started by reposts that stand, made or ahead, not by skipped and failed ones', async () => {
    for (const [n, status] of STATUSES.entries()) {
      const submissionId = await submit(status);
      await assign(status, NOW - (n + 1) * HOUR_MS, { submissionId });
    }
    await assign('assigned', NOW + DAY_MS);
    const url = (slug: string) => `https://soundcloud.com/artist-${orgs}/${slug}`;
    const by = { supporter_id: supporter, artist_id: artist };
    expect((await load()).input.history).toEqual([
      { ...by, track_url: url('assigned'), at: NOW - HOUR_MS },
      { ...by, track_url: url('completed'), at: NOW - 2 * HOUR_MS },
      { ...by, track_url: url('track'), at: NOW + DAY_MS },
    ]);
  });

  it('begin with the last repost that stands, whatever was skipped since', async () => {
    await assign('completed', NOW - 3 * DAY_MS);
    await assign('skipped', NOW - DAY_MS, { date: '2026-05-10' });
    expect((await load()).input.history).toMatchObject([{ at: NOW - 3 * DAY_MS }]);
  });

  it('of the queue itself and older than any of them are none', async () => {
    const queueId = await assign('assigned', NOW + HOUR_MS, { date: DATE });
    await assign('completed', NOW - 91 * DAY_MS, { by: other });
    expect((await load()).input.history).toHaveLength(1);
    const { input } = await load({ queueId });
    expect([input.history, input.taken]).toEqual([[], []]);
  });

  it('reach back as far as the longest of them', async () => {
    const { pacing } = await withOrg(worker, orgId, (trx) => loadSettings(trx, orgId));
    const { track_cooldown_days, artist_cooldown_days, pair_cooldown_days } = pacing;
    const oldest = NOW - Math.max(track_cooldown_days, artist_cooldown_days, pair_cooldown_days) * DAY_MS;
    await assign('completed', oldest);
    await assign('completed', oldest - 1, { by: other });
    expect((await load()).input.history).toMatchObject([{ supporter_id: supporter, at: oldest }]);
  });

  it('asked for one supporter are theirs, and those of the artist for them', async () => {
    const theirs = await submit('theirs', supporter);
    await assign('completed', NOW - DAY_MS);
    await assign('completed', NOW - DAY_MS, { by: other });
    await assign('completed', NOW - DAY_MS, { submissionId: theirs, by: artist });
    await assign('completed', NOW - DAY_MS, { submissionId: theirs, by: other });
    const others = await submit('others', other);
    await assign('completed', NOW - DAY_MS, { submissionId: others, by: artist });
    const pairs = (await load({ supporterIds: [supporter], submissionIds: [track] })).input.history.map(
      (repost) => [repost.supporter_id, repost.artist_id],
    );
    expect(pairs.sort()).toEqual(
      [
        [supporter, artist],
        [artist, supporter],
      ].sort(),
    );
  });
});

describe('slots', () => {
  it('are taken by reposts that stand, not by skipped and failed ones', async () => {
    for (const [n, status] of STATUSES.entries()) {
      const submissionId = await submit(status);
      await assign(status, NOW + n * HOUR_MS, { submissionId });
    }
    expect((await load()).input.taken).toEqual([
      { member_id: supporter, at: NOW },
      { member_id: supporter, at: NOW + HOUR_MS },
    ]);
  });

  it('are those of the date in the org’s zone, and of the rolling hours around it', async () => {
    const begins = atTimeOfDay(DATE, '00:00', ZONE);
    const ends = begins + DAY_MS;
    const { pacing } = await withOrg(worker, orgId, (trx) => loadSettings(trx, orgId));
    const around = pacing.rolling_hours * HOUR_MS;
    expect(around).toBeGreaterThanOrEqual(pacing.spacing_minutes * 60_000);
    const slots = [begins - around - 1, begins - around, ends + around - 1, ends + around];
    for (const [n, at] of slots.entries()) {
      const submissionId = await submit(`slot-${n}`);
      await assign('assigned', at, { submissionId });
    }
    expect((await load()).input.taken.map(({ at }) => at)).toEqual(slots.slice(1, 3));
  });
});

describe('slots of an account', () => {
  it('are read as far around the date as they must lie apart', async () => {
    const begins = atTimeOfDay(DATE, '00:00', ZONE);
    await assign('assigned', begins - 3 * HOUR_MS);
    await assign('assigned', begins - 3 * HOUR_MS - 1, { by: other });
    const settings = await withOrg(worker, orgId, (trx) => loadSettings(trx, orgId));
    const pacing = { ...settings.pacing, rolling_hours: 1, spacing_minutes: 180 };
    const { input } = await load({ settings: { ...settings, timezone: ZONE, pacing } });
    expect(input.taken).toEqual([{ member_id: supporter, at: begins - 3 * HOUR_MS }]);
  });
});

describe('a supporter', () => {
  it('is as reliable as the reposts of the reliability days say, and rests since the last of any kind, read further back', async () => {
    const days = 5 * DAY_MS;
    const given = [
      ['completed', -days],
      ['completed', -days - 1],
      ['failed', -days + 1],
      ['failed', -days - 1],
      ['skipped', -DAY_MS],
      ['completed', -2 * DAY_MS],
    ] as const;
    for (const [n, [status, ago]] of given.entries()) {
      const submissionId = await submit(`track-${n}`);
      await assign(status, NOW + ago, { submissionId });
    }
    const settings = await withOrg(worker, orgId, (trx) => loadSettings(trx, orgId));
    const pacing = { ...settings.pacing, reliability_days: 5, rest_days: 9 };
    const { input } = await load({ settings: { ...settings, timezone: ZONE, pacing } });
    expect(input.supporters.find(({ member_id }) => member_id === supporter)).toMatchObject({
      completed: 2,
      failed: 1,
      last_assignment_at: NOW - DAY_MS,
    });
  });
});

describe('demand', () => {
  const settle = (status: string) =>
    sql`update public.soundcloud_queue_assignments set status = ${status}, settled_at = ${new Date(NOW)}
      where org_id = ${orgId}`.execute(owner);
  const asked = async (change: Partial<QueueQuestion> = {}) =>
    (await load(change)).input.submissions.map(({ id, demand }) => [id, demand]);

  it('is of a first queue, then of what was skipped or failed and is settled', async () => {
    expect(await asked()).toEqual([[track, { kind: 'first' }]]);
    await assign('assigned', NOW);
    expect(await asked()).toEqual([]);
    await assign('failed', NOW, { by: other });
    expect(await asked()).toEqual([]);
    await settle('completed');
    expect(await asked()).toEqual([]);
    await settle('skipped');
    expect(await asked()).toEqual([[track, { kind: 'replacement', count: 2 }]]);
    await settle('failed');
    expect(await asked()).toEqual([[track, { kind: 'replacement', count: 2 }]]);
  });

  it('is met by a replacement in another queue, not by one in the queue that is made', async () => {
    await assign('failed', NOW);
    await settle('failed');
    const queueId = await assign('assigned', NOW, { by: other, date: DATE });
    await sql`update public.soundcloud_queue_assignments set replacement_for = (
        select id from public.soundcloud_queue_assignments where org_id = ${orgId} and status = 'failed')
      where queue_id = ${queueId}`.execute(owner);
    const { rows } = await sql<{ id: string }>`insert into public.soundcloud_queues (org_id, date)
      values (${orgId}, '2026-05-12') returning id`.execute(owner);
    expect(await asked({ queueId })).toEqual([[track, { kind: 'replacement', count: 1 }]]);
    expect(await asked({ queueId: rows[0]?.id ?? '' })).toEqual([]);
    expect(await asked()).toEqual([]);
  });

  it('asked for by id is of these submissions only', async () => {
    const plan = { memberId: other, slug: 'second', artist: `other-${orgs}`, supportDate: DATE };
    const [second = ''] = await addApproved(owner, orgId, [plan]);
    const idsOf = (found: Awaited<ReturnType<typeof asked>>) => found.map(([id]) => id).sort();
    expect(idsOf(await asked())).toEqual([track, second].sort());
    expect(idsOf(await asked({ submissionIds: [second] }))).toEqual([second]);
    await assign('assigned', NOW);
    expect(idsOf(await asked())).toEqual([second]);
    expect(await asked({ submissionIds: [track] })).toEqual([[track, { kind: 'first' }]]);
  });

  it.each([
    ['is due later', sql`support_date = ${'2026-05-12'}::date`],
    ['is closed', sql`closed_at = now()`],
    ['was withdrawn', sql`withdrawn_at = now()`],
    ['has had its support', sql`support_ended_at = now()`],
    ['was imported', sql`imported_at = now()`],
    ['is not approved', sql`status = 'rejected'`],
  ])('is none of what %s, also when it is asked for by id', async (_name, set) => {
    expect(await asked({ submissionIds: [track] })).toHaveLength(1);
    await sql`update public.soundcloud_submissions set ${set} where id = ${track}`.execute(owner);
    expect(await asked()).toEqual([]);
    expect(await asked({ submissionIds: [track] })).toEqual([]);
  });
});
