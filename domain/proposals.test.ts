import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkAcceptance, proposalState } from './proposals.js';

const campaign = { parentType: 'campaign' as const, expiresAt: 1_000, acceptedAt: null };
const codeOf = (check: ReturnType<typeof checkAcceptance>) => (check.ok ? 'ok' : check.code);

describe('accepting a proposal', () => {
  it('is refused from the instant it expires on', () => {
    expect(codeOf(checkAcceptance(campaign, 999))).toBe('ok');
    expect(codeOf(checkAcceptance(campaign, 1_000))).toBe('proposal_expired');
  });

  it('is done once, and never expires afterwards', () => {
    const accepted = { ...campaign, acceptedAt: 500 };
    expect(codeOf(checkAcceptance(accepted, 600))).toBe('proposal_accepted');
    expect(proposalState(accepted, 9_999)).toBe('accepted');
  });

  it('of a submission is refused whatever the time: it only advises', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 5_000 }), (now) => {
        expect(codeOf(checkAcceptance({ ...campaign, parentType: 'submission' }, now))).toBe(
          'proposal_advisory',
        );
      }),
    );
  });

  it('is allowed exactly while it is open', () => {
    const standing = fc.record({
      parentType: fc.constant('campaign' as const),
      expiresAt: fc.integer({ min: 0, max: 2_000 }),
      acceptedAt: fc.option(fc.integer({ min: 0, max: 2_000 })),
    });
    fc.assert(
      fc.property(standing, fc.integer({ min: 0, max: 3_000 }), (proposal, now) => {
        expect(checkAcceptance(proposal, now).ok).toBe(proposalState(proposal, now) === 'open');
      }),
    );
  });
});
