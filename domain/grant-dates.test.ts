import fc from 'fast-check';
import { DateTime } from 'luxon';
import { describe, expect, it } from 'vitest';
import { monthAfter, monthBefore, nextGrantDate } from './grant-dates.js';

describe('grant dates', () => {
  it('are the first of the month after the last granted one, in the zone of the org', () => {
    const endOfJanuary = Date.parse('2026-01-31T23:30:00Z');
    expect(nextGrantDate(endOfJanuary, 'UTC', false)).toBe('2026-02-01');
    expect(nextGrantDate(endOfJanuary, 'Asia/Tokyo', false)).toBe('2026-03-01');
    expect(nextGrantDate(Date.parse('2026-12-15T00:00:00Z'), 'America/New_York', false)).toBe('2027-01-01');
  });

  it('pass over a month that was granted before the org moved west', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 24_000, max: 24_400 }),
        fc.constantFrom('Europe/Berlin', 'Asia/Tokyo', 'Pacific/Kiritimati', 'UTC'),
        fc.constantFrom('America/New_York', 'Pacific/Pago_Pago', 'UTC', 'Asia/Tokyo'),
        (index, from, to) => {
          const granted = DateTime.fromObject(
            { year: Math.floor(index / 12), month: (index % 12) + 1 },
            { zone: from },
          );
          const due = granted.plus({ months: 1 }).toFormat('yyyy-MM-dd');
          const behind = granted.setZone(to).month !== granted.month;
          expect(nextGrantDate(granted.toMillis(), to, behind)).toBe(due);
        },
      ),
    );
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
