import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { FaultRequest } from '../../sandbox/faults.js';
import { SANDBOX_KEYS } from '../../sandbox/systems.js';
import { createTestSandbox, type TestSandbox } from '../../test/support/sandbox-systems.js';
import { bucketFor, PROVIDER_LIMITS } from '../rate-limit.js';
import { influencePlannerUserId, scheduleIdOf } from './answers.js';
import { createInfluencePlannerClient, type InfluencePlannerClientOptions } from './http-client.js';
import type { InfluencePlannerMember } from './port.js';

const TRACK = 'https://soundcloud.com/paper-avenue/undertow';
let sandbox: TestSandbox;
let realNow = Date.parse('2026-03-01T00:00:00Z');
const userId = new Map<string, string>();
const id = (handle: string) => userId.get(handle) ?? '';

beforeAll(async () => {
  sandbox = await createTestSandbox({ now: () => realNow });
  const handles = Array.from({ length: 60 }, (_, index) => `artist-${String(index).padStart(2, '0')}`);
  await sandbox.admin.addUsers([
    { handle: 'paper-avenue', followers: 1 },
    ...handles.map((handle, index) => ({ handle, followers: 100 + index })),
  ]);
  await sandbox.admin.addTracks([{ handle: 'paper-avenue', title: 'Undertow' }]);
  for (const member of await sandbox.admin.addMembers(handles.map((handle) => ({ handle }))))
    userId.set(member.handle, member.userId);
});
afterAll(() => sandbox.remove());
beforeEach(() => sandbox.admin.clearFaults('planner'));

function client(options: Partial<InfluencePlannerClientOptions> = {}) {
  return createInfluencePlannerClient({
    baseUrl: `${sandbox.urls.planner}/partner/v1/`,
    username: SANDBOX_KEYS.plannerUsername,
    apiKey: SANDBOX_KEYS.plannerApiKey,
    takeLeave: async () => ({ allowed: true }),
    ...options,
  });
}

const schedule = (handle: string) => ({
  types: ['REPOST' as const],
  mediaUrls: [TRACK],
  targetUserIds: [id(handle)],
  date: realNow + 3_600_000,
});

