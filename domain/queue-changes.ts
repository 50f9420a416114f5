/**
 * Changes of a queue after it was generated: what ops add or swap, what publishing finds changed, who steps in for
 * somebody who dropped out. All by the rules of generation, against the facts of the moment.
 */
import { targetReachOf } from './credits.js';
import {
  affinityOf,
  type FactsOfSubmission,
  type FactsOfSupporter,
  type QueueFacts,
} from './queue-generation-facts.js';
import { assignmentOf } from './queue-generation-output.js';
import { inserted, nextSlot, slotFits } from './queue-generation-slots.js';
import type { QueueAssignment } from './queue-generation-types.js';
import {
  check,
  conflictsAgainst,
  noSlot,
  type Pair,
  type PlacementCode,
  type PlacementConflict,
  Planned,
  type QueueState,
} from './queue-placement.js';
import { rest, scoreOf } from './targeting-score.js';

export { prepareFacts, type QueueFacts } from './queue-generation-facts.js';
export type { PlacementCode, PlacementConflict, QueueState } from './queue-placement.js';

/** These stand for something that is not there; no reason given by ops can put it right. */
const NEVER_OVERRIDDEN: readonly PlacementCode[] = [
  'submission_not_open',
  'supporter_unknown',
  'no_account',
  'already_in_queue',
  'budget',
  'no_slot_left',
  'slot_passed',
];

/** Everything that speaks against a pair beside the assignments of a queue, each with its facts. Empty = it may be added. */
export function checkPair(pair: Pair, state: QueueState, facts: QueueFacts): PlacementConflict[] {
  return check(pair, new Planned(state, facts), facts);
}

/**
 * Adds a pair to a queue at the account's first free slot from `from` on (default: the first of the window).
 * @param override ops insist: only what cannot be put right by a reason still refuses (credits, slots, unknown rows).
 * @returns the assignment, or null with all conflicts; with an override the conflicts that were overridden.
 */
export function placeAssignment(
  pair: Pair,
  state: QueueState,
  facts: QueueFacts,
  { from, override = false }: { from?: number; override?: boolean } = {},
): { assignment: QueueAssignment | null; conflicts: PlacementConflict[] } {
  return place(pair, new Planned(state, facts), facts, from ?? facts.window.first, override);
}

function place(
  pair: Pair,
  planned: Planned,
  facts: QueueFacts,
  from: number,
  override: boolean,
): { assignment: QueueAssignment | null; conflicts: PlacementConflict[] } {
  const conflicts = check(pair, planned, facts);
  const known = facts.submission.get(pair.submission_id);
  const supporter = facts.supporter.get(pair.supporter_id);
  const refused = conflicts.some(({ code }) => !override || NEVER_OVERRIDDEN.includes(code));
  if (refused || known === undefined || supporter === undefined) return { assignment: null, conflicts };
  const { window } = facts;
  const busy = planned.busy(supporter);
  const slotAt = nextSlot(from, busy, window) ?? nextSlot(window.first, busy, window);
  if (slotAt === null) return { assignment: null, conflicts: [...conflicts, noSlot(busy)] };
  const where = { position: planned.lastPosition + 1, slotAt };
  return { assignment: assignmentOf(known.submission, supporter, where, facts), conflicts };
}

/** What a re-check found. */
export interface Recheck {
  /** Assignments that hold, moved ones with their new slot; in the order given. */
  kept: QueueAssignment[];
  moved: { submission_id: string; supporter_id: string; from: number; to: number }[];
  dropped: { assignment: QueueAssignment; conflicts: PlacementConflict[] }[];
}

/**
 * Checks every assignment of a draft against the facts of the moment, in the order of positions: what speaks against
 * one is said with its facts, and it is dropped. Slots before the facts' `earliest`, or no longer free, move to the
 * account's next free slot; where there is none the assignment drops (`slot_passed`). Prices stay frozen.
 * @param facts prepared with `now` and `earliest` of the re-check; balances still include the draft's credits.
 * @param overridden pairs that ops insisted on: they are held to what no reason can put right.
 */
