import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { runWithProgress, seconds } from './obtain.js';
import { inspect } from './recorded-process.js';

const silent = { label: 'working', report: () => {}, timeoutMs: 30_000 };

test('a program that ends well has no trouble to tell', async () => {
  expect(await runWithProgress('true', [], silent)).toBeUndefined();
});

test('the end of the output and the code explain a failure', async () => {
  expect(await runWithProgress('sh', ['-c', 'echo it broke >&2; exit 3'], silent)).toBe(
    'sh ended with code 3: it broke',
  );
});

test('a missing program is named', async () => {
  expect(await runWithProgress('no-such-program', [], silent)).toBe('no-such-program is not installed');
});

test('elapsed time is reported while it runs', async () => {
  const told: string[] = [];
  const giveUp = new AbortController();
  const running = runWithProgress('sleep', ['60'], {
    ...silent,
    report: (line) => told.push(line),
    everyMs: 10,
    signal: giveUp.signal,
  });
  await expect.poll(() => told.length).toBeGreaterThan(1);
  giveUp.abort(new Error('enough'));
  await expect(running).rejects.toThrow('enough');
  expect(told[0]).toBe('working: 0 s so far');
});

test('a program that takes too long is ended', async () => {
  expect(await runWithProgress('sleep', ['600'], { ...silent, timeoutMs: 50 })).toBe(
    'sleep did not finish within 0 s',
  );
});

test('what the program started is ended with it', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'obtain-'));
  try {
    const pidFile = path.join(folder, 'pid');
    const giveUp = new AbortController();
    const running = runWithProgress('sh', ['-c', `sleep 600 & echo $! > ${pidFile}; wait`], {
      ...silent,
      signal: giveUp.signal,
    });
    await expect.poll(() => existsSync(pidFile) && readFileSync(pidFile, 'utf8')).toMatch(/\n$/);
    const child = Number(readFileSync(pidFile, 'utf8'));
    expect(inspect(child)).toBeDefined();
    giveUp.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
    await expect.poll(() => inspect(child)).toBeUndefined();
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('time is written as people read it', () => {
  expect([seconds(999), seconds(59_400), seconds(75_000)]).toEqual(['1 s', '59 s', '1 min 15 s']);
});
