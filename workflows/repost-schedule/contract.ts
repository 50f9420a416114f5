/** The public face of one item in Influence Planner: one track, one account. Names and ids are permanent. */

import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { ScheduleState } from '../../domain/repost-schedule.js';
import type {
  ScheduleCommandInput,
  ScheduleCommandName,
  ScheduleRefusalCode,
} from '../../domain/repost-schedule-commands.js';
import type { Outcome, RefusedSignal } from '../shared/commands.js';

export const REPOST_SCHEDULE_TYPE = 'repostScheduleWorkflow';

export function repostScheduleId(orgId: string, scheduleId: string): string {
  return `schedule:${orgId}:${scheduleId}`;
}

export interface RepostScheduleInput {
  orgId: string;
  /** Row of `soundcloud_schedules`. */
  scheduleId: string;
  /** Set by continue-as-new only. */
  carried?: RepostScheduleCarried;
}

export interface RepostScheduleCarried {
  state: ScheduleState;
  /** The newest command ids with their outcomes, oldest first. */
  outcomes: Outcome<ScheduleRefusalCode>[];
  refused: RefusedSignal<ScheduleRefusalCode>[];
  /** How many steps without a command were taken; keeps their ids unique over runs. */
  stepsTaken: number;
}

/** Answer to a command and to the query: what the schedule is now. */
export interface RepostScheduleView {
  scheduleId: string;
  /** Null in the moment before the workflow has read its row. */
  state: ScheduleState | null;
  /** The newest refusals of Signals, oldest first. */
  refused: RefusedSignal<ScheduleRefusalCode>[];
}

/** Each command is an Update and, under the same name, a Signal: the Temporal UI can send both. */
export const repostScheduleUpdates = {
  cancel: defineUpdate<RepostScheduleView, [ScheduleCommandInput<'cancel'>]>('cancel'),
  confirmCancelled: defineUpdate<RepostScheduleView, [ScheduleCommandInput<'confirmCancelled'>]>(
    'confirmCancelled',
  ),
  answerUnknown: defineUpdate<RepostScheduleView, [ScheduleCommandInput<'answerUnknown'>]>('answerUnknown'),
} as const;

export const repostScheduleSignals = {
  cancel: defineSignal<[unknown]>('cancel'),
  confirmCancelled: defineSignal<[unknown]>('confirmCancelled'),
  answerUnknown: defineSignal<[unknown]>('answerUnknown'),
  /** From the vendor's webhook. */
  plannerReported: defineSignal<[unknown]>('plannerReported'),
} as const;

/** What each command takes, for people who send it from the Temporal UI or its command line. */
export const REPOST_SCHEDULE_COMMANDS: Readonly<Record<ScheduleCommandName, string>> = {
  cancel: 'It is not to be reposted: {"by": user id, "reason": text}',
  confirmCancelled: 'It was taken out of the calendar of Influence Planner: {"by": user id}',
  answerUnknown:
    'Whether it is in the calendar of Influence Planner: {"by": user id, "sent": true | false, "scheduleId"?: last part of its address}',
  plannerReported:
    'What the webhook says: {"status": "completed" | "failed" | "unreposted", "proofUrl"?, "error"?, "scheduleId"?}',
};

export const repostScheduleState = defineQuery<RepostScheduleView>('state');
