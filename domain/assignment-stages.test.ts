/** What each stage of an assignment takes and leaves, transition by transition; whole lives are in assignment.test.ts. */
import { describe, expect, it } from 'vitest';
import { applyAssignmentCommand, checkAssignmentCommand } from './assignment.js';
import { type AssignmentCommand, readAssignmentCommand } from './assignment-commands.js';
import { applyLook, nextAssignmentAlarm, raiseAssignmentAlarm } from './assignment-looks.js';
import { type AssignmentPolicy, type AssignmentState, beginAssignment } from './assignment-state.js';
import { assignmentWait } from './assignment-wait.js';
import { HOUR_MS } from './calendar.js';
import type { Verdict } from './proof-evidence.js';

const MINUTE = 60_000;
const TRACK = 'https://soundcloud.com/night-harbor/low-tide';
const REPOSTS = 'https://soundcloud.com/deep-current/reposts';
const POLICY: AssignmentPolicy = {
  proofHours: 24,
  remindPercent: 75,
  watchHours: 48,
  unrepostAfterHours: null,
  recheckMinutes: 10,
  answerHours: 24,
  auditPercent: 100,
};

const begin = (policy: Partial<AssignmentPolicy> = {}) =>
  beginAssignment({
    assignmentId: '00000000-0000-4000-8000-000000000000',
    slotAt: 0,
    openedAt: 0,
    subject: { trackUrls: [TRACK], supporterHandle: 'deep-current' },
    policy: { ...POLICY, ...policy },
    degraded: false,
  });

function command(name: AssignmentCommand['name'], input: object): AssignmentCommand {
  const read = readAssignmentCommand(name, input, 'command');
  if (!read.ok) throw new Error(read.reason);
  return read.command;
}
const proof = command('submitProof', { by: 'supporter', url: TRACK });
const skip = command('skip', { by: 'supporter', reason: 'no' });
const override = (outcome: string) => command('overrideOutcome', { by: 'ops', outcome, reason: 'I looked.' });
const reported = command('scheduleReported', { status: 'completed', proofUrl: REPOSTS });

const apply = (state: AssignmentState, given: AssignmentCommand, now: number) => {
  expect(checkAssignmentCommand(state, given)).toEqual({ ok: true });
  return applyAssignmentCommand(state, given, now);
};
/** A look that was planned, or one that was overtaken. */
const look = (state: AssignmentState, answer: Verdict | 'away', at: number, key = state.look?.key ?? '') =>
  applyLook(
    state,
    answer === 'away'
      ? { key, outcome: 'away' }
      : { key, outcome: 'answered', verdict: answer, at, degraded: false, scheduled: false },
    at,
  );
/** Looks until nothing is planned, each at its time. */
function lookOn(state: AssignmentState, answer: Verdict) {
  let change = look(state, answer, state.look?.at ?? 0);
  for (let turns = 0; change.next.look !== null && turns < 9; turns += 1) {
    change = look(change.next, answer, change.next.look.at);
  }
  return change;
}

const handedIn = (policy: Partial<AssignmentPolicy> = {}) => apply(begin(policy), proof, HOUR_MS).next;
const inDecision = (state = begin()) => raiseAssignmentAlarm(state, 'deadline', 24 * HOUR_MS).next;
const askedOps = (state = begin()) => look(inDecision(state), 'inconclusive', 24 * HOUR_MS).next;
const inWatch = (policy: Partial<AssignmentPolicy> = {}) =>
  apply(begin(policy), override('completed'), 0).next;
const acceptedUnseen = () => raiseAssignmentAlarm(askedOps(handedIn()), 'no_answer', 48 * HOUR_MS).next;

describe('after the deadline', () => {
  it.each([
    ['decision', inDecision],
    ['ops', askedOps],
  ] as const)('in %s no proof and no skip is taken; ops and the scheduler still decide', (stage, state) => {
    expect(state().stage).toBe(stage);
    for (const late of [proof, skip])
      expect(checkAssignmentCommand(state(), late)).toMatchObject({ ok: false, code: 'proof_too_late' });
    for (const taken of [override('failed'), reported])
      expect(checkAssignmentCommand(state(), taken)).toEqual({ ok: true });
  });

  it('nobody is reminded any more', () => {
    const owed = raiseAssignmentAlarm(begin(), 'reminder', 18 * HOUR_MS).next;
    expect(look(owed, 'away', 18 * HOUR_MS).mail).toBe('proof_reminder');
    expect(look(inDecision(owed), 'away', 24 * HOUR_MS).mail).toBeNull();
  });

  it('without an answer of SoundCloud it is SoundCloud that is waited for; its answer starts the clock', () => {
    let state = inDecision();
    for (let n = 0; n < 3; n += 1) state = look(state, 'away', (24 + n) * HOUR_MS).next;
    expect(assignmentWait(state, 27 * HOUR_MS)).toMatchObject({
      stage: 'decision',
      waitingOn: 'provider',
      since: 26 * HOUR_MS,
      whoCanAct: expect.stringContaining('SoundCloud must answer'),
    });
    expect(look(state, 'absent', 27 * HOUR_MS)).toMatchObject({
      step: 'provider_back',
      next: { provider: null },
    });
    expect(look(inDecision(), 'absent', 24 * HOUR_MS).step).toBeNull();
  });
});

