/**
 * What a month's credits would have been under other parameters (api.md, "wallets, ledger, grants"; rules.md,
 * "Credits"). The month's entries are replayed in the order of time, once as they happened and once under the wanted
 * parameters; the same assignments, grants and manual changes happen, at other prices, fees, grants and caps.
 *
 * What the parameters do not touch stays as it happened, so that a replay under the org's own settings gives exactly the
 * ledger. Nothing new happens: cheaper reposts do not bring more of them. All amounts are whole credits.
 */
import {
  type CreditMonth,
  type MemberOutcome,
  type MonthEntry,
  NOTHING,
  ReplayedWallet,
  type Rules,
  rulesFor,
  type SimulationParameters,
  type Tally,
} from './credits-replay.js';

export type {
  CreditMonth,
  EntryKind,
  MemberOutcome,
  MonthEntry,
  MonthHold,
  MonthWallet,
  SimulationParameters,
  Tally,
} from './credits-replay.js';

export interface SimulationResult {
  start_balance: number;
  start_held: number;
  actual: Tally;
  simulated: Tally;
  /** Every wallet that moved, by id. */
  members: MemberOutcome[];
}

/** Replays a month under other parameters; those left out stay as they are. Same input, in any order → same result. */
export function simulateCredits(
  month: CreditMonth,
  change: Partial<SimulationParameters> = {},
): SimulationResult {
  const rules = rulesFor(month.settings, { ...month.settings, ...change });
  const holds = new Map(month.holds.map((hold) => [hold.assignment_id, hold]));
  const wallets = openWallets(month, rules);
  /** Price of the assignments whose hold was taken in the replay; `null`: refused, so that nothing follows from it. */
  const prices = new Map<string, number | null>();
  for (const hold of month.holds) if (hold.held_before) prices.set(hold.assignment_id, hold.amount);

  for (const entry of inOrder(month.entries)) {
    const wallet = wallets.get(entry.member_id);
    if (wallet === undefined) continue;
    const hold = entry.assignment_id === null ? undefined : holds.get(entry.assignment_id);
    wallet.happened(entry, hold?.amount ?? 0);
    wallet.replay(entry, hold, prices);
  }

  const members = [...wallets.values()]
    .map((wallet) => wallet.outcome)
    .sort((a, b) => (a.member_id < b.member_id ? -1 : 1));
  return {
    start_balance: sum(members, (member) => member.start_balance),
    start_held: sum(members, (member) => member.start_held),
    actual: total(members.map((member) => member.actual)),
    simulated: total(members.map((member) => member.simulated)),
    members,
  };
}

/** Credits a member has more (or, negative, fewer) at the month's end than it had: spendable and reserved. */
export function gainOf({ actual, simulated }: MemberOutcome): number {
  return simulated.balance + simulated.held - actual.balance - actual.held;
}

/** Who gains most and who loses most, at most `top` each, ties by id; members without a difference are in neither. */
export function extremes(
  members: readonly MemberOutcome[],
  top: number,
): { gainers: MemberOutcome[]; losers: MemberOutcome[] } {
  const byGain = members
    .filter((member) => gainOf(member) !== 0)
    .sort((a, b) => gainOf(b) - gainOf(a) || (a.member_id < b.member_id ? -1 : 1));
  const losers = members
    .filter((member) => gainOf(member) < 0)
    .sort((a, b) => gainOf(a) - gainOf(b) || (a.member_id < b.member_id ? -1 : 1));
  return {
    gainers: byGain.filter((member) => gainOf(member) > 0).slice(0, top),
    losers: losers.slice(0, top),
  };
}

/**
 * Versions order a wallet, times order the wallets among each other: an entry counts as late as the latest before it in
 * its wallet, so that both orders hold even where two transactions took their times and their locks the other way round.
 */
function inOrder(entries: readonly MonthEntry[]): MonthEntry[] {
  const sorted = [...entries].sort((a, b) => compare(a.member_id, b.member_id) || a.version - b.version);
  let latest = Number.NEGATIVE_INFINITY;
  let owner: string | undefined;
  const timed = sorted.map((entry) => {
    latest = entry.member_id === owner ? Math.max(latest, entry.at) : entry.at;
    owner = entry.member_id;
    return { entry, at: latest };
  });
  // The sort is stable: what is equal in time stays by wallet and version.
  return timed.sort((a, b) => a.at - b.at).map(({ entry }) => entry);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function openWallets(month: CreditMonth, rules: Rules): Map<string, ReplayedWallet> {
  const heldBefore = new Map<string, number>();
  for (const { member_id, amount, held_before } of month.holds) {
    if (held_before) heldBefore.set(member_id, (heldBefore.get(member_id) ?? 0) + amount);
  }
  return new Map(
    month.wallets.map((wallet) => [
      wallet.member_id,
      new ReplayedWallet(wallet, heldBefore.get(wallet.member_id) ?? 0, rules),
    ]),
  );
}

function total(tallies: readonly Tally[]): Tally {
  const result = { ...NOTHING };
  for (const tally of tallies) {
    for (const key of Object.keys(result) as (keyof Tally)[]) result[key] += tally[key];
  }
  return result;
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((result, item) => result + of(item), 0);
}
