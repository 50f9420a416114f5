/** The only entry of the workflow bundle: workflow functions, nothing else. Their names are permanent. */

export { accountHealthWorkflow } from './account-health/workflow.js';
export { assignmentWorkflow } from './assignment/workflow.js';
export { attributionWorkflow } from './attribution/workflow.js';
export { automationMailWorkflow } from './automation-mail/workflow.js';
export { dailyQueueWorkflow } from './daily-queue/workflow.js';
export { monthlyCreditGrantWorkflow } from './monthly-credit-grant/workflow.js';
export { reconcilerWorkflow } from './reconciler/workflow.js';
export { repostScheduleWorkflow } from './repost-schedule/workflow.js';
export { scheduledStartWorkflow } from './scheduled-start/workflow.js';
export { submissionReviewWorkflow } from './submission-review/workflow.js';
