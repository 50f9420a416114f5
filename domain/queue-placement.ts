/** Whether one pair may be in a queue beside the assignments it has, by the rules of generation and facts of the moment. */
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
import { inserted, nextSlot, slotsOnDate } from './queue-generation-slots.js';
import type { QueueAssignment, QueueExclusionCode } from './queue-generation-types.js';
import type { Fact } from './targeting-types.js';

/** Why an assignment may not be in a queue, besides the exclusions of generation. */
export type PlacementCode =
  | QueueExclusionCode
  /** The submission is not open any more (withdrawn, closed), or not of this org. */
  | 'submission_not_open'
  | 'supporter_unknown'
  /** The member has no account to repost from. */
  | 'no_account'
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

/** The assignments a change is judged against. Their submissions must be among the facts' submissions. */
export interface QueueState {
  assignments: readonly QueueAssignment[];
  /** Credits of the assignments are held already (published), so balances do not include them. */
  held: boolean;
}

export type Pair = Pick<QueueAssignment, 'submission_id' | 'supporter_id'>;

/** Everything that speaks against a pair, each with its facts. */
export function check(pair: Pair, planned: Planned, facts: QueueFacts): PlacementConflict[] {
  const known = facts.submission.get(pair.submission_id);
  const supporter = facts.supporter.get(pair.supporter_id);
  if (known === undefined)
    return [{ code: 'submission_not_open', facts: { submission_id: pair.submission_id } }];
  if (supporter === undefined)
    return [{ code: 'supporter_unknown', facts: { member_id: pair.supporter_id } }];
  return conflictsAgainst(known, supporter, supporter.price, planned, facts);
}

/** The assignments a change is judged against, found by supporter and submission. */
export class Planned {
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
export function conflictsAgainst(
  known: FactsOfSubmission,
  supporter: FactsOfSupporter,
  price: number,
  planned: Planned,
  facts: QueueFacts,
  slots = true,
): PlacementConflict[] {
  const { submission } = known;
  const { member_id: self, account_id, handle } = supporter.supporter;
  const { value: affinity } = affinityOf(submission, supporter.supporter, facts);
  const conflicts: PlacementConflict[] = conflictsOfPair(known, supporter, affinity, facts);
  const add = (code: PlacementCode, because: PlacementConflict['facts']) => {
    if (!conflicts.some((other) => other.code === code)) conflicts.push({ code, facts: because });
  };
  if (account_id === null || handle === null) add('no_account', { member_id: self });
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

export function noSlot(busy: readonly number[]): PlacementConflict {
  return { code: 'no_slot_left', facts: { taken_slots: busy.length } };
}
