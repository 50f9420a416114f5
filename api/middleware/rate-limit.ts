/**
 * Request budgets. Each caller has one of its own; failed sign-ins are counted per address, so that guessing keys
 * neither gets far nor burns the budget of the caller whose key is guessed.
 */
import type { ErrorRequestHandler, Request, RequestHandler } from 'express';
import { ipKeyGenerator, type RateLimitRequestHandler, rateLimit } from 'express-rate-limit';
import { callerKey } from '../caller.js';
import { Problem } from '../problems.js';
import { signedIn } from './authenticate.js';

export interface RateLimits {
  /** Requests a minute of one caller. */
  perCaller: number;
  /** Requests a minute from one address that may end in 401. */
  failedSignIns: number;
}

export const DEFAULT_RATE_LIMITS: RateLimits = { perCaller: 600, failedSignIns: 60 };

const WINDOW_MS = 60_000;

export function limitCallers(limits: RateLimits): RequestHandler {
  return rateLimit({
    windowMs: WINDOW_MS,
    limit: limits.perCaller,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    identifier: 'caller',
    keyGenerator: (request) => {
      const caller = signedIn(request);
      if (caller === undefined) return addressOf(request);
      // Not verified yet: with its secret in it, nobody can use up the budget of a key by its id alone.
      return caller.kind === 'key' ? `${callerKey(caller)}:${caller.secretHash}` : callerKey(caller);
    },
    handler: (_request, _response, next) => next(new Problem('rate_limited')),
  });
}

export interface FailedSignIns {
  /** Stands behind `authenticate`: turns keys away unread where too many sign-ins failed. */
  check: RequestHandler;
  /** Stands before the answer to errors: counts what ended in 401, and says 429 from the limit on. */
  count: ErrorRequestHandler;
}

/**
 * Only failures are counted, when they are known: requests under way, open streams, and calls that the caller broke
 * off must not use up the budget of everybody behind the same address. A verified person is let in all the same.
 */
export function limitFailedSignIns(limits: RateLimits): FailedSignIns {
  const failures: RateLimitRequestHandler = rateLimit({
    windowMs: WINDOW_MS,
    limit: limits.failedSignIns,
    standardHeaders: false,
    legacyHeaders: false,
    keyGenerator: addressOf,
    handler: async (request, _response, next) =>
      next(tooMany((await failures.getKey(addressOf(request)))?.resetTime)),
  });
  return {
    check: async (request, _response, next) => {
      if (signedIn(request)?.kind === 'key') {
        const seen = await failures.getKey(addressOf(request));
        if (seen !== undefined && seen.totalHits >= limits.failedSignIns) throw tooMany(seen.resetTime);
      }
      next();
    },
    count: (error: unknown, request, response, next) => {
      if (error instanceof Problem && error.status === 401) {
        void failures(request, response, (refusal?: unknown) => next(refusal ?? error));
      } else next(error);
    },
  };
}

function tooMany(resetTime: Date | undefined): Problem {
  const seconds = Math.max(1, Math.ceil(((resetTime?.getTime() ?? 0) - Date.now()) / 1_000));
  return new Problem('rate_limited', { headers: { 'Retry-After': String(seconds) } });
}

function addressOf(request: Request): string {
  return `address:${ipKeyGenerator(request.ip ?? '0.0.0.0')}`;
}
