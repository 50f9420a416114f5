/**
 * Publishing a queue (lifecycles.md, "dailyQueue", step 3): every assignment is checked once more against the facts of
 * the moment, credits are held, what no longer holds is refilled, and everybody is told, all in one transaction.
 */
import { sql } from 'kysely';
import type { Trx } from '../db/client.js';
import { postCredits } from '../db/credits.js';
import { emitEvents } from '../db/events.js';
import { notify } from '../db/notifications.js';
import { insertDraft, loadDraft, loadGeneratedDraft, type StoredUnfilled } from '../db/queue-drafts.js';
import { loadQueueFacts } from '../db/queue-facts.js';
import {
  type DraftAssignment,
  deleteAssignments,
  patchQueue,
  type QueueRow,
  replaceAssignments,
} from '../db/queues.js';
import { NOTICE_MINUTES } from '../domain/daily-queue.js';
import { prepareFacts, recheck } from '../domain/queue-changes.js';
import type { QueueInput } from '../domain/queue-generation-types.js';
import type { OrgSettings } from '../domain/settings.js';
import { factsBeside, placeNext } from './queue-backfill.js';
import { publishedEvents } from './queue-events.js';
import { shiftSubmissions } from './queue-shifts.js';
import { scheduleReposts } from './repost-scheduling.js';

export interface Published {
  revision: number;
  assignments: number;
  /** Assignments that no longer held, and how many of them found somebody else. */
  dropped: number;
  refilled: number;
  shifted: number;
}

interface Dropped {
  assignment: DraftAssignment;
  because: { code: string; facts: object }[];
}

/** @param queue locked by the caller, status `approved`. @param now business ms. */
export async function publish(
  trx: Trx,
  input: { orgId: string; queue: QueueRow; settings: OrgSettings; now: number; progress(what: string): void },
): Promise<Published> {
  const { orgId, queue, settings, now, progress } = input;
  const approved = await loadDraft(trx, orgId, queue.id, queue.revision);
  if (approved === undefined) throw new Error(`Queue ${queue.id} has no draft ${queue.revision}.`);
  const generated = await loadGeneratedDraft(trx, orgId, queue.id, queue.revision);
  await lockSubmissions(trx, orgId, queue.id);

  progress('checking every assignment');
  const earliest = now + NOTICE_MINUTES * 60_000;
  const question = { orgId, date: queue.date, now, earliest, settings, queueId: queue.id };
  const { input: facts, owed } = await loadQueueFacts(trx, question);
  const { kept, dropped } = checkAll(approved.assignments, facts, owed);

  progress('holding credits');
  await replaceAssignments(trx, orgId, queue.id, kept);
  const unpaid = await holdCredits(trx, orgId, kept, facts, now);
  await deleteAssignments(
    trx,
    orgId,
    queue.id,
    unpaid.map(({ assignment }) => assignment.id),
  );
  dropped.push(...unpaid);
  const gone = new Set(unpaid.map(({ assignment }) => assignment.id));
  const paid = kept.filter((assignment) => !gone.has(assignment.id));

  progress('looking for others');
  const takenOut = supportersTakenOut(generated?.assignments ?? [], approved.assignments);
  const refills = await refill(trx, { ...input, dropped, takenOut, position: kept.length + 1 });

  const assignments = [...paid, ...refills].sort((a, b) => a.slot_at - b.slot_at || a.position - b.position);
  await renumber(trx, orgId, queue.id, assignments);

  progress('telling everybody');
  const revision = queue.revision + 1;
  const unserved = unservedOf(approved.assignments, approved.unfilled, facts, assignments);
  const shifted = await shiftSubmissions(trx, {
    orgId,
    date: queue.date,
    submissionIds: unserved,
    reason: `No place in the queue of ${queue.date}: nobody was free who fits and can be paid.`,
    occasion: `${queue.id}:${revision}`,
    settings,
    now,
  });
  const unfilled = approved.unfilled.filter(({ submission_id }) => unserved.includes(submission_id));
  await insertDraft(trx, orgId, {
    queueId: queue.id,
    revision,
    cause: 'published',
    assignments,
    unfilled: [...unfilled, ...droppedDemands(dropped, unserved, unfilled)],
    unused: [],
    explanation: {
      base_revision: queue.revision,
      dropped: dropped.map(({ assignment, because }) => ({
        submission_id: assignment.submission_id,
        supporter_id: assignment.supporter_id,
        because,
      })),
      refilled: refills.map(({ submission_id, supporter_id }) => ({ submission_id, supporter_id })),
    },
    inputHash: null,
    createdBy: queue.approved_by_id,
    at: now,
  });
  await patchQueue(trx, orgId, queue.id, {
    status: 'published',
    published_at: new Date(now),
    filled_slots: assignments.length,
    revision,
  });
  await scheduleReposts(trx, {
    orgId,
    reposts: assignments.map(({ id, submission_id, supporter_id, slot_at }) => ({
      assignmentId: id,
      submissionId: submission_id,
      supporterId: supporter_id,
      slotAt: slot_at,
    })),
    now,
  });
  const result = {
    revision,
    assignments: assignments.length,
    dropped: dropped.length,
    refilled: refills.length,
    shifted,
  };
  await emitEvents(trx, [
    {
      orgId,
      type: 'queue.published',
      entityType: 'queue',
      entityId: queue.id,
      data: {
        queue_id: queue.id,
        date: queue.date,
        ...result,
        submissions: new Set(assignments.map(({ submission_id }) => submission_id)).size,
        credits: assignments.reduce((sum, { credits }) => sum + credits, 0),
      },
      occurredAt: now,
      dedupeKey: `queue.published:${queue.id}`,
    },
    ...publishedEvents(orgId, queue, assignments, now),
  ]);
  await tellOps(trx, orgId, queue, result);
  return result;
}

