/** How much waits in the database, over all orgs. For /metrics; call it as the login. */
import { sql } from 'kysely';
import type { Queryable } from './client.js';

export interface Backlog {
  /** Events that are not relayed yet. */
  outboxEvents: number;
  /** Real seconds the oldest of them waits; 0 without any. */
  oldestEventSeconds: number;
  pendingCommands: number;
  waits: { entity_type: string; stage: string; waiting_on: string; waiting: number; breached: number }[];
}

export async function backlog(db: Queryable): Promise<Backlog> {
  const { rows } = await sql<{
    backlog: {
      outbox_events: number;
      oldest_event_seconds: number;
      pending_commands: number;
      waits: Backlog['waits'];
    };
  }>`select private.api_backlog() as backlog`.execute(db);
  const [row] = rows;
  if (row === undefined) throw new Error('private.api_backlog gave no row.');
  const { outbox_events, oldest_event_seconds, pending_commands, waits } = row.backlog;
  return {
    outboxEvents: outbox_events,
    oldestEventSeconds: oldest_event_seconds,
    pendingCommands: pending_commands,
    waits,
  };
}
