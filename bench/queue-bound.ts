/**
 * What no queue can exceed, by HiGHS: the most submissions that can be served (MILP), and the LP relaxation of
 * rules.md's second aim with at least so many served.
 */
import highsPackage, { type Highs } from 'highs';
import type { DemandRow, QueuePairs } from '../domain/queue-generation-pairs.js';

/** Sparse rows `lower ≤ Σ value × column ≤ upper`. */
class Rows {
  readonly starts: number[] = [0];
  readonly indices: number[] = [];
  readonly values: number[] = [];
  readonly lower: number[] = [];
  readonly upper: number[] = [];

  add(entries: readonly (readonly [column: number, value: number])[], lower: number, upper: number): void {
    if (entries.length === 0) return;
    for (const [column, value] of entries) {
      this.indices.push(column);
      this.values.push(value);
    }
    this.starts.push(this.indices.length);
    this.lower.push(lower);
    this.upper.push(upper);
  }
}

export interface Solved {
  objective: number;
  seconds: number;
  columns: number;
  rows: number;
}

// The package's types describe its CommonJS build; as a module its default export is the loader itself.
const loadHighs = highsPackage as unknown as (typeof highsPackage)['default'];
let loaded: Promise<Highs> | undefined;

/**
 * The most submissions that can be served under all rules. Each needs one supporter at most, and of a submission's
 * pairs, cheapest first, twice as many as there are submissions are enough: others can take or exclude fewer.
 */
export async function mostServed(pairs: QueuePairs): Promise<Solved> {
  const columnOf = new Map<number, number>();
  for (const row of pairs.rows) {
    const end = Math.min(row.endPair, row.firstPair + 2 * pairs.rows.length);
    for (let p = row.firstPair; p < end; p++) columnOf.set(p, columnOf.size);
  }
  const rows = new Rows();
  for (const row of pairs.rows) rows.add(columnsOf(row, columnOf), 0, 1);
  addLimits(rows, pairs, columnOf);
  addExclusions(rows, pairs, columnOf);
  const columns = columnOf.size;
  return solve(rows, new Float64Array(columns).fill(1), new Float64Array(columns).fill(1), true);
}

/**
 * The LP bound: x of every allowed pair in [0, 1], y ≤ reach × x, Σ y ≤ target, slots, budgets, and at least `served`
 * submissions with a supporter. Where no pair reaches more than its credits buy, Σ y ≤ target follows from the budget
 * and y is left out. Pairs that exclude each other within the queue are left out: the bound is no lower for it.
 */
export async function valueBound(pairs: QueuePairs, reachPerCredit: number, served: number): Promise<Solved> {
  const cost: number[] = [];
  const upper: number[] = [];
  const columnOf = new Map<number, number>();
  const column = (gain: number, most: number) => {
    upper.push(most);
    return cost.push(gain) - 1;
  };
  const rows = new Rows();
  for (const row of pairs.rows) {
    const surplus = hasSurplus(pairs, row, reachPerCredit);
    const counted: [number, number][] = [];
    for (let p = row.firstPair; p < row.endPair; p++) {
      const reach = Math.min(pairs.reach[pairs.supporterOf[p] as number] as number, row.target);
      const x = column(surplus ? 0 : (pairs.weight[p] as number) * reach, 1);
      columnOf.set(p, x);
      if (!surplus) continue;
      const y = column(pairs.weight[p] as number, reach);
      rows.add(
        [
          [y, 1],
          [x, -reach],
        ],
        Number.NEGATIVE_INFINITY,
        0,
      );
      counted.push([y, 1]);
    }
    rows.add(counted, Number.NEGATIVE_INFINITY, row.target);
    if (row.most < row.endPair - row.firstPair) rows.add(columnsOf(row, columnOf), 0, row.most);
  }
  addLimits(rows, pairs, columnOf);
  const some: [number, number][] = [];
  for (const row of pairs.rows) {
    const s = column(0, 1);
    rows.add([...columnsOf(row, columnOf), [s, -1]], 0, Number.POSITIVE_INFINITY);
    some.push([s, 1]);
  }
  rows.add(some, served, Number.POSITIVE_INFINITY);
  return solve(rows, Float64Array.from(cost), Float64Array.from(upper), false);
}

