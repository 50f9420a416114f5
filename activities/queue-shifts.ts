/** What a queue does not serve moves to the next one, with the reason (rules.md, "Queue generation"). */
import { sql } from 'kysely';
import type { Trx } from '../db/client.js';
import { emitEvent, emitEvents } from '../db/events.js';
import { jsonb } from '../db/json.js';
import { notify } from '../db/notifications.js';
import type { OpsTaskAction } from '../db/ops-tasks.js';
import { patchQueue, type QueueRow } from '../db/queues.js';
import { draftedQueueDates } from '../db/targeting.js';
import { nextSupportDate } from '../domain/daily-queue.js';
import type { OrgSettings } from '../domain/settings.js';
import { submissionReviewId } from '../workflows/submission-review/contract.js';

export interface Shift {
  orgId: string;
  /** Date of the queue that does not serve them. */
  date: string;
  /** Each with the reason for the member and for ops, a sentence. Once each. */
  submissions: readonly { id: string; reason: string }[];
  /** Makes the events of one occasion unique: queue and draft. */
  occasion: string;
  settings: OrgSettings;
  /** Business ms. */
  now: number;
}

/**
 * Closes a draft that nobody approved, or that cannot be made, and says so.
 * @param lapse.occasion tells one lapse of the queue from another. @param lapse.now business ms
 */
export async function closeLapsed(
  trx: Trx,
  lapse: { orgId: string; queue: QueueRow; shifted: number; occasion: string; now: number },
): Promise<void> {
  const { orgId, queue, shifted, occasion, now } = lapse;
  const { id, date, revision } = queue;
  await patchQueue(trx, orgId, id, { status: 'lapsed', closed_at: new Date(now), filled_slots: 0 });
  await emitEvent(trx, {
    orgId,
    type: 'queue.lapsed',
    entityType: 'queue',
    entityId: id,
    data: { queue_id: id, date, revision, shifted },
    occurredAt: now,
    dedupeKey: `queue.lapsed:${id}:${occasion}`,
  });
}

/**
 * All of a queue at once, whatever the reasons: ops are told once of those that nobody supports for too long.
 * @returns how many were shifted; what is closed or withdrawn meanwhile is left alone.
 */
export async function shiftSubmissions(trx: Trx, shift: Shift): Promise<number> {
  const { orgId, date, submissions, occasion, settings, now } = shift;
  if (submissions.length === 0) return 0;
  const next = nextSupportDate(date, await draftedQueueDates(trx, orgId, date));
  const ids = submissions.map(({ id }) => id);
  const reasons = submissions.map(({ reason }) => reason);
  const { rows } = await sql<{ id: string; shift_count: number; reason: string; label: string }>`
    with chosen as (
      select id from public.soundcloud_submissions
      where org_id = ${orgId} and id = any (${ids}::uuid[])
        and status = 'approved' and closed_at is null and support_ended_at is null and support_date <= ${date}::date
      order by id for update
    )
    update public.soundcloud_submissions s
    set support_date = ${next}::date, auto_shifted = true, shift_reason = because.reason, shift_count = s.shift_count + 1
    from chosen join unnest(${ids}::uuid[], ${reasons}::text[]) as because (id, reason) on because.id = chosen.id
    where s.org_id = ${orgId} and s.id = chosen.id
    returning s.id, s.shift_count, because.reason,
      coalesce(nullif(concat_ws(' – ', s.artist_name, s.track_name), ''), s.id::text) as label`.execute(trx);
  await tellShifted(trx, { orgId, rows, to: next, occasion, now });
  const { max_shifts } = settings.review;
  const tired = rows.filter((row) => row.shift_count > 0 && row.shift_count % max_shifts === 0);
  await askOps(trx, orgId, tired, max_shifts);
  return rows.length;
}

