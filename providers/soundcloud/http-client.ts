/** SoundCloud's public API over HTTP: read-only, by app credentials. Nothing here reposts, likes or follows. */
import type { Dispatcher } from 'undici';
import type { z } from 'zod';
import { ProviderError } from '../errors.js';
import {
  failureOfAnswer,
  type HttpAnswer,
  providerFailure,
  readJson,
  requireSuccess,
} from '../http/failures.js';
import { createGuardedFetch, timeoutsWithin } from '../http/guarded-fetch.js';
import { awaitRequestLeave, RequestNotYetAllowed, type TakeRequestLeave } from '../rate-limit.js';
import { resolvedAnswer, setAnswer, trackAnswer, trackListAnswer, userAnswer } from './answers.js';
import type { ResolvedResource, SoundCloudPort, SoundCloudTrack, SoundCloudUser } from './port.js';
import { expandShortLink } from './short-links.js';
import {
  createTokenSource,
  credentialsRefused,
  type SoundCloudTokenStore,
  type TokenSource,
} from './token.js';

export interface SoundCloudClientOptions {
  /** `https://api.soundcloud.com`, or the sandbox. */
  apiUrl: string;
  /** `https://secure.soundcloud.com/oauth/token` */
  tokenUrl: string;
  /** `https://on.soundcloud.com` */
  shortLinkUrl: string;
  /** Without both credentials the client is not `configured`; only short links then work. */
  clientId?: string | undefined;
  clientSecret?: string | undefined;
  /** Taken before each request but those for tokens. */
  takeLeave: TakeRequestLeave;
  /** Taken before each request for a token (50 per 12 h and app). */
  takeTokenLeave?: TakeRequestLeave;
  /** Where several processes share one token; without it each process has its own. */
  tokenStore?: SoundCloudTokenStore;
  fetchDispatcher?: Dispatcher;
  /** Whole time of one HTTP request, real ms (default 15,000). */
  timeoutMs?: number;
}

/** Rows asked for in one request; the API's page size. */
const BATCH_SIZE = 50;
const SET_URN = 'soundcloud:playlists:';

