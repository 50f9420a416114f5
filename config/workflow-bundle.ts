/** What the workflow code is bundled from, and how: the same for every way a bundle is made. */
import { fileURLToPath } from 'node:url';

export const WORKFLOW_BUNDLE = {
  workflowsPath: fileURLToPath(new URL('../workflows/index.ts', import.meta.url)),
  /**
   * Evaluated once for all workflows instead of anew for each instance, which was the largest cost of starting one.
   * Only libraries whose module scope holds no state of a workflow: zod has schemas, luxon caches of calendars.
   */
  preloadModules: ['zod', 'luxon'],
};
