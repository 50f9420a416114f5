/** TCP ports on the loopback interface: which are free, and whose they are. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
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

/**
 * Whether a process itself listens on a port, which an answer from that port does not prove: another program may have
 * taken it a moment earlier. Where the system does not tell (it is asked on Linux only) the answer is yes.
 */
export function listensOn(pid: number, port: number): boolean {
  if (process.platform !== 'linux') return true;
  try {
    const sockets = new Set(
      readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
        try {
          return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${name}`))?.[1] ?? [];
        } catch {
          // Closed since the list was read.
          return [];
        }
      }),
    );
    return ['tcp', 'tcp6'].some((table) =>
      listeners(`/proc/net/${table}`, port).some((inode) => sockets.has(inode)),
    );
  } catch {
    return false;
  }
}

/** Inodes of the sockets that listen on a port, from one of the kernel's tables. */
function listeners(table: string, port: number): string[] {
  const listening = '0A';
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return readFileSync(table, 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .flatMap(([, local = '', , state, , , , , , inode = '']) =>
      state === listening && local.endsWith(suffix) ? [inode] : [],
    );
}

/** A port that is kept from others until its user is about to take it. */
export interface ReservedPort {
  port: number;
  release(): Promise<void>;
}

/** Reserves the first free port of `wishes`, else one the system picks. */
export async function reservePort(...wishes: (number | undefined)[]): Promise<ReservedPort> {
  for (const wish of [...wishes, 0]) {
    if (wish === undefined) continue;
    const server = createServer((socket) => socket.destroy());
    const port = await new Promise<number | undefined>((resolve) => {
      server.once('error', () => resolve(undefined));
      server.listen({ port: wish, host: LOOPBACK, exclusive: true }, () => {
        const address = server.address();
        resolve(typeof address === 'object' && address ? address.port : undefined);
      });
    });
    if (port === undefined) continue;
    server.unref();
    return { port, release: () => new Promise((resolve) => server.close(() => resolve())) };
  }
  throw new Error('The system has no free port left. End programs that hold many, and try again.');
}
