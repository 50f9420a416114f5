import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DAY_MS, HOUR_MS } from './calendar.js';
import {
  checkPair,
  diffDrafts,
  fillGaps,
  nextCandidates,
  placeAssignment,
  prepareFacts,
  type QueueState,
  recheck,
} from './queue-changes.js';
import { generateQueue, type QueueInput } from './queue-generation.js';
import { NOW, pairsOf, queueInput, submission, supporter, violations } from './queue-generation-fixtures.js';
import type { QueueAssignment } from './queue-generation-types.js';
import { rest } from './targeting-score.js';

const at = (hour: number) => NOW + (hour - 6) * HOUR_MS;
const EMPTY: QueueState = { assignments: [], held: false };
const planned = (input: QueueInput): QueueState => ({
  assignments: generateQueue(input).assignments,
  held: false,
});
const codes = (input: QueueInput, submission_id: string, supporter_id: string, state = EMPTY) =>
  checkPair({ submission_id, supporter_id }, state, prepareFacts(input)).map(({ code }) => code);

/** Two members with a track each, and supporters of equal reach. */
const DAY = queueInput(
  {
    submissions: [submission('s', 'a'), submission('t', 'z')],
    supporters: ['a', 'b', 'c', 'd', 'e'].map((id) => supporter(id)),
  },
  {},
  { a: 2, z: 2 },
);

