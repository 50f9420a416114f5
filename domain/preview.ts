/**
 * What a submission would bring, told before it is handed in (rules.md, "Target builder"): the proposal in sums. It
 * names no supporter, because a member does not see who the others are.
 */
import type { ExclusionCode, NotChosen, Proposal } from './targeting-types.js';
import { SIZE_TIERS, type SizeTier } from './tiers.js';

export interface PreviewPlan {
  supporters: { total: number; by_tier: Record<SizeTier, number> };
  /** Credits the proposed reposts would cost. */
  credits: number;
  /** Why they fit, the closest first. */
  affinity: { because: string; affinity: number; supporters: number }[];
  /** Why others are left out; one with several reasons counts for each. */
  exclusions: { code: ExclusionCode; supporters: number }[];
  /** Fitting ones that are not needed, or would reach nobody. */
  not_needed: { reason: NotChosen['reason']; supporters: number }[];
}

/** @param genreKnown false: nobody can be judged by genre, so that reason says nothing and is left out. */
export function previewPlan(proposal: Proposal, genreKnown: boolean): PreviewPlan {
  const { proposed_targets: targets, criteria } = proposal;
  const byTier = SIZE_TIERS.map((tier) => [tier, targets.filter((target) => target.tier === tier).length]);
  const reasons = new Map<string, PreviewPlan['affinity'][number]>();
  for (const { score_parts } of targets) {
    const { affinity_because: because, affinity } = score_parts;
    const reason = reasons.get(because) ?? { because, affinity, supporters: 0 };
    reasons.set(because, { ...reason, supporters: reason.supporters + 1 });
  }
  const excluded = Object.entries(criteria.counts.excluded) as [ExclusionCode, number][];
  const unneeded = new Map<NotChosen['reason'], number>();
  for (const { reason } of criteria.not_chosen) unneeded.set(reason, (unneeded.get(reason) ?? 0) + 1);
  return {
    supporters: { total: targets.length, by_tier: Object.fromEntries(byTier) as Record<SizeTier, number> },
    credits: proposal.estimated_credits,
    affinity: [...reasons.values()].sort(
      (a, b) => b.affinity - a.affinity || (a.because < b.because ? -1 : 1),
    ),
    exclusions: excluded
      .filter(([code]) => genreKnown || code !== 'genre')
      .map(([code, supporters]) => ({ code, supporters })),
    not_needed: [...unneeded].map(([reason, supporters]) => ({ reason, supporters })),
  };
}
