/** private.post_credits: idempotent, concurrent, append-only, and the books always add up. */
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type CreditFixture, creditFixture } from '../test/support/credits-fixture.js';
import { createTestDatabase, type TestDatabase } from '../test/support/database.js';
import { eventually } from '../test/support/review-facts.js';
import { createDatabase, type Db, type Queryable, type Trx, withOrg } from './client.js';
import { type CreditRequest, grantPage, postCredits } from './credits.js';
import { jsonb } from './json.js';
import { ledgerViolations } from './ledger-invariants.js';

const AT = new Date('2026-03-10T09:00:00Z');

let database: TestDatabase;
let owner: Db;
let worker: Db;
let org: CreditFixture;
let orgs = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = createDatabase(database.adminUrl);
  worker = createDatabase(database.workerUrl, { max: 20 });
});
afterAll(async () => {
  await worker?.destroy();
  await owner?.destroy();
  await database?.drop();
});
beforeEach(async () => {
  orgs += 1;
  org = await creditFixture(owner, `Ledger${orgs}`);
});
afterEach(async () => {
  expect(await ledgerViolations(owner)).toEqual([]);
});

const post = (requests: CreditRequest[], partial = false) =>
  withOrg(worker, org.orgId, (trx) => postCredits(trx, org.orgId, requests, { at: AT, partial }));

async function walletOf(memberId: string) {
  return owner
    .selectFrom('soundcloud_repost_credit_wallet')
    .select(['balance', 'held', 'cap', 'version'])
    .where('member_id', '=', memberId)
    .executeTakeFirstOrThrow();
}

const tierTo = (memberId: string, tier: string, followers: number, accountId: string | null = null) =>
  withOrg(worker, org.orgId, (trx) =>
    sql`select * from private.apply_follower_sync(${org.orgId}, ${jsonb([
      { member_id: memberId, account_id: accountId, followers, size_tier: tier, below_tier_syncs: 0 },
    ])}, ${AT})`.execute(trx),
  );

/** A hundred changes that write the member for other reasons than credits: tiers, followers, genres, own columns. */
async function changesOf(memberId: string): Promise<(() => Promise<unknown>)[]> {
  const { id: accountId } = await owner
    .insertInto('soundcloud_member_accounts')
    .values({ org_id: org.orgId, member_id: memberId, platform: 'soundcloud', handle: 'low-tide' })
    .returning('id')
    .executeTakeFirstOrThrow();
  const genres = await owner
    .selectFrom('soundcloud_subgenres')
    .select(['id', 'family_id'])
    .where('org_id', '=', org.orgId)
    .execute();
  return Array.from({ length: 100 }, (_, n) => () => {
    const genre = genres[n % genres.length];
    switch (n % 4) {
      case 0:
        return tierTo(memberId, n % 8 === 0 ? 'T4' : 'T3', 40_000 + n, accountId);
      case 1:
        return owner
          .updateTable('soundcloud_member_accounts')
          .set({ follower_count: 50_000 + n })
          .where('id', '=', accountId)
          .execute();
      case 2:
        return owner
          .insertInto('soundcloud_member_genres')
          .values({
            org_id: org.orgId,
            member_id: memberId,
            genre_family_id: genre?.family_id ?? '',
            subgenre_id: genre?.id ?? '',
          })
          .onConflict((conflict) => conflict.doNothing())
          .execute();
      default:
        return owner
          .updateTable('soundcloud_members')
          .set({ genre_notes: `note ${n}` })
          .where('id', '=', memberId)
          .execute();
    }
  });
}

async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown as { code?: string; message: string; detail?: string },
  );
  expect(error?.code).toBe('SPK01');
  // Says what to do next, not only what is wrong.
  expect(error?.detail ?? '').toMatch(/\w+.*\./);
  return error?.message ?? '';
}

describe('a new member', () => {
  it('has a wallet of its tier and one grant for the month', async () => {
    const { id } = await owner
      .insertInto('soundcloud_members')
      .values({ org_id: org.orgId, name: 'Tape Garden', soundcloud_followers: 12_000 })
      .returning('id')
      .executeTakeFirstOrThrow();
    expect(await walletOf(id)).toEqual({ balance: 2, held: 0, cap: 20, version: 1 });
    const [entry] = await owner
      .selectFrom('soundcloud_repost_credit_ledger')
      .selectAll()
      .where('member_id', '=', id)
      .execute();
    expect(entry).toMatchObject({
      reason: 'monthly_grant',
      reference_type: 'monthly_grant',
      balance_after: 2,
    });
    expect(entry?.idempotency_key).toMatch(new RegExp(`^grant:${id}:\\d{4}-\\d{2}$`));
    const member = await owner
      .selectFrom('soundcloud_members')
      .select(['size_tier', 'credits_balance', 'credits_cap', 'credits_monthly_grant', 'credits_given'])
      .where('id', '=', id)
      .executeTakeFirst();
    expect(member).toEqual({
      size_tier: 'T3',
      credits_balance: 2,
      credits_cap: 20,
      credits_monthly_grant: 2,
      credits_given: 2,
    });
  });
});

