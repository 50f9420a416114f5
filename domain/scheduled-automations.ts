/**
 * What runs unattended for every org (lifecycles.md): when, on which days, and for how long a missed time is made up.
 * The names are those of `soundcloud_automation_health`.
 */
import { addDays, atTimeOfDay, dateOf, HOUR_MS } from './calendar.js';
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

const DAILY_CATCH_UP_HOURS = 12;
const DAILY = { dayOfMonth: null, catchUpHours: DAILY_CATCH_UP_HOURS };
const LONGEST_MONTH_DAYS = 31;

/** Clocks are moved before this time of day, everywhere, and by less than {@link SECOND_TRIGGER_HOURS}. */
const CLOCKS_MOVE_BEFORE = '04:00';
const SECOND_TRIGGER_HOURS = 3;

/** When an automation starts; the queue's hour is a setting of the org. */
export function timingOf(automation: ScheduledAutomation, queueHours: QueueHours): AutomationTiming {
  switch (automation) {
    case 'daily-queue':
      return { ...DAILY, timeOfDay: queueHours.generate_at };
    case 'account-health':
      // Before the queue is generated, so that it sees who dropped out.
      return { ...DAILY, timeOfDay: '03:00' };
    case 'monthly-credit-grant':
      // A run grants every month that is missing, so one that comes weeks late is still worth having.
      return { timeOfDay: '00:05', dayOfMonth: 1, catchUpHours: 24 * 27 };
  }
}

/** Hours after a success without another one after which an automation is late: its interval and some grace. */
export function lateAfterHours(automation: ScheduledAutomation): number {
  return automation === 'monthly-credit-grant' ? 24 * (LONGEST_MONTH_DAYS + 1) : 24 + DAILY_CATCH_UP_HOURS;
}

/**
 * Whether an automation is late.
 * @param since business ms of the later of its last success and of when it was to run anew (switched on again, moved to
 * another timezone); without either, when it was set up.
 */
export function isLate(automation: ScheduledAutomation, since: number, now: number): boolean {
  return now - since > lateAfterHours(automation) * HOUR_MS;
}

export function isScheduledAutomation(name: string): name is ScheduledAutomation {
  return SCHEDULED_AUTOMATIONS.some((automation) => automation === name);
}

/**
 * The times of day (`HH:mm`) at which a Schedule starts an automation. A Schedule leaves out a time that the clocks
 * skip, and with it the day or the month: one that may be skipped has a second trigger, which finds the work done on
 * every other day.
 */
export function triggerTimes({ timeOfDay }: AutomationTiming): string[] {
  if (timeOfDay >= CLOCKS_MOVE_BEFORE) return [timeOfDay];
  const hour = Number(timeOfDay.slice(0, 2)) + SECOND_TRIGGER_HOURS;
  return [timeOfDay, `${String(hour).padStart(2, '0')}${timeOfDay.slice(2)}`];
}

/** When an automation starts next after an instant. All instants are business ms. */
export function nextStart(timing: AutomationTiming, after: number, timezone: string): number {
  for (let date = dateOf(after, timezone); ; date = addDays(date, 1)) {
    const at = atTimeOfDay(date, timing.timeOfDay, timezone);
    if (isDueOn(timing, date) && at > after) return at;
  }
}

/** Whether an automation starts on a date (`YYYY-MM-DD`). */
export function isDueOn(timing: AutomationTiming, date: string): boolean {
  return timing.dayOfMonth === null || Number(date.slice(8)) === timing.dayOfMonth;
}
