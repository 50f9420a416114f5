/**
 * Lets the Temporal SDK download one of its servers into a folder: `tsx sandbox/sdk-download.ts <which> <folder>`.
 * A program of its own, because loading the SDK's native runtime takes over the signals of its process.
 */
import { TestWorkflowEnvironment } from '@temporalio/testing';

const [which, downloadDir] = process.argv.slice(2);
if (!downloadDir || (which !== 'dev-server' && which !== 'time-skipping')) {
  console.error('usage: sdk-download dev-server|time-skipping FOLDER');
  process.exit(2);
}

try {
  const server = { executable: { type: 'cached-download', downloadDir } } as const;
  const environment =
    which === 'dev-server'
      ? await TestWorkflowEnvironment.createLocal({ server })
      : await TestWorkflowEnvironment.createTimeSkipping({ server });
  await environment.teardown();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exit(1);
}
