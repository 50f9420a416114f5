/** The clock of a new database, and orgs made once however often they are asked for. */
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../test/support/database.js';
import { createDatabase, type Db } from './client.js';
import { readClock } from './clock.js';
import { createOrg, setClock } from './setup.js';

let database: TestDatabase;
let owner: Db;

beforeEach(async () => {
  database = await createTestDatabase();
  owner = createDatabase(database.adminUrl);
});
afterEach(async () => {
  await owner?.destroy();
  await database?.drop();
});

describe('createOrg', () => {
  it('makes org, admin and defaults once, also when asked many times at once', async () => {
    const results = await Promise.all(
      Array.from({ length: 8 }, () =>
        createOrg(owner, { name: ' Harbour ', adminEmail: 'Admin@Harbour.test' }),
      ),
    );
    expect(results.filter((result) => result.created)).toHaveLength(1);
    expect(new Set(results.map((result) => `${result.orgId} ${result.userId}`)).size).toBe(1);
    const { rows } = await sql`
      select (select count(*)::int from orgs where name = 'Harbour') as orgs,
             (select count(*)::int from memberships) as memberships,
             (select array_agg(role::text) from soundcloud_user_roles) as roles,
             (select count(*)::int from soundcloud_settings) as settings,
             (select count(*)::int from soundcloud_genre_families) as families,
             (select count(*)::int from soundcloud_subgenres) as subgenres,
             (select count(*)::int from soundcloud_email_templates) as mails,
             (select array_agg(template_key order by template_key) from soundcloud_automation_templates) as automations,
             (select array_agg(automation_name order by automation_name) from soundcloud_automation_health) as health,
             (select array_agg(type) from soundcloud_events) as events,
             (select email from auth.users) as login`.execute(owner);
    expect(rows).toEqual([
      {
        orgs: 1,
        memberships: 1,
        roles: ['admin'],
        settings: 1,
        families: 5,
        subgenres: 13,
        mails: 13,
        automations: ['campaign_tracking', 'reconnect_prompt', 'tier_promotion', 'weekly_performance_digest'],
        health: [
          'account-health',
          'daily-queue',
          'inquiry-status-emails',
          'monthly-credit-grant',
          'notification-emails',
          'queue-assignment-emails',
          'submission-status-emails',
        ],
        events: ['org.created'],
        login: 'admin@harbour.test',
      },
    ]);
  });

  it('counts credits in no mail beside a plural, since there may be one', async () => {
    await createOrg(owner, { name: 'Harbour', adminEmail: 'admin@harbour.test' });
    const { rows } = await sql<{ name: string; text: string }>`
      select name, concat(subject, body_html, body_text) as text from soundcloud_email_templates
      union all select template_key, concat(subject, body_html, body_text) from soundcloud_automation_templates`.execute(
      owner,
    );
    expect(rows.filter(({ text }) => text.includes('}} credits')).map(({ name }) => name)).toEqual([]);
    expect(rows.some(({ text }) => text.includes('Credits granted each month: {{monthly_grant}}'))).toBe(
      true,
    );
  });

  it('completes what is missing and keeps what the org made its own', async () => {
    const { orgId } = await createOrg(owner, { name: 'Harbour', adminEmail: 'admin@harbour.test' });
    await owner
      .updateTable('soundcloud_email_templates')
      .set({ subject: 'Our own words' })
      .where('name', '=', 'submission_approved')
      .execute();
    const ownLine = { body_text: 'Earns: {{credits}} credits' };
    await owner
      .updateTable('soundcloud_email_templates')
      .set(ownLine)
      .where('name', '=', 'assignment_published')
      .execute();
    await owner
      .deleteFrom('soundcloud_email_templates')
      .where('name', 'in', ['campaign_report', 'support_confirmation'])
      .execute();
    const again = await createOrg(owner, { name: 'Harbour', adminEmail: 'second@harbour.test' });
    expect(again).toMatchObject({ orgId, created: false });
    const mails = await owner
      .selectFrom('soundcloud_email_templates')
      .select(['name', 'subject'])
      .where('name', 'in', ['submission_approved', 'campaign_report'])
      .orderBy('name')
      .execute();
    expect(mails).toEqual([
      { name: 'campaign_report', subject: expect.stringContaining('{{track_name}}') },
      { name: 'submission_approved', subject: 'Our own words' },
    ]);
    const texts = await owner
      .selectFrom('soundcloud_email_templates')
      .select('body_text')
      .where('name', 'in', ['assignment_published', 'support_confirmation'])
      .orderBy('name')
      .execute();
    expect(texts).toEqual([
      ownLine,
      { body_text: expect.stringContaining('Expected reach: {{reach}} listeners') },
    ]);
    const admins = await owner.selectFrom('soundcloud_user_roles').select('user_id').execute();
    expect(admins).toHaveLength(2);
  });

  it('refuses a name, address or person that is none', async () => {
    const unusable = [
      { name: '  ', adminEmail: 'admin@harbour.test' },
      { name: 'Harbour', adminEmail: 'not an address' },
      { name: 'Harbour', adminUserId: '6b1f1c5e-0000-4000-8000-000000000002' },
    ];
    for (const org of unusable)
      await expect(createOrg(owner, org)).rejects.toMatchObject({ code: /22023|SPK01/ });
    expect(await owner.selectFrom('orgs').selectAll().execute()).toEqual([]);
  });
});

