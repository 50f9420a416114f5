/** Finds out who calls. What the caller may do is decided per route, in the request's transaction. */
import type { Request, RequestHandler } from 'express';
import type { Caller } from '../caller.js';
import { Problem } from '../problems.js';
import type { SignIn } from '../sign-in.js';

const callers = new WeakMap<Request, Caller>();

/** Verifies the Authorization header. @throws Problem 401, or 503 when the signing keys are out of reach */
export function authenticate(signIn: SignIn): RequestHandler {
  return async (request, _response, next) => {
    callers.set(request, await signIn(request.get('authorization')));
    next();
  };
}

export function signedIn(request: Request): Caller | undefined {
  return callers.get(request);
}

/** The caller of a request behind {@link authenticate}. */
export function callerOf(request: Request): Caller {
  const caller = callers.get(request);
  if (caller === undefined) throw new Problem('unauthenticated');
  return caller;
}
