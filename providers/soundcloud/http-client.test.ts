import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { FaultRequest } from '../../sandbox/faults.js';
import { SANDBOX_KEYS } from '../../sandbox/systems.js';
import { createTestSandbox, type TestSandbox } from '../../test/support/sandbox-systems.js';
import { ProviderError } from '../errors.js';
import { RequestNotYetAllowed, type TakeRequestLeave } from '../rate-limit.js';
import { parseTagList } from './answers.js';
import { createSoundCloudClient, type SoundCloudClientOptions } from './http-client.js';
import type { SoundCloudTokenStore, StoredToken } from './token.js';

const always: TakeRequestLeave = async () => ({ allowed: true });

let sandbox: TestSandbox;
let realNow = Date.parse('2026-03-01T00:00:00Z');
const urn: Record<string, string> = {};
const shortUrl: Record<string, string> = {};

beforeAll(async () => {
  sandbox = await createTestSandbox({ now: () => realNow });
  const users = await sandbox.admin.addUsers([
    { handle: 'paper-foxes', name: 'Paper Foxes', followers: 4_200 },
    { handle: 'lunar-avenue', name: 'Lunar Avenue', followers: 120_000, followersPerDay: -10 },
  ]);
  const tracks = await sandbox.admin.addTracks([
    {
      handle: 'paper-foxes',
      title: 'Undertow',
      genre: 'Dubstep',
      tags: ['heavy bass', 'night'],
      counts: { plays: 1_000, likes: 50, reposts: 7, comments: 3 },
      perDay: { plays: 100, likes: 5, reposts: 1, comments: 0 },
    },
    { handle: 'paper-foxes', title: 'Hidden Numbers', revealStats: false, counts: { plays: 9 } },
    { handle: 'lunar-avenue', title: 'After Hours', kind: 'set', counts: { likes: 12, reposts: 2 } },
    { handle: 'lunar-avenue', title: 'First Light', secretToken: 's-Abc123', access: 'preview' },
    { handle: 'lunar-avenue', title: 'Fourth', shortCode: 'AbCdEf' },
  ]);
  ['undertow', 'hidden', 'set', 'private', 'fourth'].forEach((name, index) => {
    urn[name] = tracks[index]?.urn ?? '';
    shortUrl[name] = tracks[index]?.shortUrl ?? '';
  });
  urn.foxes = users[0]?.urn ?? '';
  urn.avenue = users[1]?.urn ?? '';
});

afterAll(() => sandbox.remove());

beforeEach(() => sandbox.admin.clearFaults('soundcloud'));

function client(options: Partial<SoundCloudClientOptions> = {}) {
  return createSoundCloudClient({
    apiUrl: sandbox.urls.soundcloud,
    tokenUrl: sandbox.urls.soundcloudToken,
    shortLinkUrl: sandbox.urls.soundcloudShortLinks,
    clientId: SANDBOX_KEYS.soundcloudClientId,
    clientSecret: SANDBOX_KEYS.soundcloudClientSecret,
    takeLeave: always,
    ...options,
  });
}

