/** Loads the facts the target builder judges by, in a few set-based queries whatever the number of supporters. */
import { sql } from 'kysely';
import { DAY_MS } from '../domain/calendar.js';
import { handleKey } from '../domain/targeting-exclusions.js';
import type { TargetCandidate, TargetTrack } from '../domain/targeting-types.js';
import type { Trx } from './client.js';
import type { SubmissionRow } from './submissions.js';

export interface CandidateQuestion {
  orgId: string;
  trackUrl: string;
  /** SoundCloud handles of the artist. */
  artistHandles: string[];
  /** Submitting member; null for a campaign. */
  memberId: string | null;
  /** The submission the candidates are for; null for a campaign. Its own places in a draft are no reposts. */
  submissionId: string | null;
  /** Business ms. */
  now: number;
  /** Date (`YYYY-MM-DD`) whose assignments count against the daily cap, and the zone it is a date in. */
  supportDate: string;
  timezone: string;
  reliabilityDays: number;
  /** Days of history that any rule looks at; what is older is not read. */
  historyDays: number;
}

interface CandidateRow {
  member_id: string;
  account_id: string | null;
  handle: string | null;
  followers: number;
  reach_factor: number | null;
  tier: TargetCandidate['tier'];
  credits_cap: number;
  status: string;
  account_status: string | null;
  last_activity_at: Date | null;
  genres: TargetCandidate['genres'];
  avoided_handles: string[];
  last_same_track_at: Date | null;
  last_same_artist_at: Date | null;
  last_pair_at: Date | null;
  assignments_on_date: number;
  completed: number;
  failed: number;
  last_assignment_at: Date | null;
}

/**
 * Every repost the org's members had or have to do since an instant, one row each (member_id, artist_id, track_url,
 * status, at): assignments of queues and schedules of campaigns, which have no artist among the members.
 * @param except what is left out: the assignments of a queue, or those a submission has in a draft, which promises
 * nobody anything yet.
 */
export function dutySql(
  orgId: string,
  since: Date,
  except: { queueId?: string | null; draftOf?: string | null } = {},
) {
  const { queueId = null, draftOf = null } = except;
  return sql`
      select a.supporter_id as member_id, s.member_id as artist_id, s.track_url, a.status,
        a.slot_at as at
      from public.soundcloud_queue_assignments a
      join public.soundcloud_submissions s on s.org_id = a.org_id and s.id = a.submission_id
      where a.org_id = ${orgId} and a.slot_at >= ${since}
        and a.queue_id is distinct from ${queueId}::uuid
        and not (a.submission_id is not distinct from ${draftOf}::uuid and exists (
          select from public.soundcloud_queues q
          where q.org_id = a.org_id and q.id = a.queue_id and q.status <> 'published'))
      union all
      select account.member_id, null, campaign.track_url,
        case item.status when 'completed' then 'completed' when 'failed' then 'failed'
          when 'cancelled' then 'skipped' else 'assigned' end,
        coalesce(item.completed_at, item.scheduled_at)
      from public.soundcloud_schedules item
      join public.soundcloud_member_accounts account on account.org_id = item.org_id and account.id = item.member_account_id
      join public.soundcloud_campaigns campaign on campaign.org_id = item.org_id and campaign.id = item.parent_id
      where item.org_id = ${orgId} and item.parent_type = 'campaign'
        and coalesce(item.completed_at, item.scheduled_at) >= ${since}`;
}

/** Genres of every member by name: member_id, genres (jsonb). */
export function memberGenresSql(orgId: string) {
  return sql`
      select g.member_id, jsonb_agg(jsonb_build_object('family', f.name, 'subgenre', sub.name)) as genres
      from public.soundcloud_member_genres g
      join public.soundcloud_genre_families f on f.org_id = g.org_id and f.id = g.genre_family_id
      left join public.soundcloud_subgenres sub on sub.org_id = g.org_id and sub.id = g.subgenre_id
      where g.org_id = ${orgId} group by g.member_id`;
}

/** Avoid list of every member: member_id, handles. */
export function avoidedHandlesSql(orgId: string) {
  return sql`
      select member_id, array_agg(avoided_handle) as handles
      from public.soundcloud_avoid_list_items
      where org_id = ${orgId} and platform = 'soundcloud' group by member_id`;
}

/** What the rules of targeting and of the queue ask of a member; from {@link MEMBERS}. */
export const MEMBER_COLUMNS = sql`m.id as member_id, account.id as account_id, account.handle,
      coalesce(account.follower_count, m.soundcloud_followers) as followers,
      m.reach_factor, m.size_tier as tier, wallet.cap as credits_cap, m.status,
      account.status as account_status, m.last_activity_at,
      coalesce(genres.genres, '[]') as genres, coalesce(avoided.handles, '{}') as avoided_handles`;

/** Members with a wallet, as `m`, beside CTEs `genres` and `avoided`: {@link memberGenresSql}, {@link avoidedHandlesSql}. */
export const MEMBERS = sql`public.soundcloud_members m
    join public.soundcloud_repost_credit_wallet wallet on wallet.org_id = m.org_id and wallet.member_id = m.id
    left join public.soundcloud_member_accounts account
      on account.org_id = m.org_id and account.member_id = m.id and account.platform = 'soundcloud'
    left join genres on genres.member_id = m.id
    left join avoided on avoided.member_id = m.id`;

