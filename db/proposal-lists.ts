/** Target proposals as people read them. */
import { type Selectable, sql } from 'kysely';
import type { ExclusionCode } from '../domain/targeting-types.js';
import type { Queryable } from './client.js';
import { behind, type Keyset, type KeysetOrder, keysetOrderBy, sortKey } from './keyset.js';
import type { SoundcloudTargetProposals } from './schema.js';

export type ProposalRow = Selectable<SoundcloudTargetProposals>;

/** A proposal without its large parts, which are counted by the database. */
export type ProposalListRow = Omit<ProposalRow, 'criteria' | 'proposed_targets' | 'conflicts'> & {
  target_count: number;
  /** Excluded supporters by reason, as counted when it was built. */
  excluded: Partial<Record<ExclusionCode, number>>;
  /** When the single exclusions were taken out, ISO; null while they are there. */
  pruned_at: string | null;
};

const SUMMARY = [
  'id',
  'org_id',
  'parent_type',
  'parent_id',
  'total_capacity',
  'estimated_credits',
  'created_by',
  'created_at',
  'expires_at',
  'accepted_at',
  'accepted_by',
] as const;

const COUNTS = [
  sql<number>`jsonb_array_length(proposed_targets)`.as('target_count'),
  sql<ProposalListRow['excluded']>`coalesce(criteria #> '{counts,excluded}', '{}')`.as('excluded'),
  sql<string | null>`criteria ->> 'pruned_at'`.as('pruned_at'),
] as const;

export const PROPOSAL_ORDERS = {
  '-created_at': {
    column: 'soundcloud_target_proposals.created_at',
    id: 'soundcloud_target_proposals.id',
    type: 'timestamptz',
    direction: 'desc',
  },
} as const satisfies Record<string, KeysetOrder>;

/** One row more than `limit` when there is a next page. */
export function listProposals(
  db: Queryable,
  orgId: string,
  filter: { parentType?: 'campaign' | 'submission' | undefined; parentId?: string | undefined },
  page: { order: KeysetOrder; after: Keyset | undefined; limit: number },
): Promise<(ProposalListRow & { sort_key: string | null })[]> {
  const { parentType, parentId } = filter;
  const { after } = page;
  return db
    .selectFrom('soundcloud_target_proposals')
    .select(SUMMARY)
    .select([...COUNTS])
    .select(sortKey(page.order).as('sort_key'))
    .where('soundcloud_target_proposals.org_id', '=', orgId)
    .$if(parentType !== undefined, (query) => query.where('parent_type', '=', parentType ?? 'submission'))
    .$if(parentId !== undefined, (query) => query.where('parent_id', '=', parentId ?? ''))
    .$if(after !== undefined, (query) => query.where(behind(page.order, after ?? { value: null, id: '' })))
    .orderBy(keysetOrderBy(page.order))
    .limit(page.limit + 1)
    .execute();
}

export function findProposal(
  db: Queryable,
  orgId: string,
  id: string,
): Promise<(ProposalListRow & ProposalRow) | undefined> {
  return db
    .selectFrom('soundcloud_target_proposals')
    .selectAll()
    .select([...COUNTS])
    .where('org_id', '=', orgId)
    .where('id', '=', id)
    .executeTakeFirst();
}
