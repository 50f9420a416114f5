/** The facts behind a proposal, as the database gives them: history, cool-downs, avoid lists, genres, slots of a date. */
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DAY_MS, HOUR_MS } from '../domain/calendar.js';
import type { TargetCandidate } from '../domain/targeting-types.js';
import { createTestDatabase, type TestDatabase } from '../test/support/database.js';
import { createDatabase, type Db, withOrg } from './client.js';
import { loadSubmission } from './submissions.js';
import { draftedQueueDates, loadCandidates, loadTargetTrack, spendableBalance } from './targeting.js';

const NOW = Date.UTC(2026, 4, 10, 12);
const TRACK = 'https://soundcloud.com/artist/one';

let database: TestDatabase;
let owner: Db;
let worker: Db;
let orgId: string;
let artist: string;
let supporter: string;
let queues = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = createDatabase(database.adminUrl);
  worker = createDatabase(database.workerUrl);
});

afterAll(async () => {
  await worker?.destroy();
  await owner?.destroy();
  await database?.drop();
});

beforeEach(async () => {
  queues += 1;
  const { rows } = await sql<{ org_id: string }>`
    select org_id from private.create_org(${`Targets ${queues}`}, 'a@ops.test')`.execute(owner);
  orgId = rows[0]?.org_id ?? '';
  artist = await addMember('artist', 4_000);
  supporter = await addMember('Supporter', 10_000);
});

async function addMember(handle: string, followers: number): Promise<string> {
  const member = await owner
    .insertInto('soundcloud_members')
    .values({ org_id: orgId, name: handle, soundcloud_followers: followers })
    .returning('id')
    .executeTakeFirstOrThrow();
  await owner
    .insertInto('soundcloud_member_accounts')
    .values({
      org_id: orgId,
      member_id: member.id,
      platform: 'soundcloud',
      handle,
      follower_count: followers,
    })
    .execute();
  return member.id;
}

async function submit(memberId: string, trackUrl: string): Promise<string> {
  const row = await owner
    .insertInto('soundcloud_submissions')
    // History needs no credit; the guard lets the owner import it.
    .values({ org_id: orgId, member_id: memberId, track_url: trackUrl, imported_at: new Date(NOW) })
    .returning('id')
    .executeTakeFirstOrThrow();
  return row.id;
}

async function assign(
  submissionId: string,
  supporterId: string,
  status: string,
  at: number,
  queueStatus: 'draft' | 'published' = 'published',
): Promise<void> {
  const date = new Date(at).toISOString().slice(0, 10);
  const queue = await owner
    .insertInto('soundcloud_queues')
    .values({ org_id: orgId, date, status: queueStatus })
    .onConflict((conflict) => conflict.columns(['org_id', 'date']).doUpdateSet({ status: queueStatus }))
    .returning('id')
    .executeTakeFirstOrThrow();
  const { count } = await owner
    .selectFrom('soundcloud_queue_assignments')
    .select((select) => select.fn.countAll<number>().as('count'))
    .where('queue_id', '=', queue.id)
    .executeTakeFirstOrThrow();
  await owner
    .insertInto('soundcloud_queue_assignments')
    .values({
      org_id: orgId,
      queue_id: queue.id,
      submission_id: submissionId,
      supporter_id: supporterId,
      position: Number(count) + 1,
      status,
      slot_at: new Date(at),
    })
    .execute();
}

async function candidate(
  memberId: string,
  supportDate = '2026-05-11',
  submissionId: string | null = null,
): Promise<TargetCandidate> {
  const all = await withOrg(worker, orgId, (trx) =>
    loadCandidates(trx, {
      orgId,
      trackUrl: TRACK,
      artistHandles: ['artist'],
      memberId: artist,
      submissionId,
      now: NOW,
      supportDate,
      timezone: 'UTC',
      reliabilityDays: 90,
      historyDays: 90,
    }),
  );
  const found = all.filter((row) => row.member_id === memberId);
  expect(found).toHaveLength(1);
  return found[0] as TargetCandidate;
}