describe('members', () => {
  test('come in pages of 25 with everything the product needs', async () => {
    const planner = client();
    const seen: InfluencePlannerMember[] = [];
    let offset: number | null = 0;
    while (offset !== null) {
      const page = await planner.members({ offset, sortBy: 'FOLLOWERS', sortDir: 'DESC' });
      expect([page.totalElements, page.totalPages]).toEqual([60, 3]);
      seen.push(...page.members);
      offset = page.nextOffset;
    }
    expect(seen.map((member) => member.followers)).toEqual(Array.from({ length: 60 }, (_, i) => 159 - i));
    expect(seen[0]).toEqual({
      membershipId: expect.stringMatching(/^mbr_/),
      status: 'LINKED',
      userId: id('artist-59'),
      soundcloudUrn: (await sandbox.admin.addUsers([{ handle: 'artist-59', followers: 159 }]))[0]?.urn,
      name: 'artist-59',
      imageUrl: null,
      profileUrl: 'https://soundcloud.com/artist-59',
      followers: 159,
      updatedAt: realNow,
    });
    expect(influencePlannerUserId(seen[0]?.soundcloudUrn ?? '')).toBe(id('artist-59'));
  });

  test('that changed come first by UPDATED, DESC; a search finds by name', async () => {
    realNow += 60_000;
    await sandbox.admin.setStatus('artist-31', 'INVALID');
    realNow += 60_000;
    await sandbox.admin.setStatus('artist-07', 'UNLINKED');
    const { members } = await client().members({ sortBy: 'UPDATED', sortDir: 'DESC', limit: 3 });
    expect(members.slice(0, 2).map(({ name, status }) => [name, status])).toEqual([
      ['artist-07', 'UNLINKED'],
      ['artist-31', 'INVALID'],
    ]);
    expect(members[2]?.updatedAt).toBeLessThan(members[1]?.updatedAt ?? 0);
    const found = await client().members({ searchTerm: 'IST-3' });
    expect(found.totalElements).toBe(10);
    await expect(client().members({ limit: 26 })).rejects.toMatchObject({ kind: 'rejected' });
  });

  test('a page that lies is a page like any other; a state and fields unknown to us hide nobody', async () => {
    const planner = client();
    for (const [fault, rows, nextOffset] of [
      [{ kind: 'empty' }, 0, null],
      [{ kind: 'missing' }, 13, 13],
      [{ kind: 'duplicate' }, 25, 50],
    ] as [FaultRequest, number, number | null][]) {
      await sandbox.admin.addFault('planner', { ...fault, count: 1 });
      const page = await planner.members();
      expect([fault.kind, page.members.length, page.nextOffset]).toEqual([fault.kind, rows, nextOffset]);
    }
    await sandbox.admin.addFault('planner', { kind: 'stale', days: 1, count: 1 });
    expect((await planner.members()).totalElements).toBe(0);
    const row = {
      membership_id: 7,
      status: 'ON_HOLIDAY',
      user_id: 'SPOTIFY-USER-1',
      updated_at: 5,
      more: true,
    };
    const body = {
      results: [row],
      first: true,
      last: true,
      totalPages: 1,
      totalElements: 1,
      size: 25,
      more: 1,
    };
    await sandbox.admin.addFault('planner', { kind: 'status', status: 200, body, count: 1 });
    expect((await planner.members()).members).toMatchObject([
      { membershipId: '7', status: 'UNKNOWN', soundcloudUrn: null, followers: null, updatedAt: 5 },
    ]);
  });

  test.each<[FaultRequest, Record<string, unknown>]>([
    [
      { kind: 'status', status: 429, headers: { 'X-RateLimit-Reset': '12' } },
      { kind: 'rate_limited', details: { retryAfterMs: 12_000 } },
    ],
    [{ kind: 'status', status: 429 }, { kind: 'rate_limited' }],
    [
      { kind: 'status', status: 402 },
      { kind: 'unauthorized', details: { status: 402 } },
    ],
    [{ kind: 'status', status: 503 }, { kind: 'unavailable' }],
    [{ kind: 'drop' }, { kind: 'outcome_unknown' }],
    [{ kind: 'hang' }, { kind: 'outcome_unknown' }],
    [{ kind: 'garbage' }, { kind: 'rejected' }],
  ])('%j → %j', async (fault, expected) => {
    await sandbox.admin.addFault('planner', fault);
    const planner = client({ timeoutMs: fault.kind === 'hang' ? 200 : 5_000 });
    await expect(planner.members()).rejects.toMatchObject(expected);
  });
});

