/**
 * One item in Influence Planner: one track, one account (lifecycles.md, "repostSchedule"). Pure: what a step changes is
 * returned, to be written in one transaction. All times are business ms. The vendor can neither be asked what it has nor
 * be told to forget it, so the one rule above all others: what may have been sent is never sent again.
 */
import { HOUR_MS } from './calendar.js';
import type { ScheduleCheck, ScheduleCommand, ScheduleRefusalCode } from './repost-schedule-commands.js';

const MINUTE_MS = 60_000;
/** A time that is past already is replaced by one this far ahead. */
const SOONEST_MS = 5 * MINUTE_MS;
/** Closer to the deadline than this nothing is sent any more. */
const LAST_CHANCE_MS = HOUR_MS;
const FIRST_RETRY_MS = MINUTE_MS;
const LONGEST_RETRY_MS = 30 * MINUTE_MS;
/** First look for the repost, after its time. */
export const FIRST_LOOK_MS = HOUR_MS;
/** While SoundCloud does not answer, a schedule may stay undecided this long after its deadline. */
const PATIENCE_MS = 24 * HOUR_MS;

export type ScheduleStage =
  /** Not sent; waits for its time to be sent. */
  | 'ahead'
  /** A request is under way, or was when its worker died. */
  | 'sending'
  /** A request was sent and nobody knows what became of it. */
  | 'unknown'
  /** The vendor has it; waits for the repost. */
  | 'completion'
  /** Ops take it out of the vendor's calendar. */
  | 'cancelling'
  | 'closed';

export type ScheduleStatus = 'pending' | 'scheduled' | 'completed' | 'failed' | 'cancelled';

export interface ScheduleState {
  stage: ScheduleStage;
  status: ScheduleStatus;
  /** When this stage was entered. */
  since: number;
  /** When the repost is to be made. */
  scheduledAt: number;
  /** Until when it counts: the assignment's deadline, or `late_completion_hours` later for a campaign. */
  deadline: number;
  /** When it is sent; in `ahead` only. */
  sendAt: number;
  /** Requests that were certainly not taken: 429, no connection. */
  retries: number;
  /** Looks for the repost so far. */
  looks: number;
  /** Null: no further look. */
  nextLookAt: number | null;
  /** The deadline passed and somebody must still answer. */
  overdue: boolean;
  ipScheduleId: string | null;
  calendarUrl: string | null;
  cancel: { by: string; reason: string } | null;
}

/** Columns of the row. Times are business ms. */
export interface SchedulePatch {
  status?: ScheduleStatus;
  scheduled_at?: number;
  completed_at?: number;
  proof_url?: string | null;
  error_message?: string | null;
  retry_count?: number;
  ip_schedule_id?: string;
}

export interface IntentPatch {
  status: 'intended' | 'confirmed' | 'failed' | 'unknown' | 'cancelled';
  error?: string;
  resolvedBy?: 'response' | 'evidence' | 'webhook' | 'ops';
}

export interface ScheduleTransition {
  next: ScheduleState;
  step: string;
  row: SchedulePatch;
  intent: IntentPatch | null;
  /** Task for ops that opens. */
  task: 'schedule_unknown' | 'cancel_schedule' | null;
  /** What answered the open tasks, and who; null: they stay. */
  answered: { by: string; outcome: string } | null;
  /** The assignment is told. */
  reports: boolean;
  look: { verdict: 'seen' | 'absent' | 'away' } | null;
}

export interface ScheduleFacts {
  status: ScheduleStatus;
  intent: 'intended' | 'sent' | 'confirmed' | 'failed' | 'unknown' | 'cancelled' | null;
  scheduledAt: number;
  deadline: number;
  retries: number;
  ipScheduleId: string | null;
  calendarUrl: string | null;
  /** When it was last sent, or the row was made. */
  since: number;
  /** The cancellation that was applied, if any. */
  cancel: { by: string; reason: string } | null;
  sendAheadHours: number;
}

