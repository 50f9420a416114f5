/** What the database knows of who signs in. Call these as the login, not as the caller. */
import { sql } from 'kysely';
import type { Queryable } from './client.js';

export interface VerifiedKey {
  orgId: string;
  name: string;
  scopes: string[];
}

/** @param secretHash SHA-256 (hex) of the secret. @returns undefined when unknown, wrong, revoked or expired */
export async function verifyApiKey(
  db: Queryable,
  keyId: string,
  secretHash: string,
): Promise<VerifiedKey | undefined> {
  const { rows } = await sql<{ org_id: string; name: string; scopes: string[] }>`
    select * from private.api_key_verify(${keyId}, ${secretHash})`.execute(db);
  const [row] = rows;
  return row && { orgId: row.org_id, name: row.name, scopes: row.scopes };
}

/** Gives a login membership wherever a member lists its verified e-mail. @returns how many orgs were new */
export async function linkLogin(db: Queryable, userId: string, email: string): Promise<number> {
  const { rows } = await sql`select private.link_login(${userId}, ${email})`.execute(db);
  return rows.length;
}
