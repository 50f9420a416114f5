/** What ops change in a draft before they approve it: swap, drop, add. The rules of generation hold for them too. */
import { randomUUID } from 'node:crypto';
import type { DraftCause, StoredUnfilled } from '../db/queue-drafts.js';
import type { DraftAssignment, PairOverride } from '../db/queues.js';
import type { QueueCommand, QueueRefusal } from '../domain/daily-queue-commands.js';
import { type PlacementConflict, placeAssignment, prepareFacts } from '../domain/queue-changes.js';
import type { QueueInput } from '../domain/queue-generation-types.js';

export type QueueEdit = Extract<
  QueueCommand,
  { name: 'swapAssignment' | 'dropAssignment' | 'addAssignment' }
>;

export interface EditedDraft {
  assignments: DraftAssignment[];
  unfilled: StoredUnfilled[];
  /** For the explanation of the draft: who did what. */
  edit: Record<string, unknown>;
  override: PairOverride | null;
  cause: DraftCause;
}

type Edited = { ok: true; draft: EditedDraft } | ({ ok: false } & QueueRefusal);

/**
 * The draft after somebody was brought in.
 * @param draft what stands. @param input the facts of the moment about the supporter, without the queue's own assignments.
 */
export function placeInDraft(
  command: Exclude<QueueEdit, { name: 'dropAssignment' }>,
  draft: { assignments: readonly DraftAssignment[]; unfilled: readonly StoredUnfilled[] },
  input: QueueInput,
): Edited {
  switch (command.name) {
    case 'swapAssignment': {
      const old = draft.assignments.find(({ id }) => id === command.assignmentId);
      if (old === undefined) return unknownAssignment(command.assignmentId);
      const pair = { submission_id: old.submission_id, supporter_id: command.supporterId };
      const others = draft.assignments.filter(({ id }) => id !== old.id);
      const placed = place(command, pair, others, input, old.slot_at);
      if (!placed.ok) return placed;
      const fresh = { ...placed.assignment, id: old.id, replacement_for: old.replacement_for };
      return edited(
        { ...draft, assignments: [...others, fresh] },
        'swapped',
        {
          by: command.by,
          submission_id: old.submission_id,
          from: old.supporter_id,
          to: command.supporterId,
          reason: command.reason ?? null,
        },
        fresh.override,
      );
    }
    case 'addAssignment': {
      const pair = { submission_id: command.submissionId, supporter_id: command.supporterId };
      const placed = place(command, pair, draft.assignments, input);
      if (!placed.ok) return placed;
      return edited(
        { ...draft, assignments: [...draft.assignments, placed.assignment] },
        'added',
        { by: command.by, ...pair, reason: command.reason ?? null },
        placed.assignment.override,
      );
    }
  }
}

/** The draft after an assignment was taken out. */
export function dropFromDraft(
  command: Extract<QueueEdit, { name: 'dropAssignment' }>,
  draft: { assignments: readonly DraftAssignment[]; unfilled: readonly StoredUnfilled[] },
): Edited {
  const old = draft.assignments.find(({ id }) => id === command.assignmentId);
  if (old === undefined) return unknownAssignment(command.assignmentId);
  const { submission_id, supporter_id } = old;
  const because = { by: command.by, supporter_id, reason: command.reason ?? null };
  return edited(
    {
      assignments: draft.assignments.filter(({ id }) => id !== old.id),
      unfilled: withTakenOut(draft, [old], because),
    },
    'dropped',
    { submission_id, ...because },
    null,
  );
}

/** Submissions that lose their last assignment become unfilled, with who took it out. */
export function withTakenOut(
  draft: { assignments: readonly DraftAssignment[]; unfilled: readonly StoredUnfilled[] },
  takenOut: readonly DraftAssignment[],
  because: StoredUnfilled['facts'],
): StoredUnfilled[] {
  const out = new Set(takenOut.map(({ id }) => id));
  const left = new Set(
    draft.assignments.filter(({ id }) => !out.has(id)).map(({ submission_id }) => submission_id),
  );
  const lost = [...new Set(takenOut.map(({ submission_id }) => submission_id))].filter((id) => !left.has(id));
  const before = draft.unfilled.filter(({ submission_id }) => !lost.includes(submission_id));
  const entries = lost.map((submission_id) => ({
    submission_id,
    member_id: null,
    served: false,
    assignments: 0,
    reach: 0,
    target_reach: draft.unfilled.find((entry) => entry.submission_id === submission_id)?.target_reach ?? 0,
    missing: null,
    code: 'taken_out',
    facts: because,
  }));
  return [...before, ...entries].sort((a, b) => (a.submission_id < b.submission_id ? -1 : 1));
}

