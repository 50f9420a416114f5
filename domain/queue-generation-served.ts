/**
 * First aim of a queue: as many submissions as possible get a supporter (rules.md, "Queue generation").
 *
 * Without shared budgets and cool-downs within the queue this is a bipartite matching with slots, and augmenting paths
 * find the maximum. The rest of the rules makes it hard in general; then one served submission is given up where that
 * serves two others, by paths searched without the shortcut of matchings. All within a fixed number of steps, so that
 * the result depends on the input alone.
 */
import type { Buyer, DemandRow, QueuePairs } from './queue-generation-pairs.js';
import { compareServed, type QueuePlan } from './queue-generation-plan.js';

/** Steps of the searches beyond matching, each a look at one pair. */
const SEARCH_STEPS = 2_000_000;
const TRADE_STEPS = 400;

/**
 * Serves as many rows as it can, each by one supporter; of as many, those that are owed a replacement first (lifecycles.md,
 * "assignment", step 3). A path never takes a row's last supporter away, so in a matching whoever is served first stays
 * served and costs nobody else anything. Where shared budgets and cool-downs make it cost a row after all, the order
 * without preference stands. The plan must be empty.
 */
export function serveMost(plan: QueuePlan): void {
  const { pairs } = plan;
  const order = pairs.rows.map((_, i) => i).sort((a, b) => choices(pairs, a) - choices(pairs, b) || a - b);
  const owed = order.filter((i) => (pairs.rows[i] as DemandRow).owed);
  if (owed.length === 0 || owed.length === order.length) {
    serveInOrder(plan, order);
    return;
  }
  serveInOrder(plan, [...owed, ...order.filter((i) => !(pairs.rows[i] as DemandRow).owed)]);
  const { served, servedOwed } = plan;
  const preferred = plan.chosen.flat();
  for (const p of preferred) plan.remove(p);
  serveInOrder(plan, order);
  if (compareServed(plan, { served, servedOwed }) > 0) return;
  for (const p of plan.chosen.flat()) plan.remove(p);
  for (const p of preferred) plan.add(p);
  plan.commit();
}

function serveInOrder(plan: QueuePlan, order: number[]): void {
  const { pairs } = plan;
  const paths = new AugmentingPaths(plan);
  for (const i of order) paths.serve(i, Number.POSITIVE_INFINITY, true);
  plan.commit();
  const most = mostServable(pairs);
  if (plan.served >= most) return;
  const budget = { steps: SEARCH_STEPS };
  trade(plan, paths, order, budget);
  plan.commit();
}

class AugmentingPaths {
  /** Supporters and rows a path went through since the last success; in a matching none of them leads anywhere. */
  private readonly seen: Int32Array;
  private readonly seenRows: Int32Array;
  private round = 1;
  private readonly fixed: Uint8Array;
  private left = 0;
  private shortcut = true;

  constructor(private readonly plan: QueuePlan) {
    this.seen = new Int32Array(plan.pairs.supporters.length);
    this.seenRows = new Int32Array(plan.pairs.rows.length);
    this.fixed = new Uint8Array(plan.pairs.rows.length);
  }

  /**
   * Gives the row a supporter without leaving another row without one.
   * @param shortcut true passes no supporter twice, which is all a matching needs; false tries every way.
   */
  serve(i: number, steps: number, shortcut: boolean): boolean {
    if (!isUnserved(this.plan, i)) return true;
    this.left = steps;
    this.shortcut = shortcut;
    const mark = this.plan.mark();
    const done = this.extend(i);
    if (done) this.round++;
    else this.plan.rollback(mark);
    return done;
  }

  /** The same without the shortcut, paid from a budget of steps. */
  serveWithin(budget: { steps: number }, i: number, most: number): void {
    if (budget.steps <= 0 || !isUnserved(this.plan, i)) return;
    this.serve(i, most, false);
    budget.steps -= most - Math.max(0, this.left) + 1;
  }

