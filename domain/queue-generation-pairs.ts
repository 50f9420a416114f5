/**
 * The allowed pairs of a queue in flat arrays, so that a thousand submissions and ten thousand supporters fit: about
 * 25 bytes a pair. Genres are compared once per combination of genres; what else excludes a pair is rare and is found
 * from the submission's side (own handle, avoid lists, history), then judged by the target builder's rules.
 */
import { targetReachOf } from './credits.js';
import { genreTable, suspectFinder } from './queue-generation-candidates.js';
import {
  budgetOf,
  conflictsOfPair,
  type FactsOfSubmission,
  type FactsOfSupporter,
  type QueueFacts,
} from './queue-generation-facts.js';
import type { QueueExclusionCode } from './queue-generation-types.js';
import { reliability, sixDecimals } from './targeting-score.js';

export type CodeCounts = Partial<Record<QueueExclusionCode, number>>;

/** A submission that can be served at all. Indexes of it are called `i`. */
export interface DemandRow {
  facts: FactsOfSubmission;
  buyer: number;
  /** Reach that counts. */
  target: number;
  /** Most assignments. */
  most: number;
  /** It asks for what it was promised already: assignments that were skipped or failed. */
  owed: boolean;
  /** Its pairs are `[firstPair, endPair)`, cheapest first. */
  firstPair: number;
  endPair: number;
  /** Other rows that may not share a supporter with it in one queue. */
  exclusive: number[];
}

/** A submitting member: one budget for all their rows. Indexes of it are called `b`. */
export interface Buyer {
  memberId: string;
  budget: number;
  rows: number[];
  /** The member's own supporter index; -1 when not eligible. */
  asSupporter: number;
}

/** Indexes of supporters are called `j`, of pairs `p`. Supporters are sorted by price, then member id. */
export interface QueuePairs {
  rows: DemandRow[];
  buyers: Buyer[];
  supporters: FactsOfSupporter[];
  price: Int32Array;
  reach: Int32Array;
  free: Int32Array;
  /** Buyer who is this supporter; -1 when the supporter submits nothing. */
  asBuyer: Int32Array;
  rowOf: Int32Array;
  supporterOf: Int32Array;
  /** Affinity × reliability. */
  weight: Float64Array;
  /** Weight × the reach that would count of this pair alone. */
  value: Float64Array;
  /** Whether two supporters may support each other in one queue. */
  reciprocal: boolean;
}

/** The same queue with only the marked pairs. @returns also, by pair of it, the pair it is. */
export function subsetOf(pairs: QueuePairs, marks: Uint8Array): { pairs: QueuePairs; origin: Int32Array } {
  let total = 0;
  for (const mark of marks) total += mark;
  const origin = new Int32Array(total);
  const rows: DemandRow[] = [];
  let n = 0;
  for (const row of pairs.rows) {
    const firstPair = n;
    for (let p = row.firstPair; p < row.endPair; p++) if (marks[p] === 1) origin[n++] = p;
    rows.push({ ...row, firstPair, endPair: n });
  }
  const subset: QueuePairs = {
    ...pairs,
    rows,
    rowOf: new Int32Array(total),
    supporterOf: new Int32Array(total),
    weight: new Float64Array(total),
    value: new Float64Array(total),
  };
  origin.forEach((p, at) => {
    subset.rowOf[at] = pairs.rowOf[p] as number;
    subset.supporterOf[at] = pairs.supporterOf[p] as number;
    subset.weight[at] = pairs.weight[p] as number;
    subset.value[at] = pairs.value[p] as number;
  });
  return { pairs: subset, origin };
}

/** Why pairs are missing: exact counts for the explanation. */
export interface PairCounts {
  /** Per submission id: supporters excluded by code; a pair with two reasons counts in both. */
  bySubmission: Map<string, { excluded: CodeCounts; eligible: number; cheapest: number | null }>;
  /** Per member id: submissions open to them by the rules, before money, and codes against the others. */
  bySupporter: Map<string, { excluded: CodeCounts; eligible: number }>;
  /** Pairs allowed by the rules, and affordable. */
  allowed: number;
}

