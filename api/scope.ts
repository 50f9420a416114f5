/**
 * The scope of a request: one transaction in which the database itself knows the caller and the org, so that
 * row-level security decides what is there. Opened as the caller's role; `asLogin` leaves it for the few things a
 * caller must not be able to do alone (audit, kept answers, commands).
 */
import { sql } from 'kysely';
import { type Db, leaveCallerRole, type Trx, withCaller } from '../db/client.js';
import { orgsOfUser } from '../db/orgs.js';
import { linkLogin, verifyApiKey } from '../db/sign-in.js';
import { type Access, type AppRole, type Caller, callerKey, isOps, mayEnter } from './caller.js';
import { Problem } from './problems.js';

export interface Scope {
  trx: Trx;
  caller: Caller;
  /** The org the request works in; empty on the routes that list one's orgs. */
  orgId: string;
  /** Roles of the person in that org; an API key has none. */
  roles: readonly AppRole[];
  /** Admin or moderator, or an API key, which only gets past routes its scopes name. */
  ops: boolean;
}

export interface WantedScope {
  /** X-Org-Id. */
  orgId: string | undefined;
  access: Access | 'signed_in';
  /** Scope an API key needs; null = people only. */
  keyScope: string | null;
}

/**
 * Runs `work` in the caller's scope.
 * @throws Problem 401 for a bad key, 400 org_required, 403 no_membership, forbidden, scope_missing
 */
export async function openScope<T>(
  database: Db,
  caller: Caller,
  wanted: WantedScope,
  work: (scope: Scope) => Promise<T>,
): Promise<T> {
  return caller.kind === 'person'
    ? openPersonScope(database, caller, wanted, work)
    : openKeyScope(database, caller, wanted, work);
}

async function openPersonScope<T>(
  database: Db,
  caller: Caller & { kind: 'person' },
  wanted: WantedScope,
  work: (scope: Scope) => Promise<T>,
): Promise<T> {
  const { claims, userId } = caller;
  const enter = (): Promise<{ result: T } | 'stranger'> =>
    withCaller(database, { claims, orgId: wanted.orgId ?? null, role: 'authenticated' }, async (trx) => {
      const orgs = await orgsOfUser(trx, userId);
      if (orgs.length === 0) return 'stranger';
      if (wanted.access === 'signed_in') {
        return { result: await work({ trx, caller, orgId: '', roles: [], ops: false }) };
      }
      const [org, ...others] = orgs;
      if (org === undefined || others.length > 0) throw new Problem('org_required');
      if (wanted.orgId === undefined)
        await sql`select set_config('app.org_id', ${org.id}, true)`.execute(trx);
      if (!mayEnter(wanted.access, org.roles)) {
        const onlyAdmins = { detail: 'Only an admin of the org may do this. Ask one.' };
        throw new Problem('forbidden', wanted.access === 'admin' ? onlyAdmins : {});
      }
      return { result: await work({ trx, caller, orgId: org.id, roles: org.roles, ops: isOps(org.roles) }) };
    });

  const first = await enter();
  if (first !== 'stranger') return first.result;
  // The first sign-in of a member: the login joins the orgs whose members list its verified e-mail.
  const email = typeof claims.email === 'string' ? claims.email : undefined;
  if (email !== undefined && (await linkLogin(database, userId, email)) > 0) {
    const second = await enter();
    if (second !== 'stranger') return second.result;
  }
  throw new Problem('no_membership');
}

async function openKeyScope<T>(
  database: Db,
  caller: Caller & { kind: 'key' },
  wanted: WantedScope,
  work: (scope: Scope) => Promise<T>,
): Promise<T> {
  const key = await verifyApiKey(database, caller.keyId, caller.secretHash);
  if (key === undefined) throw new Problem('invalid_api_key');
  if (wanted.orgId !== undefined && wanted.orgId !== key.orgId) {
    throw new Problem('no_membership', {
      detail: 'This API key belongs to another org than X-Org-Id names.',
    });
  }
  if (wanted.keyScope === null) {
    throw new Problem('scope_missing', { detail: 'This resource is for people; no API key can use it.' });
  }
  // Whoever may write a resource may read it: the answer to a write shows the row.
  const held = new Set(key.scopes.flatMap((one) => [one, one.replace(/:write$/u, ':read')]));
  if (!held.has(wanted.keyScope)) {
    throw new Problem('scope_missing', { detail: `The API key needs the scope ${wanted.keyScope}.` });
  }
  const claims = { org_id: key.orgId, key_id: caller.keyId, scopes: key.scopes };
  return withCaller(database, { claims, orgId: key.orgId, role: 'spark_integrator' }, (trx) =>
    work({ trx, caller, orgId: key.orgId, roles: [], ops: true }),
  );
}

/** Runs `work` as the login `spark_api` within the same transaction, then goes on as the caller. */
export async function asLogin<T>(scope: Scope, work: (trx: Trx) => Promise<T>): Promise<T> {
  await leaveCallerRole(scope.trx);
  const result = await work(scope.trx);
  await returnToCaller(scope);
  return result;
}

/**
 * Runs `work` with the reach of the target builder: it reads the whole org, whoever asks. For answers in sums only; the
 * caller must have been let in to what they are about.
 */
export async function asPlanner<T>(scope: Scope, work: (trx: Trx) => Promise<T>): Promise<T> {
  await sql`select set_config('role', 'spark_planner', true)`.execute(scope.trx);
  const result = await work(scope.trx);
  await returnToCaller(scope);
  return result;
}

async function returnToCaller(scope: Scope): Promise<void> {
  const role = scope.caller.kind === 'person' ? 'authenticated' : 'spark_integrator';
  await sql`select set_config('role', ${role}, true)`.execute(scope.trx);
}

/** What idempotency keys of this scope are filed under. */
export function scopeOwner(scope: Scope): { orgId: string; caller: string } {
  return { orgId: scope.orgId, caller: callerKey(scope.caller) };
}
