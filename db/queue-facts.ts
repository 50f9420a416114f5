/**
 * Loads everything one daily queue is made from (rules.md, "Queue generation"), in a handful of set-based queries
 * whatever the size of the network: open demand, supporters, wallets, taken slots and the history behind cool-downs.
 */
import { type RawBuilder, sql } from 'kysely';
import { addDays, DAY_MS, HOUR_MS, startOfDate } from '../domain/calendar.js';
import type {
  QueueInput,
  QueueSubmission,
  QueueSupporter,
  StandingRepost,
  TakenSlot,
} from '../domain/queue-generation-types.js';
import { type OrgSettings, queueSettings } from '../domain/settings.js';
import { handleKey } from '../domain/targeting-exclusions.js';
import type { Trx } from './client.js';
import { avoidedHandlesSql, dutySql, MEMBER_COLUMNS, MEMBERS, memberGenresSql } from './targeting.js';

export interface QueueQuestion {
  orgId: string;
  /** `YYYY-MM-DD` in the org's timezone. */
  date: string;
  /** Business ms. */
  now: number;
  /** Business ms before which no slot may lie. */
  earliest: number;
  settings: OrgSettings;
  /**
   * The queue the facts are for, when its row exists: its own assignments are no history, take no slot and meet no
   * demand. Null to count every assignment there is: for a backfill, whose queue stands.
   */
  queueId: string | null;
  /** Left out: all submissions with open demand. Given: these, whether or not they have been served before. */
  submissionIds?: readonly string[];
  /**
   * Left out: the whole network. Given: these supporters, with what their reposts, and those of the members who submit,
   * say about pairs with them.
   */
  supporterIds?: readonly string[];
}

export interface QueueFactsFound {
  input: QueueInput;
  /** By submission: the skipped or failed assignments that wait for a replacement, in the order they were settled. */
  owed: Map<string, string[]>;
}

interface DemandRow extends Omit<QueueSubmission, 'handles' | 'submitted_at' | 'demand'> {
  handle: string | null;
  submitted_at: Date;
  served_before: boolean;
  owed: string[];
}

interface SupporterRow extends Omit<QueueSupporter, 'last_activity_at' | 'last_assignment_at'> {
  last_activity_at: Date | null;
  last_assignment_at: Date | null;
}

/** @returns the generator's input and which assignments are to be replaced. */
export async function loadQueueFacts(trx: Trx, question: QueueQuestion): Promise<QueueFactsFound> {
  const { orgId, date, now, earliest, settings } = question;
  const demand = await loadDemand(trx, question);
  const supporters = await loadSupporters(trx, question);
  const artists = demand.map((row) => row.member_id).filter((id) => id !== null);
  const history = await loadHistory(trx, question, artists);
  const taken = await loadTakenSlots(trx, question);
  const balances = await loadBalances(trx, orgId, artists);
  return {
    owed: owedOf(demand),
    input: {
      org_id: orgId,
      date,
      timezone: settings.timezone,
      now,
      earliest,
      settings: queueSettings(settings),
      submissions: demand.map(submissionOf),
      supporters,
      balances,
      taken,
      history,
    },
  };
}

/** Only which assignments are to be replaced, for these submissions: see {@link QueueFactsFound}. */
export async function loadOwed(
  trx: Trx,
  question: QueueQuestion & { submissionIds: readonly string[] },
): Promise<QueueFactsFound['owed']> {
  return owedOf(await loadDemand(trx, question));
}

function owedOf(demand: readonly DemandRow[]): QueueFactsFound['owed'] {
  return new Map(demand.map((row) => [row.id, row.owed]));
}

/**
 * Approved submissions that still ask for something: their first queue, or a replacement for each skipped or failed
 * assignment that was settled and that no other assignment replaces.
 */
