/**
 * Business time: the only converter between real time and the time the network's promises are counted in.
 *
 * business = businessStart + (real - realStart) × 86,400 / daySeconds (architecture.md, "Temporal conventions").
 * With a day of 86,400 s business time is real time. A compressed day exists for the demo and for tests.
 * All instants are epoch milliseconds, all dates are ISO calendar dates (`YYYY-MM-DD`) in a named zone.
 */
import { DateTime, IANAZone } from 'luxon';

/** The one immutable row of `soundcloud_clock`, as plain JSON. */
export interface BusinessClock {
  /** Real instant (epoch ms) at which the clock was made. */
  realStart: number;
  /** Business instant (epoch ms) that belongs to `realStart`. */
  businessStart: number;
  /** Length of a business day in real seconds, 24 … 86,400. */
  daySeconds: number;
}

export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
export const REAL_DAY_SECONDS = 86_400;
/** The dev server's timers have a floor of about 1 s, so an hour may not be shorter than that. */
export const SHORTEST_DAY_SECONDS = 24;
const TIMER_FLOOR_MS = 1_000;

/**
 * Checks a clock and returns it.
 * @throws RangeError when the day is shorter than 24 s or longer than a real day.
 */
export function businessClock(clock: BusinessClock): BusinessClock {
  if (!(clock.daySeconds >= SHORTEST_DAY_SECONDS && clock.daySeconds <= REAL_DAY_SECONDS)) {
    throw new RangeError(
      `A business day must last between ${SHORTEST_DAY_SECONDS} and ${REAL_DAY_SECONDS} real seconds, not ${clock.daySeconds}. Set the day length accordingly.`,
    );
  }
  return clock;
}

/** How many times faster business time runs than real time (1 in production). */
export function compression(clock: BusinessClock): number {
  return REAL_DAY_SECONDS / clock.daySeconds;
}

/** Business instant (epoch ms) at a real instant (epoch ms). */
export function toBusiness(clock: BusinessClock, realMs: number): number {
  return Math.round(clock.businessStart + (realMs - clock.realStart) * compression(clock));
}

/** Real instant (epoch ms, rounded up) at which a business instant is reached. */
export function toReal(clock: BusinessClock, businessMs: number): number {
  return Math.ceil(clock.realStart + (businessMs - clock.businessStart) / compression(clock));
}

/**
 * Real milliseconds a timer must run so that `businessMs` of business time pass; 0 for a time already past.
 * In compressed mode a wait shorter than the timers' floor is rounded up to 1 s.
 */
export function realWait(clock: BusinessClock, businessMs: number): number {
  if (businessMs <= 0) return 0;
  const wait = Math.ceil(businessMs / compression(clock));
  return clock.daySeconds === REAL_DAY_SECONDS ? wait : Math.max(wait, TIMER_FLOOR_MS);
}

/** Calendar date (`YYYY-MM-DD`) of an instant in a zone. */
export function dateOf(instantMs: number, timezone: string): string {
  return zoned(instantMs, timezone).toFormat('yyyy-MM-dd');
}

/** Calendar month (`YYYY-MM`) of an instant in a zone. */
export function monthOf(instantMs: number, timezone: string): string {
  return zoned(instantMs, timezone).toFormat('yyyy-MM');
}

/** First instant (epoch ms) of a calendar date in a zone; on a day without midnight (DST), the first instant there is. */
export function startOfDate(date: string, timezone: string): number {
  return instantOf(fromIso(date).startOf('day').toMillis(), timezone);
}

/**
 * Instant (epoch ms) of a time of day (`HH:mm`) on a date in a zone. A time skipped by DST moves forward by what the
 * clock skips; of a time that comes twice it is the first.
 */
export function atTimeOfDay(date: string, time: string, timezone: string): number {
  return instantOf(fromIso(`${date}T${time}`).toMillis(), timezone);
}

/** The time of day of an instant in a zone, `HH:mm`. */
export function timeOfDay(instantMs: number, timezone: string): string {
  return zoned(instantMs, timezone).toFormat('HH:mm');
}

/** The date `days` after (or, negative, before) a date. */
export function addDays(date: string, days: number): string {
  return fromIso(date).plus({ days }).toFormat('yyyy-MM-dd');
}

/** Whole calendar days from one date to another; negative when `to` is earlier. */
export function daysBetween(from: string, to: string): number {
  return Math.round((fromIso(to).toMillis() - fromIso(from).toMillis()) / DAY_MS);
}

/** True for a zone name the runtime knows (`Europe/Berlin`, `UTC`). */
export function isTimezone(timezone: string): boolean {
  // Luxon would also take `local` and `UTC+3`; Postgres knows no `local`, and reads the sign of `UTC+3` the other way.
  return /^[a-z]/i.test(timezone) && IANAZone.isValidZone(timezone);
}

function zoned(instantMs: number, timezone: string): DateTime {
  const value = DateTime.fromMillis(instantMs, { zone: timezone });
  if (!value.isValid)
    throw new RangeError(`Unknown time zone "${timezone}". Use an IANA name such as Europe/Berlin.`);
  return value;
}

/**
 * The instant at which a zone's clocks show a local time, given as if it were UTC. Made from the offsets around it:
 * Luxon resolves a time that comes twice by the offset of the moment it is asked in.
 */
function instantOf(localMs: number, timezone: string): number {
  const offsetMs = (at: number) => zoned(at, timezone).offset * MINUTE_MS;
  const before = offsetMs(localMs - DAY_MS);
  const after = offsetMs(localMs + DAY_MS);
  const showing = [before, after]
    .map((offset) => localMs - offset)
    .filter((at) => offsetMs(at) === localMs - at);
  // Clocks that skip it are read as if they had not been moved yet.
  return showing.length > 0 ? Math.min(...showing) : localMs - before;
}

/** A date or local time as if it were UTC. */
function fromIso(text: string): DateTime {
  const value = DateTime.fromISO(text, { zone: 'utc' });
  if (!value.isValid) {
    throw new RangeError(`"${text}" is not a date or time. Use YYYY-MM-DD, and HH:mm for times.`);
  }
  return value;
}
