import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  capFor,
  DEFAULT_THRESHOLDS,
  DEFAULT_TIER_POLICY,
  SIZE_TIERS,
  stepTier,
  type TierPolicy,
  type TierStanding,
  type TierThresholds,
  thresholdProblems,
  tierOf,
  tierPolicyProblems,
} from './tiers.js';

describe('tierOf', () => {
  it.each([
    [0, 'T1'],
    [999, 'T1'],
    [1_000, 'T2'],
    [9_999, 'T2'],
    [10_000, 'T3'],
    [99_999, 'T3'],
    [100_000, 'T4'],
    [999_999_999, 'T4'],
    [2_000_000_000, 'T4'],
    [-1, 'T1'],
  ] as const)('puts %d followers into %s', (followers, tier) => {
    expect(tierOf(followers)).toBe(tier);
  });

  it('follows the thresholds of the org', () => {
    const thresholds: TierThresholds = {
      T1: { min: 0, max: 10 },
      T2: { min: 10, max: 20 },
      T3: { min: 20, max: 30 },
      T4: { min: 30, max: 40 },
    };
    expect([9, 10, 20, 30, 99].map((n) => tierOf(n, thresholds))).toEqual(['T1', 'T2', 'T3', 'T4', 'T4']);
  });

  it('never falls when followers rise', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (a, b) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        expect(SIZE_TIERS.indexOf(tierOf(low))).toBeLessThanOrEqual(SIZE_TIERS.indexOf(tierOf(high)));
      }),
    );
  });
});

describe('thresholdProblems', () => {
  const changed = (change: Partial<TierThresholds>) =>
    thresholdProblems({ ...DEFAULT_THRESHOLDS, ...change }).map(({ path, code }) => [path, code]);

  it('finds nothing wrong with the defaults', () => {
    expect(thresholdProblems(DEFAULT_THRESHOLDS)).toEqual([]);
  });

  it.each<[string, Partial<TierThresholds>, string, string]>([
    ['a gap', { T2: { min: 1_001, max: 10_000 } }, 'size_tier_thresholds.T2.min', 'threshold_not_contiguous'],
    [
      'an overlap',
      { T3: { min: 9_999, max: 100_000 } },
      'size_tier_thresholds.T3.min',
      'threshold_not_contiguous',
    ],
    [
      'a late start',
      { T1: { min: 1, max: 1_000 } },
      'size_tier_thresholds.T1.min',
      'threshold_not_from_zero',
    ],
    [
      'an empty range',
      { T4: { min: 100_000, max: 100_000 } },
      'size_tier_thresholds.T4.max',
      'threshold_not_increasing',
    ],
    [
      'more than the database counts',
      { T4: { min: 100_000, max: 1e15 } },
      'size_tier_thresholds.T4',
      'threshold_not_a_count',
    ],
    ['a fraction', { T1: { min: 0, max: 1_000.5 } }, 'size_tier_thresholds.T1', 'threshold_not_a_count'],
    [
      'a text',
      { T1: { min: 0, max: '1000' as unknown as number } },
      'size_tier_thresholds.T1',
      'threshold_not_a_count',
    ],
    [
      'a missing tier',
      { T2: undefined as unknown as TierThresholds['T2'] },
      'size_tier_thresholds.T2',
      'threshold_not_a_count',
    ],
  ])('finds %s', (_name, change, path, code) => {
    expect(changed(change)).toContainEqual([path, code]);
  });
});

describe('tierPolicyProblems', () => {
  it('finds nothing wrong with the defaults', () => {
    expect(tierPolicyProblems(DEFAULT_TIER_POLICY)).toEqual([]);
  });

  it.each<[string, Partial<TierPolicy>, string]>([
    ['a cap below the grant', { T3: { monthly_grant: 3, cap: 2 } }, 'cap_below_grant'],
    ['a cap nothing fits into', { T1: { monthly_grant: 0, cap: 0 } }, 'cap_too_small'],
    ['more than the database counts', { T1: { monthly_grant: 1, cap: 1e12 } }, 'tier_credits_not_a_count'],
    ['a negative grant', { T1: { monthly_grant: -1, cap: 3 } }, 'tier_credits_not_a_count'],
    ['a missing tier', { T4: undefined as unknown as TierPolicy['T4'] }, 'tier_credits_not_a_count'],
  ])('finds %s', (_name, change, code) => {
    expect(tierPolicyProblems({ ...DEFAULT_TIER_POLICY, ...change }).map((p) => p.code)).toEqual([code]);
  });
});

describe('stepTier', () => {
  const run = (start: TierStanding, followers: number[]) => {
    let standing = start;
    return followers.map((count) => {
      const { change, ...next } = stepTier(standing, count);
      standing = next;
      return [next.tier, next.below_tier_syncs, change];
    });
  };

  it('rises at once, over several tiers', () => {
    expect(run({ tier: 'T1', below_tier_syncs: 0 }, [150_000])).toEqual([['T4', 0, 'promoted']]);
  });

  it('falls at the third sync below the border, to the newest tier', () => {
    expect(run({ tier: 'T4', below_tier_syncs: 0 }, [99_999, 99_999, 9_999])).toEqual([
      ['T4', 1, null],
      ['T4', 2, null],
      ['T2', 0, 'demoted'],
    ]);
  });

  it('starts the count again when the border is reached in between', () => {
    expect(run({ tier: 'T2', below_tier_syncs: 0 }, [999, 999, 1_000, 999, 999, 999])).toEqual([
      ['T2', 1, null],
      ['T2', 2, null],
      ['T2', 0, null],
      ['T2', 1, null],
      ['T2', 2, null],
      ['T1', 0, 'demoted'],
    ]);
  });

  it('never falls while one of every three syncs reaches the border', () => {
    const syncs = fc.array(fc.tuple(fc.nat(999), fc.nat(999)), { maxLength: 10 });
    fc.assert(
      fc.property(syncs, (pairs) => {
        const followers = pairs.flatMap(([a, b]) => [a, b, 1_000]);
        expect(run({ tier: 'T2', below_tier_syncs: 0 }, followers).every(([tier]) => tier === 'T2')).toBe(
          true,
        );
      }),
    );
  });
});

describe('capFor', () => {
  it('never lies below what the wallet holds, and falls with it', () => {
    expect(capFor(6, 15, 2)).toBe(17);
    expect(capFor(6, 3, 2)).toBe(6);
  });
});
