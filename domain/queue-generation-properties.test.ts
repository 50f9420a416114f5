import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DAY_MS, HOUR_MS } from './calendar.js';
import { generateQueue, type QueueInput } from './queue-generation.js';
import {
  allowed,
  compatible,
  facts,
  NOW,
  pairsOf,
  queueInput,
  submission,
  supporter,
  valueOfPairs,
  violations,
} from './queue-generation-fixtures.js';

const rarely = <T>(usual: T, rare: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 12, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: rare });
const GENRES = [
  { family: 'Electronic', subgenre: 'House' },
  { family: 'Electronic', subgenre: 'Trance' },
  { family: 'Pop', subgenre: null },
  { family: 'Rock', subgenre: 'Punk' },
];

/** Days with few members, so that everything that can get in each other's way does. */
function days(size: { supporters: number; submissions: number; credits: number }): fc.Arbitrary<QueueInput> {
  const ids = Array.from({ length: size.supporters }, (_, n) => `m${n}`);
  const anySupporter = (id: string) =>
    fc
      .record({
        followers: fc.constantFrom(0, 900, 4_000, 9_900, 10_000, 19_000, 31_000, 240_000, 900_000),
        reach_factor: rarely<number | null>(null, fc.constantFrom(0.2, 0.29)),
        credits_cap: fc.constantFrom(3, 6, 20, 60),
        status: rarely('active', fc.constant('needs_reconnect')),
        account_status: rarely<string | null>('linked', fc.constantFrom('error', null)),
        last_activity_at: rarely<number | null>(
          NOW,
          fc.constantFrom(null, NOW - 90 * DAY_MS, NOW - 89 * DAY_MS),
        ),
        genres: fc.subarray(GENRES, { minLength: 1 }),
        avoided_handles: rarely<string[]>([], fc.subarray(['handle-m0', 'handle-m1'])),
        completed: fc.nat(9),
        failed: fc.nat(4),
      })
      .map((change) => supporter(id, change));
  const anySubmission = (n: number) =>
    fc
      .record({
        member: fc.constantFrom(...ids.slice(0, Math.max(2, Math.ceil(ids.length / 2)))),
        genre: fc.constantFrom(...GENRES),
        track: rarely<string | null>(null, fc.constant('https://soundcloud.com/shared/track')),
        avoided: rarely<string[]>([], fc.subarray(['handle-m2', 'handle-m3'])),
        support_date: rarely('2026-05-03', fc.constantFrom('2026-05-05', '2026-05-04')),
        demand: rarely<{ kind: 'first' } | { kind: 'replacement'; count: number }>(
          { kind: 'first' },
          fc.integer({ min: 1, max: 3 }).map((count) => ({ kind: 'replacement', count })),
        ),
        asked: rarely<string[]>([], fc.subarray(ids)),
        handle: rarely<string | null>(null, fc.constant('shared')),
      })
      .map(({ member, genre, track, avoided, support_date, demand, asked, handle }) =>
        submission(`s${n}`, member, {
          family: genre.family,
          subgenres: genre.subgenre === null ? [] : [genre.subgenre],
          ...(track === null ? {} : { track_url: track }),
          handles: [`handle-${member}`, ...(handle === null ? [] : [handle])],
          avoided_handles: avoided,
          support_date,
          demand,
          asked_supporters: asked,
        }),
      );
  return fc
    .record({
      supporters: fc.tuple(...ids.map(anySupporter)),
      submissions: fc
        .integer({ min: 0, max: size.submissions })
        .chain((count) => fc.tuple(...Array.from({ length: count }, (_, n) => anySubmission(n)))),
      credits: fc.array(fc.nat(size.credits), { minLength: ids.length, maxLength: ids.length }),
      taken: fc.array(
        fc.record({
          member_id: fc.constantFrom(...ids),
          at: fc.integer({ min: -6, max: 26 }).map((h) => NOW + h * HOUR_MS + 7),
        }),
        { maxLength: 5 },
      ),
      history: fc.array(
        fc.record({
          supporter_id: fc.constantFrom(...ids),
          artist_id: fc.option(fc.constantFrom(...ids), { nil: null }),
          track_url: fc.constantFrom(
            'https://soundcloud.com/handle-m0/s0',
            'https://soundcloud.com/shared/track',
            'https://soundcloud.com/x/y',
          ),
          at: fc.integer({ min: 0, max: 35 }).map((d) => NOW - d * DAY_MS),
        }),
        { maxLength: 5 },
      ),
      settings: fc.record({
        accounts_daily_cap: fc.integer({ min: 1, max: 4 }),
        rolling_cap: rarely(10, fc.integer({ min: 1, max: 3 })),
        spacing_minutes: rarely(60, fc.constantFrom(0, 45, 240)),
        pair_cooldown_days: rarely(7, fc.constant(0)),
        artist_cooldown_days: rarely(7, fc.constant(0)),
        track_cooldown_days: rarely(30, fc.constant(0)),
        adjacency_matrix: fc.constant({ Electronic: { Pop: 0.4 }, Pop: { Electronic: 0.4 } }),
      }),
      earliest: rarely(NOW, fc.constantFrom(NOW + 13.51 * HOUR_MS, NOW + 15.2 * HOUR_MS)),
    })
    .map(({ supporters, submissions, credits, taken, history, settings, earliest }) =>
      queueInput(
        { supporters, submissions, taken, history, earliest },
        settings,
        Object.fromEntries(ids.map((id, n) => [id, credits[n] ?? 0])),
      ),
    );
}

