/**
 * The app's access token. SoundCloud gives 50 tokens per 12 hours and app, so one is kept for its whole life, renewed
 * with its single-use refresh token where there is one, and never asked for twice at the same time.
 */
import { z } from 'zod';
import { ProviderError } from '../errors.js';
import { failureOfAnswer, readJson } from '../http/failures.js';
import type { GuardedFetch } from '../http/guarded-fetch.js';
import { RequestNotYetAllowed, type TakeRequestLeave } from '../rate-limit.js';

export interface StoredToken {
  accessToken: string;
  /** Single use. */
  refreshToken: string | null;
  /** Real epoch ms. */
  expiresAt: number;
}

/** Where several processes share one token. Holds a secret: a store must not log it and should encrypt it at rest. */
export interface SoundCloudTokenStore {
  read(): Promise<StoredToken | null>;
  /**
   * Runs `obtain` while no other process renews, with the token kept at that moment, and keeps the one it answers with.
   * When `obtain` throws, nothing changes.
   */
  renew(obtain: (kept: StoredToken | null) => Promise<StoredToken>): Promise<void>;
}

export interface TokenSource {
  /** A token believed to be good. @throws ProviderError, RequestNotYetAllowed. */
  current(signal?: AbortSignal): Promise<string>;
  /** A token other than the one that was refused. @throws ProviderError, RequestNotYetAllowed. */
  renew(refused: string, signal?: AbortSignal): Promise<string>;
}

export interface TokenSourceOptions {
  fetch: GuardedFetch;
  tokenUrl: string;
  clientId: string;
  clientSecret: string;
  store?: SoundCloudTokenStore | undefined;
  takeTokenLeave?: TakeRequestLeave | undefined;
}

/** A token this close to its end is not begun with. */
const EXPIRY_MARGIN_MS = 60_000;
const OPERATION = 'ask for an access token';

const tokenAnswer = z.object({
  access_token: z.string().min(1),
  refresh_token: z.string().min(1).nullish(),
  expires_in: z.number().positive(),
});

export function createTokenSource(options: TokenSourceOptions): TokenSource {
  const { fetch, tokenUrl, clientId, clientSecret, store, takeTokenLeave } = options;
  let held: StoredToken | null = null;
  let underWay: Promise<StoredToken> | null = null;

  const usable = (token: StoredToken | null, refused?: string): token is StoredToken =>
    token !== null && token.accessToken !== refused && token.expiresAt - EXPIRY_MARGIN_MS > Date.now();

  /** All callers share one flight; no caller's cancellation ends it for the others. */
  function obtain(refused: string | undefined, signal: AbortSignal | undefined): Promise<string> {
    if (usable(held, refused)) return Promise.resolve(held.accessToken);
    underWay ??= fly(refused).finally(() => {
      underWay = null;
    });
    return untilAborted(
      underWay.then((token) => token.accessToken),
      signal,
    );
  }

  async function fly(refused: string | undefined): Promise<StoredToken> {
    const kept = (await store?.read()) ?? null;
    held = usable(kept, refused) ? kept : store ? await renewIn(store, refused) : await request(held);
    return held;
  }

  /** Another process may have renewed it while this one waited for its turn. */
  async function renewIn(shared: SoundCloudTokenStore, refused: string | undefined): Promise<StoredToken> {
    const own = held;
    let obtained: StoredToken | null = null;
    try {
      await shared.renew(async (kept) => {
        obtained = usable(kept, refused) ? kept : await request(kept ?? own);
        return obtained;
      });
    } catch (error) {
      // Asked for and not kept: it still serves this process, and asking once more would use up another.
      if (obtained === null) throw error;
    }
    if (obtained === null) throw new Error('The token store renewed nothing.');
    return obtained;
  }

  async function request(previous: StoredToken | null): Promise<StoredToken> {
    if (previous?.refreshToken) {
      const refreshed = await refresh(previous.refreshToken);
      if (refreshed) return refreshed;
    }
    const answer = await post(
      { grant_type: 'client_credentials' },
      { authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}` },
    );
    return readToken(answer);
  }

  /** Null when the refresh token is used up or revoked; the client's own credentials then serve. */
  async function refresh(refreshToken: string): Promise<StoredToken | null> {
    const answer = await post({
      grant_type: 'refresh_token',
      refresh_token: refreshToken,
      client_id: clientId,
      client_secret: clientSecret,
    });
    return answer.status === 400 || answer.status === 401 ? null : readToken(answer);
  }

  async function post(form: Record<string, string>, headers: Record<string, string> = {}) {
    const leave = await takeTokenLeave?.();
    if (leave && !leave.allowed) throw new RequestNotYetAllowed(leave.notBefore);
    return fetch({
      operation: OPERATION,
      url: tokenUrl,
      method: 'POST',
      headers: {
        ...headers,
        'content-type': 'application/x-www-form-urlencoded',
        accept: 'application/json',
      },
      body: new URLSearchParams(form).toString(),
    });
  }

  function readToken(answer: Awaited<ReturnType<GuardedFetch>>): StoredToken {
    if (answer.status === 400 || answer.status === 401 || answer.status === 403) {
      throw credentialsRefused('refuses the credentials', answer.status);
    }
    if (answer.status !== 200) throw failureOfAnswer('soundcloud', OPERATION, answer);
    const body = readJson('soundcloud', OPERATION, answer, tokenAnswer);
    return {
      accessToken: body.access_token,
      refreshToken: body.refresh_token ?? null,
      expiresAt: Date.now() + body.expires_in * 1_000,
    };
  }

  return {
    current: (signal) => obtain(undefined, signal),
    renew: (refused, signal) => obtain(refused, signal),
  };
}

/** The error of missing or wrong credentials; names the variables, never their values. */
export function credentialsRefused(what: string, status?: number): ProviderError {
  return new ProviderError(
    'soundcloud',
    'unauthorized',
    `SoundCloud ${what}. Set SOUNDCLOUD_CLIENT_ID and SOUNDCLOUD_CLIENT_SECRET to those of a registered app.`,
    status === undefined ? {} : { status },
  );
}

/** Rejects when the signal fires, without touching the promise others wait for as well. */
function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