async function loadDemand(trx: Trx, question: QueueQuestion): Promise<DemandRow[]> {
  const { orgId, date, queueId, submissionIds } = question;
  const only = submissionIds === undefined ? null : [...submissionIds];
  const { rows } = await sql<DemandRow>`
    with due as (
      select s.id, s.member_id, s.track_url, s.family, s.subgenres, s.support_date, s.submitted_at, s.shift_count
      from public.soundcloud_submissions s
      where s.org_id = ${orgId} and s.status = 'approved' and s.closed_at is null and s.imported_at is null
        and s.withdrawn_at is null and s.support_ended_at is null and s.support_date <= ${date}::date
        and (${only}::uuid[] is null or s.id = any (${only}::uuid[]))
    ), asked as (
      select a.submission_id, array_agg(distinct a.supporter_id order by a.supporter_id) as supporters
      from public.soundcloud_queue_assignments a
      join due on due.id = a.submission_id
      where a.org_id = ${orgId} and a.queue_id is distinct from ${queueId}::uuid
      group by a.submission_id
    ), owed as (
      select a.submission_id, array_agg(a.id order by a.settled_at, a.id) as assignments
      from public.soundcloud_queue_assignments a
      join due on due.id = a.submission_id
      where a.org_id = ${orgId} and a.status in ('skipped', 'failed') and a.settled_at is not null
        and not exists (
          select from public.soundcloud_queue_assignments replacement
          where replacement.org_id = a.org_id and replacement.replacement_for = a.id
            and replacement.queue_id is distinct from ${queueId}::uuid
        )
      group by a.submission_id
    ), avoided as (${avoidedHandlesSql(orgId)}
    )
    select due.*, account.handle, coalesce(avoided.handles, '{}') as avoided_handles,
      coalesce(asked.supporters, '{}') as asked_supporters, asked.submission_id is not null as served_before,
      coalesce(owed.assignments, '{}') as owed
    from due
    left join asked on asked.submission_id = due.id
    left join owed on owed.submission_id = due.id
    left join avoided on avoided.member_id = due.member_id
    left join public.soundcloud_member_accounts account
      on account.org_id = ${orgId} and account.member_id = due.member_id and account.platform = 'soundcloud'
    where ${only}::uuid[] is not null or asked.submission_id is null or owed.submission_id is not null
    order by due.id`.execute(trx);
  return rows;
}

function submissionOf(row: DemandRow): QueueSubmission {
  const inUrl = new URL(row.track_url).pathname.split('/')[1];
  const handles = [row.handle, inUrl].filter((handle): handle is string => Boolean(handle)).map(handleKey);
  return {
    id: row.id,
    member_id: row.member_id,
    track_url: row.track_url,
    family: row.family,
    subgenres: row.subgenres,
    handles: [...new Set(handles)],
    avoided_handles: row.avoided_handles,
    support_date: row.support_date,
    submitted_at: row.submitted_at.getTime(),
    shift_count: row.shift_count,
    demand:
      row.served_before && row.owed.length > 0
        ? { kind: 'replacement', count: row.owed.length }
        : { kind: 'first' },
    asked_supporters: row.asked_supporters,
  };
}

/** Every member with a wallet, whatever speaks against them: the explanation names it. */
async function loadSupporters(trx: Trx, question: QueueQuestion): Promise<QueueSupporter[]> {
  const { orgId, now, settings, queueId } = question;
  const { pacing } = settings;
  const only = onlyOf(question.supporterIds);
  const reliableSince = new Date(now - pacing.reliability_days * DAY_MS);
  const since = new Date(now - Math.max(pacing.reliability_days, pacing.rest_days) * DAY_MS);
  const { rows } = await sql<SupporterRow>`
    with duty as (${dutySql(orgId, since, { queueId })}
    ), record as (
      select member_id,
        count(*) filter (where status = 'completed' and at >= ${reliableSince})::int as completed,
        count(*) filter (where status = 'failed' and at >= ${reliableSince})::int as failed,
        max(at) as last_assignment_at
      from duty where ${among(sql`member_id`, only)} group by member_id
    ), genres as (
      select * from (${memberGenresSql(orgId)}) as of_all where ${among(sql`member_id`, only)}
    ), avoided as (
      select * from (${avoidedHandlesSql(orgId)}) as of_all where ${among(sql`member_id`, only)}
    )
    select ${MEMBER_COLUMNS},
      coalesce(record.completed, 0) as completed, coalesce(record.failed, 0) as failed,
      record.last_assignment_at
    from ${MEMBERS}
    left join record on record.member_id = m.id
    where m.org_id = ${orgId} and ${among(sql`m.id`, only)}
    order by m.id`.execute(trx);
  return rows.map((row) => ({
    ...row,
    last_activity_at: row.last_activity_at?.getTime() ?? null,
    last_assignment_at: row.last_assignment_at?.getTime() ?? null,
  }));
}