const BUSY_DAY = days({ supporters: 14, submissions: 9, credits: 14 });

describe('for any day', () => {
  it('breaks no rule, accounts for everybody, and adds up', () => {
    fc.assert(
      fc.property(BUSY_DAY, (given) => {
        const draft = generateQueue(given);
        expect(violations(draft, given)).toEqual([]);
        expect(draft.filled_slots).toBe(draft.assignments.length);
        expect(draft.total_slots).toBeGreaterThanOrEqual(draft.filled_slots);
        const used = new Set(draft.assignments.map((a) => a.supporter_id));
        const unused = draft.unused.map((u) => u.member_id);
        expect([...used, ...unused].sort()).toEqual(given.supporters.map((m) => m.member_id).sort());
        const unfilled = new Map(draft.unfilled.map((u) => [u.submission_id, u]));
        expect(unfilled.size).toBe(draft.unfilled.length);
        for (const s of given.submissions) {
          const own = draft.assignments.filter((a) => a.submission_id === s.id);
          const credits = given.balances.find((row) => row.member_id === s.member_id)?.spendable ?? 0;
          const reach = own.reduce((sum, a) => sum + a.reach, 0);
          const met =
            own.length > 0 &&
            (reach >= credits * 600 || (s.demand.kind === 'replacement' && own.length === s.demand.count));
          expect(unfilled.has(s.id)).toBe(!met);
          if (!met)
            expect(unfilled.get(s.id)).toMatchObject({
              served: own.length > 0,
              assignments: own.length,
              reach,
            });
        }
        const { totals, counts } = draft.explanation;
        expect(totals.credits).toBe(draft.assignments.reduce((sum, a) => sum + a.credits, 0));
        expect(counts.served).toBe(new Set(draft.assignments.map((a) => a.submission_id)).size);
        expect(totals.value).toBeCloseTo(valueOfPairs(pairsIn(draft.assignments, given), given), 1);
        expect(totals.value_bound).toBeGreaterThanOrEqual(totals.value);
      }),
      { numRuns: 200 },
    );
  });

  it('leaves nobody free whom a submission could still use and pay', () => {
    fc.assert(
      fc.property(BUSY_DAY, (given) => {
        const draft = generateQueue(given);
        const chosen = pairsIn(draft.assignments, given);
        const before = valueOfPairs(chosen, given);
        for (const s of given.submissions) {
          const own = chosen.filter((pair) => pair.s.id === s.id).length;
          if (s.demand.kind === 'replacement' && own >= s.demand.count) continue;
          const balance = given.balances.find((row) => row.member_id === s.member_id)?.spendable ?? 0;
          const spent = chosen
            .filter((pair) => pair.s.member_id === s.member_id)
            .reduce((sum, pair) => sum + facts(pair.s, pair.m, given).price, 0);
          for (const unused of draft.unused) {
            const m = given.supporters.find((row) => row.member_id === unused.member_id);
            if (m === undefined || !allowed(s, m, given)) continue;
            if (unused.code === 'daily_cap' || unused.code === 'no_slot_left') continue;
            if (facts(s, m, given).price > balance - spent) continue;
            if (chosen.some((pair) => !compatible(pair, { s, m }, given))) continue;
            expect(valueOfPairs([...chosen, { s, m }], given)).toBeLessThan(before + 1e-6);
          }
        }
      }),
      { numRuns: 100 },
    );
  });

  it('gives the same bytes again, in whatever order rows come', () => {
    fc.assert(
      fc.property(BUSY_DAY, fc.nat(1_000), (given, turn) => {
        const turned = <T>(rows: readonly T[]) =>
          [...rows.slice(turn % (rows.length || 1)), ...rows.slice(0, turn % (rows.length || 1))].reverse();
        const before = JSON.stringify(given);
        const first = JSON.stringify(generateQueue(given));
        const again = generateQueue({
          ...given,
          submissions: turned(given.submissions).map((s) => ({
            ...s,
            handles: turned(s.handles),
            asked_supporters: turned(s.asked_supporters),
            subgenres: turned(s.subgenres),
          })),
          supporters: turned(given.supporters).map((m) => ({
            ...m,
            genres: turned(m.genres),
            avoided_handles: turned(m.avoided_handles),
          })),
          balances: turned(given.balances),
          taken: turned(given.taken),
          history: turned(given.history),
        });
        expect(JSON.stringify(again)).toBe(first);
        expect(JSON.stringify(given)).toBe(before);
      }),
      { numRuns: 80 },
    );
  });
});

