/**
 * Days and months of zones against another calculation: the clocks of `Intl`, read minute by minute. Nothing of the
 * calendar's own library is used here.
 */
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { atTimeOfDay, DAY_MS, dateOf, HOUR_MS, monthOf, startOfDate } from './calendar.js';
import { monthsAfter } from './grant-dates.js';
import { nextStart, SCHEDULED_AUTOMATIONS, timingOf } from './scheduled-automations.js';
import { DEFAULT_SETTINGS } from './settings.js';

/** East and west of UTC to the ends, with odd offsets, and with every kind of clock change. */
const ZONES = [
  'UTC',
  'Europe/Berlin',
  'Europe/Helsinki',
  'Africa/Cairo',
  'Asia/Kathmandu',
  'Asia/Beirut',
  'Australia/Lord_Howe',
  'Pacific/Auckland',
  'Pacific/Chatham',
  'Pacific/Apia',
  'Pacific/Kiritimati',
  'Pacific/Pago_Pago',
  'America/Los_Angeles',
  'America/St_Johns',
  'America/Havana',
  'America/Asuncion',
  'America/Sao_Paulo',
  'Atlantic/Azores',
] as const;

const MINUTE_MS = 60_000;
const clocks = new Map<string, Intl.DateTimeFormat>();

/** What a zone's clocks show, as `YYYY-MM-DD HH:mm`. */
function shown(instant: number, zone: string): string {
  let clock = clocks.get(zone);
  if (clock === undefined) {
    clock = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      calendar: 'iso8601',
      hourCycle: 'h23',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
    });
    clocks.set(zone, clock);
  }
  const parts = Object.fromEntries(clock.formatToParts(instant).map(({ type, value }) => [type, value]));
  return `${parts.year}-${parts.month}-${parts.day} ${parts.hour}:${parts.minute}`;
}

/** The first whole minute around a local time at which `when` holds of what is shown; zones are at most 15 h from UTC. */
function firstMinute(local: string, zone: string, when: (shown: string) => boolean): number {
  const around = Date.parse(`${local.replace(' ', 'T')}:00Z`);
  for (let at = around - 15 * HOUR_MS; at <= around + 2 * DAY_MS; at += MINUTE_MS) {
    if (when(shown(at, zone))) return at;
  }
  throw new Error(`${local} was not found in ${zone}.`);
}

const zones = fc.constantFrom(...ZONES);
/** Since the last seconds in offsets. */
const instants = fc.integer({ min: Date.UTC(1980, 0, 1), max: Date.UTC(2037, 11, 31) });
/** Around the ends of months, where mistakes are. */
const monthEnds = fc
  .record({
    year: fc.integer({ min: 1980, max: 2037 }),
    month: fc.integer({ min: 0, max: 11 }),
    hours: fc.integer({ min: -50, max: 50 }),
    minutes: fc.integer({ min: 0, max: 59 }),
  })
  .map(({ year, month, hours, minutes }) => Date.UTC(year, month, 1, hours, minutes));
const dates = fc.oneof(instants, monthEnds).map((at) => new Date(at).toISOString().slice(0, 10));
const timesOfDay = fc
  .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
  .map(([hour, minute]) => `${two(hour)}:${two(minute)}`);
const two = (value: number) => String(value).padStart(2, '0');

/** Days on which a zone's clocks are moved, with the times they skip or show twice. */
const CLOCK_CHANGES: [date: string, time: string, zone: (typeof ZONES)[number]][] = [
  ['2026-03-29', '02:30', 'Europe/Berlin'],
  ['2026-10-25', '02:30', 'Europe/Berlin'],
  ['2026-03-29', '03:00', 'Europe/Helsinki'],
  ['2026-10-04', '02:15', 'Australia/Lord_Howe'],
  ['2026-04-05', '01:45', 'Australia/Lord_Howe'],
  ['2026-03-29', '00:05', 'Asia/Beirut'],
  ['2026-10-24', '23:30', 'Asia/Beirut'],
  ['2023-10-01', '00:05', 'America/Asuncion'],
  ['2024-03-23', '23:30', 'America/Asuncion'],
  ['2018-11-04', '00:05', 'America/Sao_Paulo'],
  ['2018-02-17', '23:30', 'America/Sao_Paulo'],
  ['2020-11-01', '00:05', 'America/Havana'],
  ['2026-10-25', '00:05', 'Atlantic/Azores'],
  ['2011-12-30', '00:05', 'Pacific/Apia'],
];

