/** Which of the eligible candidates are proposed: the order of choice, and where it stops. */
import { budgetConflict } from './targeting-exclusions.js';
import type {
  NotChosen,
  ProposalInput,
  ProposedTarget,
  StopReason,
  TargetBandMode,
  TargetConflict,
} from './targeting-types.js';
import { SIZE_TIERS } from './tiers.js';

export interface Selection {
  chosen: ProposedTarget[];
  /** Eligible ones the credits could not buy. */
  conflicts: TargetConflict[];
  notChosen: NotChosen[];
  stoppedBy: StopReason;
}

/**
 * Chooses from eligible candidates until the target reach, the largest number, or the credits are reached.
 * One that is too expensive for what is left is passed over for cheaper ones; in `balance` it does not use up the turn
 * of its tier. A supporter who would reach nobody is never worth a credit.
 */
export function select(eligible: ProposedTarget[], input: ProposalInput): Selection {
  const { settings, budget, target_reach: targetReach } = input;
  const selection: Selection = { chosen: [], conflicts: [], notChosen: [], stoppedBy: 'no_more_candidates' };
  const leave = (target: ProposedTarget, reason: NotChosen['reason']) => {
    const { member_id, tier, reach, price, score } = target;
    selection.notChosen.push({ member_id, tier, reach, price, score, reason });
  };
  const useful = eligible.filter((target) => {
    if (target.reach === 0) leave(target, 'no_reach');
    return target.reach > 0;
  });
  const line = inOrder(useful, settings.target_band_mode);
  let reach = 0;
  let left = budget ?? Number.POSITIVE_INFINITY;

  /** Why no further candidate is taken. Without a credit and without reach it is the credits, not the aim of 0. */
  const stop = (): 'target_reach' | 'max_targets' | 'budget' | null => {
    if (targetReach !== null && reach >= targetReach && (reach > 0 || left >= 1)) return 'target_reach';
    if (selection.chosen.length >= settings.max_targets) return 'max_targets';
    return left < 1 ? 'budget' : null;
  };

  for (let next = line.next(null); next !== null; ) {
    const reason = stop();
    if (reason === 'target_reach' || reason === 'max_targets') {
      selection.stoppedBy = reason;
      leave(next, reason);
      next = line.next(null);
    } else if (next.price > left) {
      selection.conflicts.push(budgetConflict(next, left, budget ?? 0));
      selection.stoppedBy = 'budget';
      next = line.next(next);
    } else {
      selection.chosen.push(next);
      reach += next.reach;
      left -= next.price;
      next = line.next(null);
    }
  }
  const reason = stop();
  if (reason !== null) selection.stoppedBy = reason;
  return selection;
}

interface Line {
  /** The next in line; after one that was too expensive, the one who takes over its turn. */
  next(passedOver: ProposedTarget | null): ProposedTarget | null;
}

function inOrder(targets: ProposedTarget[], mode: TargetBandMode): Line {
  return mode === 'size' ? bySize(targets) : roundRobin(targets);
}

/** Reach × score, descending. */
function bySize(targets: ProposedTarget[]): Line {
  const queue = [...targets].sort((a, b) => b.reach * b.score - a.reach * a.score || byId(a, b));
  let index = 0;
  return { next: () => queue[index++] ?? null };
}

/** One of each tier that has candidates, T4 → T1, again and again; best score first within a tier. */
function roundRobin(targets: ProposedTarget[]): Line {
  const tiers = [...SIZE_TIERS].reverse().map((tier) => ({
    index: 0,
    queue: targets.filter((target) => target.tier === tier).sort((a, b) => b.score - a.score || byId(a, b)),
  }));
  let turn = -1;
  return {
    next(passedOver) {
      const first = passedOver === null ? turn + 1 : turn;
      for (let step = 0; step < tiers.length; step++) {
        turn = (first + step) % tiers.length;
        const tier = tiers[turn];
        const target = tier?.queue[tier.index];
        if (tier !== undefined && target !== undefined) {
          tier.index++;
          return target;
        }
      }
      return null;
    },
  };
}

function byId(a: ProposedTarget, b: ProposedTarget): number {
  return a.member_id < b.member_id ? -1 : a.member_id > b.member_id ? 1 : 0;
}