describe('a pair', () => {
  it('may be added when no rule speaks against it, at a free slot after the last position', () => {
    const state = { assignments: generateQueue(DAY).assignments.slice(0, 1), held: false };
    const [first] = state.assignments;
    const free =
      DAY.supporters.find((m) => m.member_id !== 'a' && m.member_id !== first?.supporter_id)?.member_id ?? '';
    const { assignment, conflicts } = placeAssignment(
      { submission_id: 's', supporter_id: free },
      state,
      prepareFacts(DAY),
    );
    expect(conflicts).toEqual([]);
    expect(assignment).toMatchObject({
      position: 2,
      submission_id: 's',
      supporter_id: free,
      credits: 1,
      slot_at: at(12),
    });
  });

  it.each<[string, Partial<QueueInput>, string[]]>([
    ['self', { submissions: [submission('s', 'b')] }, ['self', 'budget']],
    ['a closed submission', { submissions: [] }, ['submission_not_open']],
    ['a stranger', { supporters: [] }, ['supporter_unknown']],
    ['no credits', { balances: [] }, ['budget']],
    [
      'two slots elsewhere',
      {
        taken: [
          { member_id: 'b', at: at(8) },
          { member_id: 'b', at: at(9) },
        ],
      },
      ['daily_cap'],
    ],
    ['a past window', { earliest: at(22) }, ['no_slot_left']],
    [
      'history and status at once',
      {
        supporters: [supporter('b', { status: 'needs_reconnect' })],
        history: [
          { supporter_id: 'b', artist_id: 'a', track_url: 'https://soundcloud.com/x/y', at: NOW - DAY_MS },
        ],
      },
      ['not_active', 'artist_cooldown', 'pair_cooldown'],
    ],
  ])('is refused for %s', (_name, change, expected) => {
    expect(codes({ ...DAY, ...change }, 's', 'b')).toEqual(expected);
  });

  it('is judged against the rest of the queue', () => {
    const facts = prepareFacts({
      ...DAY,
      balances: [{ member_id: 'a', spendable: 3 }],
      submissions: [...DAY.submissions, submission('s2', 'a')],
    });
    const add = (state: QueueState, submission_id: string, supporter_id: string): QueueState => {
      const { assignment, conflicts } = placeAssignment({ submission_id, supporter_id }, state, facts);
      expect(conflicts).toEqual([]);
      return {
        held: false,
        assignments: [...state.assignments, ...(assignment === null ? [] : [assignment])],
      };
    };
    let state = add(EMPTY, 's', 'b');
    const against = (submission_id: string, supporter_id: string) =>
      checkPair({ submission_id, supporter_id }, state, facts);
    expect(against('s', 'b').map(({ code }) => code)).toEqual(['already_in_queue']);
    expect(against('s2', 'b')).toEqual([
      { code: 'artist_cooldown', facts: { in_queue: true, submission_id: 's' } },
    ]);
    state = add(state, 's2', 'c');
    state = add(state, 's', 'd');
    expect(against('s', 'e')).toEqual([{ code: 'budget', facts: { price: 1, credits_left: 0, budget: 3 } }]);
  });

  it('of two members for each other is refused', () => {
    const mutual = {
      ...DAY,
      submissions: [submission('s', 'a'), submission('u', 'b')],
      balances: [
        { member_id: 'a', spendable: 2 },
        { member_id: 'b', spendable: 2 },
      ],
    };
    const facts = prepareFacts(mutual);
    const { assignment } = placeAssignment({ submission_id: 's', supporter_id: 'b' }, EMPTY, facts);
    const state = { held: false, assignments: assignment === null ? [] : [assignment] };
    expect(checkPair({ submission_id: 'u', supporter_id: 'a' }, state, facts)).toEqual([
      { code: 'pair_cooldown', facts: { in_queue: true, submission_id: 's' } },
    ]);
  });

  it('may be forced against cool-downs, not against money or time', () => {
    const history = [{ supporter_id: 'b', artist_id: 'a', track_url: 'https://soundcloud.com/x/y', at: NOW }];
    const pair = { submission_id: 's', supporter_id: 'b' };
    const forced = (change: Partial<QueueInput>, override = true) =>
      placeAssignment(pair, EMPTY, prepareFacts({ ...DAY, history, ...change }), { override });
    expect(forced({}, false).assignment).toBeNull();
    expect(forced({})).toMatchObject({
      assignment: { supporter_id: 'b' },
      conflicts: [{ code: 'artist_cooldown' }, { code: 'pair_cooldown' }],
    });
    expect(forced({ balances: [] }).assignment).toBeNull();
    expect(forced({ earliest: at(22) }).assignment).toBeNull();
    expect(forced({ submissions: [] }).assignment).toBeNull();
    // Beyond the daily cap there may still be an hour free.
    const taken = [
      { member_id: 'b', at: at(12) },
      { member_id: 'b', at: at(13) },
    ];
    expect(forced({ taken }).assignment).toMatchObject({ slot_at: at(14) });
    // An account is needed to repost at all.
    const without = forced({
      supporters: [supporter('b', { account_id: null, handle: null, account_status: null })],
    });
    expect(without.assignment).toBeNull();
    expect(without.conflicts).toContainEqual({ code: 'no_account', facts: { member_id: 'b' } });
  });

  it('is placed at a time that is asked for, or the next', () => {
    const facts = prepareFacts({ ...DAY, taken: [{ member_id: 'b', at: at(15) }] });
    const place = (from: number) =>
      placeAssignment({ submission_id: 's', supporter_id: 'b' }, EMPTY, facts, { from }).assignment?.slot_at;
    expect([at(14), at(14.5), at(21.5), at(23)].map(place)).toEqual([at(14), at(16), at(21.5), at(12)]);
  });
});

