/** Schedules of orgs on a real server: made, changed, paused, triggered, and what they start. */
import { Client, type ScheduleDescription, type ScheduleHandle, ServiceError } from '@temporalio/client';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkDatabase } from '../cli/doctor/database.js';
import { checkTemporal } from '../cli/doctor/temporal.js';
import type { Config } from '../config/config.js';
import { createLogger } from '../config/log.js';
import { readClock } from '../db/clock.js';
import { ledgerViolations } from '../db/ledger-invariants.js';
import { createOrg } from '../db/setup.js';
import { monthOf } from '../domain/calendar.js';
import { monthsAfter } from '../domain/grant-dates.js';
import { scheduledOrgs } from '../outbox/org-schedules.js';
import { restoreOrgSchedules } from '../outbox/schedules.js';
import { type RunningWorker, startWorker } from '../worker.js';
import {
  MONTHLY_CREDIT_GRANT_TYPE,
  monthlyCreditGrantId,
} from '../workflows/monthly-credit-grant/contract.js';
import { type ScheduledStartResult, scheduleId } from '../workflows/scheduled-start/contract.js';
import { eventually } from './support/review-facts.js';
import { createWorld, type World } from './support/world.js';

const GRANT = 'monthly-credit-grant';

let world: World;
let config: Config;
let worker: RunningWorker;

beforeAll(async () => {
  world = await createWorld();
  config = { ...world.config, SPARK_ORG_SCHEDULES: 'on' };
  worker = await startWorker(config, createLogger('test', 'silent'));
});

afterAll(async () => {
  await worker?.stop();
  const { client } = world;
  for await (const { scheduleId: id } of client.schedule.list())
    if (id.startsWith(`${config.SPARK_TASK_QUEUE}:`)) await client.schedule.getHandle(id).delete();
  await world?.remove();
});

const idOf = (orgId: string) => scheduleId(config.SPARK_TASK_QUEUE, orgId, GRANT);
const scheduleOf = (orgId: string): ScheduleHandle => world.client.schedule.getHandle(idOf(orgId));

async function newOrg(name: string, timezone?: string): Promise<string> {
  const { orgId } = await createOrg(world.db, { name, adminEmail: `${name}@orgs.test` });
  await eventually(`the schedule of ${name}`, () => described(orgId));
  if (timezone !== undefined) await setTimezone(orgId, timezone);
  return orgId;
}

function described(orgId: string): Promise<ScheduleDescription | undefined> {
  return scheduleOf(orgId)
    .describe()
    .catch(() => undefined);
}

async function setTimezone(orgId: string, timezone: string): Promise<void> {
  await world.db.updateTable('soundcloud_settings').set({ timezone }).where('org_id', '=', orgId).execute();
  await eventually(`the schedule in ${timezone}`, async () => {
    return (await described(orgId))?.spec.timezone === timezone;
  });
}

/** The results of the schedule's runs, oldest first, once there are so many. */
async function results(orgId: string, count: number): Promise<ScheduledStartResult[]> {
  const description = await eventually(`${count} runs of the schedule`, async () => {
    const found = await described(orgId);
    return found !== undefined && found.info.recentActions.length >= count && found;
  });
  const runs = description.info.recentActions.map(({ action }) => action.workflow);
  return Promise.all(
    runs.map(({ workflowId, firstExecutionRunId }) =>
      world.client.workflow.getHandle(workflowId, firstExecutionRunId).result(),
    ),
  );
}

const monthNow = (timezone: string) => monthOf(Date.now(), timezone);
const grantOf = (orgId: string, month: string) =>
  world.client.workflow.getHandle(monthlyCreditGrantId(orgId, month));

/** @param monthsAgo when it joined: on the first of the month so many months ago in the zone. */
async function addMember(orgId: string, timezone = 'UTC', monthsAgo = 0): Promise<string> {
  return world.db.transaction().execute(async (trx) => {
    if (monthsAgo > 0) {
      await sql`select set_config('app.business_now', ((date_trunc('month', now() at time zone ${timezone})
        - make_interval(months => ${monthsAgo})) at time zone ${timezone})::text, true)`.execute(trx);
    }
    const { id } = await trx
      .insertInto('soundcloud_members')
      .values({ org_id: orgId, name: 'Somebody' })
      .returning('id')
      .executeTakeFirstOrThrow();
    return id;
  });
}

