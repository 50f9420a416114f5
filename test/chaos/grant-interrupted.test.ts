/**
 * The grant of 100,000 members while its worker is killed three times and PostgreSQL restarted: each member is granted
 * once, and what is told of it is what the ledger has.
 */
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ledgerViolations } from '../../db/ledger-invariants.js';
import { monthOf } from '../../domain/calendar.js';
import type { GrantResult } from '../../domain/monthly-grant.js';
import {
  MONTHLY_CREDIT_GRANT_TYPE,
  monthlyCreditGrantId,
  monthlyCreditGrantState,
} from '../../workflows/monthly-credit-grant/contract.js';
import { eventually } from '../support/review-facts.js';
import { createWorld, type World } from '../support/world.js';
import { createGateKeeper, type GateKeeper } from './support/gates.js';
import { type OwnPostgres, ownPostgres } from './support/own-servers.js';
import { type WorkerProcesses, workerProcesses } from './support/worker-process.js';

const MEMBERS = 100_000;
/** Every so manieth wallet is full. */
const FULL_EACH = 10;
/** By tier, as the settings of a new org have them. */
const FOLLOWERS = [500, 5_000, 50_000, 500_000];
const MONTHLY_GRANTS = [1, 1, 2, 3];

let postgres: OwnPostgres;
let world: World;
let gates: GateKeeper;
let workers: WorkerProcesses;
let month: string;

beforeAll(async () => {
  postgres = await ownPostgres();
  world = await createWorld({ servers: { database: postgres.database } });
  gates = await createGateKeeper(world.database.adminUrl);
  workers = workerProcesses(world.env);
  month = monthOf(Date.now(), 'UTC');
  await addMembers();
}, 240_000);

afterAll(async () => {
  await workers?.end();
  await gates?.end();
  await world?.remove();
  await postgres?.remove();
});

/** They joined last month, so that this one is due. */
async function addMembers(): Promise<void> {
  await sql`update soundcloud_settings set timezone = 'UTC' where org_id = ${world.orgId}`.execute(world.db);
  await world.db.transaction().execute(async (trx) => {
    await sql`select set_config('app.business_now', (date_trunc('month', now(), 'UTC') - interval '1 day')::text, true)`.execute(
      trx,
    );
    await sql`
      insert into soundcloud_members (org_id, name, soundcloud_followers)
      select ${world.orgId}, 'Member ' || n, (${FOLLOWERS}::int[])[1 + n % 4]
      from generate_series(1, ${MEMBERS}) n`.execute(trx);
  });
  await sql`
    update soundcloud_repost_credit_wallet w set cap = greatest(w.balance, w.monthly_grant)
    from soundcloud_members m
    where m.org_id = w.org_id and m.id = w.member_id
      and substr(m.name, 8)::int % ${FULL_EACH} = 0`.execute(world.db);
  await sql.raw('vacuum analyze').execute(world.db);
}

/** What must come of it, from numbers alone. */
function expected(): { members: number; credits: number; forfeited: number } {
  const totals = { members: MEMBERS, credits: 0, forfeited: 0 };
  for (let n = 1; n <= MEMBERS; n += 1) {
    totals[n % FULL_EACH === 0 ? 'forfeited' : 'credits'] += MONTHLY_GRANTS[n % 4] ?? 0;
  }
  return totals;
}

async function granted(): Promise<number> {
  const { rows } = await sql<{ n: number }>`
    select count(*)::int as n from soundcloud_repost_credit_ledger
    where idempotency_key like ${`grant:%:${month}`}`.execute(world.db);
  return rows[0]?.n ?? 0;
}

function start() {
  return world.client.workflow.start<() => Promise<GrantResult>>(MONTHLY_CREDIT_GRANT_TYPE, {
    workflowId: monthlyCreditGrantId(world.orgId, month),
    taskQueue: world.config.SPARK_TASK_QUEUE,
    args: [{ orgId: world.orgId, month }] as never,
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
  });
}