async function failureOf(promise: Promise<unknown>): Promise<ProviderError> {
  const error = await promise.then(
    () => new Error('It succeeded.'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ProviderError);
  return error as ProviderError;
}

const trackUrl = 'https://soundcloud.com/paper-foxes/undertow';

describe('reading', () => {
  test('resolves a track with everything the product needs', async () => {
    expect(await client().resolve(trackUrl)).toEqual({
      kind: 'track',
      track: {
        urn: urn.undertow,
        kind: 'track',
        title: 'Undertow',
        permalinkUrl: trackUrl,
        artist: { urn: urn.foxes, name: 'Paper Foxes', handle: 'paper-foxes' },
        genre: 'Dubstep',
        tags: ['heavy bass', 'night'],
        access: 'playable',
        revealStats: true,
        plays: 1_000,
        likes: 50,
        reposts: 7,
        comments: 3,
      },
    });
  });

  test('resolves sets, users and private tracks with their token; anything else is not found', async () => {
    const soundcloud = client();
    const set = await soundcloud.resolve('https://soundcloud.com/lunar-avenue/sets/after-hours');
    expect(set).toMatchObject({
      kind: 'set',
      track: { kind: 'set', plays: null, likes: 12, reposts: 2, comments: null },
    });
    expect(await soundcloud.resolve('https://m.soundcloud.com/Lunar-Avenue')).toMatchObject({
      kind: 'user',
      user: { handle: 'lunar-avenue', followers: 120_000 },
    });
    expect(
      await soundcloud.resolve('https://soundcloud.com/lunar-avenue/first-light/s-Abc123'),
    ).toMatchObject({
      kind: 'track',
      track: { urn: urn.private, access: 'preview' },
    });
    for (const path of ['lunar-avenue/first-light', 'lunar-avenue/nothing', 'nobody']) {
      expect(await soundcloud.resolve(`https://soundcloud.com/${path}`)).toEqual({ kind: 'not_found' });
    }
  });

  test('hidden numbers are null, although the API sends zeros', async () => {
    const found = await client().tracks([urn.hidden ?? '']);
    expect(found.get(urn.hidden ?? '')).toMatchObject({
      revealStats: false,
      plays: null,
      likes: null,
      reposts: null,
      comments: null,
    });
  });

  test('numbers grow with business time, and come out stale when the API lies', async () => {
    const soundcloud = client();
    const plays = async () => (await soundcloud.tracks([urn.undertow ?? ''])).get(urn.undertow ?? '')?.plays;
    expect(await plays()).toBe(1_000);
    const start = realNow;
    realNow += 2 * 86_400_000;
    await sandbox.admin.revokeTokens();
    expect(await plays()).toBe(1_200);
    await sandbox.admin.addFault('soundcloud', { kind: 'stale', days: 1 });
    expect(await plays()).toBe(1_100);
    realNow = start;
  });

  test('asks for tracks in batches of 50, each once, and for sets one by one', async () => {
    const before = (await sandbox.admin.requests('soundcloud', '/tracks')).length;
    const made = await sandbox.admin.addTracks(
      Array.from({ length: 60 }, (_, index) => ({ handle: 'paper-foxes', title: `Sketch ${index + 1}` })),
    );
    const urns = [...made.map((track) => track.urn), urn.set ?? '', made[0]?.urn ?? ''];
    const found = await client().tracks(urns);
    expect(found.size).toBe(61);
    expect((await sandbox.admin.requests('soundcloud', '/tracks')).length - before).toBe(2);
  });

  test('rows that a batch leaves out are asked for one by one; what does not exist is absent', async () => {
    const gone = 'soundcloud:tracks:1';
    const wanted = [urn.undertow ?? '', urn.hidden ?? '', urn.fourth ?? '', gone];
    await sandbox.admin.addFault('soundcloud', { kind: 'missing', urns: [urn.hidden ?? ''] });
    const found = await client().tracks(wanted);
    expect([...found.keys()].sort()).toEqual([urn.undertow, urn.hidden, urn.fourth].sort());
    const single = (await sandbox.admin.requests('soundcloud', '/tracks/*'))
      .slice(-2)
      .map((request) => request.path);
    expect(single.map(decodeURIComponent)).toEqual([`/tracks/${urn.hidden}`, `/tracks/${gone}`]);
  });

  test('an empty or doubled list changes nothing', async () => {
    await sandbox.admin.addFault('soundcloud', { kind: 'empty', path: '/tracks', count: 1 });
    await sandbox.admin.addFault('soundcloud', { kind: 'duplicate', path: '/tracks' });
    const wanted = [urn.undertow ?? '', urn.fourth ?? ''];
    expect([...(await client().tracks(wanted)).keys()]).toEqual(wanted);
    expect([...(await client().tracks(wanted)).keys()]).toEqual(wanted);
    expect((await client().tracks([])).size).toBe(0);
  });

  test('users, without those that are gone', async () => {
    const found = await client().users([
      urn.foxes ?? '',
      'soundcloud:users:1',
      urn.avenue ?? '',
      urn.foxes ?? '',
    ]);
    expect([...found.values()].map(({ handle, followers }) => [handle, followers])).toEqual([
      ['paper-foxes', 4_200],
      ['lunar-avenue', 120_000],
    ]);
  });

  test('tag lists', () => {
    expect(parseTagList('"deep house" techno  soundcloud:source=web "late night"')).toEqual([
      'deep house',
      'techno',
      'late night',
    ]);
    expect(parseTagList('')).toEqual([]);
  });
});

test('text that no store of ours takes is made storable while it is read', async () => {
  const row = {
    kind: 'track',
    urn: 'soundcloud:tracks:77',
    title: 'Under\0tow',
    permalink_url: trackUrl,
    user: { urn: 'soundcloud:users:7', username: 'Paper \uD83D Foxes', permalink: 'paper\0foxes' },
    genre: 'Dub\uDFB5step',
    tag_list: 'night "heavy\0 bass" 🎵',
  };
  await sandbox.admin.addFault('soundcloud', {
    kind: 'status',
    status: 200,
    path: '/resolve',
    body: row,
    count: 1,
  });
  expect(await client().resolve(trackUrl)).toMatchObject({
    kind: 'track',
    track: {
      title: 'Under\uFFFDtow',
      artist: { name: 'Paper \uFFFD Foxes', handle: 'paper\uFFFDfoxes' },
      genre: 'Dub\uFFFDstep',
      tags: ['night', 'heavy\uFFFD bass', '🎵'],
    },
  });
});

describe('short links', () => {
  test('a living one gives the long URL; nothing is asked of the long URL itself', async () => {
    const before = await sandbox.admin.requests('soundcloud', '/resolve');
    const soundcloud = client();
    expect(await soundcloud.expandShortLink('https://on.soundcloud.com/AbCdEf?ref=app')).toBe(
      'https://soundcloud.com/lunar-avenue/fourth',
    );
    expect(await soundcloud.expandShortLink(shortUrl.undertow ?? '')).toBe(trackUrl);
    expect(await sandbox.admin.requests('soundcloud', '/resolve')).toEqual(before);
  });

  test('dead: unknown code, ended link, leads away from SoundCloud, leads to nothing, leads in a circle', async () => {
    const { admin } = sandbox;
    const dead = [
      'https://on.soundcloud.com/nobody',
      await admin.addShortLink('ended', null),
      await admin.addShortLink('away', 'https://example.com/track'),
      await admin.addShortLink('home', 'https://soundcloud.com/'),
      await admin.addShortLink('circle', 'https://on.soundcloud.com/circle'),
    ];
    for (const url of dead) expect(await client().expandShortLink(url), url).toBeNull();
    const hop = await admin.addShortLink('hop', 'https://on.soundcloud.com/AbCdEf');
    expect(await client().expandShortLink(hop)).toBe('https://soundcloud.com/lunar-avenue/fourth');
  });

  test('not to be resolved now is an error to try again; no short link at all is refused', async () => {
    await sandbox.admin.addFault('soundcloud', { kind: 'status', status: 503, path: '/on/*', count: 1 });
    expect((await failureOf(client().expandShortLink('https://on.soundcloud.com/AbCdEf'))).kind).toBe(
      'unavailable',
    );
    await sandbox.admin.addFault('soundcloud', { kind: 'status', status: 403, path: '/on/*', count: 1 });
    expect((await failureOf(client().expandShortLink('https://on.soundcloud.com/AbCdEf'))).kind).toBe(
      'unavailable',
    );
    await sandbox.admin.addFault('soundcloud', { kind: 'hang', path: '/on/*', count: 1 });
    const hanging = client({ timeoutMs: 60 }).expandShortLink('https://on.soundcloud.com/AbCdEf');
    expect((await failureOf(hanging)).kind).toBe('outcome_unknown');
    for (const url of [trackUrl, 'https://on.soundcloud.com/', 'TBD']) {
      expect((await failureOf(client().expandShortLink(url))).kind, url).toBe('rejected');
    }
  });
});

describe('the token', () => {
  test('20 calls at once ask for one token', async () => {
    const before = await sandbox.admin.tokensIssued();
    const soundcloud = client();
    await Promise.all(Array.from({ length: 20 }, () => soundcloud.resolve(trackUrl)));
    expect(await sandbox.admin.tokensIssued()).toBe(before + 1);
  });

  test('a revoked token is renewed once, also for many calls at once', async () => {
    const soundcloud = client();
    await soundcloud.resolve(trackUrl);
    const before = await sandbox.admin.tokensIssued();
    await sandbox.admin.revokeTokens();
    const answers = await Promise.all(Array.from({ length: 20 }, () => soundcloud.users([urn.foxes ?? ''])));
    expect(answers.every((answer) => answer.size === 1)).toBe(true);
    expect(await sandbox.admin.tokensIssued()).toBe(before + 1);
  });

  test('a token that is refused even when fresh is a matter for an operator', async () => {
    const soundcloud = client();
    await soundcloud.resolve(trackUrl);
    await sandbox.admin.addFault('soundcloud', { kind: 'status', status: 401, path: '/resolve' });
    const failure = await failureOf(soundcloud.resolve(trackUrl));
    expect(failure).toMatchObject({ kind: 'unauthorized', details: { status: 401 } });
    expect(failure.message).toContain('SOUNDCLOUD_CLIENT_SECRET');
  });

  test('processes share one token through a store, and renew it with its refresh token', async () => {
    let kept: StoredToken | null = null;
    const tokenStore: SoundCloudTokenStore = {
      read: async () => kept,
      renew: async (obtain) => {
        kept = await obtain(kept);
      },
    };
    const before = await sandbox.admin.tokensIssued();
    await client({ tokenStore }).resolve(trackUrl);
    await client({ tokenStore }).resolve(trackUrl);
    expect(await sandbox.admin.tokensIssued()).toBe(before + 1);
    const first = kept as StoredToken | null;
    kept = first && { ...first, expiresAt: Date.now() };
    const third = client({ tokenStore });
    await third.resolve(trackUrl);
    expect(await sandbox.admin.tokensIssued()).toBe(before + 2);
    // Its refresh token was single-use: whoever still holds the old one falls back to the app's credentials.
    kept = first && { ...first, expiresAt: Date.now() };
    await client({ tokenStore }).resolve(trackUrl);
    expect(await sandbox.admin.tokensIssued()).toBe(before + 3);
  });

  test('wrong credentials, and the limit on tokens', async () => {
    const wrong = await failureOf(client({ clientSecret: 'not-the-secret' }).resolve(trackUrl));
    expect(wrong).toMatchObject({ kind: 'unauthorized', details: { status: 401 } });
    expect(wrong.message).not.toContain('not-the-secret');
    const fresh = await createTestSandbox();
    try {
      const options = {
        apiUrl: fresh.urls.soundcloud,
        tokenUrl: fresh.urls.soundcloudToken,
      };
      for (let count = 0; count < 50; count += 1) await client(options).users(['soundcloud:users:1']);
      const refused = await failureOf(client(options).users(['soundcloud:users:1']));
      expect(refused.kind).toBe('rate_limited');
      expect(refused.details.retryAfterMs).toBeGreaterThan(11 * 3_600_000);
    } finally {
      await fresh.remove();
    }
  });

  test('without credentials it says so, and short links still work', async () => {
    const soundcloud = client({ clientId: undefined, clientSecret: undefined });
    expect(soundcloud.configured).toBe(false);
    const failure = await failureOf(soundcloud.resolve(trackUrl));
    expect(failure.kind).toBe('unauthorized');
    expect(failure.message).toContain('SOUNDCLOUD_CLIENT_ID and SOUNDCLOUD_CLIENT_SECRET');
    expect(await soundcloud.probe()).toMatchObject({ ok: false });
    expect(await soundcloud.expandShortLink('https://on.soundcloud.com/AbCdEf')).toContain(
      'soundcloud.com/lunar',
    );
  });
});

describe('faults', () => {
  const faults: [FaultRequest, Record<string, unknown>][] = [
    [
      { kind: 'status', status: 429, headers: { 'Retry-After': '12' } },
      { kind: 'rate_limited', details: { retryAfterMs: 12_000 } },
    ],
    [
      { kind: 'status', status: 429 },
      { kind: 'rate_limited', details: { status: 429 } },
    ],
    [{ kind: 'status', status: 500, body: 'a page with a secret' }, { kind: 'unavailable' }],
    [{ kind: 'status', status: 403 }, { kind: 'unauthorized' }],
    [{ kind: 'status', status: 400 }, { kind: 'rejected' }],
    [{ kind: 'drop' }, { kind: 'outcome_unknown' }],
    [{ kind: 'hang' }, { kind: 'outcome_unknown', details: { code: 'deadline_passed' } }],
    [{ kind: 'garbage' }, { kind: 'rejected' }],
  ];

  test.each(faults)('%j on the API → %j', async (fault, expected) => {
    const soundcloud = client({ timeoutMs: fault.kind === 'hang' ? 300 : 5_000 });
    await soundcloud.users([urn.foxes ?? '']);
    await sandbox.admin.addFault('soundcloud', { ...fault, path: '/tracks' });
    const failure = await failureOf(soundcloud.tracks([urn.undertow ?? '']));
    expect(failure).toMatchObject(expected);
    expect(failure.message).not.toContain('secret');
  });

  test('an answer in another form is rejected, naming fields and no values', async () => {
    const body = [{ urn: 7, title: 'secret' }];
    await sandbox.admin.addFault('soundcloud', { kind: 'status', status: 200, body, path: '/users/*' });
    const failure = await failureOf(client().users([urn.foxes ?? '']));
    expect(failure).toMatchObject({ kind: 'rejected', details: { status: 200 } });
    expect(failure.message).toContain('unknown form (fields: ');
    expect(failure.message).not.toContain('secret');
  });
});

describe('leave to ask', () => {
  test('is waited for in place when it comes soon, so that an operation of two requests ends while the bucket is low', async () => {
    const asked: boolean[] = [];
    const soundcloud = client({
      takeLeave: async () => {
        const allowed = asked.length % 2 === 1;
        asked.push(allowed);
        return allowed ? { allowed } : { allowed: false, notBefore: Date.now() + 5 };
      },
    });
    expect(await soundcloud.resolve(trackUrl)).toMatchObject({ kind: 'track' });
    expect(asked).toEqual([false, true, false, true]);
  });

  test('is taken before each request; a refusal carries the time and nothing is sent', async () => {
    const later = Date.now() + 60_000;
    let taken = 0;
    const soundcloud = client({
      takeLeave: async () => {
        taken += 1;
        return taken <= 2 ? { allowed: true } : { allowed: false, notBefore: later };
      },
    });
    expect((await soundcloud.resolve(trackUrl)).kind).toBe('track');
    const before = (await sandbox.admin.requests('soundcloud')).length;
    await expect(soundcloud.resolve(trackUrl)).rejects.toBeInstanceOf(RequestNotYetAllowed);
    await expect(soundcloud.expandShortLink(shortUrl.fourth ?? '')).rejects.toMatchObject({
      notBefore: later,
    });
    expect((await sandbox.admin.requests('soundcloud')).length).toBe(before);
    expect(await soundcloud.probe()).toMatchObject({ ok: true });
  });

  test('tokens have a leave of their own', async () => {
    const soundcloud = client({ takeTokenLeave: async () => ({ allowed: false, notBefore: 99 }) });
    await expect(soundcloud.resolve(trackUrl)).rejects.toMatchObject({ notBefore: 99 });
  });
});

test('a cancelled call stops waiting for a token that others still wait for', async () => {
  await sandbox.admin.addFault('soundcloud', { kind: 'hang', path: '/oauth/token', count: 1 });
  const soundcloud = client();
  const controller = new AbortController();
  const cancelled = soundcloud.resolve(trackUrl, controller.signal);
  const patient = soundcloud.resolve(trackUrl);
  controller.abort(new Error('cancelled'));
  await expect(cancelled).rejects.toThrow('cancelled');
  await sandbox.admin.clearFaults('soundcloud');
  expect((await patient).kind).toBe('track');
});

test('the probe', async () => {
  expect(await client().probe()).toEqual({ ok: true, detail: 'SoundCloud answers.' });
  await sandbox.admin.addFault('soundcloud', { kind: 'status', status: 503 });
  expect(await client().probe()).toMatchObject({ ok: false });
});