describe('a hold', () => {
  it('takes the price, and a capture pays the supporter from it', async () => {
    const artist = await org.member('T3', 10);
    const supporter = await org.member('T2', 1);
    const [assignment = ''] = await org.assignments(artist, supporter, 1);
    const [hold] = await post([{ kind: 'hold', member_id: artist, assignment_id: assignment, amount: 4 }]);
    expect(hold).toMatchObject({
      key: `hold:${assignment}`,
      change_amount: -4,
      balance_after: 6,
      replayed: false,
    });
    expect(await walletOf(artist)).toMatchObject({ balance: 6, held: 4 });
    const results = await post([
      { kind: 'capture', assignment_id: assignment },
      { kind: 'earn', member_id: supporter, assignment_id: assignment, amount: 4 },
    ]);
    expect(results.map((result) => [result.key, result.change_amount, result.forfeited])).toEqual([
      [`resolve:${assignment}`, 0, 0],
      [`earn:${assignment}`, 4, 0],
    ]);
    expect(await walletOf(artist)).toMatchObject({ balance: 6, held: 0 });
    expect(await walletOf(supporter)).toMatchObject({ balance: 5 });
    const used = await owner
      .selectFrom('soundcloud_members')
      .select(['credits_used', 'credits_balance', 'net_credits'])
      .where('id', '=', artist)
      .executeTakeFirst();
    expect(used).toEqual({ credits_used: 4, credits_balance: 6, net_credits: 6 });
    const reasons = await owner
      .selectFrom('soundcloud_repost_credit_ledger')
      .select(['reason', 'reference_type'])
      .where('reference_id', '=', assignment)
      .orderBy('reason')
      .execute();
    expect(reasons).toEqual([
      { reason: 'capture', reference_type: 'schedule' },
      { reason: 'repost_earned', reference_type: 'schedule' },
      { reason: 'schedule', reference_type: 'schedule' },
    ]);
  });

  it('goes back whole, and is resolved once', async () => {
    const artist = await org.member('T1', 3);
    const [assignment = ''] = await org.assignments(artist, artist, 1);
    await post([{ kind: 'hold', member_id: artist, assignment_id: assignment, amount: 3 }]);
    const [release] = await post([{ kind: 'release', assignment_id: assignment }]);
    expect(release).toMatchObject({ change_amount: 3, balance_after: 3 });
    expect(await refusal(post([{ kind: 'capture', assignment_id: assignment }]))).toBe(
      'idempotency_mismatch',
    );
    expect(await post([{ kind: 'release', assignment_id: assignment }])).toMatchObject([
      { replayed: true, entry_id: release?.entry_id },
    ]);
    expect(
      await refusal(post([{ kind: 'earn', member_id: artist, assignment_id: assignment, amount: 1 }])),
    ).toBe('not_captured');
  });

  it('never lets anybody earn more than it held', async () => {
    const artist = await org.member('T3', 5);
    const supporter = await org.member('T3', 2);
    const [assignment = ''] = await org.assignments(artist, supporter, 1);
    await post([{ kind: 'hold', member_id: artist, assignment_id: assignment, amount: 2 }]);
    expect(
      await refusal(
        post([
          { kind: 'capture', assignment_id: assignment },
          { kind: 'earn', member_id: supporter, assignment_id: assignment, amount: 3 },
        ]),
      ),
    ).toBe('not_captured');
    expect(await walletOf(artist)).toMatchObject({ held: 2 });
  });
});

describe('the same request again', () => {
  it('gives the first result and changes nothing', async () => {
    const member = await org.member('T3', 5);
    const request: CreditRequest = {
      kind: 'manual',
      member_id: member,
      amount: 2,
      reason: 'thanks',
      key: 'a',
    };
    const [first] = await post([request]);
    const [second] = await post([request]);
    expect(second).toEqual({ ...first, replayed: true });
    expect(await walletOf(member)).toMatchObject({ balance: 7 });
  });

  it('under the same key but different is refused', async () => {
    const member = await org.member('T3', 5);
    const other = await org.member('T3', 5);
    const request: CreditRequest = {
      kind: 'manual',
      member_id: member,
      amount: 2,
      reason: 'thanks',
      key: 'b',
    };
    await post([request]);
    for (const changed of [{ amount: 3 }, { reason: 'else' }, { member_id: other }]) {
      expect(await refusal(post([{ ...request, ...changed }]))).toBe('idempotency_mismatch');
    }
  });
});