describe('the re-check', () => {
  it('keeps an unchanged draft as it is', () => {
    const { assignments } = planned(DAY);
    expect(recheck(assignments, prepareFacts(DAY))).toEqual({ kept: assignments, moved: [], dropped: [] });
  });

  it('drops what no longer holds and says why, with the facts', () => {
    const { assignments } = planned(DAY);
    const [gone] = assignments;
    if (gone === undefined) throw new Error('nothing was planned');
    const supporters = DAY.supporters.map((m) =>
      m.member_id === gone.supporter_id ? { ...m, account_status: 'reconnect' } : m,
    );
    const result = recheck(assignments, prepareFacts({ ...DAY, supporters }));
    expect(result.dropped.every(({ assignment }) => assignment.supporter_id === gone.supporter_id)).toBe(
      true,
    );
    expect(result.dropped[0]?.conflicts).toEqual([
      { code: 'account_unhealthy', facts: { account_status: 'reconnect' } },
    ]);
    expect(result.kept.length + result.dropped.length).toBe(assignments.length);
    const withdrawn = recheck(assignments, prepareFacts({ ...DAY, submissions: [submission('s', 'a')] }));
    expect(new Set(withdrawn.dropped.map(({ assignment }) => assignment.submission_id))).toEqual(
      new Set(['t']),
    );
  });

  it('drops what ops insisted on when the account is gone', () => {
    const { assignments } = planned(DAY);
    const [gone] = assignments;
    if (gone === undefined) throw new Error('nothing was planned');
    const without = { account_id: null, handle: null, account_status: null };
    const supporters = DAY.supporters.map((m) =>
      m.member_id === gone.supporter_id ? { ...m, ...without } : m,
    );
    const result = recheck(assignments, prepareFacts({ ...DAY, supporters }), assignments);
    const { submission_id, supporter_id } = gone;
    expect(result.dropped).toContainEqual({
      assignment: expect.objectContaining({ submission_id, supporter_id }),
      conflicts: [{ code: 'no_account', facts: { member_id: supporter_id } }],
    });
  });

  it('drops the last positions when credits got fewer, at the frozen price', () => {
    const { assignments } = planned(DAY);
    const poorer = {
      ...DAY,
      balances: [
        { member_id: 'a', spendable: 1 },
        { member_id: 'z', spendable: 2 },
      ],
    };
    const result = recheck(assignments, prepareFacts(poorer));
    const last = assignments.filter((a) => a.submission_id === 's').at(-1);
    expect(result.dropped).toEqual([
      { assignment: last, conflicts: [{ code: 'budget', facts: { price: 1, credits_left: 0, budget: 1 } }] },
    ]);
    const dearer = { ...DAY, supporters: DAY.supporters.map((m) => ({ ...m, followers: 90_000 })) };
    expect(recheck(assignments, prepareFacts(dearer)).kept.map((a) => a.credits)).toEqual([1, 1, 1, 1]);
  });

  it('moves slots that come too soon, and drops what the window has no room for', () => {
    const { assignments } = planned(DAY);
    const soon = recheck(assignments, prepareFacts({ ...DAY, earliest: at(20) }));
    expect(soon.dropped).toEqual([]);
    expect(soon.moved).toHaveLength(assignments.filter((a) => a.slot_at < at(20)).length);
    expect(soon.moved.length).toBeGreaterThan(0);
    expect(soon.kept.every((a) => a.slot_at >= at(20))).toBe(true);
    // One supporter has two slots, and an hour has room for one of them.
    const hour = recheck(assignments, prepareFacts({ ...DAY, earliest: at(21) }));
    expect(hour.dropped).toMatchObject([
      { assignment: { position: 4 }, conflicts: [{ code: 'slot_passed' }] },
    ]);
    const late = recheck(assignments, prepareFacts({ ...DAY, earliest: at(22) }));
    expect(late.kept).toEqual([]);
    expect(late.dropped.map(({ conflicts }) => conflicts[0]?.code)).toEqual(
      assignments.map(() => 'slot_passed'),
    );
  });

  it('holds what ops forced to nothing but money, time and existence', () => {
    const pair = { submission_id: 's', supporter_id: 'b' };
    const history = [{ supporter_id: 'b', artist_id: 'a', track_url: 'https://soundcloud.com/x/y', at: NOW }];
    const facts = prepareFacts({ ...DAY, history });
    const { assignment } = placeAssignment(pair, EMPTY, facts, { override: true });
    const assignments = assignment === null ? [] : [assignment];
    expect(recheck(assignments, facts).dropped).toHaveLength(1);
    expect(recheck(assignments, facts, [pair]).kept).toEqual(assignments);
    expect(recheck(assignments, prepareFacts({ ...DAY, history, balances: [] }), [pair]).kept).toEqual([]);
  });

  it('leaves a queue that breaks no rule, whatever the day has become', () => {
    const member = fc.constantFrom('a', 'b', 'c', 'd', 'e');
    fc.assert(
      fc.property(
        fc.record({
          earliest: fc.integer({ min: 6, max: 22 }).map(at),
          taken: fc.array(
            fc.record({ member_id: member, at: fc.integer({ min: 48, max: 96 }).map((n) => at(n / 4)) }),
            { maxLength: 4 },
          ),
          history: fc.array(
            fc.record({
              supporter_id: member,
              artist_id: fc.constantFrom('a', 'z'),
              track_url: fc.constant('https://soundcloud.com/x/y'),
              at: fc.constant(NOW),
            }),
            { maxLength: 2 },
          ),
          a: fc.nat(2),
        }),
        ({ a, ...change }) => {
          const { assignments } = planned(DAY);
          const day = {
            ...DAY,
            ...change,
            balances: [
              { member_id: 'a', spendable: a },
              { member_id: 'z', spendable: 2 },
            ],
          };
          const { kept, dropped, moved } = recheck(assignments, prepareFacts(day));
          const renumbered = kept.map((assignment, n) => ({ ...assignment, position: n + 1 }));
          expect(violations({ assignments: renumbered }, day)).toEqual([]);
          expect(kept.length + dropped.length).toBe(assignments.length);
          expect(dropped.every(({ conflicts }) => conflicts.length > 0)).toBe(true);
          expect(diffDrafts(assignments, kept)).toMatchObject({
            added: [],
            removed: { length: dropped.length },
            moved: { length: moved.length },
          });
        },
      ),
    );
  });
});

