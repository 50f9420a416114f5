/**
 * The settings of an org and their defaults: the one place where the constants of rules.md and lifecycles.md live.
 *
 * Keys are the columns of `soundcloud_settings`; grouped ones are its jsonb columns, which may be stored in part:
 * {@link withDefaults} fills what is missing. {@link ./settings-validation.ts} says what is allowed.
 */
import type { AccountHealthSettings } from './account-health.js';
import type { AdjacencyMatrix } from './genre.js';
import type { QueueSettings } from './queue-generation-types.js';
import type { TargetBandMode, TargetingSettings } from './targeting-types.js';
import {
  DEFAULT_DEMOTE_AFTER_SYNCS,
  DEFAULT_THRESHOLDS,
  DEFAULT_TIER_POLICY,
  SIZE_TIERS,
  type TierPolicy,
  type TierThresholds,
} from './tiers.js';

/** What happens when nobody decides a submission in time. */
export const ON_BREACH = ['escalate', 'approve', 'reject_refund'] as const;

export type OnBreach = (typeof ON_BREACH)[number];

export const TARGET_BAND_MODES = ['balance', 'size'] as const satisfies readonly TargetBandMode[];

/** Review of submissions and of proofs. */
export interface ReviewSettings {
  /** Percent of an SLA after which it warns; of the time for a proof, after which the supporter is reminded. */
  warn_percent: number;
  /** Hours after which the member is reminded of a missing live link, increasing. */
  live_link_reminder_hours: number[];
  live_link_close_days: number;
  min_reject_words: number;
  /** Days within which the same track of the same member is a duplicate. */
  duplicate_days: number;
  /** Shifts to a later queue after which ops are asked whether to go on. */
  max_shifts: number;
  /** Minutes between two looks for a repost that is missing; three of them confirm that it is. */
  proof_recheck_minutes: number;
  /** Hours ops have to judge a proof nobody could verify. */
  proof_answer_hours: number;
  /** Percent of the proofs accepted unseen that ops are asked to audit. */
  proof_audit_percent: number;
}

/** Target builder, queue and tiers: how often, how close together, how strongly. */
export interface PacingSettings {
  max_targets: number;
  /** expected_reach_min and _max as percent of the planned reach. */
  reach_min_percent: number;
  reach_max_percent: number;
  /** Hours until a proposal expires. */
  proposal_hours: number;
  /** Most assignments of one account on one date. */
  accounts_daily_cap: number;
  /** Most assignments of one account in any `rolling_hours` hours. */
  rolling_cap: number;
  rolling_hours: number;
  /** Minutes between two assignments of one account. */
  spacing_minutes: number;
  track_cooldown_days: number;
  artist_cooldown_days: number;
  pair_cooldown_days: number;
  reliability_days: number;
  reliability_prior_completed: number;
  reliability_prior_total: number;
  rest_days: number;
  rest_floor: number;
  affinity_shared_subgenre: number;
  affinity_same_family: number;
  /** Daily follower syncs below the border before a tier falls. */
  demote_after_syncs: number;
}

/** Daily queue; times of day are `HH:mm` in the org's timezone. */
export interface QueueHours {
  generate_at: string;
  approval_cutoff: string;
  /** Hours ops have at least between generation and cut-off. */
  min_approval_hours: number;
  no_generation_after: string;
  /** Slots lie in `[window_start, window_end)`. */
  window_start: string;
  window_end: string;
  /** Hours of the window that must be left for a backfill on the same day. */
  backfill_min_hours: number;
}

export interface CampaignDefaults {
  spare_percent: number;
  /** Hours before its time at which a schedule is sent to Influence Planner at the earliest. */
  send_ahead_hours: number;
  /** Days attribution goes on after the end date. */
  attribution_days: number;
  late_completion_hours: number;
  /** ISO weekday of the digest, 1 = Monday … 7. */
  digest_weekday: number;
  digest_at: string;
}

