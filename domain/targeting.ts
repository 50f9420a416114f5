/**
 * The target builder (rules.md, "Target builder"): who should repost a track, and for everybody else why not.
 *
 * Pure: the same input gives the same bytes, in whatever order candidates, genres and handles come. Every candidate is
 * found exactly once: among the proposed targets, in the conflicts (once per reason), or in `criteria.not_chosen`.
 */
import { priceOf, reachOf } from './credits.js';
import type { Affinity } from './genre.js';
import { exclusionsOf, handleKey, trackSide } from './targeting-exclusions.js';
import { affinityTo, scoreOf } from './targeting-score.js';
import { select } from './targeting-selection.js';
import {
  EXCLUSION_CODES,
  type Proposal,
  type ProposalCriteria,
  type ProposalInput,
  type ProposedTarget,
  type TargetCandidate,
  type TargetConflict,
  type TargetTrack,
} from './targeting-types.js';

export * from './targeting-types.js';

/** Changes whenever the same input may give another proposal. */
export const TARGET_RULE_VERSION = 'targets-1';

/**
 * Builds a proposal.
 * @throws RangeError when a member is given twice: the loading query is wrong then.
 */
export function buildProposal(input: ProposalInput): Proposal {
  const candidates = sortedById(input.candidates);
  const side = trackSide(input.track);
  const conflicts: TargetConflict[] = [];
  const eligible: ProposedTarget[] = [];
  for (const candidate of candidates) {
    const fit = affinityTo(candidate, input.track, input.settings);
    const against = exclusionsOf(candidate, side, input, fit.value);
    const target = against.length === 0 ? targetOf(candidate, fit, input) : null;
    if (target === null) conflicts.push(...against);
    else eligible.push(target);
  }
  const { chosen, conflicts: tooExpensive, notChosen, stoppedBy } = select(eligible, input);
  conflicts.push(...tooExpensive);
  conflicts.sort(
    (a, b) =>
      compareText(a.member_id, b.member_id) ||
      EXCLUSION_CODES.indexOf(a.code) - EXCLUSION_CODES.indexOf(b.code),
  );
  notChosen.sort((a, b) => compareText(a.member_id, b.member_id));
  return {
    proposed_targets: chosen,
    conflicts,
    total_capacity: chosen.reduce((sum, target) => sum + target.reach, 0),
    estimated_credits: chosen.reduce((sum, target) => sum + target.price, 0),
    criteria: {
      rule_version: TARGET_RULE_VERSION,
      built_at: input.now,
      support_date: input.support_date,
      budget: input.budget,
      target_reach: input.target_reach,
      track: sortedTrack(input.track),
      settings: input.settings,
      counts: {
        candidates: candidates.length,
        eligible: eligible.length,
        proposed: chosen.length,
        not_chosen: notChosen.length,
        excluded: countByCode(conflicts),
      },
      stopped_by: stoppedBy,
      not_chosen: notChosen,
    },
  };
}

/** The candidate as a target; null without an account, which {@link exclusionsOf} has refused already. */
function targetOf(candidate: TargetCandidate, fit: Affinity, input: ProposalInput): ProposedTarget | null {
  const { settings, now } = input;
  const { account_id, handle } = candidate;
  if (account_id === null || handle === null) return null;
  const factor = candidate.reach_factor ?? settings.default_reach_factor;
  const reach = reachOf(candidate.followers, factor);
  const { score, parts } = scoreOf(candidate, fit, now, settings);
  return {
    member_id: candidate.member_id,
    account_id,
    handle,
    tier: candidate.tier,
    followers: candidate.followers,
    reach_factor: factor,
    reach,
    price: priceOf(reach, settings.reach_per_credit, candidate.credits_cap),
    score,
    score_parts: parts,
  };
}

function sortedById(candidates: TargetCandidate[]): TargetCandidate[] {
  const sorted = [...candidates].sort((a, b) => compareText(a.member_id, b.member_id));
  const twice = sorted.find((candidate, i) => candidate.member_id === sorted[i + 1]?.member_id);
  if (twice !== undefined) {
    throw new RangeError(`Member ${twice.member_id} is given twice. Load one row per member.`);
  }
  return sorted;
}

function sortedTrack(track: TargetTrack): TargetTrack {
  return {
    ...track,
    handles: [...new Set(track.handles.map(handleKey))].sort(),
    avoided_handles: [...new Set(track.avoided_handles.map(handleKey))].sort(),
  };
}

function countByCode(conflicts: TargetConflict[]): ProposalCriteria['counts']['excluded'] {
  const counts: ProposalCriteria['counts']['excluded'] = {};
  for (const code of EXCLUSION_CODES) {
    const count = conflicts.filter((conflict) => conflict.code === code).length;
    if (count > 0) counts[code] = count;
  }
  return counts;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
