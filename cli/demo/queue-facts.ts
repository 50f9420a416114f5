/** What the promises about queues and reposts are judged by. Plain data; all instants are business epoch ms. */
import type { MailFact } from './facts.js';
import type { World } from './queue-plan.js';

export interface QueueFact {
  date: string;
  status: string;
  approvedBy: string | null;
  approvedAt: number | null;
  /** The cut-off. */
  approveBy: number | null;
  publishedAt: number | null;
  settledAt: number | null;
  closedAt: number | null;
  filledSlots: number;
  /** `submission supporter` of what was approved, of what left the queue when it was published, and of what came in. */
  approved: string[];
  dropped: string[];
  refilled: string[];
  /** Names of its events, oldest first. */
  events: string[];
  /** Titles of the notifications that name it. */
  told: string[];
  /** Tracks that moved on from it, with the reason. */
  shifted: { track: string; reason: string }[];
  workflow: string | null;
}

/** One look for a repost (`soundcloud_proof_checks`). */
export interface CheckFact {
  phase: string;
  source: string;
  verdict: string;
  /** The list showed another repost that is known to be later. */
  control: boolean;
  at: number;
}

/** A published assignment. */
export interface RepostFact {
  id: string;
  /** Date of its queue. */
  date: string;
  track: string;
  submissionId: string;
  artistId: string;
  supporterId: string;
  handle: string;
  /** What the story made of it in the outside world; null: nobody played it. */
  world: World | null;
  status: string;
  reason: string | null;
  provisional: boolean;
  slotAt: number;
  publishedAt: number | null;
  completedAt: number | null;
  settledAt: number | null;
  replacementFor: string | null;
  /** The frozen price. */
  credits: number;
  /** State of each hold for it: one is as it must be. */
  holds: { status: string; credits: number }[];
  /** Entries that paid the supporter. */
  earned: { credits: number; forfeited: number }[];
  checks: CheckFact[];
  /** Names of its events, oldest first. */
  events: { type: string; at: number }[];
  /** Tasks that asked ops: who answered what. */
  tasks: { status: string; outcome: string | null; by: string | null }[];
  /** Schedule in Influence Planner; null: none. */
  schedule: string | null;
  mails: MailFact[];
  /** Status of its workflow in Temporal, and how many runs it needed. */
  workflow: { status: string; runs: number } | null;
}
