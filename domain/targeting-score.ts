/** Score of a supporter for a track: affinity × reliability × rest (rules.md, "Target builder"). */
import { DAY_MS } from './calendar.js';
import { type Affinity, affinity } from './genre.js';
import type { ScoreParts, TargetCandidate, TargetingSettings, TargetTrack } from './targeting-types.js';

/** Affinity of a candidate's genres to the track, 0..1, with its reason. */
export function affinityTo(
  candidate: Pick<TargetCandidate, 'genres'>,
  track: TargetTrack,
  settings: TargetingSettings,
): Affinity {
  return affinity(track, candidate.genres, settings.adjacency_matrix, {
    sharedSubgenre: settings.affinity_shared_subgenre,
    sameFamily: settings.affinity_same_family,
  });
}

/** How likely an assignment is kept: (completed + 4) / (completed + failed + 5) with the default priors; 0..1. */
export function reliability(
  record: { completed: number; failed: number },
  settings: Pick<TargetingSettings, 'reliability_prior_completed' | 'reliability_prior_total'>,
): number {
  return (
    (record.completed + settings.reliability_prior_completed) /
    (record.completed + record.failed + settings.reliability_prior_total)
  );
}

/**
 * How rested a supporter is: clamp(days since the last assignment / rest_days, rest_floor, 1); 1 without assignment.
 * @param lastAssignmentAt epoch ms; one that lies ahead gives the floor.
 */
export function rest(
  lastAssignmentAt: number | null,
  now: number,
  settings: Pick<TargetingSettings, 'rest_days' | 'rest_floor'>,
): number {
  if (lastAssignmentAt === null) return 1;
  const days = (now - lastAssignmentAt) / DAY_MS;
  return Math.min(1, Math.max(settings.rest_floor, days / settings.rest_days));
}

/** The score and its parts, rounded to 6 decimals, so that who reads a proposal can recompute its order. */
export function scoreOf(
  candidate: Pick<TargetCandidate, 'completed' | 'failed' | 'last_assignment_at'>,
  fit: Affinity,
  now: number,
  settings: TargetingSettings,
): { score: number; parts: ScoreParts } {
  const parts: ScoreParts = {
    affinity: sixDecimals(fit.value),
    affinity_because: fit.because,
    reliability: sixDecimals(reliability(candidate, settings)),
    rest: sixDecimals(rest(candidate.last_assignment_at, now, settings)),
  };
  return { score: sixDecimals(parts.affinity * parts.reliability * parts.rest), parts };
}

/** The precision scores and their parts are stored and compared in. */
export function sixDecimals(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
