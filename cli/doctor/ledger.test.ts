/** A ledger broken on purpose, past every guard: the doctor names it, and what it says repairs it. */
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { asOwner, createDatabase, type Db } from '../../db/client.js';
import { type CreditRequest, postCredits } from '../../db/credits.js';
import { type CreditFixture, creditFixture } from '../../test/support/credits-fixture.js';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.js';
import type { Finding } from './finding.js';
import { checkLedger } from './ledger.js';

let database: TestDatabase;
let owner: Db;
let network: CreditFixture;
let artist: string;
let supporter: string;
let made = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = createDatabase(database.adminUrl, { max: 2 });
  network = await creditFixture(owner, 'Broken');
});
afterAll(async () => {
  await owner.destroy();
  await database.drop();
});
beforeEach(async () => {
  expect(await checkLedger(owner)).toEqual([]);
  artist = await network.member('T4', 20);
  supporter = await network.member('T4', 5);
});

const post = (...requests: CreditRequest[]) =>
  asOwner(owner, (trx) =>
    postCredits(trx, network.orgId, requests, { at: new Date('2026-03-12T09:00:00Z') }),
  );

const wallet = (change: string) =>
  `update soundcloud_repost_credit_wallet set ${change} where member_id = '${artist}'`;

const member = (change: string) => `update soundcloud_members set ${change} where id = '${artist}'`;

/** As somebody with every right would do it who switches all guards off. */
async function breakIt(statement: string): Promise<void> {
  await owner.transaction().execute(async (trx) => {
    await sql`set local session_replication_role = replica`.execute(trx);
    await sql`alter table soundcloud_repost_credit_ledger disable trigger append_only`.execute(trx);
    await sql.raw(statement).execute(trx);
    await sql`alter table soundcloud_repost_credit_ledger enable always trigger append_only`.execute(trx);
  });
}

async function theFinding(): Promise<Finding> {
  const [finding, ...others] = await checkLedger(owner);
  expect(others).toEqual([]);
  if (finding === undefined) throw new Error('The doctor found nothing.');
  return finding;
}

/** Does what the finding says: its statement, or its manual change. */
async function followRepair({ repair }: Finding): Promise<void> {
  const statement = /`((?:update|select) .+)`/u.exec(repair)?.[1];
  if (statement !== undefined) {
    await sql.raw(statement).execute(owner);
    return;
  }
  const call = /POST \/v1\/members\/(\S+)\/credit-changes with (\{.*\})/u.exec(repair);
  if (call === null) throw new Error(`Nothing to do: ${repair}`);
  const { amount, reason } = JSON.parse(call[2] ?? '') as { amount: number; reason: string };
  made += 1;
  await post({ kind: 'manual', member_id: call[1] ?? '', amount, reason, key: `repair-${made}` });
}

async function holdOne(amount: number): Promise<string> {
  const [assignment = ''] = await network.assignments(artist, supporter, 1);
  await post({ kind: 'hold', member_id: artist, assignment_id: assignment, amount });
  return assignment;
}

test.each([
  ['balance_is_sum_of_entries', () => wallet('balance = balance + 7'), 'balance 27, entries sum to 20'],
  ['versions_gap_free', () => wallet('version = version + 3'), 'wallet at version'],
  ['held_is_sum_of_open_holds', () => wallet('held = 4'), 'held 4, open holds 0'],
  ['mirrors_agree', () => member('credits_balance = 99'), 'member shows balance 99'],
  ['mirrors_agree', () => member('net_credits = 99'), 'it is balance 20 of 60'],
  ['mirrors_agree', () => member('credits_cap = 99'), 'member shows balance 20 of 99'],
  ['mirrors_agree', () => member('credits_monthly_grant = 99'), 'grant 99'],
  ['mirrors_agree', () => member("last_grant_at = '2001-01-01T00:00:00Z'"), 'since 2001-01-01'],
  ['mirrors_agree', () => member('last_grant_at = null'), 'since never'],
  ['mirrors_agree', () => member('credits_given = 99'), 'given 99, used 0; it is'],
  ['mirrors_agree', () => member('credits_used = 99'), 'given 3, used 99; it is'],
])('%s: named, and repaired by its own sentence', async (rule, statement, detail) => {
  // The mirror follows the wallet here too: only the one rule is broken.
  await breakIt(statement());
  if (rule === 'balance_is_sum_of_entries') {
    await breakIt(
      `update soundcloud_members set credits_balance = 27, net_credits = 27 where id = '${artist}'`,
    );
  }
  const finding = await theFinding();
  expect(finding.area).toBe('ledger');
  expect(finding.problem).toContain(`${rule} is broken for member ${artist} of org ${network.orgId}: `);
  expect(finding.problem).toContain(detail);
  await followRepair(finding);
  expect(await checkLedger(owner)).toEqual([]);
});

test('what a member was given and used is counted anew from ledger and holds', async () => {
  const [captured, released] = [await holdOne(3), await holdOne(2)];
  await post(
    { kind: 'capture', assignment_id: captured },
    { kind: 'earn', member_id: supporter, assignment_id: captured, amount: 2 },
    { kind: 'release', assignment_id: released },
    { kind: 'campaign_earn', member_id: artist, reference_id: captured, amount: 4 },
    // Its reason is what somebody wrote, not what kind of entry it is.
    { kind: 'manual', member_id: artist, amount: 5, reason: 'monthly_grant', key: `looks-${artist}` },
  );
  await holdOne(1);
  const shown = (id: string) =>
    owner
      .selectFrom('soundcloud_members')
      .select(['credits_given', 'credits_used'])
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
  const before = [await shown(artist), await shown(supporter)];
  expect(before).toEqual([
    { credits_given: 7, credits_used: 3 },
    { credits_given: 5, credits_used: 0 },
  ]);
  await breakIt(`update soundcloud_members set credits_given = credits_given + 1, credits_used = credits_used + 1
    where id in ('${artist}', '${supporter}')`);
  const findings = await checkLedger(owner);
  expect(findings).toHaveLength(2);
  for (const finding of findings) await followRepair(finding);
  expect([await shown(artist), await shown(supporter)]).toEqual(before);
});

