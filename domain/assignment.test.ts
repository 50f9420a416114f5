import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyAssignmentCommand, checkAssignmentCommand } from './assignment.js';
import { type AssignmentCommand, readAssignmentCommand } from './assignment-commands.js';
import { applyLook, type LookResult, nextAssignmentAlarm, raiseAssignmentAlarm } from './assignment-looks.js';
import {
  type AssignmentPolicy,
  type AssignmentState,
  beginAssignment,
  type Transition,
} from './assignment-state.js';
import { assignmentWait } from './assignment-wait.js';
import { HOUR_MS } from './calendar.js';
import type { Verdict } from './proof-evidence.js';
import { elapsed } from './sla.js';

const MINUTE = 60_000;
const TRACK = 'https://soundcloud.com/night-harbor/low-tide';
const POLICY: AssignmentPolicy = {
  proofHours: 24,
  remindPercent: 75,
  watchHours: 48,
  unrepostAfterHours: null,
  recheckMinutes: 10,
  answerHours: 24,
  auditPercent: 10,
};

const begin = (given: { policy?: Partial<AssignmentPolicy>; openedAt?: number; slotAt?: number } = {}) =>
  beginAssignment({
    assignmentId: '00000000-0000-4000-8000-000000000000',
    slotAt: given.slotAt ?? 0,
    openedAt: given.openedAt ?? 0,
    subject: { trackUrls: [TRACK], supporterHandle: 'deep-current' },
    policy: { ...POLICY, ...given.policy },
    degraded: false,
  });

function command(name: AssignmentCommand['name'], input: object): AssignmentCommand {
  const read = readAssignmentCommand(name, input, 'command');
  if (!read.ok) throw new Error(read.reason);
  return read.command;
}
const proof = command('submitProof', { by: 'supporter', url: TRACK });
const override = (outcome: string) =>
  command('overrideOutcome', { by: 'ops', outcome, reason: 'Looked at the profile.' });

/** Lets time pass as the workflow does, with SoundCloud answering as told, until nothing happens by itself. */
function live(
  start: AssignmentState,
  answers: (Verdict | 'away')[],
  until = Number.POSITIVE_INFINITY,
  scheduled = false,
) {
  let state = start;
  let now = start.since;
  const taken: (Transition & { at: number })[] = [];
  const left = [...answers];
  for (let turns = 0; turns < 500; turns += 1) {
    const alarm = nextAssignmentAlarm(state, false);
    if (alarm === null || alarm.at > until) break;
    now = Math.max(now, alarm.at);
    let change: Transition;
    if (alarm.kind === 'look') {
      const answer = left.shift();
      if (answer === undefined) break;
      change = applyLook(state, result(state, answer, now, scheduled), now);
    } else change = raiseAssignmentAlarm(state, alarm.kind, now);
    taken.push({ ...change, at: now });
    state = change.next;
  }
  const steps = taken.flatMap(({ step }) => (step === null ? [] : [step]));
  return { state, now, taken, steps, last: taken.at(-1) };
}

function result(state: AssignmentState, answer: Verdict | 'away', at: number, scheduled = false): LookResult {
  const key = state.look?.key ?? '';
  return answer === 'away'
    ? { key, outcome: 'away' }
    : { key, outcome: 'answered', verdict: answer, at, degraded: false, scheduled };
}

const apply = (state: AssignmentState, given: AssignmentCommand, now: number) => {
  expect(checkAssignmentCommand(state, given)).toEqual({ ok: true });
  return applyAssignmentCommand(state, given, now);
};

