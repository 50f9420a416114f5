/** The simulation against a small network that really runs by the rules, under the old and the new parameters. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type CreditMonth,
  extremes,
  gainOf,
  type MonthEntry,
  type MonthHold,
  type SimulationParameters,
  simulateCredits,
} from './credits-simulation.js';
import { SIZE_TIERS, type SizeTier } from './tiers.js';

/** What people and the product try; a hold names its assignment by its place in the script. */
type Action =
  | { kind: 'grant'; member: number }
  /** The cap rises, as after a promotion. */
  | { kind: 'lift'; member: number }
  | { kind: 'campaign'; member: number; amount: number }
  | { kind: 'manual'; member: number; amount: number }
  | { kind: 'hold'; member: number; supporter: number; followers: number }
  | { kind: 'settle'; hold: number; captured: boolean };

interface Person {
  tier: SizeTier;
  start: number;
  ownFactor: boolean;
}

interface Script {
  people: Person[];
  actions: Action[];
}

const FACTOR = 0.06;

/**
 * Runs a script on wallets, a second telling of the rules: one object per wallet, no entries to look back at.
 * @param allowed what happened the first time; the second run tries nothing else
 */
function run(script: Script, settings: SimulationParameters, allowed?: ReadonlySet<number>) {
  const wallets = script.people.map(({ tier, start }, id) => ({
    id: `member-${String(id).padStart(2, '0')}`,
    tier,
    balance: start,
    held: 0,
    cap: Math.max(settings.tier_policy[tier].cap, start),
    version: 0,
    forfeited: 0,
    refused: 0,
  }));
  const wallet = (id: number) => wallets[id % wallets.length] as (typeof wallets)[number];
  const person = (id: number) => script.people[id % script.people.length] as Person;
  const entries: MonthEntry[] = [];
  const holds = new Map<
    number,
    MonthHold & { price: number; payer: number; supporter: number; open: boolean }
  >();
  const done = new Set<number>();
  const post = (
    to: (typeof wallets)[number],
    kind: MonthEntry['kind'],
    at: number,
    change: number,
    more: { forfeited?: number; held?: number; assignment?: string } = {},
  ) => {
    to.balance += change;
    to.held += more.held ?? 0;
    to.version += 1;
    to.forfeited += more.forfeited ?? 0;
    entries.push({
      member_id: to.id,
      version: to.version,
      at,
      kind,
      change,
      forfeited: more.forfeited ?? 0,
      assignment_id: more.assignment ?? null,
    });
    expect(to.balance).toBeGreaterThanOrEqual(0);
    expect(to.balance + to.held).toBeLessThanOrEqual(to.cap);
  };
  const room = (to: (typeof wallets)[number]) => to.cap - to.balance - to.held;
  const give = (
    to: (typeof wallets)[number],
    kind: 'earn' | 'campaign_earn' | 'grant',
    at: number,
    amount: number,
    assignment?: string,
  ) => {
    const change = Math.min(amount, room(to));
    post(to, kind, at, change, { forfeited: amount - change, ...(assignment && { assignment }) });
  };
  const spend = (of: (typeof wallets)[number]) => {
    of.cap = Math.min(of.cap, Math.max(settings.tier_policy[of.tier].cap, of.balance + of.held));
  };

  script.actions.forEach((action, at) => {
    if (allowed && !allowed.has(at)) return;
    done.add(at);
    if (action.kind === 'grant') {
      const to = wallet(action.member);
      give(to, 'grant', at, settings.tier_policy[to.tier].monthly_grant);
    } else if (action.kind === 'lift') {
      wallet(action.member).cap += 4;
    } else if (action.kind === 'campaign') {
      give(wallet(action.member), 'campaign_earn', at, action.amount);
    } else if (action.kind === 'manual') {
      const to = wallet(action.member);
      if (action.amount === 0 || to.balance + action.amount < 0 || action.amount > room(to)) {
        done.delete(at);
        to.refused += 1;
        return;
      }
      post(to, 'manual', at, action.amount);
      if (action.amount < 0) spend(to);
    } else if (action.kind === 'hold') {
      const from = wallet(action.member);
      const by = person(action.supporter);
      const factor = by.ownFactor ? FACTOR : settings.default_reach_factor;
      const reach = Math.floor((action.followers * Math.round(factor * 1_000)) / 1_000);
      const cap = settings.tier_policy[by.tier].cap;
      const price = Math.max(1, Math.min(cap, Math.ceil(reach / settings.reach_per_credit)));
      if (price > from.balance) {
        done.delete(at);
        from.refused += 1;
        return;
      }
      const assignment = `assignment-${at}`;
      post(from, 'hold', at, -price, { held: price, assignment });
      holds.set(at, {
        assignment_id: assignment,
        member_id: from.id,
        amount: price,
        held_before: false,
        reach,
        reach_factor: factor,
        supporter_tier: by.tier,
        supporter_cap: cap,
        supporter_own_factor: by.ownFactor,
        price,
        payer: action.member,
        supporter: action.supporter,
        open: true,
      });
    } else {
      const tried = script.actions.flatMap((one, i) => (one.kind === 'hold' ? [i] : []));
      const chosen = holds.get(tried[action.hold % Math.max(1, tried.length)] ?? -1);
      if (!chosen?.open) {
        done.delete(at);
        return;
      }
      chosen.open = false;
      const payer = wallet(chosen.payer);
      const assignment = chosen.assignment_id;
      if (!action.captured) {
        post(payer, 'release', at, chosen.price, { held: -chosen.price, assignment });
        return;
      }
      post(payer, 'capture', at, 0, { held: -chosen.price, assignment });
      spend(payer);
      const fee = Math.floor((chosen.price * Math.round(settings.fee_percent * 100)) / 10_000);
      if (chosen.price > fee) give(wallet(chosen.supporter), 'earn', at, chosen.price - fee, assignment);
    }
  });
  const month: CreditMonth = {
    settings,
    wallets: wallets.map(({ id, tier, cap }, i) => ({
      member_id: id,
      size_tier: tier,
      cap,
      start_balance: script.people[i]?.start ?? 0,
    })),
    holds: [...holds.values()].map(({ price: _, payer: __, supporter: ___, open: ____, ...hold }) => hold),
    entries,
  };
  return { wallets, month, done };
}

