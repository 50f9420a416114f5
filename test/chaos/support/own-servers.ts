/** Servers that a test stops and starts, in a folder that a later run clears when this one is killed. */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { type PostgresServer, startPostgres } from '../../../sandbox/postgres.js';
import { startTemporal, type TemporalOptions, type TemporalServer } from '../../../sandbox/temporal.js';
import type { DatabaseServer } from '../../support/database.js';
import { makeDisposableFolder, removeDisposableFolder } from '../../support/disposable-folder.js';
import { makeTemplate } from '../../support/template-database.js';

export interface OwnTemporal {
  address: string;
  stop(): Promise<void>;
  /** Starts it again, on the same ports and the same database file. */
  start(): Promise<void>;
  remove(): Promise<void>;
}

/** A Temporal server of the test's own, which keeps what it knows in a file. */
export async function ownTemporal(
  options: Pick<TemporalOptions, 'dynamicConfig'> = {},
): Promise<OwnTemporal> {
  const folder = makeDisposableFolder();
  const common = { folder: path.join(folder, 'temporal'), persistent: true, ...options };
  let server: TemporalServer = await startTemporal(common);
  const { address, port, uiPort } = server;
  return {
    address,
    stop: () => server.stop(),
    async start() {
      server = await startTemporal({ ...common, port, uiPort, fixedPorts: true });
    },
    remove: () => removeDisposableFolder(folder),
  };
}

export interface OwnPostgres {
  database: DatabaseServer;
  stop(): Promise<void>;
  /** Starts it again, on the same port and data. */
  start(): Promise<void>;
  remove(): Promise<void>;
}

/** A PostgreSQL server of the test's own, with the migrated template. */
export async function ownPostgres(): Promise<OwnPostgres> {
  const folder = makeDisposableFolder();
  const common = { folder: path.join(folder, 'postgres'), durable: false };
  let server: PostgresServer = await startPostgres(common);
  const { port, adminUrl } = server;
  const loginPassword = randomBytes(18).toString('base64url');
  await makeTemplate(adminUrl, loginPassword);
  return {
    database: { adminUrl, loginPassword },
    stop: () => server.stop(),
    async start() {
      server = await startPostgres({ ...common, port, fixedPort: true });
    },
    remove: () => removeDisposableFolder(folder),
  };
}
