/** API keys as integrations hold them: the database keeps no more than the hash of their secret. */
import { createHash, randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import type { Db } from '../../db/client.js';

export interface AddedKey {
  id: string;
  /** What the integration sends. */
  token: string;
}

/** @param owner connection of the owner */
export async function addApiKey(owner: Db, orgId: string, scopes: readonly string[]): Promise<AddedKey> {
  const secret = randomBytes(32).toString('base64url');
  const hash = createHash('sha256').update(secret).digest('hex');
  const { rows } = await sql<{ id: string }>`
    insert into public.soundcloud_api_keys (org_id, name, secret_hash, scopes)
    values (${orgId}, 'integration', ${hash}, ${[...scopes]}) returning id`.execute(owner);
  const [row] = rows;
  if (row === undefined) throw new Error('the key was not inserted');
  return { id: row.id, token: `spark_${row.id}_${secret}` };
}
