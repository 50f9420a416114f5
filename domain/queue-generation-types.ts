/**
 * Input and output of the daily queue generator as plain JSON (rules.md, "Queue generation").
 *
 * Keys are snake_case on both sides: inputs come from rows, outputs are stored in `soundcloud_queue_drafts`. Instants are
 * epoch milliseconds of business time, credits and reach whole numbers.
 */
import type { Fact, ScoreParts, TargetCandidate, TargetingSettings } from './targeting-types.js';
import type { SizeTier } from './tiers.js';

/** The settings of the org the generator reads; `queueSettings()` in settings.ts makes it from the org's settings. */
export interface QueueSettings extends TargetingSettings {
  /** Most assignments of one account in any `rolling_hours` hours. */
  rolling_cap: number;
  rolling_hours: number;
  /** Minutes between two assignments of one account. */
  spacing_minutes: number;
  /** Slots lie in `[window_start, window_end)`, `HH:mm` in the org's timezone. */
  window_start: string;
  window_end: string;
}

/**
 * What a submission still asks for: its first queue, which aims at what the member's credits can reach, or as many
 * assignments as were skipped or failed.
 */
export type QueueDemand = { kind: 'first' } | { kind: 'replacement'; count: number };

/** An approved submission with open demand. */
export interface QueueSubmission {
  id: string;
  /** Submitting member, who pays; null (imported history) has no wallet and cannot be served. */
  member_id: string | null;
  /** Canonical track URL. */
  track_url: string;
  /** Genre family by name; null when it is not known, then nobody fits. */
  family: string | null;
  /** Subgenres by name. */
  subgenres: string[];
  /** SoundCloud handles of the artist: the member's own account and the one in the track URL. */
  handles: string[];
  /** Handles the submitting member does not want to be reposted by. */
  avoided_handles: string[];
  /** First date (`YYYY-MM-DD`) on which the submission may be served. */
  support_date: string;
  submitted_at: number;
  /** How often it was shifted to a later queue. */
  shift_count: number;
  demand: QueueDemand;
  /** Members who had an assignment of this submission already, whatever became of it: they are not asked again. */
  asked_supporters: string[];
}

/** A member who might repost, with every fact the rules ask for that does not depend on the track. One row per member. */
export type QueueSupporter = Omit<
  TargetCandidate,
  'last_same_track_at' | 'last_same_artist_at' | 'last_pair_at' | 'assignments_on_date'
>;

/** A slot an account has already: an assignment of another queue, or a campaign schedule. */
export interface TakenSlot {
  /** The supporter. */
  member_id: string;
  at: number;
}

/** A repost or open assignment of the past that starts cool-downs; skipped, failed and cancelled ones do not. */
export interface StandingRepost {
  /** Member who reposts. */
  supporter_id: string;
  /** Member whose track it is; null for a client's campaign. */
  artist_id: string | null;
  /** Canonical track URL; its handle is the artist. */
  track_url: string;
  at: number;
}

/** Everything one queue is made from. Rows may come in any order; the result does not depend on it. */
export interface QueueInput {
  org_id: string;
  /** Date of the queue, `YYYY-MM-DD`. */
  date: string;
  /** IANA name of the org's zone. */
  timezone: string;
  /** Business time of generation: cool-downs, activity and rest are counted back from it. */
  now: number;
  /** No slot is earlier; publishing uses now + 30 min. */
  earliest: number;
  settings: QueueSettings;
  submissions: QueueSubmission[];
  supporters: QueueSupporter[];
  /** Credits each submitting member can spend; one who is missing has none. */
  balances: { member_id: string; spendable: number }[];
  /** At least of the date and of `rolling_hours` before and after its window; without this queue's own slots. */
  taken: TakenSlot[];
  /** At least as long as the longest cool-down, campaign schedules included; without this queue's own assignments. */
  history: StandingRepost[];
}

