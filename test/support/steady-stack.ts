/** A stack with real servers and stand-ins for our programs, so that tests of the supervisor start in seconds. */
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { untilInterrupted } from '../../cli/interrupt.js';
import type { ProgramSpec } from '../../sandbox/programs.js';
import { startStack } from '../../sandbox/supervisor.js';

const SCRIPT = 'test/support/steady-program.ts';

/** Where the programs of a stack note their end. */
export const diaryOf = (folder: string) => path.join(folder, 'diary');

/** In the product's order and with its names. */
export function steadyPrograms(folder: string): ProgramSpec[] {
  const program = (name: string, port: (api: number) => number): ProgramSpec => ({
    name,
    script: SCRIPT,
    args: ({ apiPort }) => [name, String(port(apiPort)), diaryOf(folder)],
    env: () => ({}),
    ready: (line) => line.msg === `${name} ready`,
    graceMs: 5_000,
  });
  return [program('sandbox', () => 0), program('worker', () => 0), program('api', (port) => port)];
}

/** As a program of its own: `steady-stack FOLDER PORT` runs the stack until Ctrl-C and prints its events. */
if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const folder = process.argv[2] ?? '';
  await untilInterrupted({
    report: (message) => console.log(message),
    begin: (signal) =>
      startStack({
        folder,
        durable: false,
        apiPort: Number(process.argv[3]),
        signal,
        programs: steadyPrograms(folder),
        report: (event) => console.log(JSON.stringify(event)),
      }),
    running: async () => {
      console.log('the stack is up');
      return 'stay';
    },
  });
}