/**
 * Reposts that stand and start cool-downs; those that lie ahead count as well.
 * @param artists members who submit: their reposts start pair cool-downs for those who are asked.
 */
async function loadHistory(
  trx: Trx,
  question: QueueQuestion,
  artists: readonly string[],
): Promise<StandingRepost[]> {
  const { orgId, now, settings, queueId, supporterIds } = question;
  const only = onlyOf(supporterIds);
  const beside = supporterIds === undefined ? [] : [...new Set(artists)];
  const { track_cooldown_days, artist_cooldown_days, pair_cooldown_days } = settings.pacing;
  const days = Math.max(track_cooldown_days, artist_cooldown_days, pair_cooldown_days);
  const { rows } = await sql<Omit<StandingRepost, 'at'> & { at: Date }>`
    select member_id as supporter_id, artist_id, track_url, max(at) as at
    from (${dutySql(orgId, new Date(now - days * DAY_MS), { queueId })}) as duty
    where status in ('assigned', 'completed')
      and (${among(sql`member_id`, only)}
        or member_id = any (${beside}::uuid[]) and artist_id = any (${only}::uuid[]))
    group by member_id, artist_id, track_url
    order by member_id, track_url, artist_id`.execute(trx);
  return rows.map((row) => ({ ...row, at: row.at.getTime() }));
}

/** Slots around the date: those of the date itself count against the daily cap, those beside it against the rolling one. */
async function loadTakenSlots(trx: Trx, question: QueueQuestion): Promise<TakenSlot[]> {
  const { orgId, date, settings, queueId } = question;
  const around = Math.max(settings.pacing.rolling_hours, settings.pacing.spacing_minutes / 60) * HOUR_MS;
  const from = new Date(startOfDate(date, settings.timezone) - around);
  const until = new Date(startOfDate(addDays(date, 1), settings.timezone) + around);
  const { rows } = await sql<{ member_id: string; at: Date }>`
    select member_id, at from (${dutySql(orgId, from, { queueId })}) as duty
    where status in ('assigned', 'completed') and at < ${until}
      and ${among(sql`member_id`, onlyOf(question.supporterIds))}
    order by member_id, at`.execute(trx);
  return rows.map((row) => ({ member_id: row.member_id, at: row.at.getTime() }));
}

async function loadBalances(
  trx: Trx,
  orgId: string,
  memberIds: readonly string[],
): Promise<QueueInput['balances']> {
  const members = [...new Set(memberIds)];
  if (members.length === 0) return [];
  const { rows } = await sql<{ member_id: string; spendable: number }>`
    select member_id, balance as spendable from public.soundcloud_repost_credit_wallet
    where org_id = ${orgId} and member_id = any (${members}::uuid[])
    order by member_id`.execute(trx);
  return rows;
}

/** @returns null for everybody. */
function onlyOf(ids: readonly string[] | undefined): string[] | null {
  return ids === undefined ? null : [...ids];
}

/** @param ids null = whatever the column is. */
function among(column: RawBuilder<unknown>, ids: readonly string[] | null) {
  return ids === null ? sql`true` : sql`${column} = any (${[...ids]}::uuid[])`;
}