describe('the next candidates', () => {
  const day = queueInput(
    {
      submissions: [submission('s', 'a')],
      supporters: [
        supporter('b'),
        supporter('c', { failed: 3 }),
        supporter('d', { last_assignment_at: NOW - DAY_MS }),
        supporter('e'),
        supporter('f', { followers: 40_000 }),
        supporter('g', { status: 'needs_reconnect' }),
      ],
    },
    {},
    { a: 3 },
  );

  it('are the most valuable first, then the more rested, each with a slot, without those who may not', () => {
    const state = { held: false, assignments: planned(day).assignments.slice(0, 1) };
    expect(pairsOf(state as never)).toEqual(['s<b']);
    const found = nextCandidates('s', state, prepareFacts(day));
    // f would cost 4 of the 2 credits left.
    expect(found.map(({ assignment }) => assignment.supporter_id)).toEqual(['e', 'd', 'c']);
    expect(found[0]).toMatchObject({ value: 480, assignment: { position: 2, credits: 1, slot_at: at(12) } });
    expect(nextCandidates('s', state, prepareFacts(day), 1)).toHaveLength(1);
    expect(nextCandidates('nobody', state, prepareFacts(day))).toEqual([]);
  });

  it('of a published queue are paid from what is left after its holds', () => {
    const { assignments } = planned(day);
    expect(assignments).toHaveLength(3);
    const replaced = {
      ...day,
      submissions: [submission('s', 'a', { demand: { kind: 'replacement', count: 1 } })],
    };
    const left = (spendable: number) =>
      prepareFacts({ ...replaced, balances: [{ member_id: 'a', spendable }] });
    expect(nextCandidates('s', { held: true, assignments }, left(0))).toEqual([]);
    const found = nextCandidates('s', { held: true, assignments }, left(1));
    expect(found.map(({ assignment }) => assignment.supporter_id)).toHaveLength(1);
  });
});

