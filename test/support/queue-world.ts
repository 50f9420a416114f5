/** An org with a network and approved submissions, set-based: what tests of the daily queue start from. */
import { sql } from 'kysely';
import type { Db } from '../../db/client.js';
import { createOrg } from '../../db/setup.js';

export interface QueueOrg {
  orgId: string;
  adminId: string;
}

export async function createQueueOrg(owner: Db, name: string): Promise<QueueOrg> {
  const slug = name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
  const { orgId, userId } = await createOrg(owner, { name, adminEmail: `admin@${slug}.test` });
  return { orgId, adminId: userId };
}

export interface MemberPlan {
  handle: string;
  followers?: number;
  /** Spendable credits (default 10). */
  balance?: number;
  family?: string;
  /** Business ms. */
  activeAt: number;
}

/** Members with a linked account, a genre and credits. @returns ids in the order given. */
export async function addMembers(owner: Db, orgId: string, plans: readonly MemberPlan[]): Promise<string[]> {
  const rows = plans.map((plan, n) => ({
    n,
    handle: plan.handle,
    followers: plan.followers ?? 10_000,
    balance: plan.balance ?? 10,
    family: plan.family ?? 'Electronic',
    active_at: new Date(plan.activeAt).toISOString(),
  }));
  const { rows: members } = await sql<{ id: string; handle: string }>`
    with plan as (
      select * from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
        as r (n integer, handle text, followers integer, balance integer, family text, active_at timestamptz)
    ), member as (
      insert into public.soundcloud_members
        (org_id, name, soundcloud_handle, soundcloud_followers, size_tier, last_activity_at, emails)
      select ${orgId}, handle, handle, followers, 'T3', active_at, array[handle || '@members.test'] from plan order by n
      returning id, soundcloud_handle as handle
    ), account as (
      insert into public.soundcloud_member_accounts (org_id, member_id, platform, handle, follower_count, status)
      select ${orgId}, member.id, 'soundcloud', plan.handle, plan.followers, 'linked'
      from member join plan using (handle)
    ), genre as (
      insert into public.soundcloud_member_genres (org_id, member_id, genre_family_id)
      select ${orgId}, member.id, f.id from member join plan using (handle)
      join public.soundcloud_genre_families f on f.org_id = ${orgId} and f.name = plan.family
    )
    select id, handle from member`.execute(owner);
  const byHandle = new Map(members.map(({ id, handle }) => [handle, id]));
  // Room for the credits of the plan, whatever the tier.
  await sql`update public.soundcloud_repost_credit_wallet set cap = 60 where org_id = ${orgId}`.execute(
    owner,
  );
  await sql`
    select private.post_credits_unchecked(${orgId}, coalesce(jsonb_agg(jsonb_build_object('kind', 'manual', 'member_id', w.member_id,
      'amount', r.balance - w.balance, 'reason', 'fixture', 'key', w.member_id)), '[]'), now(), false)
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as r (handle text, balance integer)
    join public.soundcloud_members m on m.org_id = ${orgId} and m.soundcloud_handle = r.handle
    join public.soundcloud_repost_credit_wallet w on w.org_id = ${orgId} and w.member_id = m.id
    where r.balance <> w.balance`.execute(owner);
  return plans.map(({ handle }) => byHandle.get(handle) ?? '');
}

export interface SubmissionPlan {
  memberId: string;
  /** Last part of the track's address. */
  slug: string;
  artist: string;
  supportDate: string;
  family?: string;
  /** The same for all unless given. */
  trackUrn?: string;
}

