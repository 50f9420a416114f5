/** Manual changes of wallets: asked for by one ops person, and above the org's threshold decided by another. */
import { type Selectable, sql } from 'kysely';
import type { Queryable, Trx } from './client.js';
import { behind, type Keyset, type KeysetOrder, keysetOrderBy, sortKey } from './keyset.js';
import type { SoundcloudCreditChangeRequests } from './schema.js';

export const CREDIT_CHANGE_STATUSES = ['pending', 'applied', 'approved', 'rejected', 'withdrawn'] as const;
export type CreditChangeStatus = (typeof CREDIT_CHANGE_STATUSES)[number];

export type CreditChangeRow = Selectable<SoundcloudCreditChangeRequests> & {
  member_name: string;
  /** Of the entry; null while there is none. */
  balance_after: number | null;
};

const ORDER: KeysetOrder = {
  column: 'change.requested_at',
  id: 'change.id',
  type: 'timestamptz',
  direction: 'desc',
};

const changes = (db: Queryable, orgId: string) =>
  db
    .selectFrom('soundcloud_credit_change_requests as change')
    .innerJoin('soundcloud_members as member', (join) =>
      join.onRef('member.org_id', '=', 'change.org_id').onRef('member.id', '=', 'change.member_id'),
    )
    .leftJoin('soundcloud_repost_credit_ledger as entry', (join) =>
      join.onRef('entry.org_id', '=', 'change.org_id').onRef('entry.id', '=', 'change.entry_id'),
    )
    .selectAll('change')
    .select(['member.name as member_name', 'entry.balance_after'])
    .where('change.org_id', '=', orgId);

/** Newest first; one row more than `limit` when there is a next page. */
export function listCreditChanges(
  db: Queryable,
  orgId: string,
  filter: { status?: CreditChangeStatus | undefined; memberId?: string | undefined },
  page: { after: Keyset | undefined; limit: number },
): Promise<(CreditChangeRow & { sort_key: string | null })[]> {
  const { status, memberId } = filter;
  const { after } = page;
  return (
    changes(db, orgId)
      .select(sortKey(ORDER).as('sort_key'))
      .$if(status !== undefined, (query) => query.where('change.status', '=', status ?? ''))
      // Spelt out: a parameter would keep the planner from the partial index of pending ones.
      .$if(status === 'pending', (query) => query.where(sql<boolean>`change.status = 'pending'`))
      .$if(memberId !== undefined, (query) => query.where('change.member_id', '=', memberId ?? ''))
      .$if(after !== undefined, (query) => query.where(behind(ORDER, after ?? { value: null, id: '' })))
      .orderBy(keysetOrderBy(ORDER))
      .limit(page.limit + 1)
      .execute()
  );
}

export function findCreditChange(
  db: Queryable,
  orgId: string,
  id: string,
): Promise<CreditChangeRow | undefined> {
  return changes(db, orgId).where('change.id', '=', id).executeTakeFirst();
}

/**
 * Asks for a change as the ops person in the claims; call it as the login. At or below the org's threshold it is
 * `applied` at once (with its entry, event and the member's notification), above it is `pending` (with a wait and the
 * other ops people's notifications).
 * @param change.amount whole credits, not 0
 * @param at business time
 * @returns the id of the change
 * @throws database error SPK01: not_found, above_headroom, insufficient_credits; 42501 for who is not ops
 */
export async function requestCreditChange(
  trx: Trx,
  orgId: string,
  change: { memberId: string; amount: number; reason: string },
  at: Date,
): Promise<string> {
  const { rows } = await sql<{ id: string }>`
    select id from private.api_request_credit_change(
      ${orgId}, ${change.memberId}, ${change.amount}, ${change.reason}, ${at})`.execute(trx);
  const [row] = rows;
  if (row === undefined) throw new Error('private.api_request_credit_change gave no row.');
  return row.id;
}

/**
 * Ends a pending change as the person in the claims; call it as the login.
 * @throws database error SPK01: not_found, credit_change_decided, second_person_required, requester_only,
 * above_headroom, insufficient_credits; 42501 for who is not ops
 */
export async function decideCreditChange(
  trx: Trx,
  orgId: string,
  id: string,
  decision: 'approved' | 'rejected' | 'withdrawn',
  note: string | null,
  at: Date,
): Promise<void> {
  await sql`select id from private.api_decide_credit_change(${orgId}, ${id}, ${decision}, ${note}, ${at})`.execute(
    trx,
  );
}
