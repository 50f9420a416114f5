/** Server-sent events: what was written since the last look, each notification once. */
import type { Response } from 'express';
import { databaseNow, notificationCreatedAt, notificationsSince } from '../db/notification-lists.js';
import { callerOf } from './middleware/authenticate.js';
import { notificationJson, owner } from './notification-shape.js';
import type { LongContext } from './route.js';
import { id } from './schemas.js';

/** A look at least this often, also without a wake-up, and a sign of life for proxies. */
const BEAT_MS = 15_000;
/** A transaction that began before our look may commit after it: look back this far, and remember what was sent. */
const OVERLAP_SECONDS = 60;
const RETRY_MS = 3_000;

export async function streamNotifications({
  request,
  response,
  deps,
  inScope,
}: LongContext<unknown, unknown, unknown>): Promise<void> {
  const lastId = id.safeParse(request.get('last-event-id')?.trim()).data;
  // Opening the first scope checks the caller; a refusal is still an ordinary answer here.
  const start = await inScope(async (scope) => {
    const me = owner(scope);
    const resumed = lastId && (await notificationCreatedAt(scope.trx, me, lastId));
    const since = resumed ?? (await databaseNow(scope.trx));
    // A new stream begins now; a resumed one would rather repeat a notification than lose one.
    const known =
      resumed === undefined ? await notificationsSince(scope.trx, me, since, OVERLAP_SECONDS) : [];
    return { userId: me.userId, since, known: known.map((row) => row.id) };
  });
  const sent = new Set(lastId === undefined ? start.known : [...start.known, lastId]);
  let since = start.since;

  response.status(200).set({
    'Content-Type': 'text/event-stream',
    'Cache-Control': 'no-store',
    'X-Accel-Buffering': 'no',
  });
  response.write(`retry: ${RETRY_MS}\n\n`);

  const pulse = createPulse();
  const unsubscribe = deps.notifications.subscribe(start.userId, pulse.beat);
  const end = () => pulse.stop();
  const caller = callerOf(request);
  const endsAt = caller.kind === 'person' ? caller.expiresAt : 0;
  response.once('close', end);
  deps.closing.addEventListener('abort', end, { once: true });
  // Gone while the first look was under way: its event is over and will not come again.
  if (deps.closing.aborted || response.destroyed) end();
  try {
    do {
      const found = await inScope(async (scope) => ({
        now: await databaseNow(scope.trx),
        rows: await notificationsSince(scope.trx, owner(scope), since, OVERLAP_SECONDS),
      }));
      for (const row of found.rows.filter(({ id }) => !sent.has(id))) {
        sent.add(row.id);
        await write(
          response,
          `id: ${row.id}\nevent: notification\ndata: ${JSON.stringify(notificationJson(row))}\n\n`,
        );
      }
      await write(response, ': alive\n\n');
      forget(sent, found.rows);
      since = found.now;
      // Nobody goes on reading with a token that is over; the client comes back with a new one.
    } while (Date.now() < endsAt && (await pulse.next(Math.min(BEAT_MS, endsAt - Date.now()))));
  } catch (error) {
    deps.log.warn({ err: error }, 'A notification stream ended early; the client resumes it.');
  } finally {
    unsubscribe();
    deps.closing.removeEventListener('abort', end);
    response.end();
  }
}

/** Keeps the set small: what the overlap can no longer bring back need not be remembered. */
function forget(sent: Set<string>, recent: readonly { id: string }[]): void {
  if (sent.size < 5_000) return;
  const keep = new Set(recent.map((row) => row.id));
  for (const id of sent) if (!keep.has(id)) sent.delete(id);
}

/** Waits for the client to take what was written, so that a slow one does not fill our memory. */
async function write(response: Response, text: string): Promise<void> {
  if (response.write(text) || response.destroyed) return;
  await new Promise<void>((resolve) => {
    response.once('drain', resolve);
    response.once('close', resolve);
  });
}

interface Pulse {
  beat(): void;
  stop(): void;
  /** Resolves at the next beat or after `limitMs`; false once stopped. */
  next(limitMs: number): Promise<boolean>;
}

function createPulse(): Pulse {
  let pending = false;
  let stopped = false;
  let wake: () => void = () => {};
  return {
    beat() {
      pending = true;
      wake();
    },
    stop() {
      stopped = true;
      wake();
    },
    async next(limitMs) {
      if (!pending && !stopped) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, limitMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      pending = false;
      return !stopped;
    },
  };
}
