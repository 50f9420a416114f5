/** `soundcloud_schedules` and the intents behind them, as their lifecycle reads and writes them. */
import { type Selectable, sql } from 'kysely';
import type { IntentPatch, SchedulePatch } from '../domain/repost-schedule.js';
import type { Queryable, Trx } from './client.js';
import { jsonb } from './json.js';
import { behind, type Keyset, type KeysetOrder, keysetOrderBy, sortKey } from './keyset.js';
import type { SoundcloudProviderIntents, SoundcloudScheduleStatus, SoundcloudSchedules } from './schema.js';

export type ScheduleRow = Selectable<SoundcloudSchedules>;
export type IntentRow = Selectable<SoundcloudProviderIntents>;

export const PLANNER = 'influence-planner';

/** A schedule with what must be known to send it and to look for its repost. */
export interface ScheduleFactsRow extends ScheduleRow {
  /** Public address of the track. */
  media_url: string;
  track_url: string;
  track_urn: string | null;
  track_name: string | null;
  artist_name: string | null;
  /** What Influence Planner calls the account; null while it is not linked there. */
  planner_user_id: string | null;
  /** Null for a campaign's. */
  assignment_status: string | null;
  assignment_slot_at: Date | null;
  assignment_settled_at: Date | null;
  /** What went out with the assignment; null for a campaign's. */
  assignment_terms: { fee_percent: number | null; unrepost_after_hours: number | null } | null;
}

/** Undefined when the org has none with that id. */
export async function loadSchedule(
  trx: Queryable,
  orgId: string,
  id: string,
): Promise<ScheduleFactsRow | undefined> {
  const { rows } = await sql<ScheduleFactsRow>`
    select schedule.*,
      coalesce(submission.live_link_url, submission.track_url, campaign.track_url) as media_url,
      coalesce(submission.track_url, campaign.track_url) as track_url,
      submission.track_urn,
      coalesce(submission.track_name, campaign.track_name) as track_name,
      coalesce(submission.artist_name, campaign.artist_name) as artist_name,
      case when account.connection_data -> 'influence_planner' ->> 'status' = 'LINKED'
        then account.connection_data -> 'influence_planner' ->> 'user_id' end as planner_user_id,
      assignment.status as assignment_status,
      assignment.slot_at as assignment_slot_at,
      assignment.settled_at as assignment_settled_at,
      case when assignment.id is not null then jsonb_build_object(
        'fee_percent', assignment.fee_percent,
        'unrepost_after_hours', assignment.unrepost_after_hours) end as assignment_terms
    from public.soundcloud_schedules schedule
    left join public.soundcloud_submissions submission on schedule.parent_type = 'submission'
      and submission.org_id = schedule.org_id and submission.id = schedule.parent_id
    left join public.soundcloud_campaigns campaign on schedule.parent_type = 'campaign'
      and campaign.org_id = schedule.org_id and campaign.id = schedule.parent_id
    left join public.soundcloud_member_accounts account
      on account.org_id = schedule.org_id and account.id = schedule.member_account_id
    left join public.soundcloud_queue_assignments assignment
      on assignment.org_id = schedule.org_id and assignment.id = schedule.assignment_id
    where schedule.org_id = ${orgId} and schedule.id = ${id}`.execute(trx);
  return rows[0];
}

/**
 * Whether Influence Planner has a schedule for an assignment, or may have one, so that it makes the repost and takes it
 * down: sent, made, or sent and never seen. Not one that was never sent, that was cancelled, or that it said it could not
 * make.
 */
export async function isWithPlanner(trx: Queryable, orgId: string, assignmentId: string): Promise<boolean> {
  const { rows } = await sql<{ found: boolean }>`
    select exists (
      select from public.soundcloud_schedules item
      where item.org_id = ${orgId} and item.assignment_id = ${assignmentId}
        and (item.status in ('scheduled', 'completed')
          or (item.status = 'failed' and starts_with(item.error_message, 'not_seen:'))
          or (item.status = 'pending' and exists (
            select from public.soundcloud_provider_intents intent
            where intent.org_id = item.org_id and intent.entity_id = item.id
              and intent.status in ('sent', 'unknown'))))
    ) as found`.execute(trx);
  return rows[0]?.found ?? false;
}

/** Keeps others from changing the row until the transaction ends. */
export async function lockSchedule(trx: Trx, orgId: string, id: string): Promise<void> {
  await trx
    .selectFrom('soundcloud_schedules')
    .select('id')
    .where('org_id', '=', orgId)
    .where('id', '=', id)
    .forUpdate()
    .execute();
}

export async function patchSchedule(
  trx: Trx,
  orgId: string,
  id: string,
  patch: SchedulePatch,
): Promise<void> {
  const { scheduled_at, completed_at, ...plain } = patch;
  const columns = {
    ...plain,
    ...(scheduled_at !== undefined && { scheduled_at: new Date(scheduled_at) }),
    ...(completed_at !== undefined && { completed_at: new Date(completed_at) }),
  };
  if (Object.keys(columns).length === 0) return;
  await trx
    .updateTable('soundcloud_schedules')
    .set(columns)
    .where('org_id', '=', orgId)
    .where('id', '=', id)
    .execute();
}