describe('without a word from anybody', () => {
  it('an answer that fails to come moves no look that was planned since', () => {
    const { state } = live(begin(), ['seen']);
    const watched = state.look;
    expect(watched?.key).toBeTruthy();
    const { next } = applyLook(state, { key: 'another look', outcome: 'away' }, state.slotAt + 19 * HOUR_MS);
    expect(next.look).toEqual(watched);
    expect(next.failures).toBe(state.failures + 1);
  });

  it('a repost that is seen at three quarters is completed without a reminder, watched and captured', () => {
    const { state, taken, steps } = live(begin(), ['seen', 'seen', 'seen', 'seen']);
    expect(steps).toEqual(['reminder_due', 'completed_evidence', 'captured']);
    expect(taken.map(({ at }) => at / HOUR_MS)).toEqual([18, 18, 30, 42, 66]);
    expect(taken.some(({ mail }) => mail !== null)).toBe(false);
    expect(state).toMatchObject({ stage: 'closed', status: 'completed', seen: true });
    expect(taken.at(-1)).toMatchObject({ settles: 'capture', row: { provisional: false }, opensTask: null });
  });

  it('a missing repost fails after three looks ten minutes apart at the deadline', () => {
    const { taken, last } = live(begin(), ['absent', 'absent', 'absent', 'absent']);
    expect(taken.map(({ at }) => at)).toEqual([
      18 * HOUR_MS,
      18 * HOUR_MS,
      24 * HOUR_MS,
      24 * HOUR_MS,
      24 * HOUR_MS + 10 * MINUTE,
      24 * HOUR_MS + 20 * MINUTE,
    ]);
    expect(taken[1]?.mail).toBe('proof_reminder');
    expect(last).toMatchObject({ step: 'failed', settles: 'release', row: { status: 'failed' } });
  });

  it('missing after the planned un-repost of a schedule is for ops: what was taken down as planned is gone too', () => {
    const missing = Array<Verdict>(6).fill('absent');
    const begun = (unrepostAfterHours: number) => begin({ policy: { unrepostAfterHours } });
    const early = live(begun(12), missing, 30 * HOUR_MS, true);
    expect(early.state).toMatchObject({ stage: 'ops', status: 'assigned' });
    expect(early.last?.opensTask?.body).toMatch(/takes the repost down as planned 12 h after its slot/);
    // One of the three looks came too late to tell.
    expect(live(begun(24 + 1 / 12), missing, 30 * HOUR_MS, true).state).toMatchObject({ stage: 'ops' });
    expect(live(begun(25), missing, 30 * HOUR_MS, true).last).toMatchObject({ row: { status: 'failed' } });
  });

  it('missing without a schedule fails whatever is planned: nobody takes down what nobody made', () => {
    const begun = begin({ policy: { unrepostAfterHours: 12 } });
    expect(live(begun, Array<Verdict>(6).fill('absent')).last).toMatchObject({
      step: 'failed',
      row: { status: 'failed', outcome_reason: 'repost_absent' },
    });
    const { last } = live(begun, ['inconclusive', 'inconclusive'], 30 * HOUR_MS);
    expect(last?.opensTask?.body).toMatch(/^SoundCloud’s lists do not tell\./);
  });

  it('whoever is skipped by somebody else is told why, in words', () => {
    const account = (status: string) =>
      apply(begin(), command('skip', { by: 'system', reason: `account_${status}` }), HOUR_MS);
    const skips: [Transition | undefined, RegExp][] = [
      [live(begin(), Array<Verdict>(4).fill('inconclusive')).last, /Nobody could see your repost/],
      [account('reconnect'), /cannot use your account any more.* Reconnect the account there/],
      [account('disconnected'), /not part of the network .* Join again there/],
      [account('error'), /could not be found or read on SoundCloud.* write the new one to the team/],
      [apply(begin(), override('skipped'), HOUR_MS), /Looked at the profile\.$/],
    ];
    for (const [change, words] of skips) {
      const told = change?.notices.filter(({ to }) => to === 'supporter') ?? [];
      expect(told).toMatchObject([{ title: 'A repost was skipped', message: expect.stringMatching(words) }]);
      expect(told[0]?.message).toMatch(/^No credits are booked, and your reliability stays as it is\. /);
    }
  });

  it('nothing that can be told is for ops; without their answer it is skipped', () => {
    const { steps, last, now } = live(begin(), ['inconclusive', 'absent', 'inconclusive']);
    expect(steps).toEqual(['reminder_due', 'reminder', 'deadline', 'asked_ops', 'skipped']);
    expect(last).toMatchObject({
      row: { status: 'skipped', outcome_reason: 'no_evidence' },
      settles: 'release',
    });
    expect(now).toBe(24 * HOUR_MS + 10 * MINUTE + 24 * HOUR_MS);
  });
});

