/**
 * What an assignment remembers, and what a change of it is made of (lifecycles.md, "assignment"; rules.md, "Proof and
 * the watch"). Times are business milliseconds.
 */
import { HOUR_MS } from './calendar.js';
import type { EventType } from './events.js';
import type { ProofSubject } from './proof.js';
import type { ProofSource, Verdict } from './proof-evidence.js';
import { type SlaClock, startSla } from './sla.js';

export type AssignmentStatus = 'assigned' | 'completed' | 'skipped' | 'failed';

/**
 * `proof`: the supporter reposts and may hand in a proof. `decision`: the deadline is over, SoundCloud is looked at.
 * `ops`: nobody could see the repost, ops judge. `watch`: completed, the repost must stay. `closed`: settled.
 */
export type AssignmentStage = 'proof' | 'decision' | 'ops' | 'watch' | 'closed';

/** The org's settings that matter to an assignment. */
export interface AssignmentPolicy {
  proofHours: number;
  /** Percent of the time after which the supporter is reminded. */
  remindPercent: number;
  watchHours: number;
  /** Hours after the slot at which the repost is taken down as planned; null = never. */
  unrepostAfterHours: number | null;
  recheckMinutes: number;
  answerHours: number;
  auditPercent: number;
}

export type LookPurpose = 'proof' | 'reminder' | 'deadline' | 'watch';

/** A look at SoundCloud's lists that is due or under way. */
export interface PlannedLook {
  /** Evidence is stored under it once; unique within the assignment. */
  key: string;
  purpose: LookPurpose;
  at: number;
}

/** Who says that the repost was made: SoundCloud or the scheduler, a person of ops, or nobody in time. */
export type AcceptedBy = 'evidence' | 'ops' | 'timeout';

/** Everything an assignment remembers; stored with each step, carried through continue-as-new, shown by the query. */
export interface AssignmentState {
  assignmentId: string;
  /** Counts the changes. */
  revision: number;
  /** The settings as they were when the assignment was published. */
  policy: AssignmentPolicy;
  subject: ProofSubject;
  /** True without SoundCloud credentials: nothing can be verified, ops judge. */
  degraded: boolean;
  stage: AssignmentStage;
  status: AssignmentStatus;
  /** Since when it is in this stage. */
  since: number;
  slotAt: number;
  /** Runs from the slot to the deadline; `warned` once the supporter's reminder is due. */
  clock: SlaClock;
  proofUrl: string | null;
  /** The reminder waits for a look: whoever has reposted already gets none. */
  reminderOwed: boolean;
  look: PlannedLook | null;
  /** How many looks were planned; makes their keys. */
  looks: number;
  /** Looks in a row that SoundCloud did not answer. */
  failures: number;
  provider: { downSince: number } | null;
  /** When looks in a row found the repost missing. */
  absences: number[];
  opsDueAt: number | null;
  /** The repost was seen at least once. */
  seen: boolean;
  acceptedBy: AcceptedBy | null;
  watch: { startedAt: number; endsAt: number /** Checks passed. */; checks: number } | null;
}

/** The columns of `soundcloud_queue_assignments` a transition writes. Instants are business ms. */
export interface AssignmentPatch {
  status?: AssignmentStatus;
  outcome_reason?: string | null;
  completed_at?: number;
  proof_url?: string;
  proof_submitted_at?: number;
  provisional?: boolean;
}

export interface AssignmentNotice {
  to: 'supporter' | 'ops';
  kind: 'info' | 'success' | 'warning' | 'error';
  title: string;
  message: string;
  /** User id of who did it and need not be told. */
  notTo?: string;
  /** Written once a day for all assignments together. */
  oncePerDay?: string;
}

export interface AssignmentEvidence {
  source: ProofSource;
  verdict: Verdict;
  /** Unique within the assignment. */
  key: string;
  facts: Record<string, unknown>;
}

export type TaskKind = 'proof_unverified' | 'proof_audit';

/** A task for ops. */
export interface AssignmentTask {
  kind: TaskKind;
  title: string;
  body: string;
  dueAt: number | null;
}

export interface Transition {
  next: AssignmentState;
  /** Name of the step, for the record; null when there is nothing to write down. */
  step: string | null;
  row: AssignmentPatch;
  event: { type: EventType; data: Record<string, unknown> } | null;
  mail: 'proof_reminder' | null;
  notices: AssignmentNotice[];
  evidence: AssignmentEvidence | null;
  opensTask: AssignmentTask | null;
  /** Ends the open task that asks ops about the proof; says how. */
  closesTask: { outcome: string; by: string } | null;
  /** The credits move and the assignment is settled. */
  settles: 'capture' | 'release' | null;
  /** The supporter was active. */
  active: boolean;
}

/** Who acts when nobody does. */
export const SYSTEM_ACTOR = 'system';

/** An assignment as it is published: the clock runs from its slot. */
export function beginAssignment(facts: {
  assignmentId: string;
  slotAt: number;
  openedAt: number;
  subject: ProofSubject;
  policy: AssignmentPolicy;
  degraded: boolean;
}): AssignmentState {
  const { assignmentId, slotAt, openedAt, subject, policy, degraded } = facts;
  return {
    assignmentId,
    revision: 0,
    policy,
    subject,
    degraded,
    stage: 'proof',
    status: 'assigned',
    since: openedAt,
    slotAt,
    clock: startSla(policy.proofHours * HOUR_MS, slotAt, policy.remindPercent / 100),
    proofUrl: null,
    reminderOwed: false,
    look: null,
    looks: 0,
    failures: 0,
    provider: null,
    absences: [],
    opsDueAt: null,
    seen: false,
    acceptedBy: null,
    watch: null,
  };
}

/** Whether the hour has come at which a repost is taken down as planned. @param at business ms */
export function isTakenDownBy({ policy, slotAt }: AssignmentState, at: number): boolean {
  const { unrepostAfterHours } = policy;
  return unrepostAfterHours !== null && at >= slotAt + unrepostAfterHours * HOUR_MS;
}

/** Whether anybody is known to have found the repost on SoundCloud, or to have made it: a list, the scheduler, ops. */
export function isVouchedFor({ seen, acceptedBy }: AssignmentState): boolean {
  return seen || acceptedBy === 'ops';
}

/** A transition to `next` that does nothing but what `parts` name. */
export function transition(
  next: AssignmentState,
  step: string | null,
  parts: Partial<Omit<Transition, 'next' | 'step'>> = {},
): Transition {
  return {
    row: {},
    event: null,
    mail: null,
    notices: [],
    evidence: null,
    opensTask: null,
    closesTask: null,
    settles: null,
    active: false,
    ...parts,
    step,
    next: { ...next, revision: next.revision + 1 },
  };
}

/** The state with a look planned. @param at business ms */
export function planLook(state: AssignmentState, purpose: LookPurpose, at: number): AssignmentState {
  const looks = state.looks + 1;
  return { ...state, looks, look: { key: `${purpose}:${looks}`, purpose, at } };
}
