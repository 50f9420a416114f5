/** What ops ask of a draft, applied in the transaction of the step: the rows, a new draft, and the audit of overrides. */
import { writeWorkerAudit } from '../db/audit.js';
import type { Trx } from '../db/client.js';
import { emitEvent } from '../db/events.js';
import { insertDraft, loadDraft } from '../db/queue-drafts.js';
import { loadOwed, loadQueueFacts, type QueueQuestion } from '../db/queue-facts.js';
import { patchQueue, type QueueRow, replaceAssignments } from '../db/queues.js';
import { orgUser } from '../db/submissions.js';
import { checkPublishing, NOTICE_MINUTES, queueLimits } from '../domain/daily-queue.js';
import type { QueueCommand, QueueRefusal } from '../domain/daily-queue-commands.js';
import type { QueueInput } from '../domain/queue-generation-types.js';
import type { OrgSettings } from '../domain/settings.js';
import { dropFromDraft, placeInDraft, withTakenOut } from './queue-edits.js';
import { withReplacements } from './queue-publish.js';

export interface DraftChange {
  orgId: string;
  date: string;
  command: QueueCommand;
  /** Locked. */
  queue: QueueRow;
  settings: OrgSettings;
  /** Business ms. */
  now: number;
  /** When the command was asked for, business ms; left out: now. */
  requestedAt?: number;
}

/** @returns why it is refused, or null: the draft is changed. */
export async function applyToDraft(trx: Trx, change: DraftChange): Promise<QueueRefusal | null> {
  const { command, queue } = change;
  if (queue.status !== 'draft') {
    return {
      code: queue.status === 'lapsed' ? 'queue_closed' : 'queue_already_approved',
      reason: `The queue of ${change.date} is ${queue.status}; its draft cannot be changed any more.`,
    };
  }
  switch (command.name) {
    case 'approve':
      return approve(trx, change, command);
    case 'swapAssignment':
    case 'dropAssignment':
    case 'addAssignment':
      return edit(trx, change, command);
    case 'regenerate':
      throw new Error('A draft is generated anew by generateQueue.');
  }
}

async function approve(
  trx: Trx,
  { orgId, date, queue, settings, now, requestedAt = now }: DraftChange,
  command: Extract<QueueCommand, { name: 'approve' }>,
): Promise<QueueRefusal | null> {
  const check = checkPublishing(date, now, queueLimits(date, settings.timezone, settings.queue_hours));
  if (!check.ok) return { code: check.code, reason: check.reason };
  const draft = await requireDraft(trx, orgId, queue);
  const excluded = new Set(command.excludeAssignmentIds);
  const takenOut = draft.assignments.filter(({ id }) => excluded.has(id));
  if (takenOut.length < excluded.size) {
    const known = new Set(takenOut.map(({ id }) => id));
    const strangers = [...excluded].filter((id) => !known.has(id));
    return {
      code: 'assignment_not_in_queue',
      reason: `These are not in the draft: ${strangers.slice(0, 5).join(', ')}. Look at the newest draft.`,
    };
  }
  const assignments = draft.assignments
    .filter(({ id }) => !excluded.has(id))
    .map((assignment, n) => ({ ...assignment, position: n + 1 }));
  const by = await orgUser(trx, orgId, command.by);
  const revision = queue.revision + 1;
  if (takenOut.length > 0) await replaceAssignments(trx, orgId, queue.id, assignments);
  await insertDraft(trx, orgId, {
    queueId: queue.id,
    revision,
    cause: 'approved',
    assignments,
    unfilled: withTakenOut(draft, takenOut, { by: command.by, approval: true }),
    unused: [],
    explanation: {
      base_revision: queue.revision,
      edit: { by: command.by, excluded: takenOut.map(({ id }) => id) },
    },
    inputHash: null,
    createdBy: by,
    at: now,
  });
  await patchQueue(trx, orgId, queue.id, {
    status: 'approved',
    approved_by_id: by,
    approved_at: new Date(requestedAt),
    filled_slots: assignments.length,
    revision,
  });
  await emitEvent(trx, {
    orgId,
    type: 'queue.approved',
    entityType: 'queue',
    entityId: queue.id,
    data: {
      queue_id: queue.id,
      date: queue.date,
      approved_by: by,
      assignments: assignments.length,
      excluded: takenOut.length,
    },
    occurredAt: now,
    dedupeKey: `queue.approved:${queue.id}`,
  });
  return null;
}

async function edit(
  trx: Trx,
  { orgId, date, queue, settings, now }: DraftChange,
  command: Extract<QueueCommand, { name: 'swapAssignment' | 'dropAssignment' | 'addAssignment' }>,
): Promise<QueueRefusal | null> {
  const draft = await requireDraft(trx, orgId, queue);
  const earliest = now + NOTICE_MINUTES * 60_000;
  const question = { orgId, date, now, earliest, settings, queueId: queue.id };
  const result =
    command.name === 'dropAssignment'
      ? dropFromDraft(command, draft)
      : placeInDraft(command, draft, await factsAbout(trx, question, command.supporterId));
  if (!result.ok) return { code: result.code, reason: result.reason };
  const { unfilled, edit: what, override, cause } = result.draft;
  const submissionIds = [...new Set(result.draft.assignments.map(({ submission_id }) => submission_id))];
  const owed = await loadOwed(trx, { ...question, submissionIds });
  const assignments = withReplacements(result.draft.assignments, owed);
  const by = await orgUser(trx, orgId, command.by);
  const revision = queue.revision + 1;
  await replaceAssignments(trx, orgId, queue.id, assignments);
  await insertDraft(trx, orgId, {
    queueId: queue.id,
    revision,
    cause,
    assignments,
    unfilled,
    unused: [],
    explanation: { base_revision: queue.revision, edit: what },
    inputHash: null,
    createdBy: by,
    at: now,
  });
  await patchQueue(trx, orgId, queue.id, { filled_slots: assignments.length, revision });
  if (override !== null) {
    await writeWorkerAudit(trx, {
      orgId,
      by,
      action: 'queue.override',
      entityType: 'queue',
      entityId: queue.id,
      occurredAt: new Date(now),
      commandId: command.commandId,
      reason: override.reason,
      details: { ...what, codes: override.codes },
    });
  }
  return null;
}

/** What the rules ask about one supporter, and no more of the network. */
async function factsAbout(trx: Trx, question: QueueQuestion, supporterId: string): Promise<QueueInput> {
  return (await loadQueueFacts(trx, { ...question, supporterIds: [supporterId] })).input;
}

async function requireDraft(trx: Trx, orgId: string, queue: QueueRow) {
  const draft = await loadDraft(trx, orgId, queue.id, queue.revision);
  if (draft === undefined) throw new Error(`Queue ${queue.id} has no draft ${queue.revision}.`);
  return draft;
}
