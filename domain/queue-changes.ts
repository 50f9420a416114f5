/**
 * Changes of a queue after it was generated: what ops add or swap, what publishing finds changed, who steps in for
 * somebody who dropped out. All by the rules of generation, against the facts of the moment.
 */
import { targetReachOf } from './credits.js';
import {
  affinityOf,
  budgetOf,
  conflictsOfPair,
  cooldownOfKey,
  type FactsOfSubmission,
  type FactsOfSupporter,
  type QueueFacts,
  sharedKey,
} from './queue-generation-facts.js';
import { assignmentOf } from './queue-generation-output.js';
import { inserted, nextSlot, slotFits, slotsOnDate } from './queue-generation-slots.js';
import type { QueueAssignment, QueueExclusionCode } from './queue-generation-types.js';
import { rest } from './targeting-score.js';
import type { Fact } from './targeting-types.js';

export { prepareFacts, type QueueFacts } from './queue-generation-facts.js';

/** Why an assignment may not be in a queue, besides the exclusions of generation. */
export type PlacementCode =
  | QueueExclusionCode
  /** The submission is not open any more (withdrawn, closed), or not of this org. */
  | 'submission_not_open'
  | 'supporter_unknown'
  /** The pair is in the queue already. */
  | 'already_in_queue'
  /** The member's credits left in the queue do not buy it. */
  | 'budget'
  /** As many replacements as were asked for are in the queue. */
  | 'demand_met'
  /** The slot has passed, or is too soon, and the account has no later one in the window. */
  | 'slot_passed';

export interface PlacementConflict {
  code: PlacementCode;
  facts: Record<string, Fact>;
}

/** The assignments a change is judged against. */
export interface QueueState {
  assignments: readonly QueueAssignment[];
  /** Credits of the assignments are held already (published), so balances do not include them. */
  held: boolean;
}

/** These stand for something that is not there; no reason given by ops can put it right. */
const NEVER_OVERRIDDEN: readonly PlacementCode[] = [
  'submission_not_open',
  'supporter_unknown',
  'already_in_queue',
  'budget',
  'no_slot_left',
  'slot_passed',
];

type Pair = Pick<QueueAssignment, 'submission_id' | 'supporter_id'>;

/** Everything that speaks against a pair beside the assignments of a queue, each with its facts. Empty = it may be added. */
export function checkPair(pair: Pair, state: QueueState, facts: QueueFacts): PlacementConflict[] {
  return check(pair, new Planned(state, facts), facts);
}

