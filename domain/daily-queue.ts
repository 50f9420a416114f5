/**
 * The rules of a daily queue's life (lifecycles.md, "dailyQueue"): when it may be generated, until when ops approve it,
 * which warnings come before. Pure functions; the workflow decides when, the database records what. Times are business
 * milliseconds, dates `YYYY-MM-DD` in the org's timezone.
 */
import { addDays, atTimeOfDay, dateOf, daysBetween, HOUR_MS, timeOfDay } from './calendar.js';
import type { QueueCheck, QueueCommand } from './daily-queue-commands.js';
import type { QueueHours } from './settings.js';
import type { Wait } from './waiting.js';

/** `generation`: nothing is drafted yet. `approval`: ops look at the draft. `publishing`: approved. `settling`: out. */
export type QueueStage = 'generation' | 'approval' | 'publishing' | 'settling' | 'closed';

export type QueueStatus = 'draft' | 'approved' | 'published' | 'lapsed';

const MINUTE_MS = 60_000;
/** Hours before the cut-off at which ops are warned. */
export const CUTOFF_WARNING_HOURS = [3, 1] as const;
/** Minutes between publishing and the first slot of a queue: a supporter must hear of it before. */
export const NOTICE_MINUTES = 30;
/** Minutes before the window ends after which a queue that goes out has no slot left: the last one, and the notice of it. */
const LAST_SLOT_MINUTES = NOTICE_MINUTES + 1;
/** Minutes before the window ends at which a cut-off is at the latest: what was approved until then still has to go out. */
export const LAST_CUTOFF_MINUTES = LAST_SLOT_MINUTES + 4;
/** How many days ahead ops may ask for a queue. */
export const MOST_DAYS_AHEAD = 7;

/** Everything a queue's workflow remembers, and what the query `state` shows. */
export interface DailyQueueState {
  /** Null while there is no row. */
  queueId: string | null;
  date: string;
  stage: QueueStage;
  status: QueueStatus;
  /** Since when the queue is in this stage. */
  since: number;
  /** The newest draft. */
  revision: number;
  /** Assignments of the newest draft, or published ones. */
  assignments: number;
  /** When the draft was first generated: warnings due before it are skipped. */
  generatedAt: number | null;
  /** The cut-off. */
  approveBy: number | null;
  /** Hours of the warnings that were given. */
  warned: number[];
  /** User id. */
  approvedBy: string | null;
  approvedAt: number | null;
}

/** What ops read of a queue that waits for their approval. */
export function warningOf(date: string, hours: number): { title: string; message: string } {
  return {
    title: `The queue of ${date} waits for approval`,
    message: `It lapses in ${hours} h unless somebody approves it. Its submissions then move to the next queue.`,
  };
}

export type QueueAlarm = { kind: 'warning'; hours: number; at: number } | { kind: 'cutoff'; at: number };

/** When a queue of a date may be generated at the latest: by the org's hour, and while a slot is left. */
export function generateUntil(date: string, timezone: string, hours: QueueHours): number {
  return Math.min(atTimeOfDay(date, hours.no_generation_after, timezone), lastCutoff(date, timezone, hours));
}

/** The cut-off: the later of the org's hour and the hours ops have at least, but while a slot is left. */
export function approveBy(date: string, timezone: string, hours: QueueHours, generatedAt: number): number {
  const promised = generatedAt + hours.min_approval_hours * HOUR_MS;
  return Math.min(
    Math.max(atTimeOfDay(date, hours.approval_cutoff, timezone), promised),
    lastCutoff(date, timezone, hours),
  );
}

function lastCutoff(date: string, timezone: string, hours: QueueHours): number {
  return atTimeOfDay(date, hours.window_end, timezone) - LAST_CUTOFF_MINUTES * MINUTE_MS;
}

/** The last moment at which a queue that goes out has a slot left; slots are whole minutes, see {@link NOTICE_MINUTES}. */
export function publishUntil(date: string, timezone: string, hours: QueueHours): number {
  return atTimeOfDay(date, hours.window_end, timezone) - LAST_SLOT_MINUTES * MINUTE_MS;
}

