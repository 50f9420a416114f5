/** Genre families and subgenres as admins keep them. */
import type { Insertable, Selectable, Updateable } from 'kysely';
import type { Queryable } from './client.js';
import type { SoundcloudGenreFamilies, SoundcloudSubgenres } from './schema.js';

export type FamilyRow = Selectable<SoundcloudGenreFamilies>;
export type SubgenreRow = Selectable<SoundcloudSubgenres>;

/** All families of an org by name; there are dozens, not thousands. */
export function listFamilies(db: Queryable, orgId: string, active?: boolean): Promise<FamilyRow[]> {
  return db
    .selectFrom('soundcloud_genre_families')
    .selectAll()
    .where('org_id', '=', orgId)
    .$if(active !== undefined, (query) => query.where('active', '=', active === true))
    .orderBy('name')
    .orderBy('id')
    .execute();
}

export function findFamily(db: Queryable, orgId: string, id: string): Promise<FamilyRow | undefined> {
  return db
    .selectFrom('soundcloud_genre_families')
    .selectAll()
    .where('org_id', '=', orgId)
    .where('id', '=', id)
    .executeTakeFirst();
}

export function insertFamily(db: Queryable, row: Insertable<SoundcloudGenreFamilies>): Promise<FamilyRow> {
  return db.insertInto('soundcloud_genre_families').values(row).returningAll().executeTakeFirstOrThrow();
}

export function updateFamily(
  db: Queryable,
  orgId: string,
  id: string,
  change: Updateable<SoundcloudGenreFamilies>,
): Promise<FamilyRow | undefined> {
  return db
    .updateTable('soundcloud_genre_families')
    .set(change)
    .where('org_id', '=', orgId)
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirst();
}

/** @returns false when there was none */
export async function deleteFamily(db: Queryable, orgId: string, id: string): Promise<boolean> {
  const result = await db
    .deleteFrom('soundcloud_genre_families')
    .where('org_id', '=', orgId)
    .where('id', '=', id)
    .executeTakeFirst();
  return result.numDeletedRows > 0n;
}

/** Subgenres in display order. */
export function listSubgenres(
  db: Queryable,
  orgId: string,
  filter: { familyId?: string | undefined; active?: boolean | undefined },
): Promise<SubgenreRow[]> {
  return db
    .selectFrom('soundcloud_subgenres')
    .selectAll()
    .where('org_id', '=', orgId)
    .$if(filter.familyId !== undefined, (query) => query.where('family_id', '=', filter.familyId ?? ''))
    .$if(filter.active !== undefined, (query) => query.where('active', '=', filter.active === true))
    .orderBy('family_id')
    .orderBy('order_index')
    .orderBy('name')
    .orderBy('id')
    .execute();
}

export function findSubgenre(db: Queryable, orgId: string, id: string): Promise<SubgenreRow | undefined> {
  return db
    .selectFrom('soundcloud_subgenres')
    .selectAll()
    .where('org_id', '=', orgId)
    .where('id', '=', id)
    .executeTakeFirst();
}

export function insertSubgenre(db: Queryable, row: Insertable<SoundcloudSubgenres>): Promise<SubgenreRow> {
  return db.insertInto('soundcloud_subgenres').values(row).returningAll().executeTakeFirstOrThrow();
}

export function updateSubgenre(
  db: Queryable,
  orgId: string,
  id: string,
  change: Updateable<SoundcloudSubgenres>,
): Promise<SubgenreRow | undefined> {
  return db
    .updateTable('soundcloud_subgenres')
    .set(change)
    .where('org_id', '=', orgId)
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirst();
}

/** @returns false when there was none */
export async function deleteSubgenre(db: Queryable, orgId: string, id: string): Promise<boolean> {
  const result = await db
    .deleteFrom('soundcloud_subgenres')
    .where('org_id', '=', orgId)
    .where('id', '=', id)
    .executeTakeFirst();
  return result.numDeletedRows > 0n;
}
