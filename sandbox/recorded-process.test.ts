import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  findRecorded,
  inspect,
  isSameProcess,
  onceNamed,
  ownRecord,
  type RunningProcess,
  readRecord,
  spawnRecorded,
  writeRecord,
} from './recorded-process.js';

const IDLE = ['-e', 'setInterval(() => {}, 1e9)'];

let folder: string;
let recordFile: string;
let started: RunningProcess[];

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'recorded-'));
  recordFile = path.join(folder, 'idle.json');
  started = [];
});

afterEach(async () => {
  for (const running of started) await running.stop('SIGKILL', 5_000);
  rmSync(folder, { recursive: true });
});

async function startIdle(args = IDLE): Promise<RunningProcess> {
  const running = await spawnRecorded({
    name: 'idle',
    executable: process.execPath,
    args,
    env: { PATH: process.env.PATH },
    logFile: path.join(folder, 'idle.log'),
    recordFile,
    details: { port: 1 },
  });
  started.push(running);
  return running;
}

describe('a recorded process', () => {
  test('is found again by its record, with what was noted about it', async () => {
    const running = await startIdle();
    const found = findRecorded(recordFile);
    expect(found?.record).toEqual(running.record);
    expect(found?.record.details).toEqual({ port: 1 });
  });

  test('is stopped through a record that another start wrote', async () => {
    const running = await startIdle();
    await findRecorded(recordFile)?.stop('SIGTERM', 5_000);
    expect(await running.exited).toBe('signal SIGTERM');
    expect(running.alive()).toBe(false);
    expect(readRecord(recordFile)).toBeUndefined();
  });

  test('gets the last signal when it ignores the first', async () => {
    const running = await startIdle([
      '-e',
      "process.on('SIGTERM', () => {}); console.log('deaf'); setInterval(() => {}, 1e9)",
    ]);
    await expect.poll(() => readLog(folder)).toContain('deaf');
    await running.stop('SIGTERM', 100, 'SIGKILL');
    expect(running.alive()).toBe(false);
  });

  test('has a session of its own, so that a Ctrl-C in our terminal does not reach it', async () => {
    const running = await startIdle();
    expect(() => process.kill(-running.record.pid, 0)).not.toThrow();
  });

  test('that ended is not found, and says how it ended', async () => {
    const running = await startIdle(['-e', 'process.exitCode = 3']);
    expect(await running.exited).toBe('exit code 3');
    expect(running.alive()).toBe(false);
    expect(findRecorded(recordFile)).toBeUndefined();
  });

  test('is recorded once the system knows its command line', async () => {
    const looks = ['', '', 'node idle.js'];
    const seen = await onceNamed(4711, () => ({ startTime: 'boot:1', commandLine: looks.shift() ?? '' }));
    expect(seen).toEqual({ startTime: 'boot:1', commandLine: 'node idle.js' });
    expect(await onceNamed(4711, () => undefined)).toBeUndefined();
  });

  test('that cannot be started says which one', async () => {
    await expect(
      spawnRecorded({
        name: 'ghost',
        executable: path.join(folder, 'nothing-here'),
        args: [],
        env: {},
        logFile: path.join(folder, 'ghost.log'),
        recordFile,
      }),
    ).rejects.toThrow(/ghost cannot be started/);
  });
});

describe('a stranger that has the pid of a record', () => {
  test.each([
    ['another start time', { startTime: 'boot:1' }],
    ['another command line', { commandLine: 'postgres -D /somewhere/else' }],
    ['no start time at all', { startTime: '' }],
  ])('is neither found nor stopped: %s', async (_name, change) => {
    const stranger = spawn(process.execPath, IDLE, { stdio: 'ignore' });
    try {
      const pid = stranger.pid ?? 0;
      await expect.poll(() => inspect(pid)?.commandLine).toContain('setInterval');
      const seen = inspect(pid);
      if (!seen) throw new Error('the stranger does not run');
      writeRecord(recordFile, { name: 'idle', pid, ...seen, details: {}, ...change });
      expect(findRecorded(recordFile)).toBeUndefined();
      await findRecorded(recordFile)?.stop('SIGKILL', 1_000);
      expect(inspect(pid)).toEqual(seen);
    } finally {
      stranger.kill('SIGKILL');
    }
  });

  test('a damaged record proves nothing', async () => {
    const running = await startIdle();
    writeRecord(recordFile, { ...running.record, pid: 'x' as unknown as number });
    expect(findRecorded(recordFile)).toBeUndefined();
    expect(running.alive()).toBe(true);
  });
});

test('our own process is the one its record says', () => {
  expect(isSameProcess(ownRecord('test'))).toBe(true);
  expect(isSameProcess({ ...ownRecord('test'), pid: 1 })).toBe(false);
});

function readLog(where: string): string {
  return readFileSync(path.join(where, 'idle.log'), 'utf8');
}
