/** Databases for tests: each its own copy of the migrated template. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import { TEMPLATE_DATABASE } from './provided-context.js';

export interface TestDatabase {
  name: string;
  /** The owner (superuser): bypasses row-level security. */
  adminUrl: string;
  /** The API's login. */
  apiUrl: string;
  /** The worker's login. */
  workerUrl: string;
  /** Ends every session in it and drops it. */
  drop(): Promise<void>;
}

/** A PostgreSQL server with the migrated template. */
export interface DatabaseServer {
  adminUrl: string;
  /** Password of the logins spark_api and spark_worker. */
  loginPassword: string;
}

/**
 * A new database on the run's PostgreSQL 18.
 * @param options.empty true = without migrations
 * @param options.server another server than the run's: one that a test stops, or a run without vitest
 */
export async function createTestDatabase(
  options: { empty?: boolean; server?: DatabaseServer } = {},
): Promise<TestDatabase> {
  const { adminUrl: server, loginPassword } = options.server ?? {
    adminUrl: inject('postgresAdminUrl'),
    loginPassword: inject('postgresLoginPassword'),
  };
  const name = `spark_test_${randomBytes(8).toString('hex')}`;
  await administer(
    server,
    `create database ${name} template ${options.empty ? 'template0' : TEMPLATE_DATABASE}`,
  );
  const url = (user?: string) => {
    const target = new URL(server);
    target.pathname = `/${name}`;
    if (user) {
      target.username = user;
      target.password = loginPassword;
    }
    return target.href;
  };
  return {
    name,
    adminUrl: url(),
    apiUrl: url('spark_api'),
    workerUrl: url('spark_worker'),
    drop: () => administer(server, `drop database if exists ${name} with (force)`),
  };
}

async function administer(adminUrl: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
