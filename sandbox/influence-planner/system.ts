/**
 * Stands in for Influence Planner's Partner API v1: the network's members, schedules that are carried out at their
 * business time in the stand-in of SoundCloud, and signed webhooks about them.
 */
import type { Express, NextFunction, Request, Response } from 'express';
import rateLimit from 'express-rate-limit';
import { z } from 'zod';
import { type BusinessClock, compression, DAY_MS, toBusiness } from '../../domain/calendar.js';
import { bentList } from '../bent-list.js';
import type { FaultBox } from '../faults.js';
import { userUrn } from '../soundcloud/resources.js';
import type { SoundCloudPeople } from '../soundcloud/system.js';
import {
  readAdminBody,
  type SandboxSystem,
  type SystemOptions,
  startSystem,
  TRANSPORT_FAULTS,
} from '../system.js';
import {
  type MemberInput,
  MemberStore,
  type MemberView,
  memberInput,
  memberQuery,
  statusChange,
} from './members.js';
import { type DueAction, type Schedule, ScheduleStore, scheduleInput } from './schedules.js';
import { WebhookSender } from './webhooks.js';

export interface InfluencePlannerSandboxOptions extends SystemOptions {
  username: string;
  apiKey: string;
  /** `whsec_…`: signs the webhooks. */
  webhookSecret: string;
  /** Where webhooks go (default: nowhere, until an admin call says so). */
  webhookUrl?: string | undefined;
  clock: BusinessClock;
  /** Who acts at SoundCloud when a schedule's time has come. */
  people: SoundCloudPeople;
  /** Put in at the start, where not yet known. */
  members?: readonly MemberInput[] | undefined;
  /** Requests per window before 429, in real time; raised with the compression of the day (default 30 per minute). */
  limit?: { requests: number; windowMs: number } | undefined;
  /** Real epoch ms (default: the system's clock). Does not move the rate window. */
  now?: (() => number) | undefined;
}

const VENDOR_LIMIT = { requests: 30, windowMs: 60_000 };
/** How often it looks whether something is due, real ms. What is done bears the time it was due. */
const LOOK_EVERY_MS = 100;
const oneOrMany = <S extends z.ZodType>(schema: S) =>
  z.union([z.array(schema), schema.transform((one) => [one])]);

interface Parts {
  members: MemberStore;
  schedules: ScheduleStore;
  people: SoundCloudPeople;
  businessNow: () => number;
}

export async function startInfluencePlannerSandbox(
  options: InfluencePlannerSandboxOptions,
): Promise<SandboxSystem> {
  const realNow = options.now ?? Date.now;
  const businessNow = () => toBusiness(options.clock, realNow());
  const members = new MemberStore(options.dataDir);
  const schedules = new ScheduleStore(options.dataDir);
  const parts: Parts = { members, schedules, people: options.people, businessNow };
  let webhooks: WebhookSender | undefined;
  for (const member of options.members ?? [])
    if (!members.has(member.handle)) members.put(named(member, options.people), businessNow());

  const system = await startSystem(options, {
    faultKinds: [...TRANSPORT_FAULTS, 'empty', 'stale', 'duplicate', 'missing', 'webhook'],
    admin: (app) => adminRoutes(app, parts, () => webhooks),
    routes: (app, faults) => {
      webhooks = new WebhookSender({
        dataDir: options.dataDir,
        faults,
        secret: options.webhookSecret,
        url: options.webhookUrl ?? null,
        now: businessNow,
      });
      app.get('/calendar/:id', faults.pauseFirst, (req, res) => {
        const schedule = schedules.find(String(req.params.id));
        if (schedule) res.json(schedule);
        else res.status(404).json({ message: 'There is no such schedule.' });
      });
      app.use('/partner/v1', requireKey(options), limitRequests(options));
      apiRoutes(app, faults, parts);
    },
    close: () => {
      members.close();
      schedules.close();
      webhooks?.close();
    },
  });
  const timer = setInterval(() => {
    for (const due of schedules.due(businessNow())) carryOut(due, parts, system.url, webhooks);
    void webhooks?.send();
  }, LOOK_EVERY_MS);
  timer.unref();
  return {
    ...system,
    stop: () => {
      // At once: SoundCloud's stand-in may be closing too.
      clearInterval(timer);
      return system.stop();
    },
  };
}

function apiRoutes(app: Express, faults: FaultBox, parts: Parts): void {
  const { members, schedules, people, businessNow } = parts;

  app.get('/partner/v1/network/members', faults.pauseFirst, (req, res) => {
    const query = memberQuery.safeParse(req.query);
    if (!query.success) return refuse(res, 400, z.prettifyError(query.error));
    const now = businessNow() - (faults.find(res, 'stale')?.days ?? 0) * DAY_MS;
    const { offset, limit } = query.data;
    const followersOf = (handle: string) => people.user(handle)?.followers ?? 0;
    const all = faults.find(res, 'empty') ? [] : members.list(query.data, now, followersOf);
    const results = bentList(all.slice(offset, offset + limit), ({ handle }) => userUrn(handle), faults, res);
    res.json({
      results: results.map((view) => memberAnswer(view, followersOf(view.handle))),
      first: offset === 0,
      last: offset + limit >= all.length,
      totalPages: Math.ceil(all.length / limit),
      totalElements: all.length,
      size: limit,
    });
  });

  app.post('/partner/v1/schedule/create', faults.pauseFirst, (req, res) => {
    const input = scheduleInput.safeParse(req.body);
    if (!input.success) return refuse(res, 400, z.prettifyError(input.error));
    const stranger = input.data.targets.find((userId) => !members.byUserId(userId, businessNow()));
    if (stranger !== undefined) return refuse(res, 400, 'A target is not a member of the network.');
    const created = schedules.create(input.data, businessNow());
    const base = `http://${req.headers.host}`;
    res.status(201).json({
      message: 'Schedule created.',
      status: 'CREATED',
      data: created.map((schedule) => calendarUrl(base, schedule)),
    });
  });
}