/** Takes a shift back: the queue that lapsed is generated again after all. */
export async function takeShiftsBack(
  trx: Trx,
  input: { orgId: string; date: string; submissionIds: readonly string[]; occasion: string; now: number },
): Promise<void> {
  const { orgId, date, submissionIds, occasion, now } = input;
  const { rows } = await sql<{ id: string; shift_count: number }>`
    with chosen as (
      select id from public.soundcloud_submissions s
      where s.org_id = ${orgId} and s.id = any (${[...submissionIds]}::uuid[])
        and s.status = 'approved' and s.closed_at is null and s.support_ended_at is null
        and s.support_date > ${date}::date
        -- What another queue serves meanwhile stays there.
        and not exists (
          select from public.soundcloud_queue_assignments a
          join public.soundcloud_queues q on q.org_id = a.org_id and q.id = a.queue_id
          where a.org_id = s.org_id and a.submission_id = s.id and q.date > ${date}::date)
      order by s.id for update
    )
    update public.soundcloud_submissions s
    set support_date = ${date}::date, shift_count = greatest(s.shift_count - 1, 0),
      auto_shifted = s.shift_count > 1, shift_reason = case when s.shift_count > 1 then s.shift_reason end
    from chosen where s.org_id = ${orgId} and s.id = chosen.id
    returning s.id, s.shift_count`.execute(trx);
  const reason = `The queue of ${date} is made after all.`;
  const shifted = rows.map((row) => ({ ...row, reason }));
  await tellShifted(trx, { orgId, rows: shifted, to: date, occasion, now });
}

async function tellShifted(
  trx: Trx,
  shifted: {
    orgId: string;
    rows: readonly { id: string; shift_count: number; reason: string }[];
    /** The date they are in now. */
    to: string;
    occasion: string;
    now: number;
  },
): Promise<void> {
  const { orgId, rows, to, occasion, now } = shifted;
  await emitEvents(
    trx,
    rows.map(({ id, shift_count, reason }) => ({
      orgId,
      type: 'submission.shifted' as const,
      entityType: 'submission',
      entityId: id,
      data: { submission_id: id, support_date: to, reason, shift_count },
      occurredAt: now,
      dedupeKey: `submission.shifted:${id}:${occasion}`,
    })),
  );
}

/** Nobody was found for too long: ops say whether the submission goes on or is closed, and gets its slot back. */
async function askOps(
  trx: Trx,
  orgId: string,
  submissions: readonly { id: string; shift_count: number; label: string }[],
  maxShifts: number,
): Promise<void> {
  if (submissions.length === 0) return;
  const rows = submissions.map(({ id, shift_count, label }) => ({
    title: `${label} has been shifted ${shift_count} times`,
    body: `No queue of the last ${maxShifts} had a supporter for it. Go on waiting, or close it and give the member's submission slot back.`,
    entity_id: id,
    workflow_id: submissionReviewId(orgId, id),
    dedupe_key: `submission_shifts:${id}:${shift_count}`,
    actions: [
      {
        label: 'Let it wait on',
        method: 'POST',
        path: `/v1/submissions/${id}/keep-waiting`,
        body: {},
      },
      {
        label: 'Give up and close it',
        method: 'POST',
        path: `/v1/submissions/${id}/close-support`,
        body: {},
        needs: ['reason'],
      },
    ] satisfies OpsTaskAction[],
  }));
  await sql`
    insert into public.soundcloud_ops_tasks
      (org_id, kind, title, body, entity_type, entity_id, workflow_id, dedupe_key, actions)
    select ${orgId}::uuid, 'submission_shifts', r.title, r.body, 'submission', r.entity_id, r.workflow_id, r.dedupe_key,
      r.actions
    from jsonb_to_recordset(${jsonb(rows)})
      as r (title text, body text, entity_id uuid, workflow_id text, dedupe_key text, actions jsonb)
    on conflict (org_id, dedupe_key) do nothing`.execute(trx);
  await notify(trx, {
    orgId,
    audience: { kind: 'ops' },
    type: 'warning',
    title: 'Submissions find no supporter',
    message: `${submissions.length} were shifted ${maxShifts} times without a supporter. Say for each whether it goes on.`,
    actionUrl: '/console/inbox',
    metadata: { kind: 'submission_shifts', submission_ids: submissions.slice(0, 50).map((row) => row.id) },
  });
}