/** Months of a member's grants in the order of its entries. */
async function grantsOf(memberId: string): Promise<string[]> {
  const rows = await world.db
    .selectFrom('soundcloud_repost_credit_ledger')
    .select(sql<string>`right(idempotency_key, 7)`.as('month'))
    .where('member_id', '=', memberId)
    .where('reference_type', '=', 'monthly_grant')
    .orderBy('version')
    .execute();
  return rows.map(({ month }) => month);
}

describe('the schedule of an org', () => {
  it('is there for an org made before the worker started, and for one made while it runs', async () => {
    const orgId = await newOrg('made-while-it-runs');
    for (const id of [world.orgId, orgId]) {
      const found = await described(id);
      expect(found?.action).toMatchObject({ args: [{ orgId: id, automations: [GRANT] }] });
      expect(found?.policies).toMatchObject({ overlap: 'ALLOW_ALL', catchupWindow: 27 * 86_400_000 });
      expect(found?.spec.calendars).toMatchObject(
        // The clocks skip 00:05 in some zones, and with it a schedule the whole month.
        [
          [0, 5],
          [3, 5],
        ].map(([hour, minute]) => ({
          hour: [{ start: hour }],
          minute: [{ start: minute }],
          dayOfMonth: [{ start: 1 }],
        })),
      );
    }
  });

  it('follows the timezone of the settings, and stays paused when the worker starts again', async () => {
    const orgId = await newOrg('moves', 'Asia/Kathmandu');
    await scheduleOf(orgId).pause('by ops');
    await setTimezone(orgId, 'Pacific/Chatham');
    await worker.stop();
    await world.db
      .updateTable('soundcloud_settings')
      .set({ timezone: 'Europe/Berlin' })
      .where('org_id', '=', orgId)
      .execute();
    await sql`update soundcloud_events set relayed_at = now() where relayed_at is null`.execute(world.db);
    worker = await startWorker(config, createLogger('test', 'silent'));
    const found = await described(orgId);
    expect(found?.state).toMatchObject({ paused: true, note: 'by ops' });
    expect(found?.spec.timezone).toBe('Europe/Berlin');
    await scheduleOf(orgId).unpause();
  });
});