/** A submission that is withdrawn at this moment is withdrawn before, or not any more. In id order, before the wallets. */
async function lockSubmissions(trx: Trx, orgId: string, queueId: string): Promise<void> {
  await sql`
    select s.id from public.soundcloud_submissions s
    where s.org_id = ${orgId} and s.id in (
      select a.submission_id from public.soundcloud_queue_assignments a
      where a.org_id = ${orgId} and a.queue_id = ${queueId}
    )
    order by s.id for update`.execute(trx);
}

function checkAll(
  planned: readonly DraftAssignment[],
  facts: QueueInput,
  owed: ReadonlyMap<string, string[]>,
): { kept: DraftAssignment[]; dropped: Dropped[] } {
  const byPair = new Map(planned.map((assignment) => [pairOf(assignment), assignment]));
  const insisted = planned.filter(({ override }) => override !== null);
  const found = recheck(planned, prepareFacts(facts), insisted);
  const own = (pair: { submission_id: string; supporter_id: string }) => {
    const assignment = byPair.get(pairOf(pair));
    if (assignment === undefined) throw new Error('The re-check gave an assignment nobody asked about.');
    return assignment;
  };
  const kept = found.kept.map((assignment, n) => ({
    ...own(assignment),
    slot_at: assignment.slot_at,
    position: n + 1,
  }));
  return {
    kept: withReplacements(kept, owed),
    dropped: found.dropped.map(({ assignment, conflicts }) => ({
      assignment: own(assignment),
      because: conflicts,
    })),
  };
}

/** Names for each assignment of a submission that is owed replacements the one it replaces, oldest first. */
export function withReplacements(
  assignments: readonly DraftAssignment[],
  owed: ReadonlyMap<string, string[]>,
): DraftAssignment[] {
  const left = new Map([...owed].map(([id, list]) => [id, [...list]]));
  return assignments.map((assignment) => ({
    ...assignment,
    replacement_for: left.get(assignment.submission_id)?.shift() ?? null,
  }));
}

/** Holds the price of every assignment. @returns those whose member cannot pay: the wallet changed this very moment. */
async function holdCredits(
  trx: Trx,
  orgId: string,
  assignments: readonly DraftAssignment[],
  facts: QueueInput,
  now: number,
): Promise<Dropped[]> {
  const artists = new Map(facts.submissions.map(({ id, member_id }) => [id, member_id]));
  const results = await postCredits(
    trx,
    orgId,
    assignments.map((assignment) => ({
      kind: 'hold' as const,
      member_id: artists.get(assignment.submission_id) ?? '',
      assignment_id: assignment.id,
      amount: assignment.credits,
    })),
    { at: new Date(now), partial: true },
  );
  return assignments.flatMap((assignment, n) => {
    const refused = results[n]?.refused ?? null;
    return refused === null
      ? []
      : [{ assignment, because: [{ code: refused, facts: { price: assignment.credits } }] }];
  });
}

/** Supporters ops took out of a submission's assignments: they do not come back by the back door. */
function supportersTakenOut(
  generated: readonly DraftAssignment[],
  approved: readonly DraftAssignment[],
): Map<string, Set<string>> {
  const stayed = new Set(approved.map(pairOf));
  const out = new Map<string, Set<string>>();
  for (const assignment of generated) {
    if (stayed.has(pairOf(assignment))) continue;
    const list = out.get(assignment.submission_id) ?? new Set();
    out.set(assignment.submission_id, list.add(assignment.supporter_id));
  }
  return out;
}

