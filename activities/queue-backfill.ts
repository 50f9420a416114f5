/**
 * Backfill: who takes the place of an assignment that was skipped, failed or dropped after its queue was published
 * (rules.md, "Queue generation"; lifecycles.md, "assignment").
 */
import type { Trx } from '../db/client.js';

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
  /** Fewer than `queue_hours.backfill_min_hours` of the window are left. */
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

/** Places the next candidate. The caller holds the lock on the queue's row (decision 0071) and commits. */
export type Backfill = (trx: Trx, request: BackfillRequest) => Promise<BackfillOutcome>;
