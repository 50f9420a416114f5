/** What may be done with a target proposal (rules.md, "Target builder"; lifecycles.md, "campaign"). */

export interface ProposalStanding {
  parentType: 'submission' | 'campaign';
  /** Business ms. */
  expiresAt: number;
  acceptedAt: number | null;
}

export type ProposalState = 'open' | 'expired' | 'accepted';

/** An accepted proposal does not expire any more. A proposal is good until the instant it expires at. */
export function proposalState(proposal: ProposalStanding, now: number): ProposalState {
  if (proposal.acceptedAt !== null) return 'accepted';
  return now >= proposal.expiresAt ? 'expired' : 'open';
}

export type AcceptanceCheck =
  | { ok: true }
  | { ok: false; code: 'proposal_advisory' | 'proposal_accepted' | 'proposal_expired'; reason: string };

/** May this proposal be accepted now? Only a campaign's can: a submission's advises, its queue decides. */
export function checkAcceptance(proposal: ProposalStanding, now: number): AcceptanceCheck {
  if (proposal.parentType === 'submission') {
    const reason =
      'The proposal of a submission advises only: the daily queue chooses its supporters. Approve the queue that serves it.';
    return { ok: false, code: 'proposal_advisory', reason };
  }
  switch (proposalState(proposal, now)) {
    case 'accepted':
      return {
        ok: false,
        code: 'proposal_accepted',
        reason: 'This proposal is accepted already; nothing was changed now.',
      };
    case 'expired': {
      const reason =
        'This proposal has expired: balances, caps and cool-downs have moved on. Look at the newest one of its campaign and accept that.';
      return { ok: false, code: 'proposal_expired', reason };
    }
    case 'open':
      return { ok: true };
  }
}
