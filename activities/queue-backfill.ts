/**
 * Backfill: who takes the place of an assignment that was skipped, failed or dropped after its queue was published or
 * while it is (rules.md, "Queue generation"; lifecycles.md, "assignment").
 */
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { Trx } from '../db/client.js';
import { postCredits } from '../db/credits.js';
import { emitEvents } from '../db/events.js';
import { loadQueueFacts } from '../db/queue-facts.js';
import {
  type DraftAssignment,
  deleteAssignments,
  insertAssignments,
  keepTerms,
  loadQueueById,
} from '../db/queues.js';
import { loadSettings } from '../db/settings.js';
import { currentTerms } from '../domain/assignment-terms.js';
import { atTimeOfDay, HOUR_MS } from '../domain/calendar.js';
import { NOTICE_MINUTES } from '../domain/daily-queue.js';
import { nextCandidates, prepareFacts, type QueueFacts } from '../domain/queue-changes.js';
import type { QueueInput } from '../domain/queue-generation-types.js';
import type { OrgSettings } from '../domain/settings.js';
import { publishedEvents } from './queue-events.js';
import { scheduleRepost } from './repost-scheduling.js';

const NOTICE_MS = NOTICE_MINUTES * 60_000;

export interface BackfillRequest {
  orgId: string;
  queueId: string;
  /** Settled as skipped or failed in the same transaction or before; its hold is released already. */
  failedAssignmentId: string;
  /** Business ms. */
  now: number;
}

/** Why nobody was placed: the submission's demand then waits for the next draft. */
export type NoBackfill =
  /** Fewer than `queue_hours.backfill_min_hours` of the window are left, or the queue is not published. */
  | 'window_closing'
  /** Nobody fits, is free and can be paid. */
  | 'no_candidate'
  /** The submission is closed or withdrawn. */
  | 'submission_closed'
  /** Another assignment replaces it already. */
  | 'already_replaced';

export type BackfillOutcome =
  | { placed: true; assignmentId: string; supporterId: string /** Business ms. */; slotAt: number }
  | { placed: false; reason: NoBackfill };

/**
 * Places the next candidate in the published queue: row, hold and events, in the caller's transaction.
 *
 * The caller holds the lock on the queue's row (decision 0071). What is not placed stays owed and is found by the next
 * draft, so the caller has nothing to write down.
 */
export async function backfill(trx: Trx, request: BackfillRequest): Promise<BackfillOutcome> {
  const { orgId, queueId, failedAssignmentId, now } = request;
  const queue = await loadQueueById(trx, orgId, queueId);
  const settings = await loadSettings(trx, orgId);
  if (queue === undefined || queue.status !== 'published' || !mayBackfill(queue.date, settings, now)) {
    return { placed: false, reason: 'window_closing' };
  }
  const failed = await trx
    .selectFrom('soundcloud_queue_assignments as failed')
    .select(['failed.submission_id'])
    .select((select) =>
      select
        .exists(
          select
            .selectFrom('soundcloud_queue_assignments as other')
            .select('other.id')
            .whereRef('other.org_id', '=', 'failed.org_id')
            .whereRef('other.replacement_for', '=', 'failed.id'),
        )
        .as('replaced'),
    )
    .where('failed.org_id', '=', orgId)
    .where('failed.id', '=', failedAssignmentId)
    .executeTakeFirst();
  if (failed === undefined || failed.replaced) return { placed: false, reason: 'already_replaced' };

  const beside = { orgId, queue, submissionIds: [failed.submission_id], settings, now };
  const facts = prepareFacts(await factsBeside(trx, beside));
  if (!facts.submission.has(failed.submission_id)) return { placed: false, reason: 'submission_closed' };
  const placed = await placeNext(trx, {
    orgId,
    queueId,
    submissionId: failed.submission_id,
    replacementFor: failedAssignmentId,
    facts,
    now,
  });
  if (placed === null) return { placed: false, reason: 'no_candidate' };
  await trx
    .updateTable('soundcloud_queues')
    .set((set) => ({ filled_slots: set('filled_slots', '+', 1) }))
    .where('org_id', '=', orgId)
    .where('id', '=', queueId)
    .execute();
  await keepTerms(trx, orgId, [placed.id], currentTerms(settings));
  await emitEvents(trx, publishedEvents(orgId, queue, [placed], now));
  const { id, submission_id: submissionId, supporter_id: supporterId, slot_at: slotAt } = placed;
  await scheduleRepost(trx, { orgId, assignmentId: id, submissionId, supporterId, slotAt, now });
  return { placed: true, assignmentId: placed.id, supporterId: placed.supporter_id, slotAt: placed.slot_at };
}

/** Whether enough of the queue's window is left for somebody new. */
function mayBackfill(date: string, settings: OrgSettings, now: number): boolean {
  const { window_end, backfill_min_hours } = settings.queue_hours;
  return atTimeOfDay(date, window_end, settings.timezone) - now >= backfill_min_hours * HOUR_MS;
}

/** The facts for somebody further: the queue's own assignments take slots and start cool-downs. */
export async function factsBeside(
  trx: Trx,
  input: {
    orgId: string;
    queue: { date: string };
    submissionIds: readonly string[];
    settings: OrgSettings;
    now: number;
  },
): Promise<QueueInput> {
  const { orgId, queue, submissionIds, settings, now } = input;
  const earliest = now + NOTICE_MS;
  const question = { orgId, date: queue.date, now, earliest, settings, queueId: null, submissionIds };
  return (await loadQueueFacts(trx, question)).input;
}

/**
 * Inserts the best candidate whose repost the member can pay, with its hold.
 * @returns the assignment, or null when nobody is left.
 */
async function placeNext(
  trx: Trx,
  input: {
    orgId: string;
    queueId: string;
    submissionId: string;
    replacementFor: string;
    facts: QueueFacts;
    now: number;
  },
): Promise<DraftAssignment | null> {
  const { orgId, queueId, submissionId, replacementFor, facts, now } = input;
  const artist = facts.submission.get(submissionId)?.submission.member_id ?? null;
  if (artist === null) return null;
  const position = await nextPosition(trx, orgId, queueId);
  for (const { assignment } of nextCandidates(submissionId, { assignments: [], held: false }, facts)) {
    const placed: DraftAssignment = {
      ...assignment,
      id: randomUUID(),
      position,
      replacement_for: replacementFor,
      override: null,
    };
    await insertAssignments(trx, orgId, queueId, [placed]);
    const [hold] = await postCredits(
      trx,
      orgId,
      [{ kind: 'hold', member_id: artist, assignment_id: placed.id, amount: placed.credits }],
      { at: new Date(now), partial: true },
    );
    if (hold !== undefined && hold.refused === null) return placed;
    await deleteAssignments(trx, orgId, queueId, [placed.id]);
  }
  return null;
}

async function nextPosition(trx: Trx, orgId: string, queueId: string): Promise<number> {
  const { rows } = await sql<{ next: number }>`
    select coalesce(max(position), 0) + 1 as next from public.soundcloud_queue_assignments
    where org_id = ${orgId} and queue_id = ${queueId}`.execute(trx);
  return rows[0]?.next ?? 1;
}