export interface OrgSettings {
  decision_sla_hours: number;
  proof_sla_hours: number;
  intake_sla_hours: number;
  complaint_sla_hours: number;
  inactivity_days: number;
  preview_cache_days: number;
  /** Reach per follower, three decimals. */
  default_reach_factor: number;
  target_band_mode: TargetBandMode;
  size_tier_thresholds: TierThresholds;
  adjacency_matrix: AdjacencyMatrix;
  slack_enabled: boolean;
  slack_webhook: string | null;
  slack_channel: string;
  /** IANA name. */
  timezone: string;
  tier_policy: TierPolicy;
  /** Reach one credit buys. */
  reach_per_credit: number;
  /** Percent of a price the network keeps, two decimals. */
  fee_percent: number;
  /** Manual credit changes above this many credits wait for a second ops person. */
  four_eyes_threshold: number;
  /** Hours a repost is watched before credits move. */
  watch_hours: number;
  on_breach: OnBreach;
  auto_schedule: boolean;
  /** Hours after which a repost is taken down as planned; null = never. */
  unrepost_after_hours: number | null;
  review: ReviewSettings;
  pacing: PacingSettings;
  queue_hours: QueueHours;
  campaign_defaults: CampaignDefaults;
  account_health: AccountHealthSettings;
}

export const DEFAULT_SETTINGS: OrgSettings = {
  decision_sla_hours: 24,
  proof_sla_hours: 24,
  intake_sla_hours: 48,
  complaint_sla_hours: 72,
  inactivity_days: 90,
  preview_cache_days: 30,
  default_reach_factor: 0.06,
  target_band_mode: 'balance',
  size_tier_thresholds: DEFAULT_THRESHOLDS,
  adjacency_matrix: {},
  slack_enabled: false,
  slack_webhook: null,
  slack_channel: '#soundcloud-groups',
  timezone: 'UTC',
  tier_policy: DEFAULT_TIER_POLICY,
  reach_per_credit: 600,
  fee_percent: 0,
  four_eyes_threshold: 10,
  watch_hours: 48,
  on_breach: 'escalate',
  auto_schedule: true,
  unrepost_after_hours: null,
  review: {
    warn_percent: 75,
    live_link_reminder_hours: [24, 72],
    live_link_close_days: 7,
    min_reject_words: 10,
    duplicate_days: 30,
    max_shifts: 14,
    proof_recheck_minutes: 10,
    proof_answer_hours: 24,
    proof_audit_percent: 10,
  },
  pacing: {
    max_targets: 20,
    reach_min_percent: 70,
    reach_max_percent: 130,
    proposal_hours: 24,
    accounts_daily_cap: 2,
    rolling_cap: 10,
    rolling_hours: 12,
    spacing_minutes: 60,
    track_cooldown_days: 30,
    artist_cooldown_days: 7,
    pair_cooldown_days: 7,
    reliability_days: 90,
    reliability_prior_completed: 4,
    reliability_prior_total: 5,
    rest_days: 7,
    rest_floor: 0.3,
    affinity_shared_subgenre: 1,
    affinity_same_family: 0.7,
    demote_after_syncs: DEFAULT_DEMOTE_AFTER_SYNCS,
  },
  queue_hours: {
    generate_at: '06:00',
    approval_cutoff: '12:00',
    min_approval_hours: 2,
    no_generation_after: '18:00',
    window_start: '12:00',
    window_end: '22:00',
    backfill_min_hours: 8,
  },
  campaign_defaults: {
    spare_percent: 10,
    send_ahead_hours: 24,
    attribution_days: 7,
    late_completion_hours: 72,
    digest_weekday: 1,
    digest_at: '09:00',
  },
  account_health: {
    failures_until_error: 3,
    prompt_days: [0, 3, 10],
    prompt_gap_hours: 72,
    disconnected_alert_above: 10,
    full_reading_days: 7,
  },
};

