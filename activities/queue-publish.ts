/**
 * Publishing a queue (lifecycles.md, "dailyQueue", step 3): every assignment is checked once more against the facts of
 * the moment, credits are held, what no longer holds is refilled, and everybody is told, all in one transaction.
 */
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { Trx } from '../db/client.js';
import { lockWallets, postCredits } from '../db/credits.js';
import { emitEvents } from '../db/events.js';
import { notify } from '../db/notifications.js';
import { insertDraft, loadDraft, loadGeneratedDraft, type StoredUnfilled } from '../db/queue-drafts.js';
import { loadQueueFacts } from '../db/queue-facts.js';
import {
  type DraftAssignment,
  deleteAssignments,
  insertAssignments,
  keepTerms,
  patchQueue,
  type QueueRow,
  replaceAssignments,
} from '../db/queues.js';
import { currentTerms } from '../domain/assignment-terms.js';
import { NOTICE_MINUTES } from '../domain/daily-queue.js';
import { fillGaps, prepareFacts, recheck } from '../domain/queue-changes.js';
import type { QueueInput } from '../domain/queue-generation-types.js';
import type { OrgSettings } from '../domain/settings.js';
import { factsBeside } from './queue-backfill.js';
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

interface Because {
  code: string;
  facts: object;
}

interface Dropped {
  assignment: DraftAssignment;
  because: Because[];
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
  // From here on nobody else spends what the facts say can be spent.
  const waiting = approved.unfilled.map(({ submission_id }) => submission_id);
  await lockWallets(trx, orgId, await lockSubmissions(trx, orgId, queue.id, waiting));

  progress('checking every assignment');
  const earliest = now + NOTICE_MINUTES * 60_000;
  const question = { orgId, date: queue.date, now, earliest, settings, queueId: queue.id };
  const { input: facts, owed } = await loadQueueFacts(trx, question);
  const { kept, dropped } = checkAll(approved.assignments, facts, owed);
  const artists = new Map(facts.submissions.map(({ id, member_id }) => [id, member_id]));
  await replaceAssignments(trx, orgId, queue.id, kept);

  progress('looking for others');
  const takenOut = supportersTakenOut(generated?.assignments ?? [], approved.assignments);
  const chosen = await chooseRefills(trx, { ...input, kept, dropped, owed, takenOut, artists });
  await insertAssignments(trx, orgId, queue.id, chosen);

  progress('holding credits');
  const unpaid = await holdCredits(trx, orgId, [...kept, ...chosen], artists, now);
  await deleteAssignments(trx, orgId, queue.id, [...unpaid.keys()]);
  const refills = chosen.filter(({ id }) => !unpaid.has(id));
  const paid = kept.filter(({ id }) => !unpaid.has(id));
  for (const assignment of kept) {
    const because = unpaid.get(assignment.id);
    if (because !== undefined) dropped.push({ assignment, because: [because] });
  }

  const assignments = [...paid, ...refills].sort((a, b) => a.slot_at - b.slot_at || a.position - b.position);
  await renumber(trx, orgId, queue.id, assignments);
  const ids = assignments.map(({ id }) => id);
  await keepTerms(trx, orgId, ids, currentTerms(settings));

