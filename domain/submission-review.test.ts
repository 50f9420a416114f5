import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DAY_MS, HOUR_MS } from './calendar.js';
import { remaining } from './sla.js';
import { readSubmissionCommand, type SubmissionCommand } from './submission-commands.js';
import {
  applyCommand,
  beginReview,
  pauseForProvider,
  type ReviewPolicy,
  type ReviewState,
  recordIntake,
} from './submission-review.js';
import { decideOnBreach, nextAlarm, raiseAlarm } from './submission-review-alarms.js';
import { checkCommand } from './submission-review-checks.js';
import { noteSupport, type SupportFacts } from './submission-review-support.js';
import { reviewWait } from './submission-review-wait.js';

const POLICY: ReviewPolicy = {
  decisionSlaHours: 24,
  onBreach: 'escalate',
  warnPercent: 75,
  liveLinkReminderHours: [24, 72],
  liveLinkCloseDays: 7,
  minRejectWords: 10,
};
const REASON = 'The track is already out on another channel of our network.';
const USER = 'user-1';

const begin = (policy: Partial<ReviewPolicy> = {}) =>
  recordIntake(beginReview(0, null, { ...POLICY, ...policy }), { familyKnown: true, flagged: false }, 0);
const decide = (command: Partial<SubmissionCommand & { name: 'decide' }>): SubmissionCommand => ({
  name: 'decide',
  commandId: 'c',
  by: USER,
  action: 'approve',
  ...command,
});
const withdraw: SubmissionCommand = { name: 'withdraw', commandId: 'w', by: USER };
const link = (url: string): SubmissionCommand => ({ name: 'provideLiveLink', commandId: 'l', by: USER, url });

function apply(state: ReviewState, command: SubmissionCommand, now: number) {
  expect(checkCommand(state, command)).toEqual({ ok: true });
  return applyCommand(state, command, now);
}
function refusal(state: ReviewState, command: SubmissionCommand) {
  const check = checkCommand(state, command);
  return check.ok ? 'allowed' : check.code;
}

describe('a decision', () => {
  it('approves: waits for the queue, the SLA stops, one event', () => {
    const { next, row, event, mail } = apply(begin(), decide({}), HOUR_MS);
    expect(next).toMatchObject({
      stage: 'queue',
      status: 'approved',
      decidedAt: HOUR_MS,
      proposalExpiresAt: null,
    });
    expect(row).toMatchObject({ status: 'approved', decided_at: HOUR_MS, decided_by: USER });
    expect(event).toEqual({ type: 'submission.decided', data: { status: 'approved', decided_by: USER } });
    expect(mail).toBeNull();
    expect(nextAlarm(next)).toBeNull();
  });

  it('rejects only with a reason of at least ten words, which goes into the mail', () => {
    expect(refusal(begin(), decide({ action: 'reject' }))).toBe('reason_too_short');
    expect(
      refusal(
        begin(),
        decide({ action: 'reject', reason: 'one two three four five six seven eight nine - , .' }),
      ),
    ).toBe('reason_too_short');
    const { next, row, mail, returnsSlot } = apply(begin(), decide({ action: 'reject', reason: REASON }), 5);
    expect(next).toMatchObject({ stage: 'closed', status: 'rejected' });
    expect(row).toMatchObject({ reject_reason: REASON });
    expect(mail).toBe('submission_rejected');
    expect(returnsSlot).toBe(false);
  });

  it('needs a family to approve a track of unknown genre', () => {
    const unknown = recordIntake(beginReview(0, null, POLICY), { familyKnown: false, flagged: true }, 0);
    expect(unknown.status).toBe('qa_flag');
    expect(refusal(unknown, decide({}))).toBe('family_required');
    expect(apply(unknown, decide({ family: 'Electronic' }), 1).row).toMatchObject({
      family: 'Electronic',
      qa_reason: null,
    });
  });

  it('flags with a reason while the SLA runs on', () => {
    expect(refusal(begin(), decide({ action: 'flag', reason: ' – ' }))).toBe('reason_required');
    const { next, row } = apply(begin(), decide({ action: 'flag', reason: 'Cover art missing' }), HOUR_MS);
    expect(next.status).toBe('qa_flag');
    expect(row.qa_reason).toBe('Cover art missing');
    expect(nextAlarm(next)).toEqual({ kind: 'warning', at: 18 * HOUR_MS });
  });

  it('plain pend means looked at: the SLA runs on, nobody is asked', () => {
    const { next, mail } = apply(begin(), decide({ action: 'pend' }), HOUR_MS);
    expect(next).toMatchObject({ stage: 'decision', status: 'pending' });
    expect(mail).toBeNull();
    expect(nextAlarm(next)?.at).toBe(18 * HOUR_MS);
  });

  it('comes once: a second one is refused with the state in the message', () => {
    const approved = apply(begin(), decide({}), 1).next;
    const check = checkCommand(approved, decide({ action: 'reject', reason: REASON }));
    expect(check).toMatchObject({ ok: false, code: 'already_decided' });
    const rejected = apply(begin(), decide({ action: 'reject', reason: REASON }), 1).next;
    expect(checkCommand(rejected, decide({}))).toMatchObject({
      code: 'submission_closed',
      reason: expect.stringContaining('(rejected)'),
    });
    expect(checkCommand(apply(approved, withdraw, 2).next, decide({}))).toMatchObject({
      code: 'submission_closed',
      reason: expect.stringContaining('(withdrawn)'),
    });
  });
});

