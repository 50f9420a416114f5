/**
 * Turns what HTTP can answer into the few kinds of failure the callers know (providers/errors.ts).
 * Messages name the provider, the operation and the next step; never a URL, a header, or text the provider sent,
 * because those may hold secrets and e-mail addresses.
 */
import type { z } from 'zod';
import { ProviderError, type ProviderFailureKind } from '../errors.js';

export type ProviderName = ProviderError['provider'];

/** A complete HTTP answer. Header names are lower case; the body is text and within the size cap. */
export interface HttpAnswer {
  status: number;
  headers: Readonly<Record<string, string>>;
  text: string;
}

const NEXT_STEP: Record<ProviderFailureKind, string> = {
  rate_limited: 'Ask again after the wait it names.',
  unavailable:
    'Try again later; if it lasts, check the configured base URL and the status page of the provider.',
  outcome_unknown:
    'Look for the effect, or repeat with the same idempotency key, before anything is sent anew.',
  not_found: 'Check the identifier.',
  unauthorized: 'An operator must check the credentials, their scopes and the plan.',
  rejected: 'Sending the same again will not help; the request or this client must change.',
};

/** Builds the error of one failed operation. @param what completes "<provider>: <operation> …". */
export function providerFailure(
  provider: ProviderName,
  kind: ProviderFailureKind,
  operation: string,
  what: string,
  details: { status?: number; code?: string; retryAfterMs?: number } = {},
): ProviderError {
  return new ProviderError(provider, kind, `${provider}: ${operation} ${what}. ${NEXT_STEP[kind]}`, details);
}

/** The kind of failure an HTTP status of 300 or more stands for. */
export function kindOfStatus(status: number): ProviderFailureKind {
  if (status === 429) return 'rate_limited';
  // 408 and 425: the server says itself that it did not take the request up.
  if (status >= 500 || status === 408 || status === 425) return 'unavailable';
  // 402 is how providers say that the plan lacks a feature: an operator must act, as for 401 and 403.
  if (status === 401 || status === 402 || status === 403) return 'unauthorized';
  if (status === 404 || status === 410) return 'not_found';
  return 'rejected';
}

/** The error an answer stands for, with the wait it asks for. @param code the provider's own, stable error code. */
export function failureOfAnswer(
  provider: ProviderName,
  operation: string,
  answer: HttpAnswer,
  code?: string,
): ProviderError {
  const kind = kindOfStatus(answer.status);
  const wait = retryAfterMs(answer.headers);
  const named = code === undefined ? '' : ` (${code})`;
  return providerFailure(provider, kind, operation, `was answered with ${answer.status}${named}`, {
    status: answer.status,
    ...(code === undefined ? {} : { code }),
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
  });
}

/** @throws ProviderError unless the status is 2xx. */
export function requireSuccess(provider: ProviderName, operation: string, answer: HttpAnswer): HttpAnswer {
  if (answer.status >= 200 && answer.status < 300) return answer;
  throw failureOfAnswer(provider, operation, answer);
}

/**
 * Reads a JSON body against a schema. Unknown fields are the schema's business (zod objects drop them).
 * @throws ProviderError `rejected`, naming the fields that do not fit but none of their values.
 */
export function readJson<S extends z.ZodType>(
  provider: ProviderName,
  operation: string,
  answer: HttpAnswer,
  schema: S,
): z.output<S> {
  let body: unknown;
  try {
    body = JSON.parse(answer.text);
  } catch {
    throw providerFailure(provider, 'rejected', operation, 'was answered with a body that is not JSON', {
      status: answer.status,
    });
  }
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const fields = [...new Set(result.error.issues.map((issue) => issue.path.join('.') || 'body'))].slice(0, 5);
  throw providerFailure(
    provider,
    'rejected',
    operation,
    `was answered in an unknown form (fields: ${fields.join(', ')})`,
    { status: answer.status },
  );
}

/** Smallest number that can only be an epoch in seconds, not a number of seconds to wait. */
const EPOCH_SECONDS = 1_000_000_000;
const EPOCH_MILLISECONDS = 1_000_000_000_000;

/**
 * The wait (real ms, 0 or more) an answer asks for: Retry-After (seconds or HTTP date), else X-RateLimit-Reset or
 * RateLimit-Reset (seconds to wait, or an epoch). Undefined when it names none.
 */
export function retryAfterMs(headers: HttpAnswer['headers'], now = Date.now()): number | undefined {
  const retryAfter = headers['retry-after']?.trim();
  if (retryAfter) {
    if (/^\d+(\.\d+)?$/.test(retryAfter)) return Math.ceil(Number(retryAfter) * 1_000);
    const date = Date.parse(retryAfter);
    if (!Number.isNaN(date)) return Math.max(0, date - now);
  }
  const reset = (headers['x-ratelimit-reset'] ?? headers['ratelimit-reset'])?.trim();
  if (reset === undefined || !/^\d+(\.\d+)?$/.test(reset)) return undefined;
  const value = Number(reset);
  if (value >= EPOCH_MILLISECONDS) return Math.max(0, Math.ceil(value - now));
  if (value >= EPOCH_SECONDS) return Math.max(0, Math.ceil(value * 1_000 - now));
  return Math.ceil(value * 1_000);
}
