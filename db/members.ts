/** Members: the rows ops keep, and lists of them. */
import { type Insertable, type RawBuilder, type Selectable, sql, type Updateable } from 'kysely';
import { type PartialSettings, withDefaults } from '../domain/settings.js';
import type { TierThresholds } from '../domain/tiers.js';
import type { Queryable, Trx } from './client.js';
import { behind, type Keyset, type KeysetOrder, keysetOrderBy, sortKey } from './keyset.js';
import type { SoundcloudMemberStatus, SoundcloudMembers, SoundcloudSizeTier } from './schema.js';

export type MemberRow = Selectable<SoundcloudMembers>;

export const MEMBER_ORDERS = {
  name: { column: 'soundcloud_members.name', id: 'soundcloud_members.id', type: 'text', direction: 'asc' },
  created_at: {
    column: 'soundcloud_members.created_at',
    id: 'soundcloud_members.id',
    type: 'timestamptz',
    direction: 'asc',
  },
  '-created_at': {
    column: 'soundcloud_members.created_at',
    id: 'soundcloud_members.id',
    type: 'timestamptz',
    direction: 'desc',
  },
} as const satisfies Record<string, KeysetOrder>;

export interface MemberFilter {
  id?: string | undefined;
  status?: SoundcloudMemberStatus | undefined;
  sizeTier?: SoundcloudSizeTier | undefined;
  genreFamilyId?: string | undefined;
  handle?: string | undefined;
  email?: string | undefined;
  inactive?: boolean | undefined;
}

/** One row more than `limit` when there is a next page. */
export function listMembers(
  db: Queryable,
  orgId: string,
  filter: MemberFilter,
  page: { order: KeysetOrder; after: Keyset | undefined; limit: number },
): Promise<(MemberRow & { sort_key: string | null })[]> {
  const { id, status, sizeTier, genreFamilyId, handle, email, inactive } = filter;
  const { after } = page;
  return db
    .selectFrom('soundcloud_members')
    .selectAll('soundcloud_members')
    .select(sortKey(page.order).as('sort_key'))
    .where('soundcloud_members.org_id', '=', orgId)
    .$if(id !== undefined, (query) => query.where('soundcloud_members.id', '=', id ?? ''))
    .$if(status !== undefined, (query) => query.where('status', '=', status ?? 'active'))
    .$if(sizeTier !== undefined, (query) => query.where('size_tier', '=', sizeTier ?? 'T1'))
    .$if(genreFamilyId !== undefined, (query) => query.where('genre_family_id', '=', genreFamilyId ?? ''))
    .$if(handle !== undefined, (query) => query.where('soundcloud_handle', '=', handle ?? ''))
    .$if(email !== undefined, (query) => query.where(sql<boolean>`emails @> array[${email}::text]`))
    .$if(inactive !== undefined, (query) => query.where('inactive_since', inactive ? 'is not' : 'is', null))
    .$if(after !== undefined, (query) => query.where(behind(page.order, after ?? { value: null, id: '' })))
    .orderBy(keysetOrderBy(page.order))
    .limit(page.limit + 1)
    .execute();
}

/** Borders of the org's tiers, which those may read who may not read the settings; call it as the login. */
export async function tierBorders(db: Queryable, orgId: string): Promise<TierThresholds> {
  const { rows } = await sql<{ borders: PartialSettings['size_tier_thresholds'] }>`
    select private.api_tier_borders(${orgId}) as borders`.execute(db);
  return withDefaults({ size_tier_thresholds: rows[0]?.borders ?? {} }).size_tier_thresholds;
}

export function findMember(db: Queryable, orgId: string, id: string): Promise<MemberRow | undefined> {
  return db
    .selectFrom('soundcloud_members')
    .selectAll()
    .where('org_id', '=', orgId)
    .where('id', '=', id)
    .executeTakeFirst();
}

/**
 * The name beside a member's id, in a list; null without a member, and where the caller may not read it. It is asked for each
 * row that is shown: a join would stand between the planner and the order of the page.
 * @param of the org and the member's id, as the query has them
 */
export function memberNameOf(of: {
  org: RawBuilder<unknown>;
  member: RawBuilder<unknown>;
}): RawBuilder<string | null> {
  return sql<string | null>`(select named.name from public.soundcloud_members named
    where named.org_id = ${of.org} and named.id = ${of.member})`;
}

/** Names by id, in one statement; those the caller may not read are left out. */
export async function memberNames(
  db: Queryable,
  orgId: string,
  ids: Iterable<string>,
): Promise<ReadonlyMap<string, string>> {
  const wanted = [...new Set(ids)];
  if (wanted.length === 0) return new Map();
  const rows = await db
    .selectFrom('soundcloud_members')
    .select(['id', 'name'])
    .where('org_id', '=', orgId)
    .where(sql<boolean>`id = any (${wanted}::uuid[])`)
    .execute();
  return new Map(rows.map(({ id, name }) => [id, name]));
}

export function insertMember(db: Queryable, row: Insertable<SoundcloudMembers>): Promise<{ id: string }> {
  return db.insertInto('soundcloud_members').values(row).returning('id').executeTakeFirstOrThrow();
}

/** @returns false when there was none */
export async function updateMember(
  db: Queryable,
  orgId: string,
  id: string,
  change: Updateable<SoundcloudMembers>,
): Promise<boolean> {
  const result = await db
    .updateTable('soundcloud_members')
    .set(change)
    .where('org_id', '=', orgId)
    .where('id', '=', id)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** Removes a member with accounts, genres and avoid list; a foreign key refuses it when there is history. */
export async function deleteMember(trx: Trx, orgId: string, id: string): Promise<void> {
  const own = [
    'soundcloud_member_accounts',
    'soundcloud_member_genres',
    'soundcloud_avoid_list_items',
  ] as const;
  for (const table of own) {
    await trx.deleteFrom(table).where('org_id', '=', orgId).where('member_id', '=', id).execute();
  }
  await trx.deleteFrom('soundcloud_members').where('org_id', '=', orgId).where('id', '=', id).execute();
}
