/** The daily look at every org's books: what is broken is told once, counted in the metrics, and gone with its repair. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  createReconcilerActivities,
  type LifecycleStarter,
  type ReconcilerReport,
} from '../activities/reconciler.js';
import { checkLedger } from '../cli/doctor/ledger.js';
import { createDatabase, type Db } from '../db/client.js';
import { type ApiWorld, createApiWorld } from './support/api-world.js';

let world: ApiWorld;
let worker: Db;

beforeAll(async () => {
  world = await createApiWorld();
  worker = createDatabase(world.database.workerUrl, { max: 2 });
});
afterAll(async () => {
  await worker?.destroy();
  await world?.remove();
});

async function look(): Promise<Pick<ReconcilerReport, 'violations' | 'troubled'>> {
  const { reconcile } = createReconcilerActivities({
    db: worker,
    scheduled: [],
    starter: { listedAsRunning: async () => undefined } as Partial<LifecycleStarter> as LifecycleStarter,
  });
  const { violations, troubled } = (await new MockActivityEnvironment().run(reconcile)) as ReconcilerReport;
  return { violations, troubled };
}

const gauge = async () =>
  /^spark_ledger_violations (\S+)$/mu.exec(await (await fetch(`${world.url}/metrics`)).text())?.[1];

const told = async () =>
  world.db
    .selectFrom('soundcloud_notifications')
    .select(['user_id', 'message'])
    .where('title', '=', 'Credits do not add up')
    .orderBy('created_at')
    .execute();

/** The newest look was the day before. */
async function nextDay(): Promise<void> {
  await sql`delete from soundcloud_ledger_checks c using soundcloud_ledger_checks newer
    where newer.org_id = c.org_id and newer.checked_on > c.checked_on`.execute(world.db);
  await sql`update soundcloud_ledger_checks set checked_on = checked_on - 1`.execute(world.db);
}

it('is taken once a day of the org, told to its admins once, and again and again until it is repaired', async () => {
  expect(await gauge()).toBe('Nan');
  expect(await look()).toEqual({ violations: 0, troubled: 0 });
  expect(await gauge()).toBe('0');

  await sql`update soundcloud_members set credits_used = 7, credits_given = credits_given + 1
    where id = ${world.memberId}`.execute(world.db);
  // Looked at today already.
  expect(await look()).toEqual({ violations: 0, troubled: 0 });
  expect(await gauge()).toBe('0');
  await nextDay();
  expect(await look()).toEqual({ violations: 1, troubled: 0 });
  expect(await gauge()).toBe('1');
  const notice = {
    user_id: world.admin.id,
    message: expect.stringMatching(/mirrors_agree.*`spark doctor`/u),
  };
  expect(await told()).toEqual([notice]);
  // The next day it is no news.
  await nextDay();
  expect(await look()).toMatchObject({ violations: 1 });
  expect(await told()).toEqual([notice]);

  const [finding] = await checkLedger(world.db);
  await sql.raw(/`(select .+)`/u.exec(finding?.repair ?? '')?.[1] ?? '').execute(world.db);
  // On the same day: what was broken is looked at again until it is repaired.
  expect(await look()).toMatchObject({ violations: 0 });
  expect(await gauge()).toBe('0');

  // Broken anew it is news.
  await sql`update soundcloud_members set credits_used = 7 where id = ${world.memberId}`.execute(world.db);
  await nextDay();
  await look();
  expect(await told()).toEqual([notice, notice]);
  await sql`select private.repair_mirrors(${world.orgId}, ${world.memberId})`.execute(world.db);
  await look();
});

it('keeps one org that cannot be looked at from no other', async () => {
  await nextDay();
  await sql`alter table soundcloud_ledger_checks
    add constraint broken check (org_id <> ${sql.lit(world.otherOrgId)}) not valid`.execute(world.db);
  expect(await look()).toEqual({ violations: 0, troubled: 1 });
  const { rows } = await sql<{ org_id: string; looks: number }>`
    select org_id, count(*)::int as looks from soundcloud_ledger_checks group by 1 order by looks`.execute(
    world.db,
  );
  expect(rows).toEqual([
    { org_id: world.otherOrgId, looks: 1 },
    { org_id: world.orgId, looks: 2 },
  ]);
});
