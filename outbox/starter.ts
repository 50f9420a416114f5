/** Starts lifecycles by their business id; starting one that runs already is a success. */
import {
  type Client,
  ServiceError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
} from '@temporalio/client';
import { type Deadline, inTime } from './deadline.js';
import { type LifecycleRow, type LifecycleStart, lifecycleOf } from './lifecycles.js';
import type { Handover } from './routes.js';
import { mayPass } from './server-errors.js';

export type LifecycleCondition = 'running' | 'missing' | 'failed' | 'ended' | 'unknown';

export interface Starter {
  /** @returns false when it runs or ended well already. */
  start(lifecycle: LifecycleStart): Promise<boolean>;
  /** Does what an event asks for. A lifecycle that has ended is neither told nor run again, unless it is asked to. */
  handOver(handover: Handover): Promise<void>;
  /** How the workflow of a row stands; `missing` also after retention, `unknown` when Temporal does not say in time. */
  inspect(workflowId: string): Promise<LifecycleCondition>;
  /**
   * Those of these workflows that run as far as Temporal's list of workflows knows: it is a little behind, so one that is
   * missing from it must be inspected. Undefined when there is no list to be had.
   */
  listedAsRunning(workflowIds: readonly string[]): Promise<Set<string> | undefined>;
  /** Whether Temporal answers at all: asked for a workflow that nobody has, as far as the place where histories are kept. */
  answers(): Promise<boolean>;
  lifecycleOf(row: LifecycleRow): LifecycleStart | undefined;
  /** Starts the lifecycle of a row whose workflow is missing or failed. @returns false when there was nothing to start. */
  startAgain(row: LifecycleRow): Promise<boolean>;
}

/** What {@link Starter.answers} asks for. */
const NOBODYS_WORKFLOW = 'is-temporal-there';

/** @param deadline of each request */
export function createStarter(client: Client, taskQueue: string, deadline: Deadline = {}): Starter {
  const starter: Starter = {
    lifecycleOf,

    async startAgain(row) {
      const lifecycle = lifecycleOf(row);
      return lifecycle === undefined ? false : starter.start(lifecycle);
    },

    async start(lifecycle) {
      return unlessStarted(() =>
        client.workflow.start(lifecycle.workflowType, {
          ...startOptions(lifecycle),
          workflowIdReusePolicy: lifecycle.mayRunAgain ? 'ALLOW_DUPLICATE' : 'ALLOW_DUPLICATE_FAILED_ONLY',
          workflowIdConflictPolicy: 'FAIL',
        }),
      );
    },

    async handOver({ lifecycle, signal, again = false }) {
      if (signal === undefined) {
        await starter.start(lifecycle);
        return;
      }
      await unlessStarted(() =>
        client.workflow.signalWithStart(lifecycle.workflowType, {
          ...startOptions(lifecycle),
          signal: signal.name,
          signalArgs: [signal.input],
          workflowIdReusePolicy: again ? 'ALLOW_DUPLICATE' : 'ALLOW_DUPLICATE_FAILED_ONLY',
        }),
      );
    },

    async listedAsRunning(workflowIds) {
      const listed = new Set<string>();
      // An id is made of ids and dates; one that is not cannot be asked for this way.
      const ids = workflowIds.filter((id) => !/['\\]/.test(id));
      if (ids.length === 0) return listed;
      const query = `ExecutionStatus = 'Running' AND WorkflowId IN (${ids.map((id) => `'${id}'`).join(', ')})`;
      try {
        await ask(async () => {
          for await (const { workflowId } of client.workflow.list({ query, pageSize: ids.length })) {
            listed.add(workflowId);
          }
        });
      } catch (error) {
        if (error instanceof ServiceError) return undefined;
        throw error;
      }
      return listed;
    },

    async answers() {
      try {
        return (await starter.inspect(NOBODYS_WORKFLOW)) !== 'unknown';
      } catch (error) {
        if (error instanceof ServiceError) return false;
        throw error;
      }
    },

    async inspect(workflowId) {
      try {
        const { status } = await ask(() => client.workflow.getHandle(workflowId).describe());
        if (status.name === 'RUNNING' || status.name === 'CONTINUED_AS_NEW' || status.name === 'PAUSED')
          return 'running';
        return status.name === 'COMPLETED' ? 'ended' : 'failed';
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return 'missing';
        if (mayPass(error)) return 'unknown';
        throw error;
      }
    },
  };
  return starter;

  function ask<R>(request: () => Promise<R>): Promise<R> {
    return inTime(client, request, deadline);
  }

  function startOptions(lifecycle: LifecycleStart) {
    return {
      workflowId: lifecycle.workflowId,
      taskQueue,
      args: lifecycle.args,
      staticSummary: lifecycle.summary,
      staticDetails: lifecycle.details,
      typedSearchAttributes: lifecycle.typedSearchAttributes,
    };
  }

  async function unlessStarted(start: () => Promise<unknown>): Promise<boolean> {
    try {
      await ask(start);
      return true;
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
      throw error;
    }
  }
}