export function recheck(
  assignments: readonly QueueAssignment[],
  facts: QueueFacts,
  overridden: readonly Pair[] = [],
): Recheck {
  const insisted = new Set(overridden.map(keyOf));
  const result: Recheck = { kept: [], moved: [], dropped: [] };
  const standing: QueueAssignment[] = [];
  const planned = new Planned({ assignments: [], held: false }, facts);
  for (const assignment of [...assignments].sort((a, b) => a.position - b.position)) {
    const known = facts.submission.get(assignment.submission_id);
    const supporter = facts.supporter.get(assignment.supporter_id);
    const conflicts =
      known === undefined || supporter === undefined
        ? check(assignment, planned, facts)
        : conflictsAgainst(known, supporter, assignment.credits, planned, facts, false);
    const binding = conflicts.filter(
      ({ code }) => !insisted.has(keyOf(assignment)) || NEVER_OVERRIDDEN.includes(code),
    );
    if (binding.length === 0) {
      standing.push(assignment);
      planned.add(assignment);
    } else result.dropped.push({ assignment, conflicts: binding });
  }
  const slots = slotsOf(standing, facts);
  for (const assignment of standing) {
    const to = slots.get(assignment);
    if (to === undefined) {
      const passed = {
        slot_at: iso(assignment.slot_at),
        earliest: iso(facts.window.first),
        closes_at: iso(facts.window.closes),
      };
      result.dropped.push({ assignment, conflicts: [{ code: 'slot_passed', facts: passed }] });
      continue;
    }
    if (to !== assignment.slot_at) {
      const { submission_id, supporter_id, slot_at: from } = assignment;
      result.moved.push({ submission_id, supporter_id, from, to });
    }
    result.kept.push({ ...assignment, slot_at: to });
  }
  return result;
}

/** A supporter who could step in. */
export interface NextCandidate {
  assignment: QueueAssignment;
  /** Affinity × reliability × the reach that counts. */
  value: number;
}

/**
 * Who could take a further assignment of a submission now, the most valuable first; of equal value the more rested one,
 * then by id. Each comes with a slot and the position after the last. Nobody who is in the queue for it already.
 */
export function nextCandidates(
  submissionId: string,
  state: QueueState,
  facts: QueueFacts,
  limit = 10,
): NextCandidate[] {
  const known = facts.submission.get(submissionId);
  if (known === undefined) return [];
  const planned = new Planned(state, facts);
  const missing = missingReach(known, planned, facts);
  const found: NextCandidate[] = [];
  for (const candidate of byWorth(candidatesOf(known, facts), missing)) {
    if (found.length >= limit) break;
    const assignment = placeAtFirst(known, candidate, planned, facts);
    if (assignment !== null) found.push({ assignment, value: worthOf(candidate, missing) });
  }
  return found;
}

/**
 * Fills gaps one after another. Each assignment given counts for those after it, as if {@link nextCandidates} were asked
 * anew with it in the queue; but a submission's candidates are ranked once, and who did not fit is not looked at again,
 * since what is placed can only exclude more of them.
 * @returns gives the best assignment for a submission that is not for one of these supporters; null when nobody is left.
 */
export function fillGaps(
  facts: QueueFacts,
): (submissionId: string, notThese: ReadonlySet<string>) => QueueAssignment | null {
  const planned = new Planned({ assignments: [], held: false }, facts);
  const lists = new Map<string, { missing: number; candidates: Candidate[] }>();
  return (submissionId, notThese) => {
    const known = facts.submission.get(submissionId);
    if (known === undefined) return null;
    const missing = missingReach(known, planned, facts);
    let list = lists.get(submissionId);
    if (list?.missing !== missing) {
      list = { missing, candidates: byWorth(list?.candidates ?? candidatesOf(known, facts), missing) };
      lists.set(submissionId, list);
    }
    const gone = new Set<Candidate>();
    let found: QueueAssignment | null = null;
    for (const candidate of list.candidates) {
      if (notThese.has(candidate.known.supporter.member_id)) continue;
      gone.add(candidate);
      found = placeAtFirst(known, candidate, planned, facts);
      if (found !== null) break;
    }
    list.candidates = list.candidates.filter((candidate) => !gone.has(candidate));
    if (found !== null) planned.add(found);
    return found;
  };
}

/** A supporter nothing speaks against whatever the track, with what their rank is made of. */
interface Candidate {
  known: FactsOfSupporter;
  affinity: number;
  reliability: number;
  rested: number;
}

/** Reach the submission lacks of its target beside what is planned; 0 or less when it has it. */
function missingReach({ submission }: FactsOfSubmission, planned: Planned, facts: QueueFacts): number {
  const reach = planned.of(submission.id).reduce((sum, other) => sum + other.reach, 0);
  return targetReachOf(planned.credits(submission).total, facts.settings.reach_per_credit) - reach;
}

