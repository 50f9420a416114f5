import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { takeTurn } from '../test/support/alone.js';
import { diaryOf, steadyPrograms } from '../test/support/steady-stack.js';
import { openDataFolder } from './data-folder.js';
import { REPOSITORY } from './node-program.js';
import { freePort, isPortFree } from './ports.js';
import { removePostgres } from './postgres.js';
import { findRecorded, isSameProcess, type ProcessRecord, readRecord } from './recorded-process.js';
import {
  FolderInUseError,
  type Stack,
  type StackEvent,
  type StackOptions,
  startStack,
} from './supervisor.js';

// Each test starts whole servers, on a machine that may be busy.
vi.setConfig({ testTimeout: 180_000 });

const NAMES = ['postgres', 'temporal', 'sandbox', 'worker', 'api'] as const;

let folder: string;
/** Its own, because other test files start stacks at the same time. */
let apiPort: number;
let stacks: Stack[];
let children: ChildProcess[];

let endTurn: () => Promise<void>;

beforeAll(async () => {
  endTurn = await takeTurn();
}, 600_000);

afterAll(() => endTurn());

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'stack-'));
  apiPort = await freePort();
  stacks = [];
  children = [];
});

afterEach(async () => {
  for (const stack of stacks) await stack.stop();
  for (const child of children) child.kill('SIGKILL');
  for (const name of NAMES) await findRecorded(recordFile(name))?.stop('SIGKILL', 5_000);
  await removePostgres(path.join(folder, 'postgres'));
  rmSync(folder, { recursive: true, force: true });
});

async function start(options: Partial<StackOptions> = {}): Promise<Stack> {
  const stack = await startStack({
    folder,
    durable: false,
    apiPort,
    programs: steadyPrograms(folder),
    ...options,
  });
  stacks.push(stack);
  return stack;
}

function recordFile(name: (typeof NAMES)[number]): string {
  const data = openDataFolder(folder);
  if (name === 'postgres' || name === 'temporal') return path.join(data[name], 'process.json');
  return data.recordFile(name);
}

/** Records of everything that runs for the folder. */
function running(): ProcessRecord[] {
  return NAMES.flatMap((name) => readRecord(recordFile(name)) ?? []).filter(isSameProcess);
}

function ports(): number[] {
  return Object.values(openDataFolder(folder).state()?.ports ?? {});
}

async function freePorts(): Promise<boolean[]> {
  return Promise.all(ports().map(isPortFree));
}

/** A supervisor as a process group of its own, as a terminal would start it. */
function startSupervisor(): { child: ChildProcess; output: () => string; ended: Promise<number | null> } {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', 'test/support/steady-stack.ts', folder, String(apiPort)],
    {
      cwd: REPOSITORY,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  children.push(child);
  let output = '';
  child.stdout?.on('data', (text) => (output += text));
  child.stderr?.on('data', (text) => (output += text));
  return { child, output: () => output, ended: new Promise((resolve) => child.once('close', resolve)) };
}

async function ask(url: string, sql: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<{ answer: unknown }>(sql)).rows[0]?.answer;
  } finally {
    await client.end();
  }
}