/** Whether a queue that goes out now has a slot left. */
export function slotsAhead(date: string, timezone: string, hours: QueueHours, now: number): boolean {
  return now <= publishUntil(date, timezone, hours);
}

/** May ops ask for the queue of this date now? */
export function checkRequest(
  date: string,
  now: number,
  timezone: string,
  hours: QueueHours,
): { ok: true } | { ok: false; code: 'too_late_to_generate' | 'queue_date_out_of_range'; reason: string } {
  const today = dateOf(now, timezone);
  const ahead = daysBetween(today, date);
  if (ahead < 0 || ahead > MOST_DAYS_AHEAD) {
    return {
      ok: false,
      code: 'queue_date_out_of_range',
      reason: `Ask for a queue of today, ${today}, or of a later day until ${addDays(today, MOST_DAYS_AHEAD)} (${timezone}), not of ${date}.`,
    };
  }
  const limits = queueLimits(date, timezone, hours);
  if (now > limits.generateUntil) return { ok: false, ...tooLate(date, limits) };
  return { ok: true };
}

/** How long something can still be done for a queue's date, by the org's hours as they are. */
export interface QueueLimits {
  generateUntil: number;
  publishUntil: number;
  timezone: string;
}

export function queueLimits(date: string, timezone: string, hours: QueueHours): QueueLimits {
  return {
    generateUntil: generateUntil(date, timezone, hours),
    publishUntil: publishUntil(date, timezone, hours),
    timezone,
  };
}

function tooLate(date: string, { generateUntil: until, timezone }: QueueLimits) {
  return {
    code: 'too_late_to_generate' as const,
    reason: `Nothing is generated after ${timeOfDay(until, timezone)} for ${date}. The submissions are in the next queue.`,
  };
}

/**
 * What happens next if nobody acts; null when only commands or other workflows can move the queue. Of several that are
 * due, the last: after a long pause nobody is told of hours that are over.
 */
export function nextQueueAlarm(state: DailyQueueState, now: number): QueueAlarm | null {
  if (state.stage !== 'approval' || state.approveBy === null) return null;
  const { approveBy: cutoff } = state;
  const begun = state.generatedAt ?? state.since;
  const lastWarning = Math.min(...state.warned);
  const warnings = CUTOFF_WARNING_HOURS.filter((hours) => hours < lastWarning)
    .map((hours): QueueAlarm => ({ kind: 'warning', hours, at: cutoff - hours * HOUR_MS }))
    .filter(({ at }) => at > begun);
  const alarms: QueueAlarm[] = [...warnings, { kind: 'cutoff', at: cutoff }];
  return alarms.findLast(({ at }) => at <= now) ?? alarms[0] ?? null;
}

/**
 * May this command be applied now? Rules that need rows (pairs, assignments) are checked by the transaction.
 * @param limits see {@link queueLimits}
 * @param askedAgain whether the date was asked for since the queue closed.
 */
export function checkQueueCommand(
  state: DailyQueueState,
  command: QueueCommand,
  now: number,
  limits: QueueLimits,
  askedAgain = false,
): QueueCheck {
  if (state.stage === 'closed') {
    const reason = askedAgain
      ? `The queue of ${state.date} was asked for again and its draft is being made. Look at it, then send this again.`
      : whyClosed(state, now <= limits.generateUntil);
    return { ok: false, code: 'queue_closed', reason };
  }
  if (state.stage === 'publishing' || state.stage === 'settling') {
    const when = state.approvedAt === null ? '' : ` at ${new Date(state.approvedAt).toISOString()}`;
    return {
      ok: false,
      code: 'queue_already_approved',
      reason: `The queue of ${state.date} was approved by ${state.approvedBy ?? 'somebody'}${when}; its draft cannot be changed any more.`,
    };
  }
  if (command.ifRevision !== undefined && command.ifRevision !== state.revision) {
    return {
      ok: false,
      code: 'queue_changed',
      reason: `You saw draft ${command.ifRevision}; the newest is ${state.revision}. Look at it, then decide.`,
    };
  }
  if (command.name === 'regenerate' && now > limits.generateUntil) {
    return { ok: false, ...tooLate(state.date, limits) };
  }
  return command.name === 'approve' ? checkPublishing(state.date, now, limits) : { ok: true };
}

