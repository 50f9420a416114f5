/** Reposters, reposts and batches of users, over HTTP against the stand-in. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DAY_MS, HOUR_MS } from '../../domain/calendar.js';
import type { FaultRequest } from '../../sandbox/faults.js';
import { SANDBOX_KEYS } from '../../sandbox/systems.js';
import { createTestSandbox, type TestSandbox } from '../../test/support/sandbox-systems.js';
import { createSoundCloudClient, type SoundCloudClientOptions } from './http-client.js';
import type { SoundCloudPage } from './port.js';

const HANDLES = ['quiet-harbor', 'neon-orchard', 'static-lantern', 'velvet-meridian', 'silver-foxes'];
const START = Date.parse('2026-03-01T00:00:00Z');
const UNDERTOW = 'https://soundcloud.com/paper-avenue/undertow';
const AFTER_HOURS = 'https://soundcloud.com/paper-avenue/sets/after-hours';
const BLOCKED = 'https://soundcloud.com/paper-avenue/blocked-here';

let sandbox: TestSandbox;
let realNow = START;
const urnOf = new Map<string, string>();
const urn = (name: string) => urnOf.get(name) ?? '';

beforeAll(async () => {
  sandbox = await createTestSandbox({ now: () => realNow });
  const users = await sandbox.admin.addUsers(
    ['paper-avenue', ...HANDLES].map((handle) => ({ handle, followers: 10_000 })),
  );
  const tracks = await sandbox.admin.addTracks([
    { handle: 'paper-avenue', title: 'Undertow' },
    { handle: 'paper-avenue', title: 'After Hours', kind: 'set' },
    { handle: 'paper-avenue', title: 'Blocked here', access: 'blocked' },
  ]);
  for (const user of users) urnOf.set(user.handle, user.urn);
  ['undertow', 'set', 'blocked'].forEach((name, index) => {
    urnOf.set(name, tracks[index]?.urn ?? '');
  });
  for (const [index, handle] of HANDLES.entries())
    await sandbox.admin.addRepost(handle, UNDERTOW, START + index * HOUR_MS);
  await sandbox.admin.addRepost('quiet-harbor', AFTER_HOURS, START + 10 * HOUR_MS);
  await sandbox.admin.addRepost('quiet-harbor', BLOCKED, START + 11 * HOUR_MS);
});
afterAll(() => sandbox.remove());
beforeEach(async () => {
  realNow = START + DAY_MS;
  await sandbox.admin.clearFaults('soundcloud');
  await sandbox.admin.revokeTokens();
});

function client(options: Partial<SoundCloudClientOptions> = {}) {
  return createSoundCloudClient({
    apiUrl: sandbox.urls.soundcloud,
    tokenUrl: sandbox.urls.soundcloudToken,
    shortLinkUrl: sandbox.urls.soundcloudShortLinks,
    clientId: SANDBOX_KEYS.soundcloudClientId,
    clientSecret: SANDBOX_KEYS.soundcloudClientSecret,
    takeLeave: async () => ({ allowed: true }),
    ...options,
  });
}

const handles = (page: SoundCloudPage<{ handle: string }> | null) => page?.rows.map((row) => row.handle);
const urns = (page: SoundCloudPage<{ urn: string }> | null) => page?.rows.map((row) => row.urn);

describe('lists', () => {
  test('come in pages by cursor, newest first, and both sides agree', async () => {
    const soundcloud = client();
    const seen: string[] = [];
    let cursor: string | null = null;
    let pages = 0;
    do {
      const page: SoundCloudPage<{ handle: string }> | null = await soundcloud.reposters(urn('undertow'), {
        limit: 2,
        cursor,
      });
      seen.push(...(handles(page) ?? []));
      cursor = page?.nextCursor ?? null;
      pages += 1;
    } while (cursor !== null);
    expect([seen, pages]).toEqual([[...HANDLES].reverse(), 3]);
    for (const handle of HANDLES)
      expect(urns(await soundcloud.userReposts(urn(handle)))).toContain(urn('undertow'));
  });

  test('of a user hold blocked tracks too, and sets when they are asked for; a set has reposters of its own', async () => {
    const soundcloud = client();
    expect(urns(await soundcloud.userReposts(urn('quiet-harbor')))).toEqual([
      urn('blocked'),
      urn('undertow'),
    ]);
    const sets = await soundcloud.userReposts(urn('quiet-harbor'), { kind: 'set' });
    expect(sets).toEqual({
      rows: [expect.objectContaining({ urn: urn('set'), kind: 'set' })],
      nextCursor: null,
    });
    expect(handles(await soundcloud.reposters(urn('set')))).toEqual(['quiet-harbor']);
  });

  test('a repost that is taken down leaves both lists; what does not exist has none', async () => {
    const soundcloud = client();
    await sandbox.admin.addRepost('silver-foxes', BLOCKED);
    expect(handles(await soundcloud.reposters(urn('blocked')))).toContain('silver-foxes');
    await sandbox.admin.removeRepost('silver-foxes', BLOCKED);
    expect(handles(await soundcloud.reposters(urn('blocked')))).toEqual(['quiet-harbor']);
    expect(urns(await soundcloud.userReposts(urn('silver-foxes')))).toEqual([urn('undertow')]);
    expect(await soundcloud.reposters('soundcloud:tracks:1')).toBeNull();
    expect(await soundcloud.userReposts('soundcloud:users:1')).toBeNull();
    await expect(sandbox.admin.removeRepost('neon-orchard', BLOCKED)).rejects.toThrow('422');
  });

  test('a profile that is deleted is gone from everywhere until it comes back', async () => {
    const soundcloud = client();
    await sandbox.admin.setGone('neon-orchard', true);
    expect(await soundcloud.userReposts(urn('neon-orchard'))).toBeNull();
    expect(handles(await soundcloud.reposters(urn('undertow')))).not.toContain('neon-orchard');
    expect(await soundcloud.resolve('https://soundcloud.com/neon-orchard')).toEqual({ kind: 'not_found' });
    await sandbox.admin.setGone('neon-orchard', false);
    expect(handles(await soundcloud.reposters(urn('undertow')))).toContain('neon-orchard');
  });

  test('bring plays by the reach of the reposter, until they are taken down', async () => {
    const soundcloud = client();
    const [track] = await sandbox.admin.addTracks([
      {
        handle: 'paper-avenue',
        title: 'Slow Weather',
        counts: { plays: 100, reposts: 3 },
        perDay: { plays: 0, reposts: 0 },
      },
    ]);
    const { urn: trackUrn = '', url = '' } = track ?? {};
    const counts = async () => {
      const row = (await soundcloud.tracks([trackUrn])).get(trackUrn);
      return { plays: row?.plays, reposts: row?.reposts };
    };
    // 10,000 followers: 600 are reached, 150 of them listen within 48 h.
    await sandbox.admin.addReposts([
      { handle: 'quiet-harbor', trackUrl: url },
      { handle: 'silver-foxes', trackUrl: url },
    ]);
    await expect(sandbox.admin.addReposts([{ handle: 'nobody-of-ours', trackUrl: url }])).rejects.toThrow(
      '422',
    );
    expect(await counts()).toEqual({ plays: 100, reposts: 5 });
    realNow += DAY_MS;
    await sandbox.admin.revokeTokens();
    expect(await counts()).toEqual({ plays: 100 + 2 * 75, reposts: 5 });
    await sandbox.admin.removeRepost('silver-foxes', url);
    realNow += 10 * DAY_MS;
    await sandbox.admin.revokeTokens();
    expect(await counts()).toEqual({ plays: 100 + 150 + 75, reposts: 4 });
  });

  test('survive a restart of the stand-in', async () => {
    const before = await client().reposters(urn('undertow'));
    await sandbox.restart();
    expect(await client().reposters(urn('undertow'))).toEqual(before);
  });
});

describe('lies', () => {
  test('an empty, thinned or doubled list is a page like any other', async () => {
    const path = '/tracks/*';
    const soundcloud = client();
    await soundcloud.reposters(urn('undertow'));
    for (const [fault, rows] of [
      [{ kind: 'empty' }, 0],
      [{ kind: 'missing', urns: [urn('neon-orchard')] }, 4],
      [{ kind: 'missing' }, 3],
      [{ kind: 'duplicate' }, 5],
    ] as [FaultRequest, number][]) {
      await sandbox.admin.addFault('soundcloud', { ...fault, path, count: 1 });
      const page = await soundcloud.reposters(urn('undertow'));
      expect([fault.kind, page?.rows.length, page?.nextCursor]).toEqual([fault.kind, rows, null]);
    }
  });

  test('a stale list is the list of days ago', async () => {
    await sandbox.admin.addFault('soundcloud', { kind: 'stale', days: 1 });
    realNow = START + DAY_MS + 2 * HOUR_MS + 1;
    await sandbox.admin.addRepost('static-lantern', BLOCKED);
    expect(handles(await client().reposters(urn('blocked')))).toEqual([]);
    expect(urns(await client().userReposts(urn('static-lantern')))).toEqual([urn('undertow')]);
    await sandbox.admin.removeRepost('static-lantern', BLOCKED);
  });

  test.each([
    ['leads to another host', 'https://elsewhere.example/tracks/1/reposters?cursor=1'],
    ['leads to another host', '//elsewhere.example/tracks'],
    ['leads nowhere', 'http://['],
  ])('a next page that %s (%s) is refused, and so is such a cursor', async (_what, next_href) => {
    const soundcloud = client();
    const body = { collection: [], next_href };
    await sandbox.admin.addFault('soundcloud', {
      kind: 'status',
      status: 200,
      body,
      path: '/tracks/*',
      count: 1,
    });
    await expect(soundcloud.reposters(urn('undertow'))).rejects.toMatchObject({ kind: 'rejected' });
    const before = (await sandbox.admin.requests('soundcloud')).length;
    await expect(soundcloud.reposters(urn('undertow'), { cursor: next_href })).rejects.toMatchObject({
      kind: 'rejected',
    });
    expect(await sandbox.admin.requests('soundcloud')).toHaveLength(before);
  });

  test('a list without end is refused', async () => {
    const soundcloud = client();
    const cursor = `/tracks/${urn('undertow')}/reposters?cursor=1:1`;
    const body = { collection: [], next_href: `${sandbox.urls.soundcloud}${cursor}` };
    await sandbox.admin.addFault('soundcloud', {
      kind: 'status',
      status: 200,
      body,
      path: '/tracks/*',
      count: 1,
    });
    await expect(soundcloud.reposters(urn('undertow'), { cursor })).rejects.toMatchObject({
      kind: 'rejected',
    });
  });

  test.each<[FaultRequest, Record<string, unknown>]>([
    [
      { kind: 'status', status: 429 },
      { kind: 'rate_limited', details: { status: 429 } },
    ],
    [{ kind: 'status', status: 500 }, { kind: 'unavailable' }],
    [{ kind: 'drop' }, { kind: 'outcome_unknown' }],
    [{ kind: 'hang' }, { kind: 'outcome_unknown' }],
    [{ kind: 'garbage' }, { kind: 'rejected' }],
    [{ kind: 'status', status: 200, body: {} }, { kind: 'rejected' }],
  ])('%j → %j', async (fault, expected) => {
    const soundcloud = client({ timeoutMs: fault.kind === 'hang' ? 200 : 5_000 });
    await soundcloud.reposters(urn('undertow'));
    await sandbox.admin.addFault('soundcloud', { ...fault, path: '/users/*' });
    await expect(soundcloud.userReposts(urn('quiet-harbor'))).rejects.toMatchObject(expected);
  });

  test('a refused token is renewed once', async () => {
    const soundcloud = client();
    await soundcloud.reposters(urn('undertow'));
    const before = await sandbox.admin.tokensIssued();
    await sandbox.admin.revokeTokens();
    expect(handles(await soundcloud.reposters(urn('undertow')))).toHaveLength(5);
    expect(await sandbox.admin.tokensIssued()).toBe(before + 1);
  });
});

describe('users', () => {
  test('are read in batches; those left out one by one; those gone are absent', async () => {
    const soundcloud = client();
    const wanted = [...HANDLES.map(urn), 'soundcloud:users:1'];
    const log = async () => (await sandbox.admin.requests('soundcloud', '/users*')).length;
    let before = await log();
    expect((await soundcloud.users(HANDLES.map(urn))).size).toBe(5);
    expect((await log()) - before).toBe(1);
    before = await log();
    await sandbox.admin.addFault('soundcloud', {
      kind: 'missing',
      urns: [urn('neon-orchard')],
      path: '/users',
    });
    expect([...(await soundcloud.users(wanted)).keys()].sort()).toEqual(HANDLES.map(urn).sort());
    expect((await log()) - before).toBe(3);
  });

  test('are read one by one where the API takes no batch of them', async () => {
    await sandbox.admin.addFault('soundcloud', { kind: 'status', status: 400, path: '/users' });
    expect((await client().users(HANDLES.map(urn))).size).toBe(5);
    await sandbox.admin.clearFaults('soundcloud');
    await sandbox.admin.addFault('soundcloud', { kind: 'status', status: 503, path: '/users' });
    await expect(client().users(HANDLES.map(urn))).rejects.toMatchObject({ kind: 'unavailable' });
  });

  test('have the followers that were set', async () => {
    await sandbox.admin.setFollowers('velvet-meridian', 99_999);
    const found = await client().users([urn('velvet-meridian')]);
    expect(found.get(urn('velvet-meridian'))?.followers).toBe(99_999);
    await expect(sandbox.admin.setFollowers('nobody', 1)).rejects.toThrow('404');
  });
});
