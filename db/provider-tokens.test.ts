import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createSoundCloudClient } from '../providers/soundcloud/http-client.js';
import { SANDBOX_KEYS } from '../sandbox/systems.js';
import { createTestDatabase, type TestDatabase } from '../test/support/database.js';
import { createTestSandbox, type TestSandbox } from '../test/support/sandbox-systems.js';
import { createDatabase, type Db } from './client.js';
import { createProviderTokenStore } from './provider-tokens.js';

let database: TestDatabase;
let sandbox: TestSandbox;
/** Two workers: a pool each. */
let workers: [Db, Db];
let owner: Db;

beforeAll(async () => {
  database = await createTestDatabase();
  sandbox = await createTestSandbox();
  workers = [createDatabase(database.workerUrl, { max: 3 }), createDatabase(database.workerUrl, { max: 3 })];
  owner = createDatabase(database.adminUrl, { max: 1 });
});
afterAll(async () => {
  await Promise.all([...workers, owner].map((db) => db.destroy()));
  await database.drop();
  await sandbox.remove();
});
beforeEach(async () => {
  await sql`truncate soundcloud_provider_tokens`.execute(owner);
  await sandbox.admin.clearFaults('soundcloud');
});

const storeOf = (db: Db, clientSecret: string = SANDBOX_KEYS.soundcloudClientSecret) =>
  createProviderTokenStore(db, {
    provider: 'soundcloud',
    tokenUrl: sandbox.urls.soundcloudToken,
    clientId: SANDBOX_KEYS.soundcloudClientId,
    clientSecret,
  });

function clientOf(db: Db) {
  return createSoundCloudClient({
    apiUrl: sandbox.urls.soundcloud,
    tokenUrl: sandbox.urls.soundcloudToken,
    shortLinkUrl: sandbox.urls.soundcloudShortLinks,
    clientId: SANDBOX_KEYS.soundcloudClientId,
    clientSecret: SANDBOX_KEYS.soundcloudClientSecret,
    takeLeave: async () => ({ allowed: true }),
    tokenStore: storeOf(db),
  });
}

const ask = (db: Db) => clientOf(db).users(['soundcloud:users:1']);

test('60 starts of two workers at once ask for one token, and a later start for none', async () => {
  const before = await sandbox.admin.tokensIssued();
  await Promise.all(Array.from({ length: 60 }, (_, index) => ask(workers[index % 2] as Db)));
  await ask(workers[0]);
  expect(await sandbox.admin.tokensIssued()).toBe(before + 1);
});

test('a revoked token is renewed once for all of them', async () => {
  const clients = workers.map(clientOf);
  await Promise.all(clients.map((client) => client.users(['soundcloud:users:1'])));
  const before = await sandbox.admin.tokensIssued();
  await sandbox.admin.revokeTokens();
  await Promise.all(clients.map((client) => client.users(['soundcloud:users:1'])));
  expect(await sandbox.admin.tokensIssued()).toBe(before + 1);
});

test('a worker that fails in its turn leaves it to the next', async () => {
  await sandbox.admin.addFault('soundcloud', {
    kind: 'status',
    status: 503,
    path: '/oauth/token',
    count: 1,
  });
  const results = await Promise.allSettled([ask(workers[0]), ask(workers[1])]);
  expect(results.map((result) => result.status).sort()).toEqual(['fulfilled', 'rejected']);
  const before = await sandbox.admin.tokensIssued();
  await ask(workers[0]);
  expect(await sandbox.admin.tokensIssued()).toBe(before);
});

test('a token that was given and could not be kept serves its process all the same', async () => {
  const broken = storeOf(workers[0]);
  const client = createSoundCloudClient({
    apiUrl: sandbox.urls.soundcloud,
    tokenUrl: sandbox.urls.soundcloudToken,
    shortLinkUrl: sandbox.urls.soundcloudShortLinks,
    clientId: SANDBOX_KEYS.soundcloudClientId,
    clientSecret: SANDBOX_KEYS.soundcloudClientSecret,
    takeLeave: async () => ({ allowed: true }),
    tokenStore: {
      read: broken.read,
      renew: async (obtain) => {
        await obtain(null);
        throw new Error('The database went away.');
      },
    },
  });
  expect((await client.users(['soundcloud:users:1'])).size).toBe(0);
});

test('what the database holds is ciphertext, of no use to another app or secret, and to nobody but the worker', async () => {
  const token = { accessToken: 'access-of-mine', refreshToken: 'refresh-of-mine', expiresAt: 7 };
  await storeOf(workers[0]).renew(async () => token);
  expect(await storeOf(workers[1]).read()).toEqual(token);
  const { rows } = await sql<{
    key: string;
    ciphertext: Buffer;
  }>`select key, ciphertext from soundcloud_provider_tokens`.execute(owner);
  expect(rows).toHaveLength(1);
  const held = `${rows[0]?.key} ${rows[0]?.ciphertext.toString('latin1')}`;
  expect(held).not.toMatch(/of-mine|sandbox-app/);

  const rotated = storeOf(workers[0], 'the-next-secret');
  expect(await rotated.read()).toBeNull();
  await rotated.renew(async (kept) => {
    expect(kept).toBeNull();
    return { ...token, accessToken: 'newer' };
  });
  expect((await rotated.read())?.accessToken).toBe('newer');
  expect(await storeOf(workers[0]).read()).toBeNull();

  const api = createDatabase(database.apiUrl, { max: 1 });
  await expect(storeOf(api).read()).rejects.toMatchObject({ code: '42501' });
  await api.destroy();
  const direct = sql`select * from soundcloud_provider_tokens`.execute(workers[0]);
  await expect(direct).rejects.toMatchObject({ code: '42501' });
});