  private extend(i: number): boolean {
    const { plan } = this;
    const { pairs } = plan;
    if (this.shortcut && this.seenRows[i] === this.round) return false;
    this.seenRows[i] = this.round;
    const row = pairs.rows[i] as DemandRow;
    for (let p = row.firstPair; p < row.endPair; p++) {
      if (!plan.fits(p)) continue;
      plan.add(p);
      return true;
    }
    this.left -= row.endPair - row.firstPair;
    this.fixed[i] = 1;
    for (let p = row.firstPair; p < row.endPair; p++) {
      if (this.left-- <= 0) break;
      const j = pairs.supporterOf[p] as number;
      if (this.shortcut && this.seen[j] === this.round) continue;
      this.seen[j] = this.round;
      for (const evicted of this.waysToFit(p)) {
        if (this.replace(p, evicted)) {
          this.fixed[i] = 0;
          return true;
        }
      }
    }
    this.fixed[i] = 0;
    return false;
  }

  /** Takes the pair for the evicted ones and serves their rows anew. */
  private replace(p: number, evicted: number[]): boolean {
    const { plan } = this;
    const { pairs } = plan;
    if (evicted.some((other) => this.fixed[pairs.rowOf[other] as number] === 1)) return false;
    const mark = plan.mark();
    for (const other of evicted) plan.remove(other);
    if (plan.fits(p)) {
      plan.add(p);
      const rows = evicted.map((other) => pairs.rowOf[other] as number).filter((k) => isUnserved(plan, k));
      if (rows.every((k) => !isUnserved(plan, k) || this.extend(k))) return true;
    }
    plan.rollback(mark);
    return false;
  }

  /** Sets of chosen pairs, each of which makes room for the pair. */
  private waysToFit(p: number): number[][] {
    const { plan } = this;
    const { pairs } = plan;
    const i = pairs.rowOf[p] as number;
    const j = pairs.supporterOf[p] as number;
    const { buyer } = pairs.rows[i] as DemandRow;
    const must = new Set(plan.exclusiveWith(p));
    if ((pairs.price[j] as number) > plan.left(buyer)) {
      for (const k of (pairs.buyers[buyer] as Buyer).rows)
        for (const q of plan.chosen[k] as number[]) must.add(q);
    }
    const held = plan.held[j] as number[];
    if (!plan.isFull(j) || held.some((q) => must.has(q))) return [[...must]];
    return held.map((q) => [...must, q]);
  }
}

/** Gives up one served row where that serves two others. */
function trade(plan: QueuePlan, paths: AugmentingPaths, order: number[], budget: { steps: number }): void {
  const { pairs } = plan;
  for (const i of order.filter((row) => isUnserved(plan, row))) {
    const row = pairs.rows[i] as DemandRow;
    for (let p = row.firstPair; p < row.endPair && isUnserved(plan, i) && budget.steps > 0; p++) {
      const blockers = [...plan.exclusiveWith(p), ...(plan.held[pairs.supporterOf[p] as number] as number[])];
      for (const blocker of blockers) {
        const before = plan.served;
        const mark = plan.mark();
        plan.remove(blocker);
        const waiting = [i, ...order.filter((k) => k !== i && isUnserved(plan, k))];
        for (const k of waiting) paths.serveWithin(budget, k, TRADE_STEPS);
        if (plan.served > before) {
          plan.commit();
          break;
        }
        plan.rollback(mark);
      }
    }
  }
}

/** As many rows as the budgets alone allow: of each buyer those whose cheapest supporters cost least. */
function mostServable(pairs: QueuePairs): number {
  return pairs.buyers.reduce((sum, buyer) => {
    const cheapest = buyer.rows
      .map((i) => pairs.price[pairs.supporterOf[(pairs.rows[i] as DemandRow).firstPair] as number] as number)
      .sort((a, b) => a - b);
    let left = buyer.budget;
    let count = 0;
    for (const price of cheapest) {
      left -= price;
      if (left >= 0) count++;
    }
    return sum + count;
  }, 0);
}

function choices(pairs: QueuePairs, i: number): number {
  const row = pairs.rows[i] as DemandRow;
  return row.endPair - row.firstPair;
}

function isUnserved(plan: QueuePlan, i: number): boolean {
  return (plan.chosen[i] as number[]).length === 0;
}
