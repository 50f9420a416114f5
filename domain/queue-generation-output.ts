/** One assignment as it is stored, with what it rests on. */
import { affinityOf, type FactsOfSupporter, type QueueFacts } from './queue-generation-facts.js';
import type { QueueAssignment, QueueSubmission } from './queue-generation-types.js';
import { scoreOf } from './targeting-score.js';

/**
 * The assignment of a pair at a slot, its price frozen as it is now.
 * @throws RangeError for a supporter without an account.
 */
export function assignmentOf(
  submission: QueueSubmission,
  known: FactsOfSupporter,
  { position, slotAt }: { position: number; slotAt: number },
  facts: QueueFacts,
): QueueAssignment {
  const { supporter, factor, reach, price } = known;
  if (supporter.account_id === null || supporter.handle === null) {
    throw new RangeError(`Member ${supporter.member_id} has no account to repost from. Link one first.`);
  }
  const fit = affinityOf(submission, supporter, facts);
  const { parts } = scoreOf(supporter, fit, facts.input.now, facts.settings);
  return {
    position,
    submission_id: submission.id,
    supporter_id: supporter.member_id,
    account_id: supporter.account_id,
    handle: supporter.handle,
    tier: supporter.tier,
    slot_at: slotAt,
    credits: price,
    followers: supporter.followers,
    reach,
    reach_factor: factor,
    affinity: parts.affinity,
    reliability: parts.reliability,
    score_parts: parts,
    because: `${fit.because} (affinity ${parts.affinity}), reliability ${parts.reliability}, reach ${reach} for ${credits(price)}`,
  };
}

function credits(price: number): string {
  return price === 1 ? '1 credit' : `${price} credits`;
}
