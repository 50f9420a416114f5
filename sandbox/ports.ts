/** Free TCP ports on the loopback interface. */
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const LOOPBACK = '127.0.0.1';
/** How long the last user of a fixed port may take to let go of it. */
const LETTING_GO_MS = 3_000;
const POLL_MS = 50;

/** Whether nothing listens on a port of the loopback interface (0 counts as free: the system picks one). */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.unref();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: LOOPBACK, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/**
 * A free port: the first free one of `wishes` (0 and undefined are passed over), else one the system picks.
 * The port is free when this answers; whoever binds it must still be ready to try another one.
 */
export async function freePort(...wishes: (number | undefined)[]): Promise<number> {
  for (const wish of wishes) {
    if (wish && (await isPortFree(wish))) return wish;
  }
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen({ port: 0, host: LOOPBACK }, () => {
      const address = probe.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}

/**
 * A wished port, or another one unless it is fixed.
 * @throws Error when a fixed port is taken.
 */
export async function portFor(wish: number | undefined, fixed = false): Promise<number> {
  const deadline = Date.now() + LETTING_GO_MS;
  while (fixed && wish && !(await isPortFree(wish))) {
    if (Date.now() < deadline) {
      await delay(POLL_MS);
      continue;
    }
    throw new Error(`Port ${wish} is taken by another program. End that program, or choose another port.`);
  }
  return freePort(wish);
}
