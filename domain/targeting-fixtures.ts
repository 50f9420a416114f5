/** What the tests of the target builder build their inputs from. */
import { DAY_MS } from './calendar.js';
import { DEFAULT_SETTINGS, targetingSettings } from './settings.js';
import type {
  Proposal,
  ProposalInput,
  TargetCandidate,
  TargetingSettings,
  TargetTrack,
} from './targeting-types.js';
import { tierOf } from './tiers.js';

export const NOW = Date.UTC(2026, 2, 10, 9);
export const SETTINGS = targetingSettings(DEFAULT_SETTINGS);

export const TRACK: TargetTrack = {
  parent_type: 'submission',
  parent_id: 'submission-1',
  track_url: 'https://soundcloud.com/night-harbour/low-tide',
  family: 'Electronic',
  subgenres: ['House'],
  member_id: 'artist',
  handles: ['night-harbour'],
  avoided_handles: [],
};

/** A member nothing speaks against, but for the changes. */
export function candidate(member_id: string, change: Partial<TargetCandidate> = {}): TargetCandidate {
  const followers = change.followers ?? 10_000;
  return {
    member_id,
    account_id: `account-${member_id}`,
    handle: `handle-${member_id}`,
    followers,
    reach_factor: null,
    tier: tierOf(followers),
    credits_cap: 60,
    status: 'active',
    account_status: 'linked',
    last_activity_at: NOW - DAY_MS,
    genres: [{ family: 'Electronic', subgenre: 'House' }],
    avoided_handles: [],
    last_same_track_at: null,
    last_same_artist_at: null,
    last_pair_at: null,
    assignments_on_date: 0,
    completed: 0,
    failed: 0,
    last_assignment_at: null,
    ...change,
  };
}

/** An input without limits, but for the changes. */
export function input(
  change: Partial<ProposalInput> = {},
  settings: Partial<TargetingSettings> = {},
): ProposalInput {
  return {
    track: TRACK,
    candidates: [],
    settings: { ...SETTINGS, ...settings },
    now: NOW,
    support_date: '2026-03-11',
    budget: null,
    target_reach: null,
    ...change,
  };
}

/** Members proposed, in the order of choice. */
export const chosen = (proposal: Proposal) => proposal.proposed_targets.map((target) => target.member_id);
