/** Mounts the routes, answers 405 with Allow for what a path does not take, and 404 for every other path. */
import { Router } from 'express';
import type { AppDeps } from './deps.js';
import { Problem } from './problems.js';
import type { Route } from './route.js';
import { routeHandler } from './run-route.js';

export function createRouter(routes: readonly Route[], deps: AppDeps): Router {
  const router = Router({ caseSensitive: true, strict: true });
  for (const [path, group] of groupByPath(routes)) {
    const mounted = expressPath(path);
    for (const route of group) router[route.method](mounted, routeHandler(route, deps));
    const allow = allowed(group);
    router.all(mounted, (request, response, next) => {
      if (request.method === 'OPTIONS') response.status(204).set('Allow', allow).end();
      else next(new Problem('method_not_allowed', { headers: { Allow: allow } }));
    });
  }
  return router;
}

/** `/v1/members/{member_id}` → `/v1/members/:member_id` */
export function expressPath(path: string): string {
  return path.replace(/\{(\w+)\}/gu, ':$1');
}

function allowed(group: readonly Route[]): string {
  const methods = group.map((route) => route.method.toUpperCase());
  return [...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'].join(', ');
}

function groupByPath(routes: readonly Route[]): Map<string, Route[]> {
  const groups = new Map<string, Route[]>();
  for (const route of routes) groups.set(route.path, [...(groups.get(route.path) ?? []), route]);
  return groups;
}
