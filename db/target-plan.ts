/** Builds the target proposal of a track from the facts of the moment. */
import { dateOf } from '../domain/calendar.js';
import { expectedReach, targetReachOf } from '../domain/credits.js';
import { nextQueueDate } from '../domain/queue-dates.js';
import { type OrgSettings, targetingSettings } from '../domain/settings.js';
import { buildProposal } from '../domain/targeting.js';
import type { Proposal } from '../domain/targeting-types.js';
import type { Trx } from './client.js';
import type { ReachPlan } from './proposals.js';
import {
  draftedQueueDates,
  loadCandidates,
  loadTargetTrack,
  type SubmittedTrack,
  spendableBalance,
} from './targeting.js';

export interface TargetPlan {
  proposal: Proposal;
  reach: ReachPlan;
  supportDate: string;
}

/**
 * The proposal for a submission (rules.md, "Target builder"): the budget is what the member can spend now, the target
 * reach what that buys. @param input.submission also one that was not handed in yet. @param input.now business ms.
 */
export async function planTargets(
  trx: Trx,
  input: { orgId: string; submission: SubmittedTrack; settings: OrgSettings; now: number },
): Promise<TargetPlan> {
  const { orgId, submission, settings, now } = input;
  const { timezone, pacing } = settings;
  const today = dateOf(now, timezone);
  const drafted = await draftedQueueDates(trx, orgId, today);
  const supportDate = nextQueueDate(now, timezone, settings.queue_hours.generate_at, drafted);
  const track = await loadTargetTrack(trx, orgId, submission);
  const budget = submission.member_id === null ? 0 : await spendableBalance(trx, orgId, submission.member_id);
  const candidates = await loadCandidates(trx, {
    orgId,
    trackUrl: submission.track_url,
    artistHandles: track.handles,
    memberId: submission.member_id,
    submissionId: submission.id,
    now,
    supportDate,
    timezone,
    reliabilityDays: pacing.reliability_days,
    historyDays: Math.max(
      pacing.reliability_days,
      pacing.track_cooldown_days,
      pacing.artist_cooldown_days,
      pacing.pair_cooldown_days,
      pacing.rest_days,
    ),
  });
  const proposal = buildProposal({
    track,
    candidates,
    settings: targetingSettings(settings),
    now,
    support_date: supportDate,
    budget,
    target_reach: targetReachOf(budget, settings.reach_per_credit),
  });
  const reach = expectedReach(proposal.total_capacity, pacing.reach_min_percent, pacing.reach_max_percent);
  return { proposal, reach, supportDate };
}
