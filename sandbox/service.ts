/** One part of the stack: started, watched, brought back when it dies by itself, stopped on request. */
import { setTimeout as delay } from 'node:timers/promises';
import type { RunningProcess } from './recorded-process.js';

export interface ServiceOptions {
  name: string;
  /** Starts the process and resolves when it is ready; leaves nothing running when the signal is aborted. */
  launch: (signal: AbortSignal) => Promise<RunningProcess>;
  stopSignal: NodeJS.Signals;
  /** How long it may take to finish what it does. */
  graceMs: number;
  lastSignal?: NodeJS.Signals;
  /** Told when the process died by itself and when it is back. */
  report: (message: string) => void;
}

/** A process that lived this long was healthy: the next restart is immediate again. */
const HEALTHY_MS = 10_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

export class Service {
  readonly name: string;
  #options: ServiceOptions;
  #running: RunningProcess | undefined;
  #wanted = false;
  #stopping = new AbortController();
  /** Before the next start after a crash; grows while the process keeps dying young. */
  #pauseMs = 0;
  #comingBack: Promise<void> = Promise.resolve();

  constructor(options: ServiceOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /** Process id while it runs. */
  get pid(): number | undefined {
    return this.#running?.alive() ? this.#running.record.pid : undefined;
  }

  /** Starts it; does nothing when it runs. @throws what `launch` throws. */
  async start(signal?: AbortSignal): Promise<void> {
    if (this.#wanted && this.pid !== undefined) return;
    this.#wanted = true;
    this.#stopping = new AbortController();
    try {
      this.#watch(await this.#options.launch(signal ?? this.#stopping.signal));
    } catch (error) {
      this.#wanted = false;
      throw error;
    }
  }

  /** Stops it, and keeps it stopped until the next `start`. */
  async stop(): Promise<void> {
    this.#wanted = false;
    this.#stopping.abort();
    await this.#comingBack;
    const { stopSignal, graceMs, lastSignal } = this.#options;
    await this.#running?.stop(stopSignal, graceMs, lastSignal);
    this.#running = undefined;
  }

  /** Ends a stop that takes too long: the last signal at once. */
  async stopNow(): Promise<void> {
    this.#wanted = false;
    this.#stopping.abort();
    const last = this.#options.lastSignal ?? 'SIGKILL';
    await this.#running?.stop(last, LONGEST_PAUSE_MS, 'SIGKILL');
  }

  /** Kills it without warning, as a crash would; it comes back by itself. For the demo and fault tests. */
  crash(): void {
    const pid = this.pid;
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
  }

  #watch(running: RunningProcess): void {
    this.#running = running;
    const startedAt = Date.now();
    void running.exited.then((ending) => {
      if (!this.#wanted || this.#running !== running) return;
      this.#pauseMs =
        Date.now() - startedAt >= HEALTHY_MS
          ? 0
          : Math.min(Math.max(this.#pauseMs * 2, FIRST_PAUSE_MS), LONGEST_PAUSE_MS);
      this.#comingBack = this.#comeBack(ending, this.#stopping.signal);
    });
  }

  async #comeBack(ending: string, stopping: AbortSignal): Promise<void> {
    const { name, launch, report } = this.#options;
    report(`${name} stopped by itself (${ending}); starting it again`);
    while (!stopping.aborted) {
      try {
        await delay(this.#pauseMs, undefined, { signal: stopping });
        this.#watch(await launch(stopping));
        report(`${name} runs again`);
        return;
      } catch (error) {
        if (stopping.aborted) return;
        this.#pauseMs = Math.min(Math.max(this.#pauseMs * 2, FIRST_PAUSE_MS), LONGEST_PAUSE_MS);
        report(
          `${name} does not start; trying again in ${this.#pauseMs / 1_000} s: ${(error as Error).message}`,
        );
      }
    }
  }
}
