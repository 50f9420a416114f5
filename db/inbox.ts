/** The ops inbox: everything that waits for somebody, soonest due first. */
import { type Selectable, sql } from 'kysely';
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
 * The label names the track of a submission, or member and amount of a credit change.
 */
export function listInbox(
  db: Queryable,
  orgId: string,
  filter: InboxFilter,
  page: { after: Keyset | undefined; limit: number },
): Promise<InboxRow[]> {
  const { after } = page;
  return db
    .selectFrom('soundcloud_waits as wait')
    .leftJoin('soundcloud_submissions as submission', (join) =>
      join
        .onRef('submission.org_id', '=', 'wait.org_id')
        .onRef('submission.id', '=', 'wait.entity_id')
        .on('wait.entity_type', '=', 'submission'),
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
      sql<string | null>`coalesce(
        nullif(concat_ws(' – ', submission.artist_name, submission.track_name), ''), submission.track_url,
        member.name || ': ' || to_char(change.amount, 'FMSG9999999') || ' credits')`.as('label'),
      sql<string | null>`wait.due_at::text`.as('sort_key'),
    ])
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
    .orderBy(sql`wait.due_at asc nulls last, wait.entity_id asc`)
    .limit(page.limit + 1)
    .execute();
}

/** An entity has one workflow, hence one wait: its id breaks ties. */
function behindWait(key: Keyset) {
  return key.value === null
    ? sql<boolean>`(wait.due_at is null and wait.entity_id > ${key.id}::uuid)`
    : sql<boolean>`(wait.due_at > ${key.value}::timestamptz or (wait.due_at = ${key.value}::timestamptz and wait.entity_id > ${key.id}::uuid) or wait.due_at is null)`;
}
