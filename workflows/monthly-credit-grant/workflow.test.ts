/** The grant on a real server, with short days: what it tells, and what happens while it cannot go on. */
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ledgerViolations } from '../../db/ledger-invariants.js';
import { monthOf } from '../../domain/calendar.js';
import { monthsAfter } from '../../domain/grant-dates.js';
import type { GrantResult } from '../../domain/monthly-grant.js';
import { eventually } from '../../test/support/review-facts.js';
import { createWorld, type World } from '../../test/support/world.js';
import { MONTHLY_CREDIT_GRANT_TYPE, monthlyCreditGrantId, monthlyCreditGrantState } from './contract.js';

/** Five minutes of the network last a second here; it is morning, so that no day ends meanwhile. */
const DAY_SECONDS = 300;
const MORNING = Date.UTC(2027, 4, 10, 6);

let world: World;
const month = monthOf(MORNING, 'UTC');

beforeAll(async () => {
  world = await createWorld({ daySeconds: DAY_SECONDS, businessStart: MORNING });
  await world.startWorker();
});

afterAll(async () => {
  await world?.remove();
});

function start(which: string) {
  return world.client.workflow.start<() => Promise<GrantResult>>(MONTHLY_CREDIT_GRANT_TYPE, {
    workflowId: monthlyCreditGrantId(world.orgId, which),
    taskQueue: world.config.SPARK_TASK_QUEUE,
    args: [{ orgId: world.orgId, month: which }] as never,
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
  });
}

/** The month so many months before the present one. */
function monthsAgo(count: number): string {
  const at = new Date(`${month}-01T00:00:00Z`);
  at.setUTCMonth(at.getUTCMonth() - count);
  return at.toISOString().slice(0, 7);
}

/** Makes all members ones that were granted last so many months ago. */
async function joined(count: number): Promise<void> {
  const last = new Date(`${monthsAgo(count)}-01T00:00:00Z`);
  await sql`update soundcloud_repost_credit_wallet set last_granted_at = ${last}`.execute(world.db);
}

async function noticesTo(userId: string): Promise<{ title: string; type: string; message: string }[]> {
  return world.db
    .selectFrom('soundcloud_notifications')
    .select(['title', 'type', 'message'])
    .where('user_id', '=', userId)
    .orderBy('created_at')
    .execute();
}

/** Entries of which `when` (SQL) holds cannot be written. */
async function breakLedger(when: string): Promise<void> {
  await sql`create or replace function public.broken_ledger() returns trigger language plpgsql as $$
    begin raise exception 'the disk is full'; end $$`.execute(world.db);
  await sql
    .raw(
      `create trigger broken before insert on soundcloud_repost_credit_ledger
       for each row when (${when}) execute function public.broken_ledger()`,
    )
    .execute(world.db);
}

async function mendLedger(): Promise<void> {
  await sql`drop trigger broken on soundcloud_repost_credit_ledger`.execute(world.db);
}

const health = () =>
  world.db
    .selectFrom('soundcloud_automation_health')
    .select(['status', 'success_count', 'error_count', 'consecutive_errors', 'last_error_message'])
    .where('org_id', '=', world.orgId)
    .where('automation_name', '=', 'monthly-credit-grant')
    .executeTakeFirstOrThrow();

const waits = () =>
  world.db
    .selectFrom('soundcloud_waits')
    .select(['workflow_id', 'stage', 'waiting_on', 'how_to_act', 'due_at'])
    .execute();

