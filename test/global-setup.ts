/**
 * Servers of a test run, started once: PostgreSQL with the migrated template database, a Temporal development server,
 * and the program of the time-skipping server (which each file that needs it starts by itself).
 */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import type { TestProject } from 'vitest/node';
import { cacheFolder } from '../sandbox/cache-folder.js';
import { startPostgres } from '../sandbox/postgres.js';
import { startTemporal } from '../sandbox/temporal.js';
import { timeSkippingExecutable } from '../sandbox/time-skipping.js';
import { workflowBundle } from '../sandbox/workflow-bundle.js';
import {
  makeDisposableFolder,
  removeDisposableFolder,
  sweepDisposableFolders,
} from './support/disposable-folder.js';
import { makeTemplate } from './support/template-database.js';

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const report = (message: string) => console.error(`[servers] ${message}`);
  await sweepDisposableFolders();
  const folder = makeDisposableFolder();
  try {
    const [postgres, temporal, timeSkipping, bundle] = await Promise.all([
      startPostgres({ folder: path.join(folder, 'postgres'), durable: false, report }),
      startTemporal({ folder: path.join(folder, 'temporal'), persistent: false, report }),
      timeSkippingExecutable(report),
      workflowBundle(path.join(cacheFolder(), 'workflow-bundles')),
    ]);
    const password = randomBytes(18).toString('base64url');
    await makeTemplate(postgres.adminUrl, password);
    project.provide('postgresAdminUrl', postgres.adminUrl);
    project.provide('postgresLoginPassword', password);
    project.provide('temporalAddress', temporal.address);
    project.provide('timeSkippingExecutable', timeSkipping);
    project.provide('workflowBundle', bundle);
  } catch (error) {
    await removeDisposableFolder(folder);
    throw error;
  }
  return () => removeDisposableFolder(folder);
}
