/** Credits. `private.post_credits` is the only writer of wallets, ledger and holds; this is its typed door. */
import { sql } from 'kysely';
import type { Trx } from './client.js';
import { jsonb } from './json.js';

interface Common {
  /** Who caused the change; null or absent for the product itself. */
  created_by?: string | null;
  metadata?: Record<string, unknown>;
}

/**
 * One change of a wallet. Ids are uuids, amounts whole credits ≥ 1 (manual: either sign, not 0).
 * The idempotency key follows from the kind and its ids; `manual` brings its own `key`.
 */
export type CreditRequest = Common &
  (
    | { kind: 'hold'; member_id: string; assignment_id: string; amount: number }
    | { kind: 'capture' | 'release'; assignment_id: string }
    | { kind: 'earn'; member_id: string; assignment_id: string; amount: number }
    /** reference_id is the campaign's schedule. */
    | { kind: 'campaign_earn'; member_id: string; reference_id: string; amount: number }
    /** month is `YYYY-MM`. */
    | { kind: 'grant'; member_id: string; month: string }
    | {
        kind: 'manual';
        member_id: string;
        amount: number;
        reason: string;
        key: string;
        reference_id?: string;
      }
  );

export interface CreditResult {
  /** Idempotency key of the entry. */
  key: string;
  /** Null when refused. */
  entry_id: string | null;
  member_id: string;
  /** The wallet's version after the entry. */
  version: number | null;
  change_amount: number | null;
  balance_after: number | null;
  /** Credits that did not fit below the cap. */
  forfeited: number | null;
  /** True when the entry was there already and nothing was changed. */
  replayed: boolean;
  /** Only with `partial`: why this request changed nothing. */
  refused: 'insufficient_credits' | 'above_headroom' | null;
}

/**
 * Posts changes in the caller's transaction, in order, all or nothing. Results come in the order of the requests.
 * @param options.at business time of the changes
 * @param options.partial a request the wallet cannot bear is refused by itself instead of failing all
 * @throws database error SPK01: insufficient_credits, above_headroom, idempotency_mismatch, not_captured, not_found,
 * wrong_org.
 */
export async function postCredits(
  trx: Trx,
  orgId: string,
  requests: readonly CreditRequest[],
  options: { at: Date; partial?: boolean },
): Promise<CreditResult[]> {
  const { rows } = await sql<CreditResult>`
    select key, entry_id, member_id, version, change_amount, balance_after, forfeited, replayed, refused
    from private.post_credits(${orgId}, ${jsonb(requests)}, ${options.at}, ${options.partial ?? false})`.execute(
    trx,
  );
  return rows;
}

/** What one page of the monthly run did. */
export interface GrantPage {
  /** Members who got their grant of the month, be it of 0 credits because their wallet is full. */
  granted: number;
  /** Credits that went into wallets. */
  credits: number;
  /** Credits that did not fit below the caps. */
  forfeited: number;
  /** `after` of the next page; null when this was the last one. */
  next: string | null;
}

export interface GrantPageInput {
  orgId: string;
  /** `YYYY-MM`. */
  month: string;
  /** Where the page before ended; null for the first. */
  after: string | null;
  /** Members of a page, at least 1. */
  limit: number;
  /** Business time of the grants. */
  at: Date;
}

/**
 * Grants a month to the next members, in the order of their ids, who joined in or before it and have no grant of it or a
 * later month yet. One round trip; the same page again grants nobody twice.
 * @throws database error SPK01 wrong_org; 22023 when month or limit cannot be read.
 */
export async function grantPage(trx: Trx, page: GrantPageInput): Promise<GrantPage> {
  const { rows } = await sql<GrantPage>`
    select granted, credited as credits, forfeited, next
    from private.grant_month_page(${page.orgId}, ${page.month}, ${page.after}, ${page.limit}, ${page.at})`.execute(
    trx,
  );
  const [done] = rows;
  if (done === undefined) throw new Error('private.grant_month_page returned no row.');
  return done;
}