/** Approved submissions; their reviews are not started. @returns ids in the order given. */
export async function addApproved(
  owner: Db,
  orgId: string,
  plans: readonly SubmissionPlan[],
): Promise<string[]> {
  const rows = plans.map((plan) => ({
    member_id: plan.memberId,
    track_url: `https://soundcloud.com/${plan.artist}/${plan.slug}`,
    support_date: plan.supportDate,
    family: plan.family ?? 'Electronic',
    track_name: plan.slug,
    track_urn: plan.trackUrn ?? 'soundcloud:tracks:1',
  }));
  return owner.transaction().execute(async (trx) => {
    await sql`
      insert into public.soundcloud_submissions (org_id, member_id, track_url, track_name, artist_name, family)
      select ${orgId}, member_id, track_url, track_name, 'Artist', family
      from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
        as r (member_id uuid, track_url text, track_name text, family text)`.execute(trx);
    await sql`
      update public.soundcloud_submissions s
      set status = 'approved', decided_at = now(), support_date = r.support_date, track_urn = r.track_urn
      from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
        as r (track_url text, support_date date, track_urn text)
      where s.org_id = ${orgId} and s.track_url = r.track_url`.execute(trx);
    await sql`update public.soundcloud_events set relayed_at = now()
      where org_id = ${orgId} and type = 'submission.created' and relayed_at is null`.execute(trx);
    const { rows: found } = await sql<{ id: string; track_url: string }>`
      select id, track_url from public.soundcloud_submissions where org_id = ${orgId}`.execute(trx);
    const byUrl = new Map(found.map(({ id, track_url }) => [track_url, id]));
    return rows.map(({ track_url }) => byUrl.get(track_url) ?? '');
  });
}

/** What a test reads to see how a queue stands. */
export function queueFacts(owner: Db, orgId: string) {
  return {
    queue: (date: string) =>
      owner
        .selectFrom('soundcloud_queues')
        .selectAll()
        .where('org_id', '=', orgId)
        .where(sql<boolean>`date = ${date}::date`)
        .executeTakeFirst(),

    async assignments(date: string) {
      return owner
        .selectFrom('soundcloud_queue_assignments as a')
        .innerJoin('soundcloud_queues as q', 'q.id', 'a.queue_id')
        .selectAll('a')
        .where('a.org_id', '=', orgId)
        .where(sql<boolean>`q.date = ${date}::date`)
        .orderBy('a.position')
        .execute();
    },

    submission: (id: string) =>
      owner.selectFrom('soundcloud_submissions').selectAll().where('id', '=', id).executeTakeFirstOrThrow(),

    /** Types the queue writes with how often, in the order they were first written; not those of other lifecycles. */
    async events(): Promise<Record<string, number>> {
      const { rows } = await sql<{ type: string; count: number }>`
        select type, count(*)::int as count from public.soundcloud_events
        where org_id = ${orgId} and type <> 'queue.requested' and (type like 'queue.%'
          or type in ('assignment.published', 'submission.assigned', 'submission.shifted'))
        group by type order by min(seq)`.execute(owner);
      return Object.fromEntries(rows.map(({ type, count }) => [type, count]));
    },

    async drafts(): Promise<{ revision: number; cause: string; assignments: number }[]> {
      const { rows } = await sql<{ revision: number; cause: string; assignments: number }>`
        select revision, cause, jsonb_array_length(assignments) as assignments
        from public.soundcloud_queue_drafts where org_id = ${orgId} order by queue_id, revision`.execute(
        owner,
      );
      return rows;
    },

    async heldCredits(): Promise<number> {
      const { rows } = await sql<{ held: number }>`
        select coalesce(sum(amount), 0)::int as held from public.soundcloud_credit_holds
        where org_id = ${orgId} and status = 'open'`.execute(owner);
      return rows[0]?.held ?? 0;
    },

    /** Titles of the admin's notifications about queues, oldest first. */
    async notifications(): Promise<string[]> {
      const { rows } = await sql<{ title: string }>`
        select n.title from public.soundcloud_notifications n
        join public.soundcloud_user_roles r on r.org_id = n.org_id and r.user_id = n.user_id and r.role = 'admin'
        where n.org_id = ${orgId} and n.action_url like '/console/queues/%' order by n.created_at, n.title`.execute(
        owner,
      );
      return rows.map(({ title }) => title);
    },
  };
}
