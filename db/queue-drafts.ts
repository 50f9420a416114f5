/** `soundcloud_queue_drafts`: every version of a queue with what was dropped and why; the queue holds the current one. */
import { createHash } from 'node:crypto';
import { type Selectable, sql } from 'kysely';
import type { QueueInput, UnfilledDemand, UnusedSupporter } from '../domain/queue-generation-types.js';
import type { Queryable, Trx } from './client.js';
import { jsonb } from './json.js';
import { memberNameOf } from './members.js';
import type { DraftAssignment } from './queues.js';
import type { SoundcloudQueueDrafts } from './schema.js';

export type DraftCause =
  | 'generated'
  | 'regenerated'
  | 'swapped'
  | 'dropped'
  | 'added'
  | 'approved'
  | 'published';

/** A demand without a place, or not wholly met; besides the generator's codes `taken_out` and `not_published`. */
export type StoredUnfilled = Omit<UnfilledDemand, 'code'> & { code: string };

export interface NewDraft {
  queueId: string;
  revision: number;
  cause: DraftCause;
  assignments: readonly DraftAssignment[];
  unfilled: readonly StoredUnfilled[];
  /** Only with a generated draft: those of an edited one are the newest generated one's who have got no assignment. */
  unused: readonly UnusedSupporter[];
  explanation: object;
  inputHash: string | null;
  /** User of the org, or null for the product itself. */
  createdBy: string | null;
  /** Business ms. */
  at: number;
}

/** Without those who were not used, who may be ten thousand: see {@link listUnused}. */
const DRAFT_COLUMNS = [
  'revision',
  'cause',
  'created_by',
  'generated_at',
  'input_hash',
  'assignments',
  'unfilled',
  'explanation',
] as const;

export type DraftRow = Omit<
  Pick<Selectable<SoundcloudQueueDrafts>, (typeof DRAFT_COLUMNS)[number]>,
  'assignments' | 'unfilled'
> & {
  assignments: DraftAssignment[];
  unfilled: StoredUnfilled[];
};

export async function insertDraft(trx: Trx, orgId: string, draft: NewDraft): Promise<void> {
  await trx
    .insertInto('soundcloud_queue_drafts')
    .values({
      org_id: orgId,
      queue_id: draft.queueId,
      revision: draft.revision,
      cause: draft.cause,
      assignments: jsonb(draft.assignments),
      unfilled: jsonb(draft.unfilled),
      unused: jsonb(draft.unused),
      explanation: jsonb(draft.explanation),
      input_hash: draft.inputHash,
      created_by: draft.createdBy,
      generated_at: new Date(draft.at),
    })
    .execute();
}

/** The draft of a revision; left out: the newest. */
export async function loadDraft(
  db: Queryable,
  orgId: string,
  queueId: string,
  revision?: number,
): Promise<DraftRow | undefined> {
  const row = await db
    .selectFrom('soundcloud_queue_drafts')
    .select(DRAFT_COLUMNS)
    .where('org_id', '=', orgId)
    .where('queue_id', '=', queueId)
    .$if(revision !== undefined, (query) => query.where('revision', '=', revision ?? 0))
    .orderBy('revision', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row as unknown as DraftRow | undefined;
}

/** The newest draft the generator made. */
export async function loadGeneratedDraft(
  db: Queryable,
  orgId: string,
  queueId: string,
  upTo: number,
): Promise<DraftRow | undefined> {
  const row = await db
    .selectFrom('soundcloud_queue_drafts')
    .select(DRAFT_COLUMNS)
    .where('org_id', '=', orgId)
    .where('queue_id', '=', queueId)
    .where('cause', 'in', ['generated', 'regenerated'])
    .where('revision', '<=', upTo)
    .orderBy('revision', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row as unknown as DraftRow | undefined;
}

/**
 * Supporters whom the newest generated draft did not use, nor the version since, in the order of their ids; one more than
 * `limit` when there is a next page.
 * @param filter.code only those with this reason
 * @param filter.revision as of this version; left out: of the queue as it is, with what came after publishing
 */
export async function listUnused(
  db: Queryable,
  orgId: string,
  queue: { id: string; revision: number },
  filter: { code?: string | undefined; revision?: number | undefined },
  page: { after: string | undefined; limit: number },
): Promise<(UnusedSupporter & { member_name: string | null })[]> {
  const { revision = queue.revision } = filter;
  const { rows } = await sql<UnusedSupporter & { member_name: string | null }>`
    with generated as (
      select unused from public.soundcloud_queue_drafts
      where org_id = ${orgId} and queue_id = ${queue.id} and cause in ('generated', 'regenerated')
        and revision <= ${revision}
      order by revision desc limit 1
    ), used as (
      select a.supporter_id
      from public.soundcloud_queue_drafts draft, jsonb_to_recordset(draft.assignments) as a (supporter_id uuid)
      where draft.org_id = ${orgId} and draft.queue_id = ${queue.id} and draft.revision = ${revision}
      union
      select a.supporter_id from public.soundcloud_queue_assignments a
      where a.org_id = ${orgId} and a.queue_id = ${queue.id} and ${filter.revision === undefined}
    )
    select r.member_id, r.code, r.facts,
      ${memberNameOf({ org: sql`${orgId}`, member: sql.ref('r.member_id') })} as member_name
    from generated, jsonb_to_recordset(generated.unused) as r (member_id uuid, code text, facts jsonb)
    where (${filter.code ?? null}::text is null or r.code = ${filter.code ?? null})
      and (${page.after ?? null}::uuid is null or r.member_id > ${page.after ?? null}::uuid)
      and not exists (select from used where used.supporter_id = r.member_id)
    order by r.member_id
    limit ${page.limit + 1}`.execute(db);
  return rows;
}

/** When the queue was generated for the present cut-off, business ms; null before. */
export async function generatedAt(db: Queryable, orgId: string, queueId: string): Promise<number | null> {
  const { rows } = await sql<{ at: Date | null }>`
    select max(generated_at) as at from public.soundcloud_queue_drafts
    where org_id = ${orgId} and queue_id = ${queueId} and cause = 'generated'`.execute(db);
  return rows[0]?.at?.getTime() ?? null;
}

/** When the generator made the newest draft, for the first time or anew; business ms, null before. */
export async function lastMadeAt(db: Queryable, orgId: string, queueId: string): Promise<number | null> {
  const { rows } = await sql<{ at: Date | null }>`
    select max(generated_at) as at from public.soundcloud_queue_drafts
    where org_id = ${orgId} and queue_id = ${queueId} and cause in ('generated', 'regenerated')`.execute(db);
  return rows[0]?.at?.getTime() ?? null;
}

/** Names what a draft was made from, without the moment: two drafts with the same hash saw the same facts. */
export function hashOfInput({ now: _now, earliest: _earliest, ...input }: QueueInput): string {
  return createHash('sha256').update(JSON.stringify(input)).digest('hex');
}
