/** `soundcloud_queue_drafts`: every version of a queue with what was dropped and why; the queue holds the current one. */
import { createHash } from 'node:crypto';
import { type Selectable, sql } from 'kysely';
import type { QueueInput, UnfilledDemand, UnusedSupporter } from '../domain/queue-generation-types.js';
import type { Queryable, Trx } from './client.js';
import { jsonb } from './json.js';
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

export type DraftRow = Omit<Selectable<SoundcloudQueueDrafts>, 'assignments' | 'unfilled' | 'unused'> & {
  assignments: DraftAssignment[];
  unfilled: StoredUnfilled[];
  unused: UnusedSupporter[];
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
    .selectAll()
    .where('org_id', '=', orgId)
    .where('queue_id', '=', queueId)
    .$if(revision !== undefined, (query) => query.where('revision', '=', revision ?? 0))
    .orderBy('revision', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row as unknown as DraftRow | undefined;
}

/** The newest draft the generator made: with everybody who was not used, and why. */
export async function loadGeneratedDraft(
  db: Queryable,
  orgId: string,
  queueId: string,
  upTo: number,
): Promise<DraftRow | undefined> {
  const row = await db
    .selectFrom('soundcloud_queue_drafts')
    .selectAll()
    .where('org_id', '=', orgId)
    .where('queue_id', '=', queueId)
    .where('cause', 'in', ['generated', 'regenerated'])
    .where('revision', '<=', upTo)
    .orderBy('revision', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row as unknown as DraftRow | undefined;
}

/** When the queue was generated for the present cut-off, business ms; null before. */
export async function generatedAt(db: Queryable, orgId: string, queueId: string): Promise<number | null> {
  const { rows } = await sql<{ at: Date | null }>`
    select max(generated_at) as at from public.soundcloud_queue_drafts
    where org_id = ${orgId} and queue_id = ${queueId} and cause = 'generated'`.execute(db);
  return rows[0]?.at?.getTime() ?? null;
}

/** Names what a draft was made from, without the moment: two drafts with the same hash saw the same facts. */
export function hashOfInput({ now: _now, earliest: _earliest, ...input }: QueueInput): string {
  return createHash('sha256').update(JSON.stringify(input)).digest('hex');
}
