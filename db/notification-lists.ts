/** A person's own notifications. */
import { type Selectable, sql } from 'kysely';
import type { Queryable } from './client.js';
import { behind, type Keyset, type KeysetOrder, keysetOrderBy, sortKey } from './keyset.js';
import type { SoundcloudNotifications } from './schema.js';

export type NotificationRow = Selectable<SoundcloudNotifications>;

export const NOTIFICATION_ORDER = {
  column: 'soundcloud_notifications.created_at',
  id: 'soundcloud_notifications.id',
  type: 'timestamptz',
  direction: 'desc',
} as const satisfies KeysetOrder;

/** Newest first; one row more than `limit` when there is a next page. */
export function listNotifications(
  db: Queryable,
  owner: { orgId: string; userId: string },
  filter: { read?: boolean | undefined },
  page: { after: Keyset | undefined; limit: number },
): Promise<(NotificationRow & { sort_key: string | null })[]> {
  const { after } = page;
  return db
    .selectFrom('soundcloud_notifications')
    .selectAll('soundcloud_notifications')
    .select(sortKey(NOTIFICATION_ORDER).as('sort_key'))
    .where('soundcloud_notifications.org_id', '=', owner.orgId)
    .where('user_id', '=', owner.userId)
    .$if(filter.read !== undefined, (query) => query.where('read', '=', filter.read === true))
    .$if(after !== undefined, (query) =>
      query.where(behind(NOTIFICATION_ORDER, after ?? { value: null, id: '' })),
    )
    .orderBy(keysetOrderBy(NOTIFICATION_ORDER))
    .limit(page.limit + 1)
    .execute();
}

/**
 * Notifications written since a moment of real time, oldest first. The moment is the database's own, so that the
 * clocks of two machines do not matter; `overlapSeconds` reaches further back, because a transaction that began
 * earlier may have committed later.
 */
export function notificationsSince(
  db: Queryable,
  owner: { orgId: string; userId: string },
  since: string,
  overlapSeconds: number,
): Promise<NotificationRow[]> {
  return db
    .selectFrom('soundcloud_notifications')
    .selectAll()
    .where('org_id', '=', owner.orgId)
    .where('user_id', '=', owner.userId)
    .where(
      sql<boolean>`created_at >= ${since}::timestamptz - make_interval(secs => ${overlapSeconds}::double precision)`,
    )
    .orderBy('created_at')
    .orderBy('id')
    .limit(1_000)
    .execute();
}

/** The database's real time as text that keeps its microseconds. */
export async function databaseNow(db: Queryable): Promise<string> {
  const result = await sql<{ now: string }>`select clock_timestamp()::text as now`.execute(db);
  const [row] = result.rows;
  if (row === undefined) throw new Error('The database gave no time.');
  return row.now;
}

/** @returns the row as it is now; undefined when the person has no such notification */
export function markRead(
  db: Queryable,
  owner: { orgId: string; userId: string },
  id: string,
  read: boolean,
): Promise<NotificationRow | undefined> {
  return db
    .updateTable('soundcloud_notifications')
    .set({ read })
    .where('org_id', '=', owner.orgId)
    .where('user_id', '=', owner.userId)
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirst();
}

/** @returns how many were unread */
export async function markAllRead(db: Queryable, owner: { orgId: string; userId: string }): Promise<number> {
  const result = await db
    .updateTable('soundcloud_notifications')
    .set({ read: true })
    .where('org_id', '=', owner.orgId)
    .where('user_id', '=', owner.userId)
    .where('read', '=', false)
    .executeTakeFirst();
  return Number(result.numUpdatedRows);
}

/** When one's notification was written, as text that keeps its microseconds; undefined when there is none. */
export async function notificationCreatedAt(
  db: Queryable,
  owner: { orgId: string; userId: string },
  id: string,
): Promise<string | undefined> {
  const row = await db
    .selectFrom('soundcloud_notifications')
    .select(sql<string>`created_at::text`.as('created_at'))
    .where('org_id', '=', owner.orgId)
    .where('user_id', '=', owner.userId)
    .where('id', '=', id)
    .executeTakeFirst();
  return row?.created_at;
}
