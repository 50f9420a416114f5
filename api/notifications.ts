/** A person's notifications: list, read marks, and a stream of new ones. */
import { z } from 'zod';
import { listNotifications, markAllRead, markRead, NOTIFICATION_ORDER } from '../db/notification-lists.js';
import { notificationJson, notificationSchema, owner } from './notification-shape.js';
import { streamNotifications } from './notification-stream.js';
import { pageOf, pageQuery, readCursor, toPage } from './pagination.js';
import { Problem } from './problems.js';
import { defineLongRoute, defineRoute } from './route.js';
import { flag, idParam } from './schemas.js';

const SORT = `-${NOTIFICATION_ORDER.column}`;
const own = { access: 'anyone', scope: null, tag: 'notifications' } as const;

const listRoute = defineRoute({
  ...own,
  method: 'get',
  path: '/v1/notifications',
  operationId: 'listNotifications',
  summary: 'Your notifications, newest first',
  query: z.strictObject({ read: flag.optional(), ...pageQuery }),
  answers: { 200: { description: 'A page.', schema: pageOf(notificationSchema) } },
  handle: async ({ scope, query }) => {
    const page = { after: readCursor(query.cursor, SORT), limit: query.limit };
    const rows = await listNotifications(scope.trx, owner(scope), { read: query.read }, page);
    const keyOf = (row: (typeof rows)[number]) => ({ value: row.sort_key, id: row.id });
    return { body: toPage(rows, query.limit, SORT, keyOf, notificationJson) };
  },
});

const markRoute = defineRoute({
  ...own,
  method: 'patch',
  path: '/v1/notifications/{notification_id}',
  operationId: 'markNotification',
  summary: 'Mark one as read or unread',
  params: z.object({ notification_id: idParam('notification') }),
  body: z.strictObject({ read: z.boolean() }),
  answers: { 200: { description: 'The notification as it is now.', schema: notificationSchema } },
  problems: ['not_found'],
  handle: async ({ scope, params, body }) => {
    const row = await markRead(scope.trx, owner(scope), params.notification_id, body.read);
    if (row === undefined) throw new Problem('not_found');
    return { body: notificationJson(row) };
  },
});

const markAllRoute = defineRoute({
  ...own,
  method: 'post',
  path: '/v1/notifications/mark-all-read',
  // Doing it twice is doing it once.
  idempotent: false,
  operationId: 'markAllNotificationsRead',
  summary: 'Mark all as read',
  answers: {
    200: { description: 'How many were unread.', schema: z.object({ marked: z.int() }) },
  },
  handle: async ({ scope }) => ({ body: { marked: await markAllRead(scope.trx, owner(scope)) } }),
});

const streamRoute = defineLongRoute({
  ...own,
  method: 'get',
  path: '/v1/notifications/stream',
  operationId: 'streamNotifications',
  summary: 'New notifications as server-sent events',
  description:
    'Event `notification`, data as in the list, id = notification id. Send the last one as Last-Event-ID to go on after a break. A comment every 15 s keeps the connection open.',
  answers: {
    200: { description: 'An endless stream.', contentType: 'text/event-stream', schema: z.string() },
  },
  handle: async (context) => {
    await streamNotifications(context);
    return 'sent';
  },
});

export const notificationRoutes = [listRoute, streamRoute, markAllRoute, markRoute];
