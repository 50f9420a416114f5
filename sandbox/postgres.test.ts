import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  unlinkSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isPortFree } from './ports.js';
import { removePostgres, startPostgres } from './postgres.js';
import { healLinks, postgresBinaries } from './postgres-binaries.js';
import { runningPostgresUrl } from './running-postgres.js';

let parent: string;
let folder: string;

beforeEach(() => {
  // 0700 and ours: as root this is the folder that the user postgres cannot enter.
  parent = mkdtempSync(path.join(tmpdir(), 'postgres-'));
  chmodSync(parent, 0o700);
  folder = path.join(parent, 'server');
});

afterEach(async () => {
  await removePostgres(folder);
  rmSync(parent, { recursive: true, force: true });
});

const start = () => startPostgres({ folder, durable: false });

async function ask(url: string, sql: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ answer: unknown }>(sql);
    return rows[0]?.answer;
  } finally {
    await client.end();
  }
}

describe('the embedded PostgreSQL', () => {
  test('keeps its data over stop and start, and leaves neither process nor port behind', async () => {
    const first = await start();
    await ask(first.adminUrl, 'create table kept as select 42 as answer');
    await first.stop();
    expect(first.process.alive()).toBe(false);
    expect(await isPortFree(first.port)).toBe(true);

    const second = await startPostgres({ folder, durable: false, port: first.port });
    expect(second.port).toBe(first.port);
    expect(await ask(second.adminUrl, 'select answer from kept')).toBe(42);
  });

  test('is adopted by a start that finds it running', async () => {
    const first = await start();
    const second = await start();
    expect(second).toMatchObject({ adopted: true, port: first.port });
    expect(second.process.record.pid).toBe(first.process.record.pid);
    await second.stop();
    expect(first.process.alive()).toBe(false);
  });

  test('is replaced when it runs but its start died before it wrote the record', async () => {
    const first = await start();
    unlinkSync(path.join(folder, 'process.json'));
    const second = await start();
    // Without a record its port is not known: the old one is stopped and a new one takes over the data.
    expect(first.process.alive()).toBe(false);
    expect(await ask(second.adminUrl, "select 'here' as answer")).toBe('here');
  });

  test('recovers after SIGKILL', async () => {
    const first = await start();
    await ask(first.adminUrl, "create table kept as select 'committed' as answer");
    await first.process.stop('SIGKILL', 5_000);
    const second = await start();
    expect(await ask(second.adminUrl, 'select answer from kept')).toBe('committed');
  });

  test('takes another port when the wished one is taken, and says so when it may not', async () => {
    const occupant = createServer();
    const port = await new Promise<number>((resolve) =>
      occupant.listen(0, '127.0.0.1', () => resolve((occupant.address() as { port: number }).port)),
    );
    try {
      await expect(startPostgres({ folder, durable: false, port, fixedPort: true })).rejects.toThrow(
        `Port ${port} is taken`,
      );
      const server = await startPostgres({ folder, durable: false, port });
      expect(server.port).not.toBe(port);
    } finally {
      occupant.close();
    }
  });

  test('is found without being started, and not when it does not run', async () => {
    expect(await runningPostgresUrl(folder, 'postgres')).toBeUndefined();
    const server = await start();
    expect(await runningPostgresUrl(folder, 'postgres')).toBe(server.adminUrl);
    await server.stop();
    expect(await runningPostgresUrl(folder, 'postgres')).toBeUndefined();
  });

  test('refuses wrong passwords and keeps its own readable by the owner only', async () => {
    const server = await start();
    const wrong = new URL(server.adminUrl);
    wrong.password = 'wrong';
    await expect(ask(wrong.href, 'select 1')).rejects.toThrow(/password authentication failed/);
    expect(lstatSync(path.join(folder, 'password')).mode & 0o077).toBe(0);
    expect(readFileSync(path.join(folder, 'postgres.log'), 'utf8')).not.toContain(
      new URL(server.adminUrl).password,
    );
  });

  test('gives up in the middle of a start and leaves nothing running', async () => {
    const giveUp = new AbortController();
    const starting = startPostgres({
      folder,
      durable: false,
      signal: giveUp.signal,
      report: () => giveUp.abort(new Error('changed my mind')),
    });
    await expect(starting).rejects.toThrow('changed my mind');
    // What was begun does not stand in the way of the next start.
    expect(await ask((await start()).adminUrl, 'select 1 as answer')).toBe(1);
  });

  test('comes in the oldest supported version too', async () => {
    const server = await startPostgres({ folder, durable: false, major: '15' });
    expect(await ask(server.adminUrl, "select current_setting('server_version') as answer")).toMatch(/^15\./);
    // The same letters in upper and lower case on every machine and version, whatever locales are installed.
    expect(await ask(server.adminUrl, "select upper('äé') as answer")).toBe('ÄÉ');
  });
});

test('library links are restored where install scripts were skipped', () => {
  const { postgres } = postgresBinaries('18');
  const native = path.join(parent, 'native');
  cpSync(path.dirname(path.dirname(postgres)), native, { recursive: true, verbatimSymlinks: true });
  const libraries = path.join(native, 'lib');
  const links = readdirSync(libraries).filter((name) =>
    lstatSync(path.join(libraries, name)).isSymbolicLink(),
  );
  for (const name of links) unlinkSync(path.join(libraries, name));

  healLinks(native);

  const healed = readdirSync(libraries).filter((name) =>
    lstatSync(path.join(libraries, name)).isSymbolicLink(),
  );
  expect(healed.sort()).toEqual(links.sort());
  expect(execFileSync(path.join(native, 'bin', 'postgres'), ['--version'], { encoding: 'utf8' })).toContain(
    '18.',
  );
});