describe('a grant', () => {
  it('gives nobody a second one who has joined in the month, and then tells nobody', async () => {
    await world.addMember();
    const result = await (await start(month)).result();
    expect(result).toEqual({ month, months: [], credits: 0, forfeited: 0 });
    expect(await noticesTo(world.adminId)).toEqual([]);
    expect(await health()).toMatchObject({ status: 'healthy', success_count: 1 });
  });

  it('tells ops of each month, and says so when much is forfeited', async () => {
    // T3: two credits a month up to 20; T1: one up to 3. All have their first already.
    await world.addMember({ followers: 50_000 });
    await world.addMember({ followers: 500 });
    await joined(5);
    const result = await (await start(month)).result();
    // Of the present month they have their joining grant.
    const months = monthsAfter(monthsAgo(5), monthsAgo(1));
    expect(result.months.map((one) => one.month)).toEqual(months);
    // The T2 member of the first test fills up at 6, the T1 member at 3.
    const of = (credits: number, forfeited: number) => ({ members: 3, credits, forfeited });
    expect(result.months).toMatchObject([of(4, 0), of(4, 0), of(3, 1), of(3, 1)]);
    expect(result).toMatchObject({ credits: 14, forfeited: 2 });
    for (const userId of [world.adminId, world.moderatorId]) {
      expect(await noticesTo(userId)).toEqual([
        {
          title: 'Monthly credits granted',
          type: 'success',
          message: expect.stringContaining(`${months[2]}: 3 credits to 3 members, 1 forfeited; `),
        },
      ]);
    }
    const events = await world.db
      .selectFrom('soundcloud_events')
      .select(['data', 'entity_type'])
      .where('type', '=', 'credits.granted')
      .orderBy('seq')
      .execute();
    expect(events).toEqual(result.months.map((data) => ({ data, entity_type: 'grant' })));

    await joined(5);
    const later = await (await start(month)).result();
    expect(later).toEqual({ month, months: [], credits: 0, forfeited: 0 });
    expect(await noticesTo(world.adminId)).toHaveLength(1);
    expect(await ledgerViolations(world.db)).toEqual([]);
  });

  it('warns of large forfeits', async () => {
    await joined(10);
    await (await start(month)).result();
    expect((await noticesTo(world.adminId)).at(-1)).toEqual({
      title: 'Monthly credits granted, many of them forfeited',
      type: 'warning',
      message: expect.stringMatching(/forfeited.*these members do not spend their credits/s),
    });
  });
});

describe('a grant that cannot go on', () => {
  it('says so, is tried again, and goes on when the cause is gone', { timeout: 120_000 }, async () => {
    await world.addMember();
    await joined(12);
    await breakLedger('true');
    const before = (await noticesTo(world.adminId)).length;
    const handle = await start(month);
    const inTrouble = (times: number) =>
      eventually(`trouble ${times}`, async () => {
        const { trouble } = await handle.query(monthlyCreditGrantState);
        return (trouble?.times ?? 0) >= times && (await health()).consecutive_errors >= times;
      });
    await inTrouble(1);
    expect(await health()).toMatchObject({ last_error_message: 'the disk is full (P0001)' });
    expect(await waits()).toEqual([
      {
        workflow_id: handle.workflowId,
        stage: 'trouble',
        waiting_on: 'ops',
        how_to_act: expect.stringMatching(/Failed \d times, lastly: the disk is full/),
        due_at: expect.any(Date),
      },
    ]);
    await inTrouble(3);
    expect((await health()).status).toBe('error');
    const notices = async (userId: string) => (await noticesTo(userId)).map(({ title }) => title);
    expect((await notices(world.adminId)).slice(before)).toEqual([
      'Monthly credits could not be granted',
      'An automation keeps failing',
    ]);
    expect(await notices(world.moderatorId)).not.toContain('An automation keeps failing');
    await mendLedger();
    const result = await handle.result();
    expect(result.months.length).toBeGreaterThan(0);
    expect(await health()).toMatchObject({ status: 'healthy', consecutive_errors: 0 });
    expect(await waits()).toEqual([]);
    expect(await ledgerViolations(world.db)).toEqual([]);
  });

  it('is told of as a whole by the run that takes over from a lost one', async () => {
    await joined(16);
    const months = monthsAfter(monthsAgo(16), monthsAgo(12));
    await breakLedger(`new.idempotency_key like '%:${months[2]}'`);
    const lost = await start(month);
    await eventually('two of the months', async () => {
      const { rows } = await sql<{ n: number }>`select count(distinct idempotency_key)::int as n
        from soundcloud_repost_credit_ledger where right(idempotency_key, 7) = ${months[1]}`.execute(
        world.db,
      );
      return rows[0]?.n === 4;
    });
    await eventually('the third refused', async () => (await health()).consecutive_errors >= 1);
    await lost.terminate('by mistake');
    await mendLedger();
    const result = await (await start(month)).result();
    expect(result.months.map((one) => [one.month, one.members])).toEqual(months.map((one) => [one, 4]));
    const { rows } = await sql<{ month: string }>`
      select data ->> 'month' as month from soundcloud_events
      where type = 'credits.granted' and data ->> 'month' = any (${months}) order by seq`.execute(world.db);
    expect(rows.map((row) => row.month)).toEqual(months);
    expect(await waits()).toEqual([]);
  });
});
