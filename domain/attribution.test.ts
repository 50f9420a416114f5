import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  attributionReport,
  type Counts,
  dayIndex,
  deltasOf,
  incrementalOf,
  METRICS,
  type Snapshot,
  trendOf,
} from './attribution.js';
import {
  type AttributionFacts,
  attributionWait,
  gapsInARow,
  lastDateOfCampaign,
  lastDateOfSubmission,
  nextAttributionStep,
  retryPause,
} from './attribution-plan.js';
import { addDays, atTimeOfDay, dateOf, HOUR_MS, startOfDate } from './calendar.js';

const START = '2026-03-20';
const hidden: Counts = { plays: null, likes: null, reposts: null, comments: null, followers: null };
const plays = (day: number, count: number | null): Snapshot => ({
  ...hidden,
  plays: count,
  day_index: day,
  snapshot_date: addDays(START, day),
});

const snapshots = fc
  .uniqueArray(
    fc.record({
      day_index: fc.integer({ min: -10, max: 30 }),
      counts: fc.record(
        Object.fromEntries(
          METRICS.map((metric) => [metric, fc.option(fc.integer({ min: 0, max: 100_000 }))]),
        ) as Record<keyof Counts, fc.Arbitrary<number | null>>,
      ),
    }),
    { selector: (one) => one.day_index, maxLength: 20 },
  )
  .map((rows) =>
    rows.map(
      ({ day_index, counts }): Snapshot => ({
        ...counts,
        day_index,
        snapshot_date: addDays(START, day_index),
      }),
    ),
  );

describe('deltas', () => {
  it('span gaps, skip hidden counts and keep what fell', () => {
    const rows = [plays(0, 100), plays(1, 130), plays(3, 120), plays(4, null), plays(6, 150)];
    expect(deltasOf(rows).map((day) => [day.day_index, day.deltas.plays])).toEqual([
      [1, { change: 30, days: 1 }],
      [3, { change: -10, days: 2 }],
      [4, null],
      [6, { change: 30, days: 3 }],
    ]);
  });

  it('add up to the whole change, over exactly the days between, in whatever order snapshots come', () => {
    fc.assert(
      fc.property(snapshots, (rows) => {
        const ordered = [...rows].sort((a, b) => a.day_index - b.day_index);
        const days = deltasOf(rows);
        expect(days).toEqual(deltasOf(ordered));
        for (const metric of METRICS) {
          const known = ordered.filter((row) => row[metric] !== null);
          const [first, last] = [known[0], known.at(-1)];
          const deltas = days.flatMap((day) => day.deltas[metric] ?? []);
          expect(deltas).toHaveLength(Math.max(0, known.length - 1));
          if (first === undefined || last === undefined) continue;
          expect(deltas.reduce((sum, delta) => sum + delta.change, 0)).toBe(
            (last[metric] ?? 0) - (first[metric] ?? 0),
          );
          expect(deltas.reduce((sum, delta) => sum + delta.days, 0)).toBe(last.day_index - first.day_index);
        }
      }),
    );
  });
});

describe('incremental numbers', () => {
  it('take the trend of the days before off what was gained', () => {
    const rows = [plays(-3, 70), plays(-2, 80), plays(-1, 85), plays(0, 95), plays(7, 365)];
    // Grew by 10, 5 and 10 a day before: 7 days of 10 would have come anyway.
    expect(trendOf(rows, 'plays')).toBe(10);
    expect(incrementalOf(rows, 'plays')).toEqual({
      gained: 270,
      days: 7,
      trend_per_day: 10,
      trend_days: 3,
      incremental: 200,
    });
  });

  it('have no trend without days before, and are nothing without a baseline', () => {
    expect(incrementalOf([plays(0, 5), plays(2, 9)], 'plays')).toMatchObject({
      incremental: 4,
      trend_per_day: 0,
      trend_days: 0,
    });
    // A day that grew by nothing is known, a day that nobody read is not.
    expect(incrementalOf([plays(-1, 5), plays(0, 5), plays(2, 9)], 'plays')).toMatchObject({
      trend_per_day: 0,
      trend_days: 1,
    });
    expect(incrementalOf([plays(1, 5), plays(2, 9)], 'plays')).toBeNull();
    expect(incrementalOf([plays(0, null), plays(2, 9)], 'plays')).toBeNull();
    expect(incrementalOf([plays(0, 5)], 'plays')).toBeNull();
  });

  it('are zero for a track that grows evenly, whatever days are missing', () => {
    const days = fc.uniqueArray(fc.integer({ min: -10, max: 30 }), { maxLength: 12 });
    fc.assert(
      fc.property(days, fc.integer({ min: 0, max: 500 }), (given, rate) => {
        const rows = [...new Set([...given, -1, 0, 5])].map((day) => plays(day, 10_000 + rate * day));
        expect(incrementalOf(rows, 'plays')?.incremental).toBeCloseTo(0, 6);
      }),
    );
  });
});

