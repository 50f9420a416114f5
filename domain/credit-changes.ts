/** Manual credit changes (rules.md, "Credits"): ops give a reason that the member reads in the ledger. */
import { wordsIn } from './word-count.js';

/** Fewer words say nothing to the member, or to whoever looks at the entry next year. */
export const MIN_REASON_WORDS = 3;

/** Most credits one change may move, either way: far above every cap, far below what the database can count. */
export const MAX_CHANGE = 1_000_000;

/** What is wrong with a reason, as the next step; null = nothing. */
export function reasonProblem(reason: string): string | null {
  if (wordsIn(reason) >= MIN_REASON_WORDS) return null;
  return `Give a reason of at least ${MIN_REASON_WORDS} words; the member reads it in the ledger.`;
}
