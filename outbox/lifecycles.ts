/** Which workflow belongs to which row: the one table the relay, the reconciler and the API start lifecycles from. */
import { TypedSearchAttributes } from '@temporalio/common';
import { searchAttributes } from '../workflows/shared/search-attributes.js';
import {
  SUBMISSION_REVIEW_TYPE,
  type SubmissionReviewInput,
  submissionReviewId,
} from '../workflows/submission-review/contract.js';

export interface LifecycleStart {
  workflowType: string;
  workflowId: string;
  args: [SubmissionReviewInput];
  /** What the Temporal UI finds it by. */
  typedSearchAttributes: TypedSearchAttributes;
  /** One line for the Temporal UI; ids only. */
  summary: string;
  /** Markdown for the Temporal UI. */
  details: string;
}

type Build = (orgId: string, entityId: string) => LifecycleStart;

const submissionReview: Build = (orgId, submissionId) => ({
  workflowType: SUBMISSION_REVIEW_TYPE,
  workflowId: submissionReviewId(orgId, submissionId),
  args: [{ orgId, submissionId }],
  typedSearchAttributes: new TypedSearchAttributes([
    { key: searchAttributes.orgId, value: orgId },
    { key: searchAttributes.entityId, value: submissionId },
  ]),
  summary: `Review of submission ${submissionId}`,
  details: [
    'Answers a submission within the promised time.',
    '',
    'Commands, as Update or Signal: `decide`, `assignOwner`, `withdraw`, `provideLiveLink`. Query: `state`.',
    'What it waits for stands under "Current details".',
  ].join('\n'),
});

const BY_ENTITY: Readonly<Record<string, Build>> = { submission: submissionReview };
const BY_EVENT: Readonly<Record<string, Build>> = { 'submission.created': submissionReview };

/** The lifecycle a row belongs to; undefined for rows without one. */
export function lifecycleOf(entityType: string, orgId: string, entityId: string): LifecycleStart | undefined {
  return BY_ENTITY[entityType]?.(orgId, entityId);
}

/** The lifecycle an event starts; undefined when it starts none. */
export function lifecycleStartedBy(
  eventType: string,
  orgId: string,
  entityId: string,
): LifecycleStart | undefined {
  return BY_EVENT[eventType]?.(orgId, entityId);
}
