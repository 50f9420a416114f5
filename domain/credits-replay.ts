/**
 * One wallet's month, as it happened and under other parameters (credits-simulation.ts): the rules of private.post_credits
 * applied to entries that are known already. All amounts are whole credits.
 */
import { earningOf, headroom, priceOf, reachOf } from './credits.js';
import type { SizeTier, TierPolicy } from './tiers.js';

export type EntryKind = 'hold' | 'capture' | 'release' | 'earn' | 'campaign_earn' | 'grant' | 'manual';

/** One ledger entry of the month. */
export interface MonthEntry {
  member_id: string;
  /** Orders the entries of one wallet. */
  version: number;
  /** Business ms; orders the entries of different wallets. */
  at: number;
  kind: EntryKind;
  change: number;
  forfeited: number;
  /** Of hold, capture, release and earn. */
  assignment_id: string | null;
}

/** A wallet that moved in the month. */
export interface MonthWallet {
  member_id: string;
  size_tier: SizeTier;
  /** As it is now: no entry keeps the cap of its time. */
  cap: number;
  /** What could be spent before the month's first entry. */
  start_balance: number;
}

/** A hold that was open at some time in the month, with what its price came from. */
export interface MonthHold {
  assignment_id: string;
  /** The artist whose wallet pays. */
  member_id: string;
  amount: number;
  /** True: made before the month; its price stays. */
  held_before: boolean;
  /** Null where the assignment does not say: the price stays. */
  reach: number | null;
  reach_factor: number | null;
  supporter_tier: SizeTier;
  supporter_cap: number;
  /** True: the supporter has a reach factor of its own, which the org's default does not change. */
  supporter_own_factor: boolean;
}

export interface SimulationParameters {
  reach_per_credit: number;
  fee_percent: number;
  default_reach_factor: number;
  tier_policy: TierPolicy;
}

export interface CreditMonth {
  /** The org's settings as they are now. */
  settings: SimulationParameters;
  wallets: readonly MonthWallet[];
  holds: readonly MonthHold[];
  /** In any order. */
  entries: readonly MonthEntry[];
}

/** A wallet's month, or the sum over wallets. `balance` and `held` are those of its end. */
export interface Tally {
  balance: number;
  held: number;
  /** Into holds. */
  reserved: number;
  /** Out of captured holds. */
  spent: number;
  /** Out of holds, back into the wallet. */
  released: number;
  earned: number;
  /** By campaign reposts. */
  minted: number;
  granted: number;
  /** Sum of manual changes, either sign. */
  manual: number;
  forfeited: number;
  /** Holds and manual changes the wallet could not bear, and their credits. */
  refused: number;
  refused_credits: number;
}

export interface MemberOutcome {
  member_id: string;
  start_balance: number;
  start_held: number;
  actual: Tally;
  simulated: Tally;
}

/** The wanted parameters, and which of them differ from the settings. */
export interface Rules {
  wanted: SimulationParameters;
  /** The cap a tier has now, where it is another one; else undefined. */
  newCap(tier: SizeTier): number | undefined;
  newGrant(tier: SizeTier): number | undefined;
  priceOf(hold: MonthHold): number;
  earning(entry: MonthEntry, price: number, priceBefore: number): number;
}

export function rulesFor(now: SimulationParameters, wanted: SimulationParameters): Rules {
  const newCap = (tier: SizeTier) => changed(now.tier_policy[tier].cap, wanted.tier_policy[tier].cap);
  const otherUnit = changed(now.reach_per_credit, wanted.reach_per_credit) !== undefined;
  const otherFactor = changed(now.default_reach_factor, wanted.default_reach_factor) !== undefined;
  const otherFee = changed(now.fee_percent, wanted.fee_percent) !== undefined;
  return {
    wanted,
    newCap,
    newGrant: (tier) => changed(now.tier_policy[tier].monthly_grant, wanted.tier_policy[tier].monthly_grant),
    priceOf(hold) {
      const cap = newCap(hold.supporter_tier);
      const factor = otherFactor && !hold.supporter_own_factor;
      if (hold.reach === null || !(otherUnit || factor || cap !== undefined)) return hold.amount;
      const reach = factor ? reachWith(hold, wanted.default_reach_factor) : hold.reach;
      return priceOf(reach, wanted.reach_per_credit, cap ?? hold.supporter_cap);
    },
    earning: (entry, price, priceBefore) =>
      otherFee || price !== priceBefore
        ? earningOf(price, wanted.fee_percent)
        : entry.change + entry.forfeited,
  };
}

function changed(now: number, wanted: number): number | undefined {
  return now === wanted ? undefined : wanted;
}

/** The reach under another factor. Followers are not kept: the fewest that gave the frozen reach are taken. */
function reachWith({ reach, reach_factor }: MonthHold, factor: number): number {
  if (reach === null || !reach_factor) return reach ?? 0;
  const followers = Math.ceil((reach * 1_000) / Math.round(reach_factor * 1_000));
  return reachOf(followers, factor);
}

/** One wallet on both tracks. */
export class ReplayedWallet {
  readonly outcome: MemberOutcome;
  /** Cap on the simulated track where the policy gives the tier another one. */
  private cap: number | undefined;

