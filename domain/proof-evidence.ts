/**
 * What a look at SoundCloud's lists proves (rules.md, "Proof and the watch"). The lists are known to lie: empty in an
 * outage, days old, rows missing. So a repost that is not in one is only known to be missing when the same list shows
 * another repost that is known to be later than the slot (the positive control), and three looks in a row agree.
 */

export type ProofSource = 'member_url' | 'scheduler' | 'reposters' | 'user_reposts';

/** The lists that can be looked at, in the order in which they are. */
export const LISTS = ['user_reposts', 'reposters'] as const satisfies readonly ProofSource[];
export type ListSource = (typeof LISTS)[number];

export type Verdict = 'seen' | 'absent' | 'inconclusive';

/** How many looks in a row must find a repost missing. */
export const LOOKS_TO_CONFIRM = 3;

/** What was read of a list. */
export interface ListFacts {
  /** The list shows the repost. */
  shows: boolean;
  /** How many rows were read. */
  rows: number;
  /** Everything that a repost since the slot could be in was read. */
  complete: boolean;
  /** Other reposts in the list that are known to be later than the slot. */
  laterReposts: number;
  /** The supporter reposted the track before it was asked for, and that repost may still stand. */
  olderRepost: boolean;
}

export interface Judgement {
  verdict: Verdict;
  /** Without it, `absent` does not count. */
  positiveControl: boolean;
  /** The list shows a repost, which may be an older one of the same track. */
  repostedBefore?: boolean;
}

/** One list by itself. */
export function judgeList({ shows, rows, complete, laterReposts, olderRepost }: ListFacts): Judgement {
  const positiveControl = laterReposts > 0;
  // The lists name no times: which of the two reposts they show cannot be told.
  if (shows && olderRepost) return { verdict: 'inconclusive', positiveControl, repostedBefore: true };
  if (shows) return { verdict: 'seen', positiveControl };
  // An outage looks like an empty list.
  if (rows === 0 || !complete) return { verdict: 'inconclusive', positiveControl };
  return { verdict: 'absent', positiveControl };
}

/**
 * All lists of one look: one that shows the repost is enough, one that may show it speaks against an absence, and an
 * absence counts only with its control.
 */
export function judgeLook(lists: readonly Judgement[]): Verdict {
  if (lists.some(({ verdict }) => verdict === 'seen')) return 'seen';
  if (lists.some(({ repostedBefore }) => repostedBefore === true)) return 'inconclusive';
  const absent = lists.some(({ verdict, positiveControl }) => verdict === 'absent' && positiveControl);
  return absent ? 'absent' : 'inconclusive';
}

export type Confirmation =
  | { kind: 'seen' }
  | { kind: 'inconclusive' }
  /** Missing in every look, and looked at often enough. */
  | { kind: 'confirmed'; absences: number[] }
  /** Missing, to be looked at again. `nextAt`: business ms. */
  | { kind: 'again'; absences: number[]; nextAt: number };

/**
 * Adds a look to a row of looks that found the repost missing.
 * @param absences when the looks before it found it missing, business ms, oldest first
 * @param gapMs least time between two looks that count
 */
export function confirmAbsence(
  absences: readonly number[],
  look: { verdict: Verdict; at: number },
  gapMs: number,
): Confirmation {
  if (look.verdict !== 'absent') return { kind: look.verdict };
  const last = absences.at(-1);
  const counts = last === undefined || look.at >= last + gapMs;
  const all = counts ? [...absences, look.at] : [...absences];
  if (all.length >= LOOKS_TO_CONFIRM) return { kind: 'confirmed', absences: all };
  return { kind: 'again', absences: all, nextAt: (all.at(-1) ?? look.at) + gapMs };
}

/**
 * Whether a proof accepted unseen is one of those that ops are asked to audit: the same answer for the same assignment
 * always, and about `percent` of all of them.
 * @param id a random uuid
 */
export function isAuditSample(id: string, percent: number): boolean {
  const digits = Number.parseInt(id.replaceAll('-', '').slice(-8), 16);
  return (digits / 0x1_0000_0000) * 100 < percent;
}
