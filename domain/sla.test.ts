import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DAY_MS, HOUR_MS } from './calendar.js';
import {
  dueAt,
  elapsed,
  nextSlaAlarm,
  pauseSla,
  raiseSlaAlarm,
  remaining,
  resumeSla,
  startSla,
} from './sla.js';

describe('an SLA clock', () => {
  const clock = startSla(24 * HOUR_MS, 0);

  it('warns at 75 %, is breached at 100 %, then repeats daily', () => {
    expect(nextSlaAlarm(clock)).toEqual({ kind: 'warning', at: 18 * HOUR_MS });
    const warned = raiseSlaAlarm(clock, 'warning');
    expect(nextSlaAlarm(warned)).toEqual({ kind: 'breach', at: 24 * HOUR_MS });
    const breached = raiseSlaAlarm(warned, 'breach');
    expect(nextSlaAlarm(breached)).toEqual({ kind: 'breach', at: 24 * HOUR_MS + DAY_MS });
    expect(nextSlaAlarm(raiseSlaAlarm(breached, 'breach'))).toEqual({
      kind: 'breach',
      at: 24 * HOUR_MS + 2 * DAY_MS,
    });
  });

  it('warns at another fraction when the org says so', () => {
    expect(nextSlaAlarm(startSla(10 * HOUR_MS, 0, 0.5))).toEqual({ kind: 'warning', at: 5 * HOUR_MS });
  });

  it('stands still while paused and runs on with the remainder', () => {
    const paused = pauseSla(clock, 10 * HOUR_MS);
    expect(dueAt(paused)).toBeNull();
    expect(nextSlaAlarm(paused)).toBeNull();
    expect(remaining(paused, 500 * HOUR_MS)).toBe(14 * HOUR_MS);
    expect(dueAt(resumeSla(paused, 100 * HOUR_MS))).toBe(114 * HOUR_MS);
  });

  it('counts exactly the time it ran, however often it is paused', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ run: fc.nat(DAY_MS), rest: fc.nat(DAY_MS) }), { maxLength: 20 }),
        (spells) => {
          let now = 0;
          let ran = 0;
          let state = startSla(24 * HOUR_MS, 0);
          for (const { run, rest } of spells) {
            now += run;
            ran += run;
            state = pauseSla(pauseSla(state, now), now + rest);
            now += rest;
            state = resumeSla(resumeSla(state, now), now + 1);
          }
          expect(elapsed(state, now)).toBe(ran);
          expect(dueAt(state)).toBe(now + 24 * HOUR_MS - ran);
        },
      ),
    );
  });
});
