/**
 * Composition root of the API: configuration → pools → application → listening. Stops in phases: no new connections,
 * streams end, requests in flight finish, then the pools close.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { type Config, readConfig, required } from '../config/config.js';
import { createLogger, type Logger } from '../config/log.js';
import { createTemporalClient } from '../config/temporal.js';
import { createDatabase } from '../db/client.js';
import { createApp } from './app.js';
import { createBusinessNow } from './clock.js';
import { DEFAULT_RATE_LIMITS, type RateLimits } from './middleware/rate-limit.js';
import { listenForNotifications } from './notification-feed.js';
import { createSignIn } from './sign-in.js';
import { createSoundCloudAccess } from './soundcloud.js';
import { LONGEST_RETRY_DELAY_MS, shortRetries } from './temporal-retries.js';

const POOL_SIZE = 20;
/** No statement of a request may take longer; it then answers 503. */
const STATEMENT_TIMEOUT_MS = 10_000;
/** A request that gets no connection by then is answered 503. */
const CONNECT_TIMEOUT_MS = 5_000;
/** How long a command waits for its worker before it is sent as a signal (api.md, "commands"). */
const COMMAND_TIMEOUT_MS = 5_000;
/** Requests in flight get this long to finish; a command may take twice its limit. */
const GRACE_MS = 12_000;

export interface RunningApi {
  /** `http://host:port` it listens on. */
  url: string;
  stop(): Promise<void>;
}

/** What tests set otherwise than production. */
export interface ApiOptions {
  rateLimits?: RateLimits;
  commandTimeoutMs?: number;
}

/** @throws Error when configuration is missing or the port is taken. The database and Temporal may be away. */
export async function startApi(config: Config, log: Logger, options: ApiOptions = {}): Promise<RunningApi> {
  const databaseUrl = required(config, 'SPARK_API_DATABASE_URL');
  if (config.JWT_SECRET === undefined && config.JWKS_URL === undefined) {
    throw new Error('Nobody could sign in: set JWT_SECRET (HS256) or JWKS_URL.');
  }
  const database = createDatabase(databaseUrl, {
    max: POOL_SIZE,
    applicationName: 'artist-spark-api',
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    onIdleError: (error) => log.warn({ err: error }, 'an idle database connection broke'),
  });
  const closing = new AbortController();
  const { client, connection } = createTemporalClient(config, { interceptors: shortRetries(closing.signal) });
  const notifications = listenForNotifications(databaseUrl, log);
  const app = createApp({
    database,
    temporal: client,
    signIn: createSignIn({ secret: config.JWT_SECRET, jwksUrl: config.JWKS_URL }),
    soundcloud: createSoundCloudAccess(config, database),
    log,
    businessNow: createBusinessNow(),
    taskQueue: config.SPARK_TASK_QUEUE,
    temporalUiUrl: config.TEMPORAL_UI_URL,
    rateLimits: options.rateLimits ?? DEFAULT_RATE_LIMITS,
    trustedProxies: config.TRUSTED_PROXIES,
    extraSlackOrigins:
      config.SLACK_WEBHOOK_ORIGIN === undefined ? [] : [new URL(config.SLACK_WEBHOOK_ORIGIN).origin],
    plannerWebhookSecret: config.INFLUENCE_PLANNER_WEBHOOK_SECRET,
    commandTimeoutMs: options.commandTimeoutMs ?? COMMAND_TIMEOUT_MS,
    notifications,
    closing: closing.signal,
  });
  const server = createServer(app);
  const closePools = async () => {
    await notifications.close();
    await connection.close();
    await database.destroy();
  };
  try {
    await listen(server, config.PORT, config.HOST);
  } catch (error) {
    await closePools();
    throw error;
  }
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${config.HOST.includes(':') ? `[${config.HOST}]` : config.HOST}:${port}`,
    async stop() {
      closing.abort();
      const drained = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const force = setTimeout(() => server.closeAllConnections(), GRACE_MS);
      await drained;
      clearTimeout(force);
      await pause(LONGEST_RETRY_DELAY_MS);
      await closePools();
    },
  };
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const log = createLogger('api', config.LOG_LEVEL);
  const api = await startApi(config, log);
  log.info({ url: api.url }, 'api ready');
  const stop = () => {
    log.info('api stops');
    api.stop().then(
      () => log.info('api stopped'),
      (error: unknown) => {
        log.error({ err: error }, 'the api did not stop cleanly');
        process.exitCode = 1;
      },
    );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  main().catch((error: unknown) => {
    createLogger('api', 'info').fatal({ err: error }, 'the api cannot run');
    process.exit(1);
  });
}
