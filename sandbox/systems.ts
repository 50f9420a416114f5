/** All stand-ins of the outside world at once, and what a worker must be told to talk to them instead. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { type BusinessClock, businessClock, REAL_DAY_SECONDS } from '../domain/calendar.js';
import type { FaultRequest } from './faults.js';
import type { MemberInput } from './influence-planner/members.js';
import { startInfluencePlannerSandbox } from './influence-planner/system.js';
import { startMailbox } from './mailbox/system.js';
import { startSlackSandbox } from './slack/system.js';
import type { Catalogue } from './soundcloud/resources.js';
import { startSoundCloudSandbox } from './soundcloud/system.js';
import type { SandboxSystem } from './system.js';

export const SANDBOX_SYSTEMS = ['soundcloud', 'planner', 'mailbox', 'slack'] as const;
export type SandboxSystemName = (typeof SANDBOX_SYSTEMS)[number];

export interface SandboxOptions {
  /** Everything is kept below it; the same folder again means the same state again. */
  dataDir: string;
  /** Exact ports. Without one, the port of the last start is taken when it is free, else any free one. */
  ports?: Partial<Record<SandboxSystemName, number>> | undefined;
  /** The stack's clock (`soundcloud_clock`). Without it, one is made for the folder at its first start. */
  clock?: BusinessClock | undefined;
  /** Real seconds of a business day, when a clock must be made (default 86,400). */
  daySeconds?: number | undefined;
  /** Artists and tracks at SoundCloud, and the members of the network at Influence Planner. */
  catalogue?: (Catalogue & { members?: readonly MemberInput[] }) | undefined;
  /** Placed at the start, beside those kept from before. */
  faults?: Partial<Record<SandboxSystemName, readonly FaultRequest[]>> | undefined;
  /** Resend's rate limit before compression (default 5 in 1,000 ms). */
  mailLimit?: { requests: number; windowMs: number } | undefined;
  /** Influence Planner's rate limit before compression (default 30 in 60,000 ms). */
  plannerLimit?: { requests: number; windowMs: number } | undefined;
  /** Where Influence Planner's webhooks go (default: nowhere, until an admin call says so). */
  plannerWebhookUrl?: string | undefined;
  /** Real epoch ms (default: the system's clock). */
  now?: (() => number) | undefined;
}

export interface SandboxUrls {
  soundcloud: string;
  soundcloudToken: string;
  soundcloudShortLinks: string;
  /** Influence Planner; its API is below /partner/v1. */
  planner: string;
  /** Resend's API. */
  mailbox: string;
  /** The page that shows the mails. */
  mailboxPage: string;
  slack: string;
  /** An incoming webhook for settings.slack_webhook. */
  slackWebhook: string;
}

export interface SandboxSystems {
  urls: SandboxUrls;
  ports: Record<SandboxSystemName, number>;
  /** Environment variables (config/config.ts) that point a worker at the stand-ins. */
  env: Record<string, string>;
  clock: BusinessClock;
  stop(): Promise<void>;
}

/** Keys of the stand-ins. They open nothing but a listener on the loopback interface. */
export const SANDBOX_KEYS = {
  soundcloudClientId: 'sandbox-app',
  soundcloudClientSecret: 'sandbox-app-secret',
  plannerUsername: 'sandbox-network',
  plannerApiKey: 'sandbox-planner-key',
  plannerWebhookSecret: `whsec_${Buffer.from('a secret of the sandbox, for nobody').toString('base64')}`,
  resendApiKey: 're_sandbox_key',
} as const;

