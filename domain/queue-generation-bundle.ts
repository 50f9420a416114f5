/**
 * The best supporters for one buyer at given gains: a knapsack over the buyer's credits. Exact for one submission; for
 * several that share the credits, each is solved for every amount and the amounts are then divided best.
 */
import type { Buyer, DemandRow, QueuePairs } from './queue-generation-pairs.js';
import { worthOf } from './queue-generation-plan.js';

/** More than any bundle is worth, so that a row with a supporter beats every row without. */
const SERVED = 1e9;
/** Credits up to which the knapsack is exact; beyond, the best gains per credit are taken first. */
const EXACT_CREDITS = 160;
/** How often a supporter who was chosen for two rows is withdrawn from one of them. */
const CLASH_ROUNDS = 4;

export interface Bundle {
  pairs: number[];
  /** No bundle gains more at these costs. */
  bound: number;
  /** What the last credit gained. */
  lastCredit: number;
}

/** What taking each supporter costs a row, by supporter: gain of a pair = its value − that. Infinity = not to be had. */
export type CostsOf = (row: number) => Float64Array;

interface Items {
  pair: number[];
  price: number[];
  gain: number[];
  /** The pair that gains most of all that at most b credits buy, though it may gain nothing; -1 = none. */
  single: Int32Array;
  singleGain: Float64Array;
}

interface Table {
  items: Items;
  /** Gain for at most b credits. */
  best: Float64Array;
  /** How much more there might be than `best` says. */
  slack: number;
  taken(credits: number): number[];
}

interface Attempt {
  chosen: number[];
  bound: number;
  lastCredit: number;
}

/** Keeps its notes between calls: one solver for a whole queue. */
export class BundleSolver {
  private readonly banned: Uint8Array;

  constructor(private readonly pairs: QueuePairs) {
    this.banned = new Uint8Array(pairs.rowOf.length);
  }

  /**
   * The best pairs for the buyer's rows within the credits; only those that gain something.
   * @param mustServe a row for which nothing gains takes the pair that loses least.
   * @param considered marks the pairs that were candidates, by pair.
   */
  solve(b: number, costsOf: CostsOf, mustServe: boolean, considered?: Uint8Array): Bundle {
    const buyer = this.pairs.buyers[b] as Buyer;
    const first = this.attempt(buyer, costsOf, mustServe, considered);
    const clashes: number[] = [];
    let { chosen } = first;
    for (let round = 0; round < CLASH_ROUNDS; round++) {
      const clash = clashesIn(this.pairs, chosen);
      if (clash.length === 0) break;
      for (const p of clash) this.banned[p] = 1;
      clashes.push(...clash);
      ({ chosen } = this.attempt(buyer, costsOf, mustServe));
    }
    for (const p of clashes) this.banned[p] = 0;
    const last = clashesIn(this.pairs, chosen);
    chosen = chosen.filter((p) => !last.includes(p));
    return {
      pairs: this.withoutSurplus(buyer, chosen),
      bound: first.bound,
      lastCredit: first.lastCredit,
    };
  }

  /** Marks the pairs that are candidates at these costs, and so many more of each price. */
  shortlist(b: number, costsOf: CostsOf, more: number, marks: Uint8Array): void {
    const { rows, budget } = this.pairs.buyers[b] as Buyer;
    for (const i of rows) {
      const { pair } = this.items(this.pairs.rows[i] as DemandRow, budget, costsOf(i), more);
      for (const p of pair) marks[p] = 1;
    }
  }

