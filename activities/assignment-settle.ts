/** Settling: credits move, the place is filled again, and whoever waits for the queue or the submission is told. */
import { type AssignmentFacts, openHold, patchAssignment, unsettledIn } from '../db/assignments.js';
import type { Trx } from '../db/client.js';
import { type CreditRequest, postCredits } from '../db/credits.js';
import { emitEvent } from '../db/events.js';
import { loadSettings } from '../db/settings.js';
import { termsOf } from '../domain/assignment-terms.js';
import { earningOf } from '../domain/credits.js';
import { backfill } from './queue-backfill.js';
import { cancelSchedulesOf } from './repost-scheduling.js';

/**
 * Captures or releases what the assignment holds, pays the supporter, sets settled_at, backfills, counts what is open in
 * the queue, and writes `assignment.settled`, once with `queue_done`. The caller holds the lock on the queue's row.
 * @returns what was booked, for the supporter; null when nothing was
 */
export async function settleAssignment(
  trx: Trx,
  settling: { assignment: AssignmentFacts; how: 'capture' | 'release'; now: number },
): Promise<string | null> {
  const { assignment, how, now } = settling;
  const { org_id: orgId, id, queue_id: queueId } = assignment;
  const booked = await moveCredits(trx, assignment, how, now);
  await patchAssignment(trx, orgId, id, { settled_at: now });
  if (how === 'release') {
    const reason = 'The assignment it was made for is settled without a repost.';
    await cancelSchedulesOf(trx, { orgId, assignmentIds: [id], reason, now });
  }
  if (how === 'release') await backfill(trx, { orgId, queueId, failedAssignmentId: id, now });
  const open = await unsettledIn(trx, orgId, queueId);
  await emitEvent(trx, {
    orgId,
    type: 'assignment.settled',
    entityType: 'assignment',
    entityId: id,
    data: {
      assignment_id: id,
      queue_id: queueId,
      queue_date: assignment.queue_date,
      submission_id: assignment.submission_id,
      queue_done: open === 0,
    },
    occurredAt: now,
    dedupeKey: `assignment.settled:${id}`,
  });
  return booked;
}

async function moveCredits(
  trx: Trx,
  assignment: AssignmentFacts,
  how: 'capture' | 'release',
  now: number,
): Promise<string | null> {
  const { org_id: orgId, id, supporter_id: member_id } = assignment;
  const held = await openHold(trx, orgId, id);
  if (held === null) return null;
  const { feePercent } = termsOf(assignment, await loadSettings(trx, orgId));
  const earning = earningOf(held, feePercent);
  const requests: CreditRequest[] = [{ kind: how, assignment_id: id }];
  const earns = how === 'capture' && earning > 0;
  if (earns) requests.push({ kind: 'earn', member_id, assignment_id: id, amount: earning });
  const results = await postCredits(trx, orgId, requests, { at: new Date(now) });
  const earned = results[1];
  if (!earns || earned === undefined) return null;
  const lost = earned.forfeited ?? 0;
  const rest = lost === 0 ? '' : ` ${lost} more did not fit below your cap and are lost.`;
  return `The watch is over: ${earned.change_amount === 1 ? '1 credit is' : `${earned.change_amount} credits are`} booked.${rest}`;
}
