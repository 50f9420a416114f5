/** Who takes a step (db/steps.ts). */
import { activityInfo } from '@temporalio/activity';

/** The call this is a try of: the same for all its tries. */
export function taker(): string {
  const { workflowExecution, activityId } = activityInfo();
  return `${workflowExecution?.runId}:${activityId}`;
}
