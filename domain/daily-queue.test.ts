import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { atTimeOfDay, HOUR_MS } from './calendar.js';
import {
  approveBy,
  CUTOFF_WARNING_HOURS,
  checkDryRun,
  checkQueueCommand,
  checkRequest,
  type DailyQueueState,
  nextQueueAlarm,
  nextSupportDate,
  publishUntil,
  type QueueStage,
  queueLimits,
  queueWait,
  slotsAhead,
} from './daily-queue.js';
import { QUEUE_REFUSALS, type QueueCommandName, readQueueCommand } from './daily-queue-commands.js';
import { DEFAULT_SETTINGS } from './settings.js';

const HOURS = DEFAULT_SETTINGS.queue_hours;
const DATE = '2026-03-10';
const ZONE = 'Europe/Berlin';
const at = (time: string, date = DATE) => atTimeOfDay(date, time, ZONE);
const UNTIL = queueLimits(DATE, ZONE, HOURS);
const BY = 'a4e1c5ea-3f6b-4a35-8a43-0d6d7d5b1a11';

const state = (more: Partial<DailyQueueState> = {}): DailyQueueState => ({
  queueId: 'queue',
  date: DATE,
  stage: 'approval',
  status: 'draft',
  since: at('06:00'),
  revision: 2,
  assignments: 3,
  generatedAt: at('06:00'),
  approveBy: at('12:00'),
  warned: [],
  approvedBy: null,
  approvedAt: null,
  ...more,
});

describe('times of a queue', () => {
  it('the cut-off is the later of noon and two hours after generation', () => {
    expect(approveBy(DATE, ZONE, HOURS, at('06:00'))).toBe(at('12:00'));
    expect(approveBy(DATE, ZONE, HOURS, at('10:30'))).toBe(at('12:30'));
    expect(approveBy(DATE, ZONE, HOURS, at('18:00'))).toBe(at('20:00'));
  });

  it('what goes out by the last moment has a slot left, and nothing later has; no cut-off or draft is later', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1439 }),
        fc.integer({ min: 0, max: 1439 }),
        fc.integer({ min: 0, max: 24 }),
        fc.integer({ min: -3 * 60_000, max: 3 * 60_000 }),
        (end, cutoff, promised, distance) => {
          const time = (minutes: number) =>
            `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`;
          const hours = {
            ...HOURS,
            window_end: time(end),
            approval_cutoff: time(cutoff),
            no_generation_after: time(cutoff),
            min_approval_hours: promised,
          };
          const limits = queueLimits(DATE, ZONE, hours);
          const now = limits.publishUntil + distance;
          // The first whole minute of which a supporter hears half an hour before.
          const first = Math.ceil(now / 60_000 + 30) * 60_000;
          expect(slotsAhead(DATE, ZONE, hours, now)).toBe(first < at(hours.window_end));
          expect(approveBy(DATE, ZONE, hours, at('06:00'))).toBeLessThan(limits.publishUntil);
          expect(limits.generateUntil).toBeLessThan(limits.publishUntil);
        },
      ),
    );
    const early = { ...HOURS, window_end: '15:00' };
    expect(approveBy(DATE, ZONE, early, at('14:00'))).toBe(at('14:25'));
    expect(publishUntil(DATE, ZONE, early)).toBe(at('14:29'));
    expect(checkRequest(DATE, at('14:26'), ZONE, early)).toMatchObject({
      code: 'too_late_to_generate',
      reason: expect.stringContaining('after 14:25'),
    });
  });

  it('nothing is generated after six in the evening, nor asked for outside of the week ahead', () => {
    expect(checkRequest(DATE, at('18:00'), ZONE, HOURS)).toEqual({ ok: true });
    expect(checkRequest(DATE, at('18:01'), ZONE, HOURS)).toMatchObject({ code: 'too_late_to_generate' });
    expect(checkRequest('2026-03-17', at('06:00'), ZONE, HOURS)).toEqual({ ok: true });
    expect(checkRequest('2026-03-18', at('06:00'), ZONE, HOURS)).toMatchObject({
      code: 'queue_date_out_of_range',
    });
    expect(checkRequest('2026-03-09', at('06:00'), ZONE, HOURS)).toMatchObject({
      code: 'queue_date_out_of_range',
      reason: expect.stringMatching(/today, 2026-03-10, or of a later day until 2026-03-17/),
    });
  });

  it('what is not served moves to the next date without a queue', () => {
    expect(nextSupportDate(DATE, new Set([DATE]))).toBe('2026-03-11');
    expect(nextSupportDate('2026-02-28', new Set(['2026-03-01', '2026-03-02']))).toBe('2026-03-03');
  });
});

