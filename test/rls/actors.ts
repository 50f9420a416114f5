/** Who acts in the matrix, and how the database is told: role, claims, app.org_id. */
import pg from 'pg';
import { emailOf, fixedId, type OrgKey, type Owner, orgId, type Person, userId } from './world.js';

export interface Actor {
  role: 'anon' | 'authenticated' | 'spark_integrator' | 'spark_worker';
  /** The org in app.org_id; undefined = unset. */
  scope?: OrgKey | undefined;
  person?: Person;
  /** Org of an API key. */
  keyOf?: OrgKey;
  scopes?: readonly string[];
  /** Whose rows are the actor's own. */
  owns?: Owner;
  /** The org in which the actor is at home: elsewhere nothing may be seen or touched. */
  homes: readonly OrgKey[];
}

/** Columns of matrix.txt. */
export const ACTOR_NAMES = [
  'anon',
  'member',
  'moderator',
  'admin',
  'foreign',
  'both',
  'both@here',
  'integrator',
  'unscoped',
  'worker',
  'worker@there',
] as const;
export type ActorName = (typeof ACTOR_NAMES)[number];

function person(who: Person, homes: readonly OrgKey[], scope?: OrgKey): Actor {
  const owns = who === 'member' || who === 'both' || who === 'moderator' ? { owns: who } : {};
  return { role: 'authenticated', person: who, homes, scope, ...owns };
}

/**
 * The ways in which an actor of the matrix may come; each must meet the same expectation.
 * @param resource the scope word of the table, '-' when no scope opens it
 * @param resources every scope word
 */
export function actorsOf(name: ActorName, resource: string, resources: readonly string[]): Actor[] {
  const scopesOf = (words: readonly string[]) => words.flatMap((word) => [`${word}:read`, `${word}:write`]);
  const others = resources.filter((word) => word !== resource);
  const key = (keyOf: OrgKey, scopes: readonly string[], scope?: OrgKey): Actor => ({
    role: 'spark_integrator',
    keyOf,
    scopes,
    scope,
    homes: [keyOf],
  });
  switch (name) {
    case 'anon':
      return [
        { role: 'anon', homes: [] },
        { role: 'anon', homes: [], scope: 'here' },
      ];
    case 'member':
    case 'moderator':
    case 'admin':
      return [person(name, ['here'], 'here'), person(name, ['here'])];
    case 'foreign':
      return [
        person('foreign', ['there'], 'there'),
        person('foreign', ['there']),
        person('foreign', [], 'here'),
        // Signed in, but in no org at all.
        person('outsider', [], 'here'),
        // At home here, working in the org where nobody knows them.
        person('admin', [], 'there'),
        // A key of the other org with every scope.
        key('there', scopesOf(resources), 'there'),
        key('there', scopesOf(resources), 'here'),
      ];
    case 'both':
      return [person('both', ['here', 'there'])];
    case 'both@here':
      return [person('both', ['here'], 'here')];
    case 'integrator':
      return [key('here', resource === '-' ? scopesOf(resources) : scopesOf([resource]), 'here')];
    case 'unscoped':
      return [key('here', scopesOf(others), 'here')];
    case 'worker':
      return [{ role: 'spark_worker', scope: 'here', homes: ['here'] }];
    case 'worker@there':
      return [
        { role: 'spark_worker', scope: 'there', homes: ['there'] },
        { role: 'spark_worker', homes: [] },
      ];
  }
}

/** SQL that makes the rest of the transaction the actor's. */
export function become(actor: Actor): string {
  const claims =
    actor.person !== undefined
      ? { sub: userId(actor.person), role: 'authenticated', email: emailOf(actor.person) }
      : actor.keyOf !== undefined
        ? {
            role: 'spark_integrator',
            key_id: fixedId('key', actor.keyOf),
            org_id: orgId(actor.keyOf),
            scopes: actor.scopes,
          }
        : undefined;
  const settings = [
    ['app.org_id', actor.scope === undefined ? '' : orgId(actor.scope)],
    ['request.jwt.claims', claims === undefined ? '' : JSON.stringify(claims)],
    ['role', actor.role],
  ];
  const calls = settings.map(
    ([name, value]) => `set_config('${name}', ${pg.escapeLiteral(value ?? '')}, true)`,
  );
  return `select ${calls.join(', ')};`;
}

/** For messages of failed expectations. */
export function describeActor(name: string, actor: Actor): string {
  const who = actor.person ?? (actor.keyOf ? `key of ${actor.keyOf}` : actor.role);
  return `${name} (${who}, app.org_id ${actor.scope ?? 'unset'})`;
}