/** Tiny days whose every queue can be tried. */
const TINY_DAY = days({ supporters: 5, submissions: 4, credits: 6 }).map((given) => ({
  ...given,
  earliest: NOW,
  taken: [],
  settings: {
    ...given.settings,
    rolling_cap: 10,
    spacing_minutes: 60,
    accounts_daily_cap: Math.min(2, given.settings.accounts_daily_cap),
  },
}));

/** Tiny days on which more submissions ask than there are slots, so that it matters which are served. */
const CROWDED_DAY = days({ supporters: 4, submissions: 5, credits: 12 }).map((given) => ({
  ...given,
  earliest: NOW,
  taken: [],
  settings: { ...given.settings, rolling_cap: 10, spacing_minutes: 60, accounts_daily_cap: 1 },
}));

describe('against every queue there is', () => {
  it('serves as many submissions as can be served', () => {
    fc.assert(
      fc.property(TINY_DAY, (given) => {
        const best = bestQueue(given);
        const draft = generateQueue(given);
        expect(draft.explanation.counts.served).toBe(best.served);
        expect(draft.explanation.totals.value_bound).toBeGreaterThanOrEqual(best.value - 0.01);
      }),
      { numRuns: 300 },
    );
  });

  it('serves those that are owed a replacement first, where that costs nobody else a supporter', () => {
    const mixed = TINY_DAY.map((given) => ({
      ...given,
      submissions: given.submissions.map((s, n) => ({
        ...s,
        demand: n % 2 === 0 ? { kind: 'first' as const } : { kind: 'replacement' as const, count: 1 },
      })),
    }));
    fc.assert(
      fc.property(mixed, (given) => {
        const best = bestQueue(given);
        const draft = generateQueue(given);
        expect(draft.explanation.counts.served).toBe(best.served);
        expect(owedServed(draft.assignments, given)).toBe(best.owed);
      }),
      { numRuns: 400 },
    );
  });

  // Fixed samples: how close a search comes is a measurement, not a property of every input.
  it.each([
    ['tiny', TINY_DAY],
    ['crowded', CROWDED_DAY],
  ])(
    'finds the most valuable of those on 99 of 100 %s days, and never less than 85 % of it',
    (_name, day) => {
      const ratios: number[] = [];
      let ours = 0;
      let theirs = 0;
      for (const given of fc.sample(day, { numRuns: 400, seed: 20_260_504 })) {
        const best = bestQueue(given);
        if (best.served === 0) continue;
        const draft = generateQueue(given);
        expect(draft.explanation.counts.served).toBe(best.served);
        expect(owedServed(draft.assignments, given)).toBe(best.owed);
        const value = valueOfPairs(pairsIn(draft.assignments, given), given);
        ratios.push(value / best.value);
        ours += value;
        theirs += best.value;
      }
      expect(ratios.length).toBeGreaterThan(200);
      expect(Math.min(...ratios)).toBeGreaterThan(0.85);
      expect(ratios.filter((ratio) => ratio > 1 - 1e-9).length / ratios.length).toBeGreaterThan(0.99);
      expect(ours / theirs).toBeGreaterThan(0.998);
    },
  );
});

