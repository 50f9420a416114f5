import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DAY_MS, HOUR_MS } from './calendar.js';
import {
  applyScheduleCommand,
  applyScheduleLook,
  applySendResult,
  beginSending,
  checkScheduleCommand,
  dateToSend,
  giveUp,
  lastSendAt,
  lookAt,
  nextScheduleAlarm,
  resumeSchedule,
  type ScheduleFacts,
  type ScheduleState,
  type ScheduleTransition,
} from './repost-schedule.js';
import { readScheduleCommand, type ScheduleCommand } from './repost-schedule-commands.js';
import { scheduleWait } from './repost-schedule-wait.js';

const NOW = Date.UTC(2026, 0, 5, 6);
const SLOT = NOW + 30 * HOUR_MS;

const facts: ScheduleFacts = {
  status: 'pending',
  intent: 'intended',
  scheduledAt: SLOT,
  deadline: SLOT + DAY_MS,
  retries: 0,
  ipScheduleId: null,
  calendarUrl: null,
  since: NOW,
  cancel: null,
  sendAheadHours: 24,
};
const ahead = resumeSchedule(facts, NOW);
const sending = beginSending(ahead, SLOT, NOW);
const created = {
  outcome: 'created',
  scheduleId: 'x1',
  calendarUrl: 'https://planner.test/calendar/x1',
} as const;
const completion = applySendResult(sending, created, NOW).next;
const unknown = applySendResult(sending, { outcome: 'unknown', reason: 'lost' }, NOW).next;
const cancelling = applyScheduleCommand(completion, command('cancel', { reason: 'No.' }), NOW).next;

function command(name: ScheduleCommand['name'], body: Record<string, unknown> = {}): ScheduleCommand {
  const read = readScheduleCommand(name, { by: 'ops', ...body }, 'c1');
  if (!read.ok) throw new Error(read.reason);
  return read.command;
}

const look = (verdict: 'seen' | 'absent' | 'away', assignmentOver = false) => ({
  verdict,
  proofUrl: verdict === 'seen' ? 'https://soundcloud.com/x/reposts' : null,
  assignmentOver,
});

describe('sending', () => {
  it('waits until it is near, never longer than needed', () => {
    expect(nextScheduleAlarm(ahead)).toEqual({ kind: 'send', at: SLOT - DAY_MS });
    expect(resumeSchedule({ ...facts, scheduledAt: NOW + HOUR_MS }, NOW).sendAt).toBe(NOW);
    expect(dateToSend(ahead, NOW)).toBe(SLOT);
    expect(dateToSend(ahead, SLOT + HOUR_MS)).toBeGreaterThan(SLOT + HOUR_MS);
    expect(lastSendAt(ahead)).toBe(facts.deadline - HOUR_MS);
  });

  it('is repeated only for what was certainly not taken, later each time, and as late as was asked', () => {
    let state = sending;
    const waits: number[] = [];
    for (let tries = 1; tries < 9; tries += 1) {
      const { next, row } = applySendResult(state, { outcome: 'again', notBefore: null, reason: '429' }, NOW);
      expect([next.stage, row.retry_count]).toEqual(['ahead', tries]);
      waits.push((next.sendAt - NOW) / 60_000);
      state = beginSending(next, SLOT, NOW);
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 30, 30, 30]);
    const asked = applySendResult(sending, { outcome: 'again', notBefore: NOW + DAY_MS, reason: '429' }, NOW);
    expect(asked.next.sendAt).toBe(NOW + DAY_MS);
    const limit = applySendResult(sending, { outcome: 'later', notBefore: NOW + 5 }, NOW);
    expect([limit.next.sendAt, limit.next.retries, limit.row]).toEqual([NOW + 5, 0, {}]);
  });

  it('that ends without a schedule says why; the assignment is told unless it is over', () => {
    expect(giveUp(ahead, 'not_configured', NOW)).toMatchObject({
      next: { stage: 'closed', status: 'failed' },
      row: { error_message: expect.stringMatching(/^not_configured/) },
      intent: { status: 'failed' },
      reports: true,
    });
    expect(giveUp(ahead, 'assignment_over', NOW)).toMatchObject({
      next: { status: 'cancelled' },
      reports: false,
    });
  });

  it('whose workflow was lost meanwhile is taken for sent', () => {
    expect(resumeSchedule({ ...facts, intent: 'sent' }, NOW).stage).toBe('sending');
    expect(resumeSchedule({ ...facts, intent: 'unknown' }, NOW).stage).toBe('unknown');
    expect(resumeSchedule({ ...facts, intent: 'confirmed', status: 'scheduled' }, NOW).stage).toBe(
      'completion',
    );
    const cancel = { by: 'ops', reason: 'No.' };
    expect(resumeSchedule({ ...facts, intent: 'unknown', cancel }, NOW).stage).toBe('cancelling');
    expect(resumeSchedule({ ...facts, status: 'completed' }, NOW).stage).toBe('closed');
  });
});

