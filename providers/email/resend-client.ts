/**
 * Mail through Resend. Their package shapes requests and names errors; the bytes go through our guarded fetch, because
 * the package itself has no timeout and reports every lost connection as the same `application_error`.
 */
import { type ErrorResponse, Resend, type Response as ResendResponse } from 'resend';
import type { Dispatcher } from 'undici';
import { z } from 'zod';
import { ProviderError, type ProviderFailureKind } from '../errors.js';
import { type HttpAnswer, kindOfStatus, providerFailure, readJson, retryAfterMs } from '../http/failures.js';
import {
  createGuardedFetch,
  type GuardedFetch,
  type GuardedRequest,
  timeoutsWithin,
} from '../http/guarded-fetch.js';
import { RequestNotYetAllowed, type TakeRequestLeave } from '../rate-limit.js';
import type { EmailPort, OutgoingMail } from './port.js';

export interface ResendClientOptions {
  /** `https://api.resend.com`, or the sandbox. */
  baseUrl: string;
  /** Without it every call throws `unauthorized`. */
  apiKey?: string | undefined;
  /** Taken before each request: 5 a second per team. */
  takeLeave: TakeRequestLeave;
  fetchDispatcher?: Dispatcher;
  /** Whole time of one HTTP request, real ms (default 15,000). */
  timeoutMs?: number;
}

type ErrorName = ErrorResponse['name'];

/**
 * What Resend's error names mean to us (their error reference; providers.md). A name that is not listed is judged by
 * its status. `rate_limit_exceeded` passes by itself; a used-up quota does not: an operator must change the plan.
 */
const KIND_OF_ERROR: Partial<Record<ErrorName, ProviderFailureKind>> = {
  rate_limit_exceeded: 'rate_limited',
  daily_quota_exceeded: 'unauthorized',
  monthly_quota_exceeded: 'unauthorized',
  missing_api_key: 'unauthorized',
  invalid_api_key: 'unauthorized',
  restricted_api_key: 'unauthorized',
  invalid_access: 'unauthorized',
  concurrent_idempotent_requests: 'unavailable',
  invalid_idempotent_request: 'rejected',
  invalid_idempotency_key: 'rejected',
};

const LONGEST_IDEMPOTENCY_KEY = 256;
const SEND = 'send a mail';
const PROBE = 'probe';

const errorAnswer = z.object({
  name: z
    .string()
    .regex(/^[a-z_]{1,60}$/)
    .transform((name) => name as ErrorName),
  message: z.string().default(''),
  statusCode: z.number().int().nullish(),
});

