/** An embedded Postgres of a benchmark, migrated, in a folder that goes away with it. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createDatabase, type Db } from '../db/client.js';
import { migrate } from '../db/migrator.js';
import { removePostgres, startPostgres } from '../sandbox/postgres.js';

export interface BenchDatabase {
  /** The owner. */
  db: Db;
  ownerUrl: string;
  apiUrl: string;
  workerUrl: string;
  /** For further servers of the benchmark. */
  folder: string;
  stop(): Promise<void>;
}

/**
 * @param report progress, one line at a time.
 * @param durable true: with fsync and full-page writes, as PostgreSQL is set up by default.
 */
export async function startBenchDatabase(
  report: (line: string) => void,
  { durable = false } = {},
): Promise<BenchDatabase> {
  const folder = await mkdtemp(path.join(tmpdir(), 'artist-spark-bench-'));
  const loginPassword = randomBytes(18).toString('base64url');
  const postgres = await startPostgres({ folder: path.join(folder, 'postgres'), durable, report });
  await migrate({ url: postgres.adminUrl, loginPassword });
  const login = (user: string) => {
    const url = new URL(postgres.adminUrl);
    url.username = user;
    url.password = loginPassword;
    return url.href;
  };
  const db = createDatabase(postgres.adminUrl, { max: 20 });
  return {
    db,
    ownerUrl: postgres.adminUrl,
    apiUrl: login('spark_api'),
    workerUrl: login('spark_worker'),
    folder,
    async stop() {
      await db.destroy();
      await postgres.stop();
      await removePostgres(path.join(folder, 'postgres'));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