describe('the stack', () => {
  test('holds its folder, stops in order, and goes on at the same addresses with the same data', async () => {
    const first = await start({ daySeconds: 600 });
    expect(first.addresses.clock.daySeconds).toBe(600);
    expect(running().map(({ name }) => name)).toEqual([...NAMES]);
    await expect(start()).rejects.toThrow(FolderInUseError);
    await expect(start()).rejects.toThrow(/in use by process \d+ .* choose another folder with --data/);
    await ask(first.addresses.databaseUrls.owner, 'create table public.kept as select 1 as answer');
    await first.stop();
    expect(running()).toEqual([]);
    expect(await freePorts()).not.toContain(false);
    expect(readFileSync(diaryOf(folder), 'utf8')).toBe('api stops\nworker stops\nsandbox stops\n');

    await expect(start({ daySeconds: 300 })).rejects.toThrow(/made with a day of 600 s/);
    const second = await start();
    expect(second.addresses).toEqual(first.addresses);
    expect(await ask(second.addresses.databaseUrls.owner, 'select answer from public.kept')).toBe(1);
    expect(await ask(second.addresses.databaseUrls.worker, 'select current_user as answer')).toBe(
      'spark_worker',
    );
  });

  test('moves an API whose port somebody else took before it, unless the port was asked for', async () => {
    const rival = createServer();
    // Taken while the stack starts: after the port was chosen, before the API listens.
    const take = (port: number) =>
      new Promise<void>((resolve) => rival.listen(port, '127.0.0.1', () => resolve()));
    const stack = await start({
      apiPort: undefined,
      programs: steadyPrograms(folder).map((program) =>
        program.name !== 'api'
          ? program
          : {
              ...program,
              env: async (addresses) => {
                if (!rival.listening) await take(addresses.apiPort);
                return {};
              },
            },
      ),
    });
    const { port } = rival.address() as AddressInfo;
    expect(stack.addresses.apiPort).not.toBe(port);
    expect(stack.addresses.apiUrl).toBe(`http://127.0.0.1:${stack.addresses.apiPort}`);
    expect(openDataFolder(folder).state()?.ports.api).toBe(stack.addresses.apiPort);
    await new Promise((resolve) => rival.close(resolve));
  });

  test('brings back what crashes, each at its address, but not what it was told to stop', async () => {
    const told: StackEvent[] = [];
    const stack = await start({ report: (event) => told.push(event) });
    for (const name of NAMES) {
      const before = stack.service(name).pid;
      stack.service(name).crash();
      await expect
        .poll(() => told, { timeout: 60_000 })
        .toContainEqual({ kind: 'trouble', message: `${name} runs again` });
      expect(stack.service(name).pid).not.toBe(before);
    }
    expect(await ask(stack.addresses.databaseUrls.api, 'select current_user as answer')).toBe('spark_api');

    const temporal = stack.service('temporal');
    const temporalPort = Number(stack.addresses.temporalAddress.split(':')[1]);
    await temporal.stop();
    expect(temporal.pid).toBeUndefined();
    expect(await isPortFree(temporalPort)).toBe(true);
    await temporal.start();
    expect(await isPortFree(temporalPort)).toBe(false);

    const { jwtSecret, loginPassword } = stack.folder.secrets();
    expect(statSync(path.join(folder, 'secrets.json')).mode & 0o077).toBe(0);
    for (const name of ['sandbox', 'worker', 'api']) {
      const log = readFileSync(stack.folder.logFile(name), 'utf8');
      expect(log).not.toContain(jwtSecret);
      expect(log).not.toContain(loginPassword);
    }
  });

  test('stops at once when it is told to hurry', async () => {
    const [sandbox, worker, api] = steadyPrograms(folder);
    if (!sandbox || !worker || !api) throw new Error('three programs');
    const patient = { ...worker, graceMs: 600_000, args: () => ['worker', '0', '', 'deaf'] };
    const stack = await start({ programs: [sandbox, patient, api] });
    const stopping = stack.stop();
    await expect.poll(() => stack.service('api').pid).toBeUndefined();
    expect(stack.service('worker').pid).toBeDefined();
    await stack.stop({ hurry: true });
    await stopping;
    expect(running()).toEqual([]);
    expect(await freePorts()).not.toContain(false);
  });

  test('whose program does not start says why and leaves nothing running', async () => {
    const [sandbox, worker, api] = steadyPrograms(folder);
    if (!sandbox || !worker || !api) throw new Error('three programs');
    const broken = { ...worker, script: 'test/support/no-such-program.ts' };
    await expect(start({ programs: [sandbox, broken, api] })).rejects.toThrow(
      /worker ended while starting[\s\S]*no-such-program/,
    );
    expect(running()).toEqual([]);
    expect(await freePorts()).not.toContain(false);
  });
});

describe('a supervisor that was killed', () => {
  test('leaves orphans that the next start adopts (servers) or replaces (programs)', async () => {
    const killed = startSupervisor();
    await expect.poll(killed.output, { timeout: 120_000 }).toContain('the stack is up');
    killed.child.kill('SIGKILL');
    await killed.ended;
    const orphans = running();
    expect(orphans.map(({ name }) => name)).toEqual([...NAMES]);

    const next = await start();
    const pids = Object.fromEntries(orphans.map(({ name, pid }) => [name, pid]));
    expect(next.service('postgres').pid).toBe(pids.postgres);
    expect(next.service('temporal').pid).toBe(pids.temporal);
    for (const name of ['sandbox', 'worker', 'api']) {
      expect(next.service(name).pid).not.toBe(pids[name]);
      expect(orphans.filter((orphan) => orphan.name === name).some(isSameProcess)).toBe(false);
    }
    await next.stop();
    expect(orphans.some(isSameProcess)).toBe(false);
    expect(await freePorts()).not.toContain(false);
  });
});

describe('Ctrl-C', () => {
  test('stops a running stack in order', async () => {
    const run = startSupervisor();
    await expect.poll(run.output, { timeout: 120_000 }).toContain('the stack is up');
    const before = running();
    process.kill(-(run.child.pid ?? 0), 'SIGINT');
    expect(await run.ended).toBe(0);
    expect(before.some(isSameProcess)).toBe(false);
    expect(await freePorts()).not.toContain(false);
    expect(readFileSync(diaryOf(folder), 'utf8')).toBe('api stops\nworker stops\nsandbox stops\n');
  });

  test.each(['PostgreSQL', 'migrations', 'worker'])(
    'in the middle of the start, at %s, leaves nothing running and no port held',
    async (step) => {
      const run = startSupervisor();
      await expect
        .poll(run.output, { timeout: 120_000, interval: 5 })
        .toContain(JSON.stringify({ kind: 'step', step }));
      process.kill(-(run.child.pid ?? 0), 'SIGINT');
      expect(await run.ended).toBe(0);
      expect(run.output()).toContain('Nothing of it runs');
      expect(running()).toEqual([]);
      expect(await freePorts()).not.toContain(false);
      expect(existsSync(path.join(folder, 'run', 'lock'))).toBe(false);
    },
  );
});
