/**
 * How an account's connection stands (lifecycles.md, "accountHealth"): what Influence Planner and SoundCloud say of it,
 * what follows for the member, and when a member is asked to reconnect. Instants are business epoch ms.
 */
import { DAY_MS, HOUR_MS } from './calendar.js';

export const ACCOUNT_STATUSES = ['linked', 'reconnect', 'disconnected', 'error'] as const;

/** `soundcloud_connection_status`. Everything but `linked` is unhealthy: no reposts, no new assignments. */
export type AccountStatus = (typeof ACCOUNT_STATUSES)[number];

/** How patient the daily look at accounts is, and when it speaks. */
export interface AccountHealthSettings {
  /** Days on which a profile could not be found or read, in a row, after which the account is in error. */
  failures_until_error: number;
  /** Days after an account became unhealthy on which the member is asked to reconnect, increasing; none = never. */
  prompt_days: number[];
  /** Least hours between two prompts for one account, also over two troubles. */
  prompt_gap_hours: number;
  /** Above so many disconnected accounts ops are alerted. */
  disconnected_alert_above: number;
  /**
   * Days after which Influence Planner's list is read as a whole again, so that what an incremental reading missed (a row
   * left out of a page) is found.
   */
  full_reading_days: number;
}

/**
 * What a member's state in Influence Planner says of the account; null = nothing: a request that is pending, a state
 * this client does not know, or an account that is not in the network (`ABSENT`, null).
 */
export function plannerVerdict(status: string | null): Exclude<AccountStatus, 'error'> | null {
  switch (status) {
    case 'LINKED':
      return 'linked';
    case 'INVALID':
      return 'reconnect';
    case 'UNLINKED':
    case 'DECLINED':
      return 'disconnected';
    default:
      return null;
  }
}

/** What is known of an account's connection. */
export interface Connection {
  status: AccountStatus;
  /** State of the member in Influence Planner; null when nothing was heard of it. */
  planner: string | null;
  /** Days in a row on which the profile could not be found or read. */
  failures: number;
}

/**
 * The status an account has: an error of the profile outweighs what Influence Planner says; where neither says anything
 * the status stays, except that an error ends with the failures it came from.
 */
export function accountStatus(
  { status, planner, failures }: Connection,
  { failures_until_error: untilError }: AccountHealthSettings,
): AccountStatus {
  if (failures >= untilError) return 'error';
  return plannerVerdict(planner) ?? (status === 'error' ? 'linked' : status);
}

/** Failures after a look at the profile on a date (`YYYY-MM-DD`): a date counts once, a success ends the row. */
export function failuresAfter(
  before: { failures: number; checkedOn: string | null },
  found: boolean,
  date: string,
): number {
  if (found) return 0;
  return before.checkedOn === null || before.checkedOn < date ? before.failures + 1 : before.failures;
}

/** Prompts of an account's present trouble. */
export interface PromptStanding extends Connection {
  /** Null for a healthy account. */
  unhealthySince: number | null;
  /** How many of the settings' `prompt_days` are done with. */
  prompts: number;
  /** The newest prompt, of whichever trouble. */
  lastPromptAt: number | null;
}

/** True while asking the member to reconnect makes sense: not while a request to join is pending or nobody knows. */
export function mayBePrompted(connection: Connection, settings: AccountHealthSettings): boolean {
  if (connection.status === 'linked') return false;
  if (connection.failures >= settings.failures_until_error) return true;
  const verdict = plannerVerdict(connection.planner);
  return verdict !== null && verdict !== 'linked';
}

/** When the next prompt is due; null when none is to come while nothing changes. */
export function nextPromptAt(standing: PromptStanding, settings: AccountHealthSettings): number | null {
  const days = settings.prompt_days[standing.prompts];
  if (standing.unhealthySince === null || days === undefined || !mayBePrompted(standing, settings))
    return null;
  const due = standing.unhealthySince + days * DAY_MS;
  return standing.lastPromptAt === null
    ? due
    : Math.max(due, standing.lastPromptAt + settings.prompt_gap_hours * HOUR_MS);
}

/**
 * The prompts done with once one is sent now; null when none is due. Days that were missed meanwhile are made up for by
 * this one prompt.
 */
export function promptsAfter(
  standing: PromptStanding,
  now: number,
  settings: AccountHealthSettings,
): number | null {
  const due = nextPromptAt(standing, settings);
  if (due === null || due > now || standing.unhealthySince === null) return null;
  const since = standing.unhealthySince;
  const reached = settings.prompt_days.filter((days) => since + days * DAY_MS <= now).length;
  return Math.max(reached, standing.prompts + 1);
}

/**
 * Whether a follower count can be believed. A count of 0 for a profile that had listeners is one of the ways in which
 * SoundCloud is known to lie (providers.md), and would lower tier and reach.
 */
export function isPlausibleCount(before: number, now: number): boolean {
  return now > 0 || before === 0;
}

/** Handle in a SoundCloud profile URL, lower case; null for another URL. */
export function handleOfProfile(url: string | null): string | null {
  if (url === null || !URL.canParse(url)) return null;
  const { hostname, pathname } = new URL(url);
  if (!/^(www\.|m\.)?soundcloud\.com$/.test(hostname)) return null;
  const [handle, ...rest] = pathname.split('/').filter(Boolean);
  return handle === undefined || rest.length > 0 ? null : handle.toLowerCase();
}
