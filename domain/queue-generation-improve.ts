/**
 * Second aim of a queue: the largest Σ affinity × reliability × counted reach, without serving fewer (rules.md, "Queue
 * generation"). Every buyer in turn chooses anew: first at the slots' prices, then against what is planned, where
 * whoever loses a supporter chooses anew as well; in the end single pairs are forced in, so that it is not left to chance
 * which of as many submissions are served. A trial that does not pay is rolled back.
 */
import { BundleSolver, type CostsOf, rewardOf } from './queue-generation-bundle.js';
import type { Buyer, DemandRow, QueuePairs } from './queue-generation-pairs.js';
import { compareServed, QueuePlan, worthOf } from './queue-generation-plan.js';
import type { SlotPrices } from './queue-generation-prices.js';

/** Less than that is rounding. */
const EPSILON = 1e-7;
/** Looks at pairs, per pair of the queue: the fixed work of the whole search. */
const LOOKS_PER_PAIR = 60;
/** Small queues are searched longer. */
const MIN_LOOKS = 4_000_000;
/** Buyers that may choose anew in one trial, and how many of them may take supporters from others. */
const CHAIN = 12;
const TAKING = 3;
const MAX_PASSES = 40;
/** Looks of the exchanges at the end. Small queues get all they can use; large ones those for the unserved rows. */
const EXCHANGE_LOOKS = 2_000_000;
/** Cells of a knapsack that take as long as a look at a pair. */
const CELLS_PER_LOOK = 16;
/** More than any bundle gains, rows served included: what a pinned pair counts. */
const PINNED = 1e11;
/**
 * How trials reckon with what others lose, pass by pass: `bold` less what their credits buy elsewhere, `cautious` in
 * full (such trials fail less often, and find less), `serving` also that a row which loses its only supporter is unserved
 * then. Without the last a row never takes another's place: it takes all it likes, and the queue serves fewer.
 */
type Caution = 'bold' | 'cautious' | 'serving';
const CAUTIONS: readonly Caution[] = ['bold', 'cautious', 'serving'];
/** Moves between the rows of one buyer. */
const MAX_MOVES = 50;

export function improve(plan: QueuePlan, solver: BundleSolver, prices: SlotPrices): void {
  new Improvement(plan, solver, prices).run();
}

/** What is left free: adds pairs that still fit and count, the most valuable first. */
export function fillUp(plan: QueuePlan): void {
  const { pairs } = plan;
  pairs.rows.forEach((row, i) => {
    const open = () => (plan.chosen[i] as number[]).length < row.most && plan.left(row.buyer) > 0;
    while (open()) {
      const chosen = plan.chosen[i] as number[];
      const before = worthOf(pairs, i, chosen);
      let best = -1;
      let most = EPSILON;
      for (let p = row.firstPair; p < row.endPair; p++) {
        if ((pairs.price[pairs.supporterOf[p] as number] as number) > plan.left(row.buyer)) break;
        if ((pairs.value[p] as number) <= most || !plan.fits(p)) continue;
        const gain = worthOf(pairs, i, [...chosen, p]) - before;
        if (gain <= most) continue;
        most = gain;
        best = p;
      }
      if (best < 0) break;
      plan.add(best);
    }
  });
  plan.commit();
}

/**
 * Moves a buyer's supporters between the buyer's rows, alone or two against each other, as long as that pays: they
 * cost the same in each, and bundles are found row by row.
 */
function rearrange(plan: QueuePlan, b: number): void {
  const { pairs } = plan;
  const { rows } = pairs.buyers[b] as Buyer;
  const better = (out: number[], into: number[]): boolean => {
    const served = plan.servedOf(b);
    const value = plan.valueOf(b);
    const mark = plan.mark();
    for (const p of out) plan.remove(p);
    const fit = into.every((p) => {
      const fits = p >= 0 && plan.fits(p);
      if (fits) plan.add(p);
      return fits;
    });
    const more = compareServed(plan.servedOf(b), served);
    if (fit && (more > 0 || (more === 0 && plan.valueOf(b) > value + EPSILON))) return true;
    plan.rollback(mark);
    return false;
  };
  const once = (): boolean =>
    rows.some((i) =>
      (plan.chosen[i] as number[]).some((p) =>
        rows.some((k) => {
          if (k === i) return false;
          const there = pairOf(pairs, k, pairs.supporterOf[p] as number);
          if (there < 0) return false;
          if (better([p], [there])) return true;
          return (plan.chosen[k] as number[]).some((q) =>
            rows.some(
              (l) =>
                (l === i || (l !== k && (plan.chosen[l] as number[]).length === 0)) &&
                better([p, q], [there, pairOf(pairs, l, pairs.supporterOf[q] as number)]),
            ),
          );
        }),
      ),
    );
  for (let moves = 0; moves < MAX_MOVES && once(); ) moves++;
}

