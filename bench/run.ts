/** `npm run bench [-- NAME…] [--size FRACTION]`: runs benchmarks, prints ratios first, writes bench/results/NAME.json. */
import { mkdir, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { grant } from './grant.js';
import { ledger } from './ledger.js';
import { queue } from './queue.js';
import { queueScale } from './queue-scale.js';
import type { Bench } from './result.js';
import { review } from './review.js';
import { rlsRead } from './rls-read.js';

const BENCHES: readonly Bench[] = [review, ledger, grant, rlsRead, queue, queueScale];
const RESULTS = new URL('./results/', import.meta.url);

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { size: { type: 'string', default: '1' } },
});
const size = Number(values.size);
const unknown = positionals.filter((name) => !BENCHES.some((bench) => bench.name === name));
if (unknown.length > 0 || !(size > 0)) {
  console.error(
    `Benchmarks: ${BENCHES.map((bench) => bench.name).join(', ')}. --size takes a fraction above 0.`,
  );
  process.exit(2);
}

await mkdir(RESULTS, { recursive: true });
const rows: { ratio: string; target: string; ok: string; name: string }[] = [];
for (const bench of BENCHES.filter(({ name }) => positionals.length === 0 || positionals.includes(name))) {
  const { ratio, detail } = await bench.run((line) => console.error(`[${bench.name}] ${line}`), size);
  const ok = ratio >= bench.target;
  rows.push({
    ratio: ratio.toFixed(3),
    target: `≥ ${bench.target}`,
    ok: ok ? 'yes' : 'no',
    name: bench.name,
  });
  const result = { name: bench.name, ratio, target: bench.target, ok, detail };
  await writeFile(new URL(`${bench.name}.json`, RESULTS), `${JSON.stringify(result, null, 2)}\n`);
}
console.table(rows);
