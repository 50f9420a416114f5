/**
 * A submission review as it must never be shipped: the track is read before the review is opened, so a review that is
 * under way would not find its own history again. Replaying a recorded history must say so.
 */
import { workflowInfo } from '@temporalio/workflow';
import { databaseActivities, soundCloudActivities } from '../../workflows/shared/activities.js';
import type { SubmissionReviewInput } from '../../workflows/submission-review/contract.js';

export async function submissionReviewWorkflow(input: SubmissionReviewInput): Promise<void> {
  const target = { ...input, workflowId: workflowInfo().workflowId };
  await soundCloudActivities().describeTrack(target);
  await databaseActivities().openReview({ ...target, realNow: Date.now() });
}