describe('a run of the schedule', () => {
  it('starts the grant of the month under its id, once', async () => {
    const orgId = await newOrg('runs-twice', 'Pacific/Kiritimati');
    const month = monthNow('Pacific/Kiritimati');
    const memberId = await addMember(orgId);
    await scheduleOf(orgId).trigger();
    await results(orgId, 1);
    await grantOf(orgId, month).result();
    await scheduleOf(orgId).trigger();
    expect(await results(orgId, 2)).toMatchObject([
      { started: [monthlyCreditGrantId(orgId, month)], alreadyStarted: [], disabled: [] },
      { started: [], alreadyStarted: [monthlyCreditGrantId(orgId, month)], disabled: [] },
    ]);
    // It joined this month, with the month's grant.
    expect(await grantsOf(memberId)).toEqual([month]);
  });

  it('waits for a worker that is away', async () => {
    const orgId = await newOrg('worker-away');
    const month = monthNow('UTC');
    await worker.stop();
    await scheduleOf(orgId).trigger();
    await eventually('the run was begun', async () => {
      return (await described(orgId))?.info.recentActions.length === 1;
    });
    worker = await startWorker(config, createLogger('test', 'silent'));
    await results(orgId, 1);
    await grantOf(orgId, month).result();
  });

  it('grants three months in order that a paused schedule has missed', async () => {
    const orgId = await newOrg('paused', 'America/Los_Angeles');
    const month = monthNow('America/Los_Angeles');
    await scheduleOf(orgId).pause();
    // The member joined three months ago, with the grant of that month.
    const memberId = await addMember(orgId, 'America/Los_Angeles', 3);
    const [joined = ''] = await grantsOf(memberId);
    const missed = monthsAfter(joined, month);
    expect(missed).toHaveLength(3);

    await scheduleOf(orgId).trigger();
    await results(orgId, 1);
    const result = await grantOf(orgId, month).result();
    expect(result).toMatchObject({ months: missed.map((one) => ({ month: one, members: 1 })) });
    expect(await grantsOf(memberId)).toEqual([joined, ...missed]);
    const { rows } = await sql<{ month: string; members: number }>`
      select data ->> 'month' as month, (data ->> 'members')::int as members from soundcloud_events
      where org_id = ${orgId} and type = 'credits.granted' order by seq`.execute(world.db);
    expect(rows).toEqual(missed.map((one) => ({ month: one, members: 1 })));
    expect(await ledgerViolations(world.db)).toEqual([]);
  });

  it('starts nothing while an admin has switched the automation off', async () => {
    const orgId = await newOrg('switched-off');
    await sql`update soundcloud_automation_health set status = 'disabled'
      where org_id = ${orgId} and automation_name = ${GRANT}`.execute(world.db);
    await scheduleOf(orgId).trigger();
    expect(await results(orgId, 1)).toMatchObject([{ started: [], alreadyStarted: [], disabled: [GRANT] }]);
    await expect(grantOf(orgId, monthNow('UTC')).describe()).rejects.toThrow(/not found/i);
  });

  it('is made up for at once when the grant is on again', async () => {
    const orgId = await newOrg('on-again');
    const switchTo = (status: string) =>
      sql`update soundcloud_automation_health set status = ${status}
        where org_id = ${orgId} and automation_name = ${GRANT}`.execute(world.db);
    await switchTo('disabled');
    const memberId = await addMember(orgId, 'UTC', 2);
    const [joined = ''] = await grantsOf(memberId);
    await scheduleOf(orgId).trigger();
    expect(await results(orgId, 1)).toMatchObject([{ started: [], disabled: [GRANT] }]);
    await switchTo('healthy');
    const missed = monthsAfter(joined, monthNow('UTC'));
    await eventually('the months it missed', async () => {
      return (await grantsOf(memberId)).length === 1 + missed.length;
    });
    expect(await grantsOf(memberId)).toEqual([joined, ...missed]);
    await grantOf(orgId, monthNow('UTC')).result();

    // Off and on again: nothing was missed, and nothing is granted.
    const { runId } = await grantOf(orgId, monthNow('UTC')).describe();
    await switchTo('disabled');
    await switchTo('healthy');
    await scheduleOf(orgId).trigger();
    expect((await results(orgId, 2)).at(-1)).toMatchObject({ started: [] });
    expect((await grantOf(orgId, monthNow('UTC')).describe()).runId).toBe(runId);
    expect(await grantsOf(memberId)).toEqual([joined, ...missed]);
    expect(await ledgerViolations(world.db)).toEqual([]);
  });

  it('is made up for at once when the org has moved past its time', async () => {
    const orgId = await newOrg('moved-past');
    const memberId = await addMember(orgId, 'Pacific/Kiritimati', 1);
    const [joined = ''] = await grantsOf(memberId);
    await setTimezone(orgId, 'Pacific/Kiritimati');
    const month = monthNow('Pacific/Kiritimati');
    await eventually('the month', async () => (await grantsOf(memberId)).includes(month));
    expect(await grantsOf(memberId)).toEqual([joined, ...monthsAfter(joined, month)]);
    // The Schedule of the new zone finds it done.
    await scheduleOf(orgId).trigger();
    expect(await results(orgId, 1)).toMatchObject([
      { started: [], alreadyStarted: [monthlyCreditGrantId(orgId, month)] },
    ]);
  });

  it('is made up for at once when its Schedule was lost, at the next start of a worker', async () => {
    const orgId = await newOrg('lost');
    const memberId = await addMember(orgId, 'UTC', 2);
    const [joined = ''] = await grantsOf(memberId);
    await scheduleOf(orgId).delete();
    await worker.stop();
    worker = await startWorker(config, createLogger('test', 'silent'));
    expect(await results(orgId, 1)).toMatchObject([
      { started: [monthlyCreditGrantId(orgId, monthNow('UTC'))], disabled: [] },
    ]);
    await grantOf(orgId, monthNow('UTC')).result();
    expect(await grantsOf(memberId)).toEqual([joined, ...monthsAfter(joined, monthNow('UTC'))]);
    // The next start finds it.
    await worker.stop();
    worker = await startWorker(config, createLogger('test', 'silent'));
    expect((await described(orgId))?.info.recentActions).toHaveLength(1);
  });

  it('is made up for at once when its Schedule was lost, and the relay makes it anew', async () => {
    const orgId = await newOrg('lost-and-changed');
    const memberId = await addMember(orgId, 'UTC', 2);
    const [joined = ''] = await grantsOf(memberId);
    // The reason is another than a new zone, which asks for the grant itself.
    const generateAt = (time: string) =>
      sql`update soundcloud_settings
        set queue_hours = coalesce(queue_hours, '{}') || jsonb_build_object('generate_at', ${time}::text)
        where org_id = ${orgId}`.execute(world.db);
    await scheduleOf(orgId).delete();
    await generateAt('07:00');
    expect(await results(orgId, 1)).toMatchObject([
      { started: [monthlyCreditGrantId(orgId, monthNow('UTC'))], disabled: [] },
    ]);
    await grantOf(orgId, monthNow('UTC')).result();
    expect(await grantsOf(memberId)).toEqual([joined, ...monthsAfter(joined, monthNow('UTC'))]);

    // Lost once more, while nothing is missed: it is made, and starts nothing.
    await scheduleOf(orgId).delete();
    await generateAt('07:30');
    const found = await eventually('the schedule', () => described(orgId));
    expect(found.info.recentActions).toEqual([]);
  });

  it('is made up for when whoever made its lost Schedule anew was interrupted right after', async () => {
    const orgId = await newOrg('interrupted');
    const memberId = await addMember(orgId, 'UTC', 2);
    const [joined = ''] = await grantsOf(memberId);
    await scheduleOf(orgId).delete();
    const clock = await readClock(world.db);
    const org = (await scheduledOrgs(world.db)).find((one) => one.orgId === orgId);
    if (org === undefined) throw new Error('the org has schedules');
    // Temporal goes away once the Schedule of the grant, the first one, is made.
    let made = 0;
    const interrupted = new Client({
      connection: world.client.connection,
      interceptors: {
        schedule: [
          {
            async create(input, next) {
              if (made > 0) throw new ServiceError('14 UNAVAILABLE');
              made += 1;
              return next(input);
            },
          },
        ],
      },
    });
    const restore = (client: Client) => restoreOrgSchedules(client, config.SPARK_TASK_QUEUE, clock, org);
    await expect(restore(interrupted)).rejects.toBeInstanceOf(ServiceError);
    expect(await described(orgId)).toBeDefined();

    await restore(world.client);
    await results(orgId, 1);
    await grantOf(orgId, monthNow('UTC')).result();
    expect(await grantsOf(memberId)).toEqual([joined, ...monthsAfter(joined, monthNow('UTC'))]);
  });

  it('comes once in a month whose first 00:05 the clocks skip, and once in one with both times', async () => {
    const orgId = await newOrg('skipped', 'America/Asuncion');
    // On 2023-10-01 the clocks went from 00:00 to 01:00; on the first of November nothing happened.
    await scheduleOf(orgId).backfill([
      {
        start: new Date('2023-09-30T00:00:00Z'),
        end: new Date('2023-11-02T00:00:00Z'),
        overlap: 'ALLOW_ALL',
      },
    ]);
    const runs = await results(orgId, 3);
    expect(runs.map(({ date }) => date).sort()).toEqual(['2023-10-01', '2023-11-01', '2023-11-01']);
    expect(runs.flatMap(({ started }) => started).sort()).toEqual(
      ['2023-10', '2023-11'].map((month) => monthlyCreditGrantId(orgId, month)),
    );
    expect(runs.flatMap(({ alreadyStarted }) => alreadyStarted)).toHaveLength(1);
  });
});