describe('limits', () => {
  it('a grant fills the headroom, the rest is forfeited and shown', async () => {
    const member = await org.member('T4', 59);
    const [grant] = await post([{ kind: 'grant', member_id: member, month: '2026-04' }]);
    expect(grant).toMatchObject({ change_amount: 1, forfeited: 2, balance_after: 60 });
    const [next] = await post([{ kind: 'grant', member_id: member, month: '2026-05' }]);
    expect(next).toMatchObject({ change_amount: 0, forfeited: 3 });
    const [again] = await post([{ kind: 'grant', member_id: member, month: '2026-05' }]);
    expect(again).toMatchObject({ replayed: true, entry_id: next?.entry_id });
  });

  it('leave room for what is held, so that a release always fits', async () => {
    const artist = await org.member('T1', 3);
    const [assignment = ''] = await org.assignments(artist, artist, 1);
    await post([{ kind: 'hold', member_id: artist, assignment_id: assignment, amount: 2 }]);
    const [grant] = await post([{ kind: 'grant', member_id: artist, month: '2026-04' }]);
    expect(grant).toMatchObject({ change_amount: 0, forfeited: 1 });
    await post([{ kind: 'release', assignment_id: assignment }]);
    expect(await walletOf(artist)).toMatchObject({ balance: 3, held: 0 });
  });

  it('refuse what is not there and what does not fit', async () => {
    const member = await org.member('T1', 1);
    const change = (amount: number): CreditRequest => ({
      kind: 'manual',
      member_id: member,
      amount,
      reason: 'try',
      key: `d${amount}`,
    });
    expect(await refusal(post([change(-2)]))).toBe('insufficient_credits');
    expect(await refusal(post([change(3)]))).toBe('above_headroom');
    const partial = await post([change(-2), change(1), change(3)], true);
    expect(partial.map((result) => [result.refused, result.change_amount])).toEqual([
      ['insufficient_credits', null],
      [null, 1],
      ['above_headroom', null],
    ]);
    expect(await walletOf(member)).toMatchObject({ balance: 2, version: 2 });
  });

  it('all or nothing: one refusal undoes the call', async () => {
    const rich = await org.member('T3', 10);
    const poor = await org.member('T1', 1);
    const refused = post([
      { kind: 'manual', member_id: rich, amount: 1, reason: 'try', key: 'e' },
      { kind: 'manual', member_id: poor, amount: -5, reason: 'try', key: 'f' },
    ]);
    expect(await refusal(refused)).toBe('insufficient_credits');
    expect(await walletOf(rich)).toMatchObject({ balance: 10 });
  });

  it('requests that cannot be read are refused before anything happens', async () => {
    const member = await org.member('T1', 1);
    const unreadable: unknown[] = [
      { kind: 'gift', member_id: member, amount: 1 },
      { kind: 'manual', member_id: member, amount: 1, key: 'no reason' },
      { kind: 'manual', member_id: member, amount: 0, reason: 'nothing', key: 'g' },
      { kind: 'grant', member_id: member, month: '2026-13' },
      { kind: 'hold', member_id: member, amount: 1 },
    ];
    for (const request of unreadable) {
      await expect(post([request as CreditRequest])).rejects.toMatchObject({ code: '22023' });
    }
    const twice: CreditRequest = { kind: 'grant', member_id: member, month: '2026-04' };
    await expect(post([twice, twice])).rejects.toMatchObject({ code: '22023' });
    expect(await refusal(post([{ ...twice, member_id: org.orgId }]))).toBe('not_found');
  });
});