/** The row's pair with a supporter; -1 when it is not allowed. Supporters of a row ascend. */
function pairOf(pairs: QueuePairs, i: number, j: number): number {
  let { firstPair: low, endPair: high } = pairs.rows[i] as DemandRow;
  const end = high;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((pairs.supporterOf[middle] as number) < j) low = middle + 1;
    else high = middle;
  }
  return low < end && pairs.supporterOf[low] === j ? low : -1;
}

/** Value of a plain queue: every buyer in turn takes the best of what is free. */
export function startingValue(pairs: QueuePairs): number {
  const plan = new QueuePlan(pairs);
  const zero = {
    price: new Float64Array(pairs.supporters.length),
    credit: new Float64Array(pairs.buyers.length),
  };
  new Improvement(plan, new BundleSolver(pairs), { ...zero, bound: 0 }).pass('free');
  return plan.value();
}

class Improvement {
  private readonly pairs: QueuePairs;
  private readonly costs: Float64Array;
  private looks: number;
  private caution: Caution = 'bold';
  /** A pair its buyer takes whatever it gains; -1 = none. */
  private pinned = -1;

  constructor(
    private readonly plan: QueuePlan,
    private readonly solver: BundleSolver,
    private readonly prices: SlotPrices,
  ) {
    this.pairs = plan.pairs;
    this.costs = new Float64Array(plan.pairs.supporters.length);
    this.looks = Math.max(MIN_LOOKS, LOOKS_PER_PAIR * plan.pairs.rowOf.length);
  }

  run(): void {
    const { pairs } = this;
    this.pass('priced');
    for (let pass = 0, idle = 0; pass < MAX_PASSES && idle < CAUTIONS.length && this.looks > 0; pass++) {
      this.caution = CAUTIONS[pass % CAUTIONS.length] as Caution;
      let better = false;
      for (let b = 0; b < pairs.buyers.length && this.looks > 0; b++) better = this.trial(b) || better;
      idle = better ? 0 : idle + 1;
    }
    this.pass('free');
    this.exchanges();
  }

  /**
   * Gives rows a supporter they do not have, at whatever cost, and lets whoever loses by it choose anew: finds what
   * estimated losses hide. Rows without a supporter come first, then all others while looks last.
   */
  private exchanges(): void {
    const { plan, pairs } = this;
    this.looks = EXCHANGE_LOOKS;
    for (let better = true; better && this.looks > 0; ) {
      better = false;
      const unserved = (i: number) => (plan.chosen[i] as number[]).length === 0;
      const order = pairs.rows
        .map((_, i) => i)
        .sort((a, b) => Number(unserved(b)) - Number(unserved(a)) || a - b);
      for (const i of order) if (this.looks > 0) better = this.exchange(i) || better;
    }
  }

  /** Makes the exchange that gains most for a row. @returns whether there is one. */
  private exchange(i: number): boolean {
    const { plan, pairs } = this;
    const row = pairs.rows[i] as DemandRow;
    let best = { p: -1, evicted: -1, more: 0, gain: EPSILON };
    for (let p = row.firstPair; p < row.endPair && this.looks > 0; p++) {
      if ((plan.chosen[i] as number[]).includes(p)) continue;
      const j = pairs.supporterOf[p] as number;
      for (const evicted of [-1, ...(plan.held[j] as number[])]) {
        const mark = plan.mark();
        const found = this.forced(p, evicted);
        plan.rollback(mark);
        if (found === null) continue;
        if (found.more > best.more || (found.more === best.more && found.gain > best.gain + EPSILON))
          best = { p, evicted, ...found };
      }
    }
    if (best.p < 0) return false;
    this.forced(best.p, best.evicted);
    plan.commit();
    return true;
  }

