/** What Temporal knows of a review, for the facts of the demo. */
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { searchAttributes } from '../../workflows/shared/search-attributes.js';
import { submissionReviewState } from '../../workflows/submission-review/contract.js';
import type { WorkflowFact } from './facts.js';

export interface ListedRun {
  workflowId: string;
  status: string;
  type: string;
}

/** All runs of an org's workflows. */
export async function listRuns(client: Client, orgId: string): Promise<ListedRun[]> {
  const runs: ListedRun[] = [];
  for await (const { workflowId, status, type } of client.workflow.list({ query: `OrgId = '${orgId}'` })) {
    runs.push({ workflowId, status: status.name, type });
  }
  return runs;
}

/** @returns null when there is no such workflow. */
export async function workflowFact(
  client: Client,
  workflowId: string,
  runs: readonly ListedRun[],
): Promise<WorkflowFact | null> {
  const handle = client.workflow.getHandle(workflowId);
  try {
    const [{ status, typedSearchAttributes: attributes }, history, view] = await Promise.all([
      handle.describe(),
      handle.fetchHistory(),
      handle.query(submissionReviewState),
    ]);
    const signals: string[] = [];
    const updates: string[] = [];
    const workers: string[] = [];
    for (const event of history.events ?? []) {
      const signal = event.workflowExecutionSignaledEventAttributes?.signalName;
      const update = event.workflowExecutionUpdateAcceptedEventAttributes?.acceptedRequest?.input?.name;
      const worker = event.workflowTaskCompletedEventAttributes?.identity;
      if (signal) signals.push(signal);
      if (update) updates.push(update);
      if (worker && workers.at(-1) !== worker) workers.push(worker);
    }
    return {
      status: status.name,
      runs: Math.max(
        1,
        runs.filter((run) => run.workflowId === workflowId && run.status !== 'CONTINUED_AS_NEW').length,
      ),
      stage: attributes.get(searchAttributes.stage) ?? null,
      waitingOn: attributes.get(searchAttributes.waitingOn) ?? null,
      dueAt: attributes.get(searchAttributes.dueAt)?.getTime() ?? null,
      breached: attributes.get(searchAttributes.breached) ?? false,
      signals,
      updates,
      workers,
      slaElapsedMs: view.state?.sla.elapsedMs ?? null,
    };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}
