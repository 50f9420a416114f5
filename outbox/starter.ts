/** Starts lifecycles by their business id; starting one that runs already is a success. */
import { type Client, WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/client';
import { TypedSearchAttributes } from '@temporalio/common';
import { searchAttributes } from '../workflows/shared/search-attributes.js';
import { type LifecycleStart, lifecycleOf } from './lifecycles.js';

export type LifecycleCondition = 'running' | 'missing' | 'failed' | 'ended';

export interface Starter {
  /** @returns false when it runs or ended well already. */
  start(lifecycle: LifecycleStart, orgId: string, entityId: string): Promise<boolean>;
  /** How the workflow of a row stands; `missing` also after retention. */
  inspect(workflowId: string): Promise<LifecycleCondition>;
  lifecycleOf(entityType: string, orgId: string, entityId: string): LifecycleStart | undefined;
  /** Starts the lifecycle of a row whose workflow is missing or failed. @returns false when there was nothing to start. */
  startAgain(entityType: string, orgId: string, entityId: string): Promise<boolean>;
}

export function createStarter(client: Client, taskQueue: string): Starter {
  const starter: Starter = {
    lifecycleOf,

    async startAgain(entityType, orgId, entityId) {
      const lifecycle = lifecycleOf(entityType, orgId, entityId);
      return lifecycle === undefined ? false : starter.start(lifecycle, orgId, entityId);
    },

    async start(lifecycle, orgId, entityId) {
      try {
        await client.workflow.start(lifecycle.workflowType, {
          workflowId: lifecycle.workflowId,
          taskQueue,
          args: lifecycle.args,
          // A lifecycle that ended well is never run again under the same id; one that failed may be.
          workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
          workflowIdConflictPolicy: 'FAIL',
          staticSummary: lifecycle.summary,
          staticDetails: lifecycle.details,
          typedSearchAttributes: new TypedSearchAttributes([
            { key: searchAttributes.orgId, value: orgId },
            { key: searchAttributes.entityId, value: entityId },
          ]),
        });
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
