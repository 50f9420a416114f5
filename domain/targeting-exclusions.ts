/** Hard exclusions of the target builder: all that speak against a candidate, each with the facts behind it. */
import { DAY_MS } from './calendar.js';
import type {
  ExclusionCode,
  Fact,
  ProposalInput,
  TargetCandidate,
  TargetConflict,
  TargetTrack,
} from './targeting-types.js';

/** A handle in the form in which handles are compared: the last part of a profile URL, no `@`, lower case. */
export function handleKey(handle: string): string {
  const bare = handle
    .trim()
    .toLowerCase()
    .replace(/^(?:https?:\/\/)?(?:www\.|m\.)?soundcloud\.com\//, '')
    .replace(/^@/, '');
  return bare.split(/[/?#]/)[0] ?? '';
}

/** The side of the track, prepared once for all candidates. */
export interface TrackSide {
  track: TargetTrack;
  handles: Set<string>;
  avoided: Set<string>;
}

export function trackSide(track: TargetTrack): TrackSide {
  return { track, handles: keys(track.handles), avoided: keys(track.avoided_handles) };
}

/**
 * The conflicts of one candidate in the order of `EXCLUSION_CODES`, without `budget`, which depends on who was chosen
 * before. Cool-downs and activity are counted back from `now`; an assignment that lies ahead is one that just happened.
 * A cool-down of 7 days ends exactly 7 days after; inactivity of 90 days begins exactly 90 days after.
 * @param affinity of the candidate to the track, 0..1.
 */
export function exclusionsOf(
  candidate: TargetCandidate,
  side: TrackSide,
  { settings, now, support_date }: Pick<ProposalInput, 'settings' | 'now' | 'support_date'>,
  affinity: number,
): TargetConflict[] {
  const { track } = side;
  const conflicts: TargetConflict[] = [];
  const add = (code: ExclusionCode, facts: Record<string, Fact>) =>
    conflicts.push({ member_id: candidate.member_id, handle: candidate.handle, code, facts });
  const handle = candidate.handle === null ? null : handleKey(candidate.handle);

  if (candidate.member_id === track.member_id) add('self', { same: 'member' });
  else if (handle !== null && side.handles.has(handle)) add('self', { same: 'handle', handle });

  if (candidate.status !== 'active') add('not_active', { status: candidate.status });

  if (candidate.account_id === null || handle === null) add('account_unhealthy', { account_status: null });
  else if (candidate.account_status !== 'linked') {
    add('account_unhealthy', { account_status: candidate.account_status });
  }

  const { last_activity_at: active } = candidate;
  if (active === null || now - active >= settings.inactivity_days * DAY_MS) {
    add('inactive', { last_activity_at: iso(active), inactivity_days: settings.inactivity_days });
  }

  const byArtist = handle !== null && side.avoided.has(handle);
  const avoided = candidate.avoided_handles.map(handleKey).filter((key) => side.handles.has(key));
  if (byArtist || avoided.length > 0) {
    add('avoid_list', {
      avoided_by_artist: byArtist,
      avoided_by_supporter: [...new Set(avoided)].sort(),
    });
  }

  if (affinity <= 0) {
    const families = [...new Set(candidate.genres.map((genre) => genre.family))].sort();
    add('genre', { track_family: track.family, supporter_families: families });
  }

  const coolDowns = [
    ['track_cooldown', candidate.last_same_track_at, settings.track_cooldown_days],
    ['artist_cooldown', candidate.last_same_artist_at, settings.artist_cooldown_days],
    ['pair_cooldown', candidate.last_pair_at, settings.pair_cooldown_days],
  ] as const;
  for (const [code, last, days] of coolDowns) {
    if (last !== null && now - last < days * DAY_MS) {
      add(code, { last_at: iso(last), free_at: iso(last + days * DAY_MS), cooldown_days: days });
    }
  }

  if (candidate.assignments_on_date >= settings.accounts_daily_cap) {
    add('daily_cap', {
      date: support_date,
      assignments: candidate.assignments_on_date,
      accounts_daily_cap: settings.accounts_daily_cap,
    });
  }
  return conflicts;
}

/** The conflict of an eligible candidate the credits left cannot buy. */
export function budgetConflict(
  candidate: { member_id: string; handle: string; price: number },
  creditsLeft: number,
  budget: number,
): TargetConflict {
  return {
    member_id: candidate.member_id,
    handle: candidate.handle,
    code: 'budget',
    facts: { price: candidate.price, credits_left: creditsLeft, budget },
  };
}

function keys(handles: string[]): Set<string> {
  return new Set(handles.map(handleKey).filter((key) => key !== ''));
}

function iso(instant: number | null): string | null {
  return instant === null ? null : new Date(instant).toISOString();
}
