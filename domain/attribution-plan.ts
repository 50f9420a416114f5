/**
 * When attribution takes a snapshot, when it gives a day up, and when it ends (lifecycles.md, "attribution"). Business
 * milliseconds, and dates in the org's timezone.
 */
import type { Gap } from './attribution.js';
import { addDays, dateOf, HOUR_MS, startOfDate } from './calendar.js';
import type { Wait } from './waiting.js';

export interface AttributionFacts {
  /** Day 0. */
  startDate: string;
  /** The first day that is tracked: the start, or an earlier one for the trend. */
  firstDate: string;
  /** The last day that is tracked; null while nobody can say. */
  lastDate: string | null;
  /** Days with a snapshot, and days given up. */
  captured: ReadonlySet<string>;
  gaps: readonly Gap[];
}

export type AttributionStep = {
  /** Days that are over and have no snapshot: they are given up. */
  missed: string[];
} & (
  | { kind: 'ended' }
  | { kind: 'capture'; date: string /** The day's last instant: then it is given up. */; endsAt: number }
  | { kind: 'wait'; until: number }
);

/** What to do now. Days before the first and after the last are never asked for. */
export function nextAttributionStep(facts: AttributionFacts, now: number, timezone: string): AttributionStep {
  const today = dateOf(now, timezone);
  const { firstDate, lastDate } = facts;
  const settled = new Set([...facts.captured, ...facts.gaps.map((gap) => gap.date)]);
  const missed: string[] = [];
  for (
    let date = firstDate;
    date < today && (lastDate === null || date <= lastDate);
    date = addDays(date, 1)
  ) {
    if (!settled.has(date)) missed.push(date);
  }
  if (lastDate !== null && (today > lastDate || (today === lastDate && settled.has(today))))
    return { kind: 'ended', missed };
  if (today < firstDate) return { kind: 'wait', until: startOfDate(firstDate, timezone), missed };
  const endsAt = startOfDate(addDays(today, 1), timezone);
  return settled.has(today)
    ? { kind: 'wait', until: endsAt, missed }
    : { kind: 'capture', date: today, endsAt, missed };
}

/** How many days in a row, up to the last one settled, had no numbers. */
export function gapsInARow(facts: Pick<AttributionFacts, 'captured' | 'gaps'>): number {
  const gaps = new Set(facts.gaps.map((gap) => gap.date).filter((date) => !facts.captured.has(date)));
  let date = [...gaps, ...facts.captured].sort().at(-1);
  let count = 0;
  while (date !== undefined && gaps.has(date)) {
    count += 1;
    date = addDays(date, -1);
  }
  return count;
}

/** Gaps in a row after which ops are told. */
export const GAPS_BEFORE_ALERT = 2;

/** Hours until the next try of a day's numbers, by how often it failed. */
const RETRY_HOURS = [0.5, 1, 2];

/** Business ms until the next try. @param failures how often it failed already, from 1. */
export function retryPause(failures: number): number {
  return (RETRY_HOURS[Math.min(failures, RETRY_HOURS.length) - 1] ?? 2) * HOUR_MS;
}

/** The last day of a submission's attribution. @param open false once every assignment is settled and none is owed. */
export function lastDateOfSubmission(input: {
  open: boolean;
  startDate: string;
  lastRepostAt: number | null;
  attributionDays: number;
  timezone: string;
}): string | null {
  if (input.open) return null;
  // Nobody reposted: there is nothing to attribute.
  if (input.lastRepostAt === null) return input.startDate;
  return addDays(dateOf(input.lastRepostAt, input.timezone), input.attributionDays);
}

/** The last day of a campaign's attribution. */
export function lastDateOfCampaign(input: {
  endDate: string | null;
  attributionEndDate: string | null;
  attributionDays: number;
  /** The day it was cancelled on; null while it was not. */
  cancelledOn: string | null;
}): string | null {
  if (input.cancelledOn !== null) return addDays(input.cancelledOn, -1);
  if (input.attributionEndDate !== null) return input.attributionEndDate;
  return input.endDate === null ? null : addDays(input.endDate, input.attributionDays);
}

/** What attribution waits for: the next day, or SoundCloud. @param since business ms of the last change. */
export function attributionWait(step: AttributionStep, since: number): Wait | null {
  if (step.kind === 'ended') return null;
  const common = { since, paused: false, remainingMs: null, breached: false };
  return step.kind === 'wait'
    ? {
        ...common,
        stage: 'tracking',
        waitingOn: 'time',
        whoCanAct: 'nobody needs to',
        howToAct: 'nothing to do: the numbers are read when the next day begins',
        dueAt: step.until,
      }
    : {
        ...common,
        stage: 'capture',
        waitingOn: 'provider',
        whoCanAct: 'SoundCloud must answer; an admin or moderator may enter the numbers by hand',
        howToAct: 'tried again through the day; enterSnapshot fills the day by hand',
        dueAt: step.endsAt,
      };
}
