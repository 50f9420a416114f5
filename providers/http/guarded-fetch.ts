/**
 * The one way a provider client sends HTTP. It bounds every phase in time and every answer in size, follows no
 * redirect, and says after a failure whether the request had been sent: a request that never left is `unavailable`,
 * one that left and got no whole answer is `outcome_unknown` (the provider may have acted on it).
 */
import { Agent, type Dispatcher, errors, request as send } from 'undici';
import { ProviderError } from '../errors.js';
import { type HttpAnswer, type ProviderName, providerFailure } from './failures.js';

export interface GuardedRequest {
  /** What is being done, in words for a message: "resolve a URL". Holds no data of people. */
  operation: string;
  url: string | URL;
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  headers?: Record<string, string>;
  body?: string;
  /** When it fires, the call rejects with the signal's reason: a cancellation is no failure of the provider. */
  signal?: AbortSignal | undefined;
  /** `refuse` (default): a 3xx is an error. `return`: the caller reads Location itself. Never followed here. */
  redirect?: 'refuse' | 'return';
}

/** Answers with whatever status the provider gave (see failures.ts for what it means). @throws ProviderError. */
export type GuardedFetch = (request: GuardedRequest) => Promise<HttpAnswer>;

/** Real milliseconds; never scaled with the business day. */
export interface PhaseTimeouts {
  connectMs: number;
  /** From sending to the headers of the answer. */
  headersMs: number;
  /** Longest silence within the body. */
  bodyMs: number;
  /** The whole request. */
  totalMs: number;
}

export interface GuardedFetchOptions {
  provider: ProviderName;
  timeouts?: Partial<PhaseTimeouts>;
  /** Largest body accepted, bytes (default 2 MiB). */
  maxAnswerBytes?: number;
  /** Replaces the connection pool (proxies, private certificates). Its own connect timeout applies. */
  dispatcher?: Dispatcher | undefined;
}

const DEFAULT_TIMEOUTS: PhaseTimeouts = {
  connectMs: 5_000,
  headersMs: 15_000,
  bodyMs: 15_000,
  totalMs: 20_000,
};
const DEFAULT_MAX_ANSWER_BYTES = 2 * 1_024 * 1_024;

/** All phases from one number: the whole request may take `totalMs`, connecting at most 5 s of it. */
export function timeoutsWithin(totalMs: number): PhaseTimeouts {
  return {
    connectMs: Math.min(DEFAULT_TIMEOUTS.connectMs, totalMs),
    headersMs: totalMs,
    bodyMs: totalMs,
    totalMs,
  };
}

/** A fetch of one provider, with its own connection pool. Idle connections do not keep the process alive. */
export function createGuardedFetch(options: GuardedFetchOptions): GuardedFetch {
  const { provider } = options;
  const timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts };
  const maxBytes = options.maxAnswerBytes ?? DEFAULT_MAX_ANSWER_BYTES;
  const pool = options.dispatcher ?? new Agent({ connect: { timeout: timeouts.connectMs } });

  return async (request) => {
    const progress = { sent: false };
    const deadline = startDeadline(timeouts.totalMs, request.signal);
    try {
      const answered = send(request.url, {
        method: request.method ?? 'GET',
        headers: request.headers ?? {},
        body: request.body ?? null,
        signal: deadline.signal,
        headersTimeout: timeouts.headersMs,
        bodyTimeout: timeouts.bodyMs,
        dispatcher: pool.compose(noteSending(progress)),
      });
      // undici heeds the signal only once it is connected, so the wait for a connection is ended here.
      const response = await Promise.race([answered, deadline.passed]);
      const headers = flatten(response.headers);
      const status = response.statusCode;
      if (status >= 300 && status < 400 && request.redirect !== 'return') {
        await response.body.dump();
        throw providerFailure(
          provider,
          'rejected',
          request.operation,
          `was answered with a redirect (${status})`,
          {
            status,
          },
        );
      }
      return { status, headers, text: await readBody(response.body, status, maxBytes) };
    } catch (error) {
      request.signal?.throwIfAborted();
      throw asProviderError(error, request.operation, progress.sent);
    } finally {
      deadline.clear();
    }
  };

  function asProviderError(error: unknown, operation: string, sent: boolean): ProviderError {
    if (error instanceof ProviderError) return error;
    const code = codeOf(error);
    if (error instanceof AnswerTooLarge) {
      return providerFailure(
        provider,
        'rejected',
        operation,
        `was answered with more than ${maxBytes} bytes`,
        { code },
      );
    }
    if (error instanceof errors.InvalidArgumentError || error instanceof TypeError) {
      return providerFailure(provider, 'rejected', operation, 'could not be put into an HTTP request', {
        code,
      });
    }
    if (!sent)
      return providerFailure(provider, 'unavailable', operation, `was not sent: no connection (${code})`, {
        code,
      });
    return providerFailure(
      provider,
      'outcome_unknown',
      operation,
      `was sent but got no whole answer (${code})`,
      { code },
    );
  }
}

class AnswerTooLarge extends Error {
  readonly code = 'answer_too_large';
}

/** Thrown into the request by our own timer; its code tells it from the phases' timeouts. */
class DeadlinePassed extends Error {
  readonly code = 'deadline_passed';
}

function startDeadline(totalMs: number, caller: AbortSignal | undefined) {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new DeadlinePassed()), totalMs);
  const onCallerAbort = () => controller.abort(caller?.reason);
  if (caller?.aborted) onCallerAbort();
  else caller?.addEventListener('abort', onCallerAbort, { once: true });
  const { signal } = controller;
  const passed = new Promise<never>((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  // It is raced only until the headers are there; later it has nobody left to tell.
  passed.catch(() => undefined);
  return {
    signal,
    /** Rejects when the deadline passes or the caller cancels. */
    passed,
    clear() {
      clearTimeout(timer);
      caller?.removeEventListener('abort', onCallerAbort);
    },
  };
}

/** undici calls `onRequestStart` when a connection exists and the request is about to be written to it. */
function noteSending(progress: { sent: boolean }): Dispatcher.DispatcherComposeInterceptor {
  return (dispatch) => (options, handler) =>
    dispatch(options, {
      onRequestStart(controller, context) {
        progress.sent = true;
        handler.onRequestStart?.(controller, context);
      },
      onRequestUpgrade: (...args) => handler.onRequestUpgrade?.(...args),
      onResponseStart: (...args) => handler.onResponseStart?.(...args),
      onResponseData: (...args) => handler.onResponseData?.(...args),
      onResponseEnd: (...args) => handler.onResponseEnd?.(...args),
      onResponseError: (...args) => handler.onResponseError?.(...args),
    });
}

async function readBody(
  body: Dispatcher.ResponseData['body'],
  status: number,
  maxBytes: number,
): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of body) {
      const bytes = Buffer.from(chunk);
      size += bytes.length;
      if (size > maxBytes) throw new AnswerTooLarge();
      chunks.push(bytes);
    }
  } catch (error) {
    // A refusal is known by its status alone; only the body of a success is needed.
    if (status >= 400) return '';
    throw error;
  }
  return Buffer.concat(chunks).toString('utf8');
}

function flatten(headers: Dispatcher.ResponseData['headers']): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
  }
  return flat;
}

function codeOf(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string')
    return error.code;
  return error instanceof Error ? error.name : 'unknown';
}
