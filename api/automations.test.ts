/** Automations and the grant that ops ask for, over HTTP, with Temporal behind. */
import { Client, Connection } from '@temporalio/client';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { countAutomations, lateAutomations, reportAutomation } from '../db/automation-health.js';
import { createDatabase, type Db, withOrg } from '../db/client.js';
import { readClock } from '../db/clock.js';
import { monthOf } from '../domain/calendar.js';
import { monthsAfter } from '../domain/grant-dates.js';
import type { ScheduledAutomation } from '../domain/scheduled-automations.js';
import { DEFAULT_SETTINGS } from '../domain/settings.js';
import { ensureOrgSchedules, scheduleIdOf } from '../outbox/schedules.js';
import { type ApiWorld, createApiWorld } from '../test/support/api-world.js';
import { monthlyCreditGrantId } from '../workflows/monthly-credit-grant/contract.js';

const GRANT = 'monthly-credit-grant';
const TASK_QUEUE = `test-automations-${process.pid}`;

let world: ApiWorld;
let worker: Db;
let connection: Connection;
let client: Client;

beforeAll(async () => {
  world = await createApiWorld({ env: { SPARK_TASK_QUEUE: TASK_QUEUE } });
  worker = createDatabase(world.database.workerUrl, { max: 2 });
  connection = await Connection.connect({ address: inject('temporalAddress') });
  client = new Client({ connection });
});

afterAll(async () => {
  await connection?.close();
  await worker?.destroy();
  await world?.remove();
});

const schedule = async () =>
  client.schedule.getHandle(scheduleIdOf(TASK_QUEUE, await readClock(world.db), world.orgId, GRANT));

const grant = async () => (await world.call('GET', `/v1/automations/${GRANT}`)).body;

const report = (error: string | null) =>
  withOrg(worker, world.orgId, (trx) => reportAutomation(trx, GRANT, error === null, error));

