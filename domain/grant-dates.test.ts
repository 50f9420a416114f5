import fc from 'fast-check';
import { DateTime } from 'luxon';
import { describe, expect, it } from 'vitest';
import { monthAfter, monthBefore, nextGrantDate } from './grant-dates.js';

describe('grant dates', () => {
  it('are the first of the month after the last granted one, in the zone of the org', () => {
    const endOfJanuary = Date.parse('2026-01-31T23:30:00Z');
    expect(nextGrantDate(endOfJanuary, 'UTC')).toBe('2026-02-01');
    expect(nextGrantDate(endOfJanuary, 'Asia/Tokyo')).toBe('2026-03-01');
    expect(nextGrantDate(Date.parse('2026-12-15T00:00:00Z'), 'America/New_York')).toBe('2027-01-01');
  });

  it('agree with the calendar for any month', () => {
    fc.assert(
      fc.property(fc.integer({ min: 12, max: 12 * 9_000 }), (index) => {
        const date = DateTime.utc(Math.floor(index / 12), (index % 12) + 1, 1);
        const month = date.toFormat('yyyy-MM');
        expect(monthAfter(month)).toBe(date.plus({ months: 1 }).toFormat('yyyy-MM'));
        expect(monthBefore(monthAfter(month))).toBe(month);
      }),
    );
  });
});