function pairsIn(assignments: { submission_id: string; supporter_id: string }[], given: QueueInput) {
  return assignments.map((a) => ({
    s: given.submissions.find((s) => s.id === a.submission_id) as QueueInput['submissions'][number],
    m: given.supporters.find((m) => m.member_id === a.supporter_id) as QueueInput['supporters'][number],
  }));
}

/** Submissions with a replacement demand that have a supporter. */
function owedServed(assignments: readonly { submission_id: string }[], given: QueueInput): number {
  const served = new Set(assignments.map(({ submission_id }) => submission_id));
  return given.submissions.filter(({ id, demand }) => demand.kind === 'replacement' && served.has(id)).length;
}

/** Tries every set of allowed pairs, the most served first, then of those owed a replacement, then value. */
function bestQueue(given: QueueInput): { served: number; owed: number; value: number } {
  const all = given.submissions.flatMap((s) =>
    given.supporters
      .filter((m) => allowed(s, m, given))
      .map((m) => ({ s, m, price: facts(s, m, given).price })),
  );
  const left = new Map(given.balances.map((row) => [row.member_id, row.spendable]));
  let best = { served: 0, owed: 0, value: 0 };
  const chosen: typeof all = [];
  const visit = (n: number) => {
    const pair = all[n];
    if (pair === undefined) {
      const served = new Set(chosen.map(({ s }) => s.id)).size;
      const owed = owedServed(
        chosen.map(({ s }) => ({ submission_id: s.id })),
        given,
      );
      const value = valueOfPairs(chosen, given);
      const more = served - best.served || owed - best.owed || value - best.value;
      if (more > 0) best = { served, owed, value };
      return;
    }
    const { s, m, price } = pair;
    const credits = left.get(s.member_id ?? '') ?? 0;
    const ofSupporter = chosen.filter((other) => other.m.member_id === m.member_id).length;
    const ofSubmission = chosen.filter((other) => other.s.id === s.id).length;
    const fits =
      price <= credits &&
      ofSupporter < given.settings.accounts_daily_cap &&
      (s.demand.kind === 'first' || ofSubmission < s.demand.count) &&
      chosen.every((other) => compatible(other, pair, given));
    if (fits) {
      chosen.push(pair);
      left.set(s.member_id ?? '', credits - price);
      visit(n + 1);
      left.set(s.member_id ?? '', credits);
      chosen.pop();
    }
    visit(n + 1);
  };
  visit(0);
  return best;
}

describe('the checker', () => {
  it('finds what is wrong with a queue', () => {
    const given = queueInput(
      { submissions: [submission('s', 'a')], supporters: [supporter('a'), supporter('b')] },
      {},
      { a: 1 },
    );
    const draft = generateQueue(given);
    expect(pairsOf(draft)).toEqual(['s<b']);
    const [good] = draft.assignments;
    if (good === undefined) throw new Error('nothing was assigned');
    const broken = [
      { ...good, supporter_id: 'a' },
      { ...good, credits: 2 },
      { ...good, slot_at: NOW },
      { ...good, position: 2 },
    ];
    for (const assignment of broken) expect(violations({ assignments: [assignment] }, given)).not.toEqual([]);
    expect(violations({ assignments: [good, { ...good, position: 2 }] }, given)).not.toEqual([]);
  });
});