describe('automations', () => {
  it('are listed for ops with their health', async () => {
    const { status, body } = await world.call('GET', '/v1/automations', { as: world.moderator });
    expect(status).toBe(200);
    expect(body.data.map(({ name }) => name)).toEqual([
      'account-health',
      'daily-queue',
      'inquiry-status-emails',
      GRANT,
      'notification-emails',
      'queue-assignment-emails',
      'submission-status-emails',
    ]);
    const built = body.data.filter(({ status }) => status === 'healthy').map(({ name }) => name);
    expect(built).toEqual([
      'account-health',
      'daily-queue',
      GRANT,
      'queue-assignment-emails',
      'submission-status-emails',
    ]);
    expect(body.data.find(({ name }) => name === 'notification-emails')).toMatchObject({
      status: 'not_built',
      late: false,
      last_run_at: null,
      total_runs: 0,
      schedule: null,
    });
    expect((await world.call('GET', '/v1/automations', { as: world.member })).status).toBe(403);
    expect((await world.call('GET', '/v1/automations/nothing')).status).toBe(404);
  });

  it('have a schedule that is missing, active with its next run, or paused', async () => {
    expect((await grant()).schedule).toMatchObject({ state: 'missing', next_run_at: null });
    await ensureOrgSchedules(client, TASK_QUEUE, await readClock(world.db), {
      orgId: world.orgId,
      timezone: 'UTC',
      queueHours: DEFAULT_SETTINGS.queue_hours,
    });
    try {
      const [nextMonth] = monthsAfter(monthOf(Date.now(), 'UTC'), '2200-01');
      expect((await grant()).schedule).toEqual({
        id: `${TASK_QUEUE}:${GRANT}:${world.orgId}`,
        state: 'active',
        // On the first before five past midnight, or 03:05, it is still this month's.
        next_run_at: expect.stringMatching(
          new RegExp(`^(${nextMonth}-01T00:05:00|\\d{4}-\\d\\d-01T0[03]:05:00)`, 'u'),
        ),
      });
      await (await schedule()).pause();
      expect((await grant()).schedule).toMatchObject({ state: 'paused', next_run_at: null });
      await (await schedule()).unpause();
      await world.restart({ TEMPORAL_ADDRESS: '127.0.0.1:9' });
      expect((await grant()).schedule).toMatchObject({ state: 'unknown', next_run_at: null });
    } finally {
      await world.restart({});
    }
  });

  it('are switched off and on by admins, once each in the audit trail', async () => {
    const change = (status: string, as = world.admin) =>
      world.call('PATCH', `/v1/automations/${GRANT}`, { as, body: { status } });
    expect((await change('disabled', world.moderator)).status).toBe(403);
    expect((await change('healthy')).status).toBe(400);
    expect(await change('disabled')).toMatchObject({
      status: 200,
      body: { status: 'disabled', late: false, schedule: { state: 'active', next_run_at: null } },
    });
    await change('disabled');
    // What runs meanwhile is counted and changes nothing.
    await report(null);
    expect(await grant()).toMatchObject({ status: 'disabled', success_count: 1 });
    expect((await world.call('POST', '/v1/grants/run', { body: {} })).body).toMatchObject({
      code: 'automation_disabled',
      status: 409,
    });
    expect((await change('enabled')).body).toMatchObject({ status: 'healthy' });
    const { rows } = await sql<{ action: string }>`
      select action from soundcloud_audit_log where entity_type = 'automation' order by seq`.execute(
      world.db,
    );
    expect(rows.map(({ action }) => action)).toEqual(['automation.disable', 'automation.enable']);

    await report('away');
    expect(await grant()).toMatchObject({ status: 'warning', last_error_message: 'away' });
    // Enabling what is on hides no failure.
    expect((await change('enabled')).body).toMatchObject({ status: 'warning' });
    await report(null);
  });

  it('that nothing runs are not built, whatever an admin switches, until one of them runs', async () => {
    const name = 'inquiry-status-emails';
    const change = async (status: string) =>
      (await world.call('PATCH', `/v1/automations/${name}`, { body: { status } })).body.status;
    expect(await change('enabled')).toBe('not_built');
    expect(await change('disabled')).toBe('disabled');
    expect(await change('enabled')).toBe('not_built');
    const { rows } = await sql<{ after: unknown }>`
      select after from soundcloud_audit_log where details ->> 'name' = ${name} order by seq`.execute(
      world.db,
    );
    expect(rows).toEqual([{ after: { status: 'disabled' } }, { after: { status: 'not_built' } }]);
    await withOrg(worker, world.orgId, (trx) => reportAutomation(trx, name, true, null));
    expect((await world.call('GET', `/v1/automations/${name}`)).body).toMatchObject({
      status: 'healthy',
      total_runs: 1,
    });
    expect(await change('disabled')).toBe('disabled');
    expect(await change('enabled')).toBe('healthy');
  });

  it('that keep failing are told to admins, once a day', async () => {
    const told = async () => {
      const { rows } = await sql<{ user_id: string; message: string }>`
        select user_id, message from soundcloud_notifications
        where title = 'An automation keeps failing'`.execute(world.db);
      return rows;
    };
    await report('the first');
    await report('the second');
    expect(await told()).toEqual([]);
    await report('the third');
    await report('the fourth');
    expect(await told()).toEqual([
      { user_id: world.admin.id, message: `${GRANT} failed 3 times in a row, lastly: the third` },
    ]);
    await report(null);
    expect(await grant()).toMatchObject({ status: 'healthy', consecutive_errors: 0, error_count: 5 });
  });

  it('that are late are said to be, also in the metrics', async () => {
    const age = (days: number) =>
      sql`update soundcloud_automation_health
        set last_success_at = now() - make_interval(days => ${days}), expected_since = null
        where automation_name = ${GRANT}`.execute(world.db);
    const late = async () =>
      /^spark_automations_late\{automation="monthly-credit-grant"\} (\d+)$/mu.exec(
        await (await fetch(`${world.url}/metrics`)).text(),
      )?.[1];
    await age(31);
    expect(await grant()).toMatchObject({ late: false });
    expect(await late()).toBe('0');
    await age(33);
    expect(await grant()).toMatchObject({ late: true });
    // Both orgs have a row of that name.
    expect(await late()).toBe('2');
    const api = createDatabase(world.database.apiUrl, { max: 1 });
    try {
      expect(await countAutomations(api, [GRANT])).toEqual([
        { automation: GRANT, status: 'healthy', orgs: 2, late: 2 },
      ]);
    } finally {
      await api.destroy();
    }
    await age(0);
  });

  it('that were off count from when they were switched on, whoever did it', async () => {
    const [automation, orgId] = ['daily-queue', world.orgId];
    const set = (change: string) =>
      sql`update soundcloud_automation_health set ${sql.raw(change)}
        where org_id = ${orgId} and automation_name = ${automation}`.execute(world.db);
    const change = (status: string) =>
      world.call('PATCH', `/v1/automations/${automation}`, { body: { status } });
    const late = async () => {
      const found = await lateAutomations(worker, [automation as ScheduledAutomation]);
      const listed = (await world.call('GET', `/v1/automations/${automation}`)).body.late;
      expect(listed).toBe(found.some((row) => row.orgId === orgId));
      return listed;
    };
    await set(`last_success_at = now() - interval '5 days'`);
    expect(await late()).toBe(true);
    await change('disabled');
    expect(await late()).toBe(false);
    expect((await change('enabled')).body).toMatchObject({ status: 'healthy', late: false });
    expect(await late()).toBe(false);
    await set(`expected_since = now() - interval '37 hours'`);
    expect(await late()).toBe(true);

    await set(`status = 'disabled'`);
    await set(`status = 'healthy'`);
    expect(await late()).toBe(false);
    // What a run says of it is no switch.
    await set(`expected_since = now() - interval '37 hours'`);
    await set(`status = 'error'`);
    await set(`status = 'healthy'`);
    expect(await late()).toBe(true);
    await set(`last_success_at = now(), expected_since = null`);
  });
});