describe('with an address handed in', () => {
  it('nobody is reminded, and without an answer of ops it counts as provisional; some are audited', () => {
    const handedIn = apply(begin({ policy: { auditPercent: 100 } }), proof, HOUR_MS).next;
    const blind = Array<Verdict>(6).fill('inconclusive');
    const { steps, taken, last } = live(handedIn, blind);
    expect(steps).toEqual([
      'not_seen_yet',
      'reminder_due',
      'deadline',
      'asked_ops',
      'completed_timeout',
      'captured',
    ]);
    expect(taken.every(({ mail }) => mail === null)).toBe(true);
    expect(last).toMatchObject({ row: { provisional: true }, opensTask: { kind: 'proof_audit' } });
  });

  it('one that is seen later, in the watch, is not provisional', () => {
    const handedIn = apply(begin(), proof, HOUR_MS).next;
    const { last } = live(handedIn, [
      'inconclusive',
      'inconclusive',
      'inconclusive',
      'inconclusive',
      'seen',
      'inconclusive',
    ]);
    expect(last).toMatchObject({ step: 'captured', row: { provisional: false } });
  });
});

describe('SoundCloud away', () => {
  it('stops the clock at the third look in a row, looks every ten minutes, and goes on with the remainder', () => {
    const handedIn = apply(begin(), proof, 10 * HOUR_MS).next;
    const away = Array<'away'>(20).fill('away');
    const { taken, state, steps } = live(handedIn, [...away, 'inconclusive', 'inconclusive']);
    expect(steps.slice(0, 2)).toEqual(['provider_down', 'not_seen_yet']);
    const down = taken.find(({ step }) => step === 'provider_down');
    expect(down?.at).toBe(10 * HOUR_MS + 2 * MINUTE);
    expect(down && assignmentWait(down.next, down.at)).toMatchObject({
      waitingOn: 'provider',
      paused: true,
      dueAt: null,
    });
    const back = taken.find(({ step }) => step === 'not_seen_yet');
    expect(back?.at).toBe(10 * HOUR_MS + 2 * MINUTE + 17 * 10 * MINUTE + 10 * MINUTE);
    // The deadline has moved by as much as the clock stood still.
    const stood = (back?.at ?? 0) - (down?.at ?? 0);
    expect(taken.find(({ step }) => step === 'deadline')?.at).toBe(24 * HOUR_MS + stood);
    expect(state.provider).toBeNull();
  });

  it('at the deadline decides nothing until it is back', () => {
    const { last, state, now } = live(begin(), ['inconclusive', ...Array<'away'>(50).fill('away')]);
    expect(state).toMatchObject({ stage: 'decision', status: 'assigned' });
    expect(last?.settles).toBeNull();
    const seen = applyLook(state, result(state, 'seen', now), now);
    expect(seen).toMatchObject({ step: 'completed_evidence', next: { provider: null } });
  });

  it('does not hold the reminder up', () => {
    const { taken } = live(begin(), ['away', 'away', 'away', 'away'], 20 * HOUR_MS);
    expect(taken.filter(({ mail }) => mail === 'proof_reminder').map(({ at }) => at)).toEqual([18 * HOUR_MS]);
  });

  it('before the slot lets the clock start no earlier than the slot', () => {
    const early = begin({ openedAt: 0, slotAt: 6 * HOUR_MS });
    const handedIn = apply(early, proof, HOUR_MS).next;
    const { taken } = live(handedIn, [...Array<'away'>(4).fill('away'), 'inconclusive', 'inconclusive']);
    expect(taken.find(({ step }) => step === 'deadline')?.at).toBe(30 * HOUR_MS);
  });
});

