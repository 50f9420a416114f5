import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ACCOUNT_STATUSES,
  accountStatus,
  type Connection,
  failuresAfter,
  handleOfProfile,
  mayBePrompted,
  nextPromptAt,
  PROMPT_DAYS,
  PROMPT_GAP_MS,
  type PromptStanding,
  plannerVerdict,
  promptsAfter,
} from './account-health.js';
import { addDays, DAY_MS, HOUR_MS } from './calendar.js';

const planner = fc.constantFrom(
  'LINKED',
  'INVALID',
  'PENDING',
  'PENDING_APPROVAL',
  'UNLINKED',
  'DECLINED',
  'UNKNOWN',
  'ABSENT',
  null,
);
const connection = fc.record({
  status: fc.constantFrom(...ACCOUNT_STATUSES),
  planner,
  failures: fc.integer({ min: 0, max: 5 }),
});

describe('the status of an account', () => {
  it.each([
    ['LINKED', 'linked'],
    ['INVALID', 'reconnect'],
    ['UNLINKED', 'disconnected'],
    ['DECLINED', 'disconnected'],
    ['PENDING', null],
    ['PENDING_APPROVAL', null],
    ['UNKNOWN', null],
    ['ABSENT', null],
    [null, null],
  ])('%s in Influence Planner means %s', (state, verdict) => {
    expect(plannerVerdict(state)).toBe(verdict);
  });

  it('is error exactly from the third failure on, stays where nobody says anything, and settles at once', () => {
    fc.assert(
      fc.property(connection, (given: Connection) => {
        const status = accountStatus(given);
        expect(status === 'error').toBe(given.failures >= 3);
        if (given.failures < 3 && plannerVerdict(given.planner) === null && given.status !== 'error')
          expect(status).toBe(given.status);
        expect(accountStatus({ ...given, status })).toBe(status);
      }),
    );
  });

  it('counts each date once, however often and in whichever order dates are swept', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ day: fc.integer({ min: 0, max: 20 }), found: fc.boolean() }), { maxLength: 40 }),
        (looks) => {
          let failures = 0;
          let checkedOn = null as string | null;
          const datesSinceSuccess = new Set<string>();
          for (const { day, found } of looks) {
            const date = addDays('2026-03-01', day);
            const before: number = failures;
            failures = failuresAfter({ failures, checkedOn }, found, date);
            if (found) datesSinceSuccess.clear();
            else datesSinceSuccess.add(date);
            expect(failures).toBeLessThanOrEqual(Math.min(before + 1, datesSinceSuccess.size));
            checkedOn = checkedOn === null || date > checkedOn ? date : checkedOn;
          }
        },
      ),
    );
  });
});

describe('prompts to reconnect', () => {
  const since = Date.parse('2026-03-01T03:00:00Z');
  const standing: PromptStanding = {
    status: 'disconnected',
    planner: 'UNLINKED',
    failures: 0,
    unhealthySince: since,
    prompts: 0,
    lastPromptAt: null,
  };

  it('are due on days 0, 3 and 10, then never again', () => {
    let now = standing;
    const days: number[] = [];
    for (let day = 0; day < 40; day += 1) {
      const at = since + day * DAY_MS;
      const prompts = promptsAfter(now, at);
      if (prompts === null) continue;
      days.push(day);
      now = { ...now, prompts, lastPromptAt: at };
    }
    expect(days).toEqual([...PROMPT_DAYS]);
    expect(nextPromptAt(now)).toBeNull();
  });

  it('that were missed are made up for by one', () => {
    expect(promptsAfter(standing, since + 12 * DAY_MS)).toBe(3);
    expect(promptsAfter({ ...standing, prompts: 1, lastPromptAt: since }, since + 5 * DAY_MS)).toBe(2);
  });

  it('never come twice in 72 h, never more than three a trouble, and never for an account nobody can reconnect', () => {
    const step = fc.record({
      hours: fc.integer({ min: 1, max: 100 }),
      state: fc.constantFrom('LINKED', 'INVALID', 'UNLINKED', 'PENDING', 'ABSENT'),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), (steps) => {
        let now = since;
        let present: PromptStanding = { ...standing, status: 'linked', planner: null, unhealthySince: null };
        let inTrouble = 0;
        const sent: number[] = [];
        for (const { hours, state } of steps) {
          now += hours * HOUR_MS;
          const status = accountStatus({ ...present, planner: state });
          if (status === 'linked') inTrouble = 0;
          const healthy = status === 'linked';
          present = {
            ...present,
            status,
            planner: state,
            unhealthySince: healthy ? null : (present.unhealthySince ?? now),
            prompts: healthy || present.unhealthySince === null ? 0 : present.prompts,
          };
          const prompts = promptsAfter(present, now);
          if (prompts === null) continue;
          expect(mayBePrompted(present)).toBe(true);
          expect(prompts).toBeGreaterThan(present.prompts);
          expect(now - (sent.at(-1) ?? Number.NEGATIVE_INFINITY)).toBeGreaterThanOrEqual(PROMPT_GAP_MS);
          inTrouble += 1;
          expect(inTrouble).toBeLessThanOrEqual(PROMPT_DAYS.length);
          sent.push(now);
          present = { ...present, prompts, lastPromptAt: now };
        }
      }),
    );
  });
});

it.each([
  ['https://soundcloud.com/Neon-Foxes', 'neon-foxes'],
  ['https://www.soundcloud.com/neon-foxes/?si=1', 'neon-foxes'],
  ['https://soundcloud.com/neon-foxes/undertow', null],
  ['https://example.com/neon-foxes', null],
  ['neon-foxes', null],
  [null, null],
])('the handle in %s is %s', (url, handle) => {
  expect(handleOfProfile(url)).toBe(handle);
});