test('an entry that was changed or removed is named, and only a backup brings it back', async () => {
  await post({
    kind: 'manual',
    member_id: artist,
    amount: 3,
    reason: 'one more entry',
    key: `more-${artist}`,
  });
  const newest = `member_id = '${artist}' and version = (select max(version) from soundcloud_repost_credit_ledger where member_id = '${artist}')`;
  await breakIt(
    `update soundcloud_repost_credit_ledger set balance_after = balance_after - 2 where ${newest}`,
  );
  const changed = await theFinding();
  expect(changed.problem).toContain(`balance_chain is broken for member ${artist}`);
  expect(changed.repair).toMatch(
    new RegExp(`backup.*POST /v1/members/${artist}/credit-changes.*"amount": 2`, 'u'),
  );
  await breakIt(
    `update soundcloud_repost_credit_ledger set balance_after = balance_after + 2 where ${newest}`,
  );

  await breakIt(`create table removed_entry as select * from soundcloud_repost_credit_ledger
    where member_id = '${artist}' and version = 1;
    delete from soundcloud_repost_credit_ledger where member_id = '${artist}' and version = 1`);
  const findings = await checkLedger(owner);
  const missing = findings.find(({ problem }) => problem.includes('versions_gap_free'));
  expect(missing?.problem).toContain('has version 2, not 1');
  expect(missing?.repair).toContain('backup of soundcloud_repost_credit_ledger');
  await breakIt(
    'insert into soundcloud_repost_credit_ledger select * from removed_entry; drop table removed_entry',
  );
});

test('a supporter who was paid too much gives it back by an entry that names the assignment', async () => {
  const assignment = await holdOne(3);
  await post(
    { kind: 'capture', assignment_id: assignment },
    { kind: 'earn', member_id: supporter, assignment_id: assignment, amount: 3 },
  );
  await breakIt(`update soundcloud_credit_holds set amount = 1 where assignment_id = '${assignment}'`);
  await breakIt(`update soundcloud_members set credits_used = 1 where id = '${artist}'`);
  const finding = await theFinding();
  expect(finding.problem).toContain(`earned_within_captured is broken for assignment ${assignment}`);
  expect(finding.repair).toContain(
    `POST /v1/members/${supporter}/credit-changes with {"amount": -2, "reason": "Correction of assignment ${assignment}"}`,
  );
  await followRepair(finding);
  expect(await checkLedger(owner)).toEqual([]);
});

test('a hold that says open after its entry is set to what the ledger says', async () => {
  const assignment = await holdOne(2);
  await post({ kind: 'release', assignment_id: assignment });
  await breakIt(`update soundcloud_credit_holds set status = 'open', resolving_entry_id = null, resolved_at = null
    where assignment_id = '${assignment}'`);
  const findings = await checkLedger(owner);
  expect(findings.map(({ problem }) => problem.split(' ')[0]).sort()).toEqual([
    'held_is_sum_of_open_holds',
    'resolved_once',
  ]);
  const once = findings.find(({ problem }) => problem.startsWith('resolved_once'));
  await followRepair(once as Finding);
  expect(await checkLedger(owner)).toEqual([]);
});

test.each([
  ['completed', 'capture', 7],
  ['skipped', 'release', 5],
])(
  'the open hold of an assignment that was settled as %s is resolved by %s',
  async (status, kind, earned) => {
    const assignment = await holdOne(2);
    await sql`update soundcloud_queue_assignments set status = ${status}, settled_at = now() where id = ${assignment}`.execute(
      owner,
    );
    const finding = await theFinding();
    expect(finding.problem).toContain(`${assignment} of org ${network.orgId} is settled (${status})`);
    expect(finding.repair).toContain(`"kind":"${kind}"`);
    await followRepair(finding);
    expect(await checkLedger(owner)).toEqual([]);
    const { balance } = await owner
      .selectFrom('soundcloud_repost_credit_wallet')
      .select('balance')
      .where('member_id', '=', supporter)
      .executeTakeFirstOrThrow();
    expect(balance).toBe(earned);
  },
);

test('a credit change that waits for a second person for days is named with who must not decide it', async () => {
  const ask = (days: number) =>
    owner
      .insertInto('soundcloud_credit_change_requests')
      .values({
        org_id: network.orgId,
        member_id: artist,
        amount: 11,
        reason: 'eleven credits for the outage',
        requested_by: network.adminId,
        requested_at: sql<Date>`private.business_now() - make_interval(days => ${days}, hours => 1)`,
      })
      .returning('id')
      .executeTakeFirstOrThrow();
  await ask(2);
  const { id } = await ask(4);
  const finding = await theFinding();
  expect(finding).toEqual({
    area: 'credits',
    problem: `The credit change ${id} of org ${network.orgId} waits for a second person for 4 days.`,
    repair: expect.stringMatching(
      new RegExp(`another admin or moderator than ${network.adminId}.*/v1/credit-changes/${id}/approve`, 'u'),
    ),
  });
  await sql`delete from soundcloud_credit_change_requests`.execute(owner);
});