describe('a submission that asks for replacements', () => {
  const day = queueInput(
    {
      submissions: [submission('s', 'a', { demand: { kind: 'replacement', count: 1 } })],
      supporters: ['b', 'c', 'd'].map((id) => supporter(id)),
    },
    {},
    { a: 9 },
  );
  const facts = prepareFacts(day);
  const withThese = (held: boolean, ...supporters: string[]): QueueState => ({
    held,
    assignments: supporters.flatMap((supporter_id, n) => {
      const { assignment } = placeAssignment({ submission_id: 's', supporter_id }, EMPTY, facts);
      return assignment === null ? [] : [{ ...assignment, position: n + 1 }];
    }),
  });
  const MET = [{ code: 'demand_met', facts: { asked: 1, in_queue: 1 } }];

  it('gets as many as it asks for, and more only when ops insist', () => {
    expect(codes(day, 's', 'b')).toEqual([]);
    expect(withThese(false, 'b').assignments).toHaveLength(1);
    const second = { submission_id: 's', supporter_id: 'c' };
    expect(placeAssignment(second, withThese(false, 'b'), facts)).toEqual({
      assignment: null,
      conflicts: MET,
    });
    expect(placeAssignment(second, withThese(false, 'b'), facts, { override: true })).toMatchObject({
      assignment: { supporter_id: 'c' },
      conflicts: MET,
    });
    expect(nextCandidates('s', withThese(false, 'b'), facts)).toEqual([]);
    const fill = fillGaps(facts);
    expect([fill('s', new Set()), fill('s', new Set())]).toMatchObject([{ supporter_id: 'b' }, null]);
  });

  it('loses what is too many at the re-check, but for what ops insisted on', () => {
    const { assignments } = withThese(false, 'b', 'c');
    expect(recheck(assignments, facts).dropped).toEqual([{ assignment: assignments[1], conflicts: MET }]);
    const insisted = [{ submission_id: 's', supporter_id: 'c' }];
    expect(recheck(assignments, facts, insisted).kept).toEqual(assignments);
  });

  it('of a published queue asks beside all that was published', () => {
    expect(codes(day, 's', 'c', withThese(true, 'b'))).toEqual([]);
  });
});

describe('a supporter whose price is capped below their reach', () => {
  // The artist's 3 credits aim at 3,000. `wide` fits the genre less and would reach 5,000 for 1 credit.
  const exact = { family: 'Electronic', subgenre: 'House' };
  const wide = { followers: 83_400, credits_cap: 1, genres: [{ family: 'Electronic', subgenre: null }] };
  const day = queueInput(
    {
      submissions: [submission('s', 'a')],
      supporters: [supporter('wide', wide), supporter('fit', { followers: 49_000, genres: [exact] })],
    },
    { reach_per_credit: 1_000, default_reach_factor: 0.06 },
    { a: 3 },
  );
  const facts = prepareFacts(day);
  const order = (state: QueueState, of = facts) =>
    nextCandidates('s', state, of).map(({ assignment }) => assignment.supporter_id);

  it('is worth no more than the reach that is missing', () => {
    expect(facts.supporters.map(({ reach, price }) => [reach, price])).toEqual([
      [2_940, 3],
      [5_004, 1],
    ]);
    expect(order(EMPTY)).toEqual(['fit', 'wide']);
    expect(nextCandidates('s', EMPTY, facts).map(({ value }) => Math.round(value))).toEqual([2_352, 1_680]);
    expect(fillGaps(facts)('s', new Set())).toMatchObject({ supporter_id: 'fit' });
  });

  it('counts whole where nothing is missing any more', () => {
    const [first] = nextCandidates('s', EMPTY, facts);
    if (first === undefined) throw new Error('nobody');
    const had = { ...first.assignment, supporter_id: 'else', credits: 0, reach: 3_000 };
    expect(order({ held: false, assignments: [had] })).toEqual(['wide', 'fit']);
    expect(order({ held: false, assignments: [{ ...had, reach: 2_000 }] })).toEqual(['fit', 'wide']);
  });
});

