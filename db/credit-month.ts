/** A month of the ledger as the simulation replays it: three statements, whatever the number of members. */
import { sql } from 'kysely';
import type {
  CreditMonth,
  EntryKind,
  MonthEntry,
  MonthHold,
  MonthWallet,
} from '../domain/credits-simulation.js';
import type { SizeTier } from '../domain/tiers.js';
import type { Queryable } from './client.js';

/** Without the settings, which not everybody who simulates may read. */
export type CreditMonthRows = Omit<CreditMonth, 'settings'> & { names: ReadonlyMap<string, string> };

/**
 * The entries with occurred_at in `[from, to)` (business time), the wallets they moved and the holds behind them. Call it
 * as ops: others see only their own.
 */
export async function loadCreditMonth(
  db: Queryable,
  orgId: string,
  { from, to }: { from: Date; to: Date },
): Promise<CreditMonthRows> {
  const entries = await loadEntries(db, orgId, from, to);
  const starts = startBalances(entries);
  const wallets = await loadWallets(db, orgId, [...starts.keys()]);
  return {
    entries,
    wallets: wallets.map(({ name: _, ...wallet }) => ({
      ...wallet,
      start_balance: starts.get(wallet.member_id) ?? 0,
    })),
    holds: await loadHolds(db, orgId, from, to),
    names: new Map(wallets.map((wallet) => [wallet.member_id, wallet.name])),
  };
}

type LoadedEntry = MonthEntry & { balance_after: number };

async function loadEntries(db: Queryable, orgId: string, from: Date, to: Date): Promise<LoadedEntry[]> {
  const { rows } = await sql<Omit<LoadedEntry, 'kind'> & { key_kind: string }>`
    select member_id, version, (extract(epoch from occurred_at) * 1000)::double precision as at,
           split_part(idempotency_key, ':', 1) as key_kind, change_amount as change, forfeited, balance_after,
           reference_id as assignment_id
    from public.soundcloud_repost_credit_ledger
    where org_id = ${orgId} and occurred_at >= ${from} and occurred_at < ${to}`.execute(db);
  return rows.map(({ key_kind, ...row }) => ({ ...row, kind: kindOf(key_kind, row.change) }));
}

/** The kind stands in the key, which only post_credits writes; reasons of manual changes are free text. */
function kindOf(keyKind: string, change: number): EntryKind {
  if (keyKind === 'resolve') return change > 0 ? 'release' : 'capture';
  return keyKind as EntryKind;
}

/** Balance before each wallet's first entry. */
function startBalances(entries: readonly LoadedEntry[]): Map<string, number> {
  const first = new Map<string, LoadedEntry>();
  for (const entry of entries) {
    const known = first.get(entry.member_id);
    if (known === undefined || entry.version < known.version) first.set(entry.member_id, entry);
  }
  return new Map([...first].map(([member, entry]) => [member, entry.balance_after - entry.change]));
}

async function loadWallets(
  db: Queryable,
  orgId: string,
  memberIds: string[],
): Promise<(Omit<MonthWallet, 'start_balance'> & { name: string })[]> {
  const { rows } = await sql<{ member_id: string; name: string; size_tier: SizeTier; cap: number }>`
    select w.member_id, m.name, m.size_tier, w.cap
    from public.soundcloud_repost_credit_wallet w
    join public.soundcloud_members m on m.org_id = w.org_id and m.id = w.member_id
    where w.org_id = ${orgId} and w.member_id = any (${memberIds}::uuid[])`.execute(db);
  return rows;
}

async function loadHolds(db: Queryable, orgId: string, from: Date, to: Date): Promise<MonthHold[]> {
  const { rows } = await sql<MonthHold>`
    select h.assignment_id, h.member_id, h.amount, e.occurred_at < ${from} as held_before,
           a.reach, a.reach_factor, supporter.size_tier as supporter_tier, w.cap as supporter_cap,
           supporter.reach_factor is not null as supporter_own_factor
    from public.soundcloud_credit_holds h
    join public.soundcloud_repost_credit_ledger e on e.org_id = h.org_id and e.id = h.hold_entry_id
    join public.soundcloud_queue_assignments a on a.org_id = h.org_id and a.id = h.assignment_id
    join public.soundcloud_members supporter on supporter.org_id = a.org_id and supporter.id = a.supporter_id
    join public.soundcloud_repost_credit_wallet w on w.org_id = a.org_id and w.member_id = a.supporter_id
    where h.org_id = ${orgId}
      and (h.status = 'open' or h.resolved_at >= ${from})
      and e.occurred_at < ${to}`.execute(db);
  return rows;
}
