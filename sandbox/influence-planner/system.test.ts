/** Schedules carried out in business time at SoundCloud's stand-in, and the webhooks about them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { HOUR_MS } from '../../domain/calendar.js';
import { createInfluencePlannerClient } from '../../providers/influence-planner/http-client.js';
import type { InfluencePlannerScheduleRequest } from '../../providers/influence-planner/port.js';
import { createSoundCloudClient } from '../../providers/soundcloud/http-client.js';
import type { SoundCloudPort } from '../../providers/soundcloud/port.js';
import { createTestSandbox, type TestSandbox } from '../../test/support/sandbox-systems.js';
import { SANDBOX_KEYS } from '../systems.js';

const START = Date.parse('2026-03-01T00:00:00Z');
const TRACK = 'https://soundcloud.com/paper-avenue/undertow';
const takeLeave = async () => ({ allowed: true }) as const;

let sandbox: TestSandbox;
let realNow = START;
let urn: string;
let userIds: Record<string, string>;
const cleanups: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  realNow = START;
  sandbox = await createTestSandbox({ now: () => realNow });
  cleanups.push(() => sandbox.remove());
  soundcloud = createSoundCloudClient({
    apiUrl: sandbox.urls.soundcloud,
    tokenUrl: sandbox.urls.soundcloudToken,
    shortLinkUrl: sandbox.urls.soundcloudShortLinks,
    clientId: SANDBOX_KEYS.soundcloudClientId,
    clientSecret: SANDBOX_KEYS.soundcloudClientSecret,
    takeLeave,
  });
  await sandbox.admin.addUsers(
    ['paper-avenue', 'neon-foxes', 'quiet-harbor'].map((handle) => ({ handle, followers: 1_000 })),
  );
  urn = (await sandbox.admin.addTracks([{ handle: 'paper-avenue', title: 'Undertow' }]))[0]?.urn ?? '';
  const members = await sandbox.admin.addMembers([{ handle: 'neon-foxes' }, { handle: 'quiet-harbor' }]);
  userIds = Object.fromEntries(members.map((member) => [member.handle, member.userId]));
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function plan(handle: string, more: Partial<InfluencePlannerScheduleRequest> = {}): Promise<string> {
  const planner = createInfluencePlannerClient({
    baseUrl: `${sandbox.urls.planner}/partner/v1/`,
    username: SANDBOX_KEYS.plannerUsername,
    apiKey: SANDBOX_KEYS.plannerApiKey,
    takeLeave,
  });
  const [created] = await planner.createSchedule({
    types: ['REPOST'],
    mediaUrls: [TRACK],
    targetUserIds: [userIds[handle] ?? ''],
    date: START + HOUR_MS,
    ...more,
  });
  return created?.scheduleId ?? '';
}

/** One client for all: each would ask for a token of its own, and there are 50 in 12 hours. */
let soundcloud: SoundCloudPort;

async function reposters(): Promise<string[]> {
  return (await soundcloud.reposters(urn))?.rows.map((row) => row.handle) ?? [];
}

const outcomes = async () =>
  (await sandbox.admin.schedules()).flatMap((schedule) =>
    schedule.actions.map((action) => action.outcome?.error ?? (action.outcome ? 'done' : 'waits')),
  );

/** Takes the last line, a note of this kind, out of a memory of the planner: it died before it wrote it. */
function forget(file: string, kind: string): void {
  const memory = join(sandbox.dataDir, 'planner', file);
  const lines = readFileSync(memory, 'utf8').trimEnd().split('\n');
  expect(JSON.parse(lines.pop() ?? '')).toHaveProperty(kind);
  writeFileSync(memory, `${lines.join('\n')}\n`);
}

/** Generous: the machine may be busy with other tests. */
const poll = <T>(probe: () => T) => expect.poll(probe, { timeout: 15_000 });

/** A receiver that keeps what comes with a good signature, and answers with what it is told to. */
async function receiver() {
  const got: { id: string; type: string; handle: string; at: string }[] = [];
  const answers: number[] = [];
  let forged = 0;
  const body = z.object({ type: z.string(), timestamp: z.string(), data: z.object({ handle: z.string() }) });
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const status = answers.shift() ?? 204;
      try {
        const headers = Object.fromEntries(
          Object.entries(req.headers).filter(
            (entry): entry is [string, string] => typeof entry[1] === 'string',
          ),
        );
        const seen = body.parse(
          new Webhook(SANDBOX_KEYS.plannerWebhookSecret).verify(Buffer.concat(chunks), headers),
        );
        const { type, timestamp: at, data } = seen;
        if (status < 300) got.push({ id: headers['webhook-id'] ?? '', type, at, handle: data.handle });
      } catch {
        forged += 1;
      }
      res.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => new Promise((resolve) => server.close(resolve)));
  await sandbox.admin.setWebhook(`http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`);
  return { got, answers, forged: () => forged };
}