/** In the order of ids. */
function candidatesOf({ submission }: FactsOfSubmission, facts: QueueFacts): Candidate[] {
  const { input, settings } = facts;
  return facts.supporters.flatMap((known) => {
    const { supporter, conflicts } = known;
    if (conflicts.length > 0) return [];
    const { parts } = scoreOf(supporter, affinityOf(submission, supporter, facts), input.now, settings);
    if (parts.affinity === 0) return [];
    const rested = rest(supporter.last_assignment_at, input.now, settings);
    return [{ known, affinity: parts.affinity, reliability: parts.reliability, rested }];
  });
}

/** @param missing see {@link missingReach} */
function worthOf({ known, affinity, reliability }: Candidate, missing: number): number {
  // A replacement is asked for even where the rest reaches the target by itself.
  const counted = missing > 0 ? Math.min(known.reach, missing) : known.reach;
  return affinity * reliability * counted;
}

/** The most valuable first; of equal value the more rested, then by id. */
function byWorth(candidates: readonly Candidate[], missing: number): Candidate[] {
  return candidates
    .map((candidate) => ({ candidate, worth: worthOf(candidate, missing) }))
    .sort(
      (a, b) =>
        b.worth - a.worth ||
        b.candidate.rested - a.candidate.rested ||
        (a.candidate.known.supporter.member_id < b.candidate.known.supporter.member_id ? -1 : 1),
    )
    .map(({ candidate }) => candidate);
}

/** At the account's first free slot; null when a rule speaks against it. */
function placeAtFirst(
  { submission }: FactsOfSubmission,
  { known }: Candidate,
  planned: Planned,
  facts: QueueFacts,
): QueueAssignment | null {
  const pair = { submission_id: submission.id, supporter_id: known.supporter.member_id };
  return place(pair, planned, facts, facts.window.first, false).assignment;
}

/** What changed from one draft to another; each list sorted by submission and supporter. */
export interface DraftDiff {
  added: QueueAssignment[];
  removed: QueueAssignment[];
  moved: { submission_id: string; supporter_id: string; from: number; to: number }[];
  repriced: { submission_id: string; supporter_id: string; from: number; to: number }[];
}

export function diffDrafts(before: readonly QueueAssignment[], after: readonly QueueAssignment[]): DraftDiff {
  const old = new Map(before.map((assignment) => [keyOf(assignment), assignment]));
  const fresh = new Map(after.map((assignment) => [keyOf(assignment), assignment]));
  const diff: DraftDiff = { added: [], removed: [], moved: [], repriced: [] };
  for (const key of [...new Set([...old.keys(), ...fresh.keys()])].sort()) {
    const from = old.get(key);
    const to = fresh.get(key);
    if (from === undefined && to !== undefined) diff.added.push(to);
    if (from !== undefined && to === undefined) diff.removed.push(from);
    if (from === undefined || to === undefined) continue;
    const { submission_id, supporter_id } = to;
    if (from.slot_at !== to.slot_at) {
      diff.moved.push({ submission_id, supporter_id, from: from.slot_at, to: to.slot_at });
    }
    if (from.credits !== to.credits) {
      diff.repriced.push({ submission_id, supporter_id, from: from.credits, to: to.credits });
    }
  }
  return diff;
}

/** Slots of assignments that stand: their own where it still is free, else the next free one of the account. */
function slotsOf(standing: readonly QueueAssignment[], facts: QueueFacts): Map<QueueAssignment, number> {
  const slots = new Map<QueueAssignment, number>();
  const busy = new Map<string, number[]>();
  const take = (assignment: QueueAssignment, at: number) => {
    slots.set(assignment, at);
    busy.set(assignment.supporter_id, inserted(busyNow(assignment), at));
  };
  const busyNow = ({ supporter_id }: QueueAssignment) =>
    busy.get(supporter_id) ?? facts.supporter.get(supporter_id)?.busy ?? [];
  const waiting = standing.filter((assignment) => {
    const stays = slotFits(assignment.slot_at, busyNow(assignment), facts.window);
    if (stays) take(assignment, assignment.slot_at);
    return !stays;
  });
  for (const assignment of waiting) {
    const at = nextSlot(Math.max(assignment.slot_at, facts.window.first), busyNow(assignment), facts.window);
    if (at !== null) take(assignment, at);
  }
  return slots;
}

function keyOf({ submission_id, supporter_id }: Pair): string {
  return `${submission_id} ${supporter_id}`;
}

function iso(instant: number): string {
  return new Date(instant).toISOString();
}