describe('a live link', () => {
  const asked = apply(begin(), decide({ action: 'pend', needLiveLink: true }), 10 * HOUR_MS);

  it('pauses the SLA and asks the member', () => {
    expect(asked.mail).toBe('request_live_link');
    expect(asked.notice?.to).toBe('member');
    expect(asked.next).toMatchObject({ stage: 'live_link', status: 'pending' });
    expect(remaining(asked.next.sla, 99 * DAY_MS)).toBe(14 * HOUR_MS);
    expect(reviewWait(asked.next, 12 * HOUR_MS)).toMatchObject({
      waitingOn: 'member',
      paused: true,
      remainingMs: 14 * HOUR_MS,
    });
  });

  it('reminds after 24 h and 72 h and closes after 7 days', () => {
    let state = asked.next;
    const seen: [string, number][] = [];
    while (state.stage !== 'closed') {
      const alarm = nextAlarm(state);
      if (alarm === null) throw new Error('no alarm');
      seen.push([alarm.kind, (alarm.at - 10 * HOUR_MS) / HOUR_MS]);
      state = raiseAlarm(state, alarm, alarm.at).next;
    }
    expect(seen).toEqual([
      ['live_link_reminder', 24],
      ['live_link_reminder', 72],
      ['live_link_close', 168],
    ]);
    expect(state.status).toBe('rejected');
  });

  it('comes back to new with the remainder', () => {
    const { next, row } = apply(
      asked.next,
      link('https://soundcloud.com/some-artist/some-track?si=x'),
      50 * HOUR_MS,
    );
    expect(row).toMatchObject({
      status: 'new',
      live_link_url: 'https://soundcloud.com/some-artist/some-track',
    });
    expect(next).toMatchObject({ stage: 'decision', status: 'new', liveLink: null });
    expect(nextAlarm(next)).toEqual({ kind: 'warning', at: 50 * HOUR_MS + 8 * HOUR_MS });
  });

  it('is refused when it is no track, or nobody asked', () => {
    expect(refusal(asked.next, link('https://example.com/x'))).toBe('live_link_not_a_track');
    expect(refusal(begin(), link('https://soundcloud.com/a/b'))).toBe('not_waiting_for_live_link');
  });

  it('lets ops approve or reject meanwhile, but not pend or flag', () => {
    expect(refusal(asked.next, decide({ action: 'pend' }))).toBe('waiting_for_live_link');
    expect(refusal(asked.next, decide({ action: 'flag', reason: 'x' }))).toBe('waiting_for_live_link');
    expect(apply(asked.next, decide({}), 1).next.stage).toBe('queue');
  });
});

