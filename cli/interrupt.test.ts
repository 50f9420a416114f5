/** Ctrl-C: what is stopped, and what is said when. */
import { expect, test } from 'vitest';
import type { Stack } from '../sandbox/supervisor.js';
import { type InterruptibleRun, untilInterrupted } from './interrupt.js';

/** A run that waits for Ctrl-C, which is sent to its own listener only: the test's process lives on. */
async function interrupted(run: Partial<InterruptibleRun>): Promise<string[]> {
  const said: string[] = [];
  const before = new Set(process.listeners('SIGINT'));
  const press = () => {
    for (const listener of process.listeners('SIGINT')) if (!before.has(listener)) listener('SIGINT');
  };
  // It only notes that it is stopped; how a stack stops is seen by the tests of the supervisor.
  const stack = { stop: async () => void said.push('stopped') } as unknown as Stack;
  await untilInterrupted({
    begin: async () => stack,
    running: async () => {
      said.push('up');
      setImmediate(press);
      return 'stay';
    },
    report: (message) => said.push(message),
    ...run,
  });
  expect(new Set(process.listeners('SIGINT'))).toEqual(before);
  return said;
}

test('a run that stays ends with Ctrl-C, and has its own last words once everything is stopped', async () => {
  expect(await interrupted({ farewell: 'Stopped. It goes on with: npx spark start --data /tmp/a' })).toEqual([
    'up',
    'Stopping … (again to hurry)',
    'stopped',
    'Stopped. It goes on with: npx spark start --data /tmp/a',
  ]);
  expect((await interrupted({})).at(-1)).toBe('Stopped. The next start goes on where it was.');
});
