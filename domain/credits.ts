/**
 * What reach is worth (rules.md, "Credits"). Credits and reach are whole numbers; factors carry at most three decimals
 * and percents two, and are scaled to whole numbers first, so that 0.29 × 100 is 29 and not 28.999….
 */

/** What one repost by a supporter brings and costs. */
export interface Price {
  /** floor(followers × factor). */
  reach: number;
  /** Credits: clamp(ceil(reach / reach_per_credit), 1, cap of the supporter's wallet). */
  price: number;
}

/**
 * Reach of an account: floor(followers × factor).
 * @param followers SoundCloud followers; a negative count is 0.
 * @param factor reach per follower, three decimals: the member's, else the org's default.
 */
export function reachOf(followers: number, factor: number): number {
  return Math.floor((Math.max(0, followers) * Math.round(factor * 1_000)) / 1_000);
}

/**
 * Credits a repost with that reach costs: at least 1, at most the supporter's cap (and a cap below 1 still costs 1).
 * @param reachPerCredit reach one credit buys, at least 1.
 */
export function priceOf(reach: number, reachPerCredit: number, supporterCap: number): number {
  return Math.max(1, Math.min(Math.ceil(reach / reachPerCredit), supporterCap));
}

/** Credits a wallet can still take in, so that every release of what it holds fits; never negative. */
export function headroom(wallet: { balance: number; held: number; cap: number }): number {
  return Math.max(0, wallet.cap - wallet.balance - wallet.held);
}

/** Splits credits that come in: what fits below the cap, and what is lost (`forfeited`). */
export function intoWallet(
  amount: number,
  wallet: { balance: number; held: number; cap: number },
): { credited: number; forfeited: number } {
  const credited = Math.min(amount, headroom(wallet));
  return { credited, forfeited: amount - credited };
}

/** Credits of one monthly grant: min(monthly_grant, headroom), and what of it is forfeited. */
export function grantAmount(
  monthlyGrant: number,
  wallet: { balance: number; held: number; cap: number },
): { credited: number; forfeited: number } {
  return intoWallet(monthlyGrant, wallet);
}

/**
 * Credits the network keeps of a price: floor(price × percent / 100). Rounded down, in the supporter's favour: the first
 * credit is kept of a price of 100 / percent, so of a price of 1 nothing is kept below 100 %.
 * @param feePercent 0..100, at most two decimals.
 */
export function feeOf(price: number, feePercent: number): number {
  return Math.floor((price * Math.round(feePercent * 100)) / 10_000);
}

/** Credits a supporter earns for a repost, before the cap: price − fee, at least 1 unless the fee is 100 %. */
export function earningOf(price: number, feePercent: number): number {
  return price - feeOf(price, feePercent);
}

/** Reach a submission aims at: what the member's spendable balance can buy. */
export function targetReachOf(spendable: number, reachPerCredit: number): number {
  return Math.max(0, spendable) * reachPerCredit;
}

/** `expected_reach_*` of a plan: Σ reach, and its lower and upper percent as the whole reach around them. */
export function expectedReach(
  planned: number,
  minPercent: number,
  maxPercent: number,
): { expected_reach_min: number; expected_reach_planned: number; expected_reach_max: number } {
  return {
    expected_reach_min: Math.floor((planned * minPercent) / 100),
    expected_reach_planned: planned,
    expected_reach_max: Math.ceil((planned * maxPercent) / 100),
  };
}

/** Idempotency key of a member's grant for a month (`YYYY-MM`). */
export function grantKey(memberId: string, month: string): string {
  return `grant:${memberId}:${month}`;
}
