/** Why a demand is not met and why a supporter is not used: every one of them has a code and the facts behind it. */
import { targetReachOf } from './credits.js';
import { budgetOf, type FactsOfSubmission, type QueueFacts } from './queue-generation-facts.js';
import type { DemandRow, PairCounts, QueuePairs } from './queue-generation-pairs.js';
import type { QueuePlan } from './queue-generation-plan.js';
import type { UnfilledDemand, UnusedCode, UnusedSupporter } from './queue-generation-types.js';

/** Demands that are not met: not served at all, short of the target reach, or of the replacements asked for. */
export function unfilledDemands(facts: QueueFacts, plan: QueuePlan, counts: PairCounts): UnfilledDemand[] {
  const rowOf = new Map(plan.pairs.rows.map((row, i) => [row.facts.submission.id, i]));
  return facts.submissions.flatMap((known) => {
    const i = rowOf.get(known.submission.id);
    const demand = demandOf(known, facts, plan, i);
    if (demand.met) return [];
    const { met: _met, ...unfilled } = demand;
    return [{ ...unfilled, ...reasonOf(known, facts, plan, counts, i) }];
  });
}

function demandOf(
  { submission }: FactsOfSubmission,
  facts: QueueFacts,
  plan: QueuePlan,
  i: number | undefined,
) {
  const { pairs } = plan;
  const chosen = i === undefined ? [] : (plan.chosen[i] as number[]);
  const reach = chosen.reduce((sum, p) => sum + (pairs.reach[pairs.supporterOf[p] as number] as number), 0);
  const target = targetReachOf(budgetOf(submission, facts), facts.settings.reach_per_credit);
  const { demand } = submission;
  const missing = demand.kind === 'first' ? null : Math.max(0, demand.count - chosen.length);
  const served = chosen.length > 0;
  return {
    submission_id: submission.id,
    member_id: submission.member_id,
    served,
    assignments: chosen.length,
    reach,
    target_reach: target,
    missing,
    met: served && (reach >= target || missing === 0),
  };
}

function reasonOf(
  { submission }: FactsOfSubmission,
  facts: QueueFacts,
  plan: QueuePlan,
  counts: PairCounts,
  i: number | undefined,
): Pick<UnfilledDemand, 'code' | 'facts'> {
  if (submission.support_date > facts.input.date) {
    return { code: 'not_due', facts: { support_date: submission.support_date, date: facts.input.date } };
  }
  const spendable = budgetOf(submission, facts);
  if (spendable < 1) return { code: 'no_credits', facts: { member_id: submission.member_id, spendable } };
  const { excluded, eligible, cheapest } = counts.bySubmission.get(submission.id) ?? {
    excluded: {},
    eligible: 0,
    cheapest: null,
  };
  if (eligible === 0) {
    return { code: 'no_eligible_supporter', facts: { supporters: facts.supporters.length, excluded } };
  }
  if (i === undefined) {
    return {
      code: 'budget',
      facts: { spendable, credits_left: spendable, cheapest_price: cheapest, eligible },
    };
  }
  const { pairs } = plan;
  const row = pairs.rows[i] as DemandRow;
  const left = plan.left(row.buyer);
  const taken = { slots_taken: 0, queue_conflict: 0 };
  let cheapestFree: number | null = null;
  for (let p = row.firstPair; p < row.endPair; p++) {
    const j = pairs.supporterOf[p] as number;
    if ((plan.chosen[i] as number[]).includes(p)) continue;
    if (plan.exclusiveWith(p).length > 0) taken.queue_conflict++;
    else if (plan.isFull(j)) taken.slots_taken++;
    else cheapestFree ??= pairs.price[j] as number;
  }
  if (cheapestFree !== null) {
    return {
      code: 'budget',
      facts: { spendable, credits_left: left, cheapest_price: cheapestFree, eligible, ...taken },
    };
  }
  return {
    code: taken.slots_taken > 0 || taken.queue_conflict === 0 ? 'slots_taken' : 'queue_conflict',
    facts: { spendable, credits_left: left, eligible, ...taken },
  };
}

/** Supporters without an assignment, each with one reason: what excludes them from all, or who was preferred. */
export function unusedSupporters(
  facts: QueueFacts,
  pairs: QueuePairs,
  plan: QueuePlan,
  counts: PairCounts,
): UnusedSupporter[] {
  const due = counts.bySubmission.size;
  const affordable = new Int32Array(pairs.supporters.length);
  for (const j of pairs.supporterOf) affordable[j] = (affordable[j] as number) + 1;
  const indexOf = new Map(pairs.supporters.map(({ supporter }, j) => [supporter.member_id, j]));
  return facts.supporters.flatMap(({ supporter, conflicts, price, reach }): UnusedSupporter[] => {
    const { member_id } = supporter;
    const [first] = conflicts;
    if (first !== undefined) {
      const also = conflicts.slice(1).map(({ code }) => code);
      return [
        {
          member_id,
          code: first.code as UnusedCode,
          facts: also.length === 0 ? first.facts : { ...first.facts, also },
        },
      ];
    }
    const j = indexOf.get(member_id) as number;
    if ((plan.held[j] as number[]).length > 0) return [];
    if (due === 0) return [{ member_id, code: 'no_demand', facts: {} }];
    const { excluded, eligible } = counts.bySupporter.get(member_id) ?? { excluded: {}, eligible: 0 };
    if (eligible === 0)
      return [{ member_id, code: 'excluded_for_all', facts: { submissions: due, excluded } }];
    if (affordable[j] === 0)
      return [{ member_id, code: 'too_expensive', facts: { price, fitting: eligible } }];
    return [
      {
        member_id,
        code: 'outbid',
        facts: { price, reach, fitting: eligible, affordable: affordable[j] as number },
      },
    ];
  });
}
