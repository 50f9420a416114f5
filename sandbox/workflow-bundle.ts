/**
 * Builds the workflow bundle once and keeps it by the content of its sources, so that a worker starts in a second
 * instead of bundling anew. The worker takes the file by SPARK_WORKFLOW_BUNDLE.
 */
import { createHash } from 'node:crypto';
import { access, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { WORKFLOW_BUNDLE } from '../config/workflow-bundle.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Everything the bundle is made of. */
const SOURCES = ['workflows', 'domain', 'package-lock.json', 'config/workflow-bundle.ts'];

/** @param folder where bundles are kept. @returns path of the bundle for the present sources. */
export async function workflowBundle(folder: string): Promise<string> {
  const path = join(folder, `workflows-${await fingerprint()}.js`);
  if (await exists(path)) return path;
  const { code } = await bundleWorkflowCode({
    ...WORKFLOW_BUNDLE,
    logger: new DefaultLogger('WARN'),
  });
  await mkdir(folder, { recursive: true });
  // Written aside and renamed, so that a reader never meets half a bundle.
  const unfinished = `${path}.${process.pid}`;
  await writeFile(unfinished, code);
  await rename(unfinished, path);
  return path;
}

async function fingerprint(): Promise<string> {
  const hash = createHash('sha256');
  for (const source of SOURCES) {
    for (const file of await filesOf(join(ROOT, source))) {
      if (file.endsWith('.test.ts')) continue;
      hash
        .update(file.slice(ROOT.length))
        .update('\0')
        .update(await readFile(file));
    }
  }
  return hash.digest('hex').slice(0, 16);
}

async function filesOf(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true, recursive: true }).catch(() => null);
  if (entries === null) return [path];
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
