/** Commands that run a stack until Ctrl-C. */
import type { Stack } from '../sandbox/supervisor.js';

export interface InterruptibleRun {
  /** Starts the stack; gives up and leaves nothing running when the signal is aborted. */
  begin: (signal: AbortSignal) => Promise<Stack>;
  /**
   * Runs once the stack is up; `stay` keeps the stack until Ctrl-C.
   * @param signal aborted at the first Ctrl-C
   */
  running: (stack: Stack, signal: AbortSignal) => Promise<'stop' | 'stay'>;
  report: (message: string) => void;
  /** Said when everything is stopped. */
  farewell?: string;
}

/**
 * Runs a stack: the first Ctrl-C (or SIGTERM, or a closed terminal) stops it in order, also in the middle of its start;
 * a second one shortens the stop.
 * @throws what `begin` throws unless it was interrupted, and what `running` throws, after stopping the stack.
 */
export async function untilInterrupted(run: InterruptibleRun): Promise<void> {
  const interrupted = new AbortController();
  const { signal } = interrupted;
  let stack: Stack | undefined;
  const onSignal = () => {
    if (!signal.aborted) {
      run.report('Stopping … (again to hurry)');
      interrupted.abort();
    } else if (stack) {
      run.report('Hurrying.');
      void stack.stop({ hurry: true });
    }
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of signals) process.on(name, onSignal);
  try {
    try {
      stack = await run.begin(signal);
    } catch (error) {
      if (!signal.aborted) throw error;
      run.report('Stopped before it was up. Nothing of it runs.');
      return;
    }
    try {
      if (!signal.aborted && (await run.running(stack, signal)) === 'stay') await abortOf(signal);
    } finally {
      await stack.stop();
      run.report(run.farewell ?? 'Stopped. The next start goes on where it was.');
    }
  } finally {
    for (const name of signals) process.removeListener(name, onSignal);
  }
}

async function abortOf(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
