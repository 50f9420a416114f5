/**
 * Attribution (rules.md, "Attribution"): what a track's numbers say of its reposts. Nothing is invented: a missed day
 * stays missing, a hidden count is null, a negative delta is kept.
 *
 * Dates are `YYYY-MM-DD` in the org's timezone. The snapshot of a day is taken when the day begins, so the growth of a
 * day is the delta of the snapshot after it.
 */
import { daysBetween } from './calendar.js';

export const METRICS = ['plays', 'likes', 'reposts', 'comments', 'followers'] as const;

export type Metric = (typeof METRICS)[number];

/** Counts of a track at one moment; null = hidden, or not known. */
export type Counts = Record<Metric, number | null>;

export interface Snapshot extends Counts {
  /** Days since the start; 0 is the baseline, negative ones lie before it. */
  day_index: number;
  snapshot_date: string;
}

/** Change of one count since the last snapshot that knows it. */
export interface Delta {
  change: number;
  /** Days between the two, at least 1: more than 1 after a gap. */
  days: number;
}

export interface DayDeltas {
  day_index: number;
  snapshot_date: string;
  /** Null where this snapshot, or every one before it, does not know the count. */
  deltas: Record<Metric, Delta | null>;
}

/** A day on which no numbers could be had. */
export interface Gap {
  date: string;
  reason: GapReason;
}

export type GapReason =
  /** SoundCloud did not answer all day. */
  | 'provider_unavailable'
  /** SoundCloud says that there is no such track. */
  | 'track_not_found'
  /** The product runs without SoundCloud credentials. */
  | 'not_configured'
  /** No worker ran that day. */
  | 'not_asked';

/** Days from the start to a date: the day index. */
export function dayIndex(startDate: string, date: string): number {
  return daysBetween(startDate, date);
}

/** Deltas of all snapshots but the first, oldest first. @param snapshots in any order, one a day. */
export function deltasOf(snapshots: readonly Snapshot[]): DayDeltas[] {
  const ordered = [...snapshots].sort((a, b) => a.day_index - b.day_index);
  return ordered.slice(1).map((snapshot, index) => {
    const before = ordered.slice(0, index + 1);
    const deltas = METRICS.map((metric) => [metric, deltaOf(metric, snapshot, before)] as const);
    return {
      day_index: snapshot.day_index,
      snapshot_date: snapshot.snapshot_date,
      deltas: Object.fromEntries(deltas) as DayDeltas['deltas'],
    };
  });
}

function deltaOf(metric: Metric, snapshot: Snapshot, before: readonly Snapshot[]): Delta | null {
  const value = snapshot[metric];
  const last = before.findLast((other) => other[metric] !== null);
  const known = last?.[metric];
  if (value === null || last === undefined || known === null || known === undefined) return null;
  return { change: value - known, days: snapshot.day_index - last.day_index };
}

/**
 * What a count would have grown a day without the reposts: the median daily delta of the days before the start, a
 * delta over several days counted once for each; 0 when there are none.
 */
export function trendOf(snapshots: readonly Snapshot[], metric: Metric): number {
  const rates = dailyRatesBefore(snapshots, metric);
  const middle = Math.floor(rates.length / 2);
  const upper = rates[middle] ?? 0;
  return rates.length % 2 === 1 ? upper : ((rates[middle - 1] ?? 0) + upper) / 2;
}

/** Growth of each day before the start that is known, ascending. */
function dailyRatesBefore(snapshots: readonly Snapshot[], metric: Metric): number[] {
  return deltasOf(snapshots.filter((snapshot) => snapshot.day_index <= 0))
    .flatMap(({ deltas }) => {
      const delta = deltas[metric];
      return delta === null ? [] : Array.from({ length: delta.days }, () => delta.change / delta.days);
    })
    .sort((a, b) => a - b);
}

/** What came on top of the trend since the baseline. */
export interface Incremental {
  /** Count at the last snapshot that knows it, minus the baseline's. */
  gained: number;
  /** Days between the two. */
  days: number;
  /** A day without reposts. */
  trend_per_day: number;
  /** Days before the start the trend is known from; 0 = it is not known, and `incremental` is the raw gain. */
  trend_days: number;
  /** gained − trend × days, not rounded; may be negative. */
  incremental: number;
}

/** @returns null without a baseline that knows the count, or without a later snapshot that does. */
export function incrementalOf(snapshots: readonly Snapshot[], metric: Metric): Incremental | null {
  const baseline = snapshots.find((snapshot) => snapshot.day_index === 0)?.[metric] ?? null;
  const last = [...snapshots]
    .filter((snapshot) => snapshot.day_index > 0 && snapshot[metric] !== null)
    .sort((a, b) => a.day_index - b.day_index)
    .at(-1);
  const value = last?.[metric] ?? null;
  if (baseline === null || last === undefined || value === null) return null;
  const trend = trendOf(snapshots, metric);
  const gained = value - baseline;
  return {
    gained,
    days: last.day_index,
    trend_per_day: trend,
    trend_days: dailyRatesBefore(snapshots, metric).length,
    incremental: gained - trend * last.day_index,
  };
}

export interface ReportInput {
  snapshots: readonly Snapshot[];
  gaps: readonly Gap[];
  /** Reposts that were delivered, and how many were promised; null where nothing was. */
  delivered: number;
  goal: number | null;
  /** What it cost, in whatever unit the caller counts; null where it has no price. */
  cost: number | null;
}

export interface AttributionReport {
  /** Counts at the last snapshot. */
  totals: Snapshot | null;
  /** False without a day 0: nothing can be attributed then. */
  baseline: boolean;
  deltas: DayDeltas[];
  incremental: Record<Metric, Incremental | null>;
  delivered: number;
  goal: number | null;
  /** Null while there is no incremental play to pay for. */
  cost_per_incremental_play: number | null;
  gaps: Gap[];
}

/** The numbers as they are told. A gap that was filled by hand since is none any more. */
export function attributionReport(input: ReportInput): AttributionReport {
  const { snapshots, delivered, goal, cost } = input;
  const ordered = [...snapshots].sort((a, b) => a.day_index - b.day_index);
  const filled = new Set(snapshots.map((snapshot) => snapshot.snapshot_date));
  const incremental = Object.fromEntries(
    METRICS.map((metric) => [metric, incrementalOf(ordered, metric)]),
  ) as AttributionReport['incremental'];
  const plays = incremental.plays?.incremental ?? 0;
  return {
    totals: ordered.at(-1) ?? null,
    baseline: ordered.some((snapshot) => snapshot.day_index === 0),
    deltas: deltasOf(ordered),
    incremental,
    delivered,
    goal,
    cost_per_incremental_play: cost === null || plays <= 0 ? null : cost / plays,
    gaps: input.gaps.filter((gap) => !filled.has(gap.date)).sort((a, b) => (a.date < b.date ? -1 : 1)),
  };
}