/** Starts all stand-ins. @throws Error when an exact port is taken; what had started is stopped again. */
export async function startSandboxSystems(options: SandboxOptions): Promise<SandboxSystems> {
  mkdirSync(options.dataDir, { recursive: true });
  const clock = clockOf(options);
  const wished = readPorts(options.dataDir);
  const common = (name: SandboxSystemName) => ({
    dataDir: join(options.dataDir, name),
    port: options.ports?.[name],
    wishedPort: wished[name],
    faults: options.faults?.[name],
    clock,
    now: options.now,
  });
  const started: SandboxSystem[] = [];
  const keep = <S extends SandboxSystem>(system: S): S => {
    started.push(system);
    return system;
  };
  const stop = async () => {
    await Promise.all(started.map((system) => system.stop()));
  };
  try {
    const soundcloud = keep(
      await startSoundCloudSandbox({
        ...common('soundcloud'),
        clientId: SANDBOX_KEYS.soundcloudClientId,
        clientSecret: SANDBOX_KEYS.soundcloudClientSecret,
        catalogue: options.catalogue,
      }),
    );
    const planner = keep(
      await startInfluencePlannerSandbox({
        ...common('planner'),
        username: SANDBOX_KEYS.plannerUsername,
        apiKey: SANDBOX_KEYS.plannerApiKey,
        webhookSecret: SANDBOX_KEYS.plannerWebhookSecret,
        webhookUrl: options.plannerWebhookUrl,
        people: soundcloud.people,
        members: options.catalogue?.members,
        limit: options.plannerLimit,
      }),
    );
    const mailbox = keep(
      await startMailbox({
        ...common('mailbox'),
        apiKey: SANDBOX_KEYS.resendApiKey,
        limit: options.mailLimit,
      }),
    );
    const slack = keep(await startSlackSandbox(common('slack')));
    const ports = {
      soundcloud: soundcloud.port,
      planner: planner.port,
      mailbox: mailbox.port,
      slack: slack.port,
    };
    writeFileSync(join(options.dataDir, 'ports.json'), JSON.stringify(ports));
    const urls: SandboxUrls = {
      soundcloud: soundcloud.url,
      soundcloudToken: `${soundcloud.url}/oauth/token`,
      soundcloudShortLinks: `${soundcloud.url}/on`,
      planner: planner.url,
      mailbox: mailbox.url,
      mailboxPage: `${mailbox.url}/mailbox`,
      slack: slack.url,
      slackWebhook: `${slack.url}/services/T0/B0/sandbox`,
    };
    return { urls, ports, env: environment(urls), clock, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function environment(urls: SandboxUrls): Record<string, string> {
  return {
    SOUNDCLOUD_API_URL: urls.soundcloud,
    SOUNDCLOUD_TOKEN_URL: urls.soundcloudToken,
    SOUNDCLOUD_SHORT_LINK_URL: urls.soundcloudShortLinks,
    SOUNDCLOUD_CLIENT_ID: SANDBOX_KEYS.soundcloudClientId,
    SOUNDCLOUD_CLIENT_SECRET: SANDBOX_KEYS.soundcloudClientSecret,
    INFLUENCE_PLANNER_BASE_URL: `${urls.planner}/partner/v1/`,
    INFLUENCE_PLANNER_USERNAME: SANDBOX_KEYS.plannerUsername,
    INFLUENCE_PLANNER_API_KEY: SANDBOX_KEYS.plannerApiKey,
    INFLUENCE_PLANNER_WEBHOOK_SECRET: SANDBOX_KEYS.plannerWebhookSecret,
    RESEND_BASE_URL: urls.mailbox,
    RESEND_API_KEY: SANDBOX_KEYS.resendApiKey,
    SLACK_WEBHOOK_ORIGIN: urls.slack,
  };
}

const portsSchema = z.partialRecord(z.enum(SANDBOX_SYSTEMS), z.number().int().positive());
const clockSchema = z.object({ realStart: z.number(), businessStart: z.number(), daySeconds: z.number() });

function readPorts(dataDir: string): z.output<typeof portsSchema> {
  return portsSchema.catch({}).parse(readJson(join(dataDir, 'ports.json')));
}

/** The clock given, else the folder's own, else a new one that starts now and is kept. */
function clockOf(options: SandboxOptions): BusinessClock {
  const path = join(options.dataDir, 'clock.json');
  const kept = clockSchema.safeParse(readJson(path));
  if (options.clock) return businessClock(options.clock);
  if (kept.success) return businessClock(kept.data);
  const start = (options.now ?? Date.now)();
  const clock = businessClock({
    realStart: start,
    businessStart: start,
    daySeconds: options.daySeconds ?? REAL_DAY_SECONDS,
  });
  writeFileSync(path, JSON.stringify(clock));
  return clock;
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}