/** @param at business ms */
export async function closeScheduleRow(trx: Trx, orgId: string, id: string, at: number): Promise<void> {
  await trx
    .updateTable('soundcloud_schedules')
    .set({ closed_at: new Date(at) })
    .where('org_id', '=', orgId)
    .where('id', '=', id)
    .where('closed_at', 'is', null)
    .execute();
}

/** Names the vendor's item at the parent: a submission keeps all ids, both the first address. */
export async function linkParent(
  trx: Trx,
  row: Pick<ScheduleRow, 'org_id' | 'parent_type' | 'parent_id'>,
  item: { scheduleId: string; calendarUrl: string },
): Promise<void> {
  if (row.parent_type === 'campaign') {
    await sql`update public.soundcloud_campaigns set ip_tracking_url = coalesce(ip_tracking_url, ${item.calendarUrl})
      where org_id = ${row.org_id} and id = ${row.parent_id}`.execute(trx);
    return;
  }
  await sql`update public.soundcloud_submissions
    set ip_tracking_url = coalesce(ip_tracking_url, ${item.calendarUrl}),
        ip_schedule_ids = case when ${item.scheduleId} = any (ip_schedule_ids) then ip_schedule_ids
          else array_append(ip_schedule_ids, ${item.scheduleId}) end
    where org_id = ${row.org_id} and id = ${row.parent_id}`.execute(trx);
}

/** One for each schedule, for ever: what makes a second request visible as one. */
export function intentKey(scheduleId: string): string {
  return `schedule:${scheduleId}`;
}

/** Stores what is about to be asked of the vendor; does nothing when it is stored. */
export async function storeIntent(
  trx: Trx,
  intent: { orgId: string; scheduleId: string; request: Record<string, unknown> },
): Promise<void> {
  await trx
    .insertInto('soundcloud_provider_intents')
    .values({
      org_id: intent.orgId,
      provider: PLANNER,
      action: 'schedule.create',
      idempotency_key: intentKey(intent.scheduleId),
      entity_type: 'schedule',
      entity_id: intent.scheduleId,
      request: jsonb(intent.request),
    })
    .onConflict((conflict) => conflict.columns(['org_id', 'idempotency_key']).doNothing())
    .execute();
}

export function findIntent(db: Queryable, orgId: string, scheduleId: string): Promise<IntentRow | undefined> {
  return db
    .selectFrom('soundcloud_provider_intents')
    .selectAll()
    .where('org_id', '=', orgId)
    .where('entity_id', '=', scheduleId)
    .where('idempotency_key', '=', intentKey(scheduleId))
    .executeTakeFirst();
}

/**
 * The request is about to leave. @param at business ms
 * @returns false when it may have left before: then it must not leave again
 */
export async function markIntentSent(
  trx: Trx,
  intent: { orgId: string; scheduleId: string; request: Record<string, unknown>; at: number },
): Promise<boolean> {
  const updated = await trx
    .updateTable('soundcloud_provider_intents')
    .set((eb) => ({
      status: 'sent',
      request: jsonb(intent.request),
      sent_at: new Date(intent.at),
      attempts: eb('attempts', '+', 1),
    }))
    .where('org_id', '=', intent.orgId)
    .where('idempotency_key', '=', intentKey(intent.scheduleId))
    .where('status', '=', 'intended')
    .returning('id')
    .executeTakeFirst();
  return updated !== undefined;
}

/** @param at business ms */
export async function patchIntent(
  trx: Trx,
  intent: {
    orgId: string;
    scheduleId: string;
    patch: IntentPatch;
    externalId: string | null;
    response: Record<string, unknown> | null;
    at: number;
  },
): Promise<void> {
  const { patch, externalId, response } = intent;
  const over = patch.status !== 'intended' && patch.status !== 'unknown';
  await trx
    .updateTable('soundcloud_provider_intents')
    .set({
      status: patch.status,
      ...(patch.error !== undefined && { error: patch.error }),
      ...(patch.resolvedBy !== undefined && { resolved_by: patch.resolvedBy }),
      ...(externalId !== null && { external_id: externalId }),
      ...(response !== null && {
        response: sql`coalesce(response, '{}'::jsonb) || ${jsonb(response)}` as never,
      }),
      resolved_at: over ? new Date(intent.at) : null,
    })
    .where('org_id', '=', intent.orgId)
    .where('idempotency_key', '=', intentKey(intent.scheduleId))
    .execute();
}

