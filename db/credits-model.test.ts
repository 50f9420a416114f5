/** private.post_credits against a model that keeps wallets, holds and entries in memory and knows nothing of SQL. */
import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DEFAULT_TIER_POLICY, SIZE_TIERS, type SizeTier } from '../domain/tiers.js';
import { type CreditFixture, creditFixture } from '../test/support/credits-fixture.js';
import { createTestDatabase, type TestDatabase } from '../test/support/database.js';
import { createDatabase, type Db, withOrg } from './client.js';
import { type CreditRequest, type CreditResult, postCredits } from './credits.js';
import { jsonb } from './json.js';
import { ledgerViolations } from './ledger-invariants.js';

const AT = new Date('2026-03-10T09:00:00Z');
const FOLLOWERS: Record<SizeTier, number> = { T1: 500, T2: 5_000, T3: 50_000, T4: 500_000 };
const MEMBERS = 6;
const MONTHS = ['2026-04', '2026-05', '2026-06', '2026-07', '2026-08'];

// 20 × 200 one after the other and 6 × 1,000 at the same time: 10,000 steps.
const SEQUENCES = 20;
const STEPS = 200;
const CONCURRENT_RUNS = 6;
const CONCURRENT_STEPS = 1_000;
const CONNECTIONS = 10;

let database: TestDatabase;
let owner: Db;
let worker: Db;
let orgs = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = createDatabase(database.adminUrl);
  worker = createDatabase(database.workerUrl, { max: CONNECTIONS });
});
afterAll(async () => {
  await worker?.destroy();
  await owner?.destroy();
  await database?.drop();
});

/** Steps name members, assignments, schedules and keys by number, so that the same ones meet again and again. */
type Ask =
  | { kind: 'hold' | 'earn'; member: number; assignment: number; amount: number }
  | { kind: 'capture' | 'release'; assignment: number }
  | { kind: 'campaign_earn'; member: number; schedule: number; amount: number }
  | { kind: 'grant'; member: number; month: string }
  | { kind: 'manual'; member: number; amount: number; key: number };

type Step = { do: 'post'; asks: Ask[]; partial: boolean } | { do: 'sync'; member: number; tier: SizeTier };

function steps(assignments: number, length: number): fc.Arbitrary<Step[]> {
  const member = fc.nat({ max: MEMBERS - 1 });
  const assignment = fc.nat({ max: assignments - 1 });
  const amount = fc.integer({ min: 1, max: 5 });
  const ask: fc.Arbitrary<Ask> = fc.oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('hold' as const), member, assignment, amount }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('capture' as const), assignment }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('release' as const), assignment }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('earn' as const), member, assignment, amount }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('campaign_earn' as const),
        member,
        schedule: fc.nat({ max: assignments }),
        amount,
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('grant' as const),
        member,
        month: fc.constantFrom(...MONTHS),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('manual' as const),
        member,
        amount: fc.integer({ min: -6, max: 6 }).filter((n) => n !== 0),
        key: fc.nat({ max: assignments * 2 }),
      }),
    },
  );
  /** As the monthly run asks: one month, different members. */
  const grants = fc
    .tuple(fc.uniqueArray(member, { minLength: 2, maxLength: MEMBERS }), fc.constantFrom(...MONTHS))
    .map(([members, month]) => members.map((n): Ask => ({ kind: 'grant', member: n, month })));
  const asks = fc.oneof(
    { weight: 8, arbitrary: ask.map((one) => [one]) },
    { weight: 3, arbitrary: fc.array(ask, { minLength: 2, maxLength: 4 }) },
    { weight: 1, arbitrary: grants },
  );
  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({ do: fc.constant('post' as const), asks, partial: fc.boolean() }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('sync' as const),
        member,
        tier: fc.constantFrom(...SIZE_TIERS),
      }),
    },
  );
  return fc.array(step, { minLength: length, maxLength: length, size: 'max' });
}

/** Ids behind the numbers. */
interface World {
  org: CreditFixture;
  members: string[];
  assignments: string[];
}

