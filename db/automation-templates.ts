/** Automation templates and the log of what they sent, as people read and change them. */
import { type Selectable, sql, type Updateable } from 'kysely';
import type { Queryable } from './client.js';
import { behind, type Keyset, type KeysetOrder, keysetOrderBy, sortKey } from './keyset.js';
import { memberNameOf } from './members.js';
import type { SoundcloudAutomationLogs, SoundcloudAutomationTemplates } from './schema.js';

export type AutomationTemplateRow = Selectable<SoundcloudAutomationTemplates>;
export type AutomationLogRow = Selectable<SoundcloudAutomationLogs>;

export function listTemplates(db: Queryable, orgId: string): Promise<AutomationTemplateRow[]> {
  return db
    .selectFrom('soundcloud_automation_templates')
    .selectAll()
    .where('org_id', '=', orgId)
    .orderBy('template_key')
    .execute();
}

/** @param options.lock keeps it unchanged until the transaction ends. */
export function findTemplate(
  db: Queryable,
  orgId: string,
  key: string,
  options: { lock?: boolean } = {},
): Promise<AutomationTemplateRow | undefined> {
  return db
    .selectFrom('soundcloud_automation_templates')
    .selectAll()
    .where('org_id', '=', orgId)
    .where('template_key', '=', key)
    .$if(options.lock === true, (query) => query.forUpdate())
    .executeTakeFirst();
}

export async function updateTemplate(
  db: Queryable,
  orgId: string,
  key: string,
  change: Updateable<SoundcloudAutomationTemplates>,
): Promise<void> {
  await db
    .updateTable('soundcloud_automation_templates')
    .set(change)
    .where('org_id', '=', orgId)
    .where('template_key', '=', key)
    .execute();
}

export const AUTOMATION_LOG_ORDERS = {
  '-created_at': {
    column: 'soundcloud_automation_logs.created_at',
    id: 'soundcloud_automation_logs.id',
    type: 'timestamptz',
    direction: 'desc',
  },
} as const satisfies Record<string, KeysetOrder>;

export interface AutomationLogFilter {
  templateKey?: string | undefined;
  status?: AutomationLogRow['status'] | undefined;
  memberId?: string | undefined;
}

/** One row more than `limit` when there is a next page. */
export function listAutomationLogs(
  db: Queryable,
  orgId: string,
  filter: AutomationLogFilter,
  page: { order: KeysetOrder; after: Keyset | undefined; limit: number },
): Promise<(AutomationLogRow & { recipient_member_name: string | null; sort_key: string | null })[]> {
  const { templateKey, status, memberId } = filter;
  return db
    .selectFrom('soundcloud_automation_logs')
    .selectAll('soundcloud_automation_logs')
    .select([
      sortKey(page.order).as('sort_key'),
      memberNameOf({
        org: sql.ref('soundcloud_automation_logs.org_id'),
        member: sql.ref('soundcloud_automation_logs.recipient_member_id'),
      }).as('recipient_member_name'),
    ])
    .where('org_id', '=', orgId)
    .$if(templateKey !== undefined, (query) => query.where('template_key', '=', templateKey ?? ''))
    .$if(status !== undefined, (query) => query.where('status', '=', status ?? 'sent'))
    .$if(memberId !== undefined, (query) => query.where('recipient_member_id', '=', memberId ?? ''))
    .where(page.after === undefined ? sql<boolean>`true` : behind(page.order, page.after))
    .orderBy(keysetOrderBy(page.order))
    .limit(page.limit + 1)
    .execute();
}
