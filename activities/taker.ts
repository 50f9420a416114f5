import { activityInfo } from '@temporalio/activity';

/** The call this is a try of: the same for all its tries (db/steps.ts, `Step.taker`). */
export function taker(): string {
  const { workflowExecution, activityId } = activityInfo();
  return `${workflowExecution?.runId}:${activityId}`;
}
