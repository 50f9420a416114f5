import { describe, expect, it } from 'vitest';
import { DAY_MS } from './calendar.js';
import { targetReachOf } from './credits.js';
import { buildProposal, type TargetCandidate, type TargetTrack } from './targeting.js';
import { handleKey } from './targeting-exclusions.js';
import { candidate, chosen, input, NOW, SETTINGS, TRACK } from './targeting-fixtures.js';
import { reliability, rest } from './targeting-score.js';

describe('hard exclusions', () => {
  const ago = (days: number) => NOW - days * DAY_MS;

  it.each<[string, Partial<TargetCandidate>, Partial<TargetTrack>, Record<string, unknown>]>([
    ['self', { member_id: 'artist' }, {}, { same: 'member' }],
    ['self', { handle: '@Night-Harbour' }, {}, { same: 'handle', handle: 'night-harbour' }],
    ['not_active', { status: 'needs_reconnect' }, {}, { status: 'needs_reconnect' }],
    ['account_unhealthy', { account_status: 'reconnect' }, {}, { account_status: 'reconnect' }],
    [
      'account_unhealthy',
      { account_id: null, handle: null, account_status: null },
      {},
      { account_status: null },
    ],
    [
      'inactive',
      { last_activity_at: ago(90) },
      {},
      { last_activity_at: '2025-12-10T09:00:00.000Z', inactivity_days: 90 },
    ],
    ['inactive', { last_activity_at: null }, {}, { last_activity_at: null, inactivity_days: 90 }],
    [
      'avoid_list',
      { handle: 'x' },
      { avoided_handles: ['https://soundcloud.com/X/'] },
      { avoided_by_artist: true, avoided_by_supporter: [] },
    ],
    [
      'avoid_list',
      { avoided_handles: ['@NIGHT-HARBOUR', 'z'] },
      {},
      { avoided_by_artist: false, avoided_by_supporter: ['night-harbour'] },
    ],
    [
      'genre',
      { genres: [{ family: 'Rock', subgenre: null }] },
      {},
      { track_family: 'Electronic', supporter_families: ['Rock'] },
    ],
    ['genre', {}, { family: null }, { track_family: null, supporter_families: ['Electronic'] }],
    ['track_cooldown', { last_same_track_at: ago(29.99) }, {}, { cooldown_days: 30 }],
    ['artist_cooldown', { last_same_artist_at: ago(6.99) }, {}, { cooldown_days: 7 }],
    [
      'pair_cooldown',
      { last_pair_at: ago(1) },
      {},
      { last_at: '2026-03-09T09:00:00.000Z', free_at: '2026-03-16T09:00:00.000Z', cooldown_days: 7 },
    ],
    ['pair_cooldown', { last_pair_at: ago(-2) }, {}, { cooldown_days: 7 }],
    [
      'daily_cap',
      { assignments_on_date: 2 },
      {},
      { date: '2026-03-11', assignments: 2, accounts_daily_cap: 2 },
    ],
  ])('%s with its facts: %j %j', (code, change, track, facts) => {
    const proposal = buildProposal(
      input({ track: { ...TRACK, ...track }, candidates: [candidate('m', change)] }),
    );
    expect(proposal.conflicts).toEqual([
      expect.objectContaining({ code, facts: expect.objectContaining(facts) }),
    ]);
    expect(proposal.proposed_targets).toEqual([]);
    expect(proposal.criteria.counts).toMatchObject({ eligible: 0, excluded: { [code]: 1 } });
  });

  it.each<[string, Partial<TargetCandidate>]>([
    ['activity just within 90 days', { last_activity_at: ago(89.99) }],
    ['the track 30 days ago', { last_same_track_at: ago(30) }],
    ['the artist 7 days ago', { last_same_artist_at: ago(7) }],
    ['the pair 7 days ago', { last_pair_at: ago(7) }],
    ['one assignment on the day', { assignments_on_date: 1 }],
    ['a foreign handle on the avoid list', { avoided_handles: ['somebody'] }],
  ])('does not exclude for %s', (_name, change) => {
    expect(chosen(buildProposal(input({ candidates: [candidate('m', change)] })))).toEqual(['m']);
  });

  it('names every reason of a candidate, in the order of the rules', () => {
    const bad = candidate('m', {
      status: 'needs_reconnect',
      account_status: 'error',
      last_pair_at: NOW,
      last_same_track_at: NOW,
      genres: [],
    });
    expect(buildProposal(input({ candidates: [bad] })).conflicts.map((c) => c.code)).toEqual([
      'not_active',
      'account_unhealthy',
      'genre',
      'track_cooldown',
      'pair_cooldown',
    ]);
  });

  it('refuses a member given twice', () => {
    expect(() => buildProposal(input({ candidates: [candidate('m'), candidate('m')] }))).toThrow(
      /given twice/,
    );
  });
});

