/** What a submission review waits for, in words (lifecycles.md, "submissionReview"). */
import { DAY_MS } from './calendar.js';
import { dueAt, isPaused, remaining } from './sla.js';
import type { ReviewState } from './submission-review.js';
import { supportWaitWords } from './submission-review-support.js';
import type { Wait } from './waiting.js';

/** The wait a state stands for; null when the review is over. @param now business ms. */
export function reviewWait(state: ReviewState, now: number): Wait | null {
  const common = {
    stage: state.stage,
    since: state.since,
    breached: state.sla.breaches > 0 && state.stage === 'decision',
  };
  const sla = {
    dueAt: dueAt(state.sla),
    paused: isPaused(state.sla),
    remainingMs: isPaused(state.sla) ? remaining(state.sla, now) : null,
  };
  switch (state.stage) {
    case 'closed':
      return null;
    case 'live_link':
      return {
        ...common,
        ...sla,
        waitingOn: 'member',
        whoCanAct: 'the member who submitted (ops may still approve or reject)',
        howToAct: 'provideLiveLink with the public track URL, or withdraw',
        dueAt:
          state.liveLink === null ? null : state.liveLink.askedAt + state.policy.liveLinkCloseDays * DAY_MS,
      };
    case 'queue':
    case 'support': {
      const words = supportWaitWords(state);
      return words === null ? null : { ...common, ...words, dueAt: null, paused: false, remainingMs: null };
    }
    case 'decision':
      if (state.provider !== null) {
        return {
          ...common,
          ...sla,
          since: state.provider.downSince,
          waitingOn: 'provider',
          whoCanAct: 'SoundCloud must answer; an admin or moderator may decide without it',
          howToAct:
            'tried again every half hour; decide (approve names the genre family) goes on without the track data',
        };
      }
      return {
        ...common,
        ...sla,
        waitingOn: 'ops',
        whoCanAct: state.ownerId === null ? 'an admin or moderator' : 'its owner, or any admin or moderator',
        howToAct: state.familyKnown
          ? `decide: approve, reject (${state.policy.minRejectWords} words or more), pend or flag`
          : `decide: approve with a genre family, reject (${state.policy.minRejectWords} words or more), pend or flag`,
      };
  }
}