/** May a queue still go out? Without a slot left it would go out empty, and say that nobody was free. */
export function checkPublishing(
  date: string,
  now: number,
  { publishUntil: until, timezone }: QueueLimits,
): QueueCheck {
  if (now <= until) return { ok: true };
  return {
    ok: false,
    code: 'too_late_to_publish',
    reason: `No slot of ${date} is left: supporters hear of theirs ${NOTICE_MINUTES} minutes before it, so the last moment was ${timeOfDay(until, timezone)} (${timezone}). Let the queue lapse; its submissions then move to the next one.`,
  };
}

function whyClosed({ queueId, status, date }: DailyQueueState, open: boolean): string {
  if (queueId === null) return `There is no queue of ${date}: no submission asks for one.`;
  return status === 'lapsed' ? whyLapsed(date, open) : queueIsClosed(date, status);
}

/** @param open whether a queue of the date may still be asked for, see {@link checkRequest} */
export function whyLapsed(date: string, open: boolean): string {
  return `The queue of ${date} lapsed: nobody approved it in time. ${
    open
      ? 'Ask for it again with POST /v1/queues.'
      : 'It is too late to ask for it again; its submissions are in the next queue.'
  }`;
}

/** Why a queue that ended otherwise takes no command. */
export function queueIsClosed(date: string, status: string): string {
  return `The queue of ${date} is closed (${status}); it takes no further commands.`;
}

/** What would be drafted for a queue's date can be shown until it is approved; from then on its draft is fixed. */
export function checkDryRun(queue: {
  date: string;
  status: string;
  approvedBy: string | null;
  approvedAt: number | null;
}): QueueCheck {
  const { date, status, approvedBy, approvedAt } = queue;
  if (status !== 'approved' && status !== 'published') return { ok: true };
  const when = approvedAt === null ? '' : ` at ${new Date(approvedAt).toISOString()}`;
  const stand = status === 'published' ? 'is published' : 'is about to be published';
  return {
    ok: false,
    code: 'queue_already_approved',
    reason: `The queue of ${date} ${stand}: it was approved by ${approvedBy ?? 'somebody'}${when}. Nothing is drafted for this date any more; GET /v1/queues/${date} shows what stands.`,
  };
}

/** The date to which what a queue does not serve moves: the next one that has no queue yet. */
export function nextSupportDate(date: string, drafted: ReadonlySet<string>): string {
  let next = addDays(date, 1);
  while (drafted.has(next)) next = addDays(next, 1);
  return next;
}

/** The wait a state stands for; null when nothing is waited for. */
export function queueWait(state: DailyQueueState): Wait | null {
  const common = {
    stage: state.stage,
    since: state.since,
    paused: false,
    remainingMs: null,
    breached: false,
  };
  switch (state.stage) {
    case 'approval':
      return {
        ...common,
        waitingOn: 'ops',
        dueAt: state.approveBy,
        whoCanAct: 'an admin or moderator',
        howToAct:
          'approve, in whole or in part; before that regenerate, swapAssignment, dropAssignment, addAssignment',
      };
    case 'settling':
      return {
        ...common,
        waitingOn: 'supporter',
        dueAt: null,
        whoCanAct: 'the supporters, by their reposts and proofs',
        howToAct: 'nothing to do: the last assignment that is settled closes the queue',
      };
    case 'publishing':
      return {
        ...common,
        waitingOn: 'ops',
        dueAt: null,
        whoCanAct:
          'nobody needs to, unless publishing fails: then whoever can correct what is said to be its reason',
        howToAct:
          'it goes out by itself, and is tried again until it does; a failure and its reason stand in the automation daily-queue',
      };
    case 'generation':
    case 'closed':
      return null;
  }
}