  private attempt(buyer: Buyer, costsOf: CostsOf, mustServe: boolean, considered?: Uint8Array): Attempt {
    const { budget } = buyer;
    const tables = buyer.rows.map((i) => this.table(i, budget, costsOf(i)));
    if (considered !== undefined)
      for (const { items } of tables) for (const p of items.pair) considered[p] = 1;
    let total: Float64Array = new Float64Array(budget + 1);
    const shares: Int32Array[] = [];
    tables.forEach((table, n) => {
      const worth = worths(table, budget, mustServe);
      const share = new Int32Array(budget + 1);
      if (n === 0) {
        for (let c = 0; c <= budget; c++) share[c] = c;
        total = worth;
      } else {
        const joined = new Float64Array(budget + 1).fill(Number.NEGATIVE_INFINITY);
        for (let c = 0; c <= budget; c++) {
          for (let own = 0; own <= c; own++) {
            const sum = (total[c - own] as number) + (worth[own] as number);
            if (sum <= (joined[c] as number)) continue;
            joined[c] = sum;
            share[c] = own;
          }
        }
        total = joined;
      }
      shares.push(share);
    });
    const chosen: number[] = [];
    for (let n = tables.length - 1, left = budget; n >= 0; n--) {
      const own = (shares[n] as Int32Array)[left] as number;
      chosen.push(...takenOf(tables[n] as Table, own, mustServe));
      left -= own;
    }
    const end = total[budget] as number;
    return {
      chosen,
      bound: tables.reduce((sum, { slack }) => sum + slack, end),
      lastCredit: budget < 1 ? 0 : Math.min(SERVED / 2, end - (total[budget - 1] as number)),
    };
  }

  private table(i: number, budget: number, costs: Float64Array): Table {
    const row = this.pairs.rows[i] as DemandRow;
    const items = this.items(row, budget, costs);
    const count = items.pair.length;
    if (row.most === 1) return singleTable(items);
    if (row.most < Math.min(count, budget)) return this.countedTable(items, budget, row.most);
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
  private countedTable(items: Items, budget: number, most: number): Table {
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

  /**
   * The pairs a knapsack can need: of each price as many as the credits buy of it, the best first. Pairs of a row are
   * sorted by price.
   */
  private items(row: DemandRow, budget: number, costs: Float64Array, more = 0): Items {
    const { pairs, banned } = this;
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

  /** Without the pairs that add nothing because the others reach the target already. */
  private withoutSurplus(buyer: Buyer, chosen: number[]): number[] {
    const { pairs } = this;
    let kept = chosen;
    for (const i of buyer.rows) {
      const own = kept.filter((p) => pairs.rowOf[p] === i);
      const { target } = pairs.rows[i] as DemandRow;
      const reach = own.reduce((sum, p) => sum + (pairs.reach[pairs.supporterOf[p] as number] as number), 0);
      if (own.length < 2 || reach <= target) continue;
      let left = own;
      for (const p of [...own].sort(
        (a, b) => (pairs.weight[a] as number) - (pairs.weight[b] as number) || b - a,
      )) {
        const without = left.filter((other) => other !== p);
        if (without.length > 0 && worthOf(pairs, i, without) >= worthOf(pairs, i, left)) left = without;
      }
      kept = kept.filter((p) => pairs.rowOf[p] !== i || left.includes(p));
    }
    return kept;
  }
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

function worths({ best, items }: Table, budget: number, mustServe: boolean): Float64Array {
  if (!mustServe) return best;
  return Float64Array.from({ length: budget + 1 }, (_, c) => {
    if ((best[c] as number) > 0) return SERVED + (best[c] as number);
    const single = items.singleGain[c] as number;
    return single === Number.NEGATIVE_INFINITY ? 0 : SERVED + single;
  });
}

function takenOf({ best, items, taken }: Table, credits: number, mustServe: boolean): number[] {
  if ((best[credits] as number) > 0) return taken(credits);
  const single = items.single[credits] as number;
  return mustServe && single >= 0 ? [single] : [];
}

/** Of pairs that may not stand together in one bundle, the ones that are worth less. */
function clashesIn(pairs: QueuePairs, chosen: number[]): number[] {
  const clashes: number[] = [];
  const bySupporter = new Map<number, number>();
  for (const p of [...chosen].sort((a, b) => a - b)) {
    const j = pairs.supporterOf[p] as number;
    const other = bySupporter.get(j);
    if (other === undefined) {
      bySupporter.set(j, p);
      continue;
    }
    const row = pairs.rows[pairs.rowOf[p] as number] as DemandRow;
    if (!row.exclusive.includes(pairs.rowOf[other] as number)) continue;
    const worse = (pairs.value[p] as number) > (pairs.value[other] as number) ? other : p;
    clashes.push(worse);
    if (worse === other) bySupporter.set(j, p);
  }
  return clashes;
}
