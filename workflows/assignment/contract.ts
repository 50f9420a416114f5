/** The public face of an assignment: one repost by one supporter. Names and ids are permanent. */

export const ASSIGNMENT_TYPE = 'assignmentWorkflow';

export function assignmentWorkflowId(orgId: string, assignmentId: string): string {
  return `assignment:${orgId}:${assignmentId}`;
}

export interface AssignmentInput {
  orgId: string;
  assignmentId: string;
}