describe('the watch', () => {
  const completed = (policy: Partial<AssignmentPolicy> = {}) =>
    apply(begin({ policy }), override('completed'), 0).next;

  it('fails a repost that is gone in three looks, also past its end', () => {
    const { last, taken } = live(completed(), ['seen', 'seen', 'absent', 'absent', 'absent']);
    expect(last).toMatchObject({
      step: 'unreposted',
      event: { type: 'assignment.unreposted' },
      settles: 'release',
      at: 48 * HOUR_MS + 20 * MINUTE,
    });
    expect(taken.map(({ at }) => at / HOUR_MS).slice(0, 3)).toEqual([12, 24, 48]);
  });

  it('forgives a list that showed it gone once or twice', () => {
    const { last } = live(completed(), ['absent', 'absent', 'seen', 'absent', 'inconclusive', 'seen']);
    expect(last).toMatchObject({ step: 'captured' });
  });

  it('lets a repost be taken down as planned, but not before', () => {
    const planned = { unrepostAfterHours: 20 };
    expect(live(completed(planned), ['seen', 'absent', 'absent']).last).toMatchObject({ step: 'captured' });
    expect(live(completed(planned), ['absent', 'absent', 'absent']).last).toMatchObject({
      step: 'unreposted',
    });
  });

  it('of what nobody ever saw is not excused by a plan, unless Influence Planner was asked for it', () => {
    const handedIn = apply(begin({ policy: { unrepostAfterHours: 12 } }), proof, HOUR_MS).next;
    const blind = Array<Verdict>(3).fill('inconclusive');
    const gone = Array<Verdict>(9).fill('absent');
    const end = (scheduled: boolean) => live(handedIn, [...blind, ...gone], undefined, scheduled);
    expect(end(false)).toMatchObject({
      last: { step: 'unreposted', settles: 'release' },
      state: { acceptedBy: 'timeout' },
    });
    expect(end(true)).toMatchObject({
      last: { step: 'captured', settles: 'capture' },
      state: { acceptedBy: 'timeout' },
    });
  });

  it('is ended by ops, either way, and takes no proof and no skip any more', () => {
    const state = completed();
    expect(apply(state, override('completed'), HOUR_MS)).toMatchObject({
      settles: 'capture',
      row: { provisional: false },
    });
    expect(apply(state, override('failed'), HOUR_MS)).toMatchObject({ settles: 'release' });
    const skip = command('skip', { by: 'supporter', reason: 'no' });
    for (const late of [proof, skip])
      expect(checkAssignmentCommand(state, late)).toMatchObject({ code: 'assignment_completed' });
  });
});

describe('the scheduler', () => {
  const reported = (status: string) =>
    command('scheduleReported', { status, proofUrl: 'https://soundcloud.com/deep-current/reposts' });

  it('is believed when it has made the repost, also while ops are asked', () => {
    const asked = live(begin(), ['inconclusive', 'inconclusive'], 30 * HOUR_MS).state;
    expect(asked.stage).toBe('ops');
    const done = apply(asked, reported('completed'), 31 * HOUR_MS);
    expect(done).toMatchObject({
      step: 'completed_evidence',
      evidence: { source: 'scheduler', verdict: 'seen' },
      closesTask: { outcome: 'completed' },
      row: { proof_url: 'https://soundcloud.com/deep-current/reposts' },
    });
  });

  it('has made a repost that is taken down before three quarters: nobody is reminded, and it is captured', () => {
    const planned = begin({ policy: { unrepostAfterHours: 12 } });
    const done = apply(planned, reported('completed'), HOUR_MS).next;
    const { taken, last } = live(done, Array<Verdict>(6).fill('absent'), undefined, true);
    expect(taken.some(({ mail }) => mail !== null)).toBe(false);
    expect(last).toMatchObject({ step: 'captured', row: { provisional: false } });
  });

  it('leaves the repost to the supporter when it could not make it', () => {
    const failed = apply(begin(), reported('failed'), HOUR_MS);
    expect(failed.next.stage).toBe('proof');
    expect(failed.notices[0]).toMatchObject({ to: 'supporter', kind: 'warning' });
  });
});

