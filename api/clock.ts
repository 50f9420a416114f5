/** Business time for the API: the clock's one immutable row is read once, then only calculated with. */
import type { Queryable } from '../db/client.js';
import { readClock } from '../db/clock.js';
import { type BusinessClock, toBusiness } from '../domain/calendar.js';

/** Business time now. @param db where to read the clock, the first time */
export type BusinessNow = (db: Queryable) => Promise<Date>;

export function createBusinessNow(): BusinessNow {
  let clock: BusinessClock | undefined;
  return async (db) => {
    clock ??= await readClock(db);
    return new Date(toBusiness(clock, Date.now()));
  };
}
