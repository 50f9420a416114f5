/** In-app notifications, written with the change they tell of. */
import { sql } from 'kysely';
import type { Trx } from './client.js';

export type Audience =
  | { kind: 'ops' }
  | { kind: 'admins' }
  | { kind: 'user'; userId: string }
  | {
      /** The logins of a member; nobody when the member has none. */
      kind: 'member';
      memberId: string | null;
      /** User id of one who is not told. */
      except?: string;
    };

export interface NewNotification {
  orgId: string;
  audience: Audience;
  type: 'info' | 'success' | 'warning' | 'error' | 'submission' | 'inquiry' | 'queue' | 'support';
  title: string;
  message: string;
  actionUrl: string;
  metadata: Record<string, unknown>;
  /** The same key for the same user is written once. */
  dedupeKey?: string;
}

/** Writes one row for each user of the audience, in one statement. @returns how many: 0 when all were told before. */
export async function notify(trx: Trx, notification: NewNotification): Promise<number> {
  const result = await trx
    .insertInto('soundcloud_notifications')
    .columns(['org_id', 'user_id', 'title', 'message', 'type', 'action_url', 'metadata', 'dedupe_key'])
    .expression(
      trx
        .selectFrom(recipients(notification.orgId, notification.audience).as('recipient'))
        .select([
          sql<string>`${notification.orgId}::uuid`.as('org_id'),
          'recipient.user_id',
          sql<string>`${notification.title}::text`.as('title'),
          sql<string>`${notification.message}::text`.as('message'),
          sql<NewNotification['type']>`${notification.type}::public.soundcloud_notification_type`.as('type'),
          sql<string>`${notification.actionUrl}::text`.as('action_url'),
          sql<string>`${JSON.stringify(notification.metadata)}::jsonb`.as('metadata'),
          sql<string | null>`${notification.dedupeKey ?? null}::text || ':' || recipient.user_id`.as(
            'dedupe_key',
          ),
        ]),
    )
    .onConflict((conflict) => conflict.columns(['org_id', 'dedupe_key']).doNothing())
    .executeTakeFirst();
  return Number(result.numInsertedOrUpdatedRows ?? 0n);
}

function recipients(orgId: string, audience: Audience) {
  switch (audience.kind) {
    case 'ops':
      return sql<{ user_id: string }>`(select distinct user_id from public.soundcloud_user_roles
        where org_id = ${orgId} and role in ('admin', 'moderator'))`;
    case 'admins':
      return sql<{ user_id: string }>`(select distinct user_id from public.soundcloud_user_roles
        where org_id = ${orgId} and role = 'admin')`;
    case 'user':
      return sql<{ user_id: string }>`(select distinct user_id from public.soundcloud_user_roles
        where org_id = ${orgId} and user_id = ${audience.userId})`;
    case 'member':
      return sql<{
        user_id: string;
      }>`(select user_id from private.users_of_member(${orgId}, ${audience.memberId}) as user_id
        where user_id::text is distinct from ${audience.except ?? null}::text)`;
  }
}