/** Builds the client. Nothing is sent before the first call. */
export function createResendClient(options: ResendClientOptions): EmailPort {
  const fetch = createGuardedFetch({
    provider: 'email',
    timeouts: timeoutsWithin(options.timeoutMs ?? 15_000),
    dispatcher: options.fetchDispatcher,
  });
  // A key with a line break or the like would be repeated in the runtime's own error about the header.
  const usableKey = options.apiKey && /^[\x21-\x7e]+$/.test(options.apiKey) ? options.apiKey : null;
  const resend = usableKey === null ? null : new GuardedResend(usableKey, options.baseUrl, fetch);

  async function ready(operation: string): Promise<GuardedResend> {
    if (!resend) {
      throw new ProviderError(
        'email',
        'unauthorized',
        `email: ${operation} needs an API key. Set RESEND_API_KEY to a key of Resend, without spaces or line breaks.`,
      );
    }
    const leave = await options.takeLeave();
    if (!leave.allowed) throw new RequestNotYetAllowed(leave.notBefore);
    return resend;
  }

  async function send(mail: OutgoingMail, signal?: AbortSignal): Promise<{ messageId: string }> {
    const { idempotencyKey, text, headers, tags, ...rest } = mail;
    if (idempotencyKey.length < 1 || idempotencyKey.length > LONGEST_IDEMPOTENCY_KEY) {
      throw providerFailure(
        'email',
        'rejected',
        SEND,
        `needs an idempotency key of 1 to ${LONGEST_IDEMPOTENCY_KEY} characters`,
      );
    }
    const client = await ready(SEND);
    const result = await client.emails.send(
      { ...rest, ...(text && { text }), ...(headers && { headers }), ...(tags && { tags }) },
      { idempotencyKey, ...(signal && { signal }) },
    );
    if (result.error) throw failureOf(SEND, result.error, result.headers);
    if (typeof result.data.id !== 'string' || result.data.id === '') {
      throw providerFailure('email', 'rejected', SEND, 'was answered without a message id');
    }
    return { messageId: result.data.id };
  }

  async function probe(): Promise<{ ok: boolean; detail: string }> {
    try {
      const result = await (await ready(PROBE)).domains.list();
      // A key that may only send cannot list domains, and is what we want.
      if (!result.error || result.error.name === 'restricted_api_key')
        return { ok: true, detail: 'Resend answers.' };
      const failure = failureOf(PROBE, result.error, result.headers);
      return { ok: failure.kind === 'rate_limited', detail: failure.message };
    } catch (error) {
      if (error instanceof RequestNotYetAllowed)
        return { ok: true, detail: 'Not asked: the request limit is used up.' };
      if (error instanceof ProviderError) return { ok: false, detail: error.message };
      return {
        ok: false,
        detail: `Resend could not be asked: ${error instanceof Error ? error.name : 'unknown'}.`,
      };
    }
  }

  return { send, probe };
}

/** The text Resend sends with an error may hold addresses, so only its name and status are passed on. */
function failureOf(
  operation: string,
  error: ErrorResponse,
  headers: Record<string, string> | null,
): ProviderError {
  const status = error.statusCode ?? undefined;
  const kind = KIND_OF_ERROR[error.name] ?? (status === undefined ? 'rejected' : kindOfStatus(status));
  const wait = retryAfterMs(headers ?? {});
  return providerFailure(
    'email',
    kind,
    operation,
    `was answered with ${status ?? 'an error'} (${error.name})`,
    {
      code: error.name,
      ...(status === undefined ? {} : { status }),
      ...(wait === undefined || kind === 'unauthorized' ? {} : { retryAfterMs: wait }),
    },
  );
}

/** The package's client with its one transport method replaced. */
class GuardedResend extends Resend {
  constructor(
    apiKey: string,
    private readonly apiUrl: string,
    private readonly guarded: GuardedFetch,
  ) {
    super(apiKey, { baseUrl: apiUrl });
  }

  override async fetchRequest<T>(
    path: string,
    options: Partial<RequestInit> = {},
  ): Promise<ResendResponse<T>> {
    const operation = path === '/emails' ? SEND : PROBE;
    const answer = await this.guarded({
      operation,
      url: `${this.apiUrl.replace(/\/+$/, '')}${path}`,
      method: (options.method ?? 'GET') as NonNullable<GuardedRequest['method']>,
      headers: Object.fromEntries(new Headers(options.headers).entries()),
      ...(typeof options.body === 'string' ? { body: options.body } : {}),
      signal: options.signal ?? undefined,
    });
    const headers = { ...answer.headers };
    if (answer.status >= 200 && answer.status < 300) {
      const data = readJson('email', operation, answer, z.record(z.string(), z.unknown()));
      return { data: data as T, error: null, headers };
    }
    return { data: null, error: readError(answer), headers };
  }
}

function readError(answer: HttpAnswer): ErrorResponse {
  let body: unknown = null;
  try {
    body = JSON.parse(answer.text);
  } catch {
    // A proxy's page instead of Resend's JSON: the status says enough.
  }
  const parsed = errorAnswer.safeParse(body);
  const name: ErrorName = parsed.success ? parsed.data.name : 'application_error';
  return { name, message: parsed.success ? parsed.data.message : '', statusCode: answer.status };
}
