/** `spark start` as a newcomer runs it: from a clone, with a home of its own, both below a folder closed to others. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDataFolder } from '../sandbox/data-folder.js';
import { REPOSITORY } from '../sandbox/node-program.js';
import { freePort, isPortFree } from '../sandbox/ports.js';
import { removePostgres } from '../sandbox/postgres.js';
import { isSameProcess, type ProcessRecord, readRecord } from '../sandbox/recorded-process.js';
import { temporalExecutable } from '../sandbox/temporal-executable.js';
import { takeTurn } from '../test/support/alone.js';

const UP_MS = 120_000;

let parent: string;
let clone: string;
let data: string;
let env: NodeJS.ProcessEnv;
let endTurn: () => Promise<void>;
const children: ChildProcess[] = [];

beforeAll(async () => {
  endTurn = await takeTurn();
  parent = mkdtempSync(path.join(tmpdir(), 'newcomer-'));
  chmodSync(parent, 0o700);
  clone = path.join(parent, 'clone');
  const home = path.join(parent, 'home');
  mkdirSync(home);
  data = path.join(home, '.local', 'share', 'artist-spark');
  const left = new Set(['node_modules', '.git', 'test-results', 'coverage', '.env']);
  cpSync(REPOSITORY, clone, {
    recursive: true,
    filter: (from) => !left.has(path.relative(REPOSITORY, from)),
  });
  copyDependencies(path.join(REPOSITORY, 'node_modules'), path.join(clone, 'node_modules'));
  env = {
    PATH: process.env.PATH,
    HOME: home,
    // Obtained by this run already; the new home has no cache.
    TEMPORAL_CLI_PATH: await temporalExecutable(() => {}),
  };
}, 600_000);

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  for (const record of records()) process.kill(record.pid, 'SIGKILL');
  await removePostgres(path.join(data, 'postgres'));
  rmSync(parent, { recursive: true, force: true });
  await endTurn();
});

/** Hard links where the file system can (seconds, no space), else a copy. */
function copyDependencies(from: string, to: string): void {
  try {
    execFileSync('cp', ['-al', from, to], { stdio: 'ignore' });
  } catch {
    rmSync(to, { recursive: true, force: true });
    execFileSync('cp', ['-a', from, to]);
  }
}

function spark(...args: string[]): {
  child: ChildProcess;
  output: () => string;
  ended: Promise<number | null>;
} {
  const child = spawn(process.execPath, ['cli/spark.js', ...args], {
    cwd: clone,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let output = '';
  child.stdout?.on('data', (text) => (output += text));
  child.stderr?.on('data', (text) => (output += text));
  return { child, output: () => output, ended: new Promise((resolve) => child.once('close', resolve)) };
}

/** Everything that runs for the data folder. */
function records(): ProcessRecord[] {
  if (!existsSync(data)) return [];
  const run = path.join(data, 'run');
  const files = [
    ...readdirSync(run).map((name) => path.join(run, name)),
    path.join(data, 'postgres', 'process.json'),
    path.join(data, 'temporal', 'process.json'),
  ];
  return files.flatMap((file) => readRecord(file) ?? []).filter(isSameProcess);
}

async function heldPorts(): Promise<number[]> {
  const ports = Object.values(openDataFolder(data).state()?.ports ?? {});
  const free = await Promise.all(ports.map(isPortFree));
  return ports.filter((_port, index) => !free[index]);
}

test('start, look, sign in, Ctrl-C, and start again where it was', async () => {
  // A port of its own, because other test files start stacks at the same time.
  const first = spark('start', '--day-seconds', '3600', '--port', String(await freePort()));
  await expect.poll(first.output, { timeout: UP_MS }).toContain('Ctrl-C stops it');
  await expect.poll(first.output).toMatch(/\n {2}member\n {2}ey/);

  const output = first.output();
  expect(output).toContain('npx spark keys login EMAIL');
  expect(output).not.toContain('--data');
  const address = (name: string) => new RegExp(`${name} +(http://\\S+)`).exec(output)?.[1] ?? '';
  const pages = [
    `${address('API').replace('/v1', '')}/readyz`,
    address('API docs'),
    address('Temporal UI'),
    address('Mailbox'),
  ];
  for (const page of pages) expect([page, (await fetch(page)).status]).toEqual([page, 200]);
  for (const role of ['admin', 'moderator', 'member']) {
    const token = new RegExp(`\\n {2}${role}\\n {2}(ey\\S+)`).exec(output)?.[1];
    const answer = await fetch(`${address('API')}/orgs`, { headers: { authorization: `Bearer ${token}` } });
    expect(await answer.json()).toMatchObject({ data: [{ name: 'Artist Spark', roles: [role] }] });
  }

  const doctor = spark('doctor');
  expect([await doctor.ended, doctor.output()]).toEqual([0, expect.stringContaining('in order')]);
  const second = spark('start');
  expect(await second.ended).toBe(1);
  expect(second.output()).toMatch(/in use by process \d+/);

  const before = records();
  expect(before.map(({ name }) => name).sort()).toEqual([
    'api',
    'postgres',
    'sandbox',
    'spark stack',
    'temporal',
    'worker',
  ]);
  process.kill(-(first.child.pid ?? 0), 'SIGINT');
  expect(await first.ended).toBe(0);
  expect(before.filter(isSameProcess)).toEqual([]);
  expect(await heldPorts()).toEqual([]);

  const again = spark('start', '--data', data);
  await expect.poll(again.output, { timeout: UP_MS }).toContain('Ctrl-C stops it');
  expect(again.output()).toContain(`API            ${address('API')}`);
  expect(again.output()).toContain(/Org "Artist Spark": \S+/.exec(output)?.[0] ?? 'an org');
  expect(again.output()).toContain('3600 s');
  // It can be typed as it is printed.
  const printed = /npx spark (doctor --data \S+?)\)/.exec(again.output())?.[1] ?? '';
  const beside = spark(...printed.split(' '));
  expect([await beside.ended, beside.output()]).toEqual([0, expect.stringContaining('in order')]);
  process.kill(-(again.child.pid ?? 0), 'SIGINT');
  expect(await again.ended).toBe(0);
  const stopped = spark('doctor', '--data', data);
  expect(await stopped.ended).toBe(1);
  expect(stopped.output()).toContain(
    `Run \`npx spark start --data ${data}\`, then \`npx spark doctor --data ${data}\` again.`,
  );
  expect(await heldPorts()).toEqual([]);
}, 300_000);
