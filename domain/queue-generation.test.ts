import { describe, expect, it } from 'vitest';
import { DAY_MS, HOUR_MS } from './calendar.js';
import { generateQueue, type QueueDraft, type QueueSupporter } from './queue-generation.js';
import { NOW, pairsOf, queueInput, submission, supporter, violations } from './queue-generation-fixtures.js';

const track = (id: string) => `https://soundcloud.com/handle-${id}/track`;
const reasons = (draft: QueueDraft) =>
  Object.fromEntries(draft.unfilled.map((u) => [u.submission_id, u.code]));
const unused = (draft: QueueDraft) => Object.fromEntries(draft.unused.map((u) => [u.member_id, u.code]));

describe('an assignment', () => {
  it('carries its frozen price, what it rests on, and a slot in the window', () => {
    const given = queueInput(
      {
        submissions: [submission('s', 'a')],
        supporters: [
          supporter('b', {
            followers: 10_500,
            completed: 6,
            failed: 1,
            last_assignment_at: NOW - 3.5 * DAY_MS,
          }),
        ],
      },
      {},
      { a: 2 },
    );
    const draft = generateQueue(given);
    expect(draft.assignments).toEqual([
      {
        position: 1,
        submission_id: 's',
        supporter_id: 'b',
        account_id: 'account-b',
        handle: 'handle-b',
        tier: 'T3',
        slot_at: Date.parse('2026-05-04T12:00:00+02:00'),
        credits: 2,
        followers: 10_500,
        reach: 630,
        reach_factor: 0.06,
        affinity: 1,
        reliability: 0.833333,
        score_parts: { affinity: 1, affinity_because: 'subgenre House', reliability: 0.833333, rest: 0.5 },
        because: 'subgenre House (affinity 1), reliability 0.833333, reach 630 for 2 credits',
      },
    ]);
    expect(draft).toMatchObject({ total_slots: 2, filled_slots: 1 });
    expect(draft.explanation).toMatchObject({
      rule_version: 'queue-2',
      counts: { submissions: 1, served: 1, supporters: 1, used_supporters: 1, allowed_pairs: 1 },
      totals: { credits: 2, reach: 630, value: 525 },
    });
  });
});