describe('the report', () => {
  it('leaves out gaps that were filled since, and prices only what was gained', () => {
    const gap = (day: number) => ({ date: addDays(START, day), reason: 'not_asked' as const });
    const report = attributionReport({
      snapshots: [plays(2, 180), plays(0, 100)],
      gaps: [gap(3), gap(2), gap(1)],
      delivered: 2,
      goal: null,
      cost: 4,
    });
    expect(report.gaps).toEqual([gap(1), gap(3)]);
    expect(report).toMatchObject({ baseline: true, cost_per_incremental_play: 0.05, delivered: 2 });
    const fell = attributionReport({
      snapshots: [plays(0, 9), plays(1, 5)],
      gaps: [],
      delivered: 1,
      goal: 5,
      cost: 4,
    });
    expect(fell.cost_per_incremental_play).toBeNull();
    expect(fell.incremental.plays?.incremental).toBe(-4);
  });
});

/** Both Berlin's changes of 2026, a zone whose midnight is skipped, and one without any change. */
const ZONES = ['Europe/Berlin', 'America/New_York', 'Africa/Cairo', 'America/Santiago', 'UTC'];
const zone = fc.constantFrom(...ZONES);
const date = fc.integer({ min: 0, max: 700 }).map((days) => addDays('2026-01-01', days));

