/**
 * Prices of slots: what a slot of each supporter is worth to the queue as a whole.
 *
 * Lagrangian relaxation of the slots: at given prices every buyer takes the best bundle for themselves; where more
 * want a supporter than have room the price rises, where nobody does it falls (subgradient steps). What all bundles gain
 * plus the price of all slots is more than any queue can be worth: the bound that is reported.
 *
 * Most pairs are never candidates. So prices move on a shortlist, and only now and then all pairs are looked at: those
 * that have become candidates are added, and the bound holds for the whole queue.
 */
import { BundleSolver } from './queue-generation-bundle.js';
import { type QueuePairs, subsetOf } from './queue-generation-pairs.js';

export interface SlotPrices {
  /** Value per slot, by supporter. */
  price: Float64Array;
  /** What one more credit is worth, by buyer. */
  credit: Float64Array;
  /** No queue is worth more. */
  bound: number;
}

const CYCLES = 4;
const ROUNDS = 100;
/** Candidates of each price beyond those a buyer could pay. */
const SPARE = 60;
/** Rounds without a better bound after which steps are halved. */
const PATIENCE = 4;
/** Relative gap between the bounds of shortlist and whole queue at which the shortlist is complete enough. */
const ENOUGH = 2e-4;

/** Marks the pairs that would be candidates if slots cost nothing, and some more. */
export function shortlist(pairs: QueuePairs, solver: BundleSolver, marks: Uint8Array): void {
  const free = new Float64Array(pairs.supporters.length);
  for (let b = 0; b < pairs.buyers.length; b++) solver.shortlist(b, () => free, SPARE, marks);
}

/**
 * @param floor value of some queue, to measure the steps by.
 * @param marks the shortlist by pair; pairs that become candidates are added.
 */
export function slotPrices(
  pairs: QueuePairs,
  solver: BundleSolver,
  floor: number,
  marks: Uint8Array,
): SlotPrices {
  let found: SlotPrices = {
    price: new Float64Array(pairs.supporters.length),
    credit: new Float64Array(pairs.buyers.length),
    bound: 0,
  };
  let bound = Number.POSITIVE_INFINITY;
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    const subset = subsetOf(pairs, marks).pairs;
    found = descend(subset, new BundleSolver(subset), floor, found.price, 1 / (1 + cycle));
    const whole = round(pairs, solver, found.price, found.credit, null, marks);
    bound = Math.min(bound, whole);
    if (whole <= found.bound * (1 + ENOUGH)) break;
  }
  return { ...found, bound };
}

function descend(
  pairs: QueuePairs,
  solver: BundleSolver,
  floor: number,
  start: Float64Array,
  firstStep: number,
): SlotPrices {
  const count = pairs.supporters.length;
  const price = start.slice();
  const credit = new Float64Array(pairs.buyers.length);
  const best: SlotPrices = { price: price.slice(), credit: credit.slice(), bound: Number.POSITIVE_INFINITY };
  const wanted = new Int32Array(count);
  let step = firstStep;
  let waited = 0;
  for (let n = 0; n < ROUNDS; n++) {
    const bound = round(pairs, solver, price, credit, wanted);
    waited = bound < best.bound * (1 - 1e-4) ? 0 : waited + 1;
    if (bound < best.bound) {
      best.bound = bound;
      best.price.set(price);
      best.credit.set(credit);
    }
    if (waited >= PATIENCE) {
      step /= 2;
      waited = 0;
    }
    let norm = 0;
    for (let j = 0; j < count; j++) {
      const over = (wanted[j] as number) - (pairs.free[j] as number);
      if (over > 0 || (price[j] as number) > 0) norm += over * over;
    }
    if (norm === 0) break;
    const length = (step * Math.max(bound - floor, bound * 1e-4)) / norm;
    for (let j = 0; j < count; j++) {
      const over = (wanted[j] as number) - (pairs.free[j] as number);
      price[j] = Math.max(0, (price[j] as number) + length * over);
    }
  }
  return best;
}

/** One round at given prices: fills in what credits are worth and who is wanted how often. @returns the bound. */
function round(
  pairs: QueuePairs,
  solver: BundleSolver,
  price: Float64Array,
  credit: Float64Array,
  wanted: Int32Array | null,
  considered?: Uint8Array,
): number {
  wanted?.fill(0);
  let bound = 0;
  for (let j = 0; j < price.length; j++) bound += (price[j] as number) * (pairs.free[j] as number);
  for (let b = 0; b < pairs.buyers.length; b++) {
    const bundle = solver.solve(b, () => price, false, considered);
    bound += bundle.bound;
    credit[b] = bundle.lastCredit;
    if (wanted === null) continue;
    for (const p of bundle.pairs) {
      const j = pairs.supporterOf[p] as number;
      wanted[j] = (wanted[j] as number) + 1;
    }
  }
  return bound;
}
