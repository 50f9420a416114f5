/**
 * The daily sweep over all accounts of an org: how far it is, when it tries again, what it tells. Instants are business
 * epoch ms, dates those of the org's timezone.
 */
import type { Wait } from './waiting.js';

/** What a sweep found and did; kept in its row, counted where it is written. */
export interface SweepCounts {
  /** Profiles looked at. */
  checked: number;
  /** Profiles SoundCloud does not know (any more). */
  gone: number;
  /** Profiles whose answer could not be read. */
  unreadable: number;
  /** Follower counts of 0 that were not believed. */
  implausible: number;
  promoted: number;
  demoted: number;
  /** Rows of Influence Planner that were ours. */
  planner_members: number;
  /** Accounts that became unhealthy. */
  lost: number;
  /** Accounts that became healthy again. */
  restored: number;
  /** Members asked to reconnect. */
  prompts: number;
  /** Assignments given to others. */
  dropped_out: number;
}

export const SWEEP_COUNTS = [
  'checked',
  'gone',
  'unreadable',
  'implausible',
  'promoted',
  'demoted',
  'planner_members',
  'lost',
  'restored',
  'prompts',
  'dropped_out',
] as const satisfies (keyof SweepCounts)[];

/** How far the look at the profiles is. Travels in heartbeats and through continue-as-new. */
export interface ProfileProgress {
  /** Id of the last account looked at. */
  after: string | null;
  /** Accounts that got no answer while others did; looked at once more at the end. */
  unanswered: number;
  /** The second look, at those that got no answer: their silence says nothing of SoundCloud then. */
  again: boolean;
  done: boolean;
}

/** How far Influence Planner's list is read. */
export interface PlannerProgress {
  /** Null until the first page is about to be asked for. */
  reading: {
    /** `all` where nothing was read before, or not for long; else those changed since. */
    mode: 'all' | 'changes';
    /** The list's own times, epoch ms. */
    until: number | null;
    newest: number | null;
    offset: number;
    /** Rows were left out of a page, so the next reading begins where this one did. */
    incomplete: boolean;
    /** Real time, epoch ms. */
    begunAt: number;
  } | null;
  done: boolean;
}

export const NOT_BEGUN: { profiles: ProfileProgress; planner: PlannerProgress } = {
  profiles: { after: null, unanswered: 0, again: false, done: false },
  planner: { reading: null, done: false },
};

export type SweptProvider = 'SoundCloud' | 'Influence Planner';

/** Why a part of the sweep waits. */
export interface SweepTrouble {
  provider: SweptProvider;
  reason: string;
  /** In a row. */
  times: number;
  retryAt: number;
}

/** From so many failures in a row on ops are told: one alone is a moment's trouble. */
export const TOLD_AFTER_TIMES = 3;

/** Business ms after which a provider that does not answer is asked again: 1 min, trebling, at most an hour. */
export function sweepRetryMs(times: number): number {
  return Math.min(3 ** (times - 1), 60) * 60_000;
}

export function sweepWait(since: number, endsAt: number, troubles: readonly SweepTrouble[]): Wait {
  const common = { since, paused: false, remainingMs: null, breached: false };
  const [first] = [...troubles].sort((a, b) => a.retryAt - b.retryAt);
  if (first === undefined) {
    return {
      ...common,
      stage: 'sweeping',
      waitingOn: 'time',
      whoCanAct: 'nobody needs to',
      howToAct: 'it goes from page to page by itself',
      dueAt: null,
    };
  }
  return {
    ...common,
    stage: 'provider_away',
    waitingOn: 'provider',
    whoCanAct: 'whoever runs the servers, where credentials or a plan are the cause',
    howToAct: `nothing: it is asked again by itself until the day ends. ${troubles
      .map(({ provider, times, reason }) => `${provider} failed ${times} times, lastly: ${reason}`)
      .join(' ')}`,
    dueAt: Math.min(first.retryAt, endsAt),
  };
}

export interface SweepResult {
  date: string;
  outcome: 'complete' | 'partial';
  counts: SweepCounts;
  /** Accounts by status, as they are now. */
  accounts: Record<'linked' | 'reconnect' | 'disconnected' | 'error', number>;
  /** More accounts are disconnected than the org's settings bear without an alert. */
  alarming: boolean;
  inactive_members: number;
  became_inactive: number;
  /** Sentences for ops. */
  notes: string[];
}

/** Every count, 0 where nothing was counted. */
export function sweepCounts(stored: Partial<Record<string, unknown>>): SweepCounts {
  return Object.fromEntries(
    SWEEP_COUNTS.map((name) => [name, Number(stored[name] ?? 0)]),
  ) as unknown as SweepCounts;
}

/** Ends a note on a provider that was not asked on purpose. */
export const NO_CREDENTIALS = 'was left out: it has no credentials here.';

/** What ops are told at the end; null when there is nothing they must know. */
export function sweepNotice(
  result: SweepResult,
): { type: 'warning' | 'error'; title: string; message: string; slack: boolean } | null {
  const { accounts, alarming, outcome, notes } = result;
  if (alarming) {
    return {
      type: 'error',
      title: 'Many accounts are disconnected',
      message:
        `${accounts.disconnected} accounts are disconnected, ${accounts.reconnect} must reconnect. Look whether Influence Planner has a problem before you write to their members. ${notes.join(' ')}`.trim(),
      slack: true,
    };
  }
  const open = notes.filter((note) => !note.endsWith(NO_CREDENTIALS));
  if (open.length === 0) return null;
  const finished = outcome === 'complete';
  return {
    type: 'warning',
    title: finished
      ? 'The look at the accounts left something open'
      : 'The look at the accounts could not be finished',
    message: open.join(' '),
    slack: !finished,
  };
}

/** One line for the Temporal UI. */
export function sweepLine(result: SweepResult): string {
  const { counts, accounts } = result;
  const unhealthy = accounts.reconnect + accounts.disconnected + accounts.error;
  return `${counts.checked} profiles, ${counts.promoted} up, ${counts.demoted} down, ${unhealthy} unhealthy (${counts.lost} new, ${counts.restored} back), ${counts.prompts} prompts, ${result.inactive_members} inactive`;
}
