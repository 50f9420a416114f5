/** Which genres a member stands for. */
import type { Selectable } from 'kysely';
import type { Queryable, Trx } from './client.js';
import type { SoundcloudMemberGenres } from './schema.js';

export type MemberGenreRow = Selectable<SoundcloudMemberGenres>;

export function genresOfMember(db: Queryable, orgId: string, memberId: string): Promise<MemberGenreRow[]> {
  return db
    .selectFrom('soundcloud_member_genres')
    .selectAll()
    .where('org_id', '=', orgId)
    .where('member_id', '=', memberId)
    .orderBy('assigned_at')
    .orderBy('id')
    .execute();
}

/**
 * Makes the member's genres exactly these: what is there stays as it is, with its date.
 * A subgenre that does not belong to its family is refused by the foreign keys' check in the caller.
 */
export async function replaceMemberGenres(
  trx: Trx,
  target: { orgId: string; memberId: string; assignedBy: string | null },
  wanted: readonly { familyId: string; subgenreId: string | null }[],
): Promise<void> {
  const { orgId, memberId, assignedBy } = target;
  const present = await genresOfMember(trx, orgId, memberId);
  const key = (familyId: string, subgenreId: string | null) => `${familyId}/${subgenreId ?? ''}`;
  const wantedKeys = new Set(wanted.map((genre) => key(genre.familyId, genre.subgenreId)));
  const presentKeys = new Set(present.map((row) => key(row.genre_family_id, row.subgenre_id)));
  const gone = present.filter((row) => !wantedKeys.has(key(row.genre_family_id, row.subgenre_id)));
  const added = wanted.filter((genre) => !presentKeys.has(key(genre.familyId, genre.subgenreId)));
  if (gone.length > 0) {
    await trx
      .deleteFrom('soundcloud_member_genres')
      .where('org_id', '=', orgId)
      .where('member_id', '=', memberId)
      .where(
        'id',
        'in',
        gone.map((row) => row.id),
      )
      .execute();
  }
  if (added.length > 0) {
    await trx
      .insertInto('soundcloud_member_genres')
      .values(
        added.map((genre) => ({
          org_id: orgId,
          member_id: memberId,
          genre_family_id: genre.familyId,
          subgenre_id: genre.subgenreId,
          assigned_by: assignedBy,
        })),
      )
      .execute();
  }
}