describe('a pair no reason can put right', () => {
  const pair = { submission_id: 's', supporter_id: 'b' };
  const insist = (change: Partial<QueueInput>, state = EMPTY) =>
    placeAssignment(pair, state, prepareFacts({ ...DAY, ...change }), { override: true });

  it('is one of a submission that is due later', () => {
    const later = { submissions: [submission('s', 'a', { support_date: '2026-05-05' })] };
    const conflicts = [{ code: 'submission_not_open', facts: { support_date: '2026-05-05' } }];
    expect(checkPair(pair, EMPTY, prepareFacts({ ...DAY, ...later }))).toEqual(conflicts);
    expect(insist(later)).toEqual({ assignment: null, conflicts });
  });

  it('is one that is in the queue already', () => {
    const { assignment } = insist({});
    const state = { held: false, assignments: assignment === null ? [] : [assignment] };
    expect(insist({}, state)).toMatchObject({ assignment: null, conflicts: [{ code: 'already_in_queue' }] });
  });
});

describe('what other assignments of the queue say', () => {
  it('is nothing where the org knows no cool-down of pairs', () => {
    const submissions = [submission('s', 'a'), submission('u', 'b')];
    const free = { ...DAY, submissions, settings: { ...DAY.settings, pair_cooldown_days: 0 } };
    const facts = prepareFacts({
      ...free,
      balances: ['a', 'b'].map((id) => ({ member_id: id, spendable: 2 })),
    });
    const { assignment } = placeAssignment({ submission_id: 's', supporter_id: 'b' }, EMPTY, facts);
    const state = { held: false, assignments: assignment === null ? [] : [assignment] };
    expect(state.assignments).toHaveLength(1);
    expect(checkPair({ submission_id: 'u', supporter_id: 'a' }, state, facts)).toEqual([]);
  });
});

describe('a draft that is checked anew', () => {
  it('is judged by positions, in whatever order it is given', () => {
    const { assignments } = planned(DAY);
    const balances = ['a', 'z'].map((member_id) => ({ member_id, spendable: 1 }));
    const facts = prepareFacts({ ...DAY, balances });
    const dropped = (given: readonly QueueAssignment[]) =>
      recheck(given, facts).dropped.map(({ assignment }) => assignment.position);
    const last = ['s', 't'].map(
      (id) => assignments.filter((one) => one.submission_id === id).at(-1)?.position,
    );
    expect(dropped(assignments)).toEqual(last.sort());
    expect(dropped([...assignments].reverse())).toEqual(last);
  });

  it('moves an assignment whose time is taken to the next one, not to one before', () => {
    const facts = prepareFacts({ ...DAY, taken: [{ member_id: 'b', at: at(15) }] });
    const pair = { submission_id: 's', supporter_id: 'b' };
    const { assignment } = placeAssignment(pair, EMPTY, prepareFacts(DAY), { from: at(15) });
    if (assignment === null) throw new Error('nothing was placed');
    expect(recheck([assignment], facts).moved).toEqual([{ ...pair, from: at(15), to: at(16) }]);
  });

  it('loses who was asked for the submission by another queue meanwhile', () => {
    const [first] = planned(DAY).assignments;
    if (first === undefined) throw new Error('nothing was planned');
    const submissions = DAY.submissions.map((one) => ({ ...one, asked_supporters: [first.supporter_id] }));
    expect(recheck([first], prepareFacts({ ...DAY, submissions })).dropped).toEqual([
      {
        assignment: first,
        conflicts: [{ code: 'already_asked', facts: { submission_id: first.submission_id } }],
      },
    ]);
  });
});

