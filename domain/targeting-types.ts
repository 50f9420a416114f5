/**
 * Input and output of the target builder as plain JSON (rules.md, "Target builder").
 *
 * Keys are snake_case on both sides: inputs come from rows, outputs are stored in `soundcloud_target_proposals`.
 * Instants are epoch milliseconds of business time; a missing instant is null and means "never".
 * Numerics are JavaScript numbers (the driver hands `numeric` columns over as text: convert them when loading).
 */
import type { AdjacencyMatrix, GenreTag } from './genre.js';
import type { SizeTier } from './tiers.js';

export type TargetBandMode = 'balance' | 'size';

/** The track that wants reposts, with the side of the submitting member. */
export interface TargetTrack {
  parent_type: 'submission' | 'campaign';
  parent_id: string;
  /** Canonical track URL. */
  track_url: string;
  /** Genre family by name; null when it is not known yet, then nobody fits. */
  family: string | null;
  /** Subgenres by name. */
  subgenres: string[];
  /** Submitting member; null for a client's campaign. */
  member_id: string | null;
  /** SoundCloud handles of the artist: the member's own account and the one in the track URL. */
  handles: string[];
  /** Handles the submitting member does not want to be reposted by. */
  avoided_handles: string[];
}

/** One member who might repost the track, with every fact the rules ask for. At most one row per member. */
export interface TargetCandidate {
  member_id: string;
  /** The member's SoundCloud account (`soundcloud_member_accounts`); null when there is none. */
  account_id: string | null;
  handle: string | null;
  /** SoundCloud followers. */
  followers: number;
  /** The member's own factor; null takes the org's `default_reach_factor`. */
  reach_factor: number | null;
  tier: SizeTier;
  /** Cap of the member's wallet in credits: the most a repost by this member may cost. */
  credits_cap: number;
  /** `soundcloud_members.status`: `active` or `needs_reconnect`. */
  status: string;
  /** `soundcloud_member_accounts.status`: `linked`, `reconnect`, `disconnected`, `error`; null without account. */
  account_status: string | null;
  last_activity_at: number | null;
  genres: GenreTag[];
  /** Handles this member does not want to repost. */
  avoided_handles: string[];
  /** Latest repost or open assignment of the same canonical track by this member. */
  last_same_track_at: number | null;
  /** Latest repost or open assignment of any track of the same artist by this member. */
  last_same_artist_at: number | null;
  /** Latest repost or open assignment between this member and the submitting member, in either direction. */
  last_pair_at: number | null;
  /** Assignments and campaign schedules this account already has on `support_date`. */
  assignments_on_date: number;
  /** Assignments completed within `reliability_days`. */
  completed: number;
  /** Assignments failed within `reliability_days`. */
  failed: number;
  /** Slot of the latest assignment of this member, whatever became of it. */
  last_assignment_at: number | null;
}

/** The settings of the org the builder reads; `targetingSettings()` in settings.ts makes it from the org's settings. */
export interface TargetingSettings {
  target_band_mode: TargetBandMode;
  adjacency_matrix: AdjacencyMatrix;
  /** Affinity of a shared subgenre, 0..1. */
  affinity_shared_subgenre: number;
  /** Affinity of the same family without a shared subgenre, 0..1. */
  affinity_same_family: number;
  /** Reach one credit buys. */
  reach_per_credit: number;
  /** Reach per follower, three decimals. */
  default_reach_factor: number;
  max_targets: number;
  inactivity_days: number;
  /** Most assignments an account takes on one date. */
  accounts_daily_cap: number;
  track_cooldown_days: number;
  artist_cooldown_days: number;
  pair_cooldown_days: number;
  /** Reliability = (completed + prior_completed) / (completed + failed + prior_total). */
  reliability_prior_completed: number;
  reliability_prior_total: number;
  /** Days after an assignment until a supporter counts as fully rested. */
  rest_days: number;
  /** Lowest value of the rest factor, 0..1. */
  rest_floor: number;
}

export interface ProposalInput {
  track: TargetTrack;
  /** In any order; the result does not depend on it. */
  candidates: TargetCandidate[];
  settings: TargetingSettings;
  /** Business time at which the proposal is built, epoch ms. */
  now: number;
  /** Date (`YYYY-MM-DD`) for which `assignments_on_date` was counted; null while it is not known. */
  support_date: string | null;
  /** Credits that may be spent; null for a campaign, which spends none. */
  budget: number | null;
  /** Reach to stop at; null for a campaign, which stops at `max_targets`. */
  target_reach: number | null;
}

/** Why a candidate is not proposed, in the order in which the rules name them. Permanent: stored and shown. */
export const EXCLUSION_CODES = [
  'self',
  'not_active',
  'account_unhealthy',
  'inactive',
  'avoid_list',
  'genre',
  'track_cooldown',
  'artist_cooldown',
  'pair_cooldown',
  'daily_cap',
  'budget',
] as const;

export type ExclusionCode = (typeof EXCLUSION_CODES)[number];

/** A plain fact behind a decision. */
export type Fact = string | number | boolean | null | string[];

/** One reason against one candidate; a candidate with several reasons has several entries. */
export interface TargetConflict {
  member_id: string;
  handle: string | null;
  code: ExclusionCode;
  facts: Record<string, Fact>;
}

/** How a candidate's score came about: score = affinity × reliability × rest, each rounded to 6 decimals. */
export interface ScoreParts {
  affinity: number;
  /** What the affinity rests on, e.g. `subgenre House`, `family Electronic`, `Electronic ~ Pop`. */
  affinity_because: string;
  reliability: number;
  rest: number;
}

export interface ProposedTarget {
  member_id: string;
  account_id: string;
  handle: string;
  tier: SizeTier;
  followers: number;
  /** The factor `reach` was computed with. */
  reach_factor: number;
  /** floor(followers × reach_factor). */
  reach: number;
  /** Credits this repost would cost. */
  price: number;
  score: number;
  score_parts: ScoreParts;
}

/** Why an eligible candidate was left out, and why the choosing ended. */
export type StopReason = 'target_reach' | 'max_targets' | 'budget' | 'no_more_candidates';

/** An eligible candidate that was not needed. */
export interface NotChosen {
  member_id: string;
  tier: SizeTier;
  reach: number;
  price: number;
  score: number;
  /** `no_reach`: the repost would cost a credit and reach nobody. */
  reason: 'target_reach' | 'max_targets' | 'no_reach';
}

/** Everything that led to the proposal but the rows of the candidates themselves. */
export interface ProposalCriteria {
  rule_version: string;
  built_at: number;
  support_date: string | null;
  budget: number | null;
  target_reach: number | null;
  track: TargetTrack;
  settings: TargetingSettings;
  counts: {
    candidates: number;
    eligible: number;
    proposed: number;
    not_chosen: number;
    excluded: Partial<Record<ExclusionCode, number>>;
  };
  stopped_by: StopReason;
  /** Sorted by member id. */
  not_chosen: NotChosen[];
}

/** The columns of `soundcloud_target_proposals` the builder fills. */
export interface Proposal {
  /** In the order of choice. */
  proposed_targets: ProposedTarget[];
  /** Sorted by member id, then in the order of `EXCLUSION_CODES`. */
  conflicts: TargetConflict[];
  /** Σ reach of the proposed targets. */
  total_capacity: number;
  /** Σ price of the proposed targets. */
  estimated_credits: number;
  criteria: ProposalCriteria;
}