async function makeWorld(assignments: number): Promise<World> {
  orgs += 1;
  const org = await creditFixture(owner, `Model${orgs}`);
  const members: string[] = [];
  for (let n = 0; n < MEMBERS; n += 1) {
    const tier = SIZE_TIERS[n % SIZE_TIERS.length] ?? 'T1';
    members.push(await org.member(tier, DEFAULT_TIER_POLICY[tier].monthly_grant));
  }
  const { rows } = await sql<{ id: string }>`
    with queue as (
      insert into soundcloud_queues (org_id, date, status) values (${org.orgId}, '2026-03-11', 'published') returning id
    ),
    submissions as (
      insert into soundcloud_submissions (org_id, member_id, track_url, imported_at)
      select ${org.orgId}, ${members[0]}, 'https://soundcloud.com/model/track-' || n, ${AT}
      from generate_series(1, ${assignments}) n returning id
    )
    insert into soundcloud_queue_assignments (org_id, queue_id, submission_id, supporter_id, position)
    select ${org.orgId}, queue.id, s.id, ${members[1]}, row_number() over () from queue, submissions s
    returning id`.execute(owner);
  return { org, members, assignments: rows.map((row) => row.id) };
}

/** A made-up uuid of a schedule, the same for the same number. */
const scheduleId = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

function toRequest(world: World, ask: Ask): CreditRequest {
  const assignment_id = 'assignment' in ask ? (world.assignments[ask.assignment] ?? '') : '';
  const member_id = 'member' in ask ? (world.members[ask.member] ?? '') : '';
  switch (ask.kind) {
    case 'hold':
    case 'earn':
      return { kind: ask.kind, member_id, assignment_id, amount: ask.amount };
    case 'capture':
    case 'release':
      return { kind: ask.kind, assignment_id };
    case 'campaign_earn':
      return { kind: ask.kind, member_id, reference_id: scheduleId(ask.schedule), amount: ask.amount };
    case 'grant':
      return { kind: ask.kind, member_id, month: ask.month };
    case 'manual':
      return { kind: ask.kind, member_id, amount: ask.amount, reason: 'model', key: String(ask.key) };
  }
}

interface Wallet {
  tier: SizeTier;
  balance: number;
  held: number;
  cap: number;
  grant: number;
  version: number;
  given: number;
  used: number;
}
interface Hold {
  member: number;
  amount: number;
  state: 'open' | 'captured' | 'released';
}
/** What an answer says, without ids the database makes up. */
interface Answer {
  key: string;
  member: number;
  version: number | null;
  change: number | null;
  balance: number | null;
  forfeited: number | null;
  replayed: boolean;
  refused: string | null;
}

class Refusal extends Error {}

/** The rules of credits as the design tells them. */
class Model {
  wallets: Wallet[];
  holds = new Map<number, Hold>();
  entries = new Map<string, { said: string; answer: Answer }>();

  constructor(wallets: Wallet[]) {
    this.wallets = wallets;
  }

  /** @throws Refusal with the database's code; then nothing has changed. */
  post(asks: Ask[], partial: boolean): Answer[] {
    const before = structuredClone({ wallets: this.wallets, holds: this.holds, entries: this.entries });
    try {
      return this.postAll(asks, partial);
    } catch (error) {
      Object.assign(this, before);
      throw error;
    }
  }

  sync(member: number, tier: SizeTier): void {
    const wallet = this.wallet(member);
    if (wallet.tier === tier) return;
    const policy = DEFAULT_TIER_POLICY[tier];
    wallet.tier = tier;
    wallet.grant = policy.monthly_grant;
    wallet.cap = Math.max(policy.cap, wallet.balance + wallet.held);
  }

  private wallet(member: number): Wallet {
    const wallet = this.wallets[member];
    if (wallet === undefined) throw new Error(`no member ${member}`);
    return wallet;
  }

  private postAll(asks: Ask[], partial: boolean): Answer[] {
    // A hold made by this call cannot be resolved by it.
    for (const ask of asks) {
      const resolves = ask.kind === 'capture' || ask.kind === 'release';
      if (resolves && !this.holds.has(ask.assignment)) throw new Refusal('not_found');
    }
    const keys = asks.map(keyOf);
    if (new Set(keys).size < keys.length) throw new Refusal('22023');
    const touched = new Set<number>();
    let spent = false;
    const answers = asks.map((ask): Answer => {
      const key = keyOf(ask);
      const said = JSON.stringify(ask);
      const old = this.entries.get(key);
      if (old) {
        if (old.said !== said) throw new Refusal('idempotency_mismatch');
        return { ...old.answer, replayed: true };
      }
      const moved = this.move(ask);
      spent ||= ask.kind === 'capture' || (ask.kind === 'manual' && ask.amount < 0);
      const wallet = this.wallet(moved.member);
      if (moved.refused !== null) {
        if (!partial) throw new Refusal(moved.refused);
        const nothing = { version: null, change: null, balance: null, forfeited: null };
        return { key, member: moved.member, ...nothing, replayed: false, refused: moved.refused };
      }
      wallet.balance += moved.change;
      wallet.held += moved.held;
      wallet.version += 1;
      if (['earn', 'campaign_earn', 'grant'].includes(ask.kind)) wallet.given += moved.change;
      touched.add(moved.member);
      const answer: Answer = {
        key,
        member: moved.member,
        version: wallet.version,
        change: moved.change,
        balance: wallet.balance,
        forfeited: moved.forfeited,
        replayed: false,
        refused: null,
      };
      this.entries.set(key, { said, answer });
      return answer;
    });
    if (spent) for (const member of touched) this.lowerCap(this.wallet(member));
    return answers;
  }

