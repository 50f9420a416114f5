/** Months of grants in the zones of orgs: what SQL takes for a month is what its calendar says. */
import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dateOf, monthOf, startOfDate } from '../domain/calendar.js';
import { monthAfter, nextGrantDate } from '../domain/grant-dates.js';
import { addPage, beginGrant } from '../domain/monthly-grant.js';
import { creditFixture } from '../test/support/credits-fixture.js';
import { createTestDatabase, type TestDatabase } from '../test/support/database.js';
import { eventually } from '../test/support/review-facts.js';
import { asOwner, createDatabase, type Db, withOrg } from './client.js';
import { type CreditRequest, type GrantPage, postCredits } from './credits.js';
import { ledgerViolations } from './ledger-invariants.js';
import { grantedMonths, grantNextPages, walletsToGrant } from './monthly-grants.js';
import { findWallet } from './wallets.js';

/** East and west of UTC to the ends, with odd offsets and clock changes at midnight and on firsts of months. */
const ZONES = [
  'UTC',
  'Europe/Berlin',
  'Asia/Kathmandu',
  'Asia/Beirut',
  'Australia/Lord_Howe',
  'Pacific/Kiritimati',
  'Pacific/Pago_Pago',
  'America/St_Johns',
  'America/Havana',
  'America/Asuncion',
  'Atlantic/Azores',
];

let database: TestDatabase;
let owner: Db;
let worker: Db;
let fixture: Awaited<ReturnType<typeof creditFixture>>;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = createDatabase(database.adminUrl);
  worker = createDatabase(database.workerUrl);
  fixture = await creditFixture(owner, 'Months');
});

afterAll(async () => {
  await Promise.all([owner?.destroy(), worker?.destroy()]);
  await database?.drop();
});

const monthName = (index: number) => `${Math.floor(index / 12)}-${String((index % 12) + 1).padStart(2, '0')}`;

async function setTimezone(timezone: string): Promise<void> {
  await owner
    .updateTable('soundcloud_settings')
    .set({ timezone })
    .where('org_id', '=', fixture.orgId)
    .execute();
}

/** Grants as a run does. @returns the months it posted. */
async function run(timezone: string, month: string, at: Date): Promise<string[]> {
  const { orgId } = fixture;
  const { oldest } = await withOrg(worker, orgId, (trx) => walletsToGrant(trx, orgId));
  let progress = beginGrant(oldest?.getTime() ?? null, timezone, month);
  while (progress.month !== null) {
    const page = { orgId, month: progress.month, after: progress.after, limit: 500, at };
    progress = addPage(progress, await grantNextPages(worker, page, 2), month);
  }
  const granted = await withOrg(worker, orgId, (trx) => grantedMonths(trx, orgId, at));
  return granted.map(({ month: name }) => name);
}