describe('a candidate', () => {
  it('without history has followers, tier, cap and account, and no cool-down', async () => {
    expect(await candidate(supporter)).toMatchObject({
      handle: 'Supporter',
      followers: 10_000,
      tier: 'T3',
      credits_cap: 20,
      status: 'active',
      account_status: 'linked',
      genres: [],
      avoided_handles: [],
      last_same_track_at: null,
      last_same_artist_at: null,
      last_pair_at: null,
      assignments_on_date: 0,
      completed: 0,
      failed: 0,
      last_assignment_at: null,
    });
  });

  it('remembers the track, the artist and the pair of a repost that stands', async () => {
    const at = NOW - 3 * DAY_MS;
    await assign(await submit(artist, TRACK), supporter, 'completed', at);
    expect(await candidate(supporter)).toMatchObject({
      last_same_track_at: at,
      last_same_artist_at: at,
      last_pair_at: at,
      last_assignment_at: at,
      completed: 1,
    });
  });

  it('of a skipped or failed repost remembers only that there was one', async () => {
    const at = NOW - 3 * DAY_MS;
    const submission = await submit(artist, TRACK);
    await assign(submission, supporter, 'skipped', at);
    await assign(submission, supporter, 'failed', at - DAY_MS);
    expect(await candidate(supporter)).toMatchObject({
      last_same_track_at: null,
      last_pair_at: null,
      last_assignment_at: at,
      completed: 0,
      failed: 1,
    });
  });

  it('knows the artist by another track and by the handle in the URL', async () => {
    const at = NOW - 2 * DAY_MS;
    const other = await addMember('somebody', 100);
    await assign(await submit(other, 'https://soundcloud.com/artist/two'), supporter, 'assigned', at);
    expect(await candidate(supporter)).toMatchObject({
      last_same_track_at: null,
      last_same_artist_at: at,
      last_pair_at: null,
    });
  });

  it('knows the pair in the other direction', async () => {
    const at = NOW - 2 * DAY_MS;
    await assign(await submit(supporter, 'https://soundcloud.com/supporter/x'), artist, 'completed', at);
    expect(await candidate(supporter)).toMatchObject({ last_same_artist_at: null, last_pair_at: at });
  });

  it('counts the slots of the support date, and reliability only within its days', async () => {
    const other = await addMember('somebody', 100);
    const submission = await submit(other, 'https://soundcloud.com/somebody/y');
    await assign(submission, supporter, 'assigned', Date.UTC(2026, 4, 11, 13));
    await assign(
      await submit(other, 'https://soundcloud.com/somebody/z'),
      supporter,
      'failed',
      NOW - 91 * DAY_MS,
    );
    expect(await candidate(supporter)).toMatchObject({ assignments_on_date: 1, failed: 0 });
    expect((await candidate(supporter, '2026-05-12')).assignments_on_date).toBe(0);
  });

  it('of a draft is not bound by it for the very submission, for others as by any assignment', async () => {
    const at = NOW + HOUR_MS;
    const mine = await submit(artist, TRACK);
    const other = await submit(artist, 'https://soundcloud.com/artist/two');
    await assign(mine, supporter, 'assigned', at, 'draft');
    expect(await candidate(supporter, '2026-05-11', mine)).toMatchObject({
      last_same_track_at: null,
      last_same_artist_at: null,
      last_pair_at: null,
      last_assignment_at: null,
    });
    expect(await candidate(supporter, '2026-05-11', other)).toMatchObject({ last_pair_at: at });
    await assign(other, supporter, 'assigned', at + 2 * HOUR_MS, 'published');
    expect(await candidate(supporter, '2026-05-11', mine)).toMatchObject({ last_same_track_at: at });
  });

  it('brings campaign reposts along', async () => {
    const account = await owner
      .selectFrom('soundcloud_member_accounts')
      .select('id')
      .where('member_id', '=', supporter)
      .executeTakeFirstOrThrow();
    const campaign = await owner
      .insertInto('soundcloud_campaigns')
      .values({ org_id: orgId, artist_name: 'Artist', track_name: 'One', track_url: TRACK })
      .returning('id')
      .executeTakeFirstOrThrow();
    const at = NOW + DAY_MS;
    await owner
      .insertInto('soundcloud_schedules')
      .values({
        org_id: orgId,
        parent_type: 'campaign',
        parent_id: campaign.id,
        target_handle: 'Supporter',
        member_account_id: account.id,
        scheduled_at: new Date(at),
      })
      .execute();
    expect(await candidate(supporter)).toMatchObject({ last_same_track_at: at, assignments_on_date: 1 });
  });

  it('of another org is none', async () => {
    const mine = orgId;
    const { rows } = await sql<{
      org_id: string;
    }>`select org_id from private.create_org('Elsewhere', 'b@ops.test')`.execute(owner);
    orgId = rows[0]?.org_id ?? '';
    const stranger = await addMember('stranger', 10);
    orgId = mine;
    const all = await withOrg(worker, orgId, (trx) =>
      loadCandidates(trx, {
        orgId,
        trackUrl: TRACK,
        artistHandles: [],
        memberId: null,
        submissionId: null,
        now: NOW,
        supportDate: '2026-05-11',
        timezone: 'UTC',
        reliabilityDays: 90,
        historyDays: 90,
      }),
    );
    expect(all.map((row) => row.member_id).sort()).toEqual([artist, supporter].sort());
    expect(all.map((row) => row.member_id)).not.toContain(stranger);
  });
});

it('a track knows the handles of its artist and whom the member avoids', async () => {
  const id = await submit(artist, 'https://soundcloud.com/alias/one');
  await owner
    .insertInto('soundcloud_avoid_list_items')
    .values({ org_id: orgId, member_id: artist, avoided_handle: 'rival' })
    .execute();
  const track = await withOrg(worker, orgId, async (trx) => {
    const submission = await loadSubmission(trx, orgId, id);
    if (submission === undefined) throw new Error('no submission');
    return loadTargetTrack(trx, orgId, submission);
  });
  expect(track.handles.sort()).toEqual(['alias', 'artist']);
  expect(track.avoided_handles).toEqual(['rival']);
});