describe('dates and months in a zone', () => {
  it('are what its clocks show', () => {
    fc.assert(
      fc.property(fc.oneof(instants, monthEnds), zones, (instant, zone) => {
        const now = shown(instant, zone);
        expect(dateOf(instant, zone)).toBe(now.slice(0, 10));
        expect(monthOf(instant, zone)).toBe(now.slice(0, 7));
      }),
      { numRuns: 2_000 },
    );
  });

  it('start when its clocks first show the date', () => {
    fc.assert(
      fc.property(dates, zones, (date, zone) => {
        expect(startOfDate(date, zone)).toBe(firstMinute(`${date} 00:00`, zone, (now) => now >= date));
      }),
      { numRuns: 150 },
    );
  });

  it.each(CLOCK_CHANGES)('%s in %s %s', (date, _time, zone) => {
    expect(startOfDate(date, zone)).toBe(firstMinute(`${date} 00:00`, zone, (now) => now >= date));
  });

  it.each([
    ['2027-02-28', ['2027-02-28', '2027-03-01']],
    ['2028-02-28', ['2028-02-28', '2028-02-29', '2028-03-01']],
    ['2026-12-31', ['2026-12-31', '2027-01-01']],
    ['2026-08-31', ['2026-08-31', '2026-09-01']],
  ])('follow each other around %s without gap or overlap, in every zone', (first, expected) => {
    for (const zone of ZONES) {
      const starts = expected.map((date) => startOfDate(date, zone));
      const met = new Set<string>();
      const last = (starts.at(-1) ?? 0) + HOUR_MS;
      for (let at = starts[0] ?? 0; at < last; at += HOUR_MS / 2) met.add(dateOf(at, zone));
      expect([...met], zone).toEqual(expected);
      expect(dateOf((starts[0] ?? 0) - 1, zone) < first, zone).toBe(true);
    }
  });
});

describe('a time of day', () => {
  it('is when the clocks first show it, and one that they skip is later by what they skip', () => {
    fc.assert(fc.property(dates, timesOfDay, zones, checkTime), { numRuns: 150 });
  });

  it.each(CLOCK_CHANGES)('%s %s in %s', checkTime);

  function checkTime(date: string, time: string, zone: string) {
    expect(atTimeOfDay(date, time, zone)).toBe(reached(date, time, zone));
  }
});

describe('the next start of what runs unattended', () => {
  const HOURS = DEFAULT_SETTINGS.queue_hours;

  it('of the grant is at 00:05 on the first, of others at their time today or tomorrow', () => {
    fc.assert(fc.property(fc.oneof(instants, monthEnds), zones, checkStarts), { numRuns: 60 });
  });

  it.each([
    ['the last minute of a February', Date.UTC(2027, 1, 28, 23, 59), 'UTC', '2027-03-01'],
    ['the last minute of a leap February', Date.UTC(2028, 1, 29, 23, 59), 'UTC', '2028-03-01'],
    ['a 31st in the west, the first in UTC', Date.UTC(2026, 8, 1, 3), 'America/Los_Angeles', '2026-09-01'],
    ['a first in the east, the 31st in UTC', Date.UTC(2026, 7, 31, 12), 'Pacific/Kiritimati', '2026-10-01'],
    ['a first that skips 00:05', Date.UTC(2023, 8, 30, 12), 'America/Asuncion', '2023-10-01'],
  ])('at %s', (_, now, zone, first) => {
    checkStarts(now, zone);
    const at = nextStart(timingOf('monthly-credit-grant', HOURS), now, zone);
    expect(shown(at, zone).slice(0, 10)).toBe(first);
  });

  function checkStarts(now: number, zone: string) {
    const today = shown(now, zone).slice(0, 10);
    const [year = 0, month = 0, day = 0] = today.split('-').map(Number);
    const date = (utc: number) => new Date(utc).toISOString().slice(0, 10);
    for (const automation of SCHEDULED_AUTOMATIONS) {
      const timing = timingOf(automation, HOURS);
      const monthly = automation === 'monthly-credit-grant';
      const days = monthly
        ? [date(Date.UTC(year, month - 1, 1)), date(Date.UTC(year, month, 1))]
        : [today, date(Date.UTC(year, month - 1, day + 1)), date(Date.UTC(year, month - 1, day + 2))];
      const starts = days.map((one) => reached(one, timing.timeOfDay, zone));
      expect(nextStart(timing, now, zone), automation).toBe(starts.find((at) => at > now));
    }
  }
});

/** When a zone's clocks show a time, by `Intl` alone. */
function reached(date: string, time: string, zone: string): number {
  const wanted = `${date} ${time}`;
  const first = firstMinute(wanted, zone, (now) => now >= wanted);
  const minutes = (local: string) => Date.parse(`${local.replace(' ', 'T')}:00Z`);
  // The clocks jump over it: as many minutes after the jump as it lies behind the last time shown.
  const skipped = minutes(wanted) - minutes(shown(first - MINUTE_MS, zone)) - MINUTE_MS;
  return shown(first, zone) === wanted ? first : first + skipped;
}

describe('a time that comes twice', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it.each([Date.UTC(2026, 0, 15), Date.UTC(2026, 6, 15)])('is the first, asked at %s', (now) => {
    vi.useFakeTimers({ now });
    expect(atTimeOfDay('2026-10-25', '02:30', 'Europe/Berlin')).toBe(Date.UTC(2026, 9, 25, 0, 30));
    expect(startOfDate('2026-11-01', 'America/Havana')).toBe(Date.UTC(2026, 10, 1, 4));
  });
});

describe('the months after a month', () => {
  it('are those that follow in the calendar', () => {
    const months = fc.integer({ min: 1970 * 12, max: 2100 * 12 });
    const name = (index: number) => `${Math.floor(index / 12)}-${two((index % 12) + 1)}`;
    fc.assert(
      fc.property(months, fc.integer({ min: -30, max: 30 }), (from, count) => {
        const expected = Array.from({ length: Math.max(0, count) }, (_, at) => name(from + 1 + at));
        expect(monthsAfter(name(from), name(from + count))).toEqual(expected);
      }),
    );
  });
});
