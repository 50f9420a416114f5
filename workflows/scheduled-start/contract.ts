/**
 * The thin workflow that Temporal Schedules start: it knows the date from its nominal start time and starts the
 * lifecycle under its business id. The server appends a timestamp to scheduled ids, hence the step in between.
 */
import type { ScheduledAutomation } from '../../domain/scheduled-automations.js';

export const SCHEDULED_START_TYPE = 'scheduledStartWorkflow';

export interface ScheduledStartInput {
  orgId: string;
  /** In the order of their times of day. On compressed days those not due on the date are left out. */
  automations: ScheduledAutomation[];
}

export interface ScheduledStartResult {
  date: string;
  started: string[];
  /** Ran already under their id, for example because ops asked for them. */
  alreadyStarted: string[];
  /** Switched off by an admin. */
  disabled: ScheduledAutomation[];
}

/** Id of a Schedule, and prefix of the ids of the runs it starts. */
export function scheduleId(taskQueue: string, orgId: string, automation: string): string {
  return `${taskQueue}:${automation}:${orgId}`;
}

/** What the starter needs to know of a lifecycle. */
export interface ScheduledLifecycle {
  workflowType: string;
  workflowId(orgId: string, date: string): string;
  input(orgId: string, date: string): { orgId: string };
  /** True where a run may end without having done the date's work, for want of any: it is asked for again. */
  mayRunAgain?: boolean;
  /** One line for the Temporal UI. */
  summary(date: string): string;
}
