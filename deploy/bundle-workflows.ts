/** Bundles the workflow code into one file for SPARK_WORKFLOW_BUNDLE: `tsx deploy/bundle-workflows.ts FILE`. */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';

const [file] = process.argv.slice(2);
if (!file) throw new Error('Name the file to write: tsx deploy/bundle-workflows.ts FILE');
const { code } = await bundleWorkflowCode({
  workflowsPath: fileURLToPath(new URL('../workflows/index.ts', import.meta.url)),
});
await writeFile(file, code);