describe('a demotion', () => {
  it('lowers the cap to what is there, and further as credits are spent', async () => {
    const artist = await org.member('T3', 15);
    const [assignment = ''] = await org.assignments(artist, artist, 1);
    await post([{ kind: 'hold', member_id: artist, assignment_id: assignment, amount: 4 }]);
    const { rows } = await tierTo(artist, 'T2', 9_000);
    expect(rows).toEqual([{ member_id: artist, tier_before: 'T3', tier_after: 'T2' }]);
    expect(await walletOf(artist)).toMatchObject({ balance: 11, held: 4, cap: 15 });
    await post([{ kind: 'capture', assignment_id: assignment }]);
    expect(await walletOf(artist)).toMatchObject({ balance: 11, held: 0, cap: 11 });
    await post([{ kind: 'manual', member_id: artist, amount: -8, reason: 'spent', key: 'h' }]);
    expect(await walletOf(artist)).toMatchObject({ balance: 3, cap: 6 });
    await tierTo(artist, 'T4', 200_000);
    expect(await walletOf(artist)).toMatchObject({ balance: 3, cap: 60 });
  });

  it('does not deadlock with credits posted to the same members', async () => {
    const members = await Promise.all(Array.from({ length: 6 }, () => org.member('T3', 10)));
    await Promise.all(
      Array.from({ length: 30 }, (_, round) => {
        const memberId = members[round % members.length] ?? '';
        return round % 2 === 0
          ? tierTo(memberId, round % 4 === 0 ? 'T3' : 'T4', 50_000 + round)
          : post(
              members
                .map(
                  (member_id): CreditRequest => ({
                    kind: 'manual',
                    member_id,
                    amount: round % 4 === 1 ? 1 : -1,
                    reason: 'round',
                    key: `${member_id}:${round}`,
                  }),
                )
                .reverse(),
            );
      }),
    );
  });
});

describe('a changed tier policy', () => {
  const policyTo = (db: Queryable, grant: number, cap: number) =>
    sql`update public.soundcloud_settings
      set tier_policy = jsonb_set(tier_policy, '{T2}', ${jsonb({ monthly_grant: grant, cap })})
      where org_id = ${org.orgId}`.execute(db);
  const wallet = (memberId: string) =>
    owner
      .selectFrom('soundcloud_repost_credit_wallet')
      .select(['balance', 'held', 'monthly_grant', 'cap'])
      .where('member_id', '=', memberId)
      .executeTakeFirstOrThrow();

  // Members of these tests have no SoundCloud account: no look at a profile ever reaches their wallets.
  it('reaches all wallets of the tier at once, and those of no other', async () => {
    const member = await org.member('T2', 5);
    const other = await org.member('T3', 5);
    const foreign = await (await creditFixture(owner, `Beside${orgs}`)).member('T2', 1);
    await policyTo(owner, 2, 9);
    expect(await wallet(member)).toEqual({ balance: 5, held: 0, monthly_grant: 2, cap: 9 });
    expect(await wallet(other)).toMatchObject({ monthly_grant: 2, cap: 20 });
    expect(await wallet(foreign)).toMatchObject({ monthly_grant: 1, cap: 6 });
  });

  it('lowers a cap to what is there, held credits included, and further as they are spent', async () => {
    const artist = await org.member('T2', 5);
    const [assignment = ''] = await org.assignments(artist, artist, 1);
    await post([{ kind: 'hold', member_id: artist, assignment_id: assignment, amount: 2 }]);
    await policyTo(owner, 1, 2);
    expect(await wallet(artist)).toEqual({ balance: 3, held: 2, monthly_grant: 1, cap: 5 });
    await post([{ kind: 'capture', assignment_id: assignment }]);
    expect(await wallet(artist)).toMatchObject({ balance: 3, cap: 3 });
    await post([{ kind: 'manual', member_id: artist, amount: -2, reason: 'spent', key: 'policy' }]);
    expect(await wallet(artist)).toMatchObject({ balance: 1, cap: 2 });
  });

  it('is what the next grant pays, though nobody looked at a profile meanwhile', async () => {
    const member = await org.member('T2', 1);
    await policyTo(owner, 4, 10);
    const { rows } = await sql<{ month: string }>`
      select to_char((last_granted_at at time zone 'UTC') + interval '1 month', 'YYYY-MM') as month
      from soundcloud_repost_credit_wallet where member_id = ${member}`.execute(owner);
    const month = rows[0]?.month ?? '';
    const page = await withOrg(worker, org.orgId, (trx) =>
      grantPage(trx, { orgId: org.orgId, month, after: null, limit: 10, at: AT }),
    );
    expect(page).toEqual({ granted: 1, credits: 4, forfeited: 0, next: null });
    expect(await wallet(member)).toMatchObject({ balance: 5 });
  });

  it('leaves the wallets of a tier it does not name as they are', async () => {
    const member = await org.member('T2', 1);
    await sql`update soundcloud_settings set tier_policy = tier_policy - 'T2' where org_id = ${org.orgId}`.execute(
      owner,
    );
    expect(await wallet(member)).toMatchObject({ monthly_grant: 1, cap: 6 });
  });

  it('is refused, whoever writes it, when a cap does not hold its grant', async () => {
    const member = await org.member('T3', 5);
    await expect(policyTo(owner, 5, 2)).rejects.toThrow(/tier_policy_cap_holds_grant/);
    // With such a policy the next look at a profile failed, with the whole page.
    await tierTo(member, 'T2', 5_000);
    expect(await wallet(member)).toMatchObject({ monthly_grant: 1, cap: 6 });
  });

  it('reaches who joins at the same moment', async () => {
    let done = false;
    let changed: Promise<unknown> = Promise.resolve();
    const joined = await owner.transaction().execute(async (trx) => {
      const { id } = await trx
        .insertInto('soundcloud_members')
        .values({ org_id: org.orgId, name: 'Just In Time', soundcloud_followers: 5_000 })
        .returning('id')
        .executeTakeFirstOrThrow();
      changed = policyTo(owner, 2, 9).then(() => {
        done = true;
      });
      await eventually('the change waits, or went past', async () => {
        const { rows } = await sql`
          select from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock'`.execute(owner);
        return done || rows.length > 0;
      });
      return id;
    });
    await changed;
    expect(await wallet(joined)).toMatchObject({ monthly_grant: 2, cap: 9 });
  });

  it('goes together with posts and tiers that change at the same moment, and all wallets have it', async () => {
    const members = await Promise.all(Array.from({ length: 8 }, () => org.member('T2', 2)));
    await Promise.all(
      Array.from({ length: 40 }, (_, round) => {
        const memberId = members[round % members.length] ?? '';
        if (round % 4 === 0) return policyTo(owner, 1 + (round % 3), 10 + round);
        if (round % 4 === 1) return tierTo(memberId, round % 8 === 1 ? 'T1' : 'T2', 5_000 + round);
        return post(
          members
            .map(
              (member_id): CreditRequest => ({
                kind: 'manual',
                member_id,
                amount: round % 4 === 2 ? 1 : -1,
                reason: 'round',
                key: `policy:${member_id}:${round}`,
              }),
            )
            .reverse(),
          true,
        );
      }),
    );
    const { rows } = await sql`
      select w.monthly_grant, w.cap from soundcloud_repost_credit_wallet w
      join soundcloud_members m on m.id = w.member_id
      join soundcloud_settings s on s.org_id = m.org_id
      where w.org_id = ${org.orgId} and (w.monthly_grant, w.cap) <> (
        (s.tier_policy -> m.size_tier::text ->> 'monthly_grant')::integer,
        greatest((s.tier_policy -> m.size_tier::text ->> 'cap')::integer, w.balance + w.held)
      )`.execute(owner);
    expect(rows).toEqual([]);
  });
});

