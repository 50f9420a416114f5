/** The public face of one item in Influence Planner: one track, one account. Names and ids are permanent. */

export const REPOST_SCHEDULE_TYPE = 'repostScheduleWorkflow';

export function repostScheduleId(orgId: string, scheduleId: string): string {
  return `schedule:${orgId}:${scheduleId}`;
}

export interface RepostScheduleInput {
  orgId: string;
  /** Row of `soundcloud_schedules`. */
  scheduleId: string;
}
