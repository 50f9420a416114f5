/** All configuration comes from the environment and is checked once, here. */
import { z } from 'zod';
import { trustedProxies } from './trusted-proxies.js';

const url = z.url();

const configSchema = z.object({
  /** Owner connection: migrations, org creation, doctor. */
  DATABASE_URL: url.optional(),
  /** Login of the API (`spark_api`), never the owner. */
  SPARK_API_DATABASE_URL: url.optional(),
  /** Login of the worker (`spark_worker`), never the owner. */
  SPARK_WORKER_DATABASE_URL: url.optional(),
  TEMPORAL_ADDRESS: z.string().default('127.0.0.1:7233'),
  TEMPORAL_NAMESPACE: z.string().default('default'),
  TEMPORAL_UI_URL: url.default('http://127.0.0.1:8233'),
  /** Prefix of all task queues; changed only by tests that share one Temporal server. */
  SPARK_TASK_QUEUE: z.string().default('artist-spark'),
  /** Whether this installation keeps Temporal Schedules for its orgs; tests start what they need themselves. */
  SPARK_ORG_SCHEDULES: z.enum(['on', 'off']).default('on'),
  /** Workflow code bundled beforehand; saves seconds at each start of the worker. */
  SPARK_WORKFLOW_BUNDLE: z.string().optional(),
  /** 32 bytes, base64. When set, payloads are encrypted with AES-256-GCM before they reach Temporal. */
  SPARK_PAYLOAD_KEY: z.string().optional(),
  HOST: z.string().default('127.0.0.1'),
  PORT: z.coerce.number().int().min(0).max(65_535).default(8080),
  PUBLIC_URL: url.optional(),
  /** Proxies in front of the API whose X-Forwarded-For is believed: how many, or their networks. */
  TRUSTED_PROXIES: trustedProxies.default(0),
  /** HS256 secret of Supabase, or of `spark keys login`. */
  JWT_SECRET: z.string().min(32, 'must have at least 32 characters').optional(),
  JWKS_URL: url.optional(),
  SOUNDCLOUD_API_URL: url.default('https://api.soundcloud.com'),
  SOUNDCLOUD_TOKEN_URL: url.default('https://secure.soundcloud.com/oauth/token'),
  SOUNDCLOUD_CLIENT_ID: z.string().optional(),
  SOUNDCLOUD_CLIENT_SECRET: z.string().optional(),
  /** Base for short links, so that the sandbox can stand in for on.soundcloud.com. */
  SOUNDCLOUD_SHORT_LINK_URL: url.default('https://on.soundcloud.com'),
  RESEND_BASE_URL: url.default('https://api.resend.com'),
  RESEND_API_KEY: z.string().optional(),
  RESEND_REQUESTS_PER_SECOND: z.coerce.number().positive().default(5),
  MAIL_FROM: z.string().default('Artist Spark <ops@artist-spark.invalid>'),
  INFLUENCE_PLANNER_BASE_URL: url.default('https://api.influenceplanner.com/partner/v1/'),
  /** Given by the vendor on request. Without both, schedules become tasks for the supporters. */
  INFLUENCE_PLANNER_USERNAME: z.string().optional(),
  INFLUENCE_PLANNER_API_KEY: z.string().optional(),
  /** The vendor allows 30 a minute and key. */
  INFLUENCE_PLANNER_REQUESTS_PER_MINUTE: z.coerce.number().min(1).default(25),
  /** `whsec_…` (Standard Webhooks). With it, completion webhooks signed with it are accepted. */
  INFLUENCE_PLANNER_WEBHOOK_SECRET: z
    .string()
    .regex(/^whsec_[A-Za-z0-9+/]{32,}={0,2}$/, 'must be whsec_ and at least 24 bytes in base64')
    .optional(),
  /** Where members reconnect an account; stands in the mail that asks them to. */
  RECONNECT_URL: url.default('https://influenceplanner.com'),
  /** A further origin, beside Slack's own, that an org's slack_webhook may have (the sandbox, a compatible server). */
  SLACK_WEBHOOK_ORIGIN: url.optional(),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
});

export type Config = z.infer<typeof configSchema>;

/**
 * Reads the configuration.
 * @throws Error naming every variable that is wrong and what it takes; values are never repeated (they may be secrets).
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const result = configSchema.safeParse(env);
  if (result.success) return result.data;
  const lines = result.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);
  throw new Error(
    `The configuration is not usable. Correct these environment variables:\n${lines.join('\n')}`,
  );
}

/** A value that a component cannot do without. @throws Error naming the variable. */
export function required<K extends keyof Config>(config: Config, key: K): NonNullable<Config[K]> {
  const value = config[key];
  if (value === undefined || value === null) {
    throw new Error(
      `${key} is not set. Set it in the environment, or use \`spark start\`, which sets everything.`,
    );
  }
  return value as NonNullable<Config[K]>;
}
