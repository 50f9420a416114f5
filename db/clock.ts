/** The business clock as the database keeps it: one immutable row, read by every process. */

import { type BusinessClock, businessClock } from '../domain/calendar.js';
import type { Queryable } from './client.js';

/**
 * Reads `soundcloud_clock`.
 * @throws Error when the row is missing: the database was not migrated.
 */
export async function readClock(db: Queryable): Promise<BusinessClock> {
  const row = await db
    .selectFrom('soundcloud_clock')
    .select(['real_start', 'business_start', 'day_seconds'])
    .executeTakeFirst();
  if (row === undefined) throw new Error('soundcloud_clock has no row. Run `spark migrate`.');
  return businessClock({
    realStart: row.real_start.getTime(),
    businessStart: row.business_start.getTime(),
    daySeconds: Number(row.day_seconds),
  });
}
