/** Genre families and subgenres of an org. */
import type { SubgenrePattern } from '../domain/genre.js';
import type { Queryable } from './client.js';

/** Active subgenres of active families with their patterns, for the classifier. */
export async function subgenrePatterns(db: Queryable, orgId: string): Promise<SubgenrePattern[]> {
  return db
    .selectFrom('soundcloud_subgenres as subgenre')
    .innerJoin('soundcloud_genre_families as family', (join) =>
      join.onRef('family.org_id', '=', 'subgenre.org_id').onRef('family.id', '=', 'subgenre.family_id'),
    )
    .select([
      'subgenre.id',
      'subgenre.name',
      'family.name as family',
      'subgenre.patterns',
      'subgenre.order_index',
    ])
    .where('subgenre.org_id', '=', orgId)
    .where('subgenre.active', '=', true)
    .where('family.active', '=', true)
    .execute();
}

/** Whether the org has an active family of this name. */
export async function familyExists(db: Queryable, orgId: string, name: string): Promise<boolean> {
  const row = await db
    .selectFrom('soundcloud_genre_families')
    .select('id')
    .where('org_id', '=', orgId)
    .where('name', '=', name)
    .where('active', '=', true)
    .executeTakeFirst();
  return row !== undefined;
}
