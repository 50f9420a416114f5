/** The only entry of the workflow bundle: workflow functions, nothing else. Their names are permanent. */

export { reconcilerWorkflow } from './reconciler/workflow.js';
export { repostScheduleWorkflow } from './repost-schedule/workflow.js';
export { scheduledStartWorkflow } from './scheduled-start/workflow.js';
export { submissionReviewWorkflow } from './submission-review/workflow.js';
