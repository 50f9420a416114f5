/** The API as an Express application: middleware in the order a request meets it. */
import express, { type Express } from 'express';
import type { AppDeps } from './deps.js';
import { docsRouter } from './docs-pages.js';
import { healthRouter } from './health.js';
import { createMetrics } from './metrics.js';
import { authenticate } from './middleware/authenticate.js';
import { jsonBody } from './middleware/body.js';
import { answerProblem, routeNotFound } from './middleware/errors.js';
import { createHttpLog } from './middleware/http-log.js';
import { limitCallers, limitFailedSignIns } from './middleware/rate-limit.js';
import { requestId } from './middleware/request-id.js';
import { securityHeaders } from './middleware/security.js';
import { plannerWebhookRouter } from './planner-webhook.js';
import { createRouter } from './router.js';
import { routes } from './routes.js';

export type { AppDeps } from './deps.js';

export function createApp(deps: AppDeps): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.enable('case sensitive routing');
  app.enable('strict routing');
  app.set('query parser', 'simple');
  // Whom nobody vouches for could otherwise name a new address with each guess.
  app.set('trust proxy', deps.trustedProxies);
  const metrics = createMetrics(deps.database);
  const failedSignIns = limitFailedSignIns(deps.rateLimits);

  app.use(requestId);
  app.use(createHttpLog(deps.log));
  app.use(metrics.observe);
  app.use(securityHeaders);
  app.use(healthRouter(deps, metrics));
  app.use(docsRouter());
  app.get('/', (_request, response) => response.redirect('/docs'));

  // Before sign-in and before anything parses the body.
  app.use(plannerWebhookRouter(deps));
  app.use('/v1', authenticate(deps.signIn), failedSignIns.check, limitCallers(deps.rateLimits), jsonBody);
  app.use('/v1', (_request, response, next) => {
    // Answers are a person's own; no cache between may keep them.
    response.set('Cache-Control', 'no-store');
    next();
  });
  app.use(createRouter(routes, deps));
  app.use(routeNotFound);
  app.use(failedSignIns.count);
  app.use(answerProblem);
  return app;
}
