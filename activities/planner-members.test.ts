/** Influence Planner's list under its limit of 30 requests a minute, ours of 25, and one key for two orgs. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openConnections } from '../db/account-health.js';
import { openSweep } from '../db/account-sweeps.js';
import { createDatabase, type Db, withOrg } from '../db/client.js';
import { createTakeRequestLeave } from '../db/rate-buckets.js';
import { createOrg } from '../db/setup.js';
import { NOT_BEGUN, type PlannerProgress } from '../domain/account-sweep.js';
import { DAY_MS } from '../domain/calendar.js';
import { createInfluencePlannerClient } from '../providers/influence-planner/http-client.js';
import { bucketFor, PROVIDER_LIMITS, type TakeRequestLeave } from '../providers/rate-limit.js';
import { SANDBOX_KEYS } from '../sandbox/systems.js';
import { createTestDatabase, type TestDatabase } from '../test/support/database.js';
import { createTestSandbox, type TestSandbox } from '../test/support/sandbox-systems.js';
import type { SweepStep } from './account-profiles.js';
import { createPlannerMemberActivities } from './planner-members.js';

const DATE = '2026-03-02';
const AT = Date.parse('2026-03-02T03:00:00Z');
const PAGES = 31;
const unlimited: TakeRequestLeave = async () => ({ allowed: true });

let database: TestDatabase;
let owner: Db;
let worker: Db;
let sandbox: TestSandbox;
let orgIds: [string, string];
/** How far the vendor's clock is ahead, ms. */
let ahead = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = createDatabase(database.adminUrl, { max: 2 });
  worker = createDatabase(database.workerUrl, { max: 4 });
  sandbox = await createTestSandbox({
    plannerLimit: { requests: 30, windowMs: 60_000 },
    now: () => Date.now() + ahead,
  });
  const handles = Array.from({ length: PAGES * 25 }, (_, index) => `member-${index + 1}`);
  for (let at = 0; at < handles.length; at += 200)
    await sandbox.admin.addMembers(handles.slice(at, at + 200).map((handle) => ({ handle })));
  const orgs = [];
  for (const name of ['First', 'Second']) {
    const { orgId } = await createOrg(owner, { name, adminEmail: `${name.toLowerCase()}@ops.test` });
    // The first in the vendor's list and the last of it.
    for (const handle of ['member-1', `member-${PAGES * 25}`]) await addAccount(orgId, handle);
    await withOrg(worker, orgId, async (trx) => {
      await openConnections(trx, orgId);
      await openSweep(trx, orgId, DATE, AT);
    });
    orgs.push(orgId);
  }
  orgIds = orgs as [string, string];
});

afterAll(async () => {
  await sandbox?.remove();
  await worker?.destroy();
  await owner?.destroy();
  await database?.drop();
});

async function addAccount(orgId: string, handle: string): Promise<void> {
  await sql`
    with member as (
      insert into public.soundcloud_members (org_id, name) values (${orgId}, ${handle}) returning id
    )
    insert into public.soundcloud_member_accounts (org_id, member_id, platform, handle)
    select ${orgId}, id, 'soundcloud', ${handle} from member`.execute(owner);
}

/** One call of the activity. @param takeLeave our own bucket; without it only the vendor's limit holds. */
function step(
  orgId: string,
  progress: PlannerProgress,
  takeLeave: TakeRequestLeave = unlimited,
): Promise<SweepStep<PlannerProgress>> {
  const { sweepPlannerMembers } = createPlannerMemberActivities({
    db: worker,
    influencePlanner: createInfluencePlannerClient({
      baseUrl: `${sandbox.urls.planner}/partner/v1/`,
      username: SANDBOX_KEYS.plannerUsername,
      apiKey: SANDBOX_KEYS.plannerApiKey,
      takeLeave,
    }),
  });
  return new MockActivityEnvironment().run(sweepPlannerMembers, { orgId, date: DATE, at: AT, progress });
}

const asked = async () => (await sandbox.admin.requests('planner', '/partner/v1/*')).length;

const statusOf = async (handle: string) =>
  (
    await owner
      .selectFrom('soundcloud_member_accounts')
      .select('status')
      .where('org_id', '=', orgIds[0])
      .where('handle', '=', handle)
      .executeTakeFirst()
  )?.status;

