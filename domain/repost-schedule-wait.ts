/** What a repost's schedule waits for, in words (lifecycles.md, "repostSchedule"). */
import type { ScheduleState } from './repost-schedule.js';
import type { Wait } from './waiting.js';

/** The wait a state stands for; null when it is over. */
export function scheduleWait(state: ScheduleState): Wait | null {
  const common = {
    stage: state.stage,
    since: state.since,
    paused: false,
    remainingMs: null,
    breached: state.overdue,
  };
  switch (state.stage) {
    case 'closed':
      return null;
    case 'ahead':
      return {
        ...common,
        waitingOn: state.retries > 0 ? 'provider' : 'time',
        whoCanAct: 'nobody needs to; ops may cancel',
        howToAct:
          state.retries > 0
            ? 'Influence Planner did not take it; it is sent again'
            : 'nothing to do: it is sent to Influence Planner at its time; cancel stops it',
        dueAt: state.sendAt,
      };
    case 'sending':
      return {
        ...common,
        waitingOn: 'provider',
        whoCanAct: 'Influence Planner must answer',
        howToAct: 'nothing to do: the answer comes within seconds',
        dueAt: null,
      };
    case 'unknown':
      return {
        ...common,
        waitingOn: 'ops',
        whoCanAct:
          'an admin or moderator with access to Influence Planner; a webhook or the repost itself answers too',
        howToAct: 'look into the calendar of Influence Planner, then answerUnknown: sent true or false',
        dueAt: state.deadline,
      };
    case 'completion':
      return {
        ...common,
        waitingOn: 'provider',
        whoCanAct: 'Influence Planner makes the repost; ops may cancel',
        howToAct: 'nothing to do: a webhook tells of it, or it is seen on SoundCloud',
        dueAt: state.deadline,
      };
    case 'cancelling':
      return {
        ...common,
        waitingOn: 'ops',
        whoCanAct: 'an admin or moderator with access to Influence Planner',
        howToAct: 'take it out of the calendar of Influence Planner, then confirmCancelled',
        dueAt: state.deadline,
      };
  }
}
