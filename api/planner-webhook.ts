/**
 * The way in for Influence Planner's webhooks (api.md, "Webhooks in"). Who sends is known by the signature over the raw
 * body, not by a token. What is true is stored once and answered at once; its schedule hears of it through the outbox.
 */
import express, { type Request, type RequestHandler, Router } from 'express';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import { z } from 'zod';
import { receiveScheduleWebhook } from '../db/schedules.js';
import { storable } from '../domain/storable-text.js';
import { parseTrackUrl } from '../domain/track-url.js';
import type { AppDeps } from './deps.js';
import { bodyProblem, MAX_BODY_BYTES } from './middleware/body.js';
import { limitCallers } from './middleware/rate-limit.js';
import { Problem } from './problems.js';

export const PLANNER_WEBHOOK_PATH = '/v1/webhooks/influence-planner';

/** Also where the type is unknown, fields that are known must have their type. */
const text = z.string().max(2_000).overwrite(storable).nullish().catch(null);

const webhookBody = z.object({
  type: z.string().max(200).overwrite(storable).catch('unknown'),
  data: z
    .object({
      schedule_id: text,
      calendar_url: text,
      media_url: text,
      handle: text,
      proof_url: text,
      error: text,
      executed_at: text,
    })
    .catch({
      schedule_id: null,
      calendar_url: null,
      media_url: null,
      handle: null,
      proof_url: null,
      error: null,
      executed_at: null,
    }),
});

const STATUS_OF: Readonly<Record<string, 'completed' | 'failed' | 'unreposted'>> = {
  'schedule.completed': 'completed',
  'schedule.failed': 'failed',
  'schedule.unreposted': 'unreposted',
};

const readRaw = express.raw({ limit: MAX_BODY_BYTES, inflate: false, type: () => true });

export function plannerWebhookRouter(deps: AppDeps): Router {
  const router = Router({ caseSensitive: true, strict: true });
  router.post(PLANNER_WEBHOOK_PATH, limitCallers(deps.rateLimits), rawBody, takeWebhook(deps));
  router.all(PLANNER_WEBHOOK_PATH, (request, response, next) => {
    const allow = 'POST, OPTIONS';
    if (request.method === 'OPTIONS') response.status(204).set('Allow', allow).end();
    else next(new Problem('method_not_allowed', { headers: { Allow: allow } }));
  });
  return router;
}

const rawBody: RequestHandler = (request, response, next) => {
  readRaw(request, response, (error?: unknown) => next(error === undefined ? undefined : bodyProblem(error)));
};

function takeWebhook({ plannerWebhookSecret, database, log }: AppDeps): RequestHandler {
  return async (request, response) => {
    if (plannerWebhookSecret === undefined) throw new Problem('webhooks_not_configured');
    const raw = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const id = verified(request, raw, plannerWebhookSecret);
    const payload = readJson(raw);
    const { type, data } = webhookBody.parse(isRecord(payload) ? payload : {});
    const scheduleId = data.schedule_id ?? lastSegment(data.calendar_url ?? null);
    const status = STATUS_OF[type];
    const about = {
      webhook: { id, type, schedule_id: scheduleId, handle: data.handle, media_url: data.media_url },
    };
    if (status === undefined) {
      log.warn(about, 'a webhook of Influence Planner has a type that is not known here');
      response.status(202).json({ outcome: 'ignored' });
      return;
    }
    const outcome = await receiveScheduleWebhook(database, {
      id,
      type,
      payload: storableJson(payload),
      scheduleId,
      handle: data.handle ?? null,
      mediaUrl: data.media_url ?? null,
      report: {
        status,
        scheduleId: scheduleId?.slice(0, 200) ?? null,
        calendarUrl: data.calendar_url ?? null,
        proofUrl: soundCloudAddress(data.proof_url ?? null),
        error: data.error?.slice(0, 1_000) ?? null,
        executedAt: instant(data.executed_at ?? null),
      },
    });
    if (outcome === 'unknown') log.warn(about, 'a webhook of Influence Planner names no schedule of ours');
    response.status(202).json({ outcome });
  };
}

/** @returns the webhook's id. @throws Problem invalid_signature */
function verified(request: Request, raw: Buffer, secret: string): string {
  const header = (name: string) => request.get(name) ?? '';
  const id = header('webhook-id');
  try {
    new Webhook(secret).verify(
      raw,
      {
        'webhook-id': id,
        'webhook-timestamp': header('webhook-timestamp'),
        'webhook-signature': header('webhook-signature'),
      },
      { jsonParse: false },
    );
  } catch (error) {
    if (error instanceof WebhookVerificationError) throw new Problem('invalid_signature', { cause: error });
    throw error;
  }
  return id.slice(0, 500);
}

function readJson(raw: Buffer): unknown {
  try {
    return JSON.parse(raw.toString('utf8'));
  } catch (error) {
    throw new Problem('malformed_json', { cause: error });
  }
}

/** The same document with what Postgres cannot hold taken out of its texts. */
function storableJson(payload: unknown): unknown {
  return JSON.parse(JSON.stringify(payload), (_key, value: unknown) =>
    typeof value === 'string' ? storable(value) : value,
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function lastSegment(calendarUrl: string | null): string | null {
  if (calendarUrl === null || !URL.canParse(calendarUrl)) return null;
  return new URL(calendarUrl).pathname.split('/').filter(Boolean).at(-1) ?? null;
}

/** A proof is an address on SoundCloud: of a track or of a profile. Anything else is left out. */
function soundCloudAddress(url: string | null): string | null {
  if (url === null) return null;
  const parsed = parseTrackUrl(url);
  return parsed.ok || parsed.code === 'track_url_profile' ? url : null;
}

/** Business ms: the vendor acts in business time. */
function instant(value: string | null): number | null {
  const at = value === null ? Number.NaN : Date.parse(value);
  return Number.isNaN(at) ? null : at;
}
