/** Target proposals as people read them. */
import type { Selectable } from 'kysely';
import type { Queryable } from './client.js';
import { behind, type Keyset, type KeysetOrder, keysetOrderBy, sortKey } from './keyset.js';
import type { SoundcloudTargetProposals } from './schema.js';

export type ProposalListRow = Selectable<SoundcloudTargetProposals>;

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
    .selectAll('soundcloud_target_proposals')
    .select(sortKey(page.order).as('sort_key'))
    .where('soundcloud_target_proposals.org_id', '=', orgId)
    .$if(parentType !== undefined, (query) => query.where('parent_type', '=', parentType ?? 'submission'))
    .$if(parentId !== undefined, (query) => query.where('parent_id', '=', parentId ?? ''))
    .$if(after !== undefined, (query) => query.where(behind(page.order, after ?? { value: null, id: '' })))
    .orderBy(keysetOrderBy(page.order))
    .limit(page.limit + 1)
    .execute();
}

export function findProposal(db: Queryable, orgId: string, id: string): Promise<ProposalListRow | undefined> {
  return db
    .selectFrom('soundcloud_target_proposals')
    .selectAll()
    .where('org_id', '=', orgId)
    .where('id', '=', id)
    .executeTakeFirst();
}
