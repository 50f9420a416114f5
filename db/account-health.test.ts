/** Looks at accounts beside posts of credits: nobody waits for anybody in a circle. */
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CreditFixture, creditFixture } from '../test/support/credits-fixture.js';
import { createTestDatabase, type TestDatabase } from '../test/support/database.js';
import { lockConnections, openConnections, saveConnections } from './account-health.js';
import { createDatabase, type Db, withOrg } from './client.js';
import { type CreditRequest, postCredits } from './credits.js';
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

it('a page that changes the status of members does not deadlock with posts to the same members', async () => {
  const members: string[] = [];
  for (let n = 0; n < MEMBERS; n += 1) members.push(await org.member('T3', 10));
  await sql`
    insert into soundcloud_member_accounts (org_id, member_id, platform, handle)
    select ${org.orgId}, id, 'soundcloud', 'flip-' || n from unnest(${members}::uuid[]) with ordinality as m (id, n)`.execute(
    owner,
  );
  const accounts = (
    await owner
      .selectFrom('soundcloud_member_accounts')
      .select('id')
      .where('org_id', '=', org.orgId)
      .execute()
  ).map(({ id }) => id);
  await withOrg(worker, org.orgId, (trx) => openConnections(trx, org.orgId));

  const page = (n: number) =>
    withOrg(worker, org.orgId, async (trx) => {
      const status = n % 2 === 0 ? ('disconnected' as const) : ('linked' as const);
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
    select status, count(*)::int as count from soundcloud_members where org_id = ${org.orgId} group by 1`.execute(
    owner,
  );
  expect(rows).toEqual([{ status: 'active', count: MEMBERS }]);
  expect(await ledgerViolations(owner)).toEqual([]);
});