describe('gaps that are filled one after another', () => {
  it('get who would be asked anew each time, whatever the order of the gaps', () => {
    // Members with two tracks each share credits; supporters of several sizes are free twice a day at most.
    const tracks = Array.from({ length: 24 }, (_, n) =>
      submission(`s${String(n).padStart(2, '0')}`, `a${n % 12}`, {
        subgenres: n % 3 === 0 ? ['Techno'] : ['House'],
      }),
    );
    const supporters = Array.from({ length: 40 }, (_, n) =>
      supporter(`m${String(n).padStart(2, '0')}`, {
        followers: 6_000 + ((n * 7_919) % 30_000),
        completed: n % 7,
        failed: n % 3,
        last_assignment_at: n % 4 === 0 ? null : NOW - (n % 9) * DAY_MS,
        genres: [{ family: 'Electronic', subgenre: n % 2 === 0 ? 'House' : 'Techno' }],
      }),
    );
    const credits = Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`a${n}`, 4 + (n % 5)]));
    const facts = prepareFacts(queueInput({ submissions: tracks, supporters }, {}, credits));
    const gaps = Array.from({ length: 80 }, (_, n) => tracks[(n * 11) % tracks.length]?.id ?? '');
    const notThese = new Map(tracks.map(({ id }, n) => [id, new Set([`m${String(n).padStart(2, '0')}`])]));
    /** The rule as it reads: everybody is tried, then the best is taken. */
    const best = (id: string, assignments: readonly QueueAssignment[], out: ReadonlySet<string>) => {
      const artist = tracks.find((track) => track.id === id)?.member_id ?? '';
      const own = assignments.filter((one) => one.submission_id === id);
      const target = (credits[artist] ?? 0) * facts.settings.reach_per_credit;
      const missing = target - own.reduce((sum, { reach }) => sum + reach, 0);
      return supporters
        .filter(({ member_id }) => !out.has(member_id))
        .flatMap(({ member_id: supporter_id, last_assignment_at }) => {
          const state = { assignments, held: false };
          const { assignment } = placeAssignment({ submission_id: id, supporter_id }, state, facts);
          if (assignment === null) return [];
          const counted = missing > 0 ? Math.min(assignment.reach, missing) : assignment.reach;
          const value = assignment.affinity * assignment.reliability * counted;
          return [{ assignment, value, rested: rest(last_assignment_at, NOW, facts.settings) }];
        })
        .sort(
          (x, y) =>
            y.value - x.value ||
            y.rested - x.rested ||
            (x.assignment.supporter_id < y.assignment.supporter_id ? -1 : 1),
        );
    };
    const next = fillGaps(facts);
    const assignments: QueueAssignment[] = [];
    const outcomes = gaps.map((id) => {
      const out = notThese.get(id) ?? new Set<string>();
      const all = best(id, assignments, new Set());
      expect(nextCandidates(id, { assignments, held: false }, facts, 5)).toEqual(
        all.slice(0, 5).map(({ assignment, value }) => ({ assignment, value })),
      );
      const found = next(id, out);
      expect(found).toEqual(best(id, assignments, out)[0]?.assignment ?? null);
      if (found !== null) assignments.push(found);
      return found !== null;
    });
    expect(new Set(outcomes).size).toBe(2);
    expect(next('nobody', new Set())).toBeNull();
  });
});

describe('the difference of two drafts', () => {
  it('names what was added, removed, moved and repriced', () => {
    const { assignments } = planned(DAY);
    const [first, second, third, fourth] = assignments;
    if (first === undefined || second === undefined || third === undefined || fourth === undefined)
      throw new Error('too few');
    const moved = { ...second, slot_at: second.slot_at + HOUR_MS };
    const repriced = { ...third, credits: 2 };
    const fresh = { ...fourth, supporter_id: 'new' };
    const pair = ({ submission_id, supporter_id }: typeof first) => ({ submission_id, supporter_id });
    expect(diffDrafts(assignments, [repriced, moved, first, fresh])).toEqual({
      added: [fresh],
      removed: [fourth],
      moved: [{ ...pair(second), from: second.slot_at, to: moved.slot_at }],
      repriced: [{ ...pair(third), from: 1, to: 2 }],
    });
    expect(diffDrafts(assignments, [...assignments].reverse())).toEqual({
      added: [],
      removed: [],
      moved: [],
      repriced: [],
    });
  });
});