function adminRoutes(app: Express, parts: Parts, webhooks: () => WebhookSender | undefined): void {
  const { members, schedules, people, businessNow } = parts;
  app.post('/_admin/members', (req, res) => {
    const input = readAdminBody(oneOrMany(memberInput), req, res);
    if (!input) return;
    const rows = input.map((member) => members.put(named(member, people), businessNow()));
    res.status(201).json({
      members: rows.map(({ handle, userId, membershipId }) => ({ handle, userId, membershipId })),
    });
  });
  app.patch('/_admin/members/:handle', (req, res) => {
    const change = readAdminBody(statusChange, req, res);
    if (!change) return;
    const found = members.setStatus(String(req.params.handle), change.status, businessNow());
    if (found) res.json({});
    else res.status(404).json({ message: `There is no member "${req.params.handle}".` });
  });
  app.get('/_admin/schedules', (_req, res) => {
    res.json({ schedules: schedules.list() });
  });
  app.get('/_admin/webhooks', (_req, res) => {
    res.json({ webhooks: webhooks()?.list() ?? [] });
  });
  app.put('/_admin/webhook', (req, res) => {
    const target = readAdminBody(z.object({ url: z.url().nullable() }), req, res);
    if (!target) return;
    webhooks()?.setUrl(target.url);
    res.json({});
  });
}

/** Does what a schedule says at the time it says, whenever the stand-in gets to it. */
function carryOut(due: DueAction, parts: Parts, base: string, webhooks: WebhookSender | undefined): void {
  const { schedule, action, index } = due;
  const member = parts.members.byUserId(action.userId, parts.businessNow());
  const error = actAs(member, due, parts.people);
  // First what is told, under a key of its own, then the note that it is done: killed in between, it is done again and
  // told once.
  if (action.kind === 'REPOST' || error === null) {
    const event = error !== null ? 'failed' : action.kind === 'REPOST' ? 'completed' : 'unreposted';
    webhooks?.queue(`${schedule.id}:${index}`, `schedule.${event}`, action.at, {
      schedule_id: schedule.id,
      calendar_url: calendarUrl(base, schedule),
      media_url: schedule.mediaUrl,
      user_id: action.userId,
      handle: member?.handle ?? null,
      status: event.toUpperCase(),
      proof_url: event === 'completed' ? `https://soundcloud.com/${member?.handle}/reposts` : null,
      error,
      executed_at: new Date(action.at).toISOString(),
    });
  }
  parts.schedules.end(due, error);
}

/** @returns null when it worked, else why not. */
function actAs(
  member: MemberView | undefined,
  { schedule, action }: DueAction,
  people: SoundCloudPeople,
): string | null {
  if (member?.status !== 'LINKED') return 'account_not_linked';
  if (action.kind === 'UNREPOST')
    return people.removeRepost(member.handle, schedule.mediaUrl, action.at) ? null : 'nothing_to_take_down';
  return people.repost(member.handle, schedule.mediaUrl, action.at) ? null : 'media_not_found';
}

function memberAnswer(view: MemberView, followers: number): Record<string, unknown> {
  return {
    membership_id: view.membershipId,
    status: view.status,
    user_id: view.userId,
    name: view.name,
    image_url: null,
    profile_url: `https://soundcloud.com/${view.handle}`,
    followers,
    created_at: new Date(view.createdAt).toISOString(),
    updated_at: new Date(view.updatedAt).toISOString(),
  };
}

/** A member without a name of its own bears the one of the profile. */
function named(member: MemberInput, people: SoundCloudPeople): z.output<typeof memberInput> {
  const parsed = memberInput.parse(member);
  return { ...parsed, name: parsed.name ?? people.user(parsed.handle)?.name };
}

function calendarUrl(base: string, schedule: Schedule): string {
  return `${base}/calendar/${schedule.id}`;
}

function requireKey({ username, apiKey }: InfluencePlannerSandboxOptions) {
  const expected = `Basic ${Buffer.from(`${username}:${apiKey}`).toString('base64')}`;
  return (req: Request, res: Response, next: NextFunction): void => {
    if (req.headers.authorization === expected) next();
    else refuse(res, 401, 'Username or API key is wrong.');
  };
}

function limitRequests(options: InfluencePlannerSandboxOptions) {
  const { requests, windowMs } = options.limit ?? VENDOR_LIMIT;
  return rateLimit({
    windowMs,
    limit: Math.floor(requests * compression(options.clock)),
    standardHeaders: false,
    // X-RateLimit-Limit, -Remaining and -Reset (epoch seconds).
    legacyHeaders: true,
    keyGenerator: () => 'key',
    handler: (_req, res) => {
      // The vendor names no Retry-After.
      res.removeHeader('Retry-After');
      refuse(res, 429, 'Too many requests.');
    },
  });
}

function refuse(res: Response, status: number, message: string): void {
  res.status(status).json({ status: 'ERROR', message });
}