function hasSurplus(pairs: QueuePairs, row: DemandRow, reachPerCredit: number): boolean {
  for (let p = row.firstPair; p < row.endPair; p++) {
    const j = pairs.supporterOf[p] as number;
    if ((pairs.reach[j] as number) > (pairs.price[j] as number) * reachPerCredit) return true;
  }
  return false;
}

function columnsOf(row: DemandRow, columnOf: Map<number, number>): [number, number][] {
  const entries: [number, number][] = [];
  for (let p = row.firstPair; p < row.endPair; p++) {
    const column = columnOf.get(p);
    if (column !== undefined) entries.push([column, 1]);
  }
  return entries;
}

/** Slots of supporters and credits of members. */
function addLimits(rows: Rows, pairs: QueuePairs, columnOf: Map<number, number>): void {
  const slots = pairs.supporters.map((): [number, number][] => []);
  const budgets = pairs.buyers.map((): [number, number][] => []);
  for (const [p, column] of columnOf) {
    const j = pairs.supporterOf[p] as number;
    const row = pairs.rows[pairs.rowOf[p] as number] as DemandRow;
    slots[j]?.push([column, 1]);
    budgets[row.buyer]?.push([column, pairs.price[j] as number]);
  }
  slots.forEach((entries, j) => {
    const free = pairs.free[j] as number;
    if (entries.length > free) rows.add(entries, 0, free);
  });
  budgets.forEach((entries, b) => {
    rows.add(entries, 0, pairs.buyers[b]?.budget ?? 0);
  });
}

/** Pairs that may not stand together: the same supporter for rows that share an artist, and members for each other. */
function addExclusions(rows: Rows, pairs: QueuePairs, columnOf: Map<number, number>): void {
  const at = new Map<string, number>();
  for (const [p, column] of columnOf) at.set(`${pairs.rowOf[p]} ${pairs.supporterOf[p]}`, column);
  for (const [p, column] of columnOf) {
    const i = pairs.rowOf[p] as number;
    const j = pairs.supporterOf[p] as number;
    const row = pairs.rows[i] as DemandRow;
    for (const k of row.exclusive) {
      const other = k > i ? at.get(`${k} ${j}`) : undefined;
      if (other !== undefined)
        rows.add(
          [
            [column, 1],
            [other, 1],
          ],
          0,
          1,
        );
    }
    const theirs = pairs.buyers[pairs.asBuyer[j] as number];
    const self = pairs.buyers[row.buyer]?.asSupporter ?? -1;
    if (pairs.reciprocal || theirs === undefined || self < 0) continue;
    for (const k of theirs.rows) {
      const other = k > i ? at.get(`${k} ${self}`) : undefined;
      if (other !== undefined)
        rows.add(
          [
            [column, 1],
            [other, 1],
          ],
          0,
          1,
        );
    }
  }
}

async function solve(rows: Rows, cost: Float64Array, upper: Float64Array, whole: boolean): Promise<Solved> {
  loaded ??= loadHighs();
  const solver = await loaded;
  const { constants } = solver;
  const begun = performance.now();
  const model = solver.createModel({
    numCols: cost.length,
    numRows: rows.lower.length,
    sense: constants.objectiveSense.maximize,
    colCost: cost,
    colLower: new Float64Array(cost.length),
    colUpper: upper,
    rowLower: Float64Array.from(rows.lower),
    rowUpper: Float64Array.from(rows.upper),
    matrix: {
      format: 'csr',
      numRows: rows.lower.length,
      numCols: cost.length,
      starts: Int32Array.from(rows.starts),
      indices: Int32Array.from(rows.indices),
      values: Float64Array.from(rows.values),
    },
    ...(whole ? { integrality: new Int32Array(cost.length).fill(constants.variableType.integer) } : {}),
  });
  try {
    model.options.set({ output_flag: process.env.HIGHS_LOG === '1', mip_rel_gap: 0, mip_abs_gap: 0.5 });
    model.run();
    const status = model.getModelStatus();
    if (status !== constants.modelStatus.optimal) throw new Error(`HiGHS ended with status ${status}.`);
    return {
      objective: model.getObjectiveValue(),
      seconds: (performance.now() - begun) / 1_000,
      columns: cost.length,
      rows: rows.lower.length,
    };
  } finally {
    model.dispose();
  }
}
