/**
 * Generates a queue beside the event loop. A large network takes many seconds of computing, in which a worker could send
 * no heartbeat and an API would answer nobody.
 */
import { Worker } from 'node:worker_threads';
import { generateQueue, type QueueDraft, type QueueInput } from '../domain/queue-generation.js';

const THREAD = new URL('./queue-generation-thread.ts', import.meta.url);
/** The sources are TypeScript, and a thread does not inherit the loader of its process in every Node. */
const START = `
  import(${JSON.stringify(import.meta.resolve('tsx/esm/api'))})
    .then(({ tsImport }) => tsImport(${JSON.stringify(THREAD.href)}, ${JSON.stringify(import.meta.url)}));
`;
/** Pairs up to which the generator is done before a thread would have started. */
const PAIRS_AT_ONCE = 50_000;

/** @throws RangeError when a row is given twice, as {@link generateQueue} does. */
export async function generateBeside(input: QueueInput): Promise<QueueDraft> {
  if (input.submissions.length * input.supporters.length <= PAIRS_AT_ONCE) return generateQueue(input);
  const thread = new Worker(START, { eval: true, workerData: input, execArgv: [] });
  return new Promise((resolve, reject) => {
    thread.once('message', resolve);
    thread.once('error', reject);
    thread.once('exit', (code) => reject(new Error(`The queue generator ended with code ${code}.`)));
  });
}
