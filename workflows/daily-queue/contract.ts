/**
 * The public face of a daily queue: ids, commands, signals, query. The API and the relay import this file; names and ids
 * are permanent.
 */
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { DailyQueueState } from '../../domain/daily-queue.js';
import type {
  QueueCommandInput,
  QueueCommandName,
  QueueRefusalCode,
} from '../../domain/daily-queue-commands.js';
import type { Outcome, RefusedSignal } from '../shared/commands.js';

export const DAILY_QUEUE_TYPE = 'dailyQueueWorkflow';

/** Workflow id of the queue of a date (`YYYY-MM-DD`, org's timezone). */
export function dailyQueueId(orgId: string, date: string): string {
  return `queue:${orgId}:${date}`;
}

/** The date (`YYYY-MM-DD`) of such an id. */
export function dateOfDailyQueue(workflowId: string): string {
  return workflowId.slice(workflowId.lastIndexOf(':') + 1);
}

export interface DailyQueueInput {
  orgId: string;
  date: string;
  /** Set by continue-as-new only; everything else is read from the rows. */
  carried?: DailyQueueCarried;
}

export interface DailyQueueCarried {
  /** The newest command ids with their outcomes, oldest first. */
  outcomes: Outcome<QueueRefusalCode>[];
  refused: RefusedSignal<QueueRefusalCode>[];
  /** So that a step of the next run gets an id of its own; absent from runs of before. */
  stepsTaken?: number;
}

/** Answer to a command and to the query: what the queue is now. */
export interface DailyQueueView {
  /** Null in the moment before the workflow has read its row. */
  state: DailyQueueState | null;
  /** The newest refusals of Signals, oldest first. */
  refused: RefusedSignal<QueueRefusalCode>[];
}

/** Each command is an Update and, under the same name, a Signal: the Temporal UI can send both. */
export const dailyQueueUpdates = {
  approve: defineUpdate<DailyQueueView, [QueueCommandInput<'approve'>]>('approve'),
  regenerate: defineUpdate<DailyQueueView, [QueueCommandInput<'regenerate'>]>('regenerate'),
  swapAssignment: defineUpdate<DailyQueueView, [QueueCommandInput<'swapAssignment'>]>('swapAssignment'),
  dropAssignment: defineUpdate<DailyQueueView, [QueueCommandInput<'dropAssignment'>]>('dropAssignment'),
  addAssignment: defineUpdate<DailyQueueView, [QueueCommandInput<'addAssignment'>]>('addAssignment'),
} as const;

/** From settling: the last open assignment of the queue was settled. Only says "look at the rows". */
export const assignmentsSettledSignal = defineSignal<[unknown]>('assignmentsSettled');

/**
 * From a request for the date: the row is open again. A run that is about to end goes on, so that nothing hangs on the
 * moment in which it ends.
 */
export const requestedSignal = defineSignal<[unknown]>('requested');

/** What each command takes, for people who send it from the Temporal UI or its command line. */
export const DAILY_QUEUE_COMMANDS: Readonly<Record<QueueCommandName, string>> = {
  approve: 'Publishes the draft: {"by": user id, "excludeAssignmentIds"?: ids that shall not go out}',
  regenerate: 'Drafts the queue anew from the facts of the moment: {"by": user id}',
  swapAssignment:
    'Gives an assignment to another supporter: {"by": user id, "assignmentId", "supporterId", "reason"?: overrides the rules}',
  dropAssignment: 'Takes an assignment out: {"by": user id, "assignmentId", "reason"?}',
  addAssignment:
    'Adds an assignment: {"by": user id, "submissionId", "supporterId", "reason"?: overrides the rules}',
};

export const dailyQueueState = defineQuery<DailyQueueView>('state');
