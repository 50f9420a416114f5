/** Gives every request an id that is in its answer, in the log and in every problem document. */
import { randomUUID } from 'node:crypto';
import type { RequestHandler } from 'express';

const ACCEPTABLE = /^[A-Za-z0-9._-]{8,64}$/u;

/** Takes over the caller's X-Request-Id when it is harmless, so that one id follows a call through several systems. */
export const requestId: RequestHandler = (request, response, next) => {
  const given = request.get('x-request-id');
  request.id = given !== undefined && ACCEPTABLE.test(given) ? given : randomUUID();
  response.set('X-Request-Id', String(request.id));
  next();
};
