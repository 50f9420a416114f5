/**
 * Composition root of the worker: config → pools → providers → activities → workers, relay and schedules. Runs until
 * SIGTERM or SIGINT, then finishes what it has begun.
 */
import { readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { DefaultLogger, NativeConnection, Runtime, Worker, type WorkerOptions } from '@temporalio/worker';
import { createActivities } from './activities/index.js';
import { type Config, readConfig, required } from './config/config.js';
import { createLogger, type Logger } from './config/log.js';
import { createTemporalClient, dataConverter, type ProviderQueue } from './config/temporal.js';
import { WORKFLOW_BUNDLE } from './config/workflow-bundle.js';
import { createDatabase, type Db } from './db/client.js';
import { readClock } from './db/clock.js';
import { createProviderTokenStore } from './db/provider-tokens.js';
import { createTakeRequestLeave } from './db/rate-buckets.js';
import { compression } from './domain/calendar.js';
import { createOrgScheduler, noOrgSchedules } from './outbox/org-schedules.js';
import { patiently } from './outbox/patience.js';
import { startRelay } from './outbox/relay.js';
import { ensureSchedules } from './outbox/schedules.js';
import { ensureSearchAttributes } from './outbox/search-attributes.js';
import { createStarter } from './outbox/starter.js';
import { createResendClient } from './providers/email/resend-client.js';
import { createInfluencePlannerClient } from './providers/influence-planner/http-client.js';
import { bucketFor, PROVIDER_LIMITS, type ProviderLimit } from './providers/rate-limit.js';
import { createSlackClient } from './providers/slack/webhook-client.js';
import { createSoundCloudClient } from './providers/soundcloud/http-client.js';
import { automationsWithSchedule } from './workflows/scheduled-start/lifecycles.js';

/** Time for running activities to finish when the worker is told to stop. */
const SHUTDOWN_GRACE = '10 seconds';

export interface RunningWorker {
  /** Stops relay and workers, lets running activities finish, closes the pools. Stopping twice is stopping once. */
  stop(): Promise<void>;
  /** Settles when the worker has ended; rejects when it ended by itself with an error. */
  ended: Promise<void>;
}

/**
 * What Temporal must know before the first workflow: search attributes and schedules. Idempotent; waits for a server that
 * is slow. @throws ServiceError when Temporal refuses, or gives no answer for a minute
 */
export async function prepareTemporal(config: Config, log: Logger): Promise<void> {
  const { client, connection } = createTemporalClient(config);
  try {
    await patiently(client, log, 'search attributes', () =>
      ensureSearchAttributes(connection, config.TEMPORAL_NAMESPACE),
    );
    await patiently(client, log, 'the Schedule of the reconciler', () =>
      ensureSchedules(client, config.SPARK_TASK_QUEUE),
    );
  } finally {
    await connection.close();
  }
}

/** Starts workers and relay. @throws Error when the database is not migrated or Temporal is away. */
export async function startWorker(config: Config, log: Logger): Promise<RunningWorker> {
  const databaseUrl = required(config, 'SPARK_WORKER_DATABASE_URL');
  const db = createDatabase(databaseUrl, {
    max: 20,
    applicationName: 'artist-spark-worker',
    onIdleError: (error) => log.warn({ err: error }, 'an idle database connection broke'),
  });
  const { client, connection: clientConnection } = createTemporalClient(config);
  const connection = await NativeConnection.connect({ address: config.TEMPORAL_ADDRESS });
  const taskQueue = config.SPARK_TASK_QUEUE;
  const starter = createStarter(client, taskQueue);
  const schedules = config.SPARK_ORG_SCHEDULES === 'on';
  const scheduler = schedules ? createOrgScheduler(client, taskQueue, db, log) : noOrgSchedules;
  const activities = createActivities({
    db,
    ...(await createProviders(config, db)),
    mailFrom: config.MAIL_FROM,
    publicUrl: config.PUBLIC_URL ?? `http://${config.HOST}:${config.PORT}`,
    reconnectUrl: config.RECONNECT_URL,
    starter,
    scheduled: schedules ? automationsWithSchedule() : [],
  });

  const common = {
    connection,
    namespace: config.TEMPORAL_NAMESPACE,
    dataConverter: dataConverter(config),
    shutdownGraceTime: SHUTDOWN_GRACE,
  } satisfies Partial<WorkerOptions>;
  const workers = await Promise.all([
    Worker.create({
      ...common,
      taskQueue,
      ...(await workflowCode(config)),
      activities: activities.database,
      maxConcurrentActivityTaskExecutions: 40,
    }),
    // Activity-only queues, one per system outside, so that a slow one holds nobody else up.
    ...Object.entries({
      soundcloud: activities.soundcloud,
      email: activities.email,
      webhooks: activities.webhooks,
      'influence-planner': activities.influencePlanner,
    } satisfies Record<ProviderQueue, object>)
      // A worker without activities has nothing to poll for and ends at once.
      .filter(([, group]) => Object.keys(group).length > 0)
      .map(([name, group]) =>
        Worker.create({
          ...common,
          taskQueue: `${taskQueue}-${name}`,
          activities: group,
          maxConcurrentActivityTaskExecutions: 20,
        }),
      ),
  ]);
  await scheduler.ensureAll();
  const relay = startRelay({ db, databaseUrl, starter, scheduler, log });
  const running = workers.map((worker) => worker.run());
  const ended = Promise.all(running).then(() => {});
  let stopped: Promise<void> | undefined;
  const stop = async () => {
    await relay.stop();
    await scheduler.stop();
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
    await ended.catch(() => {});
    await connection.close();
    await clientConnection.close();
    await db.destroy();
  };

  return {
    ended,
    stop() {
      stopped ??= stop();
      return stopped;
    },
  };
}

/** Provider clients; their limits scale with the length of the business day and are never below the real ones. */
async function createProviders(config: Config, db: Db) {
  const faster = compression(await readClock(db));
  const leave = (key: string, limit: ProviderLimit) =>
    createTakeRequestLeave(db, { key, ...bucketFor(limit, faster) });
  const { SOUNDCLOUD_CLIENT_ID: clientId, SOUNDCLOUD_CLIENT_SECRET: clientSecret } = config;
  const tokenUrl = config.SOUNDCLOUD_TOKEN_URL;
  return {
    soundcloud: createSoundCloudClient({
      apiUrl: config.SOUNDCLOUD_API_URL,
      tokenUrl,
      shortLinkUrl: config.SOUNDCLOUD_SHORT_LINK_URL,
      clientId,
      clientSecret,
      takeLeave: leave('soundcloud', PROVIDER_LIMITS.soundcloud),
      takeTokenLeave: leave('soundcloud-token', PROVIDER_LIMITS.soundcloudToken),
      ...(clientId &&
        clientSecret && {
          tokenStore: createProviderTokenStore(db, {
            provider: 'soundcloud',
            tokenUrl,
            clientId,
            clientSecret,
          }),
        }),
    }),
    email: createResendClient({
      baseUrl: config.RESEND_BASE_URL,
      apiKey: config.RESEND_API_KEY,
      takeLeave: leave('resend', { requests: config.RESEND_REQUESTS_PER_SECOND, windowSeconds: 1 }),
    }),
    influencePlanner: createInfluencePlannerClient({
      baseUrl: config.INFLUENCE_PLANNER_BASE_URL,
      username: config.INFLUENCE_PLANNER_USERNAME,
      apiKey: config.INFLUENCE_PLANNER_API_KEY,
      takeLeave: leave('influence-planner', {
        requests: config.INFLUENCE_PLANNER_REQUESTS_PER_MINUTE,
        windowSeconds: 60,
      }),
    }),
    slack: createSlackClient({
      extraOrigins: config.SLACK_WEBHOOK_ORIGIN === undefined ? [] : [config.SLACK_WEBHOOK_ORIGIN],
    }),
  };
}

/**
 * A bundle built beforehand where there is one (it saves seconds at each start), else built now from the sources. With a
 * payload key always the latter: one built beforehand writes what went wrong in a workflow as plain text.
 */
async function workflowCode(
  config: Config,
): Promise<Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath' | 'bundlerOptions'>> {
  const prebuilt = config.SPARK_WORKFLOW_BUNDLE;
  if (prebuilt !== undefined && config.SPARK_PAYLOAD_KEY === undefined)
    return { workflowBundle: { code: await readFile(prebuilt, 'utf8') } };
  const { workflowsPath, ...bundlerOptions } = WORKFLOW_BUNDLE;
  return { workflowsPath, bundlerOptions };
}

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const log = createLogger('worker', config.LOG_LEVEL);
  Runtime.install({
    logger: new DefaultLogger('WARN', (entry) => log.warn({ temporal: entry.meta }, entry.message)),
    shutdownSignals: [],
  });
  await prepareTemporal(config, log);
  const worker = await startWorker(config, log);
  log.info('worker ready');
  const stop = () => {
    log.info('worker stops');
    worker.stop().catch((error) => {
      log.error({ err: error }, 'the worker did not stop cleanly');
      process.exitCode = 1;
    });
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  await worker.ended;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  main().catch((error) => {
    createLogger('worker', 'info').fatal({ err: error }, 'the worker cannot run');
    process.exit(1);
  });
}