describe('a schedule', () => {
  test('is carried out at its time, and taken down after its hours', async () => {
    await plan('neon-foxes', { types: ['REPOST', 'UNREPOST'], unrepostAfterHours: 10 });
    realNow = START + HOUR_MS - 1;
    await plan('quiet-harbor', { date: realNow });
    await poll(reposters).toEqual(['quiet-harbor']);
    realNow = START + 2 * HOUR_MS;
    await poll(reposters).toEqual(['neon-foxes', 'quiet-harbor']);
    realNow = START + 11 * HOUR_MS;
    await poll(reposters).toEqual(['quiet-harbor']);
    expect(await outcomes()).toEqual(['done', 'done', 'done']);
  });

  test('of the same media and target is one, until the repost is taken down', async () => {
    const first = await plan('neon-foxes', { types: ['REPOST', 'UNREPOST'], unrepostAfterHours: 1 });
    expect(await plan('neon-foxes', { date: START + 5 * HOUR_MS })).toBe(first);
    expect(await plan('neon-foxes', { removeDuplicates: false })).not.toBe(first);
    realNow = START + 3 * HOUR_MS;
    await poll(outcomes).not.toContain('waits');
    const again = await plan('quiet-harbor', { targetUserIds: Object.values(userIds) });
    expect((await sandbox.admin.schedules()).find(({ id }) => id === again)?.actions).toHaveLength(1);
  });

  test('fails when the account is not linked by then, or the track is gone', async () => {
    await plan('neon-foxes');
    await plan('quiet-harbor', { mediaUrls: ['https://soundcloud.com/paper-avenue/nothing'] });
    await sandbox.admin.setStatus('neon-foxes', 'INVALID');
    realNow = START + HOUR_MS;
    await poll(outcomes).toEqual(['account_not_linked', 'media_not_found']);
    expect(await reposters()).toEqual([]);
  });

  test('spreads targets and tracks, and refuses a comment by more than three', async () => {
    await plan('neon-foxes', {
      mediaUrls: [TRACK, 'https://soundcloud.com/paper-avenue/other'],
      targetUserIds: Object.values(userIds),
      spreadBetweenAccountsMinutes: 30,
      spreadBetweenTracksMinutes: 120,
    });
    const times = (await sandbox.admin.schedules()).map(({ actions }) =>
      actions.map(({ at }) => (at - START - HOUR_MS) / 60_000),
    );
    expect(times).toEqual([
      [0, 30],
      [120, 150],
    ]);
    const four = Array.from({ length: 4 }, () => userIds['neon-foxes'] ?? '');
    await expect(plan('neon-foxes', { comment: 'Nice', targetUserIds: four })).rejects.toMatchObject({
      kind: 'rejected',
    });
  });

  test('and members survive a restart; what fell due meanwhile bears the time it was due', async () => {
    await plan('neon-foxes');
    await sandbox.admin.setStatus('quiet-harbor', 'DECLINED');
    await sandbox.stop();
    realNow = START + 4 * HOUR_MS;
    await sandbox.restart();
    await poll(reposters).toEqual(['neon-foxes']);
    // A later one of somebody else stands before it.
    await sandbox.admin.addRepost('quiet-harbor', TRACK, START + 2 * HOUR_MS);
    expect(await reposters()).toEqual(['quiet-harbor', 'neon-foxes']);
    const { members } = await createInfluencePlannerClient({
      baseUrl: `${sandbox.urls.planner}/partner/v1/`,
      username: SANDBOX_KEYS.plannerUsername,
      apiKey: SANDBOX_KEYS.plannerApiKey,
      takeLeave,
    }).members();
    expect(members.map(({ status }) => status)).toEqual(['LINKED', 'DECLINED']);
  });
});

