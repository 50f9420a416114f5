/** The events that tell of published assignments: one each, and one for each submission (decision 0071). */
import type { NewEvent } from '../db/events.js';
import type { DraftAssignment } from '../db/queues.js';

/** @param now business ms. */
export function publishedEvents(
  orgId: string,
  queue: { id: string; date: string },
  assignments: readonly DraftAssignment[],
  now: number,
): NewEvent[] {
  const bySubmission = new Map<string, DraftAssignment[]>();
  for (const assignment of assignments) {
    const list = bySubmission.get(assignment.submission_id);
    if (list === undefined) bySubmission.set(assignment.submission_id, [assignment]);
    else list.push(assignment);
  }
  const each = assignments.map((assignment) => ({
    orgId,
    type: 'assignment.published' as const,
    entityType: 'assignment',
    entityId: assignment.id,
    data: {
      assignment_id: assignment.id,
      queue_id: queue.id,
      queue_date: queue.date,
      submission_id: assignment.submission_id,
      supporter_id: assignment.supporter_id,
      slot_at: new Date(assignment.slot_at).toISOString(),
    },
    occurredAt: now,
    dedupeKey: `assignment.published:${assignment.id}`,
  }));
  const together = [...bySubmission].map(([submissionId, own]) => {
    const first = own.reduce((a, b) => (b.slot_at < a.slot_at ? b : a));
    return {
      orgId,
      type: 'submission.assigned' as const,
      entityType: 'submission',
      entityId: submissionId,
      data: {
        submission_id: submissionId,
        queue_id: queue.id,
        queue_date: queue.date,
        first_slot_at: new Date(first.slot_at).toISOString(),
        assignments: own.length,
      },
      occurredAt: now,
      // A backfill assigns a submission once more.
      dedupeKey: `submission.assigned:${submissionId}:${first.id}`,
    };
  });
  // The submission hears of it first: its baseline is taken before the first slot.
  return [...together, ...each];
}