describe('a schedule', () => {
  test('is created: a calendar URL and an id for each media', async () => {
    const created = await client().createSchedule(schedule('artist-01'));
    expect(created).toEqual([
      { mediaUrl: TRACK, calendarUrl: expect.stringContaining('/calendar/'), scheduleId: expect.any(String) },
    ]);
    const known = (await sandbox.admin.schedules()).find(({ id: key }) => key === created[0]?.scheduleId);
    expect(known).toMatchObject({
      mediaUrl: TRACK,
      actions: [{ userId: id('artist-01'), kind: 'REPOST', at: realNow + 3_600_000 }],
    });
    // Its URL can be opened, and the same again is the same: duplicates are removed.
    expect((await fetch(created[0]?.calendarUrl ?? '')).status).toBe(200);
    expect(await client().createSchedule(schedule('artist-01'))).toEqual(created);
  });

  test('that is refused was not created', async () => {
    const before = await sandbox.admin.schedules();
    const stranger = { ...schedule('artist-02'), targetUserIds: ['SOUNDCLOUD-USER-1'] };
    await expect(client().createSchedule(stranger)).rejects.toMatchObject({ kind: 'rejected' });
    await sandbox.admin.addFault('planner', { kind: 'status', status: 402, count: 1 });
    await expect(client().createSchedule(schedule('artist-02'))).rejects.toMatchObject({
      kind: 'unauthorized',
    });
    const wrong = client({ apiKey: 'not-the-key' }).createSchedule(schedule('artist-02'));
    await expect(wrong).rejects.toMatchObject({
      kind: 'unauthorized',
      message: expect.not.stringContaining('not-the-key'),
    });
    expect(await sandbox.admin.schedules()).toEqual(before);
  });

  test('that certainly was not sent or taken may be sent again', async () => {
    await sandbox.admin.addFault('planner', { kind: 'status', status: 429, count: 1 });
    await expect(client().createSchedule(schedule('artist-02'))).rejects.toMatchObject({
      kind: 'rate_limited',
    });
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const nobody = client({ baseUrl: `http://127.0.0.1:${port}/` });
    await expect(nobody.createSchedule(schedule('artist-02'))).rejects.toMatchObject({ kind: 'unavailable' });
  });

  test.each<[string, FaultRequest]>([
    ['artist-11', { kind: 'status', status: 500, processed: true }],
    ['artist-12', { kind: 'drop' }],
    ['artist-13', { kind: 'hang', processed: true }],
    ['artist-14', { kind: 'garbage' }],
    ['artist-15', { kind: 'status', status: 200, body: { status: 'CREATED', data: [] }, processed: true }],
    [
      'artist-16',
      {
        kind: 'status',
        status: 200,
        body: { status: 'QUEUED', data: ['https://x.example/1'] },
        processed: true,
      },
    ],
  ])('whose outcome nobody knows was created all the same (%s): %j', async (handle, fault) => {
    await sandbox.admin.addFault('planner', { ...fault, count: 1 });
    const planner = client({ timeoutMs: fault.kind === 'hang' ? 300 : 5_000 });
    await expect(planner.createSchedule(schedule(handle))).rejects.toMatchObject({ kind: 'outcome_unknown' });
    const made = (await sandbox.admin.schedules()).filter(({ actions }) => actions[0]?.userId === id(handle));
    expect(made).toHaveLength(1);
  });

  test('that a failing server says nothing of may have been created', async () => {
    await sandbox.admin.addFault('planner', { kind: 'status', status: 503, count: 1 });
    await expect(client().createSchedule(schedule('artist-03'))).rejects.toMatchObject({
      kind: 'outcome_unknown',
    });
  });

  test('bears its id in its URL', () => {
    expect(scheduleIdOf('https://app.example/calendar/2026/abc-1?view=week')).toBe('abc-1');
    expect([scheduleIdOf('https://app.example/'), scheduleIdOf('abc')]).toEqual([null, null]);
  });
});

test('leave is taken before each request; without it nothing is sent and the time is told', async () => {
  const later = Date.now() + 60_000;
  const planner = client({ takeLeave: async () => ({ allowed: false, notBefore: later }) });
  const before = await sandbox.admin.requests('planner');
  await expect(planner.members()).rejects.toMatchObject({ notBefore: later });
  await expect(planner.createSchedule(schedule('artist-04'))).rejects.toMatchObject({ notBefore: later });
  expect(await sandbox.admin.requests('planner')).toEqual(before);
  expect(await planner.probe()).toMatchObject({ ok: true });
});

test('without credentials it says so', async () => {
  const planner = client({ username: undefined, apiKey: undefined });
  expect(planner.configured).toBe(false);
  await expect(planner.members()).rejects.toMatchObject({
    kind: 'unauthorized',
    message: expect.stringContaining('INFLUENCE_PLANNER_API_KEY'),
  });
  expect(await planner.probe()).toMatchObject({ ok: false });
  expect(await client().probe()).toEqual({ ok: true, detail: 'Influence Planner answers.' });
  await sandbox.admin.addFault('planner', { kind: 'status', status: 503 });
  expect(await client().probe()).toMatchObject({ ok: false });
});

test('the vendor lets 30 requests a minute through, and says when the next may come; our bucket stays below', async () => {
  const limited = await createTestSandbox({ plannerLimit: { requests: 30, windowMs: 60_000 } });
  try {
    const planner = client({ baseUrl: `${limited.urls.planner}/partner/v1/` });
    const results = await Promise.allSettled(Array.from({ length: 31 }, () => planner.members()));
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused).toHaveLength(1);
    expect(refused[0]?.reason).toMatchObject({ kind: 'rate_limited' });
    const { retryAfterMs } = refused[0]?.reason.details ?? {};
    expect(retryAfterMs > 30_000 && retryAfterMs <= 61_000).toBe(true);
    await expect(planner.createSchedule(schedule('artist-05'))).rejects.toMatchObject({
      kind: 'rate_limited',
    });
    expect(await limited.admin.schedules()).toEqual([]);
    const { capacity, refillPerSecond } = bucketFor(PROVIDER_LIMITS.influencePlanner);
    expect(capacity + refillPerSecond * 60).toBeLessThan(30);
  } finally {
    await limited.remove();
  }
});
