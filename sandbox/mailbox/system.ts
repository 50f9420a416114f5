/**
 * Stands in for Resend: takes mails by `POST /emails` with the same key, idempotency and rate rules, sends none, and
 * shows them at `/mailbox` (HTML for a browser, JSON for everybody else).
 */
import type { Express, NextFunction, Request, Response } from 'express';
import rateLimit from 'express-rate-limit';
import { z } from 'zod';
import { type BusinessClock, compression, toBusiness } from '../../domain/calendar.js';
import type { FaultBox } from '../faults.js';
import { type SandboxSystem, type SystemOptions, startSystem, TRANSPORT_FAULTS } from '../system.js';
import { hashOfBody, MailStore, mailInput } from './mails.js';
import { listPage, mailPage, PAGE_POLICY } from './pages.js';

export interface MailboxOptions extends SystemOptions {
  apiKey: string;
  clock: BusinessClock;
  /** Requests per window before 429, in real time; raised with the compression of the day (default 5 per 1,000 ms). */
  limit?: { requests: number; windowMs: number } | undefined;
  /** Real epoch ms (default: the system's clock). Does not move the rate window. */
  now?: (() => number) | undefined;
}

const RESEND_LIMIT = { requests: 5, windowMs: 1_000 };
const LONGEST_KEY = 256;

export async function startMailbox(options: MailboxOptions): Promise<SandboxSystem> {
  const mails = new MailStore(options.dataDir);
  return startSystem(options, {
    faultKinds: [...TRANSPORT_FAULTS, 'empty'],
    routes: (app, faults) => {
      mailboxRoutes(app, faults, mails);
      app.use(requireKey(options.apiKey), limitRequests(options));
      apiRoutes(app, faults, mails, options);
    },
    close: () => mails.close(),
  });
}

function apiRoutes(app: Express, faults: FaultBox, mails: MailStore, options: MailboxOptions): void {
  const now = options.now ?? Date.now;

  app.post('/emails', async (req, res) => {
    const key = req.get('Idempotency-Key') ?? null;
    if (key !== null && (key.length < 1 || key.length > LONGEST_KEY)) {
      refuse(res, 400, 'invalid_idempotency_key', 'The key must be between 1-256 chars.');
      return;
    }
    const input = mailInput.safeParse(req.body);
    if (!input.success) {
      const missing = input.error.issues.find((issue) => !(String(issue.path[0]) in Object(req.body)));
      if (missing) refuse(res, 422, 'missing_required_field', `Missing \`${missing.path.join('.')}\` field.`);
      else refuse(res, 422, 'validation_error', z.prettifyError(input.error));
      return;
    }
    if (input.data.html === undefined && input.data.text === undefined) {
      refuse(res, 422, 'missing_required_field', 'Missing `html` or `text` field.');
      return;
    }
    const bodyHash = hashOfBody(req.body);
    const claim = mails.reserve(key, bodyHash, now());
    if (claim.kind === 'other_body') {
      refuse(
        res,
        409,
        'invalid_idempotent_request',
        'Same idempotency key used with a different request payload.',
      );
    } else if (claim.kind === 'in_flight') {
      refuse(res, 409, 'concurrent_idempotent_requests', 'The original request is still in progress.');
    } else if (claim.kind === 'repeat') {
      res.json({ id: claim.id });
    } else if (await faults.pause(res)) {
      res.json({ id: mails.store(input.data, key, bodyHash, now(), toBusiness(options.clock, now())) });
    } else {
      mails.release(key);
    }
  });

  app.get('/emails/:id', faults.pauseFirst, (req, res) => {
    const mail = mails.find(String(req.params.id));
    if (mail) res.json({ object: 'email', ...mail, last_event: 'delivered' });
    else refuse(res, 404, 'not_found', 'Email not found.');
  });

  app.get('/domains', faults.pauseFirst, (_req, res) => {
    res.json({ object: 'list', has_more: false, data: [] });
  });
}

/** No key is asked for: it is a page on the loopback interface for whoever watches the demo. */
function mailboxRoutes(app: Express, faults: FaultBox, mails: MailStore): void {
  const query = z.object({
    to: z.string().optional(),
    subject: z.string().optional(),
    tag: z.string().optional(),
    key: z.string().optional(),
    since: z.string().optional(),
    limit: z.coerce.number().int().min(1).max(10_000).default(200),
  });

  app.get('/mailbox', faults.pauseFirst, (req, res) => {
    const parsed = query.safeParse(
      Object.fromEntries(Object.entries(req.query).filter(([, value]) => value !== '')),
    );
    if (!parsed.success) {
      refuse(res, 400, 'validation_error', z.prettifyError(parsed.error));
      return;
    }
    const { limit, ...filter } = parsed.data;
    const found = faults.find(res, 'empty') ? [] : mails.list(filter);
    const shown = found.slice(0, limit);
    if (req.accepts(['json', 'html']) === 'html') html(res, listPage(shown, found.length, filter));
    else res.json({ total: found.length, mails: shown });
  });

  app.get('/mailbox/:id', faults.pauseFirst, (req, res) => {
    const mail = mails.find(String(req.params.id));
    if (!mail) refuse(res, 404, 'not_found', 'Email not found.');
    else if (req.accepts(['json', 'html']) === 'html') html(res, mailPage(mail));
    else res.json(mail);
  });
}

function requireKey(apiKey: string) {
  return (req: Request, res: Response, next: NextFunction): void => {
    const key = /^Bearer (\S+)$/.exec(req.get('authorization') ?? '')?.[1];
    if (key === apiKey) next();
    else if (key === undefined) {
      refuse(res, 401, 'missing_api_key', 'Missing API key in the authorization header.');
    } else refuse(res, 403, 'invalid_api_key', 'API key is invalid.');
  };
}

function limitRequests(options: MailboxOptions) {
  const { requests, windowMs } = options.limit ?? RESEND_LIMIT;
  return rateLimit({
    windowMs,
    limit: Math.floor(requests * compression(options.clock)),
    // Resend's header names: ratelimit-limit, ratelimit-remaining, ratelimit-reset, and retry-after on a 429.
    standardHeaders: 'draft-6',
    legacyHeaders: false,
    keyGenerator: () => 'team',
    handler: (_req, res) => refuse(res, 429, 'rate_limit_exceeded', 'Too many requests.'),
  });
}

function refuse(res: Response, statusCode: number, name: string, message: string): void {
  res.status(statusCode).json({ statusCode, name, message });
}

function html(res: Response, page: string): void {
  res.set('Content-Security-Policy', PAGE_POLICY).type('html').send(page);
}