describe('the plan of a day', () => {
  const facts = (given: Partial<AttributionFacts>): AttributionFacts => ({
    startDate: START,
    firstDate: START,
    lastDate: null,
    captured: new Set(),
    gaps: [],
    ...given,
  });

  it('captures every day from the first to the last exactly once, over every change of the clocks', () => {
    fc.assert(
      fc.property(date, fc.integer({ min: 0, max: 40 }), zone, (firstDate, days, timezone) => {
        const lastDate = addDays(firstDate, days);
        const captured: string[] = [];
        let now = startOfDate(firstDate, timezone);
        for (let rounds = 0; rounds <= 3 * days + 3; rounds += 1) {
          const given = facts({ startDate: firstDate, firstDate, lastDate, captured: new Set(captured) });
          const step = nextAttributionStep(given, now, timezone);
          expect(step.missed).toEqual([]);
          if (step.kind === 'ended') break;
          if (step.kind === 'capture') {
            expect(step.date).toBe(dateOf(now, timezone));
            expect(step.endsAt).toBeGreaterThan(now);
            captured.push(step.date);
          } else {
            expect(step.until).toBeGreaterThan(now);
            expect(step.until - now).toBeLessThanOrEqual(25 * HOUR_MS);
            now = step.until;
          }
        }
        expect(captured).toEqual(Array.from({ length: days + 1 }, (_, day) => addDays(firstDate, day)));
        expect(captured.map((day) => dayIndex(firstDate, day))).toEqual(captured.map((_, day) => day));
      }),
      { numRuns: 20 },
    );
  });

  it('gives up the days nobody captured, once, and never one that is not over', () => {
    const time = fc.integer({ min: 0, max: 23 }).map((hour) => `${String(hour).padStart(2, '0')}:30`);
    fc.assert(
      fc.property(
        date,
        fc.uniqueArray(fc.integer({ min: 0, max: 20 })),
        fc.integer({ min: 0, max: 20 }),
        time,
        zone,
        (firstDate, taken, away, hour, timezone) => {
          const captured = new Set(taken.filter((day) => day < away).map((day) => addDays(firstDate, day)));
          const today = addDays(firstDate, away);
          const now = atTimeOfDay(today, hour, timezone);
          const given = facts({ startDate: firstDate, firstDate, captured });
          const step = nextAttributionStep(given, now, timezone);
          expect(step.missed.every((day) => day < today && !captured.has(day))).toBe(true);
          expect(step.missed.length + captured.size).toBe(away);
          const gaps = step.missed.map((day) => ({ date: day, reason: 'not_asked' as const }));
          expect(nextAttributionStep({ ...given, gaps }, now, timezone).missed).toEqual([]);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('waits for a first day that lies ahead, and ends after the last, whether it was captured or not', () => {
    const noon = atTimeOfDay(START, '12:00', 'UTC');
    const ahead = addDays(START, 2);
    expect(nextAttributionStep(facts({ firstDate: ahead }), noon, 'UTC')).toEqual({
      kind: 'wait',
      until: startOfDate(ahead, 'UTC'),
      missed: [],
    });
    expect(nextAttributionStep(facts({ lastDate: addDays(START, -1) }), noon, 'UTC').kind).toBe('ended');
    expect(nextAttributionStep(facts({ lastDate: START }), noon, 'UTC').kind).toBe('capture');
    const gaps = [{ date: START, reason: 'not_configured' as const }];
    expect(nextAttributionStep(facts({ lastDate: START, gaps }), noon, 'UTC').kind).toBe('ended');
  });

  it('says in words what is waited for', () => {
    const capture = nextAttributionStep(facts({}), atTimeOfDay(START, '12:00', 'UTC'), 'UTC');
    expect(attributionWait(capture, 0)).toMatchObject({
      waitingOn: 'provider',
      dueAt: startOfDate(addDays(START, 1), 'UTC'),
    });
    expect(attributionWait({ kind: 'ended', missed: [] }, 0)).toBeNull();
  });

  it('tries more and more seldom, but several times a day', () => {
    expect([1, 2, 3, 9].map((failures) => retryPause(failures) / HOUR_MS)).toEqual([0.5, 1, 2, 2]);
  });
});

describe('gaps in a row', () => {
  const gap = (day: number) => ({ date: addDays(START, day), reason: 'provider_unavailable' as const });
  it('count back from the last day that was settled', () => {
    expect(gapsInARow({ captured: new Set([START]), gaps: [gap(1), gap(2)] })).toBe(2);
    expect(gapsInARow({ captured: new Set([START, addDays(START, 3)]), gaps: [gap(1), gap(2)] })).toBe(0);
    // Filled by hand.
    expect(gapsInARow({ captured: new Set([addDays(START, 2)]), gaps: [gap(1), gap(2)] })).toBe(0);
    expect(gapsInARow({ captured: new Set(), gaps: [] })).toBe(0);
  });
});

describe('the last day', () => {
  const common = { startDate: START, attributionDays: 7, timezone: 'Europe/Berlin' };
  it('of a submission is seven days after its last repost, in the org’s days', () => {
    const lastRepostAt = Date.parse('2026-03-28T23:30:00Z');
    expect(lastDateOfSubmission({ ...common, open: true, lastRepostAt })).toBeNull();
    expect(lastDateOfSubmission({ ...common, open: false, lastRepostAt })).toBe('2026-04-05');
    expect(lastDateOfSubmission({ ...common, open: false, lastRepostAt: null })).toBe(START);
  });

  it('of a campaign is its own, seven days after its end, or the day before it was cancelled', () => {
    const campaign = {
      endDate: '2026-04-01',
      attributionEndDate: null,
      attributionDays: 7,
      cancelledOn: null,
    };
    expect(lastDateOfCampaign(campaign)).toBe('2026-04-08');
    expect(lastDateOfCampaign({ ...campaign, attributionEndDate: '2026-04-20' })).toBe('2026-04-20');
    expect(lastDateOfCampaign({ ...campaign, endDate: null })).toBeNull();
    expect(lastDateOfCampaign({ ...campaign, cancelledOn: '2026-03-25' })).toBe('2026-03-24');
  });
});