const linkedAccounts = async (orgId: string) =>
  (
    await owner
      .selectFrom('soundcloud_member_accounts')
      .select('handle')
      .where('org_id', '=', orgId)
      .where(sql<boolean>`connection_data -> 'influence_planner' ->> 'status' = 'LINKED'`)
      .execute()
  ).length;

describe('the list of members', () => {
  it('is read within our bucket, which two orgs with one key share: the second has to wait before it asks', async () => {
    const bucket = { key: 'influence-planner', ...bucketFor(PROVIDER_LIMITS.influencePlanner) };
    const takeLeave = createTakeRequestLeave(worker, bucket);
    const before = Date.now();
    const first = await step(orgIds[0], NOT_BEGUN.planner, takeLeave);
    expect(first.stopped).toMatchObject({ kind: 'later', notBefore: expect.any(Number) });
    expect(first.progress.reading?.offset).toBe(25 * (await asked()));
    const second = await step(orgIds[1], NOT_BEGUN.planner, takeLeave);
    expect(second.stopped).toMatchObject({ kind: 'later' });
    // What one bucket holds at once (5), and the one it regains in three seconds; two buckets would give 10.
    const regained = Math.ceil((Date.now() - before) / 3_000);
    expect(await asked()).toBeLessThanOrEqual(5 + regained);
  });

  it('goes on where the vendor’s own limit cut it off, and is read to the last page', async () => {
    const first = await step(orgIds[0], NOT_BEGUN.planner);
    expect(first.stopped).toMatchObject({ kind: 'away', reason: expect.stringContaining('429') });
    const { offset = 0 } = first.progress.reading ?? {};
    expect(offset).toBeGreaterThan(0);
    expect(offset).toBeLessThan(PAGES * 25);
    expect(first.progress.done).toBe(false);
    const notBefore = first.stopped?.kind === 'away' ? first.stopped.notBefore : null;
    expect(notBefore).toBeGreaterThan(Date.now());
    expect(notBefore).toBeLessThanOrEqual(Date.now() + 61_000);

    // Another minute: the same network with a fresh window.
    await sandbox.restart();
    const rest = await step(orgIds[0], first.progress);
    expect(rest).toMatchObject({ stopped: null, progress: { done: true } });
    expect(await linkedAccounts(orgIds[0])).toBe(2);
    const cursor = await owner
      .selectFrom('soundcloud_provider_cursors')
      .selectAll()
      .where('org_id', '=', orgIds[0])
      .executeTakeFirstOrThrow();
    expect(cursor.full_sweep_on).toBe(DATE);
  });

  it('is read as far as the last change the next time, and as a whole for an account nobody looked for', async () => {
    await sandbox.restart();
    await sandbox.admin.setStatus('member-400', 'INVALID');
    const before = await asked();
    const changes = await step(orgIds[0], NOT_BEGUN.planner);
    expect(changes.progress.reading).toMatchObject({ mode: 'changes' });
    // All members joined in the same few moments, so the border itself is more than a page.
    expect((await asked()) - before).toBeLessThan(PAGES);

    await addAccount(orgIds[0], 'member-500');
    await withOrg(worker, orgIds[0], (trx) => openConnections(trx, orgIds[0]));
    await sandbox.restart();
    const whole = await step(orgIds[0], NOT_BEGUN.planner);
    expect(whole.progress.reading).toMatchObject({ mode: 'all' });
  });

  it('that is days old does not undo what a newer one said, also where it is read as a whole', async () => {
    ahead = 2 * DAY_MS;
    await sandbox.admin.setStatus('member-1', 'INVALID');
    await sandbox.restart();
    await step(orgIds[0], NOT_BEGUN.planner);
    expect(await statusOf('member-1')).toBe('reconnect');

    await addAccount(orgIds[0], 'member-600');
    await withOrg(worker, orgIds[0], (trx) => openConnections(trx, orgIds[0]));
    await sandbox.restart();
    await sandbox.admin.addFault('planner', { kind: 'stale', days: 1 });
    const old = await step(orgIds[0], NOT_BEGUN.planner);
    expect(old.progress.reading).toMatchObject({ mode: 'all' });
    await sandbox.restart();
    expect((await step(orgIds[0], old.progress)).progress.done).toBe(true);
    expect(await statusOf('member-1')).toBe('reconnect');
  });
});