export function buildPairs(facts: QueueFacts): { pairs: QueuePairs; counts: PairCounts } {
  const { settings } = facts;
  const due = facts.submissions.filter(({ submission }) => submission.support_date <= facts.input.date);
  const supporters = facts.supporters
    .filter(({ conflicts }) => conflicts.length === 0)
    .sort((a, b) => a.price - b.price);
  const indexOf = new Map(supporters.map((known, j) => [known.supporter.member_id, j]));
  const price = Int32Array.from(supporters, (known) => known.price);
  const genres = genreTable(facts, due, supporters);
  const suspects = suspectFinder(facts);
  const counts: PairCounts = { bySubmission: new Map(), bySupporter: new Map(), allowed: 0 };
  const excludedOf: CodeCounts[] = supporters.map(() => ({}));
  const eligibleOf = new Int32Array(supporters.length);
  const otherGenreOf = new Int32Array(supporters.length);
  const general: CodeCounts = {};
  for (const { conflicts } of facts.supporters) for (const { code } of conflicts) add(general, code);

  const rows: DemandRow[] = [];
  const buyers = new Map<string, Buyer>();
  const found: { j: Int32Array; affinity: Float64Array }[] = [];
  const allowed = new Int32Array(supporters.length);
  const affinities = new Float64Array(supporters.length);
  const blocked = new Uint8Array(supporters.length);
  for (const known of due) {
    const { submission } = known;
    const excluded: CodeCounts = { ...general };
    blocked.fill(0);
    for (const j of suspects(known, indexOf)) {
      // The genre is counted below, for all supporters alike.
      const conflicts = conflictsOfPair(known, supporters[j] as FactsOfSupporter, 1, facts);
      if (conflicts.length > 0) blocked[j] = 1;
      for (const { code } of conflicts) {
        add(excluded, code);
        add(excludedOf[j] as CodeCounts, code);
      }
    }
    const budget = budgetOf(submission, facts);
    const line = genres.line(known);
    let eligible = 0;
    let otherGenre = 0;
    let cheapest: number | null = null;
    let count = 0;
    for (let j = 0; j < supporters.length; j++) {
      const fit = line[genres.signature[j] as number] as number;
      if (fit <= 0) {
        otherGenre++;
        otherGenreOf[j] = (otherGenreOf[j] as number) + 1;
      } else if (blocked[j] === 0) {
        eligible++;
        eligibleOf[j] = (eligibleOf[j] as number) + 1;
        cheapest ??= price[j] as number;
        if ((price[j] as number) <= budget) {
          allowed[count] = j;
          affinities[count++] = fit;
        }
      }
    }
    add(excluded, 'genre', otherGenre);
    counts.bySubmission.set(submission.id, { excluded, eligible, cheapest });
    counts.allowed += count;
    if (count === 0 || submission.member_id === null) continue;
    const buyer = buyers.get(submission.member_id) ?? {
      memberId: submission.member_id,
      budget,
      rows: [],
      asSupporter: indexOf.get(submission.member_id) ?? -1,
    };
    buyers.set(submission.member_id, buyer);
    buyer.rows.push(rows.length);
    rows.push({
      facts: known,
      buyer: -1,
      target: targetReachOf(budget, settings.reach_per_credit),
      most: submission.demand.kind === 'first' ? supporters.length : submission.demand.count,
      owed: submission.demand.kind === 'replacement',
      firstPair: 0,
      endPair: 0,
      exclusive: [],
    });
    found.push({ j: allowed.slice(0, count), affinity: affinities.slice(0, count) });
  }
  supporters.forEach((known, j) => {
    const excluded = excludedOf[j] as CodeCounts;
    add(excluded, 'genre', otherGenreOf[j] as number);
    counts.bySupporter.set(known.supporter.member_id, { excluded, eligible: eligibleOf[j] as number });
  });
  const pairs = flatten(facts, rows, [...buyers.values()], supporters, price, found);
  return { pairs, counts };
}

function flatten(
  facts: QueueFacts,
  rows: DemandRow[],
  buyers: Buyer[],
  supporters: FactsOfSupporter[],
  price: Int32Array,
  found: { j: Int32Array; affinity: Float64Array }[],
): QueuePairs {
  const total = found.reduce((sum, { j }) => sum + j.length, 0);
  const asBuyer = new Int32Array(supporters.length).fill(-1);
  buyers.forEach((buyer, b) => {
    if (buyer.asSupporter >= 0) asBuyer[buyer.asSupporter] = b;
    for (const i of buyer.rows) (rows[i] as DemandRow).buyer = b;
  });
  const pairs: QueuePairs = {
    rows,
    buyers,
    supporters,
    price,
    reach: Int32Array.from(supporters, (known) => known.reach),
    free: Int32Array.from(supporters, (known) => known.free),
    asBuyer,
    rowOf: new Int32Array(total),
    supporterOf: new Int32Array(total),
    weight: new Float64Array(total),
    value: new Float64Array(total),
    reciprocal: facts.settings.pair_cooldown_days <= 0,
  };
  const trust = Float64Array.from(supporters, ({ supporter }) =>
    sixDecimals(reliability(supporter, facts.settings)),
  );
  let p = 0;
  rows.forEach((row, i) => {
    row.firstPair = p;
    const { j: list, affinity } = found[i] as { j: Int32Array; affinity: Float64Array };
    for (let n = 0; n < list.length; n++, p++) {
      const j = list[n] as number;
      const weight = (affinity[n] as number) * (trust[j] as number);
      pairs.rowOf[p] = i;
      pairs.supporterOf[p] = j;
      pairs.weight[p] = weight;
      pairs.value[p] = weight * Math.min(pairs.reach[j] as number, row.target);
    }
    row.endPair = p;
    // Freed as they are copied, so that no pair is held twice for long.
    found[i] = { j: new Int32Array(0), affinity: new Float64Array(0) };
  });
  linkExclusive(rows);
  return pairs;
}

function linkExclusive(rows: DemandRow[]): void {
  const byKey = new Map<string, number[]>();
  rows.forEach(({ facts }, i) => {
    for (const key of facts.keys) {
      const list = byKey.get(key) ?? [];
      list.push(i);
      byKey.set(key, list);
    }
  });
  rows.forEach((row, i) => {
    const others = new Set(row.facts.keys.flatMap((key) => byKey.get(key) ?? []));
    others.delete(i);
    row.exclusive = [...others].sort((a, b) => a - b);
  });
}

function add(counts: CodeCounts, code: QueueExclusionCode, more = 1): void {
  if (more > 0) counts[code] = (counts[code] ?? 0) + more;
}
