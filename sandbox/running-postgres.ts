/** Finds the embedded PostgreSQL of a folder without starting it. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { answers, serverUrl } from './postgres.js';
import { findRecorded } from './recorded-process.js';

/** The superuser's URL of a database on the server that runs in this folder; undefined when none does or it is not ready. */
export async function runningPostgresUrl(folder: string, database: string): Promise<string | undefined> {
  const running = findRecorded(path.join(folder, 'process.json'));
  const passwordFile = path.join(folder, 'password');
  if (!running || !existsSync(passwordFile)) return undefined;
  const port = Number(running.record.details.port);
  const url = serverUrl(port, readFileSync(passwordFile, 'utf8').trim(), database);
  return (await answers(url, 3_000)) ? url : undefined;
}