describe('score', () => {
  it('multiplies affinity, reliability and rest, and says so', () => {
    const proposal = buildProposal(
      input({
        candidates: [
          candidate('m', {
            genres: [{ family: 'Electronic', subgenre: 'Trance' }],
            completed: 6,
            failed: 1,
            last_assignment_at: NOW - 3.5 * DAY_MS,
          }),
        ],
      }),
    );
    expect(proposal.proposed_targets[0]).toMatchObject({
      score: 0.291667,
      score_parts: { affinity: 0.7, affinity_because: 'family Electronic', reliability: 0.833333, rest: 0.5 },
    });
  });

  it.each([
    [0, 0, 0.8],
    [16, 0, 20 / 21],
    [0, 5, 0.4],
  ])('trusts %d completed and %d failed with %f', (completed, failed, value) => {
    expect(reliability({ completed, failed }, SETTINGS)).toBeCloseTo(value, 12);
  });

  it.each([
    [null, 1],
    [0, 0.3],
    [-1, 0.3],
    [2.1, 0.3],
    [3.5, 0.5],
    [7, 1],
    [400, 1],
  ])('counts %s days since the last assignment as %f', (days, value) => {
    expect(rest(days === null ? null : NOW - days * DAY_MS, NOW, SETTINGS)).toBeCloseTo(value, 12);
  });
});

