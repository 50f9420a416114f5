/**
 * Idempotency-Key: the same key with the same request gets the same answer, with another request 422, and 409 while
 * the first is being worked on (api.md, "creation"). Kept 24 h, per org and caller. An answer that refuses for good
 * (409, 422) is kept like a success; one that asks to try again (5xx, 429) frees the key.
 */
import { createHash } from 'node:crypto';
import type { Request } from 'express';
import type { Logger } from 'pino';
import { claimKey, completeKey, releaseKey } from '../db/idempotency.js';
import { toProblem } from './middleware/errors.js';
import { Problem, problemHeaders } from './problems.js';
import type { InScope } from './route.js';
import { asLogin, type Scope, scopeOwner } from './scope.js';

export const MAX_KEY_LENGTH = 255;

/** An answer that can be stored and sent again. */
export interface OnceAnswer {
  status: number;
  body: unknown;
  headers: Record<string, string>;
}

/** @throws Problem idempotency_key_required, also for a key no header may carry */
export function readIdempotencyKey(request: Request): string {
  const key = request.get('idempotency-key')?.trim() ?? '';
  if (key === '' || key.length > MAX_KEY_LENGTH || !/^[\x20-\x7e]+$/u.test(key)) {
    throw new Problem('idempotency_key_required');
  }
  return key;
}

interface Repeatable {
  request: Request;
  key: string;
  inScope: InScope;
  log: Logger;
}

/**
 * Runs `work` once per key. `work` calls `store` in the transaction that makes the change, so that the change and
 * the kept answer exist together or not at all.
 */
export async function once(
  { request, key, inScope, log }: Repeatable,
  work: (store: (scope: Scope, answer: OnceAnswer) => Promise<void>) => Promise<OnceAnswer>,
): Promise<OnceAnswer> {
  const method = request.method;
  const path = request.path;
  const hash = requestHash(method, request.originalUrl, request.body);
  const claim = await inScope((scope) =>
    asLogin(scope, (trx) => claimKey(trx, { ...scopeOwner(scope), key, method, path, requestHash: hash })),
  );
  switch (claim.outcome) {
    case 'replay':
      return replayed(claim.answer, String(request.id));
    case 'mismatch':
      throw new Problem('idempotency_mismatch');
    case 'in_flight':
      throw new Problem('idempotency_in_flight');
    case 'claimed':
      break;
  }
  const store = (scope: Scope, answer: OnceAnswer) =>
    asLogin(scope, (trx) => completeKey(trx, { ...scopeOwner(scope), key, answer }));
  try {
    return await work(store);
  } catch (error) {
    const problem = toProblem(error);
    const final = problem.status === 409 || problem.status === 422;
    const answer = {
      status: problem.status,
      body: problem.toDocument(String(request.id)),
      headers: problemHeaders(problem),
    };
    const settle = final
      ? inScope((scope) => store(scope, answer))
      : inScope((scope) => asLogin(scope, (trx) => releaseKey(trx, { ...scopeOwner(scope), key })));
    // Best effort: an unsettled key frees itself after its lock time.
    await settle.catch((failure: unknown) =>
      log.warn({ err: failure }, 'An idempotency key could not be settled.'),
    );
    throw problem;
  }
}

/** The kept answer; a problem document names the request it answers, which is this one. */
function replayed(answer: OnceAnswer, requestId: string): OnceAnswer {
  const { status, body } = answer;
  const isProblem = status >= 400 && typeof body === 'object' && body !== null;
  return {
    status,
    body: isProblem ? { ...body, request_id: requestId } : body,
    headers: { ...answer.headers, 'Idempotency-Replayed': 'true' },
  };
}

/** Equal for requests that mean the same: key order and white space of the body do not count. */
function requestHash(method: string, url: string, body: unknown): string {
  return createHash('sha256')
    .update(`${method}\n${url}\n${canonicalJson(body)}`)
    .digest('hex');
}

function canonicalJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? '';
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, child]) => `${JSON.stringify(key)}:${canonicalJson(child)}`).join(',')}}`;
}