describe('setClock', () => {
  it('a database runs in real time unless told otherwise', async () => {
    const clock = await readClock(owner);
    expect(clock.daySeconds).toBe(86_400);
    expect(clock.businessStart).toBe(clock.realStart);
    const { rows } = await sql<{ apart: number }>`
      select extract(epoch from private.business_now() - clock_timestamp())::float8 as apart`.execute(owner);
    expect(Math.abs(rows[0]?.apart ?? Number.NaN)).toBeLessThan(1);
  });

  it('compresses the day of a new database, and business time runs as domain/calendar says', async () => {
    const businessStart = Date.parse('2026-03-02T06:00:00Z');
    const clock = await setClock(owner, { daySeconds: 24, businessStart });
    expect(clock).toMatchObject({ daySeconds: 24, businessStart });
    expect(await readClock(owner)).toEqual(clock);
    const { rows } = await sql<{ real: Date; business: Date }>`
      select clock_timestamp() as real, private.business_now() as business`.execute(owner);
    const [row] = rows;
    const expected = businessStart + ((row?.real.getTime() ?? 0) - clock.realStart) * 3_600;
    // Both are read in one statement, microseconds apart: 3,600 times that, and half a millisecond of rounding each.
    expect(Math.abs((row?.business.getTime() ?? 0) - expected)).toBeLessThan(10_000);
  });

  it('is fixed from the first org on', async () => {
    await setClock(owner, { daySeconds: 300 });
    await setClock(owner, { daySeconds: 600 });
    const fixed = await readClock(owner);
    await createOrg(owner, { name: 'Harbour', adminEmail: 'admin@harbour.test' });
    expect(await setClock(owner, { daySeconds: 600 })).toEqual(fixed);
    await expect(setClock(owner, { daySeconds: 300 })).rejects.toMatchObject({
      code: 'SPK01',
      message: 'clock_fixed',
    });
    await expect(owner.deleteFrom('soundcloud_clock').execute()).rejects.toMatchObject({
      message: 'clock_fixed',
    });
    await expect(sql`truncate soundcloud_clock`.execute(owner)).rejects.toMatchObject({
      message: 'clock_fixed',
    });
    expect(await readClock(owner)).toEqual(fixed);
  });

  it('refuses a day shorter than the timers can follow, and one longer than a day', async () => {
    for (const daySeconds of [23, 86_401]) {
      await expect(setClock(owner, { daySeconds })).rejects.toMatchObject({ code: '23514' });
    }
  });

  it('a transaction may work for another moment', async () => {
    const at = '2026-01-31T23:30:00.000Z';
    const business = await owner.transaction().execute(async (trx) => {
      await sql`select set_config('app.business_now', ${at}, true)`.execute(trx);
      const { rows } = await sql<{ business: Date }>`select private.business_now() as business`.execute(trx);
      return rows[0]?.business;
    });
    expect(business).toEqual(new Date(at));
  });
});
