/** Looks at accounts beside posts of credits and other changes: nobody waits in a circle, no status stays wrong. */
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CreditFixture, creditFixture } from '../test/support/credits-fixture.js';
import { createTestDatabase, type TestDatabase } from '../test/support/database.js';
import { eventually } from '../test/support/review-facts.js';
import { lockConnections, openConnections, saveConnections } from './account-health.js';
import { createDatabase, type Db, withOrg } from './client.js';
import { type CreditRequest, lockWallets, postCredits } from './credits.js';
import { ledgerViolations } from './ledger-invariants.js';

const AT = new Date('2026-03-10T09:00:00Z');
/** As many as a page of Influence Planner's list. */
const MEMBERS = 25;
const PAGES = 40;
const BATCHES = 120;

let database: TestDatabase;
let owner: Db;
let worker: Db;
let org: CreditFixture;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = createDatabase(database.adminUrl, { max: 2 });
  worker = createDatabase(database.workerUrl, { max: 8 });
  org = await creditFixture(owner, 'Flipping');
});
afterAll(async () => {
  await worker?.destroy();
  await owner?.destroy();
  await database?.drop();
});

/** Members with an account each, in credit, and what is locked to look at their accounts. */
async function membersWithAccounts(count: number): Promise<{ members: string[]; accounts: string[] }> {
  const members: string[] = [];
  for (let n = 0; n < count; n += 1) members.push(await org.member('T3', 10));
  const { rows } = await sql<{ id: string }>`
    insert into soundcloud_member_accounts (org_id, member_id, platform, handle)
    select ${org.orgId}, id, 'soundcloud', 'flip-' || id from unnest(${members}::uuid[]) as m (id) returning id`.execute(
    owner,
  );
  await withOrg(worker, org.orgId, (trx) => openConnections(trx, org.orgId));
  return { members, accounts: rows.map(({ id }) => id) };
}

/** One look at accounts, which finds all of them in one state. */
const look = (accounts: readonly string[], status: 'linked' | 'disconnected') =>
  withOrg(worker, org.orgId, async (trx) => {
    const rows = await lockConnections(trx, org.orgId, accounts);
    const changes = rows.map(({ id, account_id, member_id }) => ({
      id,
      account_id,
      member_id,
      status,
      data: {},
      error_count: 0,
      unhealthy_since: status === 'linked' ? null : AT.toISOString(),
      reconnect_prompts: 0,
      last_error_message: null,
      succeeded: true,
      checked_on: null,
    }));
    await saveConnections(trx, org.orgId, changes, AT.getTime());
  });

it('a page that changes the status of members does not deadlock with posts to the same members', async () => {
  const { members, accounts } = await membersWithAccounts(MEMBERS);
  const page = (n: number) => look(accounts, n % 2 === 0 ? 'disconnected' : 'linked');
  const batch = (n: number) =>
    withOrg(worker, org.orgId, (trx) =>
      postCredits(
        trx,
        org.orgId,
        members.map(
          (member_id): CreditRequest => ({
            kind: 'manual',
            member_id,
            amount: n % 2 === 0 ? 1 : -1,
            reason: 'a batch',
            key: `${member_id}:${n}`,
          }),
        ),
        { at: AT, partial: true },
      ),
    );
  const inTurn = async (work: (n: number) => Promise<unknown>, count: number) => {
    for (let n = 0; n < count; n += 1) await work(n);
  };
  await Promise.all([
    inTurn(page, PAGES),
    ...[0, 1, 2].map((lane) => inTurn((n) => batch(lane * BATCHES + n), BATCHES / 3)),
  ]);
  const { rows } = await sql<{ status: string; count: number }>`
    select status, count(*)::int as count from soundcloud_members where id = any (${members}::uuid[]) group by 1`.execute(
    owner,
  );
  expect(rows).toEqual([{ status: 'active', count: MEMBERS }]);
  expect(await ledgerViolations(owner)).toEqual([]);
});

it('a status that changes beside a look is what the look corrects, also when it was right at first', async () => {
  const { members, accounts } = await membersWithAccounts(1);
  const [memberId = ''] = members;
  let done = false;
  let looked: Promise<unknown> = Promise.resolve();
  await withOrg(worker, org.orgId, async (trx) => {
    await lockWallets(trx, org.orgId, members);
    await trx
      .updateTable('soundcloud_members')
      .set({ status: 'needs_reconnect' })
      .where('id', '=', memberId)
      .execute();
    looked = look(accounts, 'linked').then(() => {
      done = true;
    });
    await eventually('the look waits, or went past', async () => {
      const { rows } = await sql`
        select from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`.execute(owner);
      return done || rows.length > 0;
    });
  });
  await looked;
  const { status } = await owner
    .selectFrom('soundcloud_members')
    .select('status')
    .where('id', '=', memberId)
    .executeTakeFirstOrThrow();
  expect(status).toBe('active');
});
