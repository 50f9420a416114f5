/**
 * Two orgs and the people of the row-level security tests. `here` is the org whose rows are asked for, `there` is
 * another one. The person `both` is a member here and an admin there: the case that org-blind roles get wrong.
 */
import { createHash } from 'node:crypto';
import type pg from 'pg';

export const ORGS = ['here', 'there'] as const;
export type OrgKey = (typeof ORGS)[number];

/** Whose row it is, in tables whose rows belong to somebody; `nobody` is none of the people that are tested for it. */
export const OWNERS = ['member', 'both', 'moderator', 'nobody'] as const;
export type Owner = (typeof OWNERS)[number];

export const PEOPLE = ['member', 'both', 'moderator', 'admin', 'foreign', 'outsider'] as const;
export type Person = (typeof PEOPLE)[number];

/** The same id for the same words in every run. */
export function fixedId(...words: string[]): string {
  const hex = createHash('sha256').update(words.join('/')).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

export const orgId = (org: OrgKey) => fixedId('org', org);
export const userId = (person: Person | 'nobody') => fixedId('user', person);
export const memberId = (org: OrgKey, owner: Owner) => fixedId('soundcloud_members', org, owner, '');
export const emailOf = (person: Person | 'nobody') => `${person}@people.test`;

/** Who holds which role in which org. */
export const ROLES: Record<OrgKey, Partial<Record<Person, 'admin' | 'moderator' | 'member'>>> = {
  here: { member: 'member', both: 'member', moderator: 'moderator', admin: 'admin' },
  there: { both: 'admin', foreign: 'admin' },
};

/** Makes the logins, memberships and roles. The connection must be the owner's, with triggers off. */
export async function createPeople(owner: pg.Client): Promise<void> {
  for (const person of [...PEOPLE, 'nobody'] as const) {
    await owner.query('insert into auth.users (id, email, email_confirmed_at) values ($1, $2, now())', [
      userId(person),
      emailOf(person),
    ]);
  }
  for (const org of ORGS) {
    await owner.query('insert into orgs (id, name) values ($1, $2)', [orgId(org), org]);
    for (const [person, role] of Object.entries(ROLES[org]) as [Person, string][]) {
      await owner.query('insert into memberships (id, org_id, user_id) values ($1, $2, $3)', [
        fixedId('membership', org, person),
        orgId(org),
        userId(person),
      ]);
      await owner.query(
        'insert into soundcloud_user_roles (id, org_id, user_id, role) values ($1, $2, $3, $4)',
        [fixedId('role', org, person), orgId(org), userId(person), role],
      );
    }
  }
}
