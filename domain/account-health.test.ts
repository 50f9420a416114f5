import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ACCOUNT_STATUSES,
  type AccountHealthSettings,
  accountStatus,
  type Connection,
  failuresAfter,
  handleOfProfile,
  mayBePrompted,
  nextPromptAt,
  type PromptStanding,
  plannerVerdict,
  promptsAfter,
} from './account-health.js';
import { addDays, DAY_MS, HOUR_MS } from './calendar.js';
import { DEFAULT_SETTINGS } from './settings.js';

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

const defaults = DEFAULT_SETTINGS.account_health;
const settings: fc.Arbitrary<AccountHealthSettings> = fc
  .record({
    failures_until_error: fc.integer({ min: 1, max: 5 }),
    prompt_days: fc.uniqueArray(fc.integer({ min: 0, max: 20 }), { maxLength: 5 }),
    prompt_gap_hours: fc.integer({ min: 1, max: 100 }),
  })
  .map((given) => ({ ...defaults, ...given, prompt_days: given.prompt_days.sort((a, b) => a - b) }));

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

  it('is error exactly from as many failures on as the settings say, stays where nobody says anything, and settles at once', () => {
    expect(accountStatus({ status: 'linked', planner: null, failures: 3 }, defaults)).toBe('error');
    expect(accountStatus({ status: 'linked', planner: null, failures: 2 }, defaults)).toBe('linked');
    fc.assert(
      fc.property(connection, settings, (given: Connection, of) => {
        const status = accountStatus(given, of);
        const failed = given.failures >= of.failures_until_error;
        expect(status === 'error').toBe(failed);
        if (!failed && plannerVerdict(given.planner) === null && given.status !== 'error')
          expect(status).toBe(given.status);
        expect(accountStatus({ ...given, status }, of)).toBe(status);
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
      const prompts = promptsAfter(now, at, defaults);
      if (prompts === null) continue;
      days.push(day);
      now = { ...now, prompts, lastPromptAt: at };
    }
    expect(days).toEqual([0, 3, 10]);
    expect(nextPromptAt(now, defaults)).toBeNull();
  });

  it('that were missed are made up for by one', () => {
    expect(promptsAfter(standing, since + 12 * DAY_MS, defaults)).toBe(3);
    expect(promptsAfter({ ...standing, prompts: 1, lastPromptAt: since }, since + 5 * DAY_MS, defaults)).toBe(
      2,
    );
  });

  it('never come twice within the gap, never more than there are days a trouble, and never for an account nobody can reconnect', () => {
    const step = fc.record({
      hours: fc.integer({ min: 1, max: 100 }),
      state: fc.constantFrom('LINKED', 'INVALID', 'UNLINKED', 'PENDING', 'ABSENT'),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), settings, (steps, of) => {
        let now = since;
        let present: PromptStanding = { ...standing, status: 'linked', planner: null, unhealthySince: null };
        let inTrouble = 0;
        const sent: number[] = [];
        for (const { hours, state } of steps) {
          now += hours * HOUR_MS;
          const status = accountStatus({ ...present, planner: state }, of);
          if (status === 'linked') inTrouble = 0;
          const healthy = status === 'linked';
          present = {
            ...present,
            status,
            planner: state,
            unhealthySince: healthy ? null : (present.unhealthySince ?? now),
            prompts: healthy || present.unhealthySince === null ? 0 : present.prompts,
          };
          const prompts = promptsAfter(present, now, of);
          if (prompts === null) continue;
          expect(mayBePrompted(present, of)).toBe(true);
          expect(prompts).toBeGreaterThan(present.prompts);
          expect(now - (sent.at(-1) ?? Number.NEGATIVE_INFINITY)).toBeGreaterThanOrEqual(
            of.prompt_gap_hours * HOUR_MS,
          );
          inTrouble += 1;
          expect(inTrouble).toBeLessThanOrEqual(of.prompt_days.length);
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