describe('looking', () => {
  it('comes 1 h after the time, then slower and slower, and at the deadline', () => {
    const hours = [0, 1, 2, 3, 4, 5, 30].map((n) => (lookAt(ahead, n) - SLOT) / HOUR_MS);
    expect(hours).toEqual([1, 2, 4, 8, 16, 24, 24]);
    const resumed = resumeSchedule(
      { ...facts, intent: 'confirmed', status: 'scheduled' },
      SLOT + 5 * HOUR_MS,
    );
    expect(resumed).toMatchObject({ looks: 2, nextLookAt: SLOT + 4 * HOUR_MS });
  });

  it('that sees nothing until the deadline ends it; while SoundCloud is away, a day later', () => {
    const { deadline } = facts;
    expect(applyScheduleLook(completion, look('absent'), deadline - 1).next.stage).toBe('completion');
    expect(applyScheduleLook(completion, look('absent'), deadline)).toMatchObject({
      next: { stage: 'closed', status: 'failed' },
      reports: true,
    });
    expect(applyScheduleLook(completion, look('away'), deadline).next).toMatchObject({
      stage: 'completion',
      nextLookAt: deadline + HOUR_MS,
    });
    expect(applyScheduleLook(completion, look('away'), deadline + DAY_MS).next.status).toBe('failed');
  });

  it('never ends what is unknown or being cancelled, but for the repost itself', () => {
    for (const state of [unknown, cancelling]) {
      const late = applyScheduleLook(state, look('absent'), facts.deadline).next;
      expect(late).toMatchObject({ stage: state.stage, nextLookAt: null, overdue: true });
      expect(nextScheduleAlarm(late)).toBeNull();
      expect(scheduleWait(late)).toMatchObject({ waitingOn: 'ops', breached: true });
      expect(applyScheduleLook(state, look('seen'), SLOT)).toMatchObject({
        next: { status: 'completed' },
        reports: true,
      });
    }
  });

  it('finds out that the assignment is over', () => {
    expect(applyScheduleLook(completion, look('absent', true), SLOT + HOUR_MS)).toMatchObject({
      next: { status: 'cancelled' },
      reports: false,
      task: null,
    });
    expect(applyScheduleLook(unknown, look('absent', true), SLOT + HOUR_MS)).toMatchObject({
      next: { stage: 'cancelling' },
      task: 'cancel_schedule',
    });
  });
});

