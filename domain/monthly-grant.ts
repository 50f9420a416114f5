/**
 * The monthly grant (rules.md, "Credits"): what a run is doing and has done, in the words that the Temporal UI, the
 * inbox and the notification show. The amounts themselves are the ledger's.
 */
import { monthOf } from './calendar.js';
import { monthAfter } from './grant-dates.js';
import type { Wait } from './waiting.js';

/** How far a run is. Plain JSON: it travels in heartbeats and through continue-as-new. */
export interface GrantProgress {
  /** The month being granted, `YYYY-MM`; null when all are. */
  month: string | null;
  /** Where the last page of that month ended, in the order of members' ids; null before its first. */
  after: string | null;
  /** Grants posted, one for each member and month; a page that is repeated counts none again. */
  grants: number;
  credits: number;
  /** Credits that did not fit below caps. */
  forfeited: number;
}

/**
 * Where a run begins: at the month after the oldest that any wallet was granted last. Who of the others has had a month
 * is passed over.
 * @param oldest instant (epoch ms) inside that month; null without wallets.
 * @param until the newest month to grant, `YYYY-MM`.
 */
export function beginGrant(oldest: number | null, timezone: string, until: string): GrantProgress {
  const month = oldest === null ? null : upTo(until, monthAfter(monthOf(oldest, timezone)));
  return { month, after: null, grants: 0, credits: 0, forfeited: 0 };
}

/**
 * @param page what a page of members came to; `next` null = it was the month's last one.
 * @param until the newest month to grant, `YYYY-MM`.
 */
export function addPage(
  progress: GrantProgress,
  page: { granted: number; credits: number; forfeited: number; next: string | null },
  until: string,
): GrantProgress {
  const { month } = progress;
  return {
    month: month === null || page.next !== null ? month : upTo(until, monthAfter(month)),
    after: page.next,
    grants: progress.grants + page.granted,
    credits: progress.credits + page.credits,
    forfeited: progress.forfeited + page.forfeited,
  };
}

function upTo(until: string, month: string): string | null {
  return month <= until ? month : null;
}

/** One month's grants of a run, as the ledger has them. */
export interface GrantedMonth {
  /** `YYYY-MM`. */
  month: string;
  members: number;
  credits: number;
  forfeited: number;
}

/** What a run has done; also the result of its workflow. */
export interface GrantResult {
  /** The newest month it was to grant, `YYYY-MM`. */
  month: string;
  /** Oldest first; empty when everything was granted already. */
  months: GrantedMonth[];
  credits: number;
  forfeited: number;
}

export function grantResult(month: string, months: readonly GrantedMonth[]): GrantResult {
  const sum = (of: (month: GrantedMonth) => number) => months.reduce((total, one) => total + of(one), 0);
  return {
    month,
    months: [...months].sort((a, b) => (a.month < b.month ? -1 : 1)),
    credits: sum(({ credits }) => credits),
    forfeited: sum(({ forfeited }) => forfeited),
  };
}

/** From this share of what was due on, forfeits are worth a word: members save more than their caps hold. */
const LARGE_FORFEIT_SHARE = 0.25;

/** Whether much of what was due did not fit below the members' caps. */
export function forfeitsAreLarge({ credits, forfeited }: GrantResult): boolean {
  return forfeited > 0 && forfeited >= (credits + forfeited) * LARGE_FORFEIT_SHARE;
}

/** What ops are told of a run that granted something. */
export function grantNotice(result: GrantResult): {
  type: 'success' | 'warning';
  title: string;
  message: string;
} {
  const large = forfeitsAreLarge(result);
  const months = result.months.map(
    ({ month, members, credits, forfeited }) =>
      `${month}: ${number(credits)} credits to ${count(members, 'member')}${
        forfeited === 0 ? '' : `, ${number(forfeited)} forfeited`
      }`,
  );
  const advice =
    'Much of it did not fit below the caps: these members do not spend their credits. Look at their wallets, or raise the caps in the settings.';
  return {
    type: large ? 'warning' : 'success',
    title: large ? 'Monthly credits granted, many of them forfeited' : 'Monthly credits granted',
    message: [`${months.join('; ')}.`, ...(large ? [advice] : [])].join(' '),
  };
}

/** One line for the Temporal UI: how far a run is. @param wallets of the org when it began. */
export function grantProgressLine(until: string, progress: GrantProgress, wallets: number): string {
  const { month, grants, credits, forfeited } = progress;
  const at = month === null || month === until ? '' : ` (at ${month})`;
  return `Monthly grant of ${until}${at}: ${count(grants, 'grant')} to ${count(wallets, 'member')}, ${number(credits)} credits, ${number(forfeited)} forfeited`;
}

/** Pages could not be granted and will be tried again. Times are business ms. */
export interface GrantTrouble {
  /** What went wrong, without addresses. */
  reason: string;
  /** How often in a row. */
  times: number;
  retryAt: number;
}

/** @param since business ms at which the run began. */
export function grantWait(since: number, trouble: GrantTrouble | null): Wait {
  const common = { since, paused: false, remainingMs: null, breached: false };
  if (trouble === null) {
    return {
      ...common,
      stage: 'granting',
      waitingOn: 'time',
      whoCanAct: 'nobody needs to',
      howToAct: 'it goes from page to page by itself; its end is notified',
      dueAt: null,
    };
  }
  return {
    ...common,
    stage: 'trouble',
    waitingOn: 'ops',
    whoCanAct: 'whoever runs the servers',
    howToAct: `correct the cause; it is tried again by itself. Failed ${trouble.times} times, lastly: ${trouble.reason}`,
    dueAt: trouble.retryAt,
  };
}

/** Business ms after which pages that failed are tried again: 5 min, doubling, at most an hour. */
export function grantRetryMs(times: number): number {
  const minutes = Math.min(5 * 2 ** (times - 1), 60);
  return minutes * 60_000;
}

function number(value: number): string {
  return value.toLocaleString('en-GB');
}

function count(value: number, noun: string): string {
  return `${number(value)} ${noun}${value === 1 ? '' : 's'}`;
}