describe('the scheduler, heard during the watch of a proof that nobody could verify', () => {
  const unseen = () => {
    const handedIn = apply(begin({ policy: { auditPercent: 100 } }), proof, HOUR_MS).next;
    const { state, now } = live(handedIn, Array<Verdict>(3).fill('inconclusive'));
    expect(state).toMatchObject({ stage: 'watch', acceptedBy: 'timeout', seen: false });
    return { state, now };
  };
  const hear = (status: string) => {
    const { state, now } = unseen();
    const heard = apply(state, command('scheduleReported', { status }), now + MINUTE);
    expect(heard).toMatchObject({
      step: 'scheduleReported',
      row: {},
      settles: null,
      notices: [],
      next: { stage: 'watch', look: state.look, watch: state.watch },
    });
    const { last } = live(heard.next, Array<Verdict>(3).fill('inconclusive'));
    expect(last).toMatchObject({ step: 'captured', settles: 'capture' });
    return { heard, last };
  };

  it('that it made the repost: then it is proven, and nobody audits it', () => {
    const { heard, last } = hear('completed');
    expect(heard.evidence).toMatchObject({ source: 'scheduler', verdict: 'seen' });
    expect(last).toMatchObject({ row: { provisional: false }, opensTask: null });
  });

  it('that it did not: then it stays unverified', () => {
    const { heard, last } = hear('failed');
    expect(heard.evidence).toMatchObject({ source: 'scheduler', verdict: 'inconclusive' });
    expect(last).toMatchObject({ row: { provisional: true }, opensTask: { kind: 'proof_audit' } });
  });
});

describe('whatever happens', () => {
  const happening = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom<Verdict | 'away'>('seen', 'absent', 'inconclusive', 'away') },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        proof,
        command('skip', { by: 'supporter', reason: 'no' }),
        command('scheduleReported', { status: 'failed' }),
        override('completed'),
      ),
    },
  );

  const plannedAfter = fc.option(fc.integer({ min: 1, max: 80 }));

  it('nobody fails without three looks in a row that found it missing before it was planned to be, credits move once, one reminder at most', () => {
    fc.assert(
      fc.property(
        plannedAfter,
        fc.boolean(),
        fc.array(happening, { maxLength: 60 }),
        (unrepostAfterHours, scheduled, script) => {
          let state = begin({ policy: { unrepostAfterHours } });
          let now = 0;
          let settled = 0;
          let reminders = 0;
          let missing: number[] = [];
          const take = (change: Transition) => {
            if (change.settles !== null) settled += 1;
            if (change.mail !== null) reminders += 1;
            if (change.row.status === 'failed') {
              expect(missing.length).toBeGreaterThanOrEqual(3);
              if (unrepostAfterHours !== null && (scheduled || state.seen))
                expect(missing.slice(-3).every((at) => at < unrepostAfterHours * HOUR_MS)).toBe(true);
              expect(
                missing.slice(-3).every((at, i, all) => i === 0 || at - (all[i - 1] ?? 0) >= 10 * MINUTE),
              ).toBe(true);
            }
            expect(change.settles !== null).toBe(state.stage !== 'closed' && change.next.stage === 'closed');
            state = change.next;
            expect(assignmentWait(state, now) === null).toBe(state.stage === 'closed');
          };
          for (const one of script) {
            // Everything that is due before the next look happens by itself.
            for (
              let alarm = nextAssignmentAlarm(state, false);
              alarm !== null;
              alarm = nextAssignmentAlarm(state, false)
            ) {
              now = Math.max(now, alarm.at);
              if (alarm.kind === 'look') break;
              take(raiseAssignmentAlarm(state, alarm.kind, now));
            }
            if (typeof one !== 'string') {
              if (checkAssignmentCommand(state, one).ok) take(applyAssignmentCommand(state, one, now));
              continue;
            }
            if (state.look === null) continue;
            if (one === 'absent') missing.push(now);
            else if (one !== 'away') missing = [];
            const before = state;
            take(applyLook(state, result(state, one, now, scheduled), now));
            if (one === 'away') expect(state.stage).toBe(before.stage);
            if (state.stage === 'proof') expect(elapsed(state.clock, now)).toBeLessThanOrEqual(24 * HOUR_MS);
          }
          expect(settled).toBe(state.stage === 'closed' ? 1 : 0);
          expect(reminders).toBeLessThanOrEqual(1);
          if (state.stage === 'closed')
            expect(checkAssignmentCommand(state, proof)).toMatchObject({ code: 'assignment_closed' });
        },
      ),
      { numRuns: 500 },
    );
  });
});
