/** The org's settings, complete: what is not stored has the default of domain/settings.ts. */
import { type OrgSettings, type PartialSettings, withDefaults } from '../domain/settings.js';
import type { Queryable } from './client.js';

/** @throws Error when the org has no settings row: it was not made by `spark org create`. */
export async function loadSettings(db: Queryable, orgId: string): Promise<OrgSettings> {
  const row = await db
    .selectFrom('soundcloud_settings')
    .selectAll()
    .where('org_id', '=', orgId)
    .executeTakeFirst();
  if (row === undefined) throw new Error(`Org ${orgId} has no settings. Make it with \`spark org create\`.`);
  return withDefaults(row as unknown as PartialSettings);
}

/** The org's timezone, for readers of this one setting. */
export async function timezoneOf(db: Queryable, orgId: string): Promise<string> {
  const row = await db
    .selectFrom('soundcloud_settings')
    .select('timezone')
    .where('org_id', '=', orgId)
    .executeTakeFirst();
  return row?.timezone ?? 'UTC';
}

/** Where the org's Slack messages go; null when Slack is off. The webhook is a secret. */
export async function slackSettings(
  db: Queryable,
  orgId: string,
): Promise<{ webhookUrl: string; channel: string } | null> {
  const row = await db
    .selectFrom('soundcloud_settings')
    .select(['slack_enabled', 'slack_webhook', 'slack_channel'])
    .where('org_id', '=', orgId)
    .executeTakeFirst();
  if (!row?.slack_enabled || !row.slack_webhook) return null;
  return { webhookUrl: row.slack_webhook, channel: row.slack_channel };
}
