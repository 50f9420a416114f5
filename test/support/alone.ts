/**
 * One test file at a time: for files that start whole stacks, whose servers wish for the same well-known ports and whose
 * tests say that these are free afterwards. The file that has it holds a port that nothing else uses.
 */
import { createServer, type Server } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

const TURNSTILE_PORT = 39_207;
const POLL_MS = 200;

/** Waits for the turn. @returns ends it. */
export async function takeTurn(): Promise<() => Promise<void>> {
  for (;;) {
    const server = await hold();
    if (server !== null) return () => new Promise((resolve) => server.close(() => resolve()));
    await pause(POLL_MS);
  }
}

function hold(): Promise<Server | null> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', () => resolve(null));
    server.listen({ port: TURNSTILE_PORT, host: '127.0.0.1', exclusive: true }, () => resolve(server));
  });
}