describe('the monthly grant', () => {
  const month = (name: string, limit: number, after: string | null = null) =>
    withOrg(worker, org.orgId, (trx) =>
      grantPage(trx, { orgId: org.orgId, month: name, after, limit, at: AT }),
    );
  /** The month members join in, and those after it. */
  async function monthsFrom(memberId: string): Promise<string[]> {
    const { rows } = await sql<{ month: string }>`
      select to_char((w.last_granted_at at time zone 'UTC') + n * interval '1 month', 'YYYY-MM') as month
      from soundcloud_repost_credit_wallet w, generate_series(0, 3) n
      where w.member_id = ${memberId} order by n`.execute(owner);
    return rows.map((row) => row.month);
  }

  it('goes by pages in the order of the members, once each', async () => {
    const members = [
      await org.member('T1', 1),
      await org.member('T3', 2),
      await org.member('T4', 58),
      await org.member('T2', 6),
      await org.member('T3', 20),
    ].sort();
    const [joined = '', next = '', later = '', last = ''] = await monthsFrom(members[0] ?? '');
    expect(await month(joined, 10)).toEqual({ granted: 0, credits: 0, forfeited: 0, next: null });

    const pages = [await month(next, 2)];
    for (let page = pages[0]; page?.next; page = pages.at(-1)) pages.push(await month(next, 2, page.next));
    expect(pages.map(({ granted, next: cursor }) => [granted, cursor])).toEqual([
      [2, members[1]],
      [2, members[3]],
      [1, null],
    ]);
    const total = (count: 'credits' | 'forfeited') => pages.reduce((sum, page) => sum + page[count], 0);
    // 1 + 2 + 2 of 3 + 0 of 1 + 0 of 2.
    expect([total('credits'), total('forfeited')]).toEqual([5, 4]);
    expect(await month(next, 10)).toEqual({ granted: 0, credits: 0, forfeited: 0, next: null });

    // Posted by hand already, it is not posted again; a month is never granted after a later one.
    await post([{ kind: 'grant', member_id: members[0] ?? '', month: later }]);
    expect(await month(later, 10)).toMatchObject({ granted: 4 });
    const newcomer = await org.member('T1', 1);
    expect(await month(last, 10)).toMatchObject({ granted: 6 });
    expect(await month(later, 10)).toMatchObject({ granted: 0 });
    const { rows } = await sql<{ member_id: string; grants: number }>`
      select member_id, count(*)::int as grants from soundcloud_repost_credit_ledger
      where org_id = ${org.orgId} and reason = 'monthly_grant' group by 1`.execute(owner);
    expect(new Map(rows.map((row) => [row.member_id, row.grants]))).toEqual(
      new Map([...members.map((id) => [id, 4] as const), [newcomer, 2]]),
    );
  });

  it('of the same page at the same moment is one grant each, among other posts', async () => {
    const members = await Promise.all(Array.from({ length: 12 }, () => org.member('T4', 5)));
    const [, next = ''] = await monthsFrom(members[0] ?? '');
    const [runs] = await Promise.all([
      Promise.all(Array.from({ length: 5 }, () => month(next, 50))),
      Promise.all(
        [...members]
          .reverse()
          .map((member_id) =>
            post([{ kind: 'manual', member_id, amount: 1, reason: 'else', key: `${member_id}/page` }]),
          ),
      ),
    ]);
    expect(runs.reduce((sum, run) => sum + run.granted, 0)).toBe(12);
    expect(runs.reduce((sum, run) => sum + run.credits, 0)).toBe(36);
    for (const id of members) expect(await walletOf(id)).toMatchObject({ balance: 9 });
  });

  it('by list answers for each request, also for those granted before', async () => {
    const members = await Promise.all(Array.from({ length: 5 }, () => org.member('T3', 19)));
    const requests = members.map(
      (member_id): CreditRequest => ({ kind: 'grant', member_id, month: '2026-04' }),
    );
    const first = await post(requests.slice(1, 3));
    const all = await post(requests);
    expect(all.map((result) => result.member_id)).toEqual(members);
    expect(all.map((result) => result.replayed)).toEqual([false, true, true, false, false]);
    expect(all.slice(1, 3)).toEqual(first.map((result) => ({ ...result, replayed: true })));
    expect(all[0]).toMatchObject({ change_amount: 1, forfeited: 1, balance_after: 20, version: 3 });
    const noted: CreditRequest = {
      kind: 'grant',
      member_id: members[0] ?? '',
      month: '2026-04',
      metadata: { by: 'hand' },
    };
    expect(await refusal(post([noted]))).toBe('idempotency_mismatch');
    const stranger: CreditRequest = { kind: 'grant', member_id: org.orgId, month: '2026-05' };
    expect(
      await refusal(post([...requests.map((r) => ({ ...r, month: '2026-05' }) as CreditRequest), stranger])),
    ).toBe('not_found');
    expect(await walletOf(members[0] ?? '')).toMatchObject({ version: 3 });
  });

  it('of a month or page that cannot be read is refused', async () => {
    await expect(month('2026-13', 10)).rejects.toMatchObject({ code: '22023' });
    await expect(month('2026-04', 0)).rejects.toMatchObject({ code: '22023' });
  });
});