const count = (min: number, max: number) => fc.integer({ min, max });
const who = count(0, 20);

const settingsArbitrary: fc.Arbitrary<SimulationParameters> = fc.record({
  reach_per_credit: fc.oneof(count(1, 5), count(1, 2_000)),
  fee_percent: count(0, 9_900).map((hundredths) => hundredths / 100),
  default_reach_factor: count(1, 200).map((thousandths) => thousandths / 1_000),
  tier_policy: fc.array(fc.tuple(count(0, 5), count(0, 60)), { minLength: 4, maxLength: 4 }).map(
    (tiers) =>
      Object.fromEntries(
        SIZE_TIERS.map((tier, i) => {
          const [grant = 0, more = 0] = tiers[i] ?? [];
          return [tier, { monthly_grant: grant, cap: Math.max(1, grant + more) }];
        }),
      ) as SimulationParameters['tier_policy'],
  ),
});

const scriptArbitrary: fc.Arbitrary<Script> = fc.record({
  people: fc.array(
    fc.record({ tier: fc.constantFrom(...SIZE_TIERS), start: count(0, 30), ownFactor: fc.boolean() }),
    { minLength: 2, maxLength: 6 },
  ),
  actions: fc.array(
    fc.oneof(
      fc.record({ kind: fc.constant('grant' as const), member: who }),
      fc.record({ kind: fc.constant('lift' as const), member: who }),
      fc.record({ kind: fc.constant('campaign' as const), member: who, amount: count(1, 8) }),
      fc.record({ kind: fc.constant('manual' as const), member: who, amount: count(-6, 6) }),
      {
        weight: 3,
        arbitrary: fc.record({
          kind: fc.constant('hold' as const),
          member: who,
          supporter: who,
          followers: fc.oneof(count(0, 500), count(0, 200_000)),
        }),
      },
      {
        weight: 4,
        arbitrary: fc.record({
          kind: fc.constant('settle' as const),
          hold: count(0, 200),
          captured: fc.boolean(),
        }),
      },
    ),
    { maxLength: 60 },
  ),
});

/** Some parameters of `after`, the others of `before`. */
const mixed = fc.record({
  reach_per_credit: fc.boolean(),
  fee_percent: fc.boolean(),
  default_reach_factor: fc.boolean(),
  tier_policy: fc.boolean(),
});