it('a dry run is made until the queue is approved, and says of a later one that it is out', () => {
  const queue = { date: DATE, approvedBy: BY, approvedAt: at('09:00') };
  for (const status of ['draft', 'lapsed']) expect(checkDryRun({ ...queue, status })).toEqual({ ok: true });
  expect(checkDryRun({ ...queue, status: 'published' })).toEqual({
    ok: false,
    code: 'queue_already_approved',
    reason: `The queue of ${DATE} is published: it was approved by ${BY} at 2026-03-10T08:00:00.000Z. Nothing is drafted for this date any more; GET /v1/queues/${DATE} shows what stands.`,
  });
  expect(checkDryRun({ ...queue, status: 'approved' })).toMatchObject({
    reason: expect.stringContaining('is about to be published'),
  });
});

describe('alarms', () => {
  it('are the warnings three hours and one hour before, then the cut-off', () => {
    expect(nextQueueAlarm(state(), at('06:00'))).toEqual({ kind: 'warning', hours: 3, at: at('09:00') });
    expect(nextQueueAlarm(state({ warned: [3] }), at('09:00'))).toEqual({
      kind: 'warning',
      hours: 1,
      at: at('11:00'),
    });
    expect(nextQueueAlarm(state({ warned: [3, 1] }), at('11:00'))).toEqual({
      kind: 'cutoff',
      at: at('12:00'),
    });
  });

  it('skip what was due at generation, and after a pause what is over', () => {
    const late = state({ generatedAt: at('10:00'), approveBy: at('12:00') });
    expect(nextQueueAlarm(late, at('10:00'))).toMatchObject({ hours: 1 });
    expect(nextQueueAlarm(state(), at('11:30'))).toMatchObject({ hours: 1 });
    expect(nextQueueAlarm(state({ warned: [1] }), at('11:30'))).toMatchObject({ kind: 'cutoff' });
    expect(nextQueueAlarm(state(), at('13:00'))).toMatchObject({ kind: 'cutoff' });
  });

  it('ring each at most once, in order, and end with the cut-off, however long the worker is away', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 12 * 60 }),
        fc.integer({ min: 60, max: 12 * 60 }),
        fc.array(fc.integer({ min: 1, max: 400 }), { maxLength: 20 }),
        (generated, length, pauses) => {
          const generatedAt = at('00:00') + generated * 60_000;
          const cutoff = generatedAt + length * 60_000;
          let now = generatedAt;
          let queue = state({ generatedAt, approveBy: cutoff });
          const rung: number[] = [];
          for (const pause of [...pauses, 24 * 60]) {
            now += pause * 60_000;
            for (;;) {
              const alarm = nextQueueAlarm(queue, now);
              if (alarm === null || alarm.at > now) break;
              if (alarm.kind === 'cutoff') {
                expect(now).toBeGreaterThanOrEqual(cutoff);
                queue = { ...queue, stage: 'closed', status: 'lapsed' };
              } else {
                expect(alarm.at).toBeGreaterThan(generatedAt);
                rung.push(alarm.hours);
                queue = { ...queue, warned: [...queue.warned, alarm.hours] };
              }
            }
          }
          expect(queue.stage).toBe('closed');
          expect(rung).toEqual(CUTOFF_WARNING_HOURS.filter((hours) => rung.includes(hours)));
        },
      ),
    );
  });
});

