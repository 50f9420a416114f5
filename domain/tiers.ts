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