/** Every member of the org with a wallet, as a candidate. Skipped and failed reposts are no reposts and start no cool-down. */
export async function loadCandidates(trx: Trx, question: CandidateQuestion): Promise<TargetCandidate[]> {
  const { orgId, trackUrl, artistHandles, memberId, submissionId, supportDate, timezone } = question;
  const historySince = new Date(question.now - question.historyDays * DAY_MS);
  const reliableSince = new Date(question.now - question.reliabilityDays * DAY_MS);
  const { rows } = await sql<CandidateRow>`
    with duty as (${dutySql(orgId, historySince, { draftOf: submissionId })}
    ), history as (
      select member_id,
        max(at) filter (where stands and track_url = ${trackUrl}) as last_same_track_at,
        max(at) filter (where stands and (artist_id = ${memberId}::uuid
          or split_part(track_url, '/', 4) = any (${artistHandles}::text[]))) as last_same_artist_at,
        max(at) filter (where stands and artist_id = ${memberId}::uuid) as last_supported_at,
        count(*) filter (where stands and (at at time zone ${timezone})::date = ${supportDate}::date)::int as assignments_on_date,
        count(*) filter (where status = 'completed' and at >= ${reliableSince})::int as completed,
        count(*) filter (where status = 'failed' and at >= ${reliableSince})::int as failed,
        max(at) as last_assignment_at
      from (select duty.*, status in ('assigned', 'completed') as stands from duty) as judged
      group by member_id
    ), received as (
      select artist_id as member_id, max(at) as last_received_at
      from duty where member_id = ${memberId}::uuid and status in ('assigned', 'completed') group by artist_id
    ), genres as (${memberGenresSql(orgId)}
    ), avoided as (${avoidedHandlesSql(orgId)}
    )
    select ${MEMBER_COLUMNS},
      history.last_same_track_at, history.last_same_artist_at,
      greatest(history.last_supported_at, received.last_received_at) as last_pair_at,
      coalesce(history.assignments_on_date, 0) as assignments_on_date,
      coalesce(history.completed, 0) as completed, coalesce(history.failed, 0) as failed,
      history.last_assignment_at
    from ${MEMBERS}
    left join history on history.member_id = m.id
    left join received on received.member_id = m.id
    where m.org_id = ${orgId}
    order by m.id`.execute(trx);
  return rows.map((row) => ({
    ...row,
    last_activity_at: row.last_activity_at?.getTime() ?? null,
    last_same_track_at: row.last_same_track_at?.getTime() ?? null,
    last_same_artist_at: row.last_same_artist_at?.getTime() ?? null,
    last_pair_at: row.last_pair_at?.getTime() ?? null,
    last_assignment_at: row.last_assignment_at?.getTime() ?? null,
  }));
}

/** A track that is, or might be, submitted. */
export type SubmittedTrack = Pick<SubmissionRow, 'id' | 'member_id' | 'track_url' | 'family' | 'subgenres'>;

/** The track of a submission with the submitting member's side. */
export async function loadTargetTrack(
  trx: Trx,
  orgId: string,
  submission: SubmittedTrack,
): Promise<TargetTrack> {
  const side =
    submission.member_id === null
      ? undefined
      : await trx
          .selectFrom('soundcloud_members as member')
          .leftJoin('soundcloud_member_accounts as account', (join) =>
            join
              .onRef('account.org_id', '=', 'member.org_id')
              .onRef('account.member_id', '=', 'member.id')
              .on('account.platform', '=', 'soundcloud'),
          )
          .select((select) => [
            'account.handle',
            select
              .selectFrom('soundcloud_avoid_list_items as item')
              .select(sql<string[]>`coalesce(array_agg(item.avoided_handle), '{}')`.as('handles'))
              .whereRef('item.org_id', '=', 'member.org_id')
              .whereRef('item.member_id', '=', 'member.id')
              .where('item.platform', '=', 'soundcloud')
              .as('avoided'),
          ])
          .where('member.org_id', '=', orgId)
          .where('member.id', '=', submission.member_id)
          .executeTakeFirst();
  const inUrl = new URL(submission.track_url).pathname.split('/')[1];
  const handles = [side?.handle, inUrl].filter((handle): handle is string => Boolean(handle));
  return {
    parent_type: 'submission',
    parent_id: submission.id,
    track_url: submission.track_url,
    family: submission.family,
    subgenres: submission.subgenres,
    member_id: submission.member_id,
    // As in canonical track URLs, against which they are matched in SQL.
    handles: [...new Set(handles.map(handleKey))],
    avoided_handles: side?.avoided ?? [],
  };
}

/** Credits the member can spend now; 0 without a wallet. */
export async function spendableBalance(trx: Trx, orgId: string, memberId: string): Promise<number> {
  const wallet = await trx
    .selectFrom('soundcloud_repost_credit_wallet')
    .select('balance')
    .where('org_id', '=', orgId)
    .where('member_id', '=', memberId)
    .executeTakeFirst();
  return wallet?.balance ?? 0;
}

/** Dates from `from` on that have a queue already. */
export async function draftedQueueDates(trx: Trx, orgId: string, from: string): Promise<Set<string>> {
  const rows = await trx
    .selectFrom('soundcloud_queues')
    .select('date')
    .where('org_id', '=', orgId)
    .where('date', '>=', sql<string>`${from}::date`)
    .execute();
  return new Set(rows.map((row) => row.date));
}
