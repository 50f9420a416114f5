/**
 * The relay: takes events off the outbox and starts what they ask for. Runs in the worker process, wakes by
 * LISTEN/NOTIFY and, should a notification be lost, by a slow poll. Several relays share the work (SKIP LOCKED).
 * While Temporal or the database is away events simply stay; nothing is marked done that was not started.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { sql } from 'kysely';
import pg from 'pg';
import type { Logger } from '../config/log.js';
import type { Db, Trx } from '../db/client.js';
import { noOrgSchedules, type OrgScheduler, SCHEDULING_EVENTS } from './org-schedules.js';
import { handoversOf, type OutboxEvent } from './routes.js';
import { isAway, mayPass } from './server-errors.js';
import type { Starter } from './starter.js';

const CHANNEL = 'soundcloud_events';
const PAGE = 50;
const POLL_MS = 5_000;
const RECONNECT_MS = 1_000;

export interface Relay {
  /** Stops after the page under way. */
  stop(): Promise<void>;
}

export interface RelayOptions {
  /** Pool of the login `spark_worker`. */
  db: Db;
  /** The same login, for the listening connection. */
  databaseUrl: string;
  starter: Starter;
  scheduler: OrgScheduler;
  log: Logger;
}

export function startRelay({ db, databaseUrl, starter, scheduler, log }: RelayOptions): Relay {
  let stopping = false;
  let news = false;
  let nap = new AbortController();
  let listener: pg.Client | null = null;
  let reconnect: NodeJS.Timeout | undefined;

  const running = run();
  void listen();

  async function listen(): Promise<void> {
    if (stopping) return;
    const client = new pg.Client({
      connectionString: databaseUrl,
      application_name: 'artist-spark-relay',
      keepAlive: true,
    });
    const again = () => {
      if (listener === client) listener = null;
      if (!stopping) reconnect = setTimeout(() => void listen(), RECONNECT_MS);
    };
    // A server that stops gives two errors, its own and that of the broken connection; `end` follows both.
    client.on('error', () => {});
    client.once('end', again);
    client.on('notification', wake);
    try {
      await client.connect();
      listener = client;
      await client.query(`listen ${CHANNEL}`);
      wake();
    } catch (error) {
      log.warn({ err: error }, 'the relay cannot listen to the outbox; it polls meanwhile');
      await client.end().catch(() => {});
    }
  }

  async function run(): Promise<void> {
    while (!stopping) {
      let taken = 0;
      news = false;
      try {
        taken = await relayPage(db, starter, log, scheduler);
      } catch (error) {
        log.warn(
          { err: error },
          'the relay could not hand over events; they stay in the outbox and are tried again',
        );
        await pause(RECONNECT_MS);
        continue;
      }
      if (taken === 0) await pause(POLL_MS);
    }
  }

  /** Notes that there is news, also while a page is under way, and ends the nap. */
  function wake(): void {
    news = true;
    nap.abort();
  }

  async function pause(ms: number): Promise<void> {
    if (stopping || news) return;
    nap = new AbortController();
    await delay(ms, undefined, { signal: nap.signal }).catch(() => {});
  }

  return {
    async stop() {
      stopping = true;
      clearTimeout(reconnect);
      wake();
      await running;
      await listener?.end().catch(() => {});
    },
  };
}

/** Hands one page of events over in one transaction. @returns how many events were taken. */
export async function relayPage(
  db: Db,
  starter: Starter,
  log: Logger,
  scheduler: OrgScheduler = noOrgSchedules,
): Promise<number> {
  return db.transaction().execute(async (trx) => {
    const { rows: events } = await sql<OutboxEvent>`select * from private.relay_take(${PAGE})`.execute(trx);
    if (events.length === 0) return 0;
    const outcomes = await Promise.allSettled(events.map((event) => handOver(event, starter, scheduler)));
    const done = events
      .filter((_, index) => outcomes[index]?.status === 'fulfilled')
      .map((event) => event.id);
    const failures = outcomes.filter((outcome) => outcome.status === 'rejected').map(({ reason }) => reason);
    if (done.length === 0 && (await serverIsAway(failures, starter)))
      throw new RelayStalled(messageOf(failures[0]));
    await markDone(trx, done);
    for (const [index, outcome] of outcomes.entries()) {
      const event = events[index];
      if (outcome.status === 'fulfilled' || event === undefined) continue;
      log.warn(
        { eventId: event.id, type: event.type, err: outcome.reason },
        'an event could not be handed over',
      );
      await sql`select private.relay_failed(${event.id}, ${messageOf(outcome.reason)})`.execute(trx);
    }
    return events.length;
  });
}

/** Temporal is away: thrown so that the page is left untouched and tried later. */
export class RelayStalled extends Error {
  override readonly name = 'RelayStalled';
}

/**
 * Whether a page failed because the server is away. An event that it never takes must not pass for that: it would hold
 * up what follows of its row for as long as no other event shares the page.
 */
async function serverIsAway(failures: readonly unknown[], starter: Starter): Promise<boolean> {
  return failures.every(isAway) || (failures.every(mayPass) && !(await starter.answers()));
}

/** Everything an event asks for; tried again as a whole, so each part may be repeated. */
async function handOver(event: OutboxEvent, starter: Starter, scheduler: OrgScheduler): Promise<void> {
  if (SCHEDULING_EVENTS.includes(event.type)) await scheduler.ensure(event.org_id);
  for (const handover of handoversOf(event)) await starter.handOver(handover);
}

async function markDone(trx: Trx, ids: string[]): Promise<void> {
  if (ids.length > 0) await sql`select private.relay_done(${ids}::uuid[])`.execute(trx);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
