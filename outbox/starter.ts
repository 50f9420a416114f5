/** Starts lifecycles by their business id; starting one that runs already is a success. */
import { type Client, WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/client';
import { type LifecycleStart, lifecycleOf } from './lifecycles.js';

export type LifecycleCondition = 'running' | 'missing' | 'failed' | 'ended';

export interface Starter {
  /** @returns false when it runs or ended well already. */
  start(lifecycle: LifecycleStart): Promise<boolean>;
  /** How the workflow of a row stands; `missing` also after retention. */
  inspect(workflowId: string): Promise<LifecycleCondition>;
  lifecycleOf(entityType: string, orgId: string, entityId: string): LifecycleStart | undefined;
  /** Starts the lifecycle of a row whose workflow is missing or failed. @returns false when there was nothing to start. */
  startAgain(entityType: string, orgId: string, entityId: string): Promise<boolean>;
}

/** A server that hangs must not hold the relay's transaction open, real ms. */
const DEADLINE_MS = 10_000;

export function createStarter(client: Client, taskQueue: string): Starter {
  const starter: Starter = {
    lifecycleOf,

    async startAgain(entityType, orgId, entityId) {
      const lifecycle = lifecycleOf(entityType, orgId, entityId);
      return lifecycle === undefined ? false : starter.start(lifecycle);
    },

    async start(lifecycle) {
      try {
        await client.withDeadline(Date.now() + DEADLINE_MS, () =>
          client.workflow.start(lifecycle.workflowType, {
            workflowId: lifecycle.workflowId,
            taskQueue,
            args: lifecycle.args,
            // A lifecycle that ended well is never run again under the same id; one that failed may be.
            workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
            workflowIdConflictPolicy: 'FAIL',
            staticSummary: lifecycle.summary,
            staticDetails: lifecycle.details,
            typedSearchAttributes: lifecycle.typedSearchAttributes,
          }),
        );
        return true;
      } catch (error) {
        if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
        throw error;
      }
    },

    async inspect(workflowId) {
      try {
        const { status } = await client.workflow.getHandle(workflowId).describe();
        if (status.name === 'RUNNING' || status.name === 'CONTINUED_AS_NEW' || status.name === 'PAUSED')
          return 'running';
        return status.name === 'COMPLETED' ? 'ended' : 'failed';
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return 'missing';
        throw error;
      }
    },
  };
  return starter;
}
