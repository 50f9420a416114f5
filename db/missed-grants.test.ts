/** What makes an org miss its monthly grant asks for it in the same transaction (docs/decisions/0081). */
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type CreditFixture, creditFixture } from '../test/support/credits-fixture.js';
import { createTestDatabase, type TestDatabase } from '../test/support/database.js';
import { createDatabase, type Db, type Queryable, type Trx, withCaller } from './client.js';

let database: TestDatabase;
let owner: Db;
let api: Db;
let org: CreditFixture;
let orgs = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = createDatabase(database.adminUrl);
  api = createDatabase(database.apiUrl);
});
afterAll(async () => {
  await Promise.all([owner?.destroy(), api?.destroy()]);
  await database?.drop();
});
beforeEach(async () => {
  orgs += 1;
  org = await creditFixture(owner, `Missed${orgs}`);
  await org.member('T1', 1);
  await org.member('T3', 2);
});

/** Does something at a business time (ISO). */
function at<T>(moment: string, work: (trx: Trx) => Promise<T>): Promise<T> {
  return owner.transaction().execute(async (trx) => {
    await sql`select set_config('app.business_now', ${moment}, true)`.execute(trx);
    return work(trx);
  });
}

const moveTo = (timezone: string) => (db: Queryable) =>
  db.updateTable('soundcloud_settings').set({ timezone }).where('org_id', '=', org.orgId).execute();

const switchTo =
  (status: string, automation = 'monthly-credit-grant') =>
  (db: Queryable) =>
    db
      .updateTable('soundcloud_automation_health')
      .set({ status })
      .where('org_id', '=', org.orgId)
      .where('automation_name', '=', automation)
      .execute();

/** All wallets were granted a month (`YYYY-MM`) in a zone last. */
async function granted(month: string, timezone = 'UTC'): Promise<void> {
  await sql`update soundcloud_repost_credit_wallet
    set last_granted_at = (${`${month}-01`}::timestamp at time zone ${timezone})
    where org_id = ${org.orgId}`.execute(owner);
}

/** The months asked for, in the order of asking. */
async function askedFor(): Promise<unknown[]> {
  const rows = await owner
    .selectFrom('soundcloud_events')
    .select(['data', 'entity_type', 'entity_id'])
    .where('org_id', '=', org.orgId)
    .where('type', '=', 'grant.requested')
    .orderBy('seq')
    .execute();
  for (const row of rows) expect(row).toMatchObject({ entity_type: 'grant', entity_id: org.orgId });
  return rows.map(({ data }) => (data as { month: string }).month);
}

describe('an org that moves to another timezone', () => {
  it('eastwards over the first gets the month that has begun there', async () => {
    await granted('2026-05');
    await at('2026-05-31T23:00:00Z', moveTo('Europe/Berlin'));
    expect(await askedFor()).toEqual(['2026-06']);
  });

  it('over the time of day of the Schedule on the first gets the month, though both zones are in it', async () => {
    await granted('2026-05');
    await at('2026-06-01T00:02:00Z', moveTo('Asia/Tokyo'));
    expect(await askedFor()).toEqual(['2026-06']);
  });

  it('gets it when one of its wallets only misses it', async () => {
    await granted('2026-06');
    const late = await org.member('T1', 1);
    await sql`update soundcloud_repost_credit_wallet set last_granted_at = '2026-05-01T00:00:00Z'
      where member_id = ${late}`.execute(owner);
    await at('2026-06-15T12:00:00Z', moveTo('Europe/Berlin'));
    expect(await askedFor()).toEqual(['2026-06']);
  });

  it('westwards over the first gets nothing: the first comes again', async () => {
    await granted('2026-06');
    await at('2026-06-01T03:00:00Z', moveTo('America/Los_Angeles'));
    expect(await askedFor()).toEqual([]);
  });

  it('within a month that was granted, or with another setting, gets nothing', async () => {
    await granted('2026-06');
    await at('2026-06-15T12:00:00Z', moveTo('Asia/Tokyo'));
    await granted('2026-04');
    await at('2026-06-15T12:00:00Z', moveTo('Asia/Tokyo'));
    await at('2026-06-15T12:00:00Z', (trx) =>
      trx
        .updateTable('soundcloud_settings')
        .set({ watch_hours: 72 })
        .where('org_id', '=', org.orgId)
        .execute(),
    );
    expect(await askedFor()).toEqual([]);
  });

  it('gets nothing while the grant is off, and the month once it is on again', async () => {
    await granted('2026-05');
    await at('2026-05-20T12:00:00Z', switchTo('disabled'));
    await at('2026-05-31T23:00:00Z', moveTo('Europe/Berlin'));
    expect(await askedFor()).toEqual([]);
    await at('2026-06-02T12:00:00Z', switchTo('healthy'));
    expect(await askedFor()).toEqual(['2026-06']);
  });
});

describe('a grant that is switched on again', () => {
  it('is asked for when firsts passed meanwhile, in the month of the timezone', async () => {
    await granted('2026-03', 'Pacific/Kiritimati');
    await at('2026-03-15T12:00:00Z', moveTo('Pacific/Kiritimati'));
    await at('2026-03-20T12:00:00Z', switchTo('disabled'));
    await at('2026-05-31T11:00:00Z', switchTo('healthy'));
    expect(await askedFor()).toEqual(['2026-06']);
  });

  it('is asked for each time it missed something, and not when it did not', async () => {
    await granted('2026-05');
    await at('2026-05-20T12:00:00Z', switchTo('disabled'));
    await at('2026-05-21T12:00:00Z', switchTo('healthy'));
    expect(await askedFor()).toEqual([]);
    for (const month of ['2026-06', '2026-07']) {
      await at(`${month}-01T00:00:00Z`, switchTo('disabled'));
      await at(`${month}-02T00:00:00Z`, switchTo('healthy'));
    }
    expect(await askedFor()).toEqual(['2026-06', '2026-07']);
  });

  it('is not asked for by its own reports, nor by another automation', async () => {
    await granted('2026-05');
    await at('2026-06-02T12:00:00Z', switchTo('error'));
    await at('2026-06-02T12:00:00Z', switchTo('healthy'));
    await at('2026-06-02T12:00:00Z', switchTo('disabled', 'daily-queue'));
    await at('2026-06-02T12:00:00Z', switchTo('healthy', 'daily-queue'));
    expect(await askedFor()).toEqual([]);
  });
});

it('an admin does both with a client of its own', async () => {
  const asAdmin = (work: (db: Queryable) => Promise<unknown>) =>
    withCaller(api, { claims: { sub: org.adminId }, orgId: org.orgId, role: 'authenticated' }, async (db) =>
      work(db),
    );
  await granted('2026-01');
  const { rows } = await sql<{ month: string }>`
    select to_char(private.business_now() at time zone 'Asia/Tokyo', 'YYYY-MM') as month`.execute(owner);
  await asAdmin(moveTo('Asia/Tokyo'));
  await asAdmin(switchTo('disabled'));
  await asAdmin(switchTo('healthy'));
  expect(await askedFor()).toEqual([rows[0]?.month, rows[0]?.month]);
});