/** The state of a row: a new one, or one whose workflow was lost. @param now business ms */
export function resumeSchedule(facts: ScheduleFacts, now: number): ScheduleState {
  const stage = stageOf(facts);
  return {
    stage,
    status: facts.status,
    since: facts.since,
    scheduledAt: facts.scheduledAt,
    deadline: facts.deadline,
    sendAt: Math.max(facts.scheduledAt - facts.sendAheadHours * HOUR_MS, facts.since),
    retries: facts.retries,
    ...lookedUntil(facts, now),
    overdue: false,
    ipScheduleId: facts.ipScheduleId,
    calendarUrl: facts.calendarUrl,
    cancel: facts.cancel,
  };
}

function stageOf({ status, intent, cancel }: ScheduleFacts): ScheduleStage {
  if (status !== 'pending' && status !== 'scheduled') return 'closed';
  if (cancel !== null) return 'cancelling';
  if (status === 'scheduled') return 'completion';
  if (intent === 'sent') return 'sending';
  return intent === 'unknown' ? 'unknown' : 'ahead';
}

/** How far the looks of a lost workflow may have come: those whose time is past are not made up for, but the newest. */
function lookedUntil(facts: Pick<ScheduleFacts, 'scheduledAt' | 'deadline'>, now: number) {
  let looks = 0;
  while (lookAt(facts, looks + 1) <= now && lookAt(facts, looks) < facts.deadline) looks += 1;
  return { looks, nextLookAt: lookAt(facts, looks) };
}

/** The look with this number: 1 h after the time, then 2, 4, 8 … h, the last one at the deadline. */
export function lookAt(
  { scheduledAt, deadline }: Pick<ScheduleState, 'scheduledAt' | 'deadline'>,
  n: number,
): number {
  return Math.min(scheduledAt + FIRST_LOOK_MS * 2 ** Math.min(n, 20), deadline);
}

export type ScheduleAlarm = { kind: 'send' | 'look'; at: number };

/** What is done next without anybody's word; null: nothing. */
export function nextScheduleAlarm(state: ScheduleState): ScheduleAlarm | null {
  if (state.stage === 'ahead') return { kind: 'send', at: state.sendAt };
  if (state.stage === 'closed' || state.nextLookAt === null) return null;
  return { kind: 'look', at: state.nextLookAt };
}

/** Last moment at which it may be sent. */
export function lastSendAt(state: ScheduleState): number {
  return state.deadline - LAST_CHANCE_MS;
}

/** When the vendor is to make the repost, if it is asked now: its time, or soon when that is past. */
export function dateToSend(state: ScheduleState, now: number): number {
  return Math.max(state.scheduledAt, now + SOONEST_MS);
}

/** A request goes out. @param date when the repost is to be made, from {@link dateToSend} */
export function beginSending(state: ScheduleState, date: number, now: number): ScheduleState {
  const sending = { ...enter(state, 'sending', now), scheduledAt: date, looks: 0 };
  return { ...sending, nextLookAt: lookAt(sending, 0) };
}

/** Why it is not sent. */
export type NotSent = 'not_configured' | 'account_not_linked' | 'assignment_over' | 'too_late';

const WHY_NOT_SENT: Readonly<Record<NotSent, string>> = {
  not_configured: 'not_configured: Influence Planner has no credentials here. It is reposted by hand.',
  account_not_linked: 'account_not_linked: the account is not linked in Influence Planner any more.',
  assignment_over: 'assignment_over: the assignment was over before its schedule was sent.',
  too_late: 'too_late: it could not be sent before its deadline.',
};

/** It was not sent and will not be. */
export function giveUp(state: ScheduleState, why: NotSent, now: number): ScheduleTransition {
  const over = why === 'assignment_over';
  return close(state, over ? 'cancelled' : 'failed', now, {
    step: why,
    row: { error_message: WHY_NOT_SENT[why] },
    intent: { status: over ? 'cancelled' : 'failed', error: WHY_NOT_SENT[why] },
    reports: !over,
  });
}