describe('updated_at', () => {
  it('of wallet and member is the time of the last post, grant or other change', async () => {
    const memberId = await org.member('T3', 2);
    const others = await Promise.all([org.member('T3', 2), org.member('T3', 2)]);
    const [assignmentId = ''] = await org.assignments(memberId, others[0] ?? '', 1);
    const manual = (key: string): CreditRequest => ({
      kind: 'manual',
      member_id: memberId,
      amount: 1,
      reason: 'by hand',
      key,
    });
    const month = '2031-01';
    const changes: [string, (trx: Trx) => Promise<unknown>][] = [
      ['one post', (trx) => postCredits(trx, org.orgId, [manual('one')], { at: AT })],
      [
        'a hold',
        (trx) =>
          postCredits(
            trx,
            org.orgId,
            [{ kind: 'hold', member_id: memberId, assignment_id: assignmentId, amount: 1 }],
            { at: AT },
          ),
      ],
      ['several posts', (trx) => postCredits(trx, org.orgId, [manual('two'), manual('three')], { at: AT })],
      [
        'a page of grants',
        (trx) => grantPage(trx, { orgId: org.orgId, month, after: null, limit: 10, at: AT }),
      ],
      [
        'a rise',
        (trx) =>
          sql`select * from private.apply_follower_sync(${org.orgId}, ${jsonb([
            {
              member_id: memberId,
              account_id: null,
              followers: 500_000,
              size_tier: 'T4',
              below_tier_syncs: 0,
            },
          ])}, ${AT})`.execute(trx),
      ],
    ];
    for (const [what, change] of changes) {
      const { at, wallet, member } = await withOrg(worker, org.orgId, async (trx) => {
        await change(trx);
        const { rows } = await sql<{ at: Date; wallet: Date; member: Date }>`
          select now() as at, w.updated_at as wallet, m.updated_at as member
          from soundcloud_repost_credit_wallet w join soundcloud_members m on m.id = w.member_id
          where m.id = ${memberId}`.execute(trx);
        return rows[0] ?? { at: new Date(), wallet: null, member: null };
      });
      expect({ what, wallet, member }).toEqual({ what, wallet: at, member: at });
    }
  });
});

