/** A member's platform accounts. */
import type { Insertable, Selectable, Updateable } from 'kysely';
import type { Queryable } from './client.js';
import type { SoundcloudMemberAccounts } from './schema.js';

export type AccountRow = Selectable<SoundcloudMemberAccounts>;

/** At most one account per platform. */
export function accountsOfMember(db: Queryable, orgId: string, memberId: string): Promise<AccountRow[]> {
  return db
    .selectFrom('soundcloud_member_accounts')
    .selectAll()
    .where('org_id', '=', orgId)
    .where('member_id', '=', memberId)
    .orderBy('platform')
    .execute();
}

export function findAccount(
  db: Queryable,
  orgId: string,
  memberId: string,
  id: string,
): Promise<AccountRow | undefined> {
  return db
    .selectFrom('soundcloud_member_accounts')
    .selectAll()
    .where('org_id', '=', orgId)
    .where('member_id', '=', memberId)
    .where('id', '=', id)
    .executeTakeFirst();
}

export function insertAccount(
  db: Queryable,
  row: Insertable<SoundcloudMemberAccounts>,
): Promise<{ id: string }> {
  return db.insertInto('soundcloud_member_accounts').values(row).returning('id').executeTakeFirstOrThrow();
}

/** @returns false when there was none */
export async function updateAccount(
  db: Queryable,
  orgId: string,
  memberId: string,
  id: string,
  change: Updateable<SoundcloudMemberAccounts>,
): Promise<boolean> {
  const result = await db
    .updateTable('soundcloud_member_accounts')
    .set(change)
    .where('org_id', '=', orgId)
    .where('member_id', '=', memberId)
    .where('id', '=', id)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** @returns false when there was none */
export async function deleteAccount(
  db: Queryable,
  orgId: string,
  memberId: string,
  id: string,
): Promise<boolean> {
  const result = await db
    .deleteFrom('soundcloud_member_accounts')
    .where('org_id', '=', orgId)
    .where('member_id', '=', memberId)
    .where('id', '=', id)
    .executeTakeFirst();
  return result.numDeletedRows > 0n;
}
