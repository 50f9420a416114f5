/** Asks SoundCloud what an address stands for, as long as somebody waits for the answer. */
import type { Resolution } from '../db/preview-cache.js';
import { parseTrackUrl } from '../domain/track-url.js';
import { ProviderError } from '../providers/errors.js';
import { RequestNotYetAllowed } from '../providers/rate-limit.js';
import type { SoundCloudPort } from '../providers/soundcloud/port.js';
import type { SoundCloudAccess } from './soundcloud.js';

export type Looked =
  | { outcome: 'found'; resolution: Resolution }
  /** Known from before; nobody was asked. */
  | { outcome: 'cached' }
  | { outcome: 'not_configured' }
  /** SoundCloud, or our own request limit, gives no answer now. */
  | { outcome: 'unavailable' };

/** A person looks at a form meanwhile, real ms. */
const PATIENCE_MS = 5_000;

export async function lookUpTrack(
  access: SoundCloudAccess,
  url: string,
  closing: AbortSignal,
): Promise<Looked> {
  if (!access.configured) return { outcome: 'not_configured' };
  const signal = AbortSignal.any([closing, AbortSignal.timeout(PATIENCE_MS)]);
  try {
    return { outcome: 'found', resolution: await resolve(await access.client(), url, signal) };
  } catch (error) {
    if (error instanceof ProviderError && refusesThisAddress(error))
      return { outcome: 'found', resolution: { kind: 'not_found' } };
    if (error instanceof ProviderError || error instanceof RequestNotYetAllowed || signal.aborted)
      return { outcome: 'unavailable' };
    throw error;
  }
}

function refusesThisAddress({ kind, details }: ProviderError): boolean {
  return kind === 'not_found' || (kind === 'rejected' && (details.status ?? 0) >= 400);
}

async function resolve(
  soundcloud: Pick<SoundCloudPort, 'resolve' | 'expandShortLink'>,
  given: string,
  signal: AbortSignal,
): Promise<Resolution> {
  let url = given;
  const parsed = parseTrackUrl(given);
  if (parsed.ok && parsed.kind === 'short_link') {
    const long = await soundcloud.expandShortLink(url, signal);
    if (long === null) return { kind: 'not_found' };
    const expanded = parseTrackUrl(long);
    if (!expanded.ok || expanded.kind === 'short_link') return { kind: 'user' };
    url = expanded.url;
  }
  const resource = await soundcloud.resolve(url, signal);
  if (resource.kind === 'not_found' || resource.kind === 'user') return { kind: resource.kind };
  const { track } = resource;
  const { urn, title, genre, tags } = track;
  return { kind: resource.kind, track: { url, urn, title, artist_name: track.artist.name, genre, tags } };
}
