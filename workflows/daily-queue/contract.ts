/** The public face of a daily queue. Names and ids are permanent. */

export const DAILY_QUEUE_TYPE = 'dailyQueueWorkflow';

/** Workflow id of the queue of a date (`YYYY-MM-DD`, org's timezone). */
export function dailyQueueId(orgId: string, date: string): string {
  return `queue:${orgId}:${date}`;
}

export interface DailyQueueInput {
  orgId: string;
  date: string;
}
