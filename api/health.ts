/** Is the process alive, can it do its work, and how busy is it: for load balancers, operators and Prometheus. */
import type { RequestHandler } from 'express';
import { Router } from 'express';
import { sql } from 'kysely';
import type { AppDeps } from './deps.js';
import type { Metrics } from './metrics.js';

export interface Check {
  ok: boolean;
  /** What to do when it is not. */
  detail?: string;
}

const CHECK_TIMEOUT_MS = 2_000;
/** A worker asks for work at least once a minute. */
const WORKER_SEEN_MS = 90_000;

export async function checkDatabase(deps: Pick<AppDeps, 'database'>): Promise<Check> {
  return attempt('The database does not answer.', () => sql`select 1`.execute(deps.database));
}

export async function checkTemporal(deps: Pick<AppDeps, 'temporal'>): Promise<Check> {
  const { temporal } = deps;
  return attempt('Temporal does not answer.', () =>
    temporal.withDeadline(Date.now() + CHECK_TIMEOUT_MS, () =>
      temporal.workflowService.describeNamespace({ namespace: temporal.options.namespace }),
    ),
  );
}

/** Whether a worker asked for workflow tasks lately. */
export async function checkWorker(deps: Pick<AppDeps, 'temporal' | 'taskQueue'>): Promise<Check> {
  const { temporal, taskQueue } = deps;
  return attempt('Temporal does not answer.', async () => {
    const { pollers } = await temporal.withDeadline(Date.now() + CHECK_TIMEOUT_MS, () =>
      temporal.workflowService.describeTaskQueue({
        namespace: temporal.options.namespace,
        taskQueue: { name: taskQueue },
        taskQueueType: 1,
      }),
    );
    const newest = Math.max(0, ...pollers.map((one) => Number(one.lastAccessTime?.seconds ?? 0) * 1_000));
    if (Date.now() - newest > WORKER_SEEN_MS) {
      return {
        ok: false,
        detail: `No worker asks for work on the task queue ${taskQueue}. Start the worker.`,
      };
    }
    return { ok: true };
  });
}

async function attempt(detail: string, work: () => Promise<unknown>): Promise<Check> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Check>((resolve) => {
    timer = setTimeout(() => resolve({ ok: false, detail }), CHECK_TIMEOUT_MS + 500);
  });
  try {
    const result = await Promise.race([work(), late]);
    return isCheck(result) ? result : { ok: true };
  } catch {
    return { ok: false, detail };
  } finally {
    clearTimeout(timer);
  }
}

function isCheck(value: unknown): value is Check {
  return typeof value === 'object' && value !== null && 'ok' in value;
}

/** /healthz, /readyz, /metrics: without sign-in, and without anything about an org's people. */
export function healthRouter(deps: AppDeps, metrics: Metrics): Router {
  const router = Router();
  const healthz: RequestHandler = (_request, response) => {
    response.json({ status: 'ok' });
  };
  const readyz: RequestHandler = async (_request, response) => {
    const [database, temporal, worker] = await Promise.all([
      checkDatabase(deps),
      checkTemporal(deps),
      checkWorker(deps),
    ]);
    const ready = database.ok && temporal.ok && worker.ok && !deps.closing.aborted;
    response
      .status(ready ? 200 : 503)
      .set('Cache-Control', 'no-store')
      .json({ status: ready ? 'ready' : 'not_ready', checks: { database, temporal, worker } });
  };
  router.get('/healthz', healthz);
  router.get('/readyz', readyz);
  router.get('/metrics', async (_request, response) => {
    response.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  });
  return router;
}
