/**
 * Size tiers of supporters and what each tier is granted (rules.md, "Tiers").
 *
 * A tier is a half-open range of SoundCloud followers. It rises at once, and falls only after several daily follower
 * syncs in a row below the border, so that an account near a border does not flap.
 */

/** Smallest to largest; the order of every table that lists tiers. */
export const SIZE_TIERS = ['T1', 'T2', 'T3', 'T4'] as const;

export type SizeTier = (typeof SIZE_TIERS)[number];

/**
 * `soundcloud_settings.size_tier_thresholds`: followers, half-open `[min, max)`.
 * The last tier has no upper end; its `max` is kept for readers of the existing database and ignored here.
 */
export type TierThresholds = Record<SizeTier, { min: number; max: number }>;

/** Credits of a tier: granted each month, and the largest balance + held a wallet may reach. */
export interface TierCredits {
  monthly_grant: number;
  cap: number;
}

/** `soundcloud_settings.tier_policy`. */
export type TierPolicy = Record<SizeTier, TierCredits>;

export const DEFAULT_THRESHOLDS: TierThresholds = {
  T1: { min: 0, max: 1_000 },
  T2: { min: 1_000, max: 10_000 },
  T3: { min: 10_000, max: 100_000 },
  T4: { min: 100_000, max: 999_999_999 },
};

export const DEFAULT_TIER_POLICY: TierPolicy = {
  T1: { monthly_grant: 1, cap: 3 },
  T2: { monthly_grant: 1, cap: 6 },
  T3: { monthly_grant: 2, cap: 20 },
  T4: { monthly_grant: 3, cap: 60 },
};

/** Daily follower syncs below the border after which a member falls. */
export const DEFAULT_DEMOTE_AFTER_SYNCS = 3;

/**
 * Tier of an account with that many followers: the highest whose `min` it reaches.
 * Thresholds must be valid ({@link thresholdProblems}); a negative count is T1.
 */
export function tierOf(followers: number, thresholds: TierThresholds = DEFAULT_THRESHOLDS): SizeTier {
  let tier: SizeTier = 'T1';
  for (const candidate of SIZE_TIERS) if (followers >= thresholds[candidate].min) tier = candidate;
  return tier;
}

/** A rule a setting breaks: where, a stable code, and what to do. */
export interface SettingsProblem {
  /** Dotted path from the settings' root, e.g. `size_tier_thresholds.T2.min`. */
  path: string;
  code: string;
  message: string;
}

/** What is wrong with thresholds: they must be whole, start at 0, increase, and touch one another. Empty = valid. */
export function thresholdProblems(thresholds: TierThresholds): SettingsProblem[] {
  const problems: SettingsProblem[] = [];
  const problem = (key: string, code: string, message: string) =>
    problems.push({ path: `size_tier_thresholds.${key}`, code, message });
  SIZE_TIERS.forEach((tier, index) => {
    const range = thresholds?.[tier];
    if (!isCount(range?.min) || !isCount(range?.max)) {
      problem(tier, 'threshold_not_a_count', `Give ${tier} a whole min and max of 0 or more followers.`);
      return;
    }
    if (index === 0 && range.min !== 0) {
      problem(`${tier}.min`, 'threshold_not_from_zero', `Let ${tier} begin at 0 followers.`);
    }
    if (range.max <= range.min) {
      problem(`${tier}.max`, 'threshold_not_increasing', `Let ${tier} end above ${range.min} followers.`);
    }
    const below = SIZE_TIERS[index - 1];
    if (below !== undefined && isCount(thresholds?.[below]?.max) && thresholds[below].max !== range.min) {
      problem(
        `${tier}.min`,
        'threshold_not_contiguous',
        `Let ${tier} begin where ${below} ends, at ${thresholds[below].max} followers.`,
      );
    }
  });
  return problems;
}

/** What is wrong with a policy: whole numbers, and no cap below the grant it must hold. Empty = valid. */
export function tierPolicyProblems(policy: TierPolicy): SettingsProblem[] {
  const problems: SettingsProblem[] = [];
  for (const tier of SIZE_TIERS) {
    const { monthly_grant: grant, cap } = policy?.[tier] ?? {};
    const path = `tier_policy.${tier}`;
    if (!isCount(grant) || !isCount(cap)) {
      problems.push({
        path,
        code: 'tier_credits_not_a_count',
        message: `Give ${tier} a whole monthly_grant and cap of 0 or more credits.`,
      });
    } else if (cap < 1) {
      problems.push({
        path: `${path}.cap`,
        code: 'cap_too_small',
        message: `Give ${tier} a cap of at least 1 credit: it is also the highest price of a repost.`,
      });
    } else if (cap < grant) {
      problems.push({
        path: `${path}.cap`,
        code: 'cap_below_grant',
        message: `Raise the cap of ${tier} to at least its monthly grant of ${grant}, or lower the grant.`,
      });
    }
  }
  return problems;
}

/** Where a member stands between two follower syncs. */
export interface TierStanding {
  tier: SizeTier;
  /** Syncs in a row that found the member below the tier (`soundcloud_members.below_tier_syncs`). */
  below_tier_syncs: number;
}

/**
 * One daily follower sync: up at once; down only when `demoteAfterSyncs` syncs in a row lie below the border, then to
 * the tier of the newest count. A sync at or above the border starts the count again.
 */
export function stepTier(
  standing: TierStanding,
  followers: number,
  thresholds: TierThresholds = DEFAULT_THRESHOLDS,
  demoteAfterSyncs: number = DEFAULT_DEMOTE_AFTER_SYNCS,
): TierStanding & { change: 'promoted' | 'demoted' | null } {
  const measured = tierOf(followers, thresholds);
  const difference = SIZE_TIERS.indexOf(measured) - SIZE_TIERS.indexOf(standing.tier);
  if (difference > 0) return { tier: measured, below_tier_syncs: 0, change: 'promoted' };
  if (difference === 0) return { tier: standing.tier, below_tier_syncs: 0, change: null };
  const below = standing.below_tier_syncs + 1;
  return below >= demoteAfterSyncs
    ? { tier: measured, below_tier_syncs: 0, change: 'demoted' }
    : { tier: standing.tier, below_tier_syncs: below, change: null };
}

/**
 * Cap of a wallet under a policy's cap, in credits: never below what the wallet holds, so that after a demotion it
 * falls further only as credits are spent (rules.md, "Tiers").
 */
export function capFor(policyCap: number, balance: number, held: number): number {
  return Math.max(policyCap, balance + held);
}

/** The database counts followers and credits in 32 bits. */
const MAX_COUNT = 2_147_483_647;

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_COUNT;
}
