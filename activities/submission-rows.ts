/** What the activities of a submission review share: whom they are about, its row and its wait. */
import type { Trx } from '../db/client.js';
import { loadSubmission, type SubmissionRow } from '../db/submissions.js';
import type { WaitKey } from '../db/waits.js';
import type { SubmissionRefusalCode } from '../domain/submission-commands.js';
import { notFound } from './failures.js';

export interface ReviewTarget {
  orgId: string;
  submissionId: string;
  workflowId: string;
}

export type Refused = { applied: false; code: SubmissionRefusalCode; reason: string };

/** The row, locked until the transaction ends. @throws ApplicationFailure `not_found` */
export async function lockSubmission(trx: Trx, orgId: string, submissionId: string): Promise<SubmissionRow> {
  const submission = await loadSubmission(trx, orgId, submissionId, { lock: true });
  if (submission === undefined) throw notFound(`Submission ${submissionId} does not exist in org ${orgId}.`);
  return submission;
}

export function waitKey(target: ReviewTarget): WaitKey {
  return {
    orgId: target.orgId,
    workflowId: target.workflowId,
    entityType: 'submission',
    entityId: target.submissionId,
  };
}
