/** A notification as its owner sees it. */
import { z } from 'zod';
import type { NotificationRow } from '../db/notification-lists.js';
import { Problem } from './problems.js';
import { iso, timestamp } from './schemas.js';
import type { Scope } from './scope.js';

export const notificationSchema = z
  .object({
    id: z.uuid(),
    title: z.string(),
    message: z.string(),
    type: z.enum(['info', 'success', 'warning', 'error', 'submission', 'inquiry', 'queue', 'support']),
    read: z.boolean(),
    action_url: z.string().nullable(),
    metadata: z.record(z.string(), z.unknown()),
    created_at: timestamp,
  })
  .meta({ id: 'Notification' });

export function notificationJson(row: NotificationRow): z.infer<typeof notificationSchema> {
  const { id, title, message, type, read, action_url } = row;
  const metadata = row.metadata as Record<string, unknown>;
  return { id, title, message, type, read, action_url, metadata, created_at: iso(row.created_at) };
}

/** Whose notifications these are. API keys have none. */
export function owner(scope: Scope): { orgId: string; userId: string } {
  if (scope.caller.kind !== 'person') throw new Problem('scope_missing');
  return { orgId: scope.orgId, userId: scope.caller.userId };
}
