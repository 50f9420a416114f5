/** The org's settings as one versioned document: read, and changed against the version that was read. */
import { sql } from 'kysely';
import { type OrgSettings, type PartialSettings, withDefaults } from '../domain/settings.js';
import type { Queryable, Trx } from './client.js';
import { jsonb } from './json.js';

export interface VersionedSettings {
  settings: OrgSettings;
  version: number;
  updatedAt: Date;
}

/** @param options.lock keeps others from changing them until this transaction ends */
export async function loadVersionedSettings(
  db: Queryable,
  orgId: string,
  options: { lock?: boolean } = {},
): Promise<VersionedSettings | undefined> {
  const row = await db
    .selectFrom('soundcloud_settings')
    .selectAll()
    .where('org_id', '=', orgId)
    .$if(options.lock === true, (query) => query.forUpdate())
    .executeTakeFirst();
  if (row === undefined) return undefined;
  return {
    settings: withDefaults(row as unknown as PartialSettings),
    version: row.version,
    updatedAt: row.updated_at,
  };
}

/**
 * Writes the changed columns; the database raises the version. Runs as the login, because people have no right to write
 * past the rules; the database still looks for an admin in the claims.
 * @param changed checked by settingsProblems, as part of the complete settings
 * @throws SQLSTATE 42501 when the caller is no admin of the org
 */
export async function saveSettings(trx: Trx, orgId: string, changed: Partial<OrgSettings>): Promise<void> {
  await sql`select private.api_update_settings(${orgId}, ${jsonb(changed)})`.execute(trx);
}
