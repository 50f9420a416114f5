/** The knapsack of one row: for every amount of credits the pairs that gain most. Exact up to 160 credits. */
import type { DemandRow, QueuePairs } from './queue-generation-pairs.js';

/** Credits up to which the knapsack is exact; beyond, the best gains per credit are taken first. */
const EXACT_CREDITS = 160;

export interface Items {
  pair: number[];
  price: number[];
  gain: number[];
  /** The pair that gains most of all that at most b credits buy, though it may gain nothing; -1 = none. */
  single: Int32Array;
  singleGain: Float64Array;
}

export interface Table {
  items: Items;
  /** Gain for at most b credits. */
  best: Float64Array;
  /** How much more there might be than `best` says. */
  slack: number;
  taken(credits: number): number[];
}

/**
 * The pairs a knapsack can need: of each price as many as the credits buy of it, the best first. Pairs of a row are
 * sorted by price.
 * @param costs of taking each supporter, by supporter: a pair gains its value less that.
 * @param banned pairs left out, by pair.
 * @param more pairs of each price beyond those.
 */
export function candidateItems(
  pairs: QueuePairs,
  row: DemandRow,
  budget: number,
  costs: Float64Array,
  banned: Uint8Array,
  more = 0,
): Items {
  const items: Items = {
    pair: [],
    price: [],
    gain: [],
    single: new Int32Array(budget + 1).fill(-1),
    singleGain: new Float64Array(budget + 1).fill(Number.NEGATIVE_INFINITY),
  };
  let p = row.firstPair;
  while (p < row.endPair) {
    const price = pairs.price[pairs.supporterOf[p] as number] as number;
    if (price > budget) break;
    const most = Math.min(row.most, Math.floor(budget / price)) + more;
    const base = items.pair.length;
    for (; p < row.endPair && pairs.price[pairs.supporterOf[p] as number] === price; p++) {
      const gain = (pairs.value[p] as number) - (costs[pairs.supporterOf[p] as number] as number);
      if (gain > (items.singleGain[price] as number) && banned[p] === 0) {
        items.singleGain[price] = gain;
        items.single[price] = p;
      }
      if (gain <= 0 || banned[p] === 1) continue;
      let at = items.pair.length;
      if (at - base >= most) {
        if (gain <= (items.gain[at - 1] as number)) continue;
        at--;
      } else {
        items.pair.push(p);
        items.gain.push(gain);
        items.price.push(price);
      }
      for (; at > base && (items.gain[at - 1] as number) < gain; at--) {
        items.gain[at] = items.gain[at - 1] as number;
        items.pair[at] = items.pair[at - 1] as number;
      }
      items.gain[at] = gain;
      items.pair[at] = p;
    }
  }
  for (let c = 1; c <= budget; c++) {
    if ((items.singleGain[c - 1] as number) >= (items.singleGain[c] as number)) {
      items.singleGain[c] = items.singleGain[c - 1] as number;
      items.single[c] = items.single[c - 1] as number;
    }
  }
  return items;
}

/**
 * The best gain for every amount of credits up to the budget.
 * @param most pairs that may be taken.
 */
export function gainTable(items: Items, budget: number, most: number): Table {
  const count = items.pair.length;
  if (most === 1) return singleTable(items);
  if (most < Math.min(count, budget)) return countedTable(items, budget, most);
  if (budget > EXACT_CREDITS) return densityTable(items, budget);
  const best = new Float64Array(budget + 1);
  const width = budget + 1;
  const took = new Uint8Array(count * width);
  for (let n = 0; n < count; n++) {
    const price = items.price[n] as number;
    const gain = items.gain[n] as number;
    for (let c = budget; c >= price; c--) {
      const sum = (best[c - price] as number) + gain;
      if (sum > (best[c] as number)) {
        best[c] = sum;
        took[n * width + c] = 1;
      }
    }
  }
  const taken = (credits: number): number[] => {
    const chosen: number[] = [];
    for (let n = count - 1, c = credits; n >= 0; n--) {
      if (took[n * width + c] === 1) {
        chosen.push(items.pair[n] as number);
        c -= items.price[n] as number;
      }
    }
    return chosen;
  };
  return { items, best, slack: 0, taken };
}

/** At most `most` pairs: a knapsack with one more dimension. */
function countedTable(items: Items, budget: number, most: number): Table {
  const width = (budget + 1) * (most + 1);
  const best = new Float64Array(width);
  const count = items.pair.length;
  const took = new Uint8Array(count * width);
  for (let n = 0; n < count; n++) {
    const price = items.price[n] as number;
    const gain = items.gain[n] as number;
    for (let m = most; m >= 1; m--) {
      for (let c = budget; c >= price; c--) {
        const at = m * (budget + 1) + c;
        const sum = (best[(m - 1) * (budget + 1) + c - price] as number) + gain;
        if (sum > (best[at] as number)) {
          best[at] = sum;
          took[n * width + at] = 1;
        }
      }
    }
  }
  const taken = (credits: number): number[] => {
    const chosen: number[] = [];
    for (let n = count - 1, c = credits, m = most; n >= 0; n--) {
      if (took[n * width + m * (budget + 1) + c] === 1) {
        chosen.push(items.pair[n] as number);
        c -= items.price[n] as number;
        m--;
      }
    }
    return chosen;
  };
  return { items, best: best.slice(most * (budget + 1)), slack: 0, taken };
}

function singleTable(items: Items): Table {
  const best = Float64Array.from(items.singleGain, (gain) => Math.max(0, gain));
  return {
    items,
    best,
    slack: 0,
    taken: (credits) => ((best[credits] as number) > 0 ? [items.single[credits] as number] : []),
  };
}

/** For large budgets: gains per credit in order, for every amount what fits. */
function densityTable(items: Items, budget: number): Table {
  const order = items.pair
    .map((_, n) => n)
    .sort(
      (a, b) =>
        (items.gain[b] as number) / (items.price[b] as number) -
          (items.gain[a] as number) / (items.price[a] as number) || a - b,
    );
  const taken = (credits: number): number[] => {
    const chosen: number[] = [];
    let left = credits;
    for (const n of order) {
      const price = items.price[n] as number;
      if (price > left) continue;
      chosen.push(items.pair[n] as number);
      left -= price;
    }
    return chosen;
  };
  const gains = new Map(items.pair.map((p, n) => [p, items.gain[n] as number]));
  const best = new Float64Array(budget + 1);
  /** Amount at which the gain for at most b credits is found. */
  const from = new Int32Array(budget + 1);
  for (let c = 1; c <= budget; c++) {
    const sum = taken(c).reduce((gain, p) => gain + (gains.get(p) ?? 0), 0);
    const more = sum > (best[c - 1] as number);
    best[c] = more ? sum : (best[c - 1] as number);
    from[c] = more ? c : (from[c - 1] as number);
  }
  // The fractional optimum takes a part of at most one pair beyond what fits in order.
  const slack = items.gain.reduce((most, gain) => Math.max(most, gain), 0);
  return { items, best, slack, taken: (credits) => taken(from[credits] as number) };
}
