/**
 * Leave to send one request, taken before each HTTP request. The bucket lives in Postgres (`soundcloud_rate_buckets`),
 * one row per provider key, so that it counts requests of all processes.
 */
import { setTimeout as delay } from 'node:timers/promises';

export type RequestLeave =
  | { allowed: true }
  | { allowed: false /** Real time, epoch ms. */; notBefore: number };

/** @param units how many requests the caller is about to send (default 1). */
export type TakeRequestLeave = (units?: number) => Promise<RequestLeave>;

/** Thrown by a client that got no leave. Not an error of the provider: the activity hands `notBefore` to the workflow. */
export class RequestNotYetAllowed extends Error {
  override readonly name = 'RequestNotYetAllowed';
  constructor(readonly notBefore: number) {
    super('No request leave yet.');
  }
}

/** How long a client waits in place for leave before it hands the wait to the workflow, real ms. */
const PATIENCE_MS = 2_000;

/**
 * Takes leave, waiting in place for a moment. An operation of several requests needs this: one that gave up at its
 * second request would spend its first one each time and never end while the bucket is low.
 * @throws RequestNotYetAllowed when the wait would be longer.
 */
export async function awaitRequestLeave(takeLeave: TakeRequestLeave, signal?: AbortSignal): Promise<void> {
  const patientUntil = Date.now() + PATIENCE_MS;
  for (;;) {
    const leave = await takeLeave();
    if (leave.allowed) return;
    if (Math.max(leave.notBefore, Date.now()) > patientUntil) throw new RequestNotYetAllowed(leave.notBefore);
    await delay(Math.max(leave.notBefore - Date.now(), 1), undefined, { signal });
  }
}

/** What a provider allows: `requests` in any window of `windowSeconds` real seconds. */
export interface ProviderLimit {
  requests: number;
  windowSeconds: number;
}

/** A token bucket: holds `capacity` requests, regains `refillPerSecond` of them each real second. */
export interface RequestBucket {
  capacity: number;
  refillPerSecond: number;
}

/**
 * Limits of the providers in real time (providers.md). SoundCloud states none for reads, so ours is a considerate one;
 * its tokens are 50 per 12 h and app. Resend allows 5 a second per team. Influence Planner allows 30 a minute and key;
 * ours leaves some for people who use the key by hand.
 */
export const PROVIDER_LIMITS = {
  soundcloud: { requests: 10, windowSeconds: 1 },
  soundcloudToken: { requests: 50, windowSeconds: 12 * 3_600 },
  resend: { requests: 5, windowSeconds: 1 },
  slack: { requests: 1, windowSeconds: 1 },
  influencePlanner: { requests: 25, windowSeconds: 60 },
} as const satisfies Record<string, ProviderLimit>;

/**
 * The bucket that never lets more than the limit through in any window, wherever the window starts: what can burst
 * (a fifth of the limit, at least 1) plus what refills within one window is exactly the limit. A limit of 1 refills
 * one request a window from an empty start, which is the one case where two can fall into one window's ends.
 * @param compression how much faster business time runs (86,400 / day_seconds): limits rise with it (architecture.md).
 */
export function bucketFor(limit: ProviderLimit, compression = 1): RequestBucket {
  const requests = limit.requests * compression;
  const capacity = Math.max(1, Math.floor(requests / 5));
  const refill = requests > capacity ? requests - capacity : requests;
  return { capacity, refillPerSecond: refill / limit.windowSeconds };
}