function check(pair: Pair, planned: Planned, facts: QueueFacts): PlacementConflict[] {
  const known = facts.submission.get(pair.submission_id);
  const supporter = facts.supporter.get(pair.supporter_id);
  if (known === undefined)
    return [{ code: 'submission_not_open', facts: { submission_id: pair.submission_id } }];
  if (supporter === undefined)
    return [{ code: 'supporter_unknown', facts: { member_id: pair.supporter_id } }];
  return conflictsAgainst(known, supporter, supporter.price, planned, facts);
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
  if (refused || known === undefined || supporter === undefined || supporter.supporter.account_id === null) {
    return { assignment: null, conflicts };
  }
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
  const reach = planned.of(submissionId).reduce((sum, other) => sum + other.reach, 0);
  const missing =
    targetReachOf(planned.credits(known.submission).total, facts.settings.reach_per_credit) - reach;
  const ranked = facts.supporters.flatMap((supporter) => {
    if (supporter.conflicts.length > 0) return [];
    const pair = { submission_id: submissionId, supporter_id: supporter.supporter.member_id };
    const { assignment } = place(pair, planned, facts, facts.window.first, false);
    if (assignment === null) return [];
    // A replacement is asked for even where the rest reaches the target by itself.
    const counted = missing > 0 ? Math.min(assignment.reach, missing) : assignment.reach;
    const { last_assignment_at } = supporter.supporter;
    return [
      {
        assignment,
        value: assignment.affinity * assignment.reliability * counted,
        rested: rest(last_assignment_at, facts.input.now, facts.settings),
      },
    ];
  });
  return ranked
    .sort(
      (a, b) =>
        b.value - a.value ||
        b.rested - a.rested ||
        (a.assignment.supporter_id < b.assignment.supporter_id ? -1 : 1),
    )
    .slice(0, limit)
    .map(({ assignment, value }) => ({ assignment, value }));
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

/** The assignments a change is judged against, found by supporter and submission. */
class Planned {
  lastPosition = 0;
  private readonly bySupporter = new Map<string, QueueAssignment[]>();
  private readonly bySubmission = new Map<string, QueueAssignment[]>();
  private readonly spent = new Map<string | null, number>();
  readonly held: boolean;

  constructor(
    { assignments, held }: QueueState,
    private readonly facts: QueueFacts,
  ) {
    this.held = held;
    for (const assignment of assignments) this.add(assignment);
  }

  add(assignment: QueueAssignment): void {
    const { submission_id, supporter_id, position, credits } = assignment;
    this.lastPosition = Math.max(this.lastPosition, position);
    this.bySupporter.set(supporter_id, [...this.by(supporter_id), assignment]);
    this.bySubmission.set(submission_id, [...this.of(submission_id), assignment]);
    const member = this.facts.submission.get(submission_id)?.submission.member_id ?? null;
    this.spent.set(member, (this.spent.get(member) ?? 0) + credits);
  }

  /** Assignments of a supporter. */
  by(memberId: string): readonly QueueAssignment[] {
    return this.bySupporter.get(memberId) ?? [];
  }

  /** Assignments of a submission. */
  of(submissionId: string): readonly QueueAssignment[] {
    return this.bySubmission.get(submissionId) ?? [];
  }

  /** Slots of a supporter in this queue and elsewhere, ascending. */
  busy({ supporter, busy }: FactsOfSupporter): number[] {
    return this.by(supporter.member_id).reduce((slots, { slot_at }) => inserted(slots, slot_at), busy);
  }

  /** Credits of the submitting member: all for this queue, and what its assignments leave. */
  credits(submission: FactsOfSubmission['submission']): { total: number; left: number } {
    const spent = this.spent.get(submission.member_id) ?? 0;
    const spendable = budgetOf(submission, this.facts);
    return this.held
      ? { total: spendable + spent, left: spendable }
      : { total: spendable, left: spendable - spent };
  }
}

/** @param slots whether a free slot is looked for; a re-check finds the slots of all afterwards. */
function conflictsAgainst(
  known: FactsOfSubmission,
  supporter: FactsOfSupporter,
  price: number,
  planned: Planned,
  facts: QueueFacts,
  slots = true,
): PlacementConflict[] {
  const { submission } = known;
  const { member_id: self } = supporter.supporter;
  const { value: affinity } = affinityOf(submission, supporter.supporter, facts);
  const conflicts: PlacementConflict[] = conflictsOfPair(known, supporter, affinity, facts);
  const add = (code: PlacementCode, because: PlacementConflict['facts']) => {
    if (!conflicts.some((other) => other.code === code)) conflicts.push({ code, facts: because });
  };
  if (submission.support_date > facts.input.date) {
    add('submission_not_open', { support_date: submission.support_date });
  }
  const inQueue = planned.of(submission.id);
  if (inQueue.some((other) => other.supporter_id === self)) {
    add('already_in_queue', { submission_id: submission.id, member_id: self });
  }
  for (const { code, facts: because } of conflictsInQueue(known, self, planned, facts)) add(code, because);
  const busy = planned.busy(supporter);
  const taken = slotsOnDate(busy, facts.window);
  const { accounts_daily_cap } = facts.settings;
  if (taken >= accounts_daily_cap) {
    add('daily_cap', { date: facts.input.date, assignments: taken, accounts_daily_cap });
  }
  if (slots && nextSlot(facts.window.first, busy, facts.window) === null)
    add('no_slot_left', noSlot(busy).facts);
  const { left, total } = planned.credits(submission);
  if (price > left) add('budget', { price, credits_left: left, budget: total });
  const { demand } = submission;
  if (!planned.held && demand.kind === 'replacement' && inQueue.length >= demand.count) {
    add('demand_met', { asked: demand.count, in_queue: inQueue.length });
  }
  return slots ? conflicts : conflicts.filter(({ code }) => code !== 'no_slot_left');
}

/** Cool-downs that other assignments of the queue start: of the same supporter, and of the member for the supporter. */
function conflictsInQueue(
  known: FactsOfSubmission,
  self: string,
  planned: Planned,
  facts: QueueFacts,
): PlacementConflict[] {
  const { submission } = known;
  const conflicts: PlacementConflict[] = [];
  const other = (id: string) => (id === submission.id ? undefined : facts.submission.get(id));
  const because = (submission_id: string) => ({ in_queue: true, submission_id });
  for (const { submission_id } of planned.by(self)) {
    const theirs = other(submission_id);
    const key = theirs === undefined ? null : sharedKey(known, theirs);
    if (key !== null) conflicts.push({ code: cooldownOfKey(key), facts: because(submission_id) });
  }
  if (submission.member_id === null || facts.settings.pair_cooldown_days <= 0) return conflicts;
  for (const { submission_id } of planned.by(submission.member_id)) {
    if (other(submission_id)?.submission.member_id !== self) continue;
    conflicts.push({ code: 'pair_cooldown', facts: because(submission_id) });
  }
  return conflicts;
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

function noSlot(busy: readonly number[]): PlacementConflict {
  return { code: 'no_slot_left', facts: { taken_slots: busy.length } };
}

function keyOf({ submission_id, supporter_id }: Pair): string {
  return `${submission_id} ${supporter_id}`;
}

function iso(instant: number): string {
  return new Date(instant).toISOString();
}