export type SendResult =
  | { outcome: 'created'; scheduleId: string; calendarUrl: string }
  /** Our own request limit sends it back. */
  | { outcome: 'later'; notBefore: number }
  /** Certainly not taken: it may be sent again. */
  | { outcome: 'again'; notBefore: number | null; reason: string }
  | { outcome: 'refused'; reason: string }
  /** The call did not begin in time. */
  | { outcome: 'too_late' }
  | { outcome: 'unknown'; reason: string };

/** @param result with its times in business ms */
export function applySendResult(state: ScheduleState, result: SendResult, now: number): ScheduleTransition {
  switch (result.outcome) {
    case 'created':
      return transition(enter({ ...state, ...idsOf(result) }, 'completion', now, 'scheduled'), 'scheduled', {
        row: { status: 'scheduled', ip_schedule_id: result.scheduleId },
        intent: { status: 'confirmed', resolvedBy: 'response' },
      });
    case 'later':
      return sendAgain(state, result.notBefore, state.retries, now);
    case 'again': {
      const backoff = now + Math.min(FIRST_RETRY_MS * 2 ** Math.min(state.retries, 10), LONGEST_RETRY_MS);
      const next = sendAgain(state, Math.max(backoff, result.notBefore ?? 0), state.retries + 1, now);
      return {
        ...next,
        row: { retry_count: state.retries + 1 },
        intent: { status: 'intended', error: result.reason },
      };
    }
    case 'too_late':
      return giveUp(state, 'too_late', now);
    case 'refused':
      return close(state, 'failed', now, {
        step: 'refused',
        row: { error_message: result.reason },
        intent: { status: 'failed', error: result.reason, resolvedBy: 'response' },
        reports: true,
      });
    case 'unknown':
      return transition(enter(state, 'unknown', now), 'unknown', {
        intent: { status: 'unknown', error: result.reason },
        task: 'schedule_unknown',
      });
  }
}

function sendAgain(state: ScheduleState, at: number, retries: number, now: number): ScheduleTransition {
  const next = { ...enter(state, 'ahead', now), since: state.since, sendAt: at, retries };
  return transition(next, 'not_taken', { intent: { status: 'intended' } });
}

export interface ScheduleLook {
  verdict: 'seen' | 'absent' | 'away';
  /** Where it was seen. */
  proofUrl: string | null;
  /** The assignment needs no repost any more. */
  assignmentOver: boolean;
}

/** What a look for the repost says. */
export function applyScheduleLook(state: ScheduleState, look: ScheduleLook, now: number): ScheduleTransition {
  const seen = { verdict: look.verdict };
  if (look.verdict === 'seen') {
    return complete(state, now, {
      at: now,
      proofUrl: look.proofUrl,
      by: 'evidence',
      step: 'seen',
      look: seen,
    });
  }
  const looked = { ...state, looks: state.looks + 1 };
  if (look.assignmentOver && state.stage === 'completion') {
    const reason = 'The assignment is over.';
    return { ...overWithoutRepost(looked, { by: 'system', reason }, now), look: seen };
  }
  if (look.assignmentOver && state.stage === 'unknown') {
    const command = { by: 'system', reason: 'The assignment is over.' };
    return { ...askToCancel(advanceLook(looked, look, now), command, now), look: seen };
  }
  const last = now >= state.deadline;
  const away = look.verdict === 'away';
  if (last && state.stage === 'completion' && !(away && now < state.deadline + PATIENCE_MS)) {
    return close(looked, 'failed', now, {
      step: 'not_seen',
      row: {
        error_message: away
          ? 'not_seen: neither Influence Planner nor SoundCloud said what became of it.'
          : 'not_seen: it was not seen on SoundCloud by its deadline.',
      },
      reports: true,
      look: seen,
    });
  }
  const next = advanceLook(looked, look, now);
  return transition(next, 'not_seen_yet', { look: seen });
}