describe('the vendor', () => {
  it('completes, also what it was to forget, at its own time but never in the future', () => {
    for (const state of [unknown, completion, cancelling]) {
      const told = command('plannerReported', { status: 'completed', executedAt: SLOT, scheduleId: 'x1' });
      expect(applyScheduleCommand(state, told, SLOT + 5)).toMatchObject({
        next: { status: 'completed', ipScheduleId: 'x1' },
        row: { completed_at: SLOT },
      });
      expect(applyScheduleCommand(state, told, SLOT - 5).row.completed_at).toBe(SLOT - 5);
    }
  });

  it('that took it down as planned had made it before', () => {
    const told = command('plannerReported', { status: 'unreposted', executedAt: SLOT + 9 });
    expect(applyScheduleCommand(completion, told, SLOT + 9)).toMatchObject({
      next: { status: 'completed' },
      row: { completed_at: SLOT },
    });
  });

  it('that failed to do what was cancelled did what was wanted', () => {
    const told = command('plannerReported', { status: 'failed', error: 'gone' });
    expect(applyScheduleCommand(completion, told, NOW).next.status).toBe('failed');
    expect(applyScheduleCommand(cancelling, told, NOW).next.status).toBe('cancelled');
  });
});

type Move = (state: ScheduleState, now: number) => ScheduleTransition | null;

const commands = fc.oneof(
  fc.constant(command('cancel', { reason: 'No.' })),
  fc.constant(command('cancel', { by: 'system', reason: 'No.' })),
  fc.constant(command('confirmCancelled')),
  fc.boolean().map((sent) => command('answerUnknown', { sent })),
  fc
    .constantFrom('completed', 'failed', 'unreposted')
    .map((status) => command('plannerReported', { status, scheduleId: 'x1' })),
);
const results = fc.constantFrom(
  created,
  { outcome: 'later', notBefore: NOW } as const,
  { outcome: 'again', notBefore: null, reason: '429' } as const,
  { outcome: 'refused', reason: '400' } as const,
  { outcome: 'unknown', reason: '500' } as const,
);
const moves: fc.Arbitrary<Move> = fc.oneof(
  commands.map<Move>(
    (given) => (state, now) =>
      checkScheduleCommand(state, given).ok ? applyScheduleCommand(state, given, now) : null,
  ),
  results.map<Move>(
    (result) => (state, now) =>
      state.stage === 'ahead'
        ? applySendResult(beginSending(state, dateToSend(state, now), now), result, now)
        : null,
  ),
  fc
    .record({
      verdict: fc.constantFrom('seen' as const, 'absent' as const, 'away' as const),
      over: fc.boolean(),
    })
    .map<Move>(({ verdict, over }) => (state, now) => {
      const waits = state.stage !== 'ahead' && state.nextLookAt !== null;
      return waits ? applyScheduleLook(state, look(verdict, over), now) : null;
    }),
);

it('whatever happens in whatever order: what may have been sent is never sent again, and every end says how', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(moves, fc.integer({ min: 0, max: 20 })), { maxLength: 25 }), (steps) => {
      let state = ahead;
      let now = NOW;
      let maybeSent = false;
      let reports = 0;
      for (const [move, hours] of steps) {
        now += hours * HOUR_MS;
        if (state.stage === 'closed') break;
        const taken = move(state, now);
        if (taken === null) continue;
        const { next } = taken;
        // Back to `ahead` only from `ahead`.
        if (next.stage === 'ahead') expect(state.stage).toBe('ahead');
        if (next.stage === 'unknown' || next.stage === 'completion') maybeSent = true;
        if (maybeSent) expect(next.stage).not.toBe('ahead');
        reports += taken.reports ? 1 : 0;
        if (next.stage === 'closed') {
          expect(['completed', 'failed', 'cancelled']).toContain(taken.row.status);
          expect(scheduleWait(next)).toBeNull();
          expect(nextScheduleAlarm(next)).toBeNull();
          if (next.status === 'failed') expect(taken.row.error_message).toMatch(/\w/);
        } else {
          expect(taken.reports).toBe(false);
          expect(scheduleWait(next)?.stage).toBe(next.stage);
          // It goes on by itself, or somebody was asked.
          if (nextScheduleAlarm(next) === null) expect(scheduleWait(next)?.waitingOn).toBe('ops');
        }
        state = next;
      }
      expect(reports).toBeLessThanOrEqual(1);
    }),
    { numRuns: 500 },
  );
});
