/** Long-running programs that obtain servers (downloads, builds): output kept, progress shown, one at a time. */
import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';

export type Report = (message: string) => void;

export interface ObtainOptions {
  /** What is being done, for progress lines: "building the Temporal server". */
  label: string;
  report: Report;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  timeoutMs: number;
  /** Ends the program and everything it started. */
  signal?: AbortSignal | undefined;
  /** A line with the elapsed time is reported this often. */
  everyMs?: number;
}

/**
 * Runs a program to its end and reports the elapsed time while it runs.
 * @returns undefined on success, else why it failed (missing program, the end of its output, timeout).
 * @throws the signal's reason when it was aborted.
 */
export async function runWithProgress(
  program: string,
  args: string[],
  options: ObtainOptions,
): Promise<string | undefined> {
  const { label, report, timeoutMs, everyMs = 15_000 } = options;
  options.signal?.throwIfAborted();
  const started = Date.now();
  const child = spawn(program, args, {
    env: options.env ?? process.env,
    cwd: options.cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, so that compilers and the like it starts can be ended with it.
    detached: true,
  });
  let output = '';
  const keep = (chunk: Buffer) => {
    output = `${output}${chunk.toString('utf8')}`.slice(-4_000);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const ended = new AbortController();
  const stop = () => killGroup(child.pid);
  process.once('exit', stop);
  options.signal?.addEventListener('abort', stop);
  const result = new Promise<string | undefined>((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code === 'ENOENT' ? `${program} is not installed` : error.message),
    );
    child.once('close', (code, signal) =>
      resolve(
        code === 0 ? undefined : `${program} ended with ${signal ?? `code ${code}`}: ${lastLines(output)}`,
      ),
    );
  }).finally(() => ended.abort());
  const timer = delay(timeoutMs, 'timeout' as const, { signal: ended.signal }).catch(() => undefined);
  void (async () => {
    while (!ended.signal.aborted) {
      await delay(everyMs, undefined, { signal: ended.signal }).catch(() => undefined);
      if (!ended.signal.aborted) report(`${label}: ${seconds(Date.now() - started)} so far`);
    }
  })();
  try {
    const first = await Promise.race([result, timer]);
    if (first === 'timeout' && !ended.signal.aborted) {
      stop();
      await result;
      return `${program} did not finish within ${seconds(timeoutMs)}`;
    }
    const outcome = await result;
    options.signal?.throwIfAborted();
    return outcome;
  } finally {
    process.removeListener('exit', stop);
    options.signal?.removeEventListener('abort', stop);
  }
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** `75000` → `1 min 15 s`. */
export function seconds(milliseconds: number): string {
  const whole = Math.round(milliseconds / 1_000);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

function lastLines(output: string): string {
  return output.trim().split('\n').slice(-6).join(' | ') || 'no output';
}
