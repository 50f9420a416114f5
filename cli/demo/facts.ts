/**
 * What the promises are judged by: read from database, Temporal, mailbox and Slack after the story is told. Plain data,
 * so that the judging is a pure function. All instants are business epoch ms.
 */
import type { SubmissionStatus } from '../../domain/submission-review.js';
import type { PlannedReview } from './plan.js';
import type { QueueFact, RepostFact } from './queue-facts.js';

/** A row of `soundcloud_waits` at the moment it was seen. */
export interface SeenWait {
  stage: string;
  waitingOn: string;
  since: number;
  dueAt: number | null;
  paused: boolean;
  remainingMs: number | null;
  breached: boolean;
}

/** A row of `soundcloud_email_logs`, and how often the mailbox got it. */
export interface MailFact {
  template: string;
  status: string;
  arrived: number;
}

export interface NotificationFact {
  userId: string;
  title: string;
  /** What caused it, where a step of a review did: `warning`, `breach` … */
  step: string | null;
  at: number;
}

export interface WorkflowFact {
  /** RUNNING, COMPLETED, FAILED … as Temporal says. */
  status: string;
  /** Runs under this id: 1 unless it failed and was started again. */
  runs: number;
  /** Search attributes as Temporal lists them. */
  stage: string | null;
  waitingOn: string | null;
  dueAt: number | null;
  breached: boolean;
  /** Names of the Signals and of the accepted Updates in its history. */
  signals: string[];
  updates: string[];
  /** Identities (`pid@host`) of the workers that worked on it, in order. */
  workers: string[];
  /** What the workflow itself counted: business ms of the promise that were used up. */
  slaElapsedMs: number | null;
}

export interface ReviewFacts {
  id: string;
  /** undefined for a row that no accepted request of the story made. */
  planned: PlannedReview | undefined;
  memberId: string | null;
  status: SubmissionStatus;
  submittedAt: number;
  decidedAt: number | null;
  decidedBy: string | null;
  withdrawnAt: number | null;
  closedAt: number | null;
  slotReturned: boolean;
  family: string | null;
  /** Every reason it was seen flagged for, in the course of the story. */
  flags: string[];
  ownerId: string | null;
  suggestedSupporters: number;
  /** Credits its reposts cost, by its row; written when its support ends. */
  creditsConsumed: number;
  supportEndedAt: number | null;
  rejectReason: string | null;
  events: { type: string; at: number; status: string | null }[];
  mails: MailFact[];
  notifications: NotificationFact[];
  /** Messages in the Slack channel that name its track. */
  slack: string[];
  /** Steps taken and refused (`soundcloud_commands`). */
  commands: { name: string; status: string; code: string | null; action: string | null }[];
  /** With how many targets. */
  proposals: { createdAt: number; expiresAt: number; targets: number }[];
  /** The wait it has now. */
  wait: SeenWait | null;
  /** Every wait that was seen in the course of the story, oldest first. */
  seenWaits: SeenWait[];
  workflow: WorkflowFact | null;
}

export interface MemberFact {
  id: string;
  handle: string;
  tier: string;
  /** The tier it had when the new month was granted. */
  tierAtGrant: string;
  /** Credits of the grant at joining, and of those of the month that began in the story. */
  firstGrant: number | null;
  newGrants: { credits: number; forfeited: number }[];
  /** Balance of the wallet, which can be spent, and what it holds for open reposts; null without one. */
  balance: number | null;
  held: number | null;
  /** Credits ops gave by hand, that reposts brought, and that reposts of own tracks cost. */
  given: number;
  earned: number;
  spent: number;
  submissionsThisMonth: number;
  genres: number;
}

/** A request the API had to refuse, and what it answered. */
export interface Refusal {
  what: string;
  expected: { status: number; code: string };
  seen: { status: number; code: string };
}

export interface DemoFacts {
  /** When the facts were read. */
  now: number;
  /** How late an alarm may be on a busy machine. */
  toleranceMs: number;
  people: Record<'admin' | 'moderator', string>;
  /** User ids by role, from the database. */
  admins: string[];
  ops: string[];
  members: MemberFact[];
  /** Credits each tier is granted, by the org's settings. */
  grants: Record<string, number>;
  /** The month that began in the story, `YYYY-MM`. */
  month: string;
  /** Changes of tiers and connections in order, with how many daily sweeps after the change outside. */
  moves: { handle: string; type: string; sweeps: number }[];
  /** Mails to members that no submission is about. */
  memberMails: { handle: string; template: string; arrived: number }[];
  /** Handles of accounts that are not linked in the end. */
  unhealthyAccounts: string[];
  /** What `spark doctor` finds. */
  doctor: string[];
  reviews: ReviewFacts[];
  queues: QueueFact[];
  /** Every published assignment. */
  reposts: RepostFact[];
  /** Dates on which the story has queues: two that are approved, and one that is left lying. */
  queueDates: readonly [string, string, string];
  /** Runs of the org's other lifecycles in Temporal, as it names their types. */
  otherWorkflows: { type: string; status: string }[];
  /** Ids of assignments in Temporal that belong to none of the org. */
  strayReposts: string[];
  /** Commands to whatever lifecycle that have no outcome. */
  pendingCommands: number;
  /** Requests that were answered with 201. */
  accepted: number;
  /** Ids of reviews in Temporal that belong to no submission of the org. */
  strayWorkflows: string[];
  refusals: Refusal[];
  /** Mails in the mailbox that no row of ours accounts for. */
  strayMails: number;
  /** From the kill of the worker until the next one was ready. */
  outage: { from: number; to: number } | null;
  /** How long a step that the killed worker had taken may go unnoticed: its time limit. */
  recoveryMs: number;
  /** Identity (`pid@host`) of the worker that was killed, and process id of the one that runs. */
  killedWorker: string | null;
  workerPid: number | null;
  outbox: { unrelayed: number; failing: number };
  ledgerViolations: string[];
}