describe('a grant that ops ask for', () => {
  it('is started by the relay, and runs again when it is asked for again', async () => {
    const orgId = await newOrg('asked-for');
    const month = monthNow('UTC');
    const ask = (key: string) =>
      sql`select private.write_event(${orgId}, 'grant.requested', 'grant', ${orgId}, ${JSON.stringify({ month })}::jsonb, ${key})`.execute(
        world.db,
      );
    await ask('first');
    const first = await eventually('the grant', () =>
      grantOf(orgId, month)
        .describe()
        .catch(() => undefined),
    );
    await grantOf(orgId, month).result();
    await ask('second');
    await eventually('the second run', async () => {
      return (await grantOf(orgId, month).describe()).runId !== first.runId;
    });
    await grantOf(orgId, month).result();
  });

  it('fails for a month that has not begun', async () => {
    const run = world.client.workflow.execute(MONTHLY_CREDIT_GRANT_TYPE, {
      workflowId: monthlyCreditGrantId(world.orgId, '2100-01'),
      taskQueue: config.SPARK_TASK_QUEUE,
      args: [{ orgId: world.orgId, month: '2100-01' }],
    });
    await expect(run).rejects.toMatchObject({
      cause: { cause: { type: 'not_begun', message: expect.stringMatching(/2100-01.*has not begun/) } },
    });
  });
});