/** Everything that is told of grants, and the ledger's size. */
async function told() {
  const { db, orgId } = world;
  const [events, notifications, health, waits] = await Promise.all([
    db.selectFrom('soundcloud_events').select('data').where('type', '=', 'credits.granted').execute(),
    db.selectFrom('soundcloud_notifications').select(['user_id', 'type', 'message']).execute(),
    db
      .selectFrom('soundcloud_automation_health')
      .select(['status', 'success_count', 'error_count'])
      .where('org_id', '=', orgId)
      .where('automation_name', '=', 'monthly-credit-grant')
      .executeTakeFirstOrThrow(),
    db.selectFrom('soundcloud_waits').select('stage').execute(),
  ]);
  const { rows } = await sql<{ entries: number }>`
    select count(*)::int as entries from soundcloud_repost_credit_ledger`.execute(db);
  return { events: events.map(({ data }) => data), notifications, health, waits, entries: rows[0]?.entries };
}

describe('a grant of 100,000 members', () => {
  it('with its worker killed three times and PostgreSQL restarted grants each of them once', {
    timeout: 300_000,
  }, async () => {
    let worker = await workers.start();
    const handle = await start();
    const stoppedAt: number[] = [];
    const dies = async () => {
      await worker.kill();
      stoppedAt.push(await granted());
    };

    // Somewhere, twice.
    for (const share of [0.15, 0.35]) {
      await eventually('some members are granted', async () => (await granted()) >= MEMBERS * share, 60_000);
      await dies();
      worker = await workers.start();
    }
    // In the middle of a page's transaction.
    const { rows } = await sql<{ id: string }>`
      select member_id as id from soundcloud_repost_credit_wallet where org_id = ${world.orgId}
      order by member_id offset ${Math.round(MEMBERS * 0.6) + 250} limit 1`.execute(world.db);
    const gate = await gates.close(
      'insert',
      'soundcloud_repost_credit_ledger',
      `new.member_id = '${rows[0]?.id}'`,
    );
    await eventually('a page stands before the gate', () => gate.someoneWaits(), 60_000);
    await dies();
    await gate.open();
    worker = await workers.start();

    await eventually('more members are granted', async () => (await granted()) >= MEMBERS * 0.75, 60_000);
    await postgres.stop();
    await postgres.start();
    stoppedAt.push(await granted());
    expect(stoppedAt.every((count, at) => count < MEMBERS && count > (stoppedAt[at - 1] ?? 0))).toBe(true);
    expect(worker.alive()).toBe(true);
    const view = await handle.query(monthlyCreditGrantState);
    expect(view).toMatchObject({ stage: 'granting', wallets: MEMBERS, result: null });

    const result = await handle.result();
    const totals = expected();
    expect(result).toEqual({
      month,
      months: [{ month, ...totals }],
      credits: totals.credits,
      forfeited: totals.forfeited,
    });
    const { rows: twice } = await sql`
      select member_id from soundcloud_repost_credit_ledger where reference_type = 'monthly_grant'
      group by member_id having count(*) <> 2`.execute(world.db);
    expect(twice).toEqual([]);
    const { events, notifications, health, waits, entries } = await told();
    expect(entries).toBe(2 * MEMBERS);
    expect(events).toEqual([{ month, ...totals }]);
    expect(notifications.map(({ user_id }) => user_id).sort()).toEqual(
      [world.adminId, world.moderatorId].sort(),
    );
    expect(notifications[0]?.message).toContain(
      `${totals.credits.toLocaleString('en-GB')} credits to 100,000 members`,
    );
    expect(health).toEqual({ status: 'healthy', success_count: 1, error_count: 0 });
    expect(waits).toEqual([]);
    expect(await ledgerViolations(world.db)).toEqual([]);
  });

  it('run again changes nothing', async () => {
    const before = await told();
    const result = await (await start()).result();
    expect(result).toEqual({ month, months: [], credits: 0, forfeited: 0 });
    const after = await told();
    expect(after).toEqual({ ...before, health: { ...before.health, success_count: 2 } });
  });
});
