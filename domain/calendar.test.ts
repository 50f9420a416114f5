import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addDays,
  atTimeOfDay,
  type BusinessClock,
  businessClock,
  DAY_MS,
  dateOf,
  daysBetween,
  HOUR_MS,
  isTimezone,
  monthOf,
  realWait,
  startOfDate,
  toBusiness,
  toReal,
} from './calendar.js';

const REAL_TIME: BusinessClock = { realStart: 1_000_000, businessStart: 1_000_000, daySeconds: 86_400 };
const COMPRESSED: BusinessClock = { realStart: 1_000_000, businessStart: 5_000_000, daySeconds: 48 };

const instants = fc.integer({ min: 0, max: 4_000_000_000_000 });
const clocks = fc.record({
  realStart: instants,
  businessStart: instants,
  daySeconds: fc.integer({ min: 24, max: 86_400 }),
});

describe('business time', () => {
  it('is real time with a day of 86,400 s', () => {
    expect(toBusiness(REAL_TIME, 123_456_789)).toBe(123_456_789);
    expect(realWait(REAL_TIME, 250)).toBe(250);
  });

  it('lets a business day pass in daySeconds', () => {
    expect(toBusiness(COMPRESSED, COMPRESSED.realStart + 48_000)).toBe(COMPRESSED.businessStart + DAY_MS);
    expect(realWait(COMPRESSED, DAY_MS)).toBe(48_000);
  });

  it('rounds compressed waits up to one second, because timers have that floor', () => {
    expect(realWait(COMPRESSED, 1)).toBe(1_000);
    expect(realWait(COMPRESSED, 0)).toBe(0);
    expect(realWait(COMPRESSED, -HOUR_MS)).toBe(0);
  });

  it('never wakes early: after the real wait the business instant is reached', () => {
    fc.assert(
      fc.property(clocks, instants, fc.integer({ min: 1, max: 90 * DAY_MS }), (clock, now, wait) => {
        const due = toBusiness(clock, now) + wait;
        expect(toBusiness(clock, now + realWait(clock, wait) + 1)).toBeGreaterThanOrEqual(due);
      }),
    );
  });

  it('converts there and back without going backwards', () => {
    fc.assert(
      fc.property(clocks, instants, (clock, businessMs) => {
        expect(toBusiness(clock, toReal(clock, businessMs))).toBeGreaterThanOrEqual(businessMs - 1);
      }),
    );
  });

  it.each([23.9, 0, -1, 86_401, Number.NaN])('refuses a day of %s seconds', (daySeconds) => {
    expect(() => businessClock({ ...REAL_TIME, daySeconds })).toThrow(RangeError);
  });
});

describe('dates in a zone', () => {
  it('belong to the zone, not to UTC', () => {
    const newYear = Date.UTC(2026, 0, 1, 5, 0);
    expect(dateOf(newYear, 'America/Los_Angeles')).toBe('2025-12-31');
    expect(dateOf(newYear, 'Asia/Tokyo')).toBe('2026-01-01');
    expect(monthOf(newYear, 'America/Los_Angeles')).toBe('2025-12');
  });

  it('start at the first instant there is, also on days with a clock change', () => {
    expect(startOfDate('2026-03-29', 'Europe/Berlin')).toBe(Date.UTC(2026, 2, 28, 23, 0));
    expect(startOfDate('2026-03-30', 'Europe/Berlin')).toBe(Date.UTC(2026, 2, 29, 22, 0));
    // No midnight on this day in Beirut: clocks go from 00:00 to 01:00.
    expect(startOfDate('2026-03-29', 'Asia/Beirut')).toBe(Date.UTC(2026, 2, 28, 22, 0));
  });

  it('contain their own start, and the instant before belongs to the day before', () => {
    const zones = fc.constantFrom(
      'UTC',
      'Europe/Berlin',
      'America/St_Johns',
      'Asia/Kathmandu',
      'Pacific/Apia',
      'Asia/Beirut',
    );
    fc.assert(
      fc.property(instants, zones, (instant, zone) => {
        const date = dateOf(instant, zone);
        const start = startOfDate(date, zone);
        expect(start).toBeLessThanOrEqual(instant);
        expect(dateOf(start, zone)).toBe(date);
        expect(dateOf(start - 1, zone) < date).toBe(true);
      }),
    );
  });

  it('move a time of day that a clock change skips forward', () => {
    expect(atTimeOfDay('2026-03-29', '02:30', 'Europe/Berlin')).toBe(Date.UTC(2026, 2, 29, 1, 30));
    expect(atTimeOfDay('2026-07-01', '06:00', 'Europe/Berlin')).toBe(Date.UTC(2026, 6, 1, 4, 0));
  });

  it('add up over month ends and leap days', () => {
    expect(addDays('2028-02-28', 1)).toBe('2028-02-29');
    expect(addDays('2026-12-31', 1)).toBe('2027-01-01');
    expect(daysBetween('2026-03-28', '2026-03-30')).toBe(2);
    fc.assert(
      fc.property(instants, fc.integer({ min: -4000, max: 4000 }), (instant, days) => {
        const date = dateOf(instant, 'UTC');
        expect(daysBetween(date, addDays(date, days))).toBe(days);
      }),
    );
  });

  it('name the mistake', () => {
    expect(() => dateOf(0, 'Mars/Olympus')).toThrow(/IANA/);
    expect(() => startOfDate('2026-02-30', 'UTC')).toThrow(/YYYY-MM-DD/);
    expect(isTimezone('Europe/Berlin')).toBe(true);
    expect(isTimezone('Etc/GMT+5')).toBe(true);
    for (const zone of ['Mars/Olympus', 'local', 'system', 'default', 'UTC+3', 'utc-5:30', '+05:30', '']) {
      expect(isTimezone(zone), zone).toBe(false);
    }
  });
});
