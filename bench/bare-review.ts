/**
 * The yardstick of bench/review: the transactions and calls of a rejected review, one after the other, and nothing
 * else: no waiting, no timers, no commands, no search attributes, no details, no courier. Not part of the product.
 */
import { proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { Activities } from '../activities/index.js';
import { toBusiness } from '../domain/calendar.js';
import { applyCommand, recordIntake } from '../domain/submission-review.js';

export interface BareReviewInput {
  orgId: string;
  submissionId: string;
  by: string;
  reason: string;
  /** Task queue of the worker that runs the activities. */
  taskQueue: string;
}

export async function bareReviewWorkflow(input: BareReviewInput): Promise<void> {
  const { orgId, submissionId, taskQueue } = input;
  const { workflowId } = workflowInfo();
  const target = { orgId, submissionId, workflowId };
  const on = (suffix: string) =>
    proxyActivities<Activities>({ taskQueue: `${taskQueue}${suffix}`, startToCloseTimeout: '30 seconds' });
  const [db, soundcloud, email] = [on(''), on('-soundcloud'), on('-email')];

  const opening = await db.openReview({ ...target, realNow: Date.now() });
  if (opening.closed) return;
  const now = () => toBusiness(opening.clock, Date.now());
  for (const emailLogId of opening.mails) await email.deliverMail({ orgId, emailLogId });
  const found = await soundcloud.describeTrack(target);
  if (found.outcome === 'later') throw new Error('the benchmark must not meet a request limit');
  const intake = await db.recordTrack({ ...target, found, state: opening.state, now: now() });
  const state = recordIntake(opening.state, intake, now());
  const command = {
    name: 'decide',
    commandId: workflowId,
    by: input.by,
    action: 'reject',
    reason: input.reason,
  } as const;
  const { next: _, ...change } = applyCommand(state, command, now());
  const result = await db.recordTransition({
    ...target,
    stepId: command.commandId,
    step: 'decide',
    command,
    change,
    wait: null,
    now: now(),
  });
  if (!result.applied) throw new Error(result.reason);
  for (const emailLogId of result.mails) await email.deliverMail({ orgId, emailLogId });
  await db.closeReview({ ...target, now: now() });
}