describe('the two aims', () => {
  it('serves everybody before it looks at what is worth more', () => {
    // `b` is worth most to s1, but s2 has nobody else.
    const given = queueInput(
      {
        submissions: [submission('s1', 'x'), submission('s2', 'y', { subgenres: [], family: 'Pop' })],
        supporters: [
          supporter('b', {
            genres: [
              { family: 'Electronic', subgenre: 'House' },
              { family: 'Pop', subgenre: null },
            ],
          }),
          supporter('c', { followers: 2_000 }),
        ],
      },
      { accounts_daily_cap: 1 },
      { x: 1, y: 1 },
    );
    expect(pairsOf(generateQueue(given))).toEqual(['s1<c', 's2<b']);
  });

  it('hands supporters on along a chain so that one more is served', () => {
    // Submission n has supporters n and n + 1 and takes n; the last one has 0 and 5 alone, so all must move on.
    const last = 11;
    const ids = Array.from({ length: last + 1 }, (_, n) => n);
    const families = (n: number) => [n - 1, ...(n < last ? [n] : []), ...(n === 0 || n === 5 ? [last] : [])];
    const id = (n: number) => String(n).padStart(2, '0');
    const given = queueInput(
      {
        submissions: ids.map((n) => submission(`s${id(n)}`, `x${n}`, { family: `F${n}`, subgenres: [] })),
        supporters: ids.map((n) =>
          supporter(`m${id(n)}`, { genres: families(n).map((f) => ({ family: `F${f}`, subgenre: null })) }),
        ),
      },
      { accounts_daily_cap: 1 },
      Object.fromEntries(ids.map((n) => [`x${n}`, 1])),
    );
    expect(generateQueue(given).explanation.counts.served).toBe(last + 1);
  });

  it('serves the one of a member’s submissions that leaves room for another member’s', () => {
    // x has one credit: spent on s1, it leaves the only supporter that s2 has.
    const house = { family: 'Electronic', subgenre: 'House' };
    const trance = { family: 'Electronic', subgenre: 'Trance' };
    const punk = { family: 'Rock', subgenre: 'Punk' };
    const given = queueInput(
      {
        submissions: [
          submission('s0', 'x', { family: 'Rock', subgenres: ['Punk'] }),
          submission('s1', 'x', { subgenres: ['Trance'] }),
          submission('s2', 'a', { family: 'Rock', subgenres: ['Punk'] }),
          submission('s3', 'b'),
        ],
        supporters: [
          supporter('a', { followers: 900, genres: [house] }),
          supporter('b', { followers: 900_000, genres: [house, trance, punk] }),
          supporter('c', { followers: 900, genres: [trance, punk] }),
          supporter('d', { followers: 900, genres: [house] }),
        ],
      },
      { accounts_daily_cap: 1 },
      { a: 5, b: 6, x: 1 },
    );
    expect(pairsOf(generateQueue(given))).toEqual(['s1<d', 's2<c', 's3<a']);
  });

  it.each(['r', 't'])(
    'serves of as many the ones worth most, whatever their ids: the other track is %s',
    (id) => {
      // One slot each. Two of the three can be served; a's tracks fit by family only, z's fits exactly.
      const tracks = ['s1', 's2'].map((own) => submission(own, 'a', { subgenres: ['Techno'] }));
      const given = queueInput(
        { submissions: [submission(id, 'z'), ...tracks], supporters: [supporter('b'), supporter('c')] },
        { accounts_daily_cap: 1 },
        { a: 5, z: 5 },
      );
      const { counts, totals } = generateQueue(given).explanation;
      expect([counts.served, totals.value]).toEqual([2, 816]);
    },
  );

  it('counts reach up to the target only, though a supporter may reach more', () => {
    const given = queueInput(
      {
        submissions: [submission('s', 'a')],
        // Both cost the 3 credits of their cap; beyond 1,800 listeners nothing counts, so the reliable one is better.
        supporters: [
          supporter('big', { followers: 900_000, credits_cap: 3, failed: 5 }),
          supporter('small', { followers: 30_000, credits_cap: 3 }),
        ],
      },
      {},
      { a: 3 },
    );
    const draft = generateQueue(given);
    expect(pairsOf(draft)).toEqual(['s<small']);
    expect(draft.explanation.totals.value).toBe(1_440);
    expect(draft.unfilled).toEqual([]);
  });
});

describe('budgets', () => {
  it('are shared by all submissions of a member', () => {
    const given = queueInput(
      {
        submissions: [submission('s1', 'a'), submission('s2', 'a')],
        supporters: ['b', 'c', 'd', 'e'].map((id) => supporter(id)),
      },
      {},
      { a: 3 },
    );
    const draft = generateQueue(given);
    expect(draft.assignments.reduce((sum, { credits }) => sum + credits, 0)).toBe(3);
    expect(draft.explanation.counts.served).toBe(2);
    // A supporter reposts one track of a member.
    expect(new Set(draft.assignments.map((a) => a.supporter_id)).size).toBe(3);
    expect(draft.unfilled.map((u) => [u.code, u.target_reach])).toEqual([
      ['budget', 1_800],
      ['budget', 1_800],
    ]);
  });

  it('serve one of two submissions when there is one credit', () => {
    const given = queueInput(
      {
        submissions: [submission('s1', 'a'), submission('s2', 'a')],
        supporters: [supporter('b'), supporter('c')],
      },
      {},
      { a: 1 },
    );
    const draft = generateQueue(given);
    expect(draft.filled_slots).toBe(1);
    expect(draft.unfilled).toHaveLength(2 - Number(draft.unfilled.every((u) => !u.served)));
  });
});

describe('replacements', () => {
  it('are as many as were asked for, and nobody is asked twice', () => {
    const given = queueInput(
      {
        submissions: [
          submission('s', 'a', {
            demand: { kind: 'replacement', count: 2 },
            asked_supporters: ['best', 'good'],
          }),
        ],
        supporters: [
          supporter('best'),
          supporter('good'),
          ...['b', 'c', 'd'].map((id) => supporter(id, { followers: 5_000 })),
        ],
      },
      {},
      { a: 20 },
    );
    const draft = generateQueue(given);
    expect(pairsOf(draft)).toEqual(['s<b', 's<c']);
    expect(draft.unfilled).toEqual([]);
    expect(unused(draft)).toEqual({ best: 'excluded_for_all', good: 'excluded_for_all', d: 'outbid' });
  });

  it('say how many are missing', () => {
    const given = queueInput(
      {
        submissions: [submission('s', 'a', { demand: { kind: 'replacement', count: 2 } })],
        supporters: [supporter('b')],
      },
      {},
      { a: 20 },
    );
    expect(generateQueue(given).unfilled).toMatchObject([
      { served: true, assignments: 1, missing: 1, code: 'slots_taken' },
    ]);
  });
});

