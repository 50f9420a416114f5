/** Whom a member must never be paired with. */
import type { Insertable, Selectable } from 'kysely';
import type { Queryable } from './client.js';
import type { SoundcloudAvoidListItems } from './schema.js';

export type AvoidListRow = Selectable<SoundcloudAvoidListItems>;

export function avoidListOfMember(db: Queryable, orgId: string, memberId: string): Promise<AvoidListRow[]> {
  return db
    .selectFrom('soundcloud_avoid_list_items')
    .selectAll()
    .where('org_id', '=', orgId)
    .where('member_id', '=', memberId)
    .orderBy('created_at')
    .orderBy('id')
    .execute();
}

export function insertAvoidListItem(
  db: Queryable,
  row: Insertable<SoundcloudAvoidListItems>,
): Promise<AvoidListRow> {
  return db.insertInto('soundcloud_avoid_list_items').values(row).returningAll().executeTakeFirstOrThrow();
}

/** @returns false when there was none */
export async function deleteAvoidListItem(
  db: Queryable,
  orgId: string,
  memberId: string,
  id: string,
): Promise<boolean> {
  const result = await db
    .deleteFrom('soundcloud_avoid_list_items')
    .where('org_id', '=', orgId)
    .where('member_id', '=', memberId)
    .where('id', '=', id)
    .executeTakeFirst();
  return result.numDeletedRows > 0n;
}