async function refill(
  trx: Trx,
  input: {
    orgId: string;
    queue: QueueRow;
    settings: OrgSettings;
    now: number;
    dropped: readonly Dropped[];
    takenOut: ReadonlyMap<string, Set<string>>;
    position: number;
  },
): Promise<DraftAssignment[]> {
  const { orgId, queue, settings, now, dropped, takenOut } = input;
  if (dropped.length === 0) return [];
  const submissionIds = [...new Set(dropped.map(({ assignment }) => assignment.submission_id))];
  const facts = await factsBeside(trx, { orgId, queue, submissionIds, settings, now });
  const refills: DraftAssignment[] = [];
  for (const { assignment } of dropped) {
    const { submission_id: submissionId } = assignment;
    if (!facts.submission.has(submissionId)) continue;
    const notThese = new Set(takenOut.get(submissionId));
    for (const other of dropped) {
      if (other.assignment.submission_id === submissionId) notThese.add(other.assignment.supporter_id);
    }
    const placed = await placeNext(trx, {
      orgId,
      queueId: queue.id,
      submissionId,
      replacementFor: assignment.replacement_for,
      position: input.position + refills.length,
      facts,
      placedBefore: refills,
      notThese,
      now,
    });
    if (placed !== null) refills.push(placed);
  }
  return refills;
}

/** Positions 1..n in the order of slots, in the list and in the rows. In two steps, because a position is unique. */
async function renumber(
  trx: Trx,
  orgId: string,
  queueId: string,
  assignments: DraftAssignment[],
): Promise<void> {
  assignments.forEach((assignment, n) => {
    assignment.position = n + 1;
  });
  const ids = assignments.map(({ id }) => id);
  await sql`
    update public.soundcloud_queue_assignments a set position = - r.position
    from unnest(${ids}::uuid[]) with ordinality as r (id, position)
    where a.org_id = ${orgId} and a.queue_id = ${queueId} and a.id = r.id`.execute(trx);
  await sql`
    update public.soundcloud_queue_assignments set position = - position
    where org_id = ${orgId} and queue_id = ${queueId} and position < 0`.execute(trx);
}

/** Submissions this queue was made for that are still open and got nobody. Newer demand was never promised this date. */
function unservedOf(
  planned: readonly DraftAssignment[],
  unfilled: readonly StoredUnfilled[],
  facts: QueueInput,
  assignments: readonly DraftAssignment[],
): string[] {
  const served = new Set(assignments.map(({ submission_id }) => submission_id));
  const meant = new Set([...planned, ...unfilled].map(({ submission_id }) => submission_id));
  return facts.submissions.map(({ id }) => id).filter((id) => meant.has(id) && !served.has(id));
}

function droppedDemands(
  dropped: readonly Dropped[],
  unserved: readonly string[],
  listed: readonly StoredUnfilled[],
): StoredUnfilled[] {
  const known = new Set(listed.map(({ submission_id }) => submission_id));
  return unserved
    .filter((id) => !known.has(id))
    .map((submission_id) => ({
      submission_id,
      member_id: null,
      served: false,
      assignments: 0,
      reach: 0,
      target_reach: 0,
      missing: null,
      code: 'not_published',
      facts: {
        codes: [
          ...new Set(
            dropped
              .filter(({ assignment }) => assignment.submission_id === submission_id)
              .flatMap(({ because }) => because.map(({ code }) => code)),
          ),
        ].sort(),
      },
    }));
}

async function tellOps(trx: Trx, orgId: string, queue: QueueRow, result: Published): Promise<void> {
  const { assignments, dropped, refilled, shifted } = result;
  const changes =
    dropped === 0
      ? ''
      : ` ${dropped} no longer held when it went out; ${refilled} of them found somebody else.`;
  await notify(trx, {
    orgId,
    audience: { kind: 'ops' },
    type: 'queue',
    title: `The queue of ${queue.date} is out`,
    message: `${assignments} assignments are published.${changes}${shifted === 0 ? '' : ` ${shifted} submissions moved to the next queue.`}`,
    actionUrl: `/console/queues/${queue.date}`,
    metadata: { queue_id: queue.id },
    dedupeKey: `queue-published:${queue.id}`,
  });
}

function pairOf({ submission_id, supporter_id }: { submission_id: string; supporter_id: string }): string {
  return `${submission_id} ${supporter_id}`;
}
