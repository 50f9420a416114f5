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
import {
  reposterPageAnswer,
  resolvedAnswer,
  setAnswer,
  setPageAnswer,
  trackAnswer,
  trackListAnswer,
  trackPageAnswer,
  userAnswer,
  userListAnswer,
} from './answers.js';
import { readPage } from './pages.js';
import type {
  ResolvedResource,
  SoundCloudPageRequest,
  SoundCloudPort,
  SoundCloudTrack,
  SoundCloudUser,
} from './port.js';
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
/** Most rows of a page of reposters or reposts. */
const MOST_ROWS = 200;
/** Without it the API leaves out tracks that are blocked where it is asked from. */
const ALL_ACCESS = 'playable,preview,blocked';
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

  /** Rows of one batch by URN; rows nobody asked for and repeated ones are dropped. */
  async function batch<T extends { urn: string }>(
    operation: string,
    path: '/tracks' | '/users',
    urns: readonly string[],
    schema: z.ZodType<T[]>,
    signal: AbortSignal | undefined,
  ): Promise<T[]> {
    const query = new URLSearchParams({ urns: urns.join(','), limit: String(BATCH_SIZE) });
    const answer = await get(operation, `${apiUrl}${path}?${query}`, signal);
    const rows = readJson('soundcloud', operation, requireSuccess('soundcloud', operation, answer), schema);
    return rows.filter((row) => urns.includes(row.urn));
  }

  async function tracks(
    urns: readonly string[],
    signal?: AbortSignal,
  ): Promise<Map<string, SoundCloudTrack>> {
    const wanted = [...new Set(urns)];
    const found = new Map<string, SoundCloudTrack>();
    for (const some of chunks(wanted.filter((urn) => !urn.startsWith(SET_URN)))) {
      for (const row of await batch('read tracks', '/tracks', some, trackListAnswer, signal))
        found.set(row.urn, row);
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
    const wanted = [...new Set(urns)];
    const found = new Map<string, SoundCloudUser>();
    for (const some of chunks(wanted)) {
      // A single one is read by its own address, which alone can say that it is gone.
      if (some.length === 1) continue;
      for (const row of await userBatch(some, signal)) found.set(row.urn, row);
    }
    for (const urn of wanted) {
      if (found.has(urn)) continue;
      const row = await getOne('read a user', `/users/${encodeURIComponent(urn)}`, userAnswer, signal);
      if (row) found.set(urn, row);
    }
    return found;
  }

  /** A batch of users; none where the API takes no batch of them: they are then read one by one. */
  async function userBatch(
    urns: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<SoundCloudUser[]> {
    try {
      return await batch('read users', '/users', urns, userListAnswer, signal);
    } catch (error) {
      const refused = error instanceof ProviderError && [400, 404, 405].includes(error.details.status ?? 0);
      if (refused) return [];
      throw error;
    }
  }

  /** One page of a list below `path`. Null when what the list belongs to does not exist. */
  async function page<T extends { urn: string }>(
    operation: string,
    path: string,
    query: Record<string, string>,
    request: SoundCloudPageRequest,
    schema: z.ZodType<{ collection: T[]; next_href?: string | null | undefined }>,
    signal: AbortSignal | undefined,
  ) {
    return readPage({
      operation,
      apiUrl,
      first: `${path}?${new URLSearchParams({ ...query, limit: String(request.limit ?? MOST_ROWS), linked_partitioning: 'true' })}`,
      cursor: request.cursor ?? null,
      get: (url) => get(operation, url, signal),
      schema,
    });
  }

  const reposters: SoundCloudPort['reposters'] = (urn, request = {}, signal) =>
    page(
      'list the reposters of a track',
      `/${urn.startsWith(SET_URN) ? 'playlists' : 'tracks'}/${encodeURIComponent(urn)}/reposters`,
      {},
      request,
      reposterPageAnswer,
      signal,
    );

  const userReposts: SoundCloudPort['userReposts'] = (urn, request = {}, signal) => {
    const operation = 'list the reposts of a user';
    const path = `/users/${encodeURIComponent(urn)}/reposts`;
    return request.kind === 'set'
      ? page(operation, `${path}/playlists`, {}, request, setPageAnswer, signal)
      : page(operation, `${path}/tracks`, { access: ALL_ACCESS }, request, trackPageAnswer, signal);
  };

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
    reposters,
    userReposts,
    probe,
  };
}

function chunks(urns: readonly string[]): string[][] {
  return Array.from({ length: Math.ceil(urns.length / BATCH_SIZE) }, (_, index) =>
    urns.slice(index * BATCH_SIZE, (index + 1) * BATCH_SIZE),
  );
}
