/**
 * A two-stage SLA clock (product.md, point 4): it warns at 75 % (a setting), is breached at 100 %, repeats the alarm daily, and
 * stands still while somebody else must act. Plain JSON, so that it travels in workflow state. Times are business ms.
 */
import { DAY_MS } from './calendar.js';

export interface SlaClock {
  /** Business milliseconds the promise allows. */
  limitMs: number;
  /** Part of the limit after which the clock warns, 0..1. */
  warnAt: number;
  /** Business milliseconds used up before `runningSince`. */
  elapsedMs: number;
  /** Business instant since which the clock runs; null while it is paused. */
  runningSince: number | null;
  warned: boolean;
  /** How often the breach was raised; 0 = the promise still holds. */
  breaches: number;
}

export type SlaAlarm = { kind: 'warning' | 'breach'; at: number };

export const SLA_WARNING_FRACTION = 0.75;

/** A running clock. @param since business instant at which the promise was made. */
export function startSla(limitMs: number, since: number, warnAt = SLA_WARNING_FRACTION): SlaClock {
  return { limitMs, warnAt, elapsedMs: 0, runningSince: since, warned: false, breaches: 0 };
}

export function elapsed(clock: SlaClock, now: number): number {
  return clock.elapsedMs + (clock.runningSince === null ? 0 : Math.max(0, now - clock.runningSince));
}

/** Business milliseconds left; negative once the promise is broken. */
export function remaining(clock: SlaClock, now: number): number {
  return clock.limitMs - elapsed(clock, now);
}

export function isPaused(clock: SlaClock): boolean {
  return clock.runningSince === null;
}

/** Stops the clock; pausing a paused clock changes nothing. */
export function pauseSla(clock: SlaClock, now: number): SlaClock {
  return isPaused(clock) ? clock : { ...clock, elapsedMs: elapsed(clock, now), runningSince: null };
}

/** Lets the clock run on with the remainder; resuming a running clock changes nothing. */
export function resumeSla(clock: SlaClock, now: number): SlaClock {
  return isPaused(clock) ? { ...clock, runningSince: now } : clock;
}

/** Business instant at which the promise is broken; null while the clock is paused. */
export function dueAt(clock: SlaClock): number | null {
  return clock.runningSince === null ? null : clock.runningSince + clock.limitMs - clock.elapsedMs;
}

/** The next alarm of a running clock: the warning, the breach, then the breach again every 24 h. */
export function nextSlaAlarm(clock: SlaClock): SlaAlarm | null {
  const due = dueAt(clock);
  if (due === null) return null;
  if (!clock.warned && clock.breaches === 0) {
    return { kind: 'warning', at: due - clock.limitMs * (1 - clock.warnAt) };
  }
  return { kind: 'breach', at: due + clock.breaches * DAY_MS };
}

/** The clock after an alarm was raised. */
export function raiseSlaAlarm(clock: SlaClock, kind: SlaAlarm['kind']): SlaClock {
  return kind === 'warning'
    ? { ...clock, warned: true }
    : { ...clock, warned: true, breaches: clock.breaches + 1 };
}
