/** What ops are asked about an assignment. */
import type { Trx } from '../db/client.js';
import { type OpsTaskAction, openOpsTask } from '../db/ops-tasks.js';
import type { AssignmentTask } from '../domain/assignment-state.js';

/** Writes the task with its possible answers; each kind is asked once for each assignment. */
export async function openAssignmentTask(
  trx: Trx,
  target: { orgId: string; assignmentId: string; workflowId: string },
  task: AssignmentTask,
  label: string,
): Promise<void> {
  const { orgId, assignmentId, workflowId } = target;
  // The assignment is settled when it is audited: nobody waits for the answer.
  const waitedFor = task.kind === 'proof_unverified';
  await openOpsTask(trx, {
    orgId,
    kind: task.kind,
    title: task.title,
    body: `${label}. ${task.body}`,
    entityType: 'assignment',
    entityId: assignmentId,
    workflowId: waitedFor ? workflowId : null,
    actions: waitedFor ? answers(assignmentId) : [],
    dueAt: task.dueAt,
    dedupeKey: `${task.kind}:${assignmentId}`,
  });
}

function answers(assignmentId: string): OpsTaskAction[] {
  const path = `/v1/assignments/${assignmentId}/override`;
  const answer = (label: string, outcome: string): OpsTaskAction => ({
    label,
    method: 'POST',
    path,
    body: { outcome },
    needs: ['reason'],
  });
  return [
    answer('The repost is there', 'completed'),
    answer('It could not be made', 'skipped'),
    answer('It was not made', 'failed'),
  ];
}
