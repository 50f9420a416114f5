/**
 * The daily sweep while its worker is killed with SIGKILL, between pages and inside one: no account is counted twice,
 * none is left out, and who was promoted is told once.
 */
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { SweepResult } from '../../domain/account-sweep.js';
import { dateOf } from '../../domain/calendar.js';
import { userUrn } from '../../sandbox/soundcloud/resources.js';
import { ACCOUNT_HEALTH_TYPE, accountHealthId } from '../../workflows/account-health/contract.js';
import { eventually } from '../support/review-facts.js';
import { createWorld, type World } from '../support/world.js';
import { createGateKeeper, type GateKeeper } from './support/gates.js';
import { type WorkerProcess, type WorkerProcesses, workerProcesses } from './support/worker-process.js';

/** Three pages of 50 and a part. */
const ACCOUNTS = 170;
const PROMOTED = 'account-100';
/** A killed worker's activity is tried again when its signs of life have been missing for 15 s. */
const RECOVERY_MS = 120_000;

let world: World;
let gates: GateKeeper;
let workers: WorkerProcesses;
let worker: WorkerProcess;

beforeAll(async () => {
  world = await createWorld();
  gates = await createGateKeeper(world.database.adminUrl);
  const handles = Array.from({ length: ACCOUNTS }, (_, index) => `account-${index + 1}`);
  await world.sandbox.admin.addUsers(
    handles.map((handle) => ({ handle, followers: handle === PROMOTED ? 2_000_000 : 500 })),
  );
  await world.sandbox.admin.addMembers(
    handles.slice(0, 30).map((handle, index) => ({ handle, status: index < 5 ? 'INVALID' : 'LINKED' })),
  );
  const rows = handles.map((handle) => ({ handle, urn: userUrn(handle) }));
  // T2 on paper, below it in truth: a sweep that counted somebody twice would show in below_tier_syncs.
  await sql`
    with given as (
      select * from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as g (handle text, urn text)
    ), members as (
      insert into public.soundcloud_members (org_id, name, emails, soundcloud_followers, soundcloud_handle)
      select ${world.orgId}, handle, array[handle || '@members.test'], 5000, handle from given
      returning id, soundcloud_handle
    )
    insert into public.soundcloud_member_accounts
      (org_id, member_id, platform, handle, follower_count, connection_data)
    select ${world.orgId}, m.id, 'soundcloud', g.handle, 5000,
      jsonb_build_object('soundcloud', jsonb_build_object('urn', g.urn, 'resolved_from', g.handle))
    from given g join members m on m.soundcloud_handle = g.handle`.execute(world.db);
  workers = workerProcesses(world.env);
  worker = await workers.start();
});

afterAll(async () => {
  await gates?.end();
  await workers?.end();
  await world?.remove();
});

const checked = async () =>
  Number(
    (
      await world.db
        .selectFrom('soundcloud_integration_status')
        .select(sql<number>`count(*)::int`.as('checked'))
        .where('checked_on', 'is not', null)
        .executeTakeFirstOrThrow()
    ).checked,
  );

async function killed(): Promise<void> {
  await worker.kill();
  worker = await workers.start();
}

it('goes on where it was, and the mail of a promotion is sent once', async () => {
  const { admin } = world.sandbox;
  const date = dateOf(Date.now(), 'UTC');
  // The second page is about to commit: everything it wrote is lost with the worker.
  const gate = await gates.close('insert', 'soundcloud_events', `new.type = 'member.promoted'`);
  const handle = await world.client.workflow.start(ACCOUNT_HEALTH_TYPE, {
    workflowId: accountHealthId(world.orgId, date),
    taskQueue: world.config.SPARK_TASK_QUEUE,
    args: [{ orgId: world.orgId, date }],
  });
  await eventually('a page stands before its commit', () => gate.someoneWaits(), RECOVERY_MS);
  const before = await checked();
  expect(before % 50).toBe(0);
  await worker.kill();
  await gate.open();
  // SoundCloud is asked for the last page when the next worker dies.
  await admin.addFault('soundcloud', { kind: 'hang', path: '/users' });
  const asked = (await admin.requests('soundcloud', '/users')).length;
  worker = await workers.start();
  await eventually(
    'SoundCloud is asked again',
    async () => (await admin.requests('soundcloud', '/users')).length > asked,
    RECOVERY_MS,
  );
  const between = await checked();
  expect(between).toBeLessThan(ACCOUNTS);
  await killed();
  await admin.clearFaults('soundcloud');

  const result: SweepResult = await handle.result();
  expect(result).toMatchObject({
    outcome: 'complete',
    counts: { checked: ACCOUNTS, promoted: 1, gone: 0, lost: 5, prompts: 5 },
  });
  expect(await checked()).toBe(ACCOUNTS);
  const { rows: standings } = await sql<{ tier: string; below: number; members: number }>`
    select size_tier as tier, below_tier_syncs as below, count(*)::int as members from public.soundcloud_members
    where org_id = ${world.orgId} group by 1, 2 order by 1`.execute(world.db);
  expect(standings).toEqual([
    { tier: 'T2', below: 1, members: ACCOUNTS - 1 },
    { tier: 'T4', below: 0, members: 1 },
  ]);
  const mails = await eventually(
    'the mails of the promotion and of five lost accounts',
    async () => {
      const sent = await admin.mails();
      return sent.length >= 6 && sent;
    },
    RECOVERY_MS,
  );
  const subjects = mails.map(({ subject }) => subject);
  expect(subjects.filter((subject) => subject === 'You are T4 now')).toHaveLength(1);
  expect(new Set(subjects).size).toBe(6);
  expect(subjects).toHaveLength(6);
});
