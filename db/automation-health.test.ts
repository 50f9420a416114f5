/** From when on an automation is late, as the database counts it. */
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { creditFixture } from '../test/support/credits-fixture.js';
import { createTestDatabase, type TestDatabase } from '../test/support/database.js';
import { lateAutomations } from './automation-health.js';
import { createDatabase, type Db } from './client.js';

const SUCCESS = '2026-03-10T13:00:00Z';

let database: TestDatabase;
let owner: Db;
let orgId: string;
let orgs = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = createDatabase(database.adminUrl, { max: 2 });
});
afterAll(async () => {
  await owner?.destroy();
  await database?.drop();
});
beforeEach(async () => {
  orgs += 1;
  ({ orgId } = await creditFixture(owner, `Late${orgs}`));
});

/** Does something at a business time, so many hours after the last success. */
function at<T>(hours: number, work: (trx: Db) => Promise<T>): Promise<T> {
  const moment = new Date(Date.parse(SUCCESS) + hours * 3_600_000).toISOString();
  return owner.transaction().execute(async (trx) => {
    await sql`select set_config('app.business_now', ${moment}, true)`.execute(trx);
    return work(trx);
  });
}

const succeed = () =>
  sql`update soundcloud_automation_health set last_success_at = ${SUCCESS}, expected_since = null where org_id = ${orgId}`.execute(
    owner,
  );
const moveTo = (timezone: string) => (db: Db) =>
  db.updateTable('soundcloud_settings').set({ timezone }).where('org_id', '=', orgId).execute();
const isLateAfter = (hours: number) =>
  at(hours, async (db) => {
    const late = await lateAutomations(db, ['account-health']);
    return late.some((row) => row.orgId === orgId);
  });

it('36 hours after its last success', async () => {
  await succeed();
  expect(await isLateAfter(36)).toBe(false);
  expect(await isLateAfter(37)).toBe(true);
});

it('36 hours after it was switched on again, by whom ever, but not after its own runs', async () => {
  await succeed();
  const become = (status: string) => (db: Db) =>
    db.updateTable('soundcloud_automation_health').set({ status }).where('org_id', '=', orgId).execute();
  await at(10, become('disabled'));
  expect(await isLateAfter(100)).toBe(false);
  await at(100, become('healthy'));
  await at(110, become('error'));
  await at(120, become('healthy'));
  expect(await isLateAfter(136)).toBe(false);
  expect(await isLateAfter(137)).toBe(true);
});

it('as many hours later as an org moved west: the same date begins there anew', async () => {
  // Three in the morning of the eleventh there, and 25 hours later in Pago Pago.
  await moveTo('Pacific/Kiritimati')(owner);
  await succeed();
  await at(1, moveTo('Pacific/Pago_Pago'));
  expect(await isLateAfter(36 + 25)).toBe(false);
  expect(await isLateAfter(36 + 26)).toBe(true);
  // Back again, it was to run earlier: its last success counts.
  await at(2, moveTo('Pacific/Kiritimati'));
  expect(await isLateAfter(36)).toBe(false);
  expect(await isLateAfter(37)).toBe(true);
});

it('from the move on when it never succeeded', async () => {
  await at(50, moveTo('Europe/Berlin'));
  expect(await isLateAfter(80)).toBe(false);
  expect(await isLateAfter(87)).toBe(true);
});
