/**
 * Which reposts Influence Planner makes by itself (lifecycles.md, "assignment" step 1). For those who publish and settle:
 * call these in the transaction that writes the assignments.
 */
import { sql } from 'kysely';
import type { Trx } from '../db/client.js';
import { jsonb } from '../db/json.js';
import { PRIVATE_LINK } from '../domain/track-url.js';

/** An assignment that was just published. */
export interface PublishedRepost {
  assignmentId: string;
  submissionId: string;
  supporterId: string;
  /** Business ms. */
  slotAt: number;
}

/**
 * Asks for a schedule for each assignment whose supporter is LINKED in Influence Planner, while settings.auto_schedule is
 * on: a pending row and the event that starts its lifecycle. The others are reposted by hand, and so is a private track
 * without a public link, which the vendor cannot see. One statement, however many. Asked twice it is asked once.
 * @param input.now business ms. @returns how many schedules were made
 */
export async function scheduleReposts(
  trx: Trx,
  input: { orgId: string; reposts: readonly PublishedRepost[]; now: number },
): Promise<number> {
  const { orgId, reposts, now } = input;
  if (reposts.length === 0) return 0;
  const rows = reposts.map((repost) => ({
    assignment_id: repost.assignmentId,
    submission_id: repost.submissionId,
    supporter_id: repost.supporterId,
    slot_at: new Date(repost.slotAt).toISOString(),
  }));
  const { numAffectedRows } = await sql`
    with wanted as (
      select * from jsonb_to_recordset(${jsonb(rows)})
        as w (assignment_id uuid, submission_id uuid, supporter_id uuid, slot_at timestamptz)
    ), made as (
      insert into public.soundcloud_schedules
        (org_id, parent_type, parent_id, assignment_id, target_handle, member_account_id, scheduled_at, credits_allocated)
      select a.org_id, 'submission', w.submission_id, a.id, account.handle, account.id, w.slot_at, a.credits_allocated
      from wanted w
      join public.soundcloud_settings settings on settings.org_id = ${orgId} and settings.auto_schedule
      join public.soundcloud_queue_assignments a on a.org_id = ${orgId} and a.id = w.assignment_id
      join public.soundcloud_submissions s on s.org_id = ${orgId} and s.id = w.submission_id
        and coalesce(s.live_link_url, s.track_url) !~ ${PRIVATE_LINK}
      join public.soundcloud_member_accounts account on account.org_id = ${orgId}
        and account.member_id = w.supporter_id and account.platform = 'soundcloud'
        and account.connection_data -> 'influence_planner' ->> 'status' = 'LINKED'
        and account.connection_data -> 'influence_planner' ->> 'user_id' is not null
      -- Also one that is closed: a repost is asked for once.
      where not exists (
        select from public.soundcloud_schedules known where known.org_id = ${orgId} and known.assignment_id = a.id)
      on conflict do nothing
      returning id, org_id, assignment_id
    )
    insert into public.soundcloud_events (org_id, type, entity_type, entity_id, data, occurred_at, dedupe_key)
    select org_id, 'schedule.requested', 'schedule', id, jsonb_build_object('assignment_id', assignment_id),
      ${new Date(now)}, 'schedule.requested:' || id
    from made`.execute(trx);
  return Number(numAffectedRows ?? 0);
}

/** {@link scheduleReposts} for one assignment. @returns whether a schedule was made */
export async function scheduleRepost(
  trx: Trx,
  input: PublishedRepost & { orgId: string; now: number },
): Promise<boolean> {
  const { orgId, now, ...repost } = input;
  return (await scheduleReposts(trx, { orgId, now, reposts: [repost] })) > 0;
}

/**
 * The assignments are over before their schedules are: what is not sent is cancelled, for the rest ops get a task.
 * @param input.reason one sentence for ops. @param input.now business ms. @returns how many open schedules were told
 */
export async function cancelSchedulesOf(
  trx: Trx,
  input: { orgId: string; assignmentIds: readonly string[]; reason: string; now: number },
): Promise<number> {
  const { orgId, assignmentIds, reason, now } = input;
  const { numAffectedRows } = await sql`
    insert into public.soundcloud_events (org_id, type, entity_type, entity_id, data, occurred_at, dedupe_key)
    select s.org_id, 'schedule.cancel_requested', 'schedule', s.id,
      jsonb_build_object('assignment_id', s.assignment_id, 'reason', ${reason}::text),
      ${new Date(now)}, 'schedule.cancel_requested:' || s.id
    from public.soundcloud_schedules s
    where s.org_id = ${orgId} and s.assignment_id = any (${[...assignmentIds]}::uuid[]) and s.closed_at is null
    on conflict (org_id, dedupe_key) do nothing`.execute(trx);
  return Number(numAffectedRows ?? 0);
}