/** Builds the client. Nothing is sent before the first call. */
export function createSoundCloudClient(options: SoundCloudClientOptions): SoundCloudPort {
  const fetch = createGuardedFetch({
    provider: 'soundcloud',
    timeouts: timeoutsWithin(options.timeoutMs ?? 15_000),
    dispatcher: options.fetchDispatcher,
  });
  const apiUrl = options.apiUrl.replace(/\/+$/, '');
  const tokens = tokenSource();

  function tokenSource(): TokenSource | null {
    const { clientId, clientSecret, tokenUrl, tokenStore, takeTokenLeave } = options;
    if (!clientId || !clientSecret) return null;
    return createTokenSource({ fetch, tokenUrl, clientId, clientSecret, store: tokenStore, takeTokenLeave });
  }

  /** One API request; a refused token is renewed once. */
  async function get(
    operation: string,
    url: string,
    signal: AbortSignal | undefined,
    redirect: 'refuse' | 'return' = 'refuse',
  ): Promise<HttpAnswer> {
    if (!tokens) throw credentialsRefused('has no credentials to be asked with');
    const ask = async (token: string) => {
      await awaitRequestLeave(options.takeLeave, signal);
      const headers = { authorization: `OAuth ${token}`, accept: 'application/json; charset=utf-8' };
      return fetch({ operation, url, headers, signal, redirect });
    };
    const token = await tokens.current(signal);
    const answer = await ask(token);
    if (answer.status !== 401) return answer;
    const second = await ask(await tokens.renew(token, signal));
    if (second.status === 401) throw credentialsRefused('refuses a fresh access token', 401);
    return second;
  }

  /** A resource, or null when it does not exist (any more). */
  async function getOne<S extends z.ZodType>(
    operation: string,
    path: string,
    schema: S,
    signal: AbortSignal | undefined,
  ): Promise<z.output<S> | null> {
    const answer = await get(operation, `${apiUrl}${path}`, signal);
    if (answer.status === 404 || answer.status === 410) return null;
    return readJson('soundcloud', operation, requireSuccess('soundcloud', operation, answer), schema);
  }

  const oneTrack = (urn: string, signal: AbortSignal | undefined): Promise<SoundCloudTrack | null> =>
    urn.startsWith(SET_URN)
      ? getOne('read a set', `/playlists/${encodeURIComponent(urn)}`, setAnswer, signal)
      : getOne('read a track', `/tracks/${encodeURIComponent(urn)}`, trackAnswer, signal);

  async function resolve(url: string, signal?: AbortSignal): Promise<ResolvedResource> {
    const operation = 'resolve a URL';
    const answer = await get(
      operation,
      `${apiUrl}/resolve?${new URLSearchParams({ url })}`,
      signal,
      'return',
    );
    if (answer.status === 404 || answer.status === 410) return { kind: 'not_found' };
    if (answer.status >= 200 && answer.status < 300)
      return readJson('soundcloud', operation, answer, resolvedAnswer);
    const location = answer.headers.location;
    if (answer.status < 300 || answer.status >= 400 || location === undefined) {
      throw failureOfAnswer('soundcloud', operation, answer);
    }
    const target = URL.canParse(location, apiUrl) ? new URL(location, apiUrl) : null;
    // The token goes to the API only, wherever a redirect points.
    if (target?.origin !== new URL(apiUrl).origin) {
      throw providerFailure(
        'soundcloud',
        'rejected',
        operation,
        'was answered with a redirect to another host',
      );
    }
    const resource = await get(operation, target.href, signal);
    if (resource.status === 404 || resource.status === 410) return { kind: 'not_found' };
    return readJson(
      'soundcloud',
      operation,
      requireSuccess('soundcloud', operation, resource),
      resolvedAnswer,
    );
  }

  async function tracks(
    urns: readonly string[],
    signal?: AbortSignal,
  ): Promise<Map<string, SoundCloudTrack>> {
    const operation = 'read tracks';
    const wanted = [...new Set(urns)];
    const found = new Map<string, SoundCloudTrack>();
    const inBatches = wanted.filter((urn) => !urn.startsWith(SET_URN));
    for (let start = 0; start < inBatches.length; start += BATCH_SIZE) {
      const batch = inBatches.slice(start, start + BATCH_SIZE);
      const query = new URLSearchParams({ urns: batch.join(','), limit: String(BATCH_SIZE) });
      const answer = await get(operation, `${apiUrl}/tracks?${query}`, signal);
      const rows = readJson(
        'soundcloud',
        operation,
        requireSuccess('soundcloud', operation, answer),
        trackListAnswer,
      );
      for (const row of rows) if (batch.includes(row.urn)) found.set(row.urn, row);
    }
    // A batch leaves rows out now and then; only an answer for the row itself says that it is gone.
    for (const urn of wanted) {
      if (found.has(urn)) continue;
      const row = await oneTrack(urn, signal);
      if (row) found.set(urn, row);
    }
    return found;
  }

  async function users(urns: readonly string[], signal?: AbortSignal): Promise<Map<string, SoundCloudUser>> {
    const found = new Map<string, SoundCloudUser>();
    for (const urn of new Set(urns)) {
      const row = await getOne('read a user', `/users/${encodeURIComponent(urn)}`, userAnswer, signal);
      if (row) found.set(urn, row);
    }
    return found;
  }

  async function probe(): Promise<{ ok: boolean; detail: string }> {
    if (!tokens) {
      return {
        ok: false,
        detail: 'Not configured: SOUNDCLOUD_CLIENT_ID and SOUNDCLOUD_CLIENT_SECRET are not set.',
      };
    }
    try {
      const query = new URLSearchParams({ urns: 'soundcloud:tracks:1', limit: '1' });
      requireSuccess('soundcloud', 'probe', await get('probe', `${apiUrl}/tracks?${query}`, undefined));
      return { ok: true, detail: 'SoundCloud answers.' };
    } catch (error) {
      if (error instanceof RequestNotYetAllowed)
        return { ok: true, detail: 'Not asked: the request limit is used up.' };
      if (error instanceof ProviderError) return { ok: error.kind === 'rate_limited', detail: error.message };
      return {
        ok: false,
        detail: `SoundCloud could not be asked: ${error instanceof Error ? error.name : 'unknown'}.`,
      };
    }
  }

  return {
    configured: tokens !== null,
    resolve,
    expandShortLink: (url, signal) =>
      expandShortLink(fetch, options.takeLeave, options.shortLinkUrl, url, signal),
    tracks,
    users,
    probe,
  };
}
