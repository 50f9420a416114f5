/** Waiting for what must happen: always for a condition, always with a deadline, always stopped by Ctrl-C. */
import { setTimeout as delay } from 'node:timers/promises';
import { type BusinessClock, toReal } from '../../domain/calendar.js';

const POLL_MS = 150;
/** The longest that one timer sleeps; a clock that is set anew is noticed then. */
const STRIDE_MS = 1_000;

/** Something did not come true in time: the story cannot go on. */
export class InVainError extends Error {
  override readonly name = 'InVainError';
}

export interface Patience {
  signal: AbortSignal;
  /** Real milliseconds (default 60,000). */
  withinMs?: number;
  /** What the reader should look at when it was in vain. */
  hint: string;
}

/**
 * Waits until `probe` gives a value that is neither undefined nor false.
 * @throws InVainError after the deadline; the signal's reason when aborted.
 */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  { signal, withinMs = 60_000, hint }: Patience,
): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    signal.throwIfAborted();
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > deadline) {
      throw new InVainError(`Waited ${Math.round(withinMs / 1_000)} s in vain: ${what}. ${hint}`);
    }
    await delay(POLL_MS, undefined, { signal });
  }
}

/** Lets business time pass until an instant (business epoch ms); returns at once when it is past. */
export async function untilBusiness(clock: BusinessClock, at: number, signal: AbortSignal): Promise<void> {
  for (;;) {
    const left = toReal(clock, at) - Date.now();
    if (left <= 0) return;
    await delay(Math.min(left, STRIDE_MS), undefined, { signal });
  }
}
