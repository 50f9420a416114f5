/** Body of the thread of db/queue-generation.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { generateQueue, type QueueInput } from '../domain/queue-generation.js';

parentPort?.postMessage(generateQueue(workerData as QueueInput));
