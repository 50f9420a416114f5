/** Who sends a request, and in which org it works. */

/** The roles of `soundcloud_app_role`. */
export const APP_ROLES = ['admin', 'moderator', 'member'] as const;
export type AppRole = (typeof APP_ROLES)[number];

/** A signed-in person: what of the verified access token the database may see. */
export interface PersonCaller {
  kind: 'person';
  userId: string;
  /** When the token ends (epoch ms): what stays open must not outlive it. */
  expiresAt: number;
  /** Goes into `request.jwt.claims`; policies match members by the e-mail in it. */
  claims: Record<string, unknown>;
}

/** A program that showed an API key, not verified yet: only the database knows the keys. */
export interface KeyCaller {
  kind: 'key';
  keyId: string;
  /** SHA-256 of the secret, hex; the secret itself goes no further than the request. */
  secretHash: string;
}

export type Caller = PersonCaller | KeyCaller;

/** One string per caller: scopes idempotency keys and command ids, and names the actor in the audit log. */
export function callerKey(caller: Caller): string {
  return caller.kind === 'person' ? `user:${caller.userId}` : `key:${caller.keyId}`;
}

/** What an API key may be allowed. */
export const KEY_SCOPES = [
  'genres:read',
  'members:read',
  'submissions:read',
  'submissions:write',
  'proposals:read',
  'queues:read',
  'snapshots:read',
  'schedules:read',
] as const;
export type KeyScope = (typeof KEY_SCOPES)[number];

/** Whom a route lets in: `anyone` = every member of the org, `ops` = admins and moderators. */
export type Access = 'anyone' | 'ops' | 'admin';

export function isOps(roles: readonly AppRole[]): boolean {
  return roles.includes('admin') || roles.includes('moderator');
}

export function mayEnter(access: Access, roles: readonly AppRole[]): boolean {
  return access === 'anyone' || roles.includes('admin') || (access === 'ops' && isOps(roles));
}
