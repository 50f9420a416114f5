/** Orgs, memberships and roles, as their people see them. */
import { sql } from 'kysely';
import type { Queryable } from './client.js';
import type { SoundcloudAppRole } from './schema.js';

export interface OrgOfUser {
  id: string;
  name: string;
  roles: SoundcloudAppRole[];
}

/** The orgs a person belongs to and the person's roles there, by name. With app.org_id set: at most that one. */
export async function orgsOfUser(db: Queryable, userId: string): Promise<OrgOfUser[]> {
  return db
    .selectFrom('memberships')
    .innerJoin('orgs', 'orgs.id', 'memberships.org_id')
    .select((eb) => [
      'orgs.id',
      'orgs.name',
      sql<SoundcloudAppRole[]>`array(${eb
        .selectFrom('soundcloud_user_roles as held')
        .select(sql<string>`held.role::text`.as('role'))
        .whereRef('held.org_id', '=', 'memberships.org_id')
        .where('held.user_id', '=', userId)
        .orderBy('held.role')})`.as('roles'),
    ])
    .where('memberships.user_id', '=', userId)
    .orderBy('orgs.name')
    .orderBy('orgs.id')
    .execute();
}

export interface MembershipRow {
  id: string;
  user_id: string;
  roles: SoundcloudAppRole[];
  created_at: Date;
}

/** The people of the org with their roles, oldest membership first. */
export async function membershipsOfOrg(db: Queryable, orgId: string): Promise<MembershipRow[]> {
  return db
    .selectFrom('memberships')
    .select((eb) => [
      'memberships.id',
      'memberships.user_id',
      'memberships.created_at',
      sql<SoundcloudAppRole[]>`array(${eb
        .selectFrom('soundcloud_user_roles as held')
        .select(sql<string>`held.role::text`.as('role'))
        .whereRef('held.org_id', '=', 'memberships.org_id')
        .whereRef('held.user_id', '=', 'memberships.user_id')
        .orderBy('held.role')})`.as('roles'),
    ])
    .where('memberships.org_id', '=', orgId)
    .orderBy('memberships.created_at')
    .orderBy('memberships.id')
    .execute();
}
