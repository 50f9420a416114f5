/** Which queue a track approved now can still get into (rules.md, "Target builder": support_date). */
import { addDays, atTimeOfDay, dateOf } from './calendar.js';

/**
 * The next queue date not drafted yet: today before the queue's generation time, else the first later date without a
 * queue row. @param now business ms. @param drafted dates (`YYYY-MM-DD`) that have a queue already.
 */
export function nextQueueDate(
  now: number,
  timezone: string,
  generateAt: string,
  drafted: ReadonlySet<string>,
): string {
  const today = dateOf(now, timezone);
  let date = now < atTimeOfDay(today, generateAt, timezone) ? today : addDays(today, 1);
  while (drafted.has(date)) date = addDays(date, 1);
  return date;
}