it('dates with a queue, and what a member can spend, are the org’s own', async () => {
  await owner.insertInto('soundcloud_queues').values({ org_id: orgId, date: '2026-05-11' }).execute();
  await withOrg(worker, orgId, async (trx) => {
    expect(await draftedQueueDates(trx, orgId, '2026-05-10')).toEqual(new Set(['2026-05-11']));
    expect(await draftedQueueDates(trx, orgId, '2026-05-12')).toEqual(new Set());
    expect(await spendableBalance(trx, orgId, artist)).toBe(1);
  });
});

describe('the slots of a support date', () => {
  it.each([
    ['west of UTC', 'America/Los_Angeles', Date.UTC(2026, 4, 11, 7), 24],
    ['east of UTC', 'Asia/Tokyo', Date.UTC(2026, 4, 10, 15), 24],
    ['on a day of 23 hours', 'America/New_York', Date.UTC(2027, 2, 14, 5), 23],
  ])('are those of its day in the org’s zone, %s', async (_where, timezone, begins, hours) => {
    const submission = await submit(await addMember('somebody', 100), 'https://soundcloud.com/somebody/y');
    const supportDate = timezone === 'America/New_York' ? '2027-03-14' : '2026-05-11';
    const count = async () => {
      const question = { orgId, trackUrl: TRACK, artistHandles: [], memberId: artist, submissionId: null };
      const days = { now: begins - HOUR_MS, reliabilityDays: 90, historyDays: 90 };
      const all = await withOrg(worker, orgId, (trx) =>
        loadCandidates(trx, { ...question, ...days, supportDate, timezone }),
      );
      return all.find(({ member_id }) => member_id === supporter)?.assignments_on_date;
    };
    await assign(submission, supporter, 'assigned', begins - 1);
    const move = (at: number) =>
      sql`update public.soundcloud_queue_assignments set slot_at = ${new Date(at)}
        where org_id = ${orgId}`.execute(owner);
    const counts: unknown[] = [await count()];
    for (const at of [begins, begins + hours * HOUR_MS - 1, begins + hours * HOUR_MS]) {
      await move(at);
      counts.push(await count());
    }
    expect(counts).toEqual([0, 1, 1, 0]);
    await sql`update public.soundcloud_queue_assignments set slot_at = ${new Date(begins)}, status = 'skipped'
      where org_id = ${orgId}`.execute(owner);
    expect(await count()).toBe(0);
  });
});

describe('what was not made', () => {
  it('by the artist for the supporter starts no cool-down of the pair', async () => {
    const theirs = await submit(supporter, 'https://soundcloud.com/supporter/x');
    await assign(theirs, artist, 'skipped', NOW - 2 * DAY_MS);
    await assign(theirs, artist, 'failed', NOW - DAY_MS);
    expect(await candidate(supporter)).toMatchObject({ last_pair_at: null });
  });

  it('of a campaign, because it was cancelled, takes no slot', async () => {
    const { rows } = await sql<{ id: string }>`
      with campaign as (
        insert into public.soundcloud_campaigns (org_id, artist_name, track_name, track_url)
        values (${orgId}, 'Artist', 'One', ${TRACK}) returning id
      )
      insert into public.soundcloud_schedules
        (org_id, parent_type, parent_id, target_handle, member_account_id, scheduled_at, status)
      select ${orgId}, 'campaign', campaign.id, 'Supporter', account.id, ${new Date(NOW + DAY_MS)}, 'cancelled'
      from campaign, public.soundcloud_member_accounts account where account.member_id = ${supporter}
      returning id`.execute(owner);
    expect(rows).toHaveLength(1);
    expect(await candidate(supporter)).toMatchObject({ last_same_track_at: null, assignments_on_date: 0 });
  });

  it('counts against reliability within its days, however far the history goes back', async () => {
    const other = await addMember('somebody', 100);
    for (const [days, status] of [
      [30, 'failed'],
      [30, 'completed'],
      [31, 'failed'],
      [31, 'completed'],
    ] as const) {
      const url = `https://soundcloud.com/somebody/${status}-${days}`;
      await assign(await submit(other, url), supporter, status, NOW - days * DAY_MS);
    }
    const question = { orgId, trackUrl: TRACK, artistHandles: [], memberId: artist, submissionId: null };
    const days = { now: NOW, reliabilityDays: 30, historyDays: 90 };
    const all = await withOrg(worker, orgId, (trx) =>
      loadCandidates(trx, { ...question, ...days, supportDate: '2026-05-11', timezone: 'UTC' }),
    );
    expect(all.find(({ member_id }) => member_id === supporter)).toMatchObject({ completed: 1, failed: 1 });
  });
});