describe('the promise', () => {
  it('is announced, broken, and the alarm repeated daily', () => {
    let state = begin();
    const alarms = Array.from({ length: 4 }, () => {
      const alarm = nextAlarm(state);
      if (alarm === null) throw new Error('no alarm');
      const raised = raiseAlarm(state, alarm, alarm.at);
      state = raised.next;
      return [
        alarm.kind,
        alarm.at / HOUR_MS,
        raised.event?.type ?? null,
        raised.notice?.to,
        raised.notice?.slack,
      ];
    });
    expect(alarms).toEqual([
      ['warning', 18, null, 'owner_or_ops', false],
      ['breach', 24, 'submission.breached', 'admins', true],
      ['breach', 48, 'submission.breached', 'admins', true],
      ['breach', 72, 'submission.breached', 'admins', true],
    ]);
    expect(reviewWait(state, 73 * HOUR_MS)).toMatchObject({ breached: true, waitingOn: 'ops' });
  });

  const breached = (policy: Partial<ReviewPolicy>) => {
    const state = begin(policy);
    return raiseAlarm(state, { kind: 'breach', at: DAY_MS }, DAY_MS).next;
  };

  it('escalates by default', () => expect(decideOnBreach(breached({}), DAY_MS)).toBeNull());
  it('approves where the org says so', () => {
    expect(decideOnBreach(breached({ onBreach: 'approve' }), DAY_MS)?.next.status).toBe('approved');
  });
  it('does not approve a track of unknown genre, which needs a person', () => {
    expect(decideOnBreach({ ...breached({ onBreach: 'approve' }), familyKnown: false }, DAY_MS)).toBeNull();
  });
  it('rejects and gives the slot back where the org says so', () => {
    const verdict = decideOnBreach(breached({ onBreach: 'reject_refund' }), DAY_MS);
    expect(verdict).toMatchObject({
      returnsSlot: true,
      mail: 'submission_rejected',
      next: { stage: 'closed' },
    });
  });
  it('is made up for at the next alarm when the first was not followed by a verdict', () => {
    const twice = raiseAlarm(
      breached({ onBreach: 'approve' }),
      { kind: 'breach', at: 2 * DAY_MS },
      2 * DAY_MS,
    ).next;
    expect(decideOnBreach(twice, 2 * DAY_MS)?.next.status).toBe('approved');
    expect(decideOnBreach(begin({ onBreach: 'approve' }), DAY_MS)).toBeNull();
  });
});

describe('a provider that does not answer', () => {
  it('pauses the SLA, is asked again every half hour, and the remainder runs on', () => {
    const down = pauseForProvider(beginReview(0, null, POLICY), HOUR_MS);
    expect(reviewWait(down, HOUR_MS)).toMatchObject({ waitingOn: 'provider', paused: true });
    expect(nextAlarm(down)).toEqual({ kind: 'provider_retry', at: 1.5 * HOUR_MS });
    const again = pauseForProvider(down, 1.5 * HOUR_MS);
    expect(again.provider?.downSince).toBe(HOUR_MS);
    const back = recordIntake(again, { familyKnown: true, flagged: false }, 10 * HOUR_MS);
    expect(back).toMatchObject({ provider: null, status: 'new' });
    expect(remaining(back.sla, 10 * HOUR_MS)).toBe(23 * HOUR_MS);
  });

  it('does not keep ops from deciding, nor a late answer from filling in what is missing', () => {
    const down = pauseForProvider(beginReview(0, null, POLICY), HOUR_MS);
    const approved = apply(down, decide({ family: 'Pop' }), 2 * HOUR_MS).next;
    expect(nextAlarm(approved)?.kind).toBe('provider_retry');
    expect(recordIntake(approved, { familyKnown: false, flagged: true }, 3 * HOUR_MS)).toMatchObject({
      status: 'approved',
      stage: 'queue',
    });
  });

  it('leaves the SLA of a member’s live link alone', () => {
    const down = pauseForProvider(begin(), HOUR_MS);
    const asked = apply(down, decide({ action: 'pend', needLiveLink: true }), 2 * HOUR_MS).next;
    expect(
      recordIntake(asked, { familyKnown: true, flagged: false }, 3 * HOUR_MS).sla.runningSince,
    ).toBeNull();
  });
});