describe('a grant that ops ask for', () => {
  const run = (body: unknown, options = {}) => world.call('POST', '/v1/grants/run', { body, ...options });
  const requested = async () => {
    const { rows } = await sql<{ org_id: string; month: string }>`
      select org_id, data ->> 'month' as month from soundcloud_events
      where type = 'grant.requested' order by seq`.execute(world.db);
    return rows;
  };

  it('is taken, with where to look', async () => {
    const month = monthOf(Date.now(), 'UTC');
    const { status, headers, body } = await run({}, { as: world.moderator, key: 'once' });
    expect(status).toBe(202);
    expect(headers.get('location')).toBe(`/v1/grants/${month}`);
    expect(body).toMatchObject({ month, workflow: { id: monthlyCreditGrantId(world.orgId, month) } });
    expect((await run({}, { as: world.moderator, key: 'once' })).body).toEqual(body);
    expect(await requested()).toEqual([{ org_id: world.orgId, month }]);
    expect((await run({ month: '2026-01' })).body).toMatchObject({ month: '2026-01' });
  });

  it('is refused for a month that has not begun, and for who is not ops', async () => {
    const before = await requested();
    expect((await run({ month: '9999-12' })).body).toMatchObject({ code: 'month_not_begun', status: 422 });
    expect((await run({ month: '2026-13' })).status).toBe(400);
    expect((await run({}, { as: world.member })).status).toBe(403);
    expect(await requested()).toEqual(before);
  });
});

describe('a month that was missed', () => {
  const requested = async () => {
    const { rows } = await sql<{ month: string }>`
      select data ->> 'month' as month from soundcloud_events
      where org_id = ${world.orgId} and type = 'grant.requested' and dedupe_key like 'grant.requested:missed:%'
      order by seq`.execute(world.db);
    return rows.map(({ month }) => month);
  };

  it('is asked for when an admin enables the grant, or moves the org to another timezone', async () => {
    await sql`update soundcloud_repost_credit_wallet set last_granted_at = '2026-01-01T00:00:00Z'
      where org_id = ${world.orgId}`.execute(world.db);
    for (const status of ['disabled', 'enabled', 'enabled'])
      await world.call('PATCH', `/v1/automations/${GRANT}`, { body: { status } });
    expect(await requested()).toEqual([monthOf(Date.now(), 'UTC')]);

    const { headers } = await world.call('GET', '/v1/settings');
    const moved = await world.call('PATCH', '/v1/settings', {
      body: { timezone: 'Pacific/Kiritimati' },
      headers: { 'if-match': headers.get('etag') ?? '' },
    });
    expect(moved.status).toBe(200);
    expect(await requested()).toEqual([
      monthOf(Date.now(), 'UTC'),
      monthOf(Date.now(), 'Pacific/Kiritimati'),
    ]);
  });
});
