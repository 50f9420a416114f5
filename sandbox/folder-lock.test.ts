import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { tryLock, waitForLock } from './folder-lock.js';
import { inspect, readRecord, writeRecord } from './recorded-process.js';

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lock-'));
  file = path.join(folder, 'lock');
});

afterEach(() => rmSync(folder, { recursive: true }));

/** A lock held by another living process, and that process. */
async function heldByAnother() {
  const holder = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e9)'], { stdio: 'ignore' });
  const pid = holder.pid ?? 0;
  await expect.poll(() => inspect(pid)?.commandLine).toContain('setInterval');
  const seen = inspect(pid);
  if (!seen) throw new Error('the holder does not run');
  writeRecord(file, { name: 'other', pid, ...seen, details: {} });
  const gone = new Promise((resolve) => holder.once('exit', resolve));
  const kill = () => {
    holder.kill('SIGKILL');
    return gone;
  };
  return { pid, kill };
}

test('a free lock is taken, and free again after its release', () => {
  const first = tryLock(file, 'first');
  if (!('lock' in first)) throw new Error('not taken');
  expect(readRecord(file)?.name).toBe('first');
  first.lock.release();
  expect(readdirSync(folder)).toEqual([]);
});

test('a lock of a living process is refused and names it', async () => {
  const other = await heldByAnother();
  try {
    const result = tryLock(file, 'second');
    expect('holder' in result && result.holder).toMatchObject({ pid: other.pid, name: 'other' });
    expect(readRecord(file)?.pid).toBe(other.pid);
  } finally {
    await other.kill();
  }
});

test('a lock of a killed process is taken over', async () => {
  const other = await heldByAnother();
  await other.kill();
  expect('lock' in tryLock(file, 'second')).toBe(true);
  expect(readRecord(file)?.pid).toBe(process.pid);
});

test('a damaged lock file blocks nobody', () => {
  writeFileSync(file, '{');
  expect('lock' in tryLock(file, 'second')).toBe(true);
});

test('waiting ends when the holder dies, and tells once for whom it waits', async () => {
  const other = await heldByAnother();
  const told: number[] = [];
  const waiting = waitForLock(file, 'second', ({ pid }) => told.push(pid));
  await expect.poll(() => told).toEqual([other.pid]);
  await other.kill();
  (await waiting).release();
  expect(told).toEqual([other.pid]);
});

test('waiting can be given up', async () => {
  const other = await heldByAnother();
  try {
    await expect(waitForLock(file, 'second', () => {}, AbortSignal.timeout(50))).rejects.toThrow();
  } finally {
    await other.kill();
  }
});

test('of several processes that meet a dead holder exactly one takes the lock', async () => {
  const other = await heldByAnother();
  await other.kill();
  const program = `
    import { tryLock } from ${JSON.stringify(new URL('./folder-lock.ts', import.meta.url).href)};
    const result = tryLock(${JSON.stringify(file)}, 'racer');
    console.log('lock' in result ? 'taken' : 'refused');
    setInterval(() => {}, 1e9);
  `;
  const racers = Array.from({ length: 4 }, () =>
    spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
  );
  try {
    const answers = await Promise.all(
      racers.map(
        (racer) =>
          new Promise<string>((resolve) => racer.stdout.once('data', (text) => resolve(String(text).trim()))),
      ),
    );
    expect(answers.sort()).toEqual(['refused', 'refused', 'refused', 'taken']);
  } finally {
    for (const racer of racers) racer.kill('SIGKILL');
  }
});