  progress('telling everybody');
  const revision = queue.revision + 1;
  const unserved = unservedOf(approved.assignments, approved.unfilled, facts, assignments);
  const shifted = await shiftSubmissions(trx, {
    orgId,
    date: queue.date,
    submissions: unserved.map((id) => ({
      id,
      reason: `No place in the queue of ${queue.date}: ${
        lostToTime(id, dropped)
          ? 'it went out when the slots of those who fit had passed.'
          : 'nobody was free who fits and can be paid.'
      }`,
    })),
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

/**
 * A submission that is withdrawn at this moment is withdrawn before, or not any more. In id order, before the wallets.
 * @param waiting submissions without an assignment, which may be shifted
 * @returns the members who pay
 */
async function lockSubmissions(
  trx: Trx,
  orgId: string,
  queueId: string,
  waiting: readonly string[],
): Promise<string[]> {
  const { rows } = await sql<{ member_id: string | null; assigned: boolean }>`
    with assigned as (
      select distinct a.submission_id as id from public.soundcloud_queue_assignments a
      where a.org_id = ${orgId} and a.queue_id = ${queueId}
    )
    select s.member_id, s.id in (select id from assigned) as assigned
    from public.soundcloud_submissions s
    where s.org_id = ${orgId} and (s.id in (select id from assigned) or s.id = any (${[...waiting]}::uuid[]))
    order by s.id for update of s`.execute(trx);
  const payers = rows.filter(({ assigned }) => assigned).map(({ member_id }) => member_id);
  return [...new Set(payers.filter((id) => id !== null))];
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
  const left = leftOf(owed, []);
  return assignments.map((assignment) => ({
    ...assignment,
    replacement_for: left.get(assignment.submission_id)?.shift() ?? null,
  }));
}

/** What is owed beside what these assignments replace, by submission; the lists are the caller's. */
function leftOf(
  owed: ReadonlyMap<string, string[]>,
  assignments: readonly DraftAssignment[],
): Map<string, string[]> {
  const named = new Set(assignments.map(({ replacement_for }) => replacement_for));
  return new Map([...owed].map(([id, list]) => [id, list.filter((failed) => !named.has(failed))]));
}

/** Holds the price of every assignment at once. @returns why, for those whose member cannot pay after all, by id */
async function holdCredits(
  trx: Trx,
  orgId: string,
  assignments: readonly DraftAssignment[],
  artists: ReadonlyMap<string, string | null>,
  now: number,
): Promise<Map<string, Because>> {
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
  const unpaid = new Map<string, Because>();
  for (const [n, { id, credits: price }] of assignments.entries()) {
    const refused = results[n]?.refused ?? null;
    if (refused !== null) unpaid.set(id, { code: refused, facts: { price } });
  }
  return unpaid;
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

/** Who is asked instead of those who were dropped, as far as the members can pay beside what is kept. */
async function chooseRefills(
  trx: Trx,
  input: {
    orgId: string;
    queue: QueueRow;
    settings: OrgSettings;
    now: number;
    /** In the rows, not yet paid. */
    kept: readonly DraftAssignment[];
    dropped: readonly Dropped[];
    owed: ReadonlyMap<string, string[]>;
    takenOut: ReadonlyMap<string, Set<string>>;
    artists: ReadonlyMap<string, string | null>;
  },
): Promise<DraftAssignment[]> {
  const { orgId, queue, settings, now, kept, dropped, owed, takenOut, artists } = input;
  if (dropped.length === 0) return [];
  // What asks for nothing any more, because another queue serves it or it was withdrawn, gets nobody else.
  const asking = dropped.filter(({ assignment }) => artists.has(assignment.submission_id));
  const notThese = new Map<string, Set<string>>();
  for (const { assignment } of asking) {
    const { submission_id, supporter_id } = assignment;
    const list = notThese.get(submission_id) ?? new Set(takenOut.get(submission_id));
    notThese.set(submission_id, list.add(supporter_id));
  }
  const facts = await factsBeside(trx, { orgId, queue, submissionIds: [...notThese.keys()], settings, now });
  const promised = new Map<string | null, number>();
  for (const { submission_id, credits } of kept) {
    const member = artists.get(submission_id) ?? null;
    promised.set(member, (promised.get(member) ?? 0) + credits);
  }
  const balances = facts.balances.map(({ member_id, spendable }) => ({
    member_id,
    spendable: spendable - (promised.get(member_id) ?? 0),
  }));
  const next = fillGaps(prepareFacts({ ...facts, balances }));
  const refills: DraftAssignment[] = [];
  // Not what the draft says: what is kept may have been named anew for what the dropped one replaced.
  const left = leftOf(owed, kept);
  for (const { assignment } of asking) {
    const { submission_id } = assignment;
    const failed = left.get(submission_id) ?? [];
    if (assignment.replacement_for !== null && failed.length === 0) continue;
    const found = next(submission_id, notThese.get(submission_id) ?? new Set());
    if (found === null) continue;
    const position = kept.length + refills.length + 1;
    const replacement_for = failed.shift() ?? null;
    refills.push({ ...found, id: randomUUID(), position, replacement_for, override: null });
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

/** Whether every assignment of the submission was dropped because its slot, and all later ones, had passed. */
function lostToTime(submissionId: string, dropped: readonly Dropped[]): boolean {
  const own = dropped.filter(({ assignment }) => assignment.submission_id === submissionId);
  return own.length > 0 && own.every(({ because }) => because.some(({ code }) => code === 'slot_passed'));
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
    type: assignments === 0 ? 'warning' : 'queue',
    title:
      assignments === 0 ? `The queue of ${queue.date} went out empty` : `The queue of ${queue.date} is out`,
    message: `${assignments} assignments are published.${changes}${shifted === 0 ? '' : ` ${shifted} submissions moved to the next queue.`}`,
    actionUrl: `/console/queues/${queue.date}`,
    metadata: { queue_id: queue.id },
    dedupeKey: `queue-published:${queue.id}`,
  });
}

function pairOf({ submission_id, supporter_id }: { submission_id: string; supporter_id: string }): string {
  return `${submission_id} ${supporter_id}`;
}