  private lowerCap(wallet: Wallet): void {
    const { cap } = DEFAULT_TIER_POLICY[wallet.tier];
    if (wallet.cap > cap) wallet.cap = Math.max(cap, wallet.balance + wallet.held, wallet.grant);
  }

  private move(ask: Ask) {
    const hold = 'assignment' in ask ? this.holds.get(ask.assignment) : undefined;
    const member = 'member' in ask ? ask.member : (hold?.member ?? -1);
    const wallet = this.wallet(member);
    const room = Math.max(0, wallet.cap - wallet.balance - wallet.held);
    const still = { member, change: 0, held: 0, forfeited: 0, refused: null as string | null };
    const takeIn = (amount: number) => {
      const change = Math.min(amount, room);
      return { ...still, change, forfeited: amount - change };
    };
    switch (ask.kind) {
      case 'hold':
        if (wallet.balance < ask.amount) return { ...still, refused: 'insufficient_credits' };
        this.holds.set(ask.assignment, { member, amount: ask.amount, state: 'open' });
        return { ...still, change: -ask.amount, held: ask.amount };
      case 'capture':
      case 'release': {
        if (hold?.state !== 'open') throw new Refusal('idempotency_mismatch');
        hold.state = ask.kind === 'capture' ? 'captured' : 'released';
        if (ask.kind === 'capture') wallet.used += hold.amount;
        return { ...still, change: ask.kind === 'release' ? hold.amount : 0, held: -hold.amount };
      }
      case 'earn':
        if (hold?.state !== 'captured' || ask.amount > hold.amount) throw new Refusal('not_captured');
        return takeIn(ask.amount);
      case 'campaign_earn':
        return takeIn(ask.amount);
      case 'grant':
        return takeIn(wallet.grant);
      case 'manual':
        if (wallet.balance + ask.amount < 0) return { ...still, refused: 'insufficient_credits' };
        if (ask.amount > room) return { ...still, refused: 'above_headroom' };
        return { ...still, change: ask.amount };
    }
  }
}

/** What makes two asks the same one; numbers instead of ids. */
function keyOf(ask: Ask): string {
  switch (ask.kind) {
    case 'hold':
    case 'earn':
      return `${ask.kind}:${ask.assignment}`;
    case 'capture':
    case 'release':
      return `resolve:${ask.assignment}`;
    case 'campaign_earn':
      return `campaign_earn:${ask.schedule}`;
    case 'grant':
      return `grant:${ask.member}:${ask.month}`;
    case 'manual':
      return `manual:${ask.key}`;
  }
}

/** The database's answer in the model's words. */
function answerOf(world: World, ask: Ask, result: CreditResult): Answer {
  const request = toRequest(world, ask);
  const ids: Readonly<Record<string, unknown>> = { ...request };
  const expected: Record<CreditRequest['kind'], string> = {
    hold: `hold:${ids.assignment_id}`,
    capture: `resolve:${ids.assignment_id}`,
    release: `resolve:${ids.assignment_id}`,
    earn: `earn:${ids.assignment_id}`,
    campaign_earn: `campaign_earn:${ids.reference_id}`,
    grant: `grant:${ids.member_id}:${ids.month}`,
    manual: `manual:${ids.key}`,
  };
  return {
    key: result.key === expected[ask.kind] ? keyOf(ask) : result.key,
    member: world.members.indexOf(result.member_id),
    version: result.version,
    change: result.change_amount,
    balance: result.balance_after,
    forfeited: result.forfeited,
    replayed: result.replayed,
    refused: result.refused,
  };
}