describe('many at once', () => {
  it.each(['by themselves', 'among tier syncs and changes of the member'])(
    '200 holds of 1 credit on a wallet of 20, %s: exactly 20',
    async (company) => {
      const artist = await org.member('T3', 20);
      const supporter = await org.member('T1', 1);
      const assignments = await org.assignments(artist, supporter, 200);
      const holds = assignments.map(
        (assignment_id) => () => post([{ kind: 'hold', member_id: artist, assignment_id, amount: 1 }]),
      );
      const others = company === 'by themselves' ? [] : await changesOf(artist);
      const outcomes = await Promise.allSettled(
        // A change after every few holds, so that they are under way at the same time.
        holds.flatMap((hold, n) => [hold(), others[Math.floor(n / 2)]?.()].slice(0, n % 2 === 0 ? 2 : 1)),
      );
      const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
      expect(refused).toHaveLength(180);
      for (const outcome of refused) {
        expect(outcome.reason).toMatchObject({ code: 'SPK01', message: 'insufficient_credits' });
      }
      expect(await walletOf(artist)).toMatchObject({ balance: 0, held: 20 });
    },
  );

  it('each request five times under one key: one entry, and five times its answer', async () => {
    const artist = await org.member('T3', 20);
    const supporter = await org.member('T4', 3);
    const [held = '', captured = '', released = ''] = await org.assignments(artist, supporter, 3);
    for (const assignment_id of [captured, released]) {
      await post([{ kind: 'hold', member_id: artist, assignment_id, amount: 2 }]);
    }
    const requests: CreditRequest[] = [
      { kind: 'hold', member_id: artist, assignment_id: held, amount: 2 },
      { kind: 'capture', assignment_id: captured },
      { kind: 'release', assignment_id: released },
      { kind: 'campaign_earn', member_id: supporter, reference_id: held, amount: 4 },
      { kind: 'grant', member_id: artist, month: '2026-04' },
      { kind: 'manual', member_id: supporter, amount: -1, reason: 'once', key: 'five' },
    ];
    const earned: CreditRequest = { kind: 'earn', member_id: supporter, assignment_id: captured, amount: 2 };
    for (const round of [requests, [earned]]) {
      const answers = await Promise.all(
        round.map((request) => Promise.all(Array.from({ length: 5 }, () => post([request])))),
      );
      for (const five of answers) {
        const same = five.flat();
        expect(same).toHaveLength(5);
        expect(same.filter((answer) => !answer.replayed)).toHaveLength(1);
        expect(new Set(same.map((answer) => JSON.stringify({ ...answer, replayed: null }))).size).toBe(1);
      }
    }
    expect(await walletOf(artist)).toMatchObject({ held: 2 });
  });

  it('one key from two wallets: one entry, the others are told', async () => {
    const members = await Promise.all(Array.from({ length: 8 }, () => org.member('T3', 10)));
    const [first = '', second = ''] = await org.assignments(members[0] ?? '', members[0] ?? '', 2);
    const outcomes = await Promise.allSettled(
      members.map((member_id, n) => {
        const both = [first, second].map(
          (assignment_id): CreditRequest => ({ kind: 'hold', member_id, assignment_id, amount: 1 }),
        );
        return post(n % 2 === 0 ? both : both.reverse());
      }),
    );
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(refused).toHaveLength(7);
    for (const outcome of refused) expect(outcome.reason).toMatchObject({ message: 'idempotency_mismatch' });
  });

  it('holds resolved many times at the same moment, captured or released, are each resolved once', async () => {
    const artist = await org.member('T3', 20);
    const supporter = await org.member('T3', 2);
    const assignments = await org.assignments(artist, supporter, 10);
    await post(
      assignments.map(
        (assignment_id): CreditRequest => ({ kind: 'hold', member_id: artist, assignment_id, amount: 2 }),
      ),
    );
    const outcomes = await Promise.allSettled(
      assignments.flatMap((assignment_id) =>
        Array.from({ length: 8 }, (_, n) =>
          post([{ kind: n % 2 === 0 ? 'capture' : 'release', assignment_id }]),
        ),
      ),
    );
    const answers = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? outcome.value : []));
    // The four that asked for what was done agree; the four that asked for the contrary are refused.
    expect(answers).toHaveLength(40);
    expect(answers.filter((answer) => !answer.replayed)).toHaveLength(10);
    expect(new Set(answers.map((answer) => answer.entry_id)).size).toBe(10);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') {
        expect(outcome.reason).toMatchObject({ code: 'SPK01', message: 'idempotency_mismatch' });
      }
    }
    expect(await walletOf(artist)).toMatchObject({ held: 0 });
  });

  it('batches over the same wallets in any order do not deadlock', async () => {
    const members = await Promise.all(Array.from({ length: 8 }, () => org.member('T4', 30)));
    await Promise.all(
      Array.from({ length: 40 }, (_, round) => {
        const order = round % 2 === 0 ? members : [...members].reverse();
        return post(
          order.map(
            (member_id): CreditRequest => ({
              kind: 'manual',
              member_id,
              amount: round % 3 === 0 ? -1 : 1,
              reason: 'round',
              key: `${member_id}/${round}`,
            }),
          ),
          true,
        );
      }),
    );
  });
});

