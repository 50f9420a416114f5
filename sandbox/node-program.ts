/** Programs of this repository that run as processes of their own: worker, API, stand-ins. */
import { closeSync, openSync, readSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { logSize, logTail } from './log-tail.js';
import { type RunningProcess, spawnRecorded } from './recorded-process.js';

export const REPOSITORY = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** A line of a log, parsed. */
export type LogLine = Record<string, unknown>;

export interface NodeProgram {
  name: string;
  /** Path below the repository, for example `worker.ts`. */
  script: string;
  args?: string[];
  env: NodeJS.ProcessEnv;
  logFile: string;
  recordFile: string;
  /**
   * The JSON line of its log by which it says that it is ready. Not an address that answers: somebody else's program may
   * have taken the port a moment before.
   */
  ready: (line: LogLine) => boolean;
  readyMs?: number;
  /** Gives up and leaves nothing running. */
  signal?: AbortSignal | undefined;
}

const READY_MS = 60_000;
const POLL_MS = 50;

/**
 * Starts a program and waits until it is ready.
 * @returns the process, and the line by which it said so.
 * @throws Error with the end of its log when it ends early or is not ready in time (it is stopped then).
 */
export async function startNodeProgram(
  program: NodeProgram,
): Promise<{ running: RunningProcess; line: LogLine }> {
  const { name, script, args = [], env, logFile, recordFile, ready, readyMs = READY_MS, signal } = program;
  signal?.throwIfAborted();
  const logStart = logSize(logFile);
  const running = await spawnRecorded({
    name,
    executable: process.execPath,
    args: ['--import', 'tsx', script, ...args],
    cwd: REPOSITORY,
    env,
    logFile,
    recordFile,
  });
  const deadline = Date.now() + readyMs;
  while (Date.now() < deadline && !signal?.aborted) {
    const line = linesSince(logFile, logStart).find(ready);
    if (line) return { running, line };
    if (!running.alive()) {
      throw new Error(
        `${name} ended while starting (${await running.exited}). The end of its log (${logFile}):\n${logTail(logFile, 15, logStart)}`,
      );
    }
    await delay(POLL_MS);
  }
  await running.stop('SIGTERM', 5_000);
  signal?.throwIfAborted();
  throw new Error(
    `${name} was not ready within ${readyMs / 1_000} s. The end of its log (${logFile}):\n${logTail(logFile, 15, logStart)}`,
  );
}

/** The whole JSON lines written after byte `from`; what else a program prints is passed over. */
function linesSince(file: string, from: number): LogLine[] {
  const handle = openSync(file, 'r');
  try {
    const buffer = Buffer.alloc(Math.max(0, logSize(file) - from));
    const read = readSync(handle, buffer, 0, buffer.length, from);
    return buffer
      .toString('utf8', 0, read)
      .split('\n')
      .flatMap((text) => {
        if (!text.startsWith('{') || !text.endsWith('}')) return [];
        try {
          return [JSON.parse(text) as LogLine];
        } catch {
          return [];
        }
      });
  } finally {
    closeSync(handle);
  }
}
