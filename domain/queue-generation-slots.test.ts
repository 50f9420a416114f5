import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HOUR_MS } from './calendar.js';
import { SETTINGS } from './queue-generation-fixtures.js';
import {
  freeSlots,
  nextSlot,
  placeSlots,
  slotFits,
  slotWindow,
  wishedSlot,
} from './queue-generation-slots.js';
import type { QueueSettings } from './queue-generation-types.js';

const MINUTE = 60_000;
const window = (
  date = '2026-05-04',
  timezone = 'Europe/Berlin',
  settings: Partial<QueueSettings> = {},
  earliest = 0,
) => slotWindow({ date, timezone, earliest, settings: { ...SETTINGS, ...settings } });
const at = (time: string) => Date.parse(`2026-05-04T${time}:00+02:00`);

describe('the window', () => {
  it('is the org’s, whatever the clocks do that day', () => {
    expect(window('2026-03-29').opens).toBe(Date.parse('2026-03-29T12:00:00+02:00'));
    expect(window('2026-03-29').closes).toBe(Date.parse('2026-03-29T22:00:00+02:00'));
    expect(window('2026-10-25').opens).toBe(Date.parse('2026-10-25T12:00:00+01:00'));
    const night = { window_start: '00:00', window_end: '06:00' };
    expect(window('2026-03-29', 'Europe/Berlin', night)).toMatchObject({
      opens: Date.parse('2026-03-29T00:00:00+01:00'),
      closes: Date.parse('2026-03-29T06:00:00+02:00'),
    });
    const long = window('2026-10-25', 'Europe/Berlin', night);
    expect(long.closes - long.opens).toBe(7 * HOUR_MS);
  });

  it('begins with the first whole minute that is not too early', () => {
    expect(window(undefined, undefined, {}, at('13:00') + 1).first).toBe(at('13:01'));
    expect(window(undefined, undefined, {}, at('13:00')).first).toBe(at('13:00'));
  });
});

describe('free slots', () => {
  it.each<[string, Partial<QueueSettings>, string[], number]>([
    ['no more than the daily cap', {}, [], 2],
    ['less what is taken on the date, also outside the window', {}, ['09:00'], 1],
    ['none when the date is full', {}, ['09:00', '23:00'], 0],
    ['as many as the spacing leaves', { accounts_daily_cap: 24, spacing_minutes: 180 }, [], 4],
    [
      'fewer where a taken slot is in the way',
      { accounts_daily_cap: 24, spacing_minutes: 300 },
      ['17:00'],
      1,
    ],
    ['no more than the rolling cap', { accounts_daily_cap: 24, rolling_cap: 3 }, ['11:00'], 2],
  ])('%s', (_name, settings, taken, free) => {
    expect(freeSlots(taken.map(at), window(undefined, undefined, settings))).toBe(free);
  });

  it('end with the window', () => {
    expect(freeSlots([], window(undefined, undefined, {}, at('21:30')))).toBe(1);
    expect(freeSlots([], window(undefined, undefined, {}, at('21:59')))).toBe(1);
    expect(freeSlots([], window(undefined, undefined, {}, at('22:00')))).toBe(0);
  });

  it('are the most there can be, and can all be placed wherever they are wished', () => {
    const quarter = 15;
    fc.assert(
      fc.property(
        fc.record({
          accounts_daily_cap: fc.integer({ min: 1, max: 4 }),
          rolling_cap: fc.integer({ min: 1, max: 4 }),
          rolling_hours: fc.constantFrom(1, 2, 12),
          spacing_minutes: fc.constantFrom(0, 15, 30, 60),
          window_end: fc.constantFrom('13:00', '14:30'),
        }),
        fc.array(fc.integer({ min: -8, max: 18 }), { maxLength: 3 }),
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 4, maxLength: 4 }),
        (settings, quarters, wishes) => {
          const day = window(undefined, undefined, settings);
          const busy = quarters.map((n) => at('12:00') + n * quarter * MINUTE).sort((a, b) => a - b);
          const free = freeSlots(busy, day);
          // Everything lies on quarters of an hour, so trying those tries all there is.
          const grid: number[] = [];
          for (let t = day.opens; t < day.closes; t += quarter * MINUTE) grid.push(t);
          expect(free).toBe(most(grid, busy, settings));
          const wished = wishes
            .slice(0, free)
            .map((share) => day.opens + share * 2 * HOUR_MS)
            .sort((a, b) => a - b);
          const placed = placeSlots(wished, busy, day);
          expect(placed).toHaveLength(free);
          expect(
            placed.every((t) => t >= day.opens && t < day.closes && (t - day.opens) % MINUTE === 0),
          ).toBe(true);
          expect(follows([...placed], busy, settings)).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('refuses more assignments than there is room for', () => {
    expect(() =>
      placeSlots([at('12:00'), at('12:00')], [], window(undefined, undefined, {}, at('21:30'))),
    ).toThrow(/fewer free slots/);
  });
});

/** Whether new slots keep spacing, daily and rolling cap with taken ones. */
function follows(
  fresh: number[],
  busy: number[],
  s: { accounts_daily_cap: number; rolling_cap: number; rolling_hours: number; spacing_minutes: number },
): boolean {
  const all = [...fresh, ...busy].sort((a, b) => a - b);
  if (fresh.length > 0 && all.length > s.accounts_daily_cap) return false;
  return fresh.every((t, n) => {
    const others = [...fresh.filter((_, k) => k !== n), ...busy];
    const spaced = others.every((o) => Math.abs(o - t) >= s.spacing_minutes * MINUTE);
    const span = s.rolling_hours * HOUR_MS;
    const rolling = all.every(
      (from) =>
        from > t ||
        t >= from + span ||
        all.filter((o) => o >= from && o < from + span).length <= s.rolling_cap,
    );
    return spaced && rolling;
  });
}

/** The most slots of the grid that can be taken, by trying. */
function most(grid: number[], busy: number[], settings: Parameters<typeof follows>[2]): number {
  let best = 0;
  const visit = (n: number, fresh: number[]) => {
    if (!follows(fresh, busy, settings)) return;
    best = Math.max(best, fresh.length);
    for (let k = settings.spacing_minutes === 0 ? n : n + 1; k < grid.length; k++) {
      if (fresh.length < settings.accounts_daily_cap) visit(k, [...fresh, grid[k] as number]);
    }
  };
  visit(-1 + (settings.spacing_minutes === 0 ? 1 : 0), []);
  return best;
}

describe('single slots', () => {
  it('are found from a time on, past what is taken', () => {
    expect(nextSlot(at('11:00'), [], window())).toBe(at('12:00'));
    expect(nextSlot(at('14:10'), [at('14:00')], window())).toBe(at('15:00'));
    expect(nextSlot(at('21:30'), [at('21:00')], window())).toBeNull();
    expect(slotFits(at('15:00'), [at('14:00')], window())).toBe(true);
    expect(slotFits(at('14:59'), [at('14:00')], window())).toBe(false);
    expect(slotFits(at('11:59'), [], window())).toBe(false);
    expect(slotFits(at('22:00'), [], window())).toBe(false);
  });

  it('are wished evenly over the window', () => {
    const day = window();
    const hours = Array.from({ length: 100 }, (_, n) =>
      Math.floor((wishedSlot(n, day) - day.opens) / HOUR_MS),
    );
    for (let hour = 0; hour < 10; hour++) {
      const share = hours.filter((h) => h === hour).length;
      expect(share).toBeGreaterThanOrEqual(8);
      expect(share).toBeLessThanOrEqual(12);
    }
  });
});
