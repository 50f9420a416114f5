/** The outbox: events are written in the transaction that changes the state they tell of. */

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
