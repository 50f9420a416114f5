/** The way of one request through a route: shape, scope, once-only, answer. */
import type { Request, RequestHandler, Response } from 'express';
import type { AppDeps } from './deps.js';
import { type OnceAnswer, once, readIdempotencyKey } from './idempotency.js';
import { callerOf } from './middleware/authenticate.js';
import { Problem } from './problems.js';
import type { Answer, InScope, Route } from './route.js';
import { id } from './schemas.js';
import { openScope } from './scope.js';

export function routeHandler(route: Route, deps: AppDeps): RequestHandler {
  const defaultStatus = Number(Object.keys(route.answers)[0] ?? 200);
  const complete = (answer: Answer<unknown>): OnceAnswer => ({
    status: answer.status ?? defaultStatus,
    body: answer.body,
    headers: answer.headers ?? {},
  });

  return async (request, response) => {
    const caller = callerOf(request);
    const wanted = { orgId: readOrgId(request), access: route.access, keyScope: route.scope };
    const inScope: InScope = (work) => openScope(deps.database, caller, wanted, work);
    const key = route.idempotent ? readIdempotencyKey(request) : undefined;
    const read = route.read(request);
    const base = { request, response, deps };

    if (key === undefined) {
      const answer =
        read.kind === 'scoped'
          ? await inScope((scope) => read.run(base, scope))
          : await read.run(base, inScope, '');
      if (answer !== 'sent') send(response, complete(answer));
      return;
    }
    const answer = await once({ request, key, inScope, log: deps.log }, async (store) => {
      if (read.kind === 'scoped') {
        return inScope(async (scope) => {
          const done = complete(await read.run(base, scope));
          await store(scope, done);
          return done;
        });
      }
      const result = await read.run(base, inScope, key);
      if (result === 'sent') throw new Error('A route that writes its own answer cannot be repeated.');
      const done = complete(result);
      await inScope((scope) => store(scope, done));
      return done;
    });
    send(response, answer);
  };
}

function readOrgId(request: Request): string | undefined {
  const header = request.get('x-org-id');
  if (header === undefined) return undefined;
  const parsed = id.safeParse(header.trim());
  if (parsed.success) return parsed.data;
  const detail = 'X-Org-Id must be the id of an org.';
  throw new Problem('invalid_request', { detail, errors: [{ in: 'header', pointer: 'X-Org-Id', detail }] });
}

function send(response: Response, answer: OnceAnswer): void {
  response.status(answer.status).set(answer.headers);
  if (answer.body === undefined) {
    response.end();
    return;
  }
  const type = answer.status >= 400 ? 'application/problem+json' : 'application/json';
  response.type(type).send(JSON.stringify(answer.body));
}