/** Settings as stored or sent: any part may be missing, also inside the groups. */
export type PartialSettings = {
  [K in keyof OrgSettings]?: OrgSettings[K] extends object ? Partial<OrgSettings[K]> : OrgSettings[K];
};

/**
 * Complete settings from what is stored. Groups are filled key by key, thresholds and policy tier by tier; the
 * adjacency matrix is taken as it is. Keys that are no settings (id, org_id, version …) are dropped.
 */
export function withDefaults(stored: PartialSettings): OrgSettings {
  const all: OrgSettings = {
    ...DEFAULT_SETTINGS,
    ...known(stored as Partial<OrgSettings>, DEFAULT_SETTINGS),
  };
  return {
    ...all,
    review: { ...DEFAULT_SETTINGS.review, ...known(stored.review, DEFAULT_SETTINGS.review) },
    pacing: { ...DEFAULT_SETTINGS.pacing, ...known(stored.pacing, DEFAULT_SETTINGS.pacing) },
    queue_hours: {
      ...DEFAULT_SETTINGS.queue_hours,
      ...known(stored.queue_hours, DEFAULT_SETTINGS.queue_hours),
    },
    campaign_defaults: {
      ...DEFAULT_SETTINGS.campaign_defaults,
      ...known(stored.campaign_defaults, DEFAULT_SETTINGS.campaign_defaults),
    },
    account_health: {
      ...DEFAULT_SETTINGS.account_health,
      ...known(stored.account_health, DEFAULT_SETTINGS.account_health),
    },
    size_tier_thresholds: perTier(DEFAULT_THRESHOLDS, stored.size_tier_thresholds),
    tier_policy: perTier(DEFAULT_TIER_POLICY, stored.tier_policy),
  };
}

/** The settings the target builder reads. */
export function targetingSettings(settings: OrgSettings): TargetingSettings {
  const { pacing } = settings;
  return {
    target_band_mode: settings.target_band_mode,
    adjacency_matrix: settings.adjacency_matrix,
    affinity_shared_subgenre: pacing.affinity_shared_subgenre,
    affinity_same_family: pacing.affinity_same_family,
    reach_per_credit: settings.reach_per_credit,
    default_reach_factor: settings.default_reach_factor,
    max_targets: pacing.max_targets,
    inactivity_days: settings.inactivity_days,
    accounts_daily_cap: pacing.accounts_daily_cap,
    track_cooldown_days: pacing.track_cooldown_days,
    artist_cooldown_days: pacing.artist_cooldown_days,
    pair_cooldown_days: pacing.pair_cooldown_days,
    reliability_prior_completed: pacing.reliability_prior_completed,
    reliability_prior_total: pacing.reliability_prior_total,
    rest_days: pacing.rest_days,
    rest_floor: pacing.rest_floor,
  };
}

/** The settings the queue generator reads. */
export function queueSettings(settings: OrgSettings): QueueSettings {
  const { pacing, queue_hours } = settings;
  return {
    ...targetingSettings(settings),
    rolling_cap: pacing.rolling_cap,
    rolling_hours: pacing.rolling_hours,
    spacing_minutes: pacing.spacing_minutes,
    window_start: queue_hours.window_start,
    window_end: queue_hours.window_end,
  };
}

/** The keys of `values` that `shape` has and that are given. */
function known<T extends object>(values: Partial<T> | undefined | null, shape: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(values ?? {}).filter(([key, value]) => Object.hasOwn(shape, key) && value !== undefined),
  ) as Partial<T>;
}

function perTier<T extends object>(
  defaults: Record<(typeof SIZE_TIERS)[number], T>,
  stored: Partial<Record<(typeof SIZE_TIERS)[number], T>> | undefined,
): Record<(typeof SIZE_TIERS)[number], T> {
  const tiers = SIZE_TIERS.map((tier) => [tier, { ...defaults[tier], ...stored?.[tier] }] as const);
  return Object.fromEntries(tiers) as Record<(typeof SIZE_TIERS)[number], T>;
}
