/**
 * What a large queue costs: 1,000 submissions × 10,000 supporters, in a process of its own, against the limits of time
 * and memory and against its own cost at half the size.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { generateQueue } from '../domain/queue-generation.js';
import { type QueueSize, queueInstance } from './queue-instances.js';
import { type Bench, type BenchResult, median } from './result.js';

const SEEDS = [1, 2, 3];
const FULL: QueueSize = { submissions: 1_000, supporters: 10_000 };
const MOST_SECONDS = 10;
const MOST_BYTES = 1024 ** 3;
/** A pair may cost that much more in a queue of twice the size. */
const GROWTH = 1.25;

interface Run {
  seconds: number;
  cpu_seconds: number;
  peak_bytes: number;
  allowed_pairs: number;
  assignments: number;
  of_own_bound: number;
}

export const queueScale: Bench = {
  name: 'queue-scale',
  target: 1,
  async run(report, size = 1): Promise<BenchResult> {
    const full = scaled(FULL, size);
    const half = scaled(FULL, size / 2);
    const runs: { full: Run; half: Run }[] = [];
    for (const seed of SEEDS) {
      const run = { half: await inOwnProcess(seed, half), full: await inOwnProcess(seed, full) };
      runs.push(run);
      report(
        `seed ${seed}: ${run.full.seconds.toFixed(1)} s, ${(run.full.peak_bytes / 2 ** 20).toFixed(0)} MiB, ${run.full.allowed_pairs} pairs; half the size ${run.half.seconds.toFixed(1)} s, ${run.half.allowed_pairs} pairs`,
      );
    }
    // Processor time of all threads: not shorter than the wall clock's on a machine with nothing else to do.
    const seconds = Math.max(...runs.map((run) => run.full.cpu_seconds));
    const bytes = Math.max(...runs.map((run) => run.full.peak_bytes));
    const growth = median(
      runs.map(({ full: f, half: h }) => f.cpu_seconds / f.allowed_pairs / (h.cpu_seconds / h.allowed_pairs)),
    );
    return {
      ratio: Math.min(MOST_SECONDS / seconds, MOST_BYTES / bytes, GROWTH / growth),
      detail: {
        unit: 'limit ÷ measured, the smallest of processor time, memory and growth; 1 = just within',
        worst_cpu_seconds: seconds,
        worst_wall_seconds: Math.max(...runs.map((run) => run.full.seconds)),
        limit_seconds: MOST_SECONDS,
        worst_peak_bytes: bytes,
        limit_bytes: MOST_BYTES,
        cost_per_pair_full_to_half: growth,
        limit_growth: GROWTH,
        half_size: half,
        full_size: full,
        runs,
        measured:
          'wall and processor time of generateQueue alone; peak resident memory of the whole process, Node and the input included',
      },
    };
  },
};

function scaled({ submissions, supporters }: QueueSize, by: number): QueueSize {
  return {
    submissions: Math.max(2, Math.round(submissions * by)),
    supporters: Math.max(20, Math.round(supporters * by)),
  };
}

async function inOwnProcess(seed: number, { submissions, supporters }: QueueSize): Promise<Run> {
  const child = fork(fileURLToPath(import.meta.url), [String(seed), String(submissions), String(supporters)]);
  const ended = once(child, 'exit');
  const [run] = (await Promise.race([
    once(child, 'message'),
    ended.then(([code]) => {
      throw new Error(`The generating process ended with ${code} and gave no result.`);
    }),
  ])) as [Run];
  await ended;
  return run;
}

function measure(seed: number, size: QueueSize): Run {
  const input = queueInstance(seed, size);
  const cpu = process.cpuUsage();
  const begun = performance.now();
  const { assignments, explanation } = generateQueue(input);
  const seconds = (performance.now() - begun) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  return {
    seconds,
    cpu_seconds: (user + system) / 1e6,
    peak_bytes: process.resourceUsage().maxRSS * 1_024,
    allowed_pairs: explanation.counts.allowed_pairs,
    assignments: assignments.length,
    of_own_bound: explanation.totals.value / explanation.totals.value_bound,
  };
}

if (process.send !== undefined && process.argv[1] === fileURLToPath(import.meta.url)) {
  const [seed, submissions, supporters] = process.argv.slice(2).map(Number) as [number, number, number];
  process.send(measure(seed, { submissions, supporters }));
  process.disconnect();
}
