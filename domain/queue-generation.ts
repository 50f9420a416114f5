/**
 * The daily queue (rules.md, "Queue generation"): who reposts whose track when, and for everybody else why not.
 *
 * Pure: the same input gives the same bytes, in whatever order its rows come. First as many submissions as possible get
 * a supporter, then Σ affinity × reliability × counted reach is made as large as it can be found to be within a fixed
 * amount of work (docs/decisions/0070). Nothing is random, nothing looks at a clock.
 */
import { BundleSolver } from './queue-generation-bundle.js';
import { prepareFacts, type QueueFacts } from './queue-generation-facts.js';
import { fillUp, improve, startingValue } from './queue-generation-improve.js';
import { assignmentOf } from './queue-generation-output.js';
import { buildPairs, type PairCounts, type QueuePairs, subsetOf } from './queue-generation-pairs.js';
import { QueuePlan } from './queue-generation-plan.js';
import { shortlist, slotPrices } from './queue-generation-prices.js';
import { unfilledDemands, unusedSupporters } from './queue-generation-reasons.js';
import { serveMost } from './queue-generation-served.js';
import { placeSlots, wishedSlot } from './queue-generation-slots.js';
import type { QueueAssignment, QueueDraft, QueueExplanation, QueueInput } from './queue-generation-types.js';

export * from './queue-generation-types.js';

/** Changes whenever the same input may give another queue. */
export const QUEUE_RULE_VERSION = 'queue-2';

/**
 * Generates the queue of a date.
 * @throws RangeError when a submission, supporter or balance is given twice: the loading query is wrong then.
 */
export function generateQueue(input: QueueInput): QueueDraft {
  const facts = prepareFacts(input);
  const { pairs, counts } = buildPairs(facts);
  const { plan, bound } = planQueue(pairs);
  const assignments = assignmentsOf(facts, plan);
  return {
    assignments,
    total_slots: pairs.free.reduce((sum, free) => sum + free, 0),
    filled_slots: assignments.length,
    unfilled: unfilledDemands(facts, plan, counts),
    unused: unusedSupporters(facts, pairs, plan, counts),
    explanation: explanationOf(facts, plan, counts, assignments, bound),
  };
}

/** Chooses the pairs; the bound is a value no choice can exceed. */
export function planQueue(pairs: QueuePairs): { plan: QueuePlan; bound: number } {
  const solver = new BundleSolver(pairs);
  const plan = new QueuePlan(pairs);
  serveMost(plan);
  const marks = new Uint8Array(pairs.rowOf.length);
  const first = plan.chosen.flat();
  for (const p of first) marks[p] = 1;
  shortlist(pairs, solver, marks);
  const prices = slotPrices(pairs, solver, startingValue(subsetOf(pairs, marks).pairs), marks);
  // The search goes over the pairs that are candidates at these prices; the rest only fills what is left.
  const { pairs: subset, origin } = subsetOf(pairs, marks);
  const search = new QueuePlan(subset);
  for (const p of first) search.add(origin.indexOf(p));
  improve(search, new BundleSolver(subset), prices);
  for (const p of first) plan.remove(p);
  for (const p of search.chosen.flat()) plan.add(origin[p] as number);
  fillUp(plan);
  return { plan, bound: prices.bound };
}

/** Gives every chosen pair its slot: wished times are spread over the window, then fitted to each account's day. */
function assignmentsOf(facts: QueueFacts, plan: QueuePlan): QueueAssignment[] {
  const { pairs } = plan;
  // Rows are in the order of submission ids, and their pairs' supporters are ranked by price and id.
  const chosen = plan.chosen.flatMap((list) => [...list].sort((a, b) => a - b));
  const wish = new Map(chosen.map((p, rank) => [p, wishedSlot(rank, facts.window)]));
  const slots = new Map<number, number>();
  pairs.supporters.forEach((known, j) => {
    const own = [...(plan.held[j] as number[])].sort(
      (a, b) => (wish.get(a) as number) - (wish.get(b) as number) || a - b,
    );
    const wishes = own.map((p) => wish.get(p) as number);
    placeSlots(wishes, known.busy, facts.window).forEach((at, n) => {
      slots.set(own[n] as number, at);
    });
  });
  return chosen
    .map((p) => ({ p, at: slots.get(p) as number }))
    .sort((a, b) => a.at - b.at || a.p - b.p)
    .map(({ p, at }, n) => {
      const row = pairs.rows[pairs.rowOf[p] as number] as QueuePairs['rows'][number];
      const known = pairs.supporters[pairs.supporterOf[p] as number] as QueuePairs['supporters'][number];
      return assignmentOf(row.facts.submission, known, { position: n + 1, slotAt: at }, facts);
    });
}

function explanationOf(
  facts: QueueFacts,
  plan: QueuePlan,
  counts: PairCounts,
  assignments: QueueAssignment[],
  bound: number,
): QueueExplanation {
  const { input, window } = facts;
  return {
    rule_version: QUEUE_RULE_VERSION,
    org_id: input.org_id,
    date: input.date,
    timezone: input.timezone,
    generated_at: input.now,
    earliest: input.earliest,
    opens_at: window.opens,
    closes_at: window.closes,
    settings: input.settings,
    counts: {
      submissions: facts.submissions.length,
      served: plan.served,
      supporters: facts.supporters.length,
      eligible_supporters: plan.pairs.supporters.length,
      used_supporters: plan.held.filter((held) => held.length > 0).length,
      allowed_pairs: counts.allowed,
      taken_slots: input.taken.length,
      history: input.history.length,
    },
    totals: {
      credits: assignments.reduce((sum, { credits }) => sum + credits, 0),
      reach: assignments.reduce((sum, { reach }) => sum + reach, 0),
      value: hundredths(plan.value()),
      value_bound: hundredths(Math.max(bound, plan.value())),
    },
  };
}

function hundredths(value: number): number {
  return Math.round(value * 100) / 100;
}
