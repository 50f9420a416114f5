import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { confirmAbsence, isAuditSample, judgeList, judgeLook, type Verdict } from './proof-evidence.js';

const GAP = 600_000;
const list = fc.record({
  shows: fc.boolean(),
  rows: fc.nat(1_000),
  complete: fc.boolean(),
  laterReposts: fc.nat(3),
  olderRepost: fc.boolean(),
});

describe('a list', () => {
  it('proves an absence only when it is not empty, was read whole and shows something later', () => {
    fc.assert(
      fc.property(list, (facts) => {
        const { verdict, positiveControl } = judgeList(facts);
        expect(verdict === 'seen').toBe(facts.shows && !facts.olderRepost);
        const counts = verdict === 'absent' && positiveControl;
        expect(counts).toBe(!facts.shows && facts.rows > 0 && facts.complete && facts.laterReposts > 0);
      }),
    );
  });

  it('that is empty looks like an outage, however whole it was read and whatever else is known', () => {
    for (const laterReposts of [0, 1]) {
      const empty = { shows: false, rows: 0, complete: true, laterReposts, olderRepost: false };
      expect(judgeList(empty).verdict).toBe('inconclusive');
      expect(judgeList({ ...empty, rows: 1 }).verdict).toBe('absent');
      expect(judgeList({ ...empty, rows: 1, complete: false }).verdict).toBe('inconclusive');
    }
  });

  it('that shows the repost outweighs all that do not; an absence without control is none', () => {
    const absent = { verdict: 'absent', positiveControl: true } as const;
    expect(judgeLook([absent, { verdict: 'seen', positiveControl: false }])).toBe('seen');
    expect(judgeLook([{ verdict: 'inconclusive', positiveControl: true }, absent])).toBe('absent');
    expect(judgeLook([{ verdict: 'absent', positiveControl: false }])).toBe('inconclusive');
    expect(judgeLook([])).toBe('inconclusive');
  });

  it('that shows a repost which may be an older one proves nothing, not even beside a list without it', () => {
    const shown = { shows: true, rows: 5, complete: true, laterReposts: 1, olderRepost: true };
    const unclear = judgeList(shown);
    expect(unclear.verdict).toBe('inconclusive');
    const absent = judgeList({ ...shown, shows: false });
    expect(absent).toMatchObject({ verdict: 'absent', positiveControl: true });
    for (const lists of [
      [unclear, absent],
      [absent, unclear],
    ])
      expect(judgeLook(lists)).toBe('inconclusive');
    expect(judgeLook([absent, unclear, { verdict: 'seen', positiveControl: false }])).toBe('seen');
  });
});

describe('an absence', () => {
  const looks = fc.array(
    fc.record({
      verdict: fc.constantFrom<Verdict>('absent', 'absent', 'absent', 'seen', 'inconclusive'),
      after: fc.integer({ min: 1, max: 2 * GAP }),
    }),
    { maxLength: 20 },
  );

  it('is confirmed by three looks in a row, each at least the gap after the one before', () => {
    fc.assert(
      fc.property(looks, (given) => {
        let absences: number[] = [];
        let at = 0;
        for (const { verdict, after } of given) {
          at += after;
          const result = confirmAbsence(absences, { verdict, at }, GAP);
          if (verdict !== 'absent') {
            expect(result).toEqual({ kind: verdict });
            absences = [];
            continue;
          }
          if (result.kind !== 'again' && result.kind !== 'confirmed') throw new Error(result.kind);
          absences = result.absences;
          const gaps = absences.slice(1).map((one, i) => one - (absences[i] ?? 0));
          expect(gaps.every((gap) => gap >= GAP)).toBe(true);
          expect(result.kind === 'confirmed').toBe(absences.length === 3);
          if (result.kind === 'confirmed') return;
          expect(result.nextAt).toBe((absences.at(-1) ?? 0) + GAP);
        }
      }),
    );
  });
});

describe('the audit', () => {
  it('takes about the percent asked for, and the same ones each time', () => {
    // Evenly spread: the product's uuids are random.
    const ids = Array.from({ length: 2_000 }, (_, n) =>
      ((n * 2_654_435_761) % 2 ** 32).toString(16).padStart(8, '0'),
    );
    const taken = ids.filter((id) => isAuditSample(id, 10));
    expect(taken.length).toBeGreaterThan(120);
    expect(taken.length).toBeLessThan(300);
    expect(ids.filter((id) => isAuditSample(id, 10))).toEqual(taken);
    expect(ids.some((id) => isAuditSample(id, 0))).toBe(false);
    expect(ids.every((id) => isAuditSample(id, 100))).toBe(true);
  });
});
