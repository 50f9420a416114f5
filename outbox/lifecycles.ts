/** Which workflow belongs to which row: the one table the relay, the reconciler and the API start lifecycles from. */
import { TypedSearchAttributes } from '@temporalio/common';
import { ACCOUNT_HEALTH_TYPE, accountHealthId } from '../workflows/account-health/contract.js';
import { ASSIGNMENT_TYPE, assignmentWorkflowId } from '../workflows/assignment/contract.js';
import {
  ATTRIBUTION_TYPE,
  type AttributionParent,
  attributionId,
} from '../workflows/attribution/contract.js';
import { AUTOMATION_MAIL_TYPE, automationMailId } from '../workflows/automation-mail/contract.js';
import { DAILY_QUEUE_TYPE, dailyQueueId } from '../workflows/daily-queue/contract.js';
import {
  MONTHLY_CREDIT_GRANT_TYPE,
  monthlyCreditGrantId,
} from '../workflows/monthly-credit-grant/contract.js';
import { REPOST_SCHEDULE_TYPE, repostScheduleId } from '../workflows/repost-schedule/contract.js';
import { searchAttributes } from '../workflows/shared/search-attributes.js';
import { SUBMISSION_REVIEW_TYPE, submissionReviewId } from '../workflows/submission-review/contract.js';

export interface LifecycleStart {
  workflowType: string;
  workflowId: string;
  args: [object];
  entityId: string;
  /** What the Temporal UI finds it by. */
  typedSearchAttributes: TypedSearchAttributes;
  /** One line for the Temporal UI; ids only. */
  summary: string;
  /** Markdown for the Temporal UI. */
  details: string;
  /** True for a lifecycle that may run again after it ended well; its first activity looks at closed_at. */
  mayRunAgain: boolean;
}

/** A row that has a lifecycle. */
export interface LifecycleRow {
  entityType: string;
  orgId: string;
  entityId: string;
  /** What the workflow id is built from where it is not the row's id: a queue's date. */
  entityKey: string | null;
}

export type Build = (row: Omit<LifecycleRow, 'entityType'>) => LifecycleStart;

/** @param given what differs from lifecycle to lifecycle. */
function lifecycle(
  row: Omit<LifecycleRow, 'entityType'>,
  given: Pick<LifecycleStart, 'workflowType' | 'workflowId' | 'args' | 'summary'> & {
    details: string[];
    mayRunAgain?: boolean;
  },
): LifecycleStart {
  return {
    ...given,
    entityId: row.entityId,
    typedSearchAttributes: new TypedSearchAttributes([
      { key: searchAttributes.orgId, value: row.orgId },
      { key: searchAttributes.entityId, value: row.entityId },
    ]),
    details: [...given.details, 'What it waits for stands under "Current details".'].join('\n'),
    mayRunAgain: given.mayRunAgain ?? false,
  };
}

export const submissionReview: Build = (row) =>
  lifecycle(row, {
    workflowType: SUBMISSION_REVIEW_TYPE,
    workflowId: submissionReviewId(row.orgId, row.entityId),
    args: [{ orgId: row.orgId, submissionId: row.entityId }],
    summary: `Review of submission ${row.entityId}`,
    details: [
      'Answers a submission within the promised time.',
      '',
      'Commands, as Update or Signal: `decide`, `assignOwner`, `withdraw`, `provideLiveLink`, `keepWaiting`, `closeSupport`. Query: `state`.',
    ],
  });

export const assignment: Build = (row) =>
  lifecycle(row, {
    workflowType: ASSIGNMENT_TYPE,
    workflowId: assignmentWorkflowId(row.orgId, row.entityId),
    args: [{ orgId: row.orgId, assignmentId: row.entityId }],
    summary: `Assignment ${row.entityId}`,
    details: [
      'One repost by one supporter: proof, watch, credits.',
      '',
      'Commands, as Update or Signal: `submitProof`, `skip`, `overrideOutcome`. Query: `state`.',
    ],
  });

