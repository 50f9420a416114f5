/** The org's settings as one versioned document: read, and changed against the version that was read. */
import { type OrgSettings, type PartialSettings, withDefaults } from '../domain/settings.js';
import type { Queryable, Trx } from './client.js';

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

const JSON_COLUMNS = new Set<keyof OrgSettings>([
  'size_tier_thresholds',
  'adjacency_matrix',
  'tier_policy',
  'review',
  'pacing',
  'queue_hours',
  'campaign_defaults',
]);

/** Writes the changed columns; the database raises the version. */
export async function saveSettings(trx: Trx, orgId: string, changed: Partial<OrgSettings>): Promise<void> {
  const columns = Object.fromEntries(
    Object.entries(changed).map(([key, value]) => [
      key,
      JSON_COLUMNS.has(key as keyof OrgSettings) ? JSON.stringify(value) : value,
    ]),
  );
  await trx
    .updateTable('soundcloud_settings')
    .set(columns)
    .where('org_id', '=', orgId)
    .executeTakeFirstOrThrow();
}