describe('webhooks', () => {
  test('tell of completion, failure and taking down, signed, once each', async () => {
    const { got } = await receiver();
    await plan('neon-foxes', { types: ['REPOST', 'UNREPOST'], unrepostAfterHours: 1 });
    await plan('quiet-harbor', { mediaUrls: ['https://soundcloud.com/paper-avenue/nothing'] });
    realNow = START + 2 * HOUR_MS;
    await poll(() => got.length).toBe(3);
    expect(got.map(({ type, handle, at }) => [type, handle, (Date.parse(at) - START) / HOUR_MS])).toEqual([
      ['schedule.completed', 'neon-foxes', 1],
      ['schedule.failed', 'quiet-harbor', 1],
      ['schedule.unreposted', 'neon-foxes', 2],
    ]);
    await sandbox.restart();
    expect((await sandbox.admin.webhooks()).map(({ delivered, attempts }) => [delivered, attempts])).toEqual(
      Array(3).fill([true, 1]),
    );
  });

  test('of an act that was told and not noted down, because the stand-in died in between, come once', async () => {
    const { got } = await receiver();
    await plan('neon-foxes');
    realNow = START + HOUR_MS;
    await poll(() => got.length).toBe(1);
    await poll(outcomes).toEqual(['done']);
    await sandbox.stop();
    forget('schedules.jsonl', 'ended');
    await sandbox.restart();
    await poll(outcomes).toEqual(['done']);
    expect(await reposters()).toEqual(['neon-foxes']);

    // What is told of the next act comes after anything that was told of the first.
    await plan('quiet-harbor', { date: realNow });
    await poll(() => got.length).toBe(2);
    expect(got.map(({ handle }) => handle)).toEqual(['neon-foxes', 'quiet-harbor']);
    expect((await sandbox.admin.webhooks()).map(({ attempts }) => attempts)).toEqual([1, 1]);
  });

  test.each([
    { died: 'after it was told', untold: false },
    { died: 'before it was told', untold: true },
  ])(
    'of a taking down that is done again, because the stand-in died $died, come once',
    async ({ untold }) => {
      const { got } = await receiver();
      await plan('neon-foxes', { types: ['REPOST', 'UNREPOST'], unrepostAfterHours: 1 });
      const delivered = async () => (await sandbox.admin.webhooks()).map((message) => message.delivered);
      realNow = START + HOUR_MS;
      await poll(delivered).toEqual([true]);
      realNow = START + 2 * HOUR_MS;
      await poll(outcomes).toEqual(['done', 'done']);
      await poll(delivered).toEqual([true, true]);
      await sandbox.stop();
      forget('schedules.jsonl', 'ended');
      if (untold) for (const last of ['delivered', 'queued']) forget('webhooks.jsonl', last);
      realNow = START + 3 * HOUR_MS;
      await sandbox.restart();
      await poll(outcomes).toEqual(['done', 'done']);
      await poll(delivered).toEqual([true, true]);
      const told = ['schedule.completed', 'schedule.unreposted'];
      expect((await sandbox.admin.webhooks()).map(({ type }) => type)).toEqual(told);
      expect(got.map(({ type }) => type)).toEqual(untold ? [...told, 'schedule.unreposted'] : told);
      expect(await reposters()).toEqual([]);
    },
  );

  test('are tried again in business time until somebody takes them', async () => {
    const { got, answers } = await receiver();
    answers.push(503, 500);
    await plan('neon-foxes');
    realNow = START + HOUR_MS;
    await poll(async () => (await sandbox.admin.webhooks())[0]?.attempts).toBe(1);
    realNow += 60_000;
    await poll(async () => (await sandbox.admin.webhooks())[0]?.attempts).toBe(2);
    expect(got).toEqual([]);
    realNow += 5 * 60_000;
    await poll(() => got.length).toBe(1);
  });

  test('on order come repeated, out of order, late, forged or never', async () => {
    const { got, forged } = await receiver();
    const order = (how: 'repeat' | 'reorder' | 'late' | 'lost' | 'forged') =>
      sandbox.admin.addFault('planner', { kind: 'webhook', how, count: 1 });
    const step = async (handle: string, hour: number) => {
      const before = (await outcomes()).filter((outcome) => outcome === 'done').length;
      await plan(handle, { date: START + hour * HOUR_MS, removeDuplicates: false });
      realNow = START + hour * HOUR_MS;
      await expect
        .poll(async () => (await outcomes()).filter((outcome) => outcome === 'done').length)
        .toBe(before + 1);
    };
    await order('reorder');
    await step('neon-foxes', 1);
    await step('quiet-harbor', 1.5);
    await poll(() => got.map(({ handle }) => handle)).toEqual(['quiet-harbor', 'neon-foxes']);
    await order('repeat');
    await step('neon-foxes', 2);
    await poll(() => got.length).toBe(4);
    expect(got[2]).toEqual(got[3]);
    await order('lost');
    await step('neon-foxes', 3);
    await order('forged');
    await step('neon-foxes', 4);
    await poll(forged).toBe(1);
    await order('late');
    await step('quiet-harbor', 5);
    expect(got).toHaveLength(4);
    realNow = START + 11 * HOUR_MS;
    await poll(() => got.length).toBe(5);
    expect(got[4]).toMatchObject({ handle: 'quiet-harbor', at: new Date(START + 5 * HOUR_MS).toISOString() });
  });

  test('go nowhere when nobody wants them', async () => {
    await plan('neon-foxes');
    realNow = START + HOUR_MS;
    await poll(reposters).toEqual(['neon-foxes']);
    expect(await sandbox.admin.webhooks()).toEqual([]);
  });
});
