/** The org a local stack starts with, on real databases. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createDatabase, type Db } from '../db/client.js';
import { ensureLogin } from '../db/logins.js';
import { createOrg } from '../db/setup.js';
import type { StackAddresses } from '../sandbox/programs.js';
import { createTestDatabase, type TestDatabase } from '../test/support/database.js';
import { DEMO_EMAILS, DEMO_ORG, seedDemoOrg } from './demo-org.js';

let database: TestDatabase;
let db: Db;

beforeEach(async () => {
  database = await createTestDatabase();
  db = createDatabase(database.adminUrl, { max: 1 });
});

afterEach(async () => {
  await db.destroy();
  await database.drop();
});

function seed() {
  const urls = { owner: database.adminUrl, api: database.apiUrl, worker: database.adminUrl };
  return seedDemoOrg({ databaseUrls: urls, sandbox: { urls: {} } } as StackAddresses);
}

async function memberNames(orgId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('soundcloud_members')
    .select('name')
    .where('org_id', '=', orgId)
    .orderBy('name')
    .execute();
  return rows.map(({ name }) => name);
}

async function orgWithMember(email: string): Promise<string> {
  const { orgId } = await createOrg(db, { name: DEMO_ORG, adminEmail: DEMO_EMAILS.admin });
  await db
    .insertInto('soundcloud_members')
    .values({ org_id: orgId, name: 'Glass Harbour', emails: [email], primary_email: email })
    .execute();
  return orgId;
}

test('an org without members gets a sample one, once', async () => {
  const first = await seed();
  const again = await seed();
  expect(first.logins.map(({ role }) => role)).toEqual(['admin', 'moderator', 'member']);
  expect(again).toEqual(first);
  expect(await memberNames(first.orgId)).toEqual(['Night Signal']);
});

test('an org that has members gets no stranger: one with a login stands for them', async () => {
  const email = 'glass-harbour@artist-spark.example';
  const orgId = await orgWithMember(email);
  const login = await ensureLogin(db, email);
  const seeded = await seed();
  expect(seeded.orgId).toBe(orgId);
  expect(seeded.logins.at(-1)).toEqual({ role: 'member (Glass Harbour)', login });
  expect(await memberNames(orgId)).toEqual(['Glass Harbour']);
});

test('an org whose members have no login is left alone: only ops can be signed in', async () => {
  const orgId = await orgWithMember('glass-harbour@artist-spark.example');
  const { logins } = await seed();
  expect(logins.map(({ role }) => role)).toEqual(['admin', 'moderator']);
  expect(await memberNames(orgId)).toEqual(['Glass Harbour']);
});