describe('within one queue', () => {
  it.each([
    [
      'a track goes to a supporter once',
      [submission('s1', 'x', { track_url: track('z') }), submission('s2', 'y', { track_url: track('z') })],
    ],
    [
      'an artist goes to a supporter once',
      [submission('s1', 'x', { handles: ['duo'] }), submission('s2', 'y', { handles: ['@Duo'] })],
    ],
  ])('%s', (_name, submissions) => {
    const given = queueInput({ submissions, supporters: [supporter('b')] }, {}, { x: 1, y: 1 });
    const draft = generateQueue(given);
    expect(draft.filled_slots).toBe(1);
    expect(draft.unfilled).toMatchObject([{ served: false, code: 'queue_conflict' }]);
  });

  it('two members do not support each other', () => {
    const given = queueInput(
      {
        submissions: [submission('s1', 'a'), submission('s2', 'b')],
        supporters: [supporter('a'), supporter('b')],
      },
      {},
      { a: 1, b: 1 },
    );
    expect(generateQueue(given).filled_slots).toBe(1);
    const lifted = { ...given, settings: { ...given.settings, pair_cooldown_days: 0 } };
    expect(pairsOf(generateQueue(lifted))).toEqual(['s1<b', 's2<a']);
  });
});

describe('hard exclusions', () => {
  const ago = (days: number) => NOW - days * DAY_MS;
  it.each<[string, Partial<QueueSupporter>, string]>([
    ['status', { status: 'needs_reconnect' }, 'not_active'],
    ['account', { account_status: 'reconnect' }, 'account_unhealthy'],
    ['no account', { account_id: null, handle: null, account_status: null }, 'account_unhealthy'],
    ['activity', { last_activity_at: ago(90) }, 'inactive'],
    ['reach', { followers: 3 }, 'no_reach'],
    ['genre', { genres: [{ family: 'Rock', subgenre: null }] }, 'excluded_for_all'],
    ['avoid list', { avoided_handles: ['handle-a'] }, 'excluded_for_all'],
    ['price', { followers: 20_000 }, 'too_expensive'],
  ])('%s', (_name, change, code) => {
    const given = queueInput(
      { submissions: [submission('s', 'a')], supporters: [supporter('b', change)] },
      {},
      { a: 1 },
    );
    const draft = generateQueue(given);
    expect(draft.assignments).toEqual([]);
    expect(unused(draft)).toEqual({ b: code });
    expect(reasons(draft)).toEqual({ s: code === 'too_expensive' ? 'budget' : 'no_eligible_supporter' });
  });

  it.each([
    [
      'track_cooldown',
      { supporter_id: 'b', artist_id: null, track_url: 'https://soundcloud.com/handle-a/s', at: ago(29) },
    ],
    [
      'artist_cooldown',
      { supporter_id: 'b', artist_id: null, track_url: 'https://soundcloud.com/handle-a/other', at: ago(6) },
    ],
    ['pair_cooldown', { supporter_id: 'a', artist_id: 'b', track_url: track('b'), at: ago(6) }],
  ])('%s by history, with counts', (code, past) => {
    const given = queueInput(
      { submissions: [submission('s', 'a')], supporters: [supporter('b')], history: [past] },
      {},
      { a: 1 },
    );
    const draft = generateQueue(given);
    expect(draft.unfilled).toMatchObject([
      { code: 'no_eligible_supporter', facts: { excluded: { [code]: 1 } } },
    ]);
    expect(draft.unused).toMatchObject([{ code: 'excluded_for_all', facts: { excluded: { [code]: 1 } } }]);
    const later = { ...given, history: [{ ...past, at: ago(30) }] };
    expect(pairsOf(generateQueue(later))).toEqual(['s<b']);
  });

  it('campaign schedules of the day take slots', () => {
    const at = (hour: number) => NOW + (hour - 6) * HOUR_MS;
    const given = queueInput(
      {
        submissions: [submission('s', 'a')],
        supporters: [supporter('b')],
        taken: [{ member_id: 'b', at: at(13) }],
      },
      {},
      { a: 1 },
    );
    expect(violations(generateQueue(given), given)).toEqual([]);
    expect(generateQueue(given).total_slots).toBe(1);
    const full = { ...given, taken: [...given.taken, { member_id: 'b', at: at(9) }] };
    expect(unused(generateQueue(full))).toEqual({ b: 'daily_cap' });
    const late = { ...given, taken: [], earliest: at(22) };
    expect(unused(generateQueue(late))).toEqual({ b: 'no_slot_left' });
  });
});

