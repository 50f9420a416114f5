/**
 * The public face of a submission review: ids, commands, signals, query. The API and the relay import this file;
 * names and ids are permanent.
 */

import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type {
  SubmissionCommandInput,
  SubmissionCommandName,
  SubmissionRefusalCode,
} from '../../domain/submission-commands.js';
import type { ReviewState } from '../../domain/submission-review.js';
import type { Outcome, RefusedSignal } from '../shared/commands.js';

export const SUBMISSION_REVIEW_TYPE = 'submissionReviewWorkflow';

/** Workflow id of a submission's review. */
export function submissionReviewId(orgId: string, submissionId: string): string {
  return `submission:${orgId}:${submissionId}`;
}

export interface SubmissionReviewInput {
  orgId: string;
  submissionId: string;
  /** Set by continue-as-new only. */
  carried?: SubmissionReviewCarried;
}

export interface SubmissionReviewCarried {
  state: ReviewState;
  /** The newest command ids with their outcomes, oldest first. */
  outcomes: Outcome<SubmissionRefusalCode>[];
  refused: RefusedSignal<SubmissionRefusalCode>[];
  /** Mails not handed over yet, by id of their log row. */
  owedMails: string[];
  /** How many steps without a command were taken; keeps their ids unique over runs. */
  stepsTaken: number;
}

/** Said by queue and assignments, docs/decisions/0071. Each only means "read the rows", so order and number are free. */
export const SUPPORT_SIGNALS = {
  assignmentsPublished: 'A queue that serves it was published: {"queueDate", "firstSlotAt"}.',
  supportShifted: 'No queue had room, it moves to the next: {"supportDate", "reason"}.',
  assignmentsSettled: 'One of its assignments was settled: {"queueDate"}.',
} as const;

export type SupportSignal = keyof typeof SUPPORT_SIGNALS;

/** Answer to a command and to the query: what the review is now. */
export interface SubmissionReviewView {
  submissionId: string;
  /** Null in the moment before the review has read its row. */
  state: ReviewState | null;
  /** The newest refusals of Signals, oldest first. */
  refused: RefusedSignal<SubmissionRefusalCode>[];
}

/** Each command is an Update and, under the same name, a Signal: the Temporal UI can send both. */
export const submissionUpdates = {
  decide: defineUpdate<SubmissionReviewView, [SubmissionCommandInput<'decide'>]>('decide'),
  assignOwner: defineUpdate<SubmissionReviewView, [SubmissionCommandInput<'assignOwner'>]>('assignOwner'),
  withdraw: defineUpdate<SubmissionReviewView, [SubmissionCommandInput<'withdraw'>]>('withdraw'),
  provideLiveLink: defineUpdate<SubmissionReviewView, [SubmissionCommandInput<'provideLiveLink'>]>(
    'provideLiveLink',
  ),
  keepWaiting: defineUpdate<SubmissionReviewView, [SubmissionCommandInput<'keepWaiting'>]>('keepWaiting'),
  closeSupport: defineUpdate<SubmissionReviewView, [SubmissionCommandInput<'closeSupport'>]>('closeSupport'),
} as const;

export const submissionSignals = {
  decide: defineSignal<[unknown]>('decide'),
  assignOwner: defineSignal<[unknown]>('assignOwner'),
  withdraw: defineSignal<[unknown]>('withdraw'),
  provideLiveLink: defineSignal<[unknown]>('provideLiveLink'),
  keepWaiting: defineSignal<[unknown]>('keepWaiting'),
  closeSupport: defineSignal<[unknown]>('closeSupport'),
} as const;

/** What each command takes, for people who send it from the Temporal UI or its command line. */
export const SUBMISSION_COMMANDS: Readonly<Record<SubmissionCommandName, string>> = {
  decide:
    'Ops decide: {"by": user id, "action": "approve" | "reject" | "pend" | "flag", "reason"?, "family"?, "needLiveLink"?}',
  assignOwner: 'Names the ops person who looks after it: {"by": user id, "ownerId": user id or null}',
  withdraw: 'The member takes the submission back: {"by": user id}',
  provideLiveLink: 'The member hands in the public track URL: {"by": user id, "url": track URL}',
  keepWaiting: 'Ops let a submission wait on that was moved many times: {"by": user id}',
  closeSupport: 'Ops give up the search for supporters: {"by": user id, "reason": goes into the mail}',
};

export const submissionReviewState = defineQuery<SubmissionReviewView>('state');
