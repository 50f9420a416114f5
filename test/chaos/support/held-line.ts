/**
 * A TCP line to a server that a test can hold: what clients send waits, as in a network that has stopped. With it a
 * worker commits a transaction and is killed before it can tell Temporal.
 */
import { connect, createServer, type Socket } from 'node:net';

export interface HeldLine {
  /** `127.0.0.1:<port>`, to be given to clients instead of the server's address. */
  address: string;
  /** From now on nothing a client sends reaches the server. */
  hold(): void;
  /** Ends all connections without passing on what was held; new ones work. */
  cut(): void;
  close(): Promise<void>;
}

/** @param target `host:port` of the server */
export async function openHeldLine(target: string): Promise<HeldLine> {
  const [host, port] = target.split(':');
  const pairs = new Set<[client: Socket, upstream: Socket]>();
  let held = false;

  const server = createServer((client) => {
    const upstream = connect({ host, port: Number(port) });
    const pair: [Socket, Socket] = [client, upstream];
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    for (const socket of pair) {
      socket.setNoDelay(true);
      socket.on('error', end);
      socket.on('close', end);
    }
    client.on('data', (chunk) => {
      if (!upstream.write(chunk)) client.pause();
    });
    upstream.on('drain', () => {
      if (!held) client.resume();
    });
    upstream.pipe(client);
    if (held) client.pause();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port: 0 }, resolve);
  });
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('the line has no port');
  const cut = () => {
    held = false;
    for (const pair of pairs) for (const socket of pair) socket.destroy();
  };

  return {
    address: `127.0.0.1:${bound.port}`,
    hold() {
      held = true;
      for (const [client] of pairs) client.pause();
    },
    cut,
    async close() {
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        cut();
      });
    },
  };
}
