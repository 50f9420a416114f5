/** Folders of servers that belong to one test run, found again and cleared by a later run when that one was killed. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { tryLock } from '../../sandbox/folder-lock.js';
import { removePostgres } from '../../sandbox/postgres.js';
import {
  findRecorded,
  isSameProcess,
  ownRecord,
  readRecord,
  writeRecord,
} from '../../sandbox/recorded-process.js';

const PREFIX = 'artist-spark-test-';
const OWNER = 'owner.json';

/** A new folder owned by this process. */
export function makeDisposableFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), PREFIX));
  writeRecord(path.join(folder, OWNER), ownRecord('test run'));
  return folder;
}

/** Stops the servers of a folder and removes it. */
export async function removeDisposableFolder(folder: string): Promise<void> {
  await findRecorded(path.join(folder, 'temporal', 'process.json'))?.stop('SIGTERM', 5_000);
  await removePostgres(path.join(folder, 'postgres'));
  rmSync(folder, { recursive: true, force: true });
}

/** Clears what killed runs left behind: folders with the record of an owner that no longer runs. */
export async function sweepDisposableFolders(): Promise<void> {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(PREFIX))) {
    const folder = path.join(tmpdir(), name);
    const ownerFile = path.join(folder, OWNER);
    if (!existsSync(ownerFile)) continue;
    const owner = readRecord(ownerFile);
    if (!owner || isSameProcess(owner)) continue;
    // Another run may be clearing it at this moment.
    const claim = tryLock(path.join(folder, 'sweep.lock'), 'sweep');
    if ('lock' in claim) await removeDisposableFolder(folder);
  }
}
