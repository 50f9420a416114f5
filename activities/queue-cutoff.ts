/**
 * What was asked for before the cut-off and is found at it (decision 0079): an approval counts, with the changes of the
 * draft that were asked for before it.
 */
import { sql } from 'kysely';
import type { Trx } from '../db/client.js';
import { readClock } from '../db/clock.js';
import { type CommandRow, requestedBetween } from '../db/commands.js';
import { lastMadeAt } from '../db/queue-drafts.js';
import { loadQueue, type QueueRow } from '../db/queues.js';
import { newestRequest, refuseStep, takeStep } from '../db/steps.js';
import { toBusiness, toReal } from '../domain/calendar.js';
import { checkQueueCommand, queueLimits } from '../domain/daily-queue.js';
import {
  isQueueCommandName,
  QUEUE_COMMAND_NAMES,
  type QueueCommand,
  type QueueRefusal,
  readQueueCommand,
} from '../domain/daily-queue-commands.js';
import type { OrgSettings } from '../domain/settings.js';
import { applyToDraft } from './queue-commands.js';
import { readQueueState } from './queue-state.js';
import { taker } from './taker.js';

/** `found_late`: it was approved in time, and found when nothing could go out on that date any more. */
export type CutoffFinding = 'approved' | 'found_late' | 'not_approved';

interface Cutoff {
  orgId: string;
  date: string;
  workflowId: string;
  settings: OrgSettings;
  /** Business ms. */
  now: number;
}

interface Requested {
  /** Of its row. */
  id: string;
  command: QueueCommand;
  /** Real time. */
  at: Date;
  /** The same as business ms. */
  requestedAt: number;
}

type Refused = { applied: false } & QueueRefusal;

/**
 * Applies the first approval that was asked for before the cut-off and holds, after the changes asked for before it;
 * refuses the approvals that do not hold. Changes without such an approval stay as they are.
 * @param queue locked, a draft
 */
export async function approveInTime(trx: Trx, cutoff: Cutoff, queue: QueueRow): Promise<CutoffFinding> {
  const { orgId, workflowId } = cutoff;
  if (queue.approve_by === null) return 'not_approved';
  const clock = await readClock(trx);
  const madeAt = await lastMadeAt(trx, orgId, queue.id);
  // What was asked for before this draft was made meant another.
  const from = new Date(toReal(clock, madeAt ?? queue.created_at.getTime()));
  const before = new Date(toReal(clock, queue.approve_by.getTime()));
  const asked = { orgId, workflowId, names: QUEUE_COMMAND_NAMES };
  const pending = (await requestedBetween(trx, { ...asked, from, before })).flatMap((row) => {
    const command = readRow(row);
    const requestedAt = toBusiness(clock, row.created_at.getTime());
    return command === null ? [] : [{ id: row.id, command, at: row.created_at, requestedAt }];
  });
  // So did an approval that was asked for before a change of the draft that has been made.
  const changed = await newestRequest(trx, asked);
  let finding: CutoffFinding = 'not_approved';
  for (const [n, request] of pending.entries()) {
    if (request.command.name !== 'approve') continue;
    if (changed !== null && request.at <= changed) continue;
    const changes = pending.slice(0, n).filter(({ command }) => command.name !== 'approve');
    const refusal = await approveAfter(trx, cutoff, changes, request);
    if (refusal === null) return 'approved';
    if (refusal.late) finding = 'found_late';
    await refuse(trx, cutoff, request, refusal);
  }
  return finding;
}

/** The approval, with the changes asked for before it: all or nothing. @returns why it is refused, or null. */
async function approveAfter(
  trx: Trx,
  cutoff: Cutoff,
  changes: readonly Requested[],
  approval: Requested,
): Promise<(QueueRefusal & { late: boolean }) | null> {
  const { date } = cutoff;
  if (changes.some(({ command }) => command.name === 'regenerate')) {
    return {
      late: false,
      code: 'queue_changed',
      reason: `Before it a new draft of ${date} was asked for, which was not made by the cut-off, so there was nothing to approve. Ask for the queue again.`,
    };
  }
  await sql`savepoint before_approval`.execute(trx);
  for (const change of changes) await apply(trx, cutoff, change);
  const refusal = await apply(trx, cutoff, approval);
  if (refusal === null) return null;
  await sql`rollback to savepoint before_approval`.execute(trx);
  if (refusal.code !== 'too_late_to_publish') return { ...refusal, late: false };
  return {
    late: true,
    code: 'queue_closed',
    reason: `You asked for it in time, but it was found when no slot of ${date} was left, because no worker ran. The queue lapsed; its submissions are in the next one.`,
  };
}

/** @returns null for what cannot be read: the workflow refuses it, if it ever comes. */
function readRow(row: Pick<CommandRow, 'id' | 'name' | 'payload'>): QueueCommand | null {
  if (!isQueueCommandName(row.name)) return null;
  const read = readQueueCommand(row.name, row.payload, row.id);
  return read.ok ? read.command : null;
}

/** Takes the step of a command, as its workflow would have. @returns why it is refused, or null. */
async function apply(trx: Trx, cutoff: Cutoff, request: Requested): Promise<QueueRefusal | null> {
  const { orgId, date, settings, now } = cutoff;
  const { command, requestedAt } = request;
  const queue = await loadQueue(trx, orgId, date);
  if (queue === undefined) throw new Error(`The queue of ${date} is gone, though it is locked.`);
  const limits = queueLimits(date, settings.timezone, settings.queue_hours);
  const check = checkQueueCommand(await readQueueState(trx, cutoff, queue), command, now, limits);
  const refusal = check.ok
    ? await applyToDraft(trx, { orgId, date, command, queue, settings, now, requestedAt })
    : check;
  if (refusal !== null) await refuse(trx, cutoff, request, refusal);
  else await takeStep(trx, stepOf(cutoff, request), async () => ({ applied: true }));
  return refusal;
}

async function refuse(
  trx: Trx,
  cutoff: Cutoff,
  request: Requested,
  { code, reason }: QueueRefusal,
): Promise<void> {
  await refuseStep<never, Refused>(trx, stepOf(cutoff, request), { applied: false, code, reason });
}

function stepOf({ orgId, workflowId }: Cutoff, { id, command }: Requested) {
  return { orgId, stepId: id, workflowId, taker: taker(), name: command.name, payload: command };
}