/** Evidence is kept with the intent, oldest first. */
export async function addLook(
  trx: Trx,
  look: { orgId: string; scheduleId: string; facts: Record<string, unknown> },
): Promise<void> {
  await sql`
    update public.soundcloud_provider_intents
    set response = coalesce(response, '{}'::jsonb)
      || jsonb_build_object('looks', coalesce(response -> 'looks', '[]'::jsonb) || ${jsonb([look.facts])})
    where org_id = ${look.orgId} and idempotency_key = ${intentKey(look.scheduleId)}`.execute(trx);
}

/** What became of a webhook. Real time. */
export async function settleReceipt(
  trx: Trx,
  receipt: { orgId: string; id: string; outcome: 'applied' | 'ignored'; error?: string },
): Promise<void> {
  await trx
    .updateTable('soundcloud_webhook_receipts')
    .set({ processed_at: new Date(), outcome: receipt.outcome, error: receipt.error ?? null })
    .where('org_id', '=', receipt.orgId)
    .where('id', '=', receipt.id)
    .where('processed_at', 'is', null)
    .execute();
}

/** The schedule is closed: webhooks on their way to it come too late. */
export async function ignoreLeftReceipts(trx: Trx, orgId: string, scheduleId: string): Promise<void> {
  await sql`
    update public.soundcloud_webhook_receipts r
    set processed_at = clock_timestamp(), outcome = 'ignored'
    from public.soundcloud_events e
    where e.org_id = ${orgId} and e.entity_id = ${scheduleId} and e.type = 'schedule.webhook_received'
      and r.org_id = e.org_id and r.id = (e.data ->> 'receipt_id')::uuid and r.processed_at is null`.execute(
    trx,
  );
}

const order = (column: 'created_at' | 'scheduled_at', direction: KeysetOrder['direction']): KeysetOrder => ({
  column: `soundcloud_schedules.${column}`,
  id: 'soundcloud_schedules.id',
  type: 'timestamptz',
  direction,
});

export const SCHEDULE_ORDERS = {
  '-created_at': order('created_at', 'desc'),
  '-scheduled_at': order('scheduled_at', 'desc'),
  scheduled_at: order('scheduled_at', 'asc'),
} as const;

export interface ScheduleFilter {
  statuses?: readonly SoundcloudScheduleStatus[] | undefined;
  parentType?: 'campaign' | 'submission' | undefined;
  parentId?: string | undefined;
  assignmentId?: string | undefined;
  open?: boolean | undefined;
}

/** One row more than `limit` when there is a next page. */
export function listSchedules(
  db: Queryable,
  orgId: string,
  filter: ScheduleFilter,
  page: { order: KeysetOrder; after: Keyset | undefined; limit: number },
): Promise<(ScheduleRow & { sort_key: string | null })[]> {
  const { statuses, parentType, parentId, assignmentId, open } = filter;
  const { after } = page;
  return db
    .selectFrom('soundcloud_schedules')
    .selectAll('soundcloud_schedules')
    .select(sortKey(page.order).as('sort_key'))
    .where('org_id', '=', orgId)
    .$if(statuses !== undefined, (query) => query.where('status', 'in', statuses ?? []))
    .$if(parentType !== undefined, (query) => query.where('parent_type', '=', parentType ?? ''))
    .$if(parentId !== undefined, (query) => query.where('parent_id', '=', parentId ?? ''))
    .$if(assignmentId !== undefined, (query) => query.where('assignment_id', '=', assignmentId ?? ''))
    .$if(open === true, (query) => query.where('closed_at', 'is', null))
    .$if(open === false, (query) => query.where('closed_at', 'is not', null))
    .$if(after !== undefined, (query) => query.where(behind(page.order, after ?? { value: null, id: '' })))
    .orderBy(keysetOrderBy(page.order))
    .limit(page.limit + 1)
    .execute();
}

export function findSchedule(db: Queryable, orgId: string, id: string): Promise<ScheduleRow | undefined> {
  return db
    .selectFrom('soundcloud_schedules')
    .selectAll()
    .where('org_id', '=', orgId)
    .where('id', '=', id)
    .executeTakeFirst();
}

/** A webhook of the vendor, its signature checked, as the database takes it. Call this as the login. */
export async function receiveScheduleWebhook(
  db: Queryable,
  webhook: {
    id: string;
    type: string;
    payload: unknown;
    scheduleId: string | null;
    handle: string | null;
    mediaUrl: string | null;
    report: Record<string, unknown>;
  },
): Promise<'taken' | 'repeated' | 'ignored' | 'unknown'> {
  const { id, type, payload, scheduleId, handle, mediaUrl, report } = webhook;
  const { rows } = await sql<{ outcome: 'taken' | 'repeated' | 'ignored' | 'unknown' }>`
    select private.api_receive_schedule_webhook(${id}, ${type}, ${jsonb(payload)}, ${scheduleId}, ${handle},
      ${mediaUrl}, ${jsonb(report)}) as outcome`.execute(db);
  const [row] = rows;
  if (row === undefined) throw new Error('private.api_receive_schedule_webhook gave no row.');
  return row.outcome;
}
