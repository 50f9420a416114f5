/** What an assignment waits for, in words (lifecycles.md, "assignment"). */
import type { AssignmentState } from './assignment-state.js';
import { dueAt, isPaused, remaining } from './sla.js';
import type { Wait } from './waiting.js';

const DEGRADED = ' SoundCloud is not configured: no repost is verified, ops judge the proofs.';

/** The wait a state stands for; null when the assignment is settled. @param now business ms. */
export function assignmentWait(state: AssignmentState, now: number): Wait | null {
  const { stage, since, clock, provider, degraded } = state;
  const common = { stage, since, paused: false, remainingMs: null, breached: false };
  const note = degraded ? DEGRADED : '';
  const down = provider !== null && {
    waitingOn: 'provider' as const,
    since: provider.downSince,
    whoCanAct: 'SoundCloud must answer; an admin or moderator may decide without it',
    howToAct: 'it is asked every ten minutes; overrideOutcome ends the waiting',
  };
  switch (stage) {
    case 'closed':
      return null;
    case 'proof':
      return {
        ...common,
        waitingOn: 'supporter',
        whoCanAct: 'the supporter, or an admin or moderator',
        howToAct: `submitProof with the address of the repost, or skip; ops: overrideOutcome.${note}`,
        dueAt: dueAt(clock),
        paused: isPaused(clock),
        remainingMs: isPaused(clock) ? remaining(clock, now) : null,
        ...down,
      };
    case 'decision':
      return {
        ...common,
        waitingOn: 'provider',
        whoCanAct:
          'nobody: SoundCloud is looked at, up to three times; an admin or moderator may decide at once',
        howToAct: 'nothing to do; overrideOutcome decides without it',
        dueAt: null,
        ...down,
      };
    case 'ops':
      return {
        ...common,
        waitingOn: 'ops',
        whoCanAct: 'an admin or moderator',
        howToAct: `overrideOutcome: completed, skipped or failed, with a reason.${note}`,
        dueAt: state.opsDueAt,
      };
    case 'watch':
      return {
        ...common,
        waitingOn: 'time',
        whoCanAct: 'nobody: the repost is watched; an admin or moderator may end it',
        howToAct: `nothing to do; overrideOutcome ends the watch.${note}`,
        dueAt: state.watch?.endsAt ?? null,
        ...down,
      };
  }
}
