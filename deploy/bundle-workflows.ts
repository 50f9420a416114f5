/** Bundles the workflow code into one file for SPARK_WORKFLOW_BUNDLE: `tsx deploy/bundle-workflows.ts FILE`. */
import { writeFile } from 'node:fs/promises';
import { bundleWorkflowCode } from '@temporalio/worker';
import { WORKFLOW_BUNDLE } from '../config/workflow-bundle.js';

const [file] = process.argv.slice(2);
if (!file) throw new Error('Name the file to write: tsx deploy/bundle-workflows.ts FILE');
const { code } = await bundleWorkflowCode(WORKFLOW_BUNDLE);
await writeFile(file, code);
