/** Reads SoundCloud's lists of reposts: what both the proof of an assignment and the look for a schedule search in. */
import { parseTrackUrl, withoutToken } from '../domain/track-url.js';
import type { ProviderError } from '../providers/errors.js';
import type { SoundCloudPage, SoundCloudPort } from '../providers/soundcloud/port.js';

/** Pages of 200 rows that are read of a list at most: what is not in them was not reposted lately. */
const MOST_PAGES = 5;

export interface ReadList<Row> {
  /** Newest first, up to the page that shows what is looked for. */
  rows: Row[];
  shows: boolean;
  /** True when there was no further page. */
  ended: boolean;
}

/** Reads pages until one shows what is looked for; null when there is no such list. */
export async function readList<Row>(
  page: (cursor: string | null) => Promise<SoundCloudPage<Row> | null>,
  isWanted: (row: Row) => boolean,
): Promise<ReadList<Row> | null> {
  const rows: Row[] = [];
  let cursor: string | null = null;
  for (let pages = 0; pages < MOST_PAGES; pages += 1) {
    const read: SoundCloudPage<Row> | null = await page(cursor);
    if (read === null) return null;
    rows.push(...read.rows);
    if (read.rows.some(isWanted)) return { rows, shows: true, ended: false };
    cursor = read.nextCursor;
    if (cursor === null) return { rows, shows: false, ended: true };
  }
  return { rows, shows: false, ended: false };
}

export interface WantedTrack {
  /** Sets are listed apart from tracks. */
  kind: 'track' | 'set';
  matches(row: { urn: string; permalinkUrl: string }): boolean;
}

/**
 * Recognises a track by its URN, else by one of its addresses, with or without the secret token.
 * @param track.urls the first one says whether it is a set where the URN does not
 */
export function wantedTrack(track: { urn: string | null; urls: readonly (string | null)[] }): WantedTrack {
  const urls = track.urls.filter((url) => url !== null);
  const addresses = urls.map(withoutToken);
  const isSet = track.urn?.startsWith('soundcloud:playlists:') ?? /\/sets\//.test(urls[0] ?? '');
  return {
    kind: isSet ? 'set' : 'track',
    matches({ urn, permalinkUrl }) {
      if (urn === track.urn) return true;
      const parsed = parseTrackUrl(permalinkUrl);
      return parsed.ok && addresses.includes(withoutToken(parsed.url));
    },
  };
}

/** URN of a profile by its handle; null when there is none. @throws ProviderError */
export async function urnOfUser(
  soundcloud: SoundCloudPort,
  handle: string,
  signal: AbortSignal,
): Promise<string | null> {
  const found = await soundcloud.resolve(`https://soundcloud.com/${handle}`, signal);
  return found.kind === 'user' ? found.user.urn : null;
}

/** Something SoundCloud will never answer: no reason to wait for SoundCloud. */
export function refusesThis({ kind, details }: ProviderError): boolean {
  return kind === 'not_found' || (kind === 'rejected' && (details.status ?? 0) >= 400);
}