  constructor(
    private readonly wallet: MonthWallet,
    startHeld: number,
    private readonly rules: Rules,
  ) {
    const { member_id, start_balance } = wallet;
    const start = () => ({ ...NOTHING, balance: start_balance, held: startHeld });
    this.outcome = {
      member_id,
      start_balance,
      start_held: startHeld,
      actual: start(),
      simulated: start(),
    };
    const policy = rules.newCap(wallet.size_tier);
    this.cap = policy === undefined ? undefined : Math.max(policy, start_balance + startHeld);
  }

  /** The entry as it happened. */
  happened(entry: MonthEntry, price: number): void {
    const { actual } = this.outcome;
    actual.balance += entry.change;
    actual.forfeited += entry.forfeited;
    switch (entry.kind) {
      case 'hold':
        actual.held -= entry.change;
        actual.reserved -= entry.change;
        break;
      case 'capture':
        actual.held -= price;
        actual.spent += price;
        break;
      case 'release':
        actual.held -= entry.change;
        actual.released += entry.change;
        break;
      default:
        actual[INCOME[entry.kind]] += entry.change;
    }
  }

  /** The same under the wanted rules; call it after {@link happened}. */
  replay(entry: MonthEntry, hold: MonthHold | undefined, prices: Map<string, number | null>): void {
    const { simulated } = this.outcome;
    const price = hold === undefined ? undefined : prices.get(hold.assignment_id);
    switch (entry.kind) {
      case 'hold': {
        const wanted = hold === undefined ? -entry.change : this.rules.priceOf(hold);
        const taken = wanted <= simulated.balance;
        if (taken) {
          simulated.balance -= wanted;
          simulated.held += wanted;
          simulated.reserved += wanted;
        } else this.refuse(wanted);
        if (hold !== undefined) prices.set(hold.assignment_id, taken ? wanted : null);
        return;
      }
      case 'capture':
        if (price === undefined || price === null) return;
        simulated.held -= price;
        simulated.spent += price;
        this.lowerCap();
        return;
      case 'release':
        if (price === undefined || price === null) return;
        simulated.held -= price;
        simulated.balance += price;
        simulated.released += price;
        return;
      case 'earn':
        if (price === null) return;
        this.take('earned', this.earning(entry, hold, price), entry);
        return;
      case 'campaign_earn':
        this.take('minted', entry.change + entry.forfeited, entry);
        return;
      case 'grant':
        this.take(
          'granted',
          this.rules.newGrant(this.wallet.size_tier) ?? entry.change + entry.forfeited,
          entry,
        );
        return;
      case 'manual':
        this.replayManual(entry);
    }
  }

  /** An earning whose hold is not known to the month stays as it happened. */
  private earning(entry: MonthEntry, hold: MonthHold | undefined, price: number | undefined): number {
    return hold === undefined || price === undefined
      ? entry.change + entry.forfeited
      : this.rules.earning(entry, price, hold.amount);
  }

  /** Refused as a whole where it does not fit, as the product does. */
  private replayManual(entry: MonthEntry): void {
    const { simulated } = this.outcome;
    const fits =
      entry.change < 0 ? simulated.balance + entry.change >= 0 : entry.change <= this.headroom(entry);
    if (!fits) {
      this.refuse(Math.abs(entry.change));
      return;
    }
    simulated.balance += entry.change;
    simulated.manual += entry.change;
    if (entry.change < 0) this.lowerCap();
  }

  private take(kind: 'earned' | 'minted' | 'granted', wanted: number, entry: MonthEntry): void {
    const { simulated } = this.outcome;
    const credited = Math.min(wanted, this.headroom(entry));
    simulated.balance += credited;
    simulated[kind] += credited;
    simulated.forfeited += wanted - credited;
  }

  private refuse(credits: number): void {
    this.outcome.simulated.refused += 1;
    this.outcome.simulated.refused_credits += credits;
  }

  private headroom(entry: MonthEntry): number {
    const { balance, held } = this.outcome.simulated;
    return headroom({ balance, held, cap: this.cap ?? this.capThen(entry) });
  }

  /** The cap at the time of an entry that credited: where something was forfeited, the wallet was full afterwards. */
  private capThen(entry: MonthEntry): number {
    const { balance, held } = this.outcome.actual;
    return entry.forfeited > 0 ? balance + held : Math.max(this.wallet.cap, balance + held);
  }

  /** A cap above the tier's falls as credits are spent. */
  private lowerCap(): void {
    const policy = this.rules.newCap(this.wallet.size_tier);
    if (this.cap === undefined || policy === undefined) return;
    const { balance, held } = this.outcome.simulated;
    this.cap = Math.min(this.cap, Math.max(policy, balance + held));
  }
}

export const NOTHING: Tally = {
  balance: 0,
  held: 0,
  reserved: 0,
  spent: 0,
  released: 0,
  earned: 0,
  minted: 0,
  granted: 0,
  manual: 0,
  forfeited: 0,
  refused: 0,
  refused_credits: 0,
};

const INCOME = { earn: 'earned', campaign_earn: 'minted', grant: 'granted', manual: 'manual' } as const;