describe('days', () => {
  it.each(['2026-03-29', '2026-10-25', '2026-05-04'])('on %s every rule holds, in the org’s time', (date) => {
    const now = Date.parse(`${date}T04:00:00Z`);
    const given = queueInput(
      {
        date,
        now,
        earliest: now,
        submissions: Array.from({ length: 12 }, (_, n) =>
          submission(`s${n}`, `x${n}`, { support_date: date }),
        ),
        supporters: Array.from({ length: 8 }, (_, n) => supporter(`m${n}`, { last_activity_at: now })),
      },
      { accounts_daily_cap: 9, window_start: '00:00', window_end: '08:30' },
      Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`x${n}`, 6])),
    );
    const early = { ...given, earliest: now - DAY_MS };
    for (const day of [given, early]) {
      const draft = generateQueue(day);
      expect(draft.filled_slots).toBeGreaterThan(8);
      expect(violations(draft, day)).toEqual([]);
    }
  });

  it('without demand or supporters say so', () => {
    expect(generateQueue(queueInput())).toMatchObject({
      assignments: [],
      unfilled: [],
      unused: [],
      total_slots: 0,
    });
    expect(unused(generateQueue(queueInput({ supporters: [supporter('b')] })))).toEqual({ b: 'no_demand' });
    const alone = queueInput({ submissions: [submission('s', 'a')] }, {}, { a: 1 });
    expect(reasons(generateQueue(alone))).toEqual({ s: 'no_eligible_supporter' });
  });

  it('leave what is not due, has no credits or no wallet', () => {
    const given = queueInput(
      {
        submissions: [
          submission('later', 'a', { support_date: '2026-05-05' }),
          submission('poor', 'c'),
          submission('imported', null),
        ],
        supporters: [supporter('b')],
      },
      {},
      { a: 5, c: 0 },
    );
    expect(reasons(generateQueue(given))).toEqual({
      later: 'not_due',
      poor: 'no_credits',
      imported: 'no_credits',
    });
  });

  it('refuse rows given twice', () => {
    expect(() => generateQueue(queueInput({ supporters: [supporter('b'), supporter('b')] }))).toThrow(
      /given twice/,
    );
    expect(() =>
      generateQueue(queueInput({ submissions: [submission('s', 'a'), submission('s', 'b')] })),
    ).toThrow(/given twice/);
  });

  it('with large balances spend them as well', () => {
    const given = queueInput(
      {
        submissions: [submission('s', 'a'), submission('t', 'a')],
        supporters: Array.from({ length: 300 }, (_, n) => supporter(`m${n}`, { followers: 9_000 + 10 * n })),
      },
      {},
      { a: 250 },
    );
    const draft = generateQueue(given);
    expect(violations(draft, given)).toEqual([]);
    const { totals } = draft.explanation;
    expect(totals.credits).toBeGreaterThan(245);
    expect(totals.value).toBeGreaterThan(0.97 * totals.value_bound);
  });
});

describe('a submission that lost its supporters to others in several ways', () => {
  it('says that the slots were taken, and how many were lost which way', () => {
    // One slot each: for the track of another artist, and for one of the two of this one.
    const tracks = ['s1', 's2'].map((id) => submission(id, 'a', { subgenres: ['Techno'] }));
    const given = queueInput(
      { submissions: [submission('r', 'z'), ...tracks], supporters: [supporter('b'), supporter('c')] },
      { accounts_daily_cap: 1 },
      { a: 5, z: 5 },
    );
    const draft = generateQueue(given);
    expect(violations(draft, given)).toEqual([]);
    expect(draft.unfilled.filter(({ served }) => !served)).toMatchObject([
      { member_id: 'a', code: 'slots_taken', facts: { eligible: 2, slots_taken: 1, queue_conflict: 1 } },
    ]);
  });
});
