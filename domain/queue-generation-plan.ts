/** A queue in the making: which pairs are chosen, what each rule still allows, and a way back from every trial. */
import type { Buyer, DemandRow, QueuePairs } from './queue-generation-pairs.js';

/** How many rows have a supporter, and how many of those are owed a replacement: of as many served, those come first. */
export interface Served {
  served: number;
  servedOwed: number;
}

/** Above 0 when `a` serves more, or as many with more of those that are owed a replacement. */
export function compareServed(a: Served, b: Served): number {
  return a.served - b.served || a.servedOwed - b.servedOwed;
}

export class QueuePlan implements Served {
  /** Chosen pairs per row, in the order of choice. */
  readonly chosen: number[][];
  /** Chosen pairs per supporter. */
  readonly held: number[][];
  /** Credits spent per buyer. */
  readonly spent: Int32Array;
  /** Rows with at least one supporter. */
  served = 0;
  /** Those of them that are owed a replacement. */
  servedOwed = 0;
  private readonly worth: Float64Array;
  private readonly journal: number[] = [];

  constructor(readonly pairs: QueuePairs) {
    this.chosen = pairs.rows.map(() => []);
    this.held = pairs.supporters.map(() => []);
    this.spent = new Int32Array(pairs.buyers.length);
    this.worth = new Float64Array(pairs.rows.length);
  }

  /** Takes a pair; whoever calls has seen that it fits. */
  add(p: number): void {
    this.put(p);
    this.journal.push(p);
  }

  remove(p: number): void {
    this.take(p);
    this.journal.push(-p - 1);
  }

  /** A point to roll back to. */
  mark(): number {
    return this.journal.length;
  }

  rollback(mark: number): void {
    while (this.journal.length > mark) {
      const entry = this.journal.pop() as number;
      if (entry >= 0) this.take(entry);
      else this.put(-entry - 1);
    }
  }

  /** Forgets the way back. */
  commit(): void {
    this.journal.length = 0;
  }

  /** Σ weight × counted reach of a buyer's rows. */
  valueOf(buyer: number): number {
    let sum = 0;
    for (const i of (this.pairs.buyers[buyer] as Buyer).rows) sum += this.worth[i] as number;
    return sum;
  }

  /** Whom a buyer's pairs serve, see {@link Served}. */
  servedOf(buyer: number): Served {
    const found = { served: 0, servedOwed: 0 };
    for (const i of (this.pairs.buyers[buyer] as Buyer).rows) {
      if ((this.chosen[i] as number[]).length === 0) continue;
      found.served++;
      if ((this.pairs.rows[i] as DemandRow).owed) found.servedOwed++;
    }
    return found;
  }

  value(): number {
    let sum = 0;
    for (let i = 0; i < this.worth.length; i++) sum += this.worth[i] as number;
    return sum;
  }

  left(buyer: number): number {
    return (this.pairs.buyers[buyer] as Buyer).budget - (this.spent[buyer] as number);
  }

  isFull(j: number): boolean {
    return (this.held[j] as number[]).length >= (this.pairs.free[j] as number);
  }

  /**
   * Chosen pairs that may not stand beside this one: of a row that shares artist, track or member, at the same
   * supporter; and, the other way round, the submitting member supporting the supporter's track.
   */
  exclusiveWith(p: number): number[] {
    const { pairs } = this;
    const j = pairs.supporterOf[p] as number;
    const i = pairs.rowOf[p] as number;
    const row = pairs.rows[i] as DemandRow;
    const found: number[] = [];
    for (const other of this.held[j] as number[]) {
      const k = pairs.rowOf[other] as number;
      if (k === i || row.exclusive.includes(k)) found.push(other);
    }
    const self = (pairs.buyers[row.buyer] as Buyer).asSupporter;
    const theirs = pairs.asBuyer[j] as number;
    if (!pairs.reciprocal && self >= 0 && theirs >= 0) {
      for (const other of this.held[self] as number[]) {
        if ((pairs.rows[pairs.rowOf[other] as number] as DemandRow).buyer === theirs) found.push(other);
      }
    }
    return found;
  }

  /** Whether the pair can be taken without giving up another. */
  fits(p: number): boolean {
    const { pairs } = this;
    const j = pairs.supporterOf[p] as number;
    const i = pairs.rowOf[p] as number;
    const row = pairs.rows[i] as DemandRow;
    return (
      !this.isFull(j) &&
      (pairs.price[j] as number) <= this.left(row.buyer) &&
      (this.chosen[i] as number[]).length < row.most &&
      this.exclusiveWith(p).length === 0
    );
  }

  private count(i: number, change: 1 | -1): void {
    this.served += change;
    if ((this.pairs.rows[i] as DemandRow).owed) this.servedOwed += change;
  }

  private put(p: number): void {
    const { pairs } = this;
    const i = pairs.rowOf[p] as number;
    const j = pairs.supporterOf[p] as number;
    const { buyer } = pairs.rows[i] as DemandRow;
    const chosen = this.chosen[i] as number[];
    if (chosen.push(p) === 1) this.count(i, 1);
    (this.held[j] as number[]).push(p);
    this.spent[buyer] = (this.spent[buyer] as number) + (pairs.price[j] as number);
    this.worth[i] = worthOf(pairs, i, chosen);
  }

  private take(p: number): void {
    const { pairs } = this;
    const i = pairs.rowOf[p] as number;
    const j = pairs.supporterOf[p] as number;
    const { buyer } = pairs.rows[i] as DemandRow;
    const chosen = this.chosen[i] as number[];
    const held = this.held[j] as number[];
    chosen.splice(chosen.indexOf(p), 1);
    held.splice(held.indexOf(p), 1);
    if (chosen.length === 0) this.count(i, -1);
    this.spent[buyer] = (this.spent[buyer] as number) - (pairs.price[j] as number);
    this.worth[i] = worthOf(pairs, i, chosen);
  }
}

/** Σ weight × counted reach of a row's pairs: where they reach more than the target, the best count first. */
export function worthOf(pairs: QueuePairs, i: number, chosen: readonly number[]): number {
  const { target } = pairs.rows[i] as DemandRow;
  let reach = 0;
  let sum = 0;
  for (const p of chosen) {
    reach += pairs.reach[pairs.supporterOf[p] as number] as number;
    sum += pairs.value[p] as number;
  }
  if (reach <= target || chosen.length < 2) return sum;
  let left = target;
  sum = 0;
  for (const p of [...chosen].sort(
    (a, b) => (pairs.weight[b] as number) - (pairs.weight[a] as number) || a - b,
  )) {
    const counted = Math.min(left, pairs.reach[pairs.supporterOf[p] as number] as number);
    sum += (pairs.weight[p] as number) * counted;
    left -= counted;
  }
  return sum;
}