/** @throws Error for a row without its date: the workflow id is made of it. */
export const dailyQueue: Build = (row) => {
  const { orgId, entityKey: date } = row;
  if (date === null) throw new Error('A queue is named by its date. Give it as entityKey.');
  return lifecycle(row, {
    workflowType: DAILY_QUEUE_TYPE,
    workflowId: dailyQueueId(orgId, date),
    args: [{ orgId, date }],
    summary: `Queue of ${date}`,
    details: [
      'Drafts the queue of a date, waits for approval, publishes it, and ends when its last assignment is settled.',
      '',
      'Commands, as Update or Signal: `approve`, `regenerate`, `swapAssignment`, `dropAssignment`, `addAssignment`. Query: `state`.',
    ],
    // A date that lapsed may be asked for again.
    mayRunAgain: true,
  });
};

/** The entity's key is its type: the numbers of submissions and campaigns are tracked by one lifecycle. */
export const attribution: Build = (row) => {
  const parentType: AttributionParent = row.entityKey === 'campaign' ? 'campaign' : 'submission';
  return lifecycle(row, {
    workflowType: ATTRIBUTION_TYPE,
    workflowId: attributionId(row.orgId, parentType, row.entityId),
    args: [{ orgId: row.orgId, parentType, parentId: row.entityId }],
    summary: `Numbers of ${parentType} ${row.entityId}`,
    details: ['Reads the numbers of a track each day, until seven days after its last repost.', ''],
  });
};

/** The key is the month. It may run again, and then grants what is missing still. */
export const monthlyCreditGrant: Build = (row) => {
  const month = row.entityKey ?? '';
  return lifecycle(row, {
    workflowType: MONTHLY_CREDIT_GRANT_TYPE,
    workflowId: monthlyCreditGrantId(row.orgId, month),
    args: [{ orgId: row.orgId, month }],
    summary: `Monthly grant of ${month}`,
    details: ['Grants every member every month it misses, up to this one. Query: `state`.'],
    mayRunAgain: true,
  });
};

/** The key is the date. It may run again, and then does what is missing still. */
export const accountHealth: Build = (row) => {
  const date = row.entityKey ?? '';
  return lifecycle(row, {
    workflowType: ACCOUNT_HEALTH_TYPE,
    workflowId: accountHealthId(row.orgId, date),
    args: [{ orgId: row.orgId, date }],
    summary: `Look at all accounts on ${date}`,
    details: ['Followers, tiers and connections of all accounts. Query: `state`.'],
    mayRunAgain: true,
  });
};

/** The key is the event: the workflow belongs to it, whatever row it tells of. */
export const automationMail: Build = (row) => {
  const eventId = row.entityKey ?? '';
  return lifecycle(row, {
    workflowType: AUTOMATION_MAIL_TYPE,
    workflowId: automationMailId(row.orgId, eventId),
    args: [{ orgId: row.orgId, eventId }],
    summary: `Mails on event ${eventId}`,
    details: ['Sends the automation templates that name this event.'],
  });
};

export const repostSchedule: Build = (row) =>
  lifecycle(row, {
    workflowType: REPOST_SCHEDULE_TYPE,
    workflowId: repostScheduleId(row.orgId, row.entityId),
    args: [{ orgId: row.orgId, scheduleId: row.entityId }],
    summary: `Schedule ${row.entityId}`,
    details: [
      'One repost that Influence Planner makes: sent once, followed until it is made, missed or cancelled.',
      '',
      'Commands, as Update or Signal: `cancel`, `confirmCancelled`, `answerUnknown`. Query: `state`.',
    ],
  });

/** Rows that have a lifecycle, by entity type. */
const BY_ENTITY: Readonly<Record<string, Build>> = {
  submission: submissionReview,
  queue: dailyQueue,
  assignment,
  attribution,
  schedule: repostSchedule,
};

/** The lifecycle a row belongs to; undefined for rows without one. */
export function lifecycleOf({ entityType, ...row }: LifecycleRow): LifecycleStart | undefined {
  return BY_ENTITY[entityType]?.(row);
}