describe('commands', () => {
  it('withdraw from any open stage, with the slot given back', () => {
    for (const state of [begin(), apply(begin(), decide({}), 1).next]) {
      const { next, row, event, returnsSlot } = apply(state, withdraw, 9);
      expect(next).toMatchObject({ stage: 'closed', status: 'rejected' });
      expect(row).toMatchObject({ status: 'rejected', withdrawn_at: 9 });
      expect(event?.type).toBe('submission.withdrawn');
      expect(returnsSlot).toBe(true);
    }
  });

  it('are read without throwing, whatever is sent', () => {
    const names = fc.constantFrom(
      'decide' as const,
      'assignOwner' as const,
      'withdraw' as const,
      'provideLiveLink' as const,
    );
    fc.assert(
      fc.property(names, fc.anything(), (name, input) => {
        const read = readSubmissionCommand(name, input, 'fallback');
        if (!read.ok) expect(read.code).toBe('malformed_command');
      }),
    );
  });

  it('keep the state consistent in any order: never both closed and waiting, never decided twice', () => {
    const commands = fc.constantFrom<SubmissionCommand>(
      decide({}),
      decide({ action: 'reject', reason: REASON }),
      decide({ action: 'pend' }),
      decide({ action: 'pend', needLiveLink: true }),
      decide({ action: 'flag', reason: 'look' }),
      withdraw,
      link('https://soundcloud.com/a/b'),
      { name: 'assignOwner', commandId: 'o', by: USER, ownerId: null },
    );
    const steps = fc.array(
      fc.oneof(commands, fc.constant('alarm' as const), fc.constant('provider' as const)),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(steps, (sequence) => {
        let state = beginReview(0, null, POLICY);
        let now = 0;
        let decisions = 0;
        for (const step of sequence) {
          now += HOUR_MS;
          const before = state;
          if (step === 'alarm') {
            const alarm = nextAlarm(state);
            if (alarm === null) continue;
            now = Math.max(now, alarm.at);
            state = raiseAlarm(state, alarm, now).next;
          } else if (step === 'provider') {
            if (state.stage !== 'closed') state = pauseForProvider(state, now);
          } else if (checkCommand(state, step).ok) {
            state = applyCommand(state, step, now).next;
          }
          if (before.decidedAt === null && state.decidedAt !== null) decisions += 1;
          const wait = reviewWait(state, now);
          expect(wait === null).toBe(state.stage === 'closed');
          expect(state.end !== null).toBe(state.stage === 'closed');
          expect(state.stage === 'live_link').toBe(state.liveLink !== null);
          if (state.stage === 'closed') expect([state.status, nextAlarm(state)]).toEqual(['rejected', null]);
          if (wait?.paused) expect(wait.remainingMs).toBe(remaining(state.sla, now));
        }
        expect(decisions).toBeLessThanOrEqual(1);
      }),
    );
  });
});

describe('the words of an approved submission’s wait', () => {
  const { next: state } = apply(begin(), decide({}), HOUR_MS);
  const NOTHING: SupportFacts = {
    queueDate: null,
    firstSlotAt: null,
    open: 0,
    owed: 0,
    completed: 0,
    reach: 0,
    credits: 0,
    supportUrl: null,
    supportDate: '2026-05-11',
    supportDateOut: false,
    shifts: 0,
    shiftReason: null,
    asked: false,
  };
  const served = { queueDate: '2026-05-11', firstSlotAt: 0, owed: 1, supportDateOut: true };
  const who = (facts: Partial<SupportFacts>) =>
    reviewWait(noteSupport(state, { ...NOTHING, ...facts }, DAY_MS), DAY_MS)?.whoCanAct;

  it.each<[string, Partial<SupportFacts>, string]>([
    ['no date yet', { supportDate: null }, 'the next daily queue; the member may still withdraw'],
    ['a queue to come', {}, 'the queue of 2026-05-11 or a later one; the member may still withdraw'],
    [
      'a queue that went out without it',
      { supportDateOut: true },
      'the next daily queue (that of 2026-05-11 is out); the member may still withdraw',
    ],
    ['a replacement owed of that queue', served, 'the next daily queue (that of 2026-05-11 is out)'],
    [
      'a replacement moved to a queue to come',
      { ...served, supportDate: '2026-05-12', supportDateOut: false },
      'the queue of 2026-05-12 or a later one',
    ],
  ])('%s', (_, facts, words) => {
    expect(who(facts)).toBe(words);
  });
});
