/**
 * The public face of an assignment, one repost by one supporter: ids, commands, signals, query. The API and the relay
 * import this file; names and ids are permanent.
 */

import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type {
  AssignmentCommandInput,
  AssignmentCommandName,
  AssignmentRefusalCode,
} from '../../domain/assignment-commands.js';
import type { AssignmentState } from '../../domain/assignment-state.js';
import type { Outcome, RefusedSignal } from '../shared/commands.js';

export const ASSIGNMENT_TYPE = 'assignmentWorkflow';

export function assignmentWorkflowId(orgId: string, assignmentId: string): string {
  return `assignment:${orgId}:${assignmentId}`;
}

export interface AssignmentInput {
  orgId: string;
  assignmentId: string;
  /** Set by continue-as-new only. */
  carried?: AssignmentCarried;
}

export interface AssignmentCarried {
  state: AssignmentState;
  /** The newest command ids with their outcomes, oldest first. */
  outcomes: Outcome<AssignmentRefusalCode>[];
  refused: RefusedSignal<AssignmentRefusalCode>[];
  /** Mails not handed over yet, by id of their log row. */
  owedMails: string[];
  /** How many steps without a command were taken; keeps their ids unique over runs. */
  stepsTaken: number;
}

/** Answer to a command and to the query: what the assignment is now. */
export interface AssignmentView {
  assignmentId: string;
  /** Null in the moment before the workflow has read its row. */
  state: AssignmentState | null;
  /** The newest refusals of Signals, oldest first. */
  refused: RefusedSignal<AssignmentRefusalCode>[];
}

/** Each command is an Update and, under the same name, a Signal: the Temporal UI can send both. */
export const assignmentUpdates = {
  submitProof: defineUpdate<AssignmentView, [AssignmentCommandInput<'submitProof'>]>('submitProof'),
  skip: defineUpdate<AssignmentView, [AssignmentCommandInput<'skip'>]>('skip'),
  overrideOutcome: defineUpdate<AssignmentView, [AssignmentCommandInput<'overrideOutcome'>]>(
    'overrideOutcome',
  ),
} as const;

export const assignmentSignals = {
  submitProof: defineSignal<[unknown]>('submitProof'),
  skip: defineSignal<[unknown]>('skip'),
  overrideOutcome: defineSignal<[unknown]>('overrideOutcome'),
  /** From the scheduler's lifecycle. */
  scheduleReported: defineSignal<[unknown]>('scheduleReported'),
} as const;

/** What each command takes, for people who send it from the Temporal UI or its command line. */
export const ASSIGNMENT_COMMANDS: Readonly<Record<AssignmentCommandName, string>> = {
  submitProof: 'The supporter hands in where the repost is: {"by": user id, "url": address on SoundCloud}',
  skip: 'It will not be reposted: {"by": user id, "reason": text}',
  overrideOutcome:
    'Ops decide until it is settled: {"by": user id, "outcome": "completed" | "skipped" | "failed", "reason": text}',
  scheduleReported:
    'What the scheduler says became of the repost: {"status": "completed" | "failed" | "cancelled", "proofUrl"?}',
};

export const assignmentState = defineQuery<AssignmentView>('state');
