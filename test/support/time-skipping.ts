/** The time-skipping server of a test file. */
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { inject } from 'vitest';

/** The SDK gives a server five seconds; where it runs in Java, a busy machine needs more than one try. */
const TRIES = 6;

/** Starts a server of its own; `teardown()` ends it. @throws Error of the last try. */
export async function startTimeSkipping(): Promise<TestWorkflowEnvironment> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await TestWorkflowEnvironment.createTimeSkipping({
        server: { executable: { type: 'existing-path', path: inject('timeSkippingExecutable') } },
      });
    } catch (error) {
      if (tries === TRIES) throw error;
    }
  }
}
