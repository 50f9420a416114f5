/** Expanding on.soundcloud.com links. No token is needed, and nothing beyond the short-link host is ever asked. */
import { failureOfAnswer, providerFailure } from '../http/failures.js';
import type { GuardedFetch } from '../http/guarded-fetch.js';
import { awaitRequestLeave, type TakeRequestLeave } from '../rate-limit.js';

const OPERATION = 'expand a short link';
const SHORT_LINK_HOST = 'on.soundcloud.com';
const SOUNDCLOUD_HOSTS = new Set(['soundcloud.com', 'www.soundcloud.com', 'm.soundcloud.com']);
/** A short link may point at another one; more than a few in a row is a loop. */
const MOST_HOPS = 4;

/**
 * @param url `https://on.soundcloud.com/<code>`; codes are case-sensitive.
 * @param base where short links are served (the sandbox stands in for on.soundcloud.com).
 * @returns the long soundcloud.com URL; null when the link is dead (unknown code, or it leads away from SoundCloud).
 * @throws ProviderError `rejected` for a URL that is no short link, `unavailable` for an answer that is neither a
 *   redirect nor a "not found"; RequestNotYetAllowed.
 */
export async function expandShortLink(
  fetch: GuardedFetch,
  takeLeave: TakeRequestLeave,
  base: string,
  url: string,
  signal: AbortSignal | undefined,
): Promise<string | null> {
  let code: string | null = shortCode(url);
  if (code === null) {
    throw providerFailure(
      'soundcloud',
      'rejected',
      OPERATION,
      `was asked for a URL that is not on ${SHORT_LINK_HOST}`,
    );
  }
  for (let hop = 0; hop < MOST_HOPS; hop += 1) {
    await awaitRequestLeave(takeLeave, signal);
    const answer = await fetch({
      operation: OPERATION,
      url: `${base.replace(/\/+$/, '')}/${encodeURIComponent(code)}`,
      redirect: 'return',
      signal,
    });
    if (answer.status === 404 || answer.status === 410) return null;
    const location = answer.headers.location;
    if (answer.status < 300 || answer.status >= 400 || location === undefined) {
      if (answer.status === 429 || answer.status >= 500)
        throw failureOfAnswer('soundcloud', OPERATION, answer);
      throw providerFailure(
        'soundcloud',
        'unavailable',
        OPERATION,
        `was answered with ${answer.status}, no redirect`,
        {
          status: answer.status,
        },
      );
    }
    const target = parse(location, `https://${SHORT_LINK_HOST}`);
    if (target === null) return null;
    code = shortCode(target.href);
    if (code === null)
      return SOUNDCLOUD_HOSTS.has(target.hostname) && target.pathname !== '/' ? target.href : null;
  }
  return null;
}

function shortCode(url: string): string | null {
  const parsed = parse(url);
  if (parsed === null || parsed.hostname !== SHORT_LINK_HOST) return null;
  return /^\/([A-Za-z0-9_-]+)\/?$/.exec(parsed.pathname)?.[1] ?? null;
}

function parse(url: string, base?: string): URL | null {
  return URL.canParse(url, base) ? new URL(url, base) : null;
}