describe('commands', () => {
  const read = (name: QueueCommandName, input: object) => {
    const result = readQueueCommand(name, { by: BY, ...input }, 'fallback');
    if (!result.ok) throw new Error(result.reason);
    return result.command;
  };

  it('are refused with the state in the words', () => {
    const approve = read('approve', {});
    expect(checkQueueCommand(state(), approve, at('07:00'), UNTIL)).toEqual({ ok: true });
    const out = state({ stage: 'settling', status: 'published', approvedBy: BY, approvedAt: at('08:00') });
    const refused = checkQueueCommand(out, approve, at('09:00'), UNTIL);
    expect(refused).toMatchObject({ code: 'queue_already_approved', reason: expect.stringContaining(BY) });
    const lapsed = state({ stage: 'closed', status: 'lapsed' });
    expect(checkQueueCommand(lapsed, approve, at('13:00'), UNTIL)).toMatchObject({ code: 'queue_closed' });
    expect(checkQueueCommand(lapsed, approve, at('13:00'), UNTIL)).toMatchObject({
      reason: expect.stringContaining('Ask for it again'),
    });
    expect(checkQueueCommand(lapsed, approve, at('20:00'), UNTIL)).toMatchObject({
      reason: expect.stringMatching(/too late to ask for it again/),
    });
    expect(checkQueueCommand(lapsed, approve, at('13:00'), UNTIL, true)).toMatchObject({
      code: 'queue_closed',
      reason: expect.stringContaining('draft is being made'),
    });
    const none = state({ stage: 'closed', queueId: null });
    expect(checkQueueCommand(none, approve, at('13:00'), UNTIL)).toMatchObject({
      reason: expect.stringContaining('no submission'),
    });
  });

  it('approve nothing that would go out without a slot', () => {
    const approve = read('approve', {});
    const late = state({ approveBy: at('22:00') });
    expect(checkQueueCommand(late, approve, at('21:29'), UNTIL)).toEqual({ ok: true });
    for (const now of [at('21:29') + 1, at('22:30')]) {
      const refused = checkQueueCommand(late, approve, now, UNTIL);
      expect(refused).toMatchObject({
        code: 'too_late_to_publish',
        reason: expect.stringMatching(/last moment was 21:29 .*Let the queue lapse/),
      });
    }
    expect(checkQueueCommand(late, read('dropAssignment', { assignmentId: BY }), at('21:45'), UNTIL)).toEqual(
      {
        ok: true,
      },
    );
  });

  it('are for the draft that was seen, and nothing is generated anew too late', () => {
    const stale = read('approve', { ifRevision: 1 });
    expect(checkQueueCommand(state(), stale, at('07:00'), UNTIL)).toMatchObject({ code: 'queue_changed' });
    expect(checkQueueCommand(state({ revision: 1 }), stale, at('07:00'), UNTIL)).toEqual({ ok: true });
    const regenerate = read('regenerate', {});
    expect(checkQueueCommand(state(), regenerate, at('18:30'), UNTIL)).toMatchObject({
      code: 'too_late_to_generate',
    });
  });

  it('are read without throwing, whatever is sent, and refusals are in the registry', () => {
    const names = fc.constantFrom<QueueCommandName>(
      'approve',
      'regenerate',
      'swapAssignment',
      'dropAssignment',
      'addAssignment',
    );
    const stages = fc.constantFrom<QueueStage>('generation', 'approval', 'publishing', 'settling', 'closed');
    fc.assert(
      fc.property(names, fc.anything(), stages, fc.nat(3), (name, input, stage, revision) => {
        const result = readQueueCommand(name, input, 'fallback');
        if (!result.ok) {
          expect(result.code).toBe('malformed_command');
          return;
        }
        const check = checkQueueCommand(state({ stage, revision }), result.command, at('07:00'), UNTIL);
        if (!check.ok) expect(Object.keys(QUEUE_REFUSALS)).toContain(check.code);
        if (stage === 'closed' || stage === 'settling') expect(check.ok).toBe(false);
      }),
    );
  });
});

it('a wait is shown from the draft until the queue is closed', () => {
  const waits = (['generation', 'approval', 'publishing', 'settling', 'closed'] as const).map(
    (stage) => queueWait(state({ stage }))?.waitingOn ?? null,
  );
  expect(waits).toEqual([null, 'ops', 'ops', 'supporter', null]);
  expect(queueWait(state())?.dueAt).toBe(at('12:00'));
  expect(HOUR_MS * 6).toBe((queueWait(state())?.dueAt ?? 0) - state().since);
});
