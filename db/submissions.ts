/** What the submission review reads and writes of `soundcloud_submissions`. */
import { type Selectable, sql, type Updateable } from 'kysely';
import { DAY_MS } from '../domain/calendar.js';
import type { GenreClassification } from '../domain/genre.js';
import type { SubmissionPatch } from '../domain/submission-review.js';
import type { Trx } from './client.js';
import type { SoundcloudSubmissions } from './schema.js';

export type SubmissionRow = Selectable<SoundcloudSubmissions>;

/** @param lock true to keep others from changing the row until the transaction ends. */
export async function loadSubmission(
  trx: Trx,
  orgId: string,
  id: string,
  options: { lock?: boolean } = {},
): Promise<SubmissionRow | undefined> {
  const query = trx
    .selectFrom('soundcloud_submissions')
    .selectAll()
    .where('org_id', '=', orgId)
    .where('id', '=', id);
  return (options.lock ? query.forUpdate() : query).executeTakeFirst();
}

/** Writes the columns a transition names. Users who are not of the org (or not users at all) are stored as null. */
export async function patchSubmission(
  trx: Trx,
  orgId: string,
  id: string,
  patch: SubmissionPatch,
): Promise<void> {
  const { decided_at, withdrawn_at, support_ended_at, decided_by, owner_id, ...plain } = patch;
  const columns: Updateable<SoundcloudSubmissions> = {
    ...plain,
    ...(decided_at !== undefined && { decided_at: decided_at === null ? null : new Date(decided_at) }),
    ...(withdrawn_at !== undefined && { withdrawn_at: new Date(withdrawn_at) }),
    ...(support_ended_at !== undefined && { support_ended_at: new Date(support_ended_at) }),
    ...(decided_by !== undefined && { decided_by: await orgUser(trx, orgId, decided_by) }),
    ...(owner_id !== undefined && { owner_id: await orgUser(trx, orgId, owner_id) }),
    ...(patch.status === 'qa_flag' && { qa_flag: true }),
    ...(patch.status !== undefined && patch.status !== 'qa_flag' && { qa_flag: false }),
  };
  if (Object.keys(columns).length === 0) return;
  await trx
    .updateTable('soundcloud_submissions')
    .set(columns)
    // Subgenres belong to a family: ops who name another one have not named any.
    .$if(patch.family !== undefined, (query) =>
      query.set({
        subgenres: sql<string[]>`case when family = ${patch.family} then subgenres else '{}'::text[] end`,
      }),
    )
    .where('org_id', '=', orgId)
    .where('id', '=', id)
    .execute();
}

export interface RecordedTrack {
  url: string;
  urn: string;
  title: string;
  artistName: string;
}

/**
 * Fills in what was learnt of the track. What somebody entered by hand stays; the URL changes only from a short link
 * to what it stands for. After a live link it is the link's track that was read: the submitted address stays.
 * @param flag reason for qa_flag, null to leave the status alone.
 */
export async function recordTrackFacts(
  trx: Trx,
  submission: SubmissionRow,
  facts: { track: RecordedTrack | null; genre: GenreClassification | null; flag: string | null },
): Promise<void> {
  const { track, genre, flag } = facts;
  // A live link may lead to another upload: its genre counts. Until a decision nobody but us has placed the track.
  const live = submission.live_link_url !== null;
  const place = submission.family === null || (live && submission.decided_at === null);
  const columns: Updateable<SoundcloudSubmissions> = {
    ...(track !== null && {
      ...(live ? { live_link_url: track.url } : { track_url: track.url }),
      track_urn: track.urn,
      track_name: submission.track_name ?? track.title,
      artist_name: submission.artist_name ?? track.artistName,
    }),
    ...(genre !== null && place && { family: genre.family, subgenres: genre.subgenres }),
    ...(flag !== null && { status: 'qa_flag' as const, qa_flag: true, qa_reason: flag }),
  };
  if (Object.keys(columns).length === 0) return;
  await trx
    .updateTable('soundcloud_submissions')
    .set(columns)
    .where('org_id', '=', submission.org_id)
    .where('id', '=', submission.id)
    .execute();
}

/** Gives the month's submission slot back to the member. @param at business ms. */
export async function returnSubmissionSlot(trx: Trx, orgId: string, id: string, at: number): Promise<void> {
  await trx
    .updateTable('soundcloud_submissions')
    .set({ slot_returned_at: new Date(at) })
    .where('org_id', '=', orgId)
    .where('id', '=', id)
    .where('slot_returned_at', 'is', null)
    .execute();
}

/** The row is terminal. @param at business ms. */
export async function closeSubmission(trx: Trx, orgId: string, id: string, at: number): Promise<void> {
  await trx
    .updateTable('soundcloud_submissions')
    .set({ closed_at: new Date(at) })
    .where('org_id', '=', orgId)
    .where('id', '=', id)
    .where('closed_at', 'is', null)
    .execute();
}

/** Whether a user is admin or moderator of the org. */
export async function isOpsUser(trx: Trx, orgId: string, userId: string): Promise<boolean> {
  const row = await trx
    .selectFrom('soundcloud_user_roles')
    .select('id')
    .where('org_id', '=', orgId)
    .where('user_id', '=', userId)
    .where('role', 'in', ['admin', 'moderator'])
    .executeTakeFirst();
  return row !== undefined;
}

/** The id when it is a user of the org, else null: a command typed into the Temporal UI may name anybody. */
export async function orgUser(trx: Trx, orgId: string, userId: string | null): Promise<string | null> {
  if (userId === null) return null;
  const row = await trx
    .selectFrom('memberships')
    .select('user_id')
    .where('org_id', '=', orgId)
    .where(sql`user_id::text`, '=', userId)
    .executeTakeFirst();
  return row?.user_id ?? null;
}

/**
 * The newest other submission of the same member and track that stands, within the days in which it counts as a
 * duplicate; null when there is none. A short link shows only when it is resolved which track it was.
 */
export async function olderDuplicate(
  trx: Trx,
  submission: SubmissionRow,
  trackUrl: string,
  duplicateDays: number,
): Promise<string | null> {
  if (submission.member_id === null) return null;
  const row = await trx
    .selectFrom('soundcloud_submissions')
    .select('id')
    .where('org_id', '=', submission.org_id)
    .where('member_id', '=', submission.member_id)
    .where('track_url', '=', trackUrl)
    .where('id', '!=', submission.id)
    .where('submitted_at', '<=', submission.submitted_at)
    .where('submitted_at', '>', new Date(submission.submitted_at.getTime() - duplicateDays * DAY_MS))
    .where('status', '!=', 'rejected')
    .orderBy('submitted_at', 'desc')
    .executeTakeFirst();
  return row?.id ?? null;
}