describe('a task of ops', () => {
  it.each(['completed', 'skipped', 'failed'])(
    'is closed by what decides it (%s), and only where it is',
    (outcome) => {
      const now = 25 * HOUR_MS;
      expect(apply(askedOps(), override(outcome), now).closesTask).toEqual({ outcome, by: 'ops' });
      expect(apply(begin(), override(outcome), HOUR_MS).closesTask).toBeNull();
      expect(apply(inDecision(), override(outcome), now).closesTask).toBeNull();
    },
  );
});

describe('the scheduler', () => {
  it('gives its address where the supporter has handed in none', () => {
    expect(apply(begin(), reported, HOUR_MS)).toMatchObject({
      row: { proof_url: REPOSTS },
      next: { proofUrl: REPOSTS },
    });
    const own = apply(handedIn(), reported, 2 * HOUR_MS);
    expect(own.row).not.toHaveProperty('proof_url');
    expect(own.next.proofUrl).toBe(TRACK);
  });
});

describe('a look', () => {
  it('is made one at a time: while it is under way other things are due', () => {
    const state = handedIn();
    expect(nextAssignmentAlarm(state, false)).toEqual({ kind: 'look', at: HOUR_MS });
    expect(nextAssignmentAlarm(state, true)).toEqual({ kind: 'reminder', at: 18 * HOUR_MS });
  });

  it('that is planned already serves the reminder', () => {
    const waiting = look(handedIn(), 'away', HOUR_MS).next;
    const { next, step } = raiseAssignmentAlarm(waiting, 'reminder', 18 * HOUR_MS);
    expect([step, next.look, next.looks]).toEqual(['reminder_due', waiting.look, waiting.looks]);
  });

  it('that was overtaken by a newer proof counts only if it saw the repost', () => {
    const first = handedIn();
    const second = apply(first, proof, 2 * HOUR_MS).next;
    const old = first.look?.key ?? '';
    expect(old).not.toBe(second.look?.key);
    expect(look(second, 'seen', 2 * HOUR_MS, old)).toMatchObject({
      step: 'completed_evidence',
      next: { stage: 'watch' },
    });
    for (const answer of ['absent', 'inconclusive'] as const) {
      const { next, step } = look(second, answer, 2 * HOUR_MS, old);
      expect([step, next.stage, next.look]).toEqual([null, 'proof', second.look]);
    }
  });

  it('that was overtaken by the watch does not begin it anew', () => {
    const watched = inWatch();
    const { next, step } = look(watched, 'seen', HOUR_MS, 'proof:1');
    expect([step, next.watch, next.look, next.since]).toEqual([
      null,
      watched.watch,
      watched.look,
      watched.since,
    ]);
  });

  it('without credentials tells the supporter nothing about their proof', () => {
    const state = handedIn();
    const answer = {
      key: state.look?.key ?? '',
      outcome: 'answered',
      verdict: 'inconclusive',
      at: HOUR_MS,
      scheduled: false,
    } as const;
    expect(applyLook(state, { ...answer, degraded: false }, HOUR_MS)).toMatchObject({
      step: 'not_seen_yet',
      notices: [{ to: 'supporter' }],
    });
    expect(applyLook(state, { ...answer, degraded: true }, HOUR_MS)).toMatchObject({
      step: null,
      notices: [],
      next: { degraded: true },
    });
  });
});

describe('the watch', () => {
  it('takes a repost that is gone from the planned hour on for taken down as planned', () => {
    const first = 12 * HOUR_MS;
    const gone = (hours: number) => look(inWatch({ unrepostAfterHours: hours }), 'absent', first).next;
    expect(gone(12)).toMatchObject({ absences: [], watch: { checks: 1 }, look: { at: 24 * HOUR_MS } });
    expect(gone(13)).toMatchObject({
      absences: [first],
      watch: { checks: 0 },
      look: { at: first + 10 * MINUTE },
    });
  });

  it('ended by ops keeps their reason', () => {
    expect(apply(inWatch(), override('completed'), HOUR_MS).row).toEqual({
      provisional: false,
      outcome_reason: 'I looked.',
    });
  });

  it('of what nobody ever saw ends provisional and audited, of what somebody vouched for it does not', () => {
    const proven = { settles: 'capture', row: { provisional: false }, opensTask: null };
    expect(lookOn(acceptedUnseen(), 'inconclusive')).toMatchObject({
      settles: 'capture',
      row: { provisional: true },
      opensTask: { kind: 'proof_audit' },
    });
    // Ops accepted it, ops ended it, SoundCloud showed it once, the scheduler made it.
    expect(lookOn(inWatch(), 'inconclusive')).toMatchObject(proven);
    expect(apply(acceptedUnseen(), override('completed'), 49 * HOUR_MS)).toMatchObject(proven);
    const seenOnce = look(handedIn(), 'seen', HOUR_MS).next;
    expect(seenOnce).toMatchObject({ stage: 'watch', seen: true, acceptedBy: 'evidence' });
    expect(lookOn(seenOnce, 'inconclusive')).toMatchObject(proven);
    expect(lookOn(apply(begin(), reported, HOUR_MS).next, 'inconclusive')).toMatchObject(proven);
  });

  it('leaves nothing that is waited for', () => {
    const { next } = lookOn(inWatch(), 'seen');
    expect(next).toMatchObject({ stage: 'closed', watch: null, look: null, opsDueAt: null, absences: [] });
    expect(nextAssignmentAlarm(next, false)).toBeNull();
    expect(apply(askedOps(), override('skipped'), 25 * HOUR_MS).next).toMatchObject({ opsDueAt: null });
  });
});
