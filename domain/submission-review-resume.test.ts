import { describe, expect, it } from 'vitest';
import { DAY_MS, HOUR_MS } from './calendar.js';
import type { SubmissionCommand } from './submission-commands.js';
import { applyCommand, beginReview, type ReviewPolicy, type ReviewState } from './submission-review.js';
import { nextAlarm, raiseAlarm } from './submission-review-alarms.js';
import { type PastStep, resumeReview } from './submission-review-resume.js';
import { reviewWait } from './submission-review-wait.js';

const POLICY: ReviewPolicy = {
  decisionSlaHours: 24,
  onBreach: 'escalate',
  warnPercent: 75,
  liveLinkReminderHours: [24, 72],
  liveLinkCloseDays: 7,
  minRejectWords: 10,
};
const askForLink: SubmissionCommand = {
  name: 'decide',
  commandId: 'ask',
  by: 'ops',
  action: 'pend',
  needLiveLink: true,
};

/** The review after its next `count` alarms, with the steps they leave behind. */
function ring(state: ReviewState, count: number, steps: PastStep[] = []): { state: ReviewState; at: number } {
  let [now, next] = [0, state];
  for (let round = 0; round < count; round += 1) {
    const alarm = nextAlarm(next);
    if (alarm === null) throw new Error('there is no alarm');
    now = alarm.at;
    next = raiseAlarm(next, alarm, now).next;
    steps.push({ name: alarm.kind, payload: {} });
  }
  return { state: next, at: now };
}

/** What a new workflow makes of what the old one left in the database. */
function lostAndFound(state: ReviewState, now: number, steps: PastStep[]): ReviewState {
  const facts = {
    status: state.status,
    end: 'rejected' as const,
    submittedAt: state.submittedAt,
    decidedAt: state.decidedAt,
    ownerId: state.ownerId,
    familyKnown: state.familyKnown,
    proposalExpiresAt: null,
  };
  return resumeReview(facts, POLICY, reviewWait(state, now), steps);
}

describe('a review whose workflow was lost', () => {
  it('raises the alarm that is next, not those that were raised', () => {
    for (let count = 1; count <= 4; count += 1) {
      const steps: PastStep[] = [];
      const { state, at } = ring({ ...beginReview(0, 'owner', POLICY), familyKnown: true }, count, steps);
      expect(lostAndFound(state, at, steps)).toEqual(state);
    }
  });

  it('reminds of a live link only as often as is left, and keeps a breach from before', () => {
    const steps: PastStep[] = [];
    const breached = ring(beginReview(0, null, POLICY), 3, steps);
    const asked = applyCommand(breached.state, askForLink, breached.at + HOUR_MS).next;
    steps.push({ name: 'decide', payload: askForLink });
    const { state, at } = ring(asked, 1, steps);
    const found = lostAndFound(state, at, steps);
    expect(found).toEqual(state);
    expect(nextAlarm(found)).toEqual({ kind: 'live_link_reminder', at: asked.since + 72 * HOUR_MS });
  });

  it('begins the reminders anew when the link was asked for once more', () => {
    const steps: PastStep[] = [];
    const asked = applyCommand(beginReview(0, null, POLICY), askForLink, HOUR_MS).next;
    steps.push({ name: 'decide', payload: askForLink });
    const { at } = ring(asked, 2, steps);
    const link = 'https://soundcloud.com/some-artist/out-now';
    const answered = applyCommand(
      asked,
      { name: 'provideLiveLink', commandId: 'link', by: 'member', url: link },
      at,
    ).next;
    steps.push({ name: 'provideLiveLink', payload: {} });
    const again = applyCommand(answered, askForLink, at + HOUR_MS).next;
    steps.push({ name: 'decide', payload: askForLink });
    expect(lostAndFound(again, at + HOUR_MS, steps)).toEqual(again);
  });

  it('that was decided goes on behind the decision', () => {
    const fresh = beginReview(0, null, POLICY);
    const rejected = resumeReview(
      {
        status: 'rejected',
        end: 'withdrawn',
        submittedAt: 0,
        decidedAt: HOUR_MS,
        ownerId: null,
        familyKnown: true,
        proposalExpiresAt: null,
      },
      POLICY,
      null,
      [],
    );
    expect(nextAlarm(rejected)).toBeNull();
    expect(rejected).toEqual({
      ...fresh,
      stage: 'closed',
      status: 'rejected',
      end: 'withdrawn',
      decidedAt: HOUR_MS,
      familyKnown: true,
    });
    expect(
      resumeReview(
        {
          status: 'approved',
          end: 'unsupported',
          submittedAt: 0,
          decidedAt: DAY_MS,
          ownerId: null,
          familyKnown: true,
          proposalExpiresAt: null,
        },
        POLICY,
        null,
        [],
      ),
    ).toMatchObject({ stage: 'queue', since: DAY_MS });
    const facts = {
      status: 'approved' as const,
      end: 'supported' as const,
      submittedAt: 0,
      decidedAt: DAY_MS,
      ownerId: null,
      familyKnown: true,
      proposalExpiresAt: 2 * DAY_MS,
    };
    expect(resumeReview(facts, POLICY, null, [])).toMatchObject({ proposalExpiresAt: 2 * DAY_MS });
    for (const name of ['closeSupport', 'supported', 'unsupported'])
      expect(resumeReview(facts, POLICY, null, [{ name, payload: {} }])).toMatchObject({
        stage: 'closed',
        end: 'supported',
      });
    const served = { ...beginReview(0, null, POLICY), stage: 'support' as const, since: 3 * DAY_MS };
    expect(resumeReview(facts, POLICY, reviewWait(served, 3 * DAY_MS), [])).toMatchObject({
      stage: 'support',
      since: 3 * DAY_MS,
      proposalExpiresAt: null,
    });
  });
});