function perform(world: World, step: Step): Promise<CreditResult[]> {
  const { orgId } = world.org;
  return withOrg(worker, orgId, async (trx) => {
    if (step.do === 'post') {
      const requests = step.asks.map((ask) => toRequest(world, ask));
      return postCredits(trx, orgId, requests, { at: AT, partial: step.partial });
    }
    const row = {
      member_id: world.members[step.member],
      followers: FOLLOWERS[step.tier],
      size_tier: step.tier,
      below_tier_syncs: 0,
    };
    await sql`select * from private.apply_follower_sync(${orgId}, ${jsonb([row])}, ${AT})`.execute(trx);
    return [];
  });
}

/** The code of a refusal, as the model names it; any other error is thrown on. */
function codeOf(error: unknown): string {
  const { code, message } = error as { code?: string; message: string };
  if (code === 'SPK01') return message;
  if (code === '22023') return code;
  throw error;
}

/** Wallets with the mirrors of their members. */
async function walletsOf(world: World): Promise<Wallet[]> {
  const { rows } = await sql<Wallet & { mirrored: boolean }>`
    select m.size_tier as tier, w.balance, w.held, w.cap, w.monthly_grant as grant, w.version,
           m.credits_given as given, m.credits_used as used,
           (m.credits_balance, m.net_credits, m.credits_cap, m.credits_monthly_grant, m.last_grant_at)
             is not distinct from (w.balance, w.balance, w.cap, w.monthly_grant, w.last_granted_at) as mirrored
    from unnest(${world.members}::uuid[]) with ordinality as given (id, n)
    join soundcloud_repost_credit_wallet w on w.member_id = given.id
    join soundcloud_members m on m.id = given.id
    order by given.n`.execute(owner);
  return rows.map(({ mirrored, ...wallet }) => {
    expect(mirrored).toBe(true);
    return wallet;
  });
}

const violationsIn = (world: World) => withOrg(worker, world.org.orgId, (trx) => ledgerViolations(trx));

it('answers and wallets are those of the model, whatever the order', { timeout: 240_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(steps(30, STEPS), async (sequence) => {
      const world = await makeWorld(30);
      const model = new Model(await walletsOf(world));
      for (const [n, step] of sequence.entries()) {
        if (step.do === 'sync') model.sync(step.member, step.tier);
        const found = await perform(world, step).then(
          (results) =>
            step.do === 'post'
              ? results.map((result, i) => answerOf(world, step.asks[i] as Ask, result))
              : [],
          codeOf,
        );
        expect(found, `step ${n}: ${JSON.stringify(step)}`).toEqual(expectedOf(model, step));
      }
      expect(await walletsOf(world)).toEqual(model.wallets);
      expect(await violationsIn(world)).toEqual([]);
    }),
    { numRuns: SEQUENCES },
  );
});

function expectedOf(model: Model, step: Step): Answer[] | string {
  if (step.do === 'sync') return [];
  try {
    return model.post(step.asks, step.partial);
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    throw error;
  }
}

it('at the same moment, every entry is posted once and the books add up', { timeout: 240_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(steps(200, CONCURRENT_STEPS), async (all) => {
      const world = await makeWorld(200);
      const before = await walletsOf(world);
      const written: CreditResult[] = [];
      const waiting = [...all];
      const known = [
        'insufficient_credits',
        'above_headroom',
        'idempotency_mismatch',
        'not_captured',
        'not_found',
        '22023',
      ];
      await Promise.all(
        Array.from({ length: CONNECTIONS }, async () => {
          for (let step = waiting.pop(); step !== undefined; step = waiting.pop()) {
            await perform(world, step).then(
              (results) => written.push(...results.filter((r) => !r.replayed && r.refused === null)),
              // No deadlock, no failed serialization, no broken constraint.
              (error) => expect(known).toContain(codeOf(error)),
            );
          }
        }),
      );
      expect(written.length).toBeGreaterThan(0);
      expect(new Set(written.map((result) => result.key)).size).toBe(written.length);
      const after = await walletsOf(world);
      for (const [n, id] of world.members.entries()) {
        const own = written.filter((result) => result.member_id === id);
        const start = before[n] as Wallet;
        expect(after[n]).toMatchObject({
          balance: own.reduce((sum, result) => sum + (result.change_amount ?? 0), start.balance),
          version: start.version + own.length,
        });
      }
      expect(await violationsIn(world)).toEqual([]);
    }),
    { numRuns: CONCURRENT_RUNS, endOnFailure: true },
  );
});
