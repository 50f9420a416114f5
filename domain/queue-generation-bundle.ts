/**
 * The best supporters for one buyer at given gains: a knapsack over the buyer's credits. Exact for one submission; for
 * several that share the credits, each is solved for every amount and the amounts are then divided best.
 */

import { candidateItems, gainTable, type Table } from './queue-generation-knapsack.js';
import type { Buyer, DemandRow, QueuePairs } from './queue-generation-pairs.js';
import { worthOf } from './queue-generation-plan.js';

/** More than any bundle is worth, so that a row with a supporter beats every row without. */
const SERVED = 1e9;
/** More than any bundle is worth, and less than a row: of rows that cannot all have a supporter, one that is owed a replacement. */
const OWED = 1e7;
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

interface Attempt {
  chosen: number[];
  bound: number;
  lastCredit: number;
}

/** Keeps its notes between calls: one solver for a whole queue. */
export class BundleSolver {
  private readonly banned: Uint8Array;
  /** By supporter: notes of {@link eachForItsBestRow}. */
  private readonly bestPair: Int32Array;
  private readonly bestGain: Float64Array;

  constructor(private readonly pairs: QueuePairs) {
    this.bestPair = new Int32Array(pairs.supporters.length);
    this.bestGain = new Float64Array(pairs.supporters.length);
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
    if (buyer.rows.length === 1) {
      return { ...first, pairs: this.withoutSurplus(buyer, first.chosen) };
    }
    const apart = this.withoutClashes(buyer, first.chosen, costsOf, mustServe);
    const shared = this.eachForItsBestRow(buyer, costsOf, mustServe);
    const better =
      shared !== null &&
      this.worth(shared.chosen, costsOf, mustServe) > this.worth(apart, costsOf, mustServe);
    return {
      pairs: this.withoutSurplus(buyer, better ? shared.chosen : apart),
      bound: Math.min(first.bound, shared?.bound ?? Number.POSITIVE_INFINITY),
      lastCredit: (better ? shared : first).lastCredit,
    };
  }

  /** Withdraws supporters who were chosen for two rows from one of them, and chooses anew. */
  private withoutClashes(buyer: Buyer, chosen: number[], costsOf: CostsOf, mustServe: boolean): number[] {
    const banned: number[] = [];
    let left = chosen;
    for (let round = 0; round < CLASH_ROUNDS; round++) {
      const clash = clashesIn(this.pairs, left);
      if (clash.length === 0) break;
      for (const p of clash) this.banned[p] = 1;
      banned.push(...clash);
      left = this.attempt(buyer, costsOf, mustServe).chosen;
    }
    for (const p of banned) this.banned[p] = 0;
    const last = clashesIn(this.pairs, left);
    return left.filter((p) => !last.includes(p));
  }

  /**
   * Offers every supporter only to the row where they gain most. Where each may be taken for one row and no row is
   * limited, nothing better is left out but serving all rows. Null when a supporter may be taken for several.
   */
  private eachForItsBestRow(buyer: Buyer, costsOf: CostsOf, mustServe: boolean): Attempt | null {
    const { pairs } = this;
    const rows = buyer.rows.map((i) => pairs.rows[i] as DemandRow);
    if (rows.some((row) => buyer.rows.some((k) => pairs.rows[k] !== row && !row.exclusive.includes(k))))
      return null;
    const { bestPair, bestGain } = this;
    bestPair.fill(-1);
    const banned: number[] = [];
    buyer.rows.forEach((i, n) => {
      const costs = costsOf(i);
      const { firstPair, endPair } = rows[n] as DemandRow;
      for (let p = firstPair; p < endPair; p++) {
        const j = pairs.supporterOf[p] as number;
        const gain = (pairs.value[p] as number) - (costs[j] as number);
        const other = bestPair[j] as number;
        const better = other < 0 || gain > (bestGain[j] as number);
        if (other >= 0) banned.push(better ? other : p);
        if (!better) continue;
        bestPair[j] = p;
        bestGain[j] = gain;
      }
    });
    for (const p of banned) this.banned[p] = 1;
    const attempt = this.attempt(buyer, costsOf, mustServe);
    for (const p of banned) this.banned[p] = 0;
    const limited = rows.some((row) => row.most < row.endPair - row.firstPair);
    return limited || mustServe ? { ...attempt, bound: Number.POSITIVE_INFINITY } : attempt;
  }

  private worth(chosen: readonly number[], costsOf: CostsOf, mustServe: boolean): number {
    const { pairs } = this;
    let sum = 0;
    for (const i of new Set(chosen.map((p) => pairs.rowOf[p] as number))) {
      const costs = costsOf(i);
      if (mustServe) sum += rewardOf(pairs.rows[i] as DemandRow);
      for (const p of chosen) {
        if (pairs.rowOf[p] === i)
          sum += (pairs.value[p] as number) - (costs[pairs.supporterOf[p] as number] as number);
      }
    }
    return sum;
  }

  /** Marks the pairs that are candidates at these costs, and so many more of each price. */
  shortlist(b: number, costsOf: CostsOf, more: number, marks: Uint8Array): void {
    const { rows, budget } = this.pairs.buyers[b] as Buyer;
    for (const i of rows) {
      const row = this.pairs.rows[i] as DemandRow;
      const { pair } = candidateItems(this.pairs, row, budget, costsOf(i), this.banned, more);
      for (const p of pair) marks[p] = 1;
    }
  }

  private attempt(buyer: Buyer, costsOf: CostsOf, mustServe: boolean, considered?: Uint8Array): Attempt {
    const { pairs } = this;
    const { budget } = buyer;
    const tables = buyer.rows.map((i) => this.table(i, budget, costsOf(i)));
    if (considered !== undefined)
      for (const { items } of tables) for (const p of items.pair) considered[p] = 1;
    let total: Float64Array = new Float64Array(budget + 1);
    const shares: Int32Array[] = [];
    tables.forEach((table, n) => {
      const worth = worths(
        table,
        budget,
        mustServe ? rewardOf(pairs.rows[buyer.rows[n] as number] as DemandRow) : 0,
      );
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
    return gainTable(candidateItems(this.pairs, row, budget, costs, this.banned), budget, row.most);
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

/** What having a supporter at all counts for a row, beside what the supporters are worth. */
export function rewardOf({ owed }: DemandRow): number {
  return owed ? SERVED + OWED : SERVED;
}

/** @param reward for having a supporter at all; 0 = none */
function worths({ best, items }: Table, budget: number, reward: number): Float64Array {
  if (reward === 0) return best;
  return Float64Array.from({ length: budget + 1 }, (_, c) => {
    if ((best[c] as number) > 0) return reward + (best[c] as number);
    const single = items.singleGain[c] as number;
    return single === Number.NEGATIVE_INFINITY ? 0 : reward + single;
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