/** Why a supporter may not repost a track in a queue. Permanent: stored and shown. In this order. */
export const QUEUE_EXCLUSION_CODES = [
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
  /** The account's window is full: spacing, rolling cap, or the hour leaves no slot. */
  'no_slot_left',
  /** The repost would cost a credit and reach nobody. */
  'no_reach',
  /** Had an assignment of this very submission already. */
  'already_asked',
] as const;

export type QueueExclusionCode = (typeof QUEUE_EXCLUSION_CODES)[number];

export interface QueueConflict {
  code: QueueExclusionCode;
  facts: Record<string, Fact>;
}

export interface QueueAssignment {
  /** 1..n in the order of slots. */
  position: number;
  submission_id: string;
  supporter_id: string;
  account_id: string;
  handle: string;
  tier: SizeTier;
  slot_at: number;
  /** Price in credits, frozen. */
  credits: number;
  followers: number;
  /** floor(followers × reach_factor). */
  reach: number;
  reach_factor: number;
  affinity: number;
  reliability: number;
  /** `rest` only breaks ties between candidates. */
  score_parts: ScoreParts;
  /** Why this supporter, in a sentence. */
  because: string;
}

/** Why a demand is not, or not wholly, met. */
export type UnfilledCode =
  /** `support_date` is after the queue's date. */
  | 'not_due'
  /** The submitting member has no credits, or there is none. */
  | 'no_credits'
  /** Every supporter is excluded; facts count them by code. */
  | 'no_eligible_supporter'
  /** The credits left buy none of the supporters who are free. */
  | 'budget'
  /** All who fit and can be paid are taken by other submissions. */
  | 'slots_taken'
  /** Who fits and is free supports a track of the same artist, or the other way round, in this queue. */
  | 'queue_conflict';

export interface UnfilledDemand {
  submission_id: string;
  member_id: string | null;
  served: boolean;
  assignments: number;
  /** Reach planned and aimed at. */
  reach: number;
  target_reach: number;
  /** Assignments still missing of a replacement demand; null for a first queue. */
  missing: number | null;
  code: UnfilledCode;
  facts: Record<string, Fact | Record<string, number>>;
}

/** Why a supporter has no assignment in the queue. Permanent: stored, shown and asked for. */
export const UNUSED_CODES = [
  'not_active',
  'account_unhealthy',
  'inactive',
  'daily_cap',
  'no_slot_left',
  'no_reach',
  /** No submission is open. */
  'no_demand',
  /** Excluded for every open submission; facts count them by code. */
  'excluded_for_all',
  /** Costs more than any member whose track fits can spend. */
  'too_expensive',
  /** Would fit, but the credits were better spent on others. */
  'outbid',
] as const;

export type UnusedCode = (typeof UNUSED_CODES)[number];

export interface UnusedSupporter {
  member_id: string;
  code: UnusedCode;
  facts: Record<string, Fact | Record<string, number>>;
}

export interface QueueExplanation {
  rule_version: string;
  org_id: string;
  date: string;
  timezone: string;
  generated_at: number;
  earliest: number;
  /** First and last possible slot are in `[opens_at, closes_at)`. */
  opens_at: number;
  closes_at: number;
  settings: QueueSettings;
  counts: {
    submissions: number;
    served: number;
    supporters: number;
    eligible_supporters: number;
    used_supporters: number;
    allowed_pairs: number;
    taken_slots: number;
    history: number;
  };
  totals: {
    credits: number;
    reach: number;
    /** Σ affinity × reliability × counted reach. */
    value: number;
    /** No queue from the same input is worth more. */
    value_bound: number;
  };
}

/** A generated queue. */
export interface QueueDraft {
  assignments: QueueAssignment[];
  /** Slots of supporters nothing speaks against. */
  total_slots: number;
  filled_slots: number;
  /** Sorted by submission. */
  unfilled: UnfilledDemand[];
  /** Sorted by member. */
  unused: UnusedSupporter[];
  explanation: QueueExplanation;
}