  /** About what a buyer's knapsacks take, in looks: large balances cost much more than their pairs. */
  private knapsackLooks(b: number): number {
    const { rows, budget } = this.pairs.buyers[b] as Buyer;
    let cells = rows.length > 1 ? rows.length * budget * budget : 0;
    for (const i of rows) {
      const row = this.pairs.rows[i] as DemandRow;
      cells += (row.endPair - row.firstPair) * budget;
    }
    return Math.ceil(cells / CELLS_PER_LOOK);
  }

  /** Takes a pair for another, and what is exclusive with it. @returns what that gains; null when it does not fit. */
  private forced(p: number, evicted: number): { more: number; gain: number } | null {
    const { plan, pairs } = this;
    const before = { served: plan.served, servedOwed: plan.servedOwed };
    const own = (pairs.rows[pairs.rowOf[p] as number] as DemandRow).buyer;
    const touched = new Map([[own, plan.valueOf(own)]]);
    for (const k of (pairs.buyers[own] as Buyer).rows)
      for (const q of [...(plan.chosen[k] as number[])]) plan.remove(q);
    const out = plan.exclusiveWith(p);
    if (
      evicted >= 0 &&
      !out.includes(evicted) &&
      (plan.held[pairs.supporterOf[p] as number] as number[]).includes(evicted)
    )
      out.push(evicted);
    for (const q of out) {
      const loser = (pairs.rows[pairs.rowOf[q] as number] as DemandRow).buyer;
      if (!touched.has(loser)) touched.set(loser, plan.valueOf(loser));
      plan.remove(q);
    }
    if (!plan.fits(p)) return null;
    plan.add(p);
    for (const buyer of touched.keys()) this.looks -= this.knapsackLooks(buyer);
    for (const loser of touched.keys()) if (loser !== own) this.choose(loser, 'free');
    this.pinned = p;
    this.choose(own, 'free');
    this.pinned = -1;
    let gain = 0;
    for (const [buyer, value] of touched) gain += plan.valueOf(buyer) - value;
    return { more: compareServed(plan, before), gain };
  }

  /** Every buyer chooses once without taking from others, unless fewer rows would be served. */
  pass(how: 'priced' | 'free'): void {
    const { plan, pairs } = this;
    for (let b = 0; b < pairs.buyers.length; b++) {
      const served = plan.servedOf(b);
      const value = plan.valueOf(b);
      const mark = plan.mark();
      this.choose(b, how);
      const worse = how === 'free' && plan.valueOf(b) < value;
      const more = compareServed(plan.servedOf(b), served);
      if (more < 0 || (more === 0 && worse)) plan.rollback(mark);
      plan.commit();
    }
  }

  /** Lets a buyer choose anew, and all who lose by it. @returns whether the queue got better. */
  private trial(b: number): boolean {
    const { plan, pairs } = this;
    const mark = plan.mark();
    const { served, servedOwed } = plan;
    const touched = new Map<number, number>();
    const waiting = [b];
    let gain = 0;
    for (let n = 0; n < waiting.length && n < CHAIN; n++) {
      const buyer = waiting[n] as number;
      const lost = this.choose(buyer, n < TAKING ? 'taking' : 'free', touched);
      if (n === 0 && lost === null) return false;
      for (const p of lost ?? []) {
        const loser = (pairs.rows[pairs.rowOf[p] as number] as DemandRow).buyer;
        if (!waiting.includes(loser, n + 1)) waiting.push(loser);
      }
    }
    for (const [buyer, before] of touched) gain += plan.valueOf(buyer) - before;
    const more = compareServed(plan, { served, servedOwed });
    if (more > 0 || (more === 0 && gain > EPSILON)) {
      plan.commit();
      return true;
    }
    plan.rollback(mark);
    return false;
  }

  /**
   * Replaces a buyer's bundle by the best there is: of free slots, at the slots' prices, or also of taken ones.
   * @returns the pairs others lost; null when the bundle stays as it is.
   */
  private choose(
    b: number,
    how: 'priced' | 'free' | 'taking',
    touched?: Map<number, number>,
  ): number[] | null {
    const { plan, pairs } = this;
    const buyer = pairs.buyers[b] as Buyer;
    const mark = plan.mark();
    if (touched !== undefined && !touched.has(b)) touched.set(b, plan.valueOf(b));
    const old = buyer.rows.flatMap((i) => plan.chosen[i] as number[]);
    for (const p of old) plan.remove(p);
    const { pairs: chosen } = this.solver.solve(b, this.costsFor(buyer, how), true);
    const same = chosen.length === old.length && chosen.every((p) => old.includes(p));
    if (same) {
      plan.rollback(mark);
      if (buyer.rows.length === 1) return null;
      rearrange(plan, b);
      return plan.mark() === mark ? null : [];
    }
    const lost: number[] = [];
    for (const p of chosen) {
      for (const other of this.blockers(p)) {
        const loser = (pairs.rows[pairs.rowOf[other] as number] as DemandRow).buyer;
        if (touched !== undefined && !touched.has(loser)) touched.set(loser, plan.valueOf(loser));
        plan.remove(other);
        lost.push(other);
      }
      plan.add(p);
    }
    if (buyer.rows.length > 1) rearrange(plan, b);
    return lost;
  }