describe('choice', () => {
  it('by size: reach × score, descending, ties by id', () => {
    const proposal = buildProposal(
      input(
        {
          candidates: [
            candidate('c', { followers: 50_000 }),
            candidate('b', { followers: 50_000 }),
            candidate('a', { followers: 5_000 }),
            candidate('d', { followers: 60_000, failed: 5 }),
          ],
        },
        { target_band_mode: 'size' },
      ),
    );
    expect(chosen(proposal)).toEqual(['b', 'c', 'd', 'a']);
  });

  const tiers = [
    candidate('t1a', { followers: 900 }),
    candidate('t1b', { followers: 900, failed: 1 }),
    candidate('t2a', { followers: 9_000, failed: 1 }),
    candidate('t2b', { followers: 9_000 }),
    candidate('t4a', { followers: 400_000 }),
    candidate('t4b', { followers: 300_000, completed: 9 }),
  ];

  it('balanced: one of each tier in turn from the top, best score first, tiers without candidates left out', () => {
    expect(chosen(buildProposal(input({ candidates: tiers })))).toEqual([
      't4b',
      't2b',
      't1a',
      't4a',
      't2a',
      't1b',
    ]);
  });

  it('balanced: passes over who is too expensive and asks the next of the same tier', () => {
    const candidates = [...tiers, candidate('t4c', { followers: 100_000, failed: 9 })];
    // t4b costs 30, t4a 40, t4c 10; t2 and t1 cost 1.
    const proposal = buildProposal(input({ candidates, budget: 13, target_reach: 1_000_000 }));
    expect(chosen(proposal)).toEqual(['t4c', 't2b', 't1a', 't2a']);
    expect(proposal.conflicts.map((c) => [c.member_id, c.code, c.facts])).toEqual([
      ['t1b', 'budget', { price: 1, credits_left: 0, budget: 13 }],
      ['t4a', 'budget', { price: 40, credits_left: 13, budget: 13 }],
      ['t4b', 'budget', { price: 30, credits_left: 13, budget: 13 }],
    ]);
    expect(proposal.estimated_credits).toBe(13);
    expect(proposal.criteria.stopped_by).toBe('budget');
  });

  it('stops once the target reach is met, and names who was not needed', () => {
    const candidates = ['a', 'b', 'c', 'd'].map((id) => candidate(id));
    const proposal = buildProposal(input({ candidates, target_reach: 1_001, budget: 9 }));
    expect(chosen(proposal)).toEqual(['a', 'b']);
    expect(proposal).toMatchObject({ total_capacity: 1_200, estimated_credits: 2, conflicts: [] });
    expect(proposal.criteria.stopped_by).toBe('target_reach');
    expect(proposal.criteria.not_chosen.map((n) => [n.member_id, n.reason])).toEqual([
      ['c', 'target_reach'],
      ['d', 'target_reach'],
    ]);
  });

  it('stops at the largest number', () => {
    const candidates = ['a', 'b', 'c'].map((id) => candidate(id));
    const proposal = buildProposal(input({ candidates }, { max_targets: 2 }));
    expect(chosen(proposal)).toEqual(['a', 'b']);
    expect(proposal.criteria).toMatchObject({ stopped_by: 'max_targets', not_chosen: [{ member_id: 'c' }] });
  });

  it('proposes nobody for an empty wallet, and says it is the credits', () => {
    const proposal = buildProposal(
      input({ candidates: [candidate('a')], budget: 0, target_reach: targetReachOf(0, 600) }),
    );
    expect(proposal.proposed_targets).toEqual([]);
    expect(proposal.conflicts).toMatchObject([
      { code: 'budget', facts: { price: 1, credits_left: 0, budget: 0 } },
    ]);
    expect(proposal.criteria.stopped_by).toBe('budget');
  });

  it('says it is the credits where they are left over, but buy nobody who is left', () => {
    // Costs 6 of 5 credits, which are not used up.
    const candidates = [candidate('a', { followers: 60_000 }), candidate('b')];
    const proposal = buildProposal(input({ candidates, budget: 5 }));
    expect(chosen(proposal)).toEqual(['b']);
    expect(proposal.criteria.stopped_by).toBe('budget');
  });

  it('pays for nobody who would reach nobody', () => {
    const proposal = buildProposal(input({ candidates: [candidate('a', { followers: 16 })] }));
    expect(proposal.criteria).toMatchObject({
      not_chosen: [{ member_id: 'a', reason: 'no_reach' }],
      stopped_by: 'no_more_candidates',
    });
  });

  it('freezes reach, factor and price on the target', () => {
    const own = candidate('a', { followers: 100_000, reach_factor: 0.029, credits_cap: 4 });
    expect(buildProposal(input({ candidates: [own] })).proposed_targets[0]).toMatchObject({
      followers: 100_000,
      reach_factor: 0.029,
      reach: 2_900,
      price: 4,
    });
  });

  it('answers an empty list', () => {
    expect(buildProposal(input())).toMatchObject({
      proposed_targets: [],
      conflicts: [],
      total_capacity: 0,
      criteria: { rule_version: 'targets-1', stopped_by: 'no_more_candidates', counts: { candidates: 0 } },
    });
  });
});

it.each([
  ['@Night-Harbour', 'night-harbour'],
  [' https://m.soundcloud.com/Night-Harbour/tracks?x=1', 'night-harbour'],
  ['soundcloud.com/night-harbour/', 'night-harbour'],
  ['', ''],
])('compares the handle %j as %j', (handle, key) => {
  expect(handleKey(handle)).toBe(key);
});