function advanceLook(state: ScheduleState, { verdict }: ScheduleLook, now: number): ScheduleState {
  if (now < state.deadline) return { ...state, nextLookAt: Math.max(lookAt(state, state.looks), now) };
  const again = verdict === 'away' && now < state.deadline + PATIENCE_MS;
  // Who waits for a person's word waits on, and says that it is late.
  return { ...state, nextLookAt: again ? now + HOUR_MS : null, overdue: !again };
}

/** Whether a command is possible now. */
export function checkScheduleCommand(state: ScheduleState, command: ScheduleCommand): ScheduleCheck {
  if (state.stage === 'closed') return refuse('schedule_closed', closedReason(state.status));
  switch (command.name) {
    case 'cancel':
      return state.stage === 'cancelling'
        ? refuse(
            'schedule_being_cancelled',
            'It is being cancelled already: take it out of the calendar of Influence Planner, then confirm-cancelled.',
          )
        : { ok: true };
    case 'confirmCancelled':
      return state.stage === 'cancelling'
        ? { ok: true }
        : refuse('schedule_not_being_cancelled', 'Nobody asked to cancel it. Use cancel first.');
    case 'answerUnknown':
      return state.stage === 'unknown'
        ? { ok: true }
        : refuse('schedule_not_unknown', `Nothing is unknown about it: its stage is ${state.stage}.`);
    case 'plannerReported':
      return state.stage === 'ahead'
        ? refuse('schedule_not_sent', 'It was not sent yet, so this is about something else.')
        : { ok: true };
  }
}

/** @returns the step of a command that {@link checkScheduleCommand} allows */
export function applyScheduleCommand(
  state: ScheduleState,
  command: ScheduleCommand,
  now: number,
): ScheduleTransition {
  switch (command.name) {
    case 'cancel': {
      if (state.stage === 'ahead') {
        return close({ ...state, cancel: command }, 'cancelled', now, {
          row: { error_message: command.reason },
          intent: { status: 'cancelled' },
          reports: command.by !== 'system',
        });
      }
      // Its time is past: there is nothing in the calendar to take out, and nobody to be told.
      if (command.by === 'system' && state.stage === 'completion' && now >= state.scheduledAt + FIRST_LOOK_MS)
        return overWithoutRepost(state, command, now);
      return askToCancel(state, command, now);
    }
    case 'confirmCancelled':
      return close(state, 'cancelled', now, {
        row: { error_message: state.cancel?.reason ?? null },
        intent: { status: 'cancelled', resolvedBy: 'ops' },
        answered: { by: command.by, outcome: 'cancelled' },
        reports: state.cancel?.by !== 'system',
      });
    case 'answerUnknown':
      return answerUnknown(state, command, now);
    case 'plannerReported':
      return hearVendor(state, command, now);
  }
}

function answerUnknown(
  state: ScheduleState,
  { by, sent, scheduleId }: ScheduleCommand & { name: 'answerUnknown' },
  now: number,
): ScheduleTransition {
  if (!sent) {
    const reason = 'not_sent: the request did not arrive at Influence Planner.';
    return close(state, 'failed', now, {
      row: { error_message: reason },
      intent: { status: 'failed', error: reason, resolvedBy: 'ops' },
      answered: { by, outcome: 'not_sent' },
      reports: true,
    });
  }
  const known = { ...state, ipScheduleId: scheduleId ?? state.ipScheduleId };
  return transition(
    { ...enter(known, 'completion', now, 'scheduled'), nextLookAt: state.nextLookAt ?? now },
    'answerUnknown',
    {
      row: { status: 'scheduled', ...(scheduleId !== undefined && { ip_schedule_id: scheduleId }) },
      intent: { status: 'confirmed', resolvedBy: 'ops' },
      answered: { by, outcome: 'sent' },
    },
  );
}

