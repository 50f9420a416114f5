/** The migrated database that test databases are copied from: migrating once a run, copying in milliseconds. */
import pg from 'pg';
import { migrate } from '../../db/migrator.js';
import { TEMPLATE_DATABASE } from './provided-context.js';

/**
 * Makes and migrates the template.
 * @param adminUrl superuser connection
 * @param password given to the logins spark_api and spark_worker
 */
export async function makeTemplate(adminUrl: string, password: string): Promise<void> {
  const admin = new pg.Client({ connectionString: adminUrl });
  await admin.connect();
  try {
    await admin.query(`create database ${TEMPLATE_DATABASE}`);
  } finally {
    await admin.end();
  }
  const url = new URL(adminUrl);
  url.pathname = `/${TEMPLATE_DATABASE}`;
  await migrate({ url: url.href, loginPassword: password });
}
