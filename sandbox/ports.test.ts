import { createServer, type Server } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { freePort, isPortFree, listensOn, portFor, reservePort } from './ports.js';

let occupant: Server;
let taken: number;

beforeEach(async () => {
  occupant = createServer();
  taken = await new Promise((resolve) =>
    occupant.listen(0, '127.0.0.1', () => resolve((occupant.address() as { port: number }).port)),
  );
});

afterEach(() => occupant.close());

test('the first free wish is taken, a taken one passed over', async () => {
  const free = await freePort();
  expect(await freePort(undefined, taken, free)).toBe(free);
  expect(await freePort(taken)).not.toBe(taken);
  expect([await isPortFree(taken), await isPortFree(free)]).toEqual([false, true]);
});

test('a fixed port is waited for a moment, then refused', async () => {
  await expect(portFor(taken, true)).rejects.toThrow(`Port ${taken} is taken by another program`);
  const waiting = portFor(taken, true);
  occupant.close();
  expect(await waiting).toBe(taken);
});

test('a reserved port is free for nobody until it is released', async () => {
  const reserved = await reservePort(taken);
  expect(reserved.port).not.toBe(taken);
  expect(await isPortFree(reserved.port)).toBe(false);
  expect((await reservePort(reserved.port)).port).not.toBe(reserved.port);
  await reserved.release();
  expect(await isPortFree(reserved.port)).toBe(true);
});

test('a port is told to be of the process that listens on it', () => {
  expect(listensOn(process.pid, taken)).toBe(true);
  if (process.platform === 'linux') expect(listensOn(process.ppid, taken)).toBe(false);
});