  /** What taking each supporter costs the rest of the queue. */
  private costsFor(buyer: Buyer, how: 'priced' | 'free' | 'taking'): CostsOf {
    const { plan, pairs, costs, prices } = this;
    return (i) => {
      const row = pairs.rows[i] as DemandRow;
      this.looks -= row.endPair - row.firstPair;
      for (let p = row.firstPair; p < row.endPair; p++) {
        const j = pairs.supporterOf[p] as number;
        if (!plan.isFull(j)) costs[j] = how === 'priced' ? (prices.price[j] as number) : 0;
        else costs[j] = how === 'taking' ? this.cheapestLoss(j).loss : Number.POSITIVE_INFINITY;
      }
      for (const [j, loss] of this.exclusiveLosses(row, buyer)) {
        costs[j] = how === 'taking' ? (costs[j] as number) + loss : Number.POSITIVE_INFINITY;
      }
      if (this.pinned >= 0) {
        const k = pairs.rowOf[this.pinned] as number;
        const j = pairs.supporterOf[this.pinned] as number;
        if (k === i) costs[j] = -PINNED;
        else if (row.exclusive.includes(k)) costs[j] = Number.POSITIVE_INFINITY;
      }
      return costs;
    };
  }

  /** Supporters at whom planned pairs speak against the row, and what giving those up costs. */
  private exclusiveLosses(row: DemandRow, buyer: Buyer): Map<number, number> {
    const { plan, pairs } = this;
    const losses = new Map<number, number>();
    const note = (j: number, p: number) => losses.set(j, (losses.get(j) ?? 0) + this.loss(p));
    for (const k of row.exclusive) {
      for (const p of plan.chosen[k] as number[]) note(pairs.supporterOf[p] as number, p);
    }
    if (!pairs.reciprocal && buyer.asSupporter >= 0) {
      for (const p of plan.held[buyer.asSupporter] as number[]) {
        const other = pairs.buyers[(pairs.rows[pairs.rowOf[p] as number] as DemandRow).buyer] as Buyer;
        if (other.asSupporter >= 0) note(other.asSupporter, p);
      }
    }
    return losses;
  }

  /** Planned pairs that must go for this one. */
  private blockers(p: number): number[] {
    const { plan, pairs } = this;
    const j = pairs.supporterOf[p] as number;
    const exclusive = plan.exclusiveWith(p);
    const held = plan.held[j] as number[];
    if (!plan.isFull(j) || held.some((q) => exclusive.includes(q))) return exclusive;
    return [...exclusive, this.cheapestLoss(j).p];
  }

  private cheapestLoss(j: number): { p: number; loss: number } {
    let best = { p: -1, loss: Number.POSITIVE_INFINITY };
    for (const p of this.plan.held[j] as number[]) {
      const loss = this.loss(p);
      if (loss < best.loss || (loss === best.loss && p < best.p)) best = { p, loss };
    }
    return best;
  }

  /** What the queue loses about when a pair is given up: its value less what the credits buy elsewhere. */
  private loss(p: number): number {
    const { plan, pairs, prices } = this;
    const i = pairs.rowOf[p] as number;
    const row = pairs.rows[i] as DemandRow;
    const { buyer } = row;
    if (this.caution === 'serving' && (plan.chosen[i] as number[]).length === 1)
      return (pairs.value[p] as number) + rewardOf(row);
    const price = pairs.price[pairs.supporterOf[p] as number] as number;
    const spare = this.caution !== 'bold' || plan.left(buyer) > 0 ? 0 : (prices.credit[buyer] as number);
    return Math.max(0, (pairs.value[p] as number) - price * spare);
  }
}