describe('spark doctor', () => {
  const look = async (repair: boolean) => {
    const facts = await checkDatabase(world.database.adminUrl, { orgSchedules: true });
    const temporal = await checkTemporal(config, facts, repair);
    return [...facts.findings, ...temporal].filter(({ area }) => ['schedules', 'automations'].includes(area));
  };

  it('names schedules that are paused or missing, and makes the missing ones', async () => {
    const orgId = await newOrg('in-disorder');
    const other = await newOrg('without-schedule');
    await scheduleOf(orgId).pause();
    await scheduleOf(other).delete();
    const findings = await eventually('the list knows both', async () => {
      const found = await look(false);
      const named = (id: string) => found.some(({ problem }) => problem.includes(id));
      return named(idOf(orgId)) && named(idOf(other)) && found;
    });
    expect(findings).toEqual(
      expect.arrayContaining([
        {
          area: 'schedules',
          problem: `1 schedules of orgs are missing: ${idOf(other)}.`,
          repair: expect.stringContaining('spark doctor --repair'),
        },
        {
          area: 'schedules',
          problem: `The schedule ${idOf(orgId)} is paused.`,
          repair: expect.stringContaining(`--unpause --schedule-id '${idOf(orgId)}'`),
        },
      ]),
    );
    await look(true);
    expect((await described(other))?.spec.timezone).toBe('UTC');
    await scheduleOf(orgId).unpause();
  });

  it('names an automation that is late, and one that keeps failing', async () => {
    const orgId = await newOrg('late-and-failing');
    await sql`update soundcloud_automation_health set created_at = now() - interval '33 days'
      where org_id = ${orgId} and automation_name = ${GRANT}`.execute(world.db);
    await sql`update soundcloud_automation_health
      set status = 'error', consecutive_errors = 3, last_error_message = 'the disk is full'
      where org_id = ${orgId} and automation_name = 'notification-emails'`.execute(world.db);
    const findings = (await look(false)).filter(({ area }) => area === 'automations');
    expect(findings).toEqual([
      {
        area: 'automations',
        problem: `notification-emails of org ${orgId} failed 3 times in a row, lastly: the disk is full`,
        repair: expect.stringContaining('Correct the cause'),
      },
      {
        area: 'automations',
        problem: `${GRANT} of org ${orgId} is late: it has never succeeded.`,
        repair: expect.stringContaining('POST /v1/grants/run'),
      },
    ]);
    // One that was switched off is not late.
    await sql`update soundcloud_automation_health set status = 'disabled'
      where org_id = ${orgId}`.execute(world.db);
    expect((await look(false)).filter(({ area }) => area === 'automations')).toEqual([]);
  });
});
