/** A lock file that dies with its holder: a killed holder blocks nobody. */
import { linkSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isSameProcess, ownRecord, type ProcessRecord, readRecord, writeRecord } from './recorded-process.js';

export interface FolderLock {
  release(): void;
}

const POLL_MS = 200;

/**
 * Takes a lock if nobody alive holds it.
 * @returns the lock, or the record of the process that holds it.
 */
export function tryLock(file: string, name: string): { lock: FolderLock } | { holder: ProcessRecord } {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const own = ownRecord(name);
  const claim = `${file}.${process.pid}.claim`;
  for (;;) {
    writeRecord(claim, own);
    try {
      // A link appears whole, with its content, or not at all.
      linkSync(claim, file);
      return { lock: { release: () => releaseOwn(file, own) } };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    } finally {
      rmSync(claim, { force: true });
    }
    const holder = readRecord(file);
    if (holder && isSameProcess(holder)) return { holder };
    const quicker = removeStale(file);
    if (quicker) return { holder: quicker };
  }
}

/**
 * Waits for a lock.
 * @param waiting told once when somebody else holds it.
 */
export async function waitForLock(
  file: string,
  name: string,
  waiting: (holder: ProcessRecord) => void,
  signal?: AbortSignal,
): Promise<FolderLock> {
  for (let told = false; ; told = true) {
    const result = tryLock(file, name);
    if ('lock' in result) return result.lock;
    if (!told) waiting(result.holder);
    await delay(POLL_MS, undefined, { signal });
  }
}

/** Moves a dead holder's file away; answers with the living holder if one took the lock in the meantime. */
function removeStale(file: string): ProcessRecord | undefined {
  const aside = `${file}.${process.pid}.stale`;
  try {
    renameSync(file, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const moved = readRecord(aside);
    if (!moved || !isSameProcess(moved)) return undefined;
    // Between our look and the move another start replaced the stale file: the lock is given back to it.
    linkSync(aside, file);
    return moved;
  } finally {
    rmSync(aside, { force: true });
  }
}

function releaseOwn(file: string, own: ProcessRecord): void {
  const current = readRecord(file);
  if (current?.pid === own.pid && current.startTime === own.startTime) rmSync(file, { force: true });
}
