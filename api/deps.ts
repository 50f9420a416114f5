/** What the API is built from; server.ts composes it, tests compose their own. */
import type { Client } from '@temporalio/client';
import type { Logger } from 'pino';
import type { TrustedProxies } from '../config/trusted-proxies.js';
import type { Db } from '../db/client.js';
import type { BusinessNow } from './clock.js';
import type { RateLimits } from './middleware/rate-limit.js';
import type { NotificationFeed } from './notification-feed.js';
import type { SignIn } from './sign-in.js';
import type { SoundCloudAccess } from './soundcloud.js';

export interface AppDeps {
  /** Connected as `spark_api`. */
  database: Db;
  /** Connects lazily: the API starts and creates things while Temporal is away. */
  temporal: Client;
  signIn: SignIn;
  /** For previews. */
  soundcloud: SoundCloudAccess;
  log: Logger;
  businessNow: BusinessNow;
  /** Task queue of the workflows. */
  taskQueue: string;
  /** Base address of the Temporal UI, for links to workflows. */
  temporalUiUrl: string;
  rateLimits: RateLimits;
  /** Proxies that are believed about the address a request came from. */
  trustedProxies: TrustedProxies;
  /** Origins an org's Slack webhook may have besides Slack's own. */
  extraSlackOrigins: readonly string[];
  /** `whsec_…`: signs Influence Planner's webhooks; without it none is taken. */
  plannerWebhookSecret: string | undefined;
  /** How long a command may wait for its worker before it is sent as a signal. */
  commandTimeoutMs: number;
  /** Tells of new notifications; the streams listen to it. */
  notifications: NotificationFeed;
  /** Aborted when the server begins to shut down: open streams end. */
  closing: AbortSignal;
}
