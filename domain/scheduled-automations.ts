/**
 * What runs unattended for every org (lifecycles.md): when, on which days, and for how long a missed time is made up.
 * The names are those of `soundcloud_automation_health`.
 */
import type { QueueHours } from './settings.js';

export const SCHEDULED_AUTOMATIONS = ['monthly-credit-grant', 'account-health', 'daily-queue'] as const;

export type ScheduledAutomation = (typeof SCHEDULED_AUTOMATIONS)[number];

export interface AutomationTiming {
  /** `HH:mm` in the org's timezone. */
  timeOfDay: string;
  /** Day of the month; null = every day. */
  dayOfMonth: number | null;
  /** Hours after its time within which a missed start is made up for. */
  catchUpHours: number;
}

/** When an automation starts; the queue's hour is a setting of the org. */
export function timingOf(automation: ScheduledAutomation, queueHours: QueueHours): AutomationTiming {
  switch (automation) {
    case 'daily-queue':
      return { timeOfDay: queueHours.generate_at, dayOfMonth: null, catchUpHours: 12 };
    case 'account-health':
      // Before the queue is generated, so that it sees who dropped out.
      return { timeOfDay: '03:00', dayOfMonth: null, catchUpHours: 12 };
    case 'monthly-credit-grant':
      // A run grants every month that is missing, so one that comes weeks late is still worth having.
      return { timeOfDay: '00:05', dayOfMonth: 1, catchUpHours: 24 * 27 };
  }
}

/** Whether an automation starts on a date (`YYYY-MM-DD`). */
export function isDueOn(timing: AutomationTiming, date: string): boolean {
  return timing.dayOfMonth === null || Number(date.slice(8)) === timing.dayOfMonth;
}
