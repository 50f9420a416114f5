/** The demo's own data folder: made anew for each run, removed after it, also after a run that was killed. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openDataFolder } from '../../sandbox/data-folder.js';
import { removePostgres } from '../../sandbox/postgres.js';
import { PROGRAMS } from '../../sandbox/programs.js';
import {
  findRecorded,
  isSameProcess,
  ownRecord,
  readRecord,
  writeRecord,
} from '../../sandbox/recorded-process.js';
import { sparkCommand } from '../output.js';

const PREFIX = 'artist-spark-demo-';
/** Names the process whose run the folder belongs to. */
const OWNER = 'demo-owner.json';
const GRACE_MS = 5_000;

/**
 * Makes the folder of a run.
 * @param wish the folder to use; must be missing or empty
 * @throws Error when it holds something: the demo would mix its data with that, and remove it.
 */
export function makeDemoFolder(wish: string | undefined): string {
  if (wish === undefined) return owned(mkdtempSync(path.join(tmpdir(), PREFIX)));
  const folder = path.resolve(wish);
  if (existsSync(folder) && readdirSync(folder).length > 0) {
    throw new Error(
      `${folder} is not empty. The demo starts from nothing: name a new folder with --data, or leave it out. To go on with a demo that was kept: ${sparkCommand('start', folder)}`,
    );
  }
  mkdirSync(folder, { recursive: true });
  return owned(folder);
}

/** The folder outlives the run (--keep): no later demo removes it. */
export function keepDemoFolder(folder: string): void {
  rmSync(path.join(folder, OWNER), { force: true });
}

/** Stops what still runs in a folder and removes it. */
export async function removeDemoFolder(folder: string): Promise<void> {
  const { recordFile, postgres, temporal } = openDataFolder(folder);
  for (const { name } of [...PROGRAMS].reverse()) {
    await findRecorded(recordFile(name))?.stop('SIGTERM', GRACE_MS);
  }
  await findRecorded(path.join(temporal, 'process.json'))?.stop('SIGTERM', GRACE_MS);
  await removePostgres(postgres);
  rmSync(folder, { recursive: true, force: true });
}

/** Demo folders below the temporary folder, kept or left behind. */
export function demoFolders(): string[] {
  return readdirSync(tmpdir())
    .filter((entry) => entry.startsWith(PREFIX))
    .map((entry) => path.join(tmpdir(), entry));
}

/** Clears what runs left behind that were killed: servers that still run, and their folders. */
export async function sweepDemoFolders(report: (message: string) => void): Promise<void> {
  for (const folder of demoFolders()) {
    const ownerFile = path.join(folder, OWNER);
    if (!existsSync(ownerFile)) continue;
    const owner = readRecord(ownerFile);
    if (!owner || isSameProcess(owner)) continue;
    report(`Removing ${folder}, which an earlier demo left behind when it was killed.`);
    await removeDemoFolder(folder);
  }
}

function owned(folder: string): string {
  writeRecord(path.join(folder, OWNER), ownRecord('spark demo'));
  writeFileSync(
    path.join(folder, 'README'),
    'Data of an Artist Spark demo. Once it is stopped, it may be deleted. Made as root, its database may lie in\n/var/lib/artist-spark/data/<id>: postgres/home says where, and that folder may be deleted too.\n',
  );
  return folder;
}
