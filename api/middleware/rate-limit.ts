/**
 * Request budgets. Each caller has one of its own; failed sign-ins are counted per address, so that guessing keys
 * neither gets far nor burns the budget of the caller whose key is guessed.
 */
import type { Request, RequestHandler } from 'express';
import { ipKeyGenerator, rateLimit } from 'express-rate-limit';
import { callerKey } from '../caller.js';
import { Problem } from '../problems.js';
import { signedIn } from './authenticate.js';

export interface RateLimits {
  /** Requests a minute of one caller. */
  perCaller: number;
  /** Requests a minute from one address that end in 401. */
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

export function limitFailedSignIns(limits: RateLimits): RequestHandler {
  return rateLimit({
    windowMs: WINDOW_MS,
    limit: limits.failedSignIns,
    standardHeaders: false,
    legacyHeaders: false,
    keyGenerator: addressOf,
    skipSuccessfulRequests: true,
    requestWasSuccessful: (_request, response) => response.statusCode !== 401,
    handler: (_request, _response, next) => next(new Problem('rate_limited')),
  });
}

function addressOf(request: Request): string {
  return `address:${ipKeyGenerator(request.ip ?? '0.0.0.0')}`;
}
