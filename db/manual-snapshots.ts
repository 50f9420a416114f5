/** Snapshots that ops enter by hand: written by a function of the database that only the API's login may call. */
import { sql } from 'kysely';
import type { Counts } from '../domain/attribution.js';
import type { AttributionParent } from './attribution.js';
import type { Trx } from './client.js';
import { jsonb } from './json.js';

export interface EnteredSnapshot {
  parentType: AttributionParent;
  parentId: string;
  dayIndex: number;
  /** `YYYY-MM-DD`. */
  date: string;
  counts: Counts;
  note: string;
  /** Business time. */
  at: Date;
}

/** @returns `created: false` when that day was measured; `before`: what had been entered before. */
export async function enterSnapshot(
  trx: Trx,
  orgId: string,
  snapshot: EnteredSnapshot,
): Promise<{ id: string; created: boolean; before: unknown }> {
  const { parentType, parentId, dayIndex, date, counts, note, at } = snapshot;
  const { rows } = await sql<{ id: string; created: boolean; before: unknown }>`
    select id, created, before from private.api_enter_snapshot(
      ${orgId}, ${parentType}, ${parentId}, ${dayIndex}, ${date}::date, ${jsonb(counts)}, ${jsonb({ note })}, ${at})`.execute(
    trx,
  );
  const row = rows[0];
  if (row === undefined) throw new Error('private.api_enter_snapshot returned no row.');
  return row;
}
