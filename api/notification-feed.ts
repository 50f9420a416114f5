/**
 * Wakes the notification streams. One connection of the process listens to `soundcloud_notifications` (a trigger says
 * which user has news); when it breaks it is made again, and everybody is woken, because news may have been missed.
 */
import pg from 'pg';
import type { Logger } from 'pino';
import { poolConfig } from '../db/client.js';

export interface NotificationFeed {
  /** @returns a function that ends the subscription */
  subscribe(userId: string, wake: () => void): () => void;
}

const CHANNEL = 'soundcloud_notifications';
const RECONNECT_MS = 2_000;

/** @param url connection of `spark_api`; the session is its own and runs no queries */
export function listenForNotifications(
  url: string,
  log: Logger,
): NotificationFeed & { close(): Promise<void> } {
  const subscribers = new Map<string, Set<() => void>>();
  let client: pg.Client | undefined;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  const wake = (userId: string) => {
    for (const one of subscribers.get(userId) ?? []) one();
  };

  async function connect(): Promise<void> {
    const next = new pg.Client({
      ...poolConfig(url, { applicationName: 'artist-spark-api-feed' }),
      keepAlive: true,
    });
    client = next;
    next.on('notification', ({ payload }) => wake(payload ?? ''));
    next.on('error', (error) => log.warn({ err: error }, 'The notification feed lost its connection.'));
    next.on('end', retryLater);
    try {
      await next.connect();
      await next.query(`listen ${CHANNEL}`);
      for (const userId of subscribers.keys()) wake(userId);
    } catch (error) {
      log.warn({ err: error }, 'The notification feed cannot connect; it tries again.');
      await next.end().catch(() => {});
      retryLater();
    }
  }

  function retryLater(): void {
    if (closed || timer !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      void connect();
    }, RECONNECT_MS);
    timer.unref();
  }

  void connect();
  return {
    subscribe(userId, onNews) {
      const own = subscribers.get(userId) ?? new Set();
      own.add(onNews);
      subscribers.set(userId, own);
      return () => {
        own.delete(onNews);
        if (own.size === 0 && subscribers.get(userId) === own) subscribers.delete(userId);
      };
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      await client?.end().catch(() => {});
    },
  };
}
