/**
 * The database a command works on: DATABASE_URL if given, else the embedded one of the data folder, which is used
 * where a stack runs and started for the length of the command where none does. No command but `start` and `demo` makes
 * a data folder: with a mistyped one it would work on an empty database and look as if it had succeeded.
 */
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type DataFolder, defaultDataFolder, isDataFolder, openDataFolder } from '../sandbox/data-folder.js';
import { tryLock } from '../sandbox/folder-lock.js';
import { startPostgres } from '../sandbox/postgres.js';
import { runningPostgresUrl } from '../sandbox/running-postgres.js';
import { makeStackDatabase, STACK_DATABASE } from '../sandbox/stack-database.js';
import { STACK_LOCK } from '../sandbox/supervisor.js';
import { demoFolders } from './demo/folder.js';
import { say, sparkCommand } from './output.js';

export interface OwnerDatabase {
  /** Connection URL of the owner. */
  url: string;
  /** The embedded stack's folder; undefined with DATABASE_URL. */
  folder?: DataFolder;
  /** True when a whole stack runs on it now. */
  stackRuns: boolean;
}

export interface DatabaseChoice {
  data?: string | undefined;
}

const PATIENCE_MS = 60_000;
const POLL_MS = 200;

/**
 * Runs `work` with the database.
 * @throws Error when there is no data folder, or the embedded database cannot be reached or started; what `work` throws.
 */
export async function withOwnerDatabase<T>(
  choice: DatabaseChoice,
  work: (database: OwnerDatabase) => Promise<T>,
  env: NodeJS.ProcessEnv = process.env,
): Promise<T> {
  if (env.DATABASE_URL && choice.data === undefined) return work({ url: env.DATABASE_URL, stackRuns: false });
  const folder = openDataFolder(existing(choice, env));
  const deadline = Date.now() + PATIENCE_MS;
  for (let told = false; ; told = true) {
    const taken = tryLock(folder.lockFile, 'spark command');
    if ('lock' in taken) {
      try {
        return await onOwnServer(folder, work);
      } finally {
        taken.lock.release();
      }
    }
    const url =
      taken.holder.name === STACK_LOCK
        ? await runningPostgresUrl(folder.postgres, STACK_DATABASE)
        : undefined;
    if (url) return work({ url, folder, stackRuns: true });
    if (Date.now() > deadline) {
      throw new Error(
        `Process ${taken.holder.pid} (${taken.holder.name}) uses the data folder ${folder.root}, and its database does not answer. Wait for it, or stop it and try again.`,
      );
    }
    if (!told)
      say(`Waiting for process ${taken.holder.pid} (${taken.holder.name}), which uses ${folder.root}.`);
    await delay(POLL_MS);
  }
}

/** @throws Error naming the folder when there is none, or nothing of a stack in it. */
function existing({ data }: DatabaseChoice, env: NodeJS.ProcessEnv): string {
  const root = path.resolve(data ?? defaultDataFolder(env));
  if (isDataFolder(root)) return root;
  const others = [path.resolve(defaultDataFolder(env)), ...demoFolders()].filter(isDataFolder);
  const known = others.length === 0 ? '' : ` Others on this machine: ${others.join(', ')}.`;
  throw new Error(
    `There is no data folder at ${root}.${known} Start one with \`${sparkCommand('start', data)}\`, name yours with --data, or set DATABASE_URL to a database of your own.`,
  );
}

async function onOwnServer<T>(folder: DataFolder, work: (database: OwnerDatabase) => Promise<T>): Promise<T> {
  const state = folder.state();
  if (state && state.database !== 'embedded') {
    throw new Error(
      `The data folder ${folder.root} belongs to the database ${state.database}. Set DATABASE_URL to it, or choose another folder with --data.`,
    );
  }
  const server = await startPostgres({ folder: folder.postgres, port: state?.ports.postgres });
  try {
    await makeStackDatabase(server.adminUrl);
    return await work({ url: server.url(STACK_DATABASE), folder, stackRuns: false });
  } finally {
    await server.stop();
  }
}
