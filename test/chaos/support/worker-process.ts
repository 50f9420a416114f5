/** The worker as a process of its own, to be killed without warning. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startNodeProgram } from '../../../sandbox/node-program.js';
import type { RunningProcess } from '../../../sandbox/recorded-process.js';

export interface WorkerProcess {
  /** SIGKILL: no handler runs, nothing is flushed. Resolves when the process is gone. */
  kill(): Promise<void>;
  alive(): boolean;
}

export interface WorkerProcesses {
  /** Starts a worker and waits until it polls. */
  start(env?: Record<string, string>): Promise<WorkerProcess>;
  /** Kills what still runs and removes the logs. */
  end(): Promise<void>;
}

/** @param common environment of every worker: `world.env` */
export function workerProcesses(common: Record<string, string>): WorkerProcesses {
  const folder = mkdtempSync(path.join(tmpdir(), 'artist-spark-workers-'));
  const started: RunningProcess[] = [];

  return {
    async start(env = {}) {
      const name = `worker-${randomBytes(4).toString('hex')}`;
      const { running } = await startNodeProgram({
        name,
        script: 'worker.ts',
        env: { PATH: process.env.PATH, ...common, LOG_LEVEL: 'info', ...env },
        logFile: path.join(folder, `${name}.log`),
        recordFile: path.join(folder, `${name}.json`),
        ready: (line) => line.msg === 'worker ready',
      });
      started.push(running);
      return { kill: () => running.stop('SIGKILL', 10_000), alive: () => running.alive() };
    },
    async end() {
      await Promise.all(started.map((running) => running.stop('SIGKILL', 10_000)));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
