/**
 * Slot times of one account in the window of a queue (rules.md, "Queue generation"): whole minutes of
 * `[window_start, window_end)` of the org's zone, `spacing_minutes` apart, never more than `accounts_daily_cap` on the
 * date and `rolling_cap` in any `rolling_hours`, with the slots the account has already.
 */
import { addDays, atTimeOfDay, HOUR_MS, startOfDate } from './calendar.js';
import type { QueueInput, QueueSettings } from './queue-generation-types.js';

const MINUTE_MS = 60_000;
/** Multiples of it, modulo 1, spread evenly however many there are. */
const GOLDEN = 0.6180339887498949;

/** The window of one queue, in business ms. */
export interface SlotWindow {
  /** Start of the window; slots are whole minutes after it. */
  opens: number;
  closes: number;
  /** First slot not before `earliest`; at or after `closes` when none is left. */
  first: number;
  /** The date, as `[dayStart, dayEnd)`. */
  dayStart: number;
  dayEnd: number;
  pacing: Pick<QueueSettings, 'accounts_daily_cap' | 'rolling_cap' | 'rolling_hours' | 'spacing_minutes'>;
}

/** The window of a date. On a day on which the clocks change it is an hour shorter or longer where they do within it. */
export function slotWindow(
  input: Pick<QueueInput, 'date' | 'timezone' | 'earliest' | 'settings'>,
): SlotWindow {
  const { date, timezone, earliest, settings } = input;
  const opens = atTimeOfDay(date, settings.window_start, timezone);
  return {
    opens,
    closes: atTimeOfDay(date, settings.window_end, timezone),
    first: opens + Math.ceil(Math.max(0, earliest - opens) / MINUTE_MS) * MINUTE_MS,
    dayStart: startOfDate(date, timezone),
    dayEnd: startOfDate(addDays(date, 1), timezone),
    pacing: settings,
  };
}

/** Slots of the account on the date itself; they count against its daily cap. */
export function slotsOnDate(busy: readonly number[], window: SlotWindow): number {
  return busy.filter((at) => at >= window.dayStart && at < window.dayEnd).length;
}

/** Whether the account can take a slot at that time, spacing and rolling cap considered. @param busy ascending. */
export function slotFits(at: number, busy: readonly number[], window: SlotWindow): boolean {
  return at >= window.first && at < window.closes && blockedUntil(at, busy, window.pacing) === null;
}

/** The first free slot at or after `from`; null when the window has none. @param busy ascending. */
export function nextSlot(from: number, busy: readonly number[], window: SlotWindow): number | null {
  let at = onMinute(Math.max(from, window.first), window);
  while (at < window.closes) {
    const until = blockedUntil(at, busy, window.pacing);
    if (until === null) return at;
    at = onMinute(until, window);
  }
  return null;
}

/**
 * How many more slots the account can take in the window. Taking the earliest free slot again and again gives the most:
 * an earlier slot never stands closer to a later one.
 */
export function freeSlots(busy: readonly number[], window: SlotWindow): number {
  return earliestSlots(busy, window, window.pacing.accounts_daily_cap - slotsOnDate(busy, window)).length;
}

/**
 * Slots as close as can be to the wished times, one for each, in their order.
 * @param wishes ascending, at most {@link freeSlots} of them.
 * @throws RangeError when the account has fewer free slots.
 */
export function placeSlots(wishes: readonly number[], busy: readonly number[], window: SlotWindow): number[] {
  let taken = [...busy];
  const placed: number[] = [];
  wishes.forEach((wish, index) => {
    const after = wishes.length - index - 1;
    const choices = [nextSlot(wish, taken, window), nextSlot(window.first, taken, window)];
    const at = choices.find(
      (choice) =>
        choice !== null &&
        (after === 0 || earliestSlots(inserted(taken, choice), window, after).length === after),
    );
    if (at === undefined || at === null) {
      throw new RangeError('The account has fewer free slots than assignments. Check its free slots first.');
    }
    taken = inserted(taken, at);
    placed.push(at);
  });
  return placed.sort((a, b) => a - b);
}

/** The wished time of the n-th of a queue's assignments: spread over what is left of the window. */
export function wishedSlot(rank: number, window: SlotWindow): number {
  const length = Math.max(0, window.closes - window.first);
  return onMinute(window.first + Math.floor(((rank * GOLDEN) % 1) * length), window, Math.floor);
}

/** The times with one more, ascending. */
export function inserted(times: readonly number[], at: number): number[] {
  return [...times, at].sort((a, b) => a - b);
}

function earliestSlots(busy: readonly number[], window: SlotWindow, most: number): number[] {
  const slots: number[] = [];
  let taken = [...busy];
  for (let from = window.first; slots.length < most; ) {
    const at = nextSlot(from, taken, window);
    if (at === null) break;
    slots.push(at);
    taken = inserted(taken, at);
    from = at;
  }
  return slots;
}

/** Null when the time is free, else a time before which no slot is free either. */
function blockedUntil(at: number, busy: readonly number[], pacing: SlotWindow['pacing']): number | null {
  const spacing = pacing.spacing_minutes * MINUTE_MS;
  for (const other of busy) if (Math.abs(at - other) < spacing) return other + spacing;
  if (busy.length < pacing.rolling_cap) return null;
  // With `at` among them, rolling_cap + 1 slots in a row must span rolling_hours.
  const all = inserted(busy, at);
  const own = all.indexOf(at);
  for (let start = Math.max(0, own - pacing.rolling_cap); start <= own; start++) {
    const last = all[start + pacing.rolling_cap];
    const begin = all[start];
    if (last !== undefined && begin !== undefined && last - begin < pacing.rolling_hours * HOUR_MS) {
      return at + MINUTE_MS;
    }
  }
  return null;
}

function onMinute(at: number, window: SlotWindow, round: (minutes: number) => number = Math.ceil): number {
  return window.opens + round((at - window.opens) / MINUTE_MS) * MINUTE_MS;
}
