/** Submissions as people read them: lists by keyset, and one with what its review waits for. */
import { type Insertable, type Selectable, sql } from 'kysely';
import type { Queryable } from './client.js';
import { behind, type Keyset, type KeysetOrder, keysetOrderBy, sortKey } from './keyset.js';
import { memberNameOf } from './members.js';
import type { SoundcloudSubmissionStatus, SoundcloudSubmissions, SoundcloudWaits } from './schema.js';

export type SubmissionListRow = Selectable<SoundcloudSubmissions> & {
  /** Null for imported history, and where the caller may not read members. */
  member_name: string | null;
};
export type WaitRow = Selectable<SoundcloudWaits>;

const order = (
  column: 'created_at' | 'submitted_at' | 'support_date',
  type: KeysetOrder['type'],
  direction: KeysetOrder['direction'],
): KeysetOrder => ({
  column: `soundcloud_submissions.${column}`,
  id: 'soundcloud_submissions.id',
  type,
  direction,
  nullable: column === 'support_date',
});

export const SUBMISSION_ORDERS = {
  '-created_at': order('created_at', 'timestamptz', 'desc'),
  created_at: order('created_at', 'timestamptz', 'asc'),
  '-submitted_at': order('submitted_at', 'timestamptz', 'desc'),
  submitted_at: order('submitted_at', 'timestamptz', 'asc'),
  '-support_date': order('support_date', 'date', 'desc'),
  support_date: order('support_date', 'date', 'asc'),
} as const;

export interface SubmissionFilter {
  statuses?: readonly SoundcloudSubmissionStatus[] | undefined;
  memberId?: string | undefined;
  ownerId?: string | undefined;
  supportDate?: string | undefined;
  /** True: only what is neither closed nor imported history. */
  open?: boolean | undefined;
}

const MEMBER_NAME = memberNameOf({
  org: sql.ref('soundcloud_submissions.org_id'),
  member: sql.ref('soundcloud_submissions.member_id'),
});

const UNDECIDED: readonly SoundcloudSubmissionStatus[] = ['new', 'pending', 'qa_flag'];

/** One row more than `limit` when there is a next page. */
export function listSubmissions(
  db: Queryable,
  orgId: string,
  filter: SubmissionFilter,
  page: { order: KeysetOrder; after: Keyset | undefined; limit: number },
): Promise<(SubmissionListRow & { sort_key: string | null })[]> {
  const { statuses, memberId, ownerId, supportDate, open } = filter;
  const { after } = page;
  const undecidedOnly = statuses?.every((status) => UNDECIDED.includes(status)) === true;
  return (
    db
      .selectFrom('soundcloud_submissions')
      .selectAll('soundcloud_submissions')
      .select([sortKey(page.order).as('sort_key'), MEMBER_NAME.as('member_name')])
      .where('soundcloud_submissions.org_id', '=', orgId)
      .$if(statuses !== undefined, (query) => query.where('status', 'in', statuses ?? []))
      // Spelt out: under row-level security only the partial index's own predicate lets the planner use it.
      .$if(undecidedOnly, (query) => query.where(sql<boolean>`status in ('new', 'pending', 'qa_flag')`))
      .$if(memberId !== undefined, (query) => query.where('member_id', '=', memberId ?? ''))
      .$if(ownerId !== undefined, (query) => query.where('owner_id', '=', ownerId ?? ''))
      .$if(supportDate !== undefined, (query) =>
        query.where(sql<boolean>`support_date = ${supportDate}::date`),
      )
      .$if(open === true, (query) => query.where('closed_at', 'is', null).where('imported_at', 'is', null))
      .$if(open === false, (query) =>
        query.where((eb) => eb.or([eb('closed_at', 'is not', null), eb('imported_at', 'is not', null)])),
      )
      .$if(after !== undefined, (query) => query.where(behind(page.order, after ?? { value: null, id: '' })))
      .orderBy(keysetOrderBy(page.order))
      .limit(page.limit + 1)
      .execute()
  );
}

export function findSubmission(
  db: Queryable,
  orgId: string,
  id: string,
): Promise<SubmissionListRow | undefined> {
  return db
    .selectFrom('soundcloud_submissions')
    .selectAll()
    .select(MEMBER_NAME.as('member_name'))
    .where('org_id', '=', orgId)
    .where('id', '=', id)
    .executeTakeFirst();
}

/** What the lifecycle of an entity waits for; undefined when nothing, or when the caller may not see it. */
export function waitOfEntity(
  db: Queryable,
  orgId: string,
  entityType: 'submission' | 'queue' | 'schedule',
  entityId: string,
): Promise<WaitRow | undefined> {
  return (
    db
      .selectFrom('soundcloud_waits')
      .selectAll()
      .where('org_id', '=', orgId)
      // Attribution waits under a submission's id too, as another type.
      .where('entity_type', '=', entityType)
      .where('entity_id', '=', entityId)
      .executeTakeFirst()
  );
}

/** Writes a new submission; triggers set its state and time, check the quota and put it into the outbox. */
export function insertSubmission(
  db: Queryable,
  row: Pick<
    Insertable<SoundcloudSubmissions>,
    'org_id' | 'member_id' | 'track_url' | 'artist_name' | 'track_name' | 'client_id' | 'service_type'
  >,
): Promise<{ id: string }> {
  return db.insertInto('soundcloud_submissions').values(row).returning('id').executeTakeFirstOrThrow();
}

/** Reposts of a submission that stayed up and were settled, and the credits they cost. */
export async function supportedCounts(
  db: Queryable,
  orgId: string,
  id: string,
): Promise<{ reposts: number; credits: number }> {
  const row = await db
    .selectFrom('soundcloud_queue_assignments')
    .select([
      sql<number>`count(*)::integer`.as('reposts'),
      // Frozen at publication, and exactly what is captured for it.
      sql<number>`coalesce(sum(credits_allocated), 0)::integer`.as('credits'),
    ])
    .where('org_id', '=', orgId)
    .where('submission_id', '=', id)
    .where('status', '=', 'completed')
    .where('settled_at', 'is not', null)
    .executeTakeFirstOrThrow();
  return row;
}
