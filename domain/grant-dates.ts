/** When the monthly grant comes (rules.md, "Credits"): once per calendar month of the org's timezone, on the first. */
import { monthOf } from './calendar.js';

/**
 * First day (`YYYY-MM-01`) of the month after the last one that was granted. It lies in the past while a grant is
 * overdue; the next run pays it.
 * @param lastGrantedAt instant (epoch ms) inside the last granted month, as the timezone of that time had it.
 * @param monthAfterGranted whether the month after it, in today's timezone, has its grant: after a move to the west the
 * beginning of the granted month lies in the month before.
 */
export function nextGrantDate(lastGrantedAt: number, timezone: string, monthAfterGranted: boolean): string {
  const next = monthAfter(monthOf(lastGrantedAt, timezone));
  return `${monthAfterGranted ? monthAfter(next) : next}-01`;
}

/** The month (`YYYY-MM`) after a month. */
export function monthAfter(month: string): string {
  return shiftMonth(month, 1);
}

/** The months (`YYYY-MM`) after one month, up to and with another; none when that is not later. */
export function monthsAfter(month: string, until: string): string[] {
  const months: string[] = [];
  for (let next = monthAfter(month); next <= until; next = monthAfter(next)) months.push(next);
  return months;
}

/** The month (`YYYY-MM`) before a month. */
export function monthBefore(month: string): string {
  return shiftMonth(month, -1);
}

function shiftMonth(month: string, by: number): string {
  const index = Number(month.slice(0, 4)) * 12 + Number(month.slice(5, 7)) - 1 + by;
  return `${String(Math.floor(index / 12)).padStart(4, '0')}-${String((index % 12) + 1).padStart(2, '0')}`;
}
