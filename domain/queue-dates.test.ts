import { describe, expect, it } from 'vitest';
import { atTimeOfDay } from './calendar.js';
import { nextQueueDate } from './queue-dates.js';

const at = (time: string, date = '2026-05-04') => atTimeOfDay(date, time, 'Europe/Berlin');
const next = (now: number, drafted: string[] = []) =>
  nextQueueDate(now, 'Europe/Berlin', '06:00', new Set(drafted));

describe('the support date', () => {
  it('is today while today has not been generated', () => expect(next(at('05:59'))).toBe('2026-05-04'));
  it('is tomorrow from the generation time on', () => expect(next(at('06:00'))).toBe('2026-05-05'));
  it('skips dates that have a queue', () => {
    expect(next(at('05:00'), ['2026-05-04'])).toBe('2026-05-05');
    expect(next(at('23:00'), ['2026-05-05', '2026-05-06'])).toBe('2026-05-07');
  });
  it('goes by the org’s zone', () => {
    expect(nextQueueDate(Date.UTC(2026, 4, 4, 23, 30), 'Asia/Tokyo', '06:00', new Set())).toBe('2026-05-06');
  });
});