function hearVendor(
  given: ScheduleState,
  report: ScheduleCommand & { name: 'plannerReported' },
  now: number,
): ScheduleTransition {
  const { scheduleId, calendarUrl, status } = report;
  const learnt = given.ipScheduleId === null && scheduleId != null;
  const state = learnt ? { ...given, ipScheduleId: scheduleId, calendarUrl: calendarUrl ?? null } : given;
  const row = learnt ? { ip_schedule_id: scheduleId } : {};
  if (status === 'failed') {
    // Who wanted it cancelled has what they wanted.
    const cancelled = state.cancel !== null;
    const reason = `failed_in_influence_planner: ${report.error ?? 'no reason was given'}`;
    return close(state, cancelled ? 'cancelled' : 'failed', now, {
      row: { ...row, error_message: reason },
      intent: state.status === 'scheduled' ? null : { status: 'confirmed', resolvedBy: 'webhook' },
      answered: { by: 'influence-planner', outcome: 'failed' },
      reports: state.cancel?.by !== 'system',
    });
  }
  // Taken down as planned: so it had been made, and the webhook that said so is late or lost.
  const done = status === 'completed';
  return complete(state, now, {
    // Never later than now, whatever it says.
    at: Math.min((done ? report.executedAt : state.scheduledAt) ?? now, now),
    proofUrl: (done ? report.proofUrl : null) ?? null,
    by: 'webhook',
    row,
  });
}

function complete(
  state: ScheduleState,
  now: number,
  how: {
    at: number;
    proofUrl: string | null;
    by: 'evidence' | 'webhook';
    row?: SchedulePatch;
    step?: string;
    look?: ScheduleTransition['look'];
  },
): ScheduleTransition {
  return close(state, 'completed', now, {
    ...(how.step !== undefined && { step: how.step }),
    row: { ...how.row, completed_at: how.at, proof_url: how.proofUrl, error_message: null },
    // What the answer said already is not said again.
    intent: state.status === 'scheduled' ? null : { status: 'confirmed', resolvedBy: how.by },
    answered: { by: how.by, outcome: 'completed' },
    reports: true,
    look: how.look ?? null,
  });
}

function askToCancel(
  state: ScheduleState,
  { by, reason }: { by: string; reason: string },
  now: number,
): ScheduleTransition {
  const outcome = { by, outcome: 'to_be_cancelled' };
  const next = { ...enter(state, 'cancelling', now), cancel: { by, reason } };
  return transition(next, 'cancel', { task: 'cancel_schedule', answered: outcome });
}

/** The assignment is over and the repost's time is past: it was not made, and nobody waits for it. */
function overWithoutRepost(
  state: ScheduleState,
  cancel: { by: string; reason: string },
  now: number,
): ScheduleTransition {
  return close({ ...state, cancel }, 'cancelled', now, {
    step: 'assignment_over',
    row: { error_message: `assignment_over: ${cancel.reason}` },
  });
}

function enter(
  state: ScheduleState,
  stage: ScheduleStage,
  now: number,
  status: ScheduleStatus = state.status,
): ScheduleState {
  return { ...state, stage, status, since: now, overdue: false };
}

type Change = Partial<Omit<ScheduleTransition, 'next'>>;

function transition(next: ScheduleState, step: string, change: Change): ScheduleTransition {
  return {
    next,
    step,
    row: {},
    intent: null,
    task: null,
    answered: null,
    reports: false,
    look: null,
    ...change,
  };
}

function close(
  state: ScheduleState,
  status: 'completed' | 'failed' | 'cancelled',
  now: number,
  change: Change,
): ScheduleTransition {
  const next = { ...enter(state, 'closed', now, status), nextLookAt: null };
  return transition(next, change.step ?? status, { ...change, row: { ...change.row, status } });
}

function idsOf({ scheduleId, calendarUrl }: { scheduleId: string; calendarUrl: string }) {
  return { ipScheduleId: scheduleId, calendarUrl };
}

/** Why nothing can be asked of it any more. */
export function closedReason(status: string): string {
  return `This schedule is closed (${status}); it takes no further commands.`;
}

function refuse(code: ScheduleRefusalCode, reason: string): ScheduleCheck {
  return { ok: false, code, reason };
}
