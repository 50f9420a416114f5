/** The ops inbox: everything that waits for somebody, soonest due first. */
import { type Selectable, sql } from 'kysely';
import { PRIVATE_LINK } from '../domain/track-url.js';
import type { Queryable } from './client.js';
import type { Keyset } from './keyset.js';
import type { SoundcloudWaits } from './schema.js';

export type InboxRow = Selectable<SoundcloudWaits> & { label: string | null; sort_key: string | null };

export interface InboxFilter {
  waitingOn?: string | undefined;
  entityType?: string | undefined;
  breached?: boolean | undefined;
  stage?: string | undefined;
}

/**
 * By due time, paused and undated waits last; one row more than `limit` when there is a next page.
 * The label names the track of a submission, an assignment, a schedule or an attribution, a queue's date, or member and
 * amount of a credit change.
 */
export function listInbox(
  db: Queryable,
  orgId: string,
  filter: InboxFilter,
  page: { after: Keyset | undefined; limit: number },
): Promise<InboxRow[]> {
  const { after } = page;
  // The labels are looked up for the rows of the page only.
  const waits = db
    .selectFrom('soundcloud_waits as wait')
    .selectAll('wait')
    .where('wait.org_id', '=', orgId)
    .$if(filter.waitingOn !== undefined, (query) =>
      query.where('wait.waiting_on', '=', filter.waitingOn ?? ''),
    )
    .$if(filter.entityType !== undefined, (query) =>
      query.where('wait.entity_type', '=', filter.entityType ?? ''),
    )
    .$if(filter.stage !== undefined, (query) => query.where('wait.stage', '=', filter.stage ?? ''))
    .$if(filter.breached !== undefined, (query) =>
      query.where('wait.breached', '=', filter.breached === true),
    )
    .$if(after !== undefined, (query) => query.where(behindWait(after ?? { value: null, id: '' })))
    .orderBy(SOONEST_FIRST)
    .limit(page.limit + 1);
  return db
    .selectFrom(waits.as('wait'))
    .leftJoin('soundcloud_queue_assignments as assignment', (join) =>
      join
        .onRef('assignment.org_id', '=', 'wait.org_id')
        .onRef('assignment.id', '=', 'wait.entity_id')
        .on('wait.entity_type', '=', 'assignment'),
    )
    .leftJoin('soundcloud_schedules as schedule', (join) =>
      join
        .onRef('schedule.org_id', '=', 'wait.org_id')
        .onRef('schedule.id', '=', 'wait.entity_id')
        .on('wait.entity_type', '=', 'schedule'),
    )
    .leftJoin('soundcloud_submissions as submission', (join) =>
      join.onRef('submission.org_id', '=', 'wait.org_id').on(
        'submission.id',
        '=',
        sql<string>`case wait.entity_type when 'submission' then wait.entity_id
          when 'attribution' then wait.entity_id when 'assignment' then assignment.submission_id
          when 'schedule' then schedule.parent_id end`,
      ),
    )
    .leftJoin('soundcloud_queues as queue', (join) =>
      join
        .onRef('queue.org_id', '=', 'wait.org_id')
        .onRef('queue.id', '=', 'wait.entity_id')
        .on('wait.entity_type', '=', 'queue'),
    )
    .leftJoin('soundcloud_credit_change_requests as change', (join) =>
      join
        .onRef('change.org_id', '=', 'wait.org_id')
        .onRef('change.id', '=', 'wait.entity_id')
        .on('wait.entity_type', '=', 'credit_change'),
    )
    .leftJoin('soundcloud_members as member', (join) =>
      join.onRef('member.org_id', '=', 'change.org_id').onRef('member.id', '=', 'change.member_id'),
    )
    .selectAll('wait')
    .select([
      // Without the secret token of a private track.
      sql<string | null>`coalesce(
        nullif(concat_ws(' – ', submission.artist_name, submission.track_name), ''),
        regexp_replace(submission.track_url, ${PRIVATE_LINK}, '\\1'),
        'Queue of ' || queue.date,
        member.name || ': ' || to_char(change.amount, 'FMSG9999999') || ' credits')`.as('label'),
      sql<string | null>`wait.due_at::text`.as('sort_key'),
    ])
    .orderBy(SOONEST_FIRST)
    .execute();
}

const SOONEST_FIRST = sql`wait.due_at asc nulls last, wait.workflow_id asc`;

/** Ties are broken by the workflow's id: an entity may have several waits, as a submission and its attribution. */
function behindWait(key: Keyset) {
  return key.value === null
    ? sql<boolean>`(wait.due_at is null and wait.workflow_id > ${key.id})`
    : sql<boolean>`(wait.due_at > ${key.value}::timestamptz or (wait.due_at = ${key.value}::timestamptz and wait.workflow_id > ${key.id}) or wait.due_at is null)`;
}
