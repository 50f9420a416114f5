/** Servers of a benchmark: embedded Postgres, a Temporal dev server in memory, the stand-ins, one org, one worker. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { type Config, readConfig } from '../config/config.js';
import { createLogger } from '../config/log.js';
import { createDatabase, type Db } from '../db/client.js';
import { migrate } from '../db/migrator.js';
import { createOrg, setClock } from '../db/setup.js';
import { createSandboxAdmin, type SandboxAdmin } from '../sandbox/admin-client.js';
import { cacheFolder } from '../sandbox/cache-folder.js';
import { removePostgres, startPostgres } from '../sandbox/postgres.js';
import { startSandboxSystems } from '../sandbox/systems.js';
import { startTemporal } from '../sandbox/temporal.js';
import { workflowBundle } from '../sandbox/workflow-bundle.js';
import { prepareTemporal, startWorker } from '../worker.js';

export interface BenchStack {
  /** The owner. */
  db: Db;
  config: Config;
  client: Client;
  sandbox: SandboxAdmin;
  orgId: string;
  adminId: string;
  stop(): Promise<void>;
}

/** @param report progress, one line at a time. */
export async function startBenchStack(report: (line: string) => void): Promise<BenchStack> {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const folder = await mkdtemp(path.join(tmpdir(), 'artist-spark-bench-'));
  const password = randomBytes(18).toString('base64url');
  const postgres = await startPostgres({ folder: path.join(folder, 'postgres'), durable: false, report });
  const temporal = await startTemporal({ folder: path.join(folder, 'temporal'), persistent: false, report });
  const systems = await startSandboxSystems({
    dataDir: path.join(folder, 'sandbox'),
    mailLimit: { requests: 1_000_000, windowMs: 1_000 },
  });
  await migrate({ url: postgres.adminUrl, loginPassword: password });
  const login = (user: string) => {
    const url = new URL(postgres.adminUrl);
    url.username = user;
    url.password = password;
    return url.href;
  };
  const config = readConfig({
    ...systems.env,
    SPARK_WORKFLOW_BUNDLE: await workflowBundle(path.join(cacheFolder(), 'workflow-bundles')),
    DATABASE_URL: postgres.adminUrl,
    SPARK_API_DATABASE_URL: login('spark_api'),
    SPARK_WORKER_DATABASE_URL: login('spark_worker'),
    TEMPORAL_ADDRESS: temporal.address,
    // What is measured is the lifecycle, not the limits of a mail plan.
    RESEND_REQUESTS_PER_SECOND: '1000000',
    SPARK_ORG_SCHEDULES: 'off',
    LOG_LEVEL: 'silent',
  });
  const db = createDatabase(postgres.adminUrl, { max: 20 });
  // Shorter days raise the request limits in step; no deadline is reached within a round.
  await setClock(db, { daySeconds: 600 });
  const org = await createOrg(db, { name: 'Bench', adminEmail: 'admin@bench.test' });
  await prepareTemporal(config, createLogger('bench', 'silent'));
  const worker = await startWorker(config, createLogger('bench', 'silent'));
  const connection = await Connection.connect({ address: config.TEMPORAL_ADDRESS });
  return {
    db,
    config,
    client: new Client({ connection }),
    sandbox: createSandboxAdmin(systems.urls),
    orgId: org.orgId,
    adminId: org.userId,
    async stop() {
      await worker.stop();
      await connection.close();
      await db.destroy();
      await systems.stop();
      await temporal.stop();
      await postgres.stop();
      await removePostgres(path.join(folder, 'postgres'));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