describe('the ledger', () => {
  it('is append-only, even for the owner', async () => {
    const member = await org.member('T1', 1);
    const append = { code: 'SPK01', message: 'append_only' };
    await expect(
      owner.updateTable('soundcloud_repost_credit_ledger').set({ reason: 'other' }).execute(),
    ).rejects.toMatchObject(append);
    await expect(owner.deleteFrom('soundcloud_repost_credit_ledger').execute()).rejects.toMatchObject(append);
    await expect(sql`truncate soundcloud_repost_credit_ledger cascade`.execute(owner)).rejects.toMatchObject(
      append,
    );
    await expect(
      owner.connection().execute(async (connection) => {
        await sql`set session_replication_role = replica`.execute(connection);
        try {
          await connection.deleteFrom('soundcloud_repost_credit_ledger').execute();
        } finally {
          await sql`reset session_replication_role`.execute(connection);
        }
      }),
    ).rejects.toMatchObject(append);
    await expect(
      owner.deleteFrom('soundcloud_members').where('id', '=', member).execute(),
    ).rejects.toMatchObject({ code: '23503' });
  });

  it('is out of reach of a worker scoped to another org, and of a worker without one', async () => {
    const member = await org.member('T1', 1);
    const other = await creditFixture(owner, `Other${orgs}`);
    const request: CreditRequest = { kind: 'manual', member_id: member, amount: 1, reason: 'try', key: 'i' };
    const posted = (scope: string, target: string) =>
      withOrg(worker, scope, (trx) => postCredits(trx, target, [request], { at: AT }));
    expect(await refusal(posted(other.orgId, org.orgId))).toBe('wrong_org');
    expect(await refusal(posted('', org.orgId))).toBe('wrong_org');
    // Its own org has no such wallet.
    expect(await refusal(posted(other.orgId, other.orgId))).toBe('not_found');
    await expect(
      withOrg(worker, org.orgId, (trx) =>
        trx.updateTable('soundcloud_repost_credit_wallet').set({ balance: 3 }).execute(),
      ),
    ).rejects.toMatchObject({ code: '42501' });
  });

  it('violations are found when somebody breaks the books', async () => {
    const member = await org.member('T3', 5);
    await owner
      .transaction()
      .execute(async (trx) => {
        await trx
          .updateTable('soundcloud_repost_credit_wallet')
          .set({ balance: 9, version: 7, held: 1 })
          .where('member_id', '=', member)
          .execute();
        const rules = (await ledgerViolations(trx)).map((violation) => [violation.rule, violation.subjectId]);
        expect(rules).toEqual([
          ['balance_is_sum_of_entries', member],
          ['held_is_sum_of_open_holds', member],
          ['mirrors_agree', member],
          ['versions_gap_free', member],
        ]);
        throw new Error('undo');
      })
      .catch((error: Error) => {
        if (error.message !== 'undo') throw error;
      });
  });
});