describe('a month in SQL', () => {
  it('is the month of the calendar, and begins on its first day', async () => {
    // Up to the clock changes that every copy of the time zone database knows.
    const instants = fc.integer({ min: Date.UTC(2000, 0, 1), max: Date.UTC(2024, 8, 1) });
    const firsts = fc
      .record({ month: fc.integer({ min: 24_000, max: 24_290 }), hours: fc.integer({ min: -30, max: 30 }) })
      .map(({ month, hours }) => Date.UTC(Math.floor(month / 12), month % 12, 1, hours, 5));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(instants, firsts), { minLength: 50, maxLength: 50 }),
        fc.constantFrom(...ZONES),
        async (list, zone) => {
          const { rows } = await sql<{ month: string; start: Date }>`
            select month, (month || '-01')::timestamp at time zone ${zone} as start
            from unnest(${list.map((at) => new Date(at))}::timestamptz[]) with ordinality as given (at, n)
            cross join lateral (select to_char(given.at at time zone ${zone}, 'YYYY-MM') as month) as named
            order by n`.execute(owner);
          expect(rows.map((row) => row.month)).toEqual(list.map((at) => monthOf(at, zone)));
          for (const { month, start } of rows) {
            expect(dateOf(start.getTime(), zone), `${month} in ${zone}`).toBe(`${month}-01`);
            // A midnight that comes twice: SQL takes the second, an hour later.
            const late = start.getTime() - startOfDate(`${month}-01`, zone);
            expect([0, 3_600_000], `${month} in ${zone}`).toContain(late);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});

/** What the member is told: the date of the next grant; with it the wallet and the mirror. */
async function shown(memberId: string, timezone: string) {
  const { orgId } = fixture;
  const wallet = await findWallet(owner, orgId, memberId, timezone);
  if (wallet === undefined) throw new Error('The member has no wallet.');
  const { last_grant_at } = await owner
    .selectFrom('soundcloud_members')
    .select('last_grant_at')
    .where('id', '=', memberId)
    .executeTakeFirstOrThrow();
  const { last_granted_at, month_after_granted, version } = wallet;
  expect(last_grant_at).toEqual(last_granted_at);
  return { next: nextGrantDate(last_granted_at.getTime(), timezone, month_after_granted), version };
}

describe('a run', () => {
  it('grants each month since the last one, once and in order, also when the org moves to another zone', async () => {
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(
        // From before the members joined, so that no month has its grant yet.
        fc.integer({ min: 2_000 * 12, max: 2_024 * 12 }),
        fc.integer({ min: 1, max: 5 }),
        fc.constantFrom(...ZONES),
        fc.constantFrom(...ZONES),
        async (last, count, zone, otherZone) => {
          runs += 1;
          const at = (n: number) => new Date(Date.UTC(2030, 0, runs, n));
          const memberId = await fixture.member('T3', 2);
          await setTimezone(zone);
          const { version: first } = await shown(memberId, zone);
          // The others are far ahead.
          await sql`update soundcloud_repost_credit_wallet
            set last_granted_at = case when member_id = ${memberId}
              then (${`${monthName(last)}-01`}::timestamp at time zone ${zone}) else '2100-01-01' end
            where org_id = ${fixture.orgId}`.execute(owner);
          const until = monthName(last + count);
          const expected = Array.from({ length: count }, (_, n) => monthName(last + 1 + n));
          expect(await run(zone, until, at(1))).toEqual(expected);

          const entries = await owner
            .selectFrom('soundcloud_repost_credit_ledger')
            .select(sql<string>`right(idempotency_key, 7)`.as('month'))
            .where('member_id', '=', memberId)
            .where('occurred_at', '=', at(1))
            .orderBy('version')
            .execute();
          expect(entries.map(({ month }) => month)).toEqual(expected);

          expect(await run(zone, until, at(2))).toEqual([]);
          await setTimezone(otherZone);
          const due = { next: `${monthAfter(until)}-01`, version: entries.length + first };
          expect(await shown(memberId, otherZone), `from ${zone} to ${otherZone}`).toEqual(due);
          expect(await run(otherZone, until, at(3)), `from ${zone} to ${otherZone}`).toEqual([]);
          expect(await shown(memberId, otherZone), `from ${zone} to ${otherZone}`).toEqual(due);
          // The wallet says so by itself: nobody has to look for the grant's key any more.
          const { oldest } = await withOrg(worker, fixture.orgId, (trx) =>
            walletsToGrant(trx, fixture.orgId),
          );
          expect(monthOf(oldest?.getTime() ?? 0, otherZone), `from ${zone} to ${otherZone}`).toBe(until);
          const next = monthName(last + count + 1);
          expect(await run(otherZone, next, at(4)), `from ${zone} to ${otherZone}`).toEqual([next]);
        },
      ),
      { numRuns: 40 },
    );
    expect(await ledgerViolations(owner)).toEqual([]);
  });
});

describe('pages at once', () => {
  const LIMIT = 3;
  /** After the one everybody joined in. */
  const MONTH = '2031-01';
  const AT = new Date('2031-01-01T00:05:00Z');
  /** Members of an org of their own, in the order of their ids. */
  async function network(name: string, count: number) {
    const { orgId, member } = await creditFixture(owner, name);
    const ids: string[] = [];
    for (let n = 0; n < count; n += 1) ids.push(await member('T3', 2));
    return { orgId, ids: ids.sort() };
  }
  type Network = Awaited<ReturnType<typeof network>>;
  const pages = ({ orgId }: Network, after: string | null, count = 2) =>
    grantNextPages(worker, { orgId, month: MONTH, after, limit: LIMIT, at: AT }, count);

  /** All pages of a run. @returns how many members it granted. */
  async function wholeMonth(members: Network, count = 2): Promise<number> {
    let granted = 0;
    let after: string | null = null;
    do {
      const done: GrantPage = await pages(members, after, count);
      granted += done.granted;
      after = done.next;
    } while (after !== null);
    return granted;
  }

  async function grantsOf({ orgId }: Network): Promise<Record<string, number>> {
    const { rows } = await sql<{ member_id: string; grants: number }>`
      select member_id, count(*)::int as grants from soundcloud_repost_credit_ledger
      where org_id = ${orgId} and reference_type = 'monthly_grant' and right(idempotency_key, 7) = ${MONTH}
      group by 1`.execute(owner);
    return Object.fromEntries(rows.map(({ member_id, grants }) => [member_id, grants]));
  }
  const once = ({ ids }: Network) => Object.fromEntries(ids.map((id) => [id, 1]));

  it('follow each other in the order of the members', async () => {
    const wide = await network('pairs', 4 * LIMIT + 1);
    const first = await pages(wide, null);
    expect(first).toMatchObject({ granted: 2 * LIMIT, next: wide.ids[2 * LIMIT - 1] });
    const second = await pages(wide, first.next);
    expect(second).toMatchObject({ granted: 2 * LIMIT, next: wide.ids[4 * LIMIT - 1] });
    expect(await pages(wide, second.next)).toMatchObject({ granted: 1, next: null });
    expect(await pages(wide, null)).toEqual({ granted: 0, credits: 0, forfeited: 0, next: null });
    expect(await grantsOf(wide)).toEqual(once(wide));
  });

  it('are as many as there are, in whatever order they end', async () => {
    const wide = await network('lanes', 8 * LIMIT + 1);
    expect(await pages(wide, null, 7)).toMatchObject({ granted: 7 * LIMIT, next: wide.ids[7 * LIMIT - 1] });
    expect(await pages(wide, wide.ids[7 * LIMIT - 1] ?? null, 7)).toMatchObject({
      granted: LIMIT + 1,
      next: null,
    });
    expect(await grantsOf(wide)).toEqual(once(wide));
  });

  it('end with the last member, be the second page full, begun or not needed', async () => {
    for (const count of [0, 1, LIMIT, LIMIT + 1, 2 * LIMIT]) {
      const small = await network(`small-${count}`, count);
      expect(await wholeMonth(small)).toBe(count);
      expect(await grantsOf(small)).toEqual(once(small));
    }
  });

  it('take a wallet as a post that was at it left it', async () => {
    const org = await network('waiting', LIMIT + 1);
    const [spender = '', , receiver = ''] = org.ids;
    const change = (member_id: string, amount: number) =>
      ({
        kind: 'manual',
        member_id,
        amount,
        reason: 'while the grant waits',
        key: `waiting:${member_id}`,
      }) as const;
    let granting: Promise<number> | undefined;
    await withOrg(worker, org.orgId, async (trx) => {
      await postCredits(trx, org.orgId, [change(spender, -1), change(receiver, 3)], { at: AT });
      granting = wholeMonth(org);
      await eventually('the page waits for the post', async () => {
        const { rows } = await sql`select from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock' and query like '%grant_month_page%'`.execute(
          owner,
        );
        return rows.length > 0;
      });
    });
    expect(await granting).toBe(LIMIT + 1);
    expect(await grantsOf(org)).toEqual(once(org));
    expect(await ledgerViolations(owner)).toEqual([]);
  });

  it('are whole where a run takes up what another had begun', async () => {
    const begun = await network('begun', 4 * LIMIT);
    await pages(begun, null);
    expect(await pages(begun, null)).toMatchObject({ granted: 2 * LIMIT, next: begun.ids[4 * LIMIT - 1] });
    expect(await grantsOf(begun)).toEqual(once(begun));
  });

  it('leave nobody out and grant nobody twice when several runs are at it', async () => {
    const busy = await network('busy', 10 * LIMIT + 2);
    const granted = await Promise.all([1, 2, 4, 12].map((count) => wholeMonth(busy, count)));
    expect(granted.reduce((sum, count) => sum + count, 0)).toBe(busy.ids.length);
    expect(await grantsOf(busy)).toEqual(once(busy));
    expect(await ledgerViolations(owner)).toEqual([]);
  });
});

describe('the months of a run', () => {
  it('are of grants of its own instant and org, not of what else moved credits then', async () => {
    const [mine, theirs] = [await creditFixture(owner, 'report'), await creditFixture(owner, 'others')];
    const at = new Date('2031-02-01T00:05:00Z');
    const [first, second] = [await mine.member('T3', 2), await mine.member('T3', 2)];
    const stranger = await theirs.member('T3', 2);
    const post = (orgId: string, requests: CreditRequest[], when = at) =>
      asOwner(owner, (trx) => postCredits(trx, orgId, requests, { at: when }));
    const grant = (member_id: string, month: string) => ({ kind: 'grant', member_id, month }) as const;
    await post(mine.orgId, [grant(first, '2031-01'), grant(first, '2031-02'), grant(second, '2031-02')]);
    await post(mine.orgId, [
      { kind: 'manual', member_id: first, amount: 1, reason: 'a start in life', key: 'ends like 2031-02' },
    ]);
    await post(mine.orgId, [grant(second, '2031-03')], new Date(at.getTime() + 1));
    await post(theirs.orgId, [grant(stranger, '2031-02')]);
    const months = await asOwner(owner, (trx) => grantedMonths(trx, mine.orgId, at));
    expect(months.map(({ month, members }) => [month, Number(members)])).toEqual([
      ['2031-01', 1],
      ['2031-02', 2],
    ]);
    const wallets = await asOwner(owner, (trx) => walletsToGrant(trx, mine.orgId));
    expect(Number(wallets.wallets)).toBe(2);
  });
});