function mix(
  before: SimulationParameters,
  after: SimulationParameters,
  changed: Record<keyof SimulationParameters, boolean>,
): SimulationParameters {
  const keys = Object.keys(changed) as (keyof SimulationParameters)[];
  return {
    ...before,
    ...Object.fromEntries(keys.filter((key) => changed[key]).map((key) => [key, after[key]])),
  };
}

/** Starts within the caps, where the cap of every moment is known, and follower counts that the reach gives back. */
function exact(script: Script, settings: SimulationParameters): Script {
  const fewest = (followers: number) => Math.ceil((Math.floor((followers * 60) / 1_000) * 1_000) / 60);
  return {
    people: script.people.map((one) => ({
      ...one,
      start: Math.min(one.start, settings.tier_policy[one.tier].cap),
    })),
    actions: script.actions
      .filter(({ kind }) => kind !== 'lift')
      .map((action) =>
        action.kind === 'hold' ? { ...action, followers: fewest(action.followers) } : action,
      ),
  };
}

describe('simulateCredits', () => {
  it('gives exactly the ledger under the parameters of the time, named or not', () => {
    fc.assert(
      fc.property(scriptArbitrary, settingsArbitrary, (script, settings) => {
        const { wallets, month } = run(script, settings);
        for (const change of [{}, structuredClone(settings)]) {
          const result = simulateCredits(month, change);
          expect(result.simulated).toEqual(result.actual);
          for (const [i, member] of result.members.entries()) {
            expect(member.simulated).toEqual(member.actual);
            const { balance, held, forfeited } = wallets[i] ?? { balance: -1 };
            expect(member.actual).toMatchObject({ balance, held, forfeited, refused: 0 });
          }
        }
      }),
    );
  });

  it('gives what the network would have given, had it run under the new parameters', () => {
    fc.assert(
      fc.property(
        scriptArbitrary,
        settingsArbitrary,
        settingsArbitrary,
        mixed,
        (script, old, after, changed) => {
          const before = { ...old, default_reach_factor: FACTOR };
          const fair = exact(script, before);
          const wanted = mix(before, after, changed);
          const first = run(fair, before);
          const second = run(fair, wanted, first.done);
          const { members } = simulateCredits(first.month, wanted);
          expect(
            members.map(({ member_id, simulated: { balance, held, forfeited, refused } }) => ({
              id: member_id,
              balance,
              held,
              forfeited,
              refused,
            })),
          ).toEqual(
            second.wallets.map(({ id, balance, held, forfeited, refused }) => ({
              id,
              balance,
              held,
              forfeited,
              refused,
            })),
          );
        },
      ),
      { numRuns: 400 },
    );
  });

  it('loses and invents no credit, whatever the parameters', () => {
    fc.assert(
      fc.property(scriptArbitrary, settingsArbitrary, settingsArbitrary, (script, settings, wanted) => {
        const { month } = run(script, settings);
        const result = simulateCredits(month, wanted);
        for (const { start_balance, start_held, ...sides } of [result, ...result.members]) {
          for (const side of [sides.actual, sides.simulated]) {
            const came = side.granted + side.earned + side.minted + side.released + side.manual;
            expect(side.balance).toBe(start_balance + came - side.reserved);
            expect(side.held).toBe(start_held + side.reserved - side.spent - side.released);
          }
        }
        for (const { simulated } of result.members) {
          expect(Math.min(simulated.balance, simulated.held, simulated.forfeited)).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });

  it('does not depend on the order in which it is told', () => {
    fc.assert(
      fc.property(
        scriptArbitrary,
        settingsArbitrary,
        settingsArbitrary,
        fc.infiniteStream(fc.nat()),
        (script, settings, wanted, noise) => {
          const { month } = run(script, settings);
          const shuffled = <T>(items: readonly T[]) =>
            items
              .map((item) => ({ item, key: noise.next().value }))
              .sort((a, b) => a.key - b.key)
              .map(({ item }) => item);
          const told = {
            ...month,
            wallets: shuffled(month.wallets),
            holds: shuffled(month.holds),
            entries: shuffled(month.entries),
          };
          expect(simulateCredits(told, wanted)).toEqual(simulateCredits(month, wanted));
        },
      ),
    );
  });

  it('takes a fee out of the network to the credit, where nothing is forfeited or refused', () => {
    const roomy = { monthly_grant: 3, cap: 1_000_000 };
    const settings: SimulationParameters = {
      reach_per_credit: 600,
      fee_percent: 0,
      default_reach_factor: FACTOR,
      tier_policy: { T1: roomy, T2: roomy, T3: roomy, T4: roomy },
    };
    fc.assert(
      fc.property(scriptArbitrary, count(0, 10_000), (script, hundredths) => {
        const rich = { ...script, people: script.people.map((one) => ({ ...one, start: 500_000 })) };
        const { month } = run(rich, settings);
        const captured = month.entries.filter(({ kind }) => kind === 'capture');
        const fees = captured.map(({ assignment_id }) => {
          const hold = month.holds.find((one) => one.assignment_id === assignment_id);
          return Math.floor(((hold?.amount ?? 0) * hundredths) / 10_000);
        });
        const result = simulateCredits(month, { fee_percent: hundredths / 100 });
        const fee = fees.reduce((all, one) => all + one, 0);
        expect(result.actual.balance - result.simulated.balance).toBe(fee);
        expect(result.actual.earned - result.simulated.earned).toBe(fee);
        expect(result.simulated.spent).toBe(result.actual.spent);
      }),
    );
  });

  const oneRepost = (reach: number, startBalance: number): CreditMonth => {
    return {
      settings: {
        reach_per_credit: 600,
        fee_percent: 0,
        default_reach_factor: FACTOR,
        tier_policy: {
          T1: { monthly_grant: 1, cap: 3 },
          T2: { monthly_grant: 1, cap: 6 },
          T3: { monthly_grant: 2, cap: 20 },
          T4: { monthly_grant: 3, cap: 60 },
        },
      },
      wallets: [
        { member_id: 'artist', size_tier: 'T1', cap: 60, start_balance: startBalance },
        { member_id: 'supporter', size_tier: 'T2', cap: 6, start_balance: 0 },
      ],
      holds: [
        {
          assignment_id: 'a',
          member_id: 'artist',
          amount: 1,
          held_before: false,
          reach,
          reach_factor: FACTOR,
          supporter_tier: 'T2',
          supporter_cap: 6,
          supporter_own_factor: false,
        },
      ],
      entries: [
        {
          member_id: 'artist',
          version: 1,
          at: 1,
          kind: 'hold',
          change: -1,
          forfeited: 0,
          assignment_id: 'a',
        },
        {
          member_id: 'artist',
          version: 2,
          at: 2,
          kind: 'capture',
          change: 0,
          forfeited: 0,
          assignment_id: 'a',
        },
        {
          member_id: 'supporter',
          version: 1,
          at: 2,
          kind: 'earn',
          change: 1,
          forfeited: 0,
          assignment_id: 'a',
        },
      ],
    };
  };

  it('prices the fewest followers that gave the reach under another factor', () => {
    // 17 followers give a reach of 1 at 0.06, 2 at 0.118; 16 would give 0 and 1.
    const { simulated } = simulateCredits(oneRepost(1, 9), {
      reach_per_credit: 1,
      default_reach_factor: 0.118,
    });
    expect(simulated.spent).toBe(2);
    expect(simulateCredits(oneRepost(1, 9), { reach_per_credit: 1 }).simulated.spent).toBe(1);
  });

  it('lets nothing follow from a repost the artist could not have paid', () => {
    const month = oneRepost(600, 1);
    const { members, simulated } = simulateCredits(month, { reach_per_credit: 300 });
    expect(members.map(({ simulated }) => simulated)).toMatchObject([
      { balance: 1, held: 0, spent: 0, refused: 1, refused_credits: 2 },
      { balance: 0, earned: 0 },
    ]);
    expect(simulated).toMatchObject({ balance: 1, refused: 1 });
    expect(extremes(members, 5)).toMatchObject({
      gainers: [{ member_id: 'artist' }],
      losers: [{ member_id: 'supporter' }],
    });
  });

  it('names who gains and who loses most, each once', () => {
    fc.assert(
      fc.property(
        scriptArbitrary,
        settingsArbitrary,
        settingsArbitrary,
        count(1, 4),
        (script, old, wanted, top) => {
          const { members } = simulateCredits(run(script, old).month, wanted);
          const { gainers, losers } = extremes(members, top);
          const gains = members.map(gainOf).sort((a, b) => b - a);
          expect(gainers.map(gainOf)).toEqual(gains.filter((gain) => gain > 0).slice(0, top));
          expect(losers.map(gainOf)).toEqual(
            gains
              .filter((gain) => gain < 0)
              .reverse()
              .slice(0, top),
          );
        },
      ),
    );
  });
});
