/** The outbox: events are written in the transaction that changes the state they tell of. */

import { sql } from 'kysely';
import type { EventType, InternalEventType } from '../domain/events.js';
import type { Trx } from './client.js';
import { jsonb } from './json.js';

export interface NewEvent {
  orgId: string;
  type: EventType | InternalEventType;
  entityType: string;
  entityId: string;
  /** Under 20 kB as JSON. */
  data: Record<string, unknown>;
  /** Business ms. */
  occurredAt: number;
  /** The same key in the same org is written once. */
  dedupeKey: string;
}

export async function emitEvent(trx: Trx, event: NewEvent): Promise<void> {
  await trx
    .insertInto('soundcloud_events')
    .values({
      org_id: event.orgId,
      type: event.type,
      entity_type: event.entityType,
      entity_id: event.entityId,
      data: jsonb(event.data),
      occurred_at: new Date(event.occurredAt),
      dedupe_key: event.dedupeKey,
    })
    .onConflict((conflict) => conflict.columns(['org_id', 'dedupe_key']).doNothing())
    .execute();
}

/** Many events in one statement, in their order. */
export async function emitEvents(trx: Trx, events: readonly NewEvent[]): Promise<void> {
  if (events.length === 0) return;
  const rows = events.map((event) => ({
    org_id: event.orgId,
    type: event.type,
    entity_type: event.entityType,
    entity_id: event.entityId,
    data: event.data,
    occurred_at: new Date(event.occurredAt).toISOString(),
    dedupe_key: event.dedupeKey,
  }));
  await sql`
    insert into public.soundcloud_events (org_id, type, entity_type, entity_id, data, occurred_at, dedupe_key)
    select r.org_id, r.type, r.entity_type, r.entity_id, r.data, r.occurred_at, r.dedupe_key
    from rows from (jsonb_to_recordset(${jsonb(rows)}) as (org_id uuid, type text, entity_type text, entity_id uuid,
      data jsonb, occurred_at timestamptz, dedupe_key text)) with ordinality
      as r (org_id, type, entity_type, entity_id, data, occurred_at, dedupe_key, position)
    order by r.position
    on conflict (org_id, dedupe_key) do nothing`.execute(trx);
}
