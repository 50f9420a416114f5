/** Where downloads and builds live: outside the repository, so that a fresh clone finds them again. */
import { accessSync, constants, mkdirSync } from 'node:fs';
import { homedir, tmpdir, userInfo } from 'node:os';
import path from 'node:path';

/**
 * The cache folder, made when missing: `$XDG_CACHE_HOME/artist-spark`, else `~/.cache/artist-spark`; where neither
 * can be written (read-only home, service accounts) a folder of this user below the temporary directory.
 * @throws Error naming the variable to set when none of them is writable.
 */
export function cacheFolder(): string {
  const wishes = [
    process.env.XDG_CACHE_HOME && path.join(process.env.XDG_CACHE_HOME, 'artist-spark'),
    path.join(homedir(), '.cache', 'artist-spark'),
    path.join(tmpdir(), `artist-spark-cache-${userInfo().uid}`),
  ];
  for (const wish of wishes) {
    if (!wish || !path.isAbsolute(wish)) continue;
    try {
      mkdirSync(wish, { recursive: true, mode: 0o700 });
      accessSync(wish, constants.R_OK | constants.W_OK | constants.X_OK);
      return wish;
    } catch {
      // Not ours to use: the next place is tried.
    }
  }
  throw new Error(
    `No folder for downloads can be written (tried ${wishes.filter(Boolean).join(', ')}). Set XDG_CACHE_HOME to a writable folder.`,
  );
}