/** @param from wished slot, business ms. */
function place(
  command: Extract<QueueEdit, { name: 'swapAssignment' | 'addAssignment' }>,
  pair: { submission_id: string; supporter_id: string },
  others: readonly DraftAssignment[],
  input: QueueInput,
  from?: number,
): { ok: true; assignment: DraftAssignment } | ({ ok: false } & QueueRefusal) {
  const reason = command.reason?.trim() ?? '';
  const { assignment, conflicts } = placeAssignment(
    pair,
    { assignments: others, held: false },
    prepareFacts(input),
    { ...(from !== undefined && { from }), override: reason !== '' },
  );
  if (assignment === null) return { ok: false, ...refusalOf(conflicts, pair.supporter_id) };
  const override =
    conflicts.length === 0
      ? null
      : { codes: [...new Set(conflicts.map(({ code }) => code))], reason, by: command.by };
  return { ok: true, assignment: { ...assignment, id: randomUUID(), replacement_for: null, override } };
}

/** The refusal that says most: what no reason can put right stands before what one can. */
function refusalOf(conflicts: readonly PlacementConflict[], supporterId: string): QueueRefusal {
  const has = (code: PlacementConflict['code']) => conflicts.some((conflict) => conflict.code === code);
  if (has('submission_not_open')) {
    return {
      code: 'submission_not_due',
      reason:
        'This submission asks for nothing on this date: it is not approved, served already, closed or later.',
    };
  }
  if (has('supporter_unknown')) {
    return { code: 'supporter_unknown', reason: 'There is no member with a wallet under this supporter id.' };
  }
  if (has('no_account')) {
    return {
      code: 'pair_impossible',
      reason: `This member has no SoundCloud account to repost from, and no reason puts that right. Add one with POST /v1/members/${supporterId}/accounts, or choose another supporter.`,
    };
  }
  if (has('already_in_queue')) {
    return { code: 'already_in_queue', reason: 'This supporter has this submission in the queue already.' };
  }
  const words = conflicts.map(({ code, facts }) => `${code} ${JSON.stringify(facts)}`).join('; ');
  if (has('budget') || has('no_slot_left') || has('slot_passed')) {
    return {
      code: 'pair_impossible',
      reason: `No reason can put this right: ${words}. Choose another supporter.`,
    };
  }
  return {
    code: 'pair_excluded',
    reason: `The rules exclude this pair: ${words}. Choose another supporter, or give a reason to insist.`,
  };
}

function edited(
  draft: { assignments: readonly DraftAssignment[]; unfilled: readonly StoredUnfilled[] },
  cause: DraftCause,
  edit: Record<string, unknown>,
  override: PairOverride | null,
): { ok: true; draft: EditedDraft } {
  const assignments = [...draft.assignments]
    .sort((a, b) => a.slot_at - b.slot_at || a.position - b.position || (a.id < b.id ? -1 : 1))
    .map((assignment, n) => ({ ...assignment, position: n + 1 }));
  const served = new Set(assignments.map(({ submission_id }) => submission_id));
  const unfilled = draft.unfilled.map((entry) =>
    entry.served || !served.has(entry.submission_id) ? entry : { ...entry, served: true },
  );
  return { ok: true, draft: { assignments, unfilled, edit: { ...edit, override }, override, cause } };
}

function unknownAssignment(id: string): { ok: false } & QueueRefusal {
  return {
    ok: false,
    code: 'assignment_not_in_queue',
    reason: `There is no assignment ${id} in the draft. Look at the newest draft.`,
  };
}
