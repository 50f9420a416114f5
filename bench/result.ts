/** What a benchmark is and what it reports. */

export interface BenchResult {
  /** Ours ÷ the other, 1 = as fast. */
  ratio: number;
  detail: Record<string, unknown>;
}

export interface Bench {
  name: string;
  /** Smallest ratio that is good enough. */
  target: number;
  /** @param size fraction of the full size, for a quick look; what counts is 1. */
  run(report: (line: string) => void, size?: number): Promise<BenchResult>;
}

/** Middle value; of an even number, the mean of the two in the middle. @throws RangeError for none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  if (upper === undefined || lower === undefined) throw new RangeError('There is no median of nothing.');
  return (upper + lower) / 2;
}
