/** What addresses of tracks resolved to (`soundcloud_preview_cache`), for previews. */
import { sql } from 'kysely';
import type { Queryable } from './client.js';
import { jsonb } from './json.js';

/** A track as a preview needs it. */
export interface PreviewTrack {
  /** Canonical address; differs from the given one where that was a short link. */
  url: string;
  urn: string;
  title: string;
  artist_name: string;
  genre: string | null;
  tags: string[];
}

export type Resolution = { kind: 'track' | 'set'; track: PreviewTrack } | { kind: 'user' | 'not_found' };

export interface CachedResolution {
  resolution: Resolution;
  fetchedAt: Date;
  fresh: boolean;
}

/** What is kept of an address, also when it is out of date. @param now business time. */
export async function cachedResolution(
  db: Queryable,
  orgId: string,
  trackUrl: string,
  now: Date,
): Promise<CachedResolution | undefined> {
  const row = await db
    .selectFrom('soundcloud_preview_cache')
    .select(['kind', 'data', 'fetched_at', 'expires_at'])
    .where('org_id', '=', orgId)
    .where('track_url', '=', trackUrl)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const resolution: Resolution =
    row.kind === 'track' || row.kind === 'set'
      ? { kind: row.kind, track: row.data as unknown as PreviewTrack }
      : { kind: row.kind === 'user' ? 'user' : 'not_found' };
  return { resolution, fetchedAt: row.fetched_at, fresh: now < row.expires_at };
}

/** Keeps what an address resolved to. Both times are business time. */
export async function keepResolution(
  db: Queryable,
  orgId: string,
  trackUrl: string,
  resolution: Resolution,
  times: { fetchedAt: Date; expiresAt: Date },
): Promise<void> {
  const columns = {
    kind: resolution.kind,
    urn: 'track' in resolution ? resolution.track.urn : null,
    data: jsonb('track' in resolution ? resolution.track : {}),
    fetched_at: times.fetchedAt,
    expires_at: times.expiresAt,
  };
  await db
    .insertInto('soundcloud_preview_cache')
    .values({ org_id: orgId, track_url: trackUrl, ...columns })
    .onConflict((conflict) =>
      conflict
        .columns(['org_id', 'track_url'])
        // Whoever asked later knows better.
        .doUpdateSet(columns)
        .where(sql<boolean>`excluded.fetched_at >= soundcloud_preview_cache.fetched_at`),
    )
    .execute();
}
