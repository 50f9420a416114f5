/** Makes the draft of a queue: facts, generator, rows, and the words to ops (lifecycles.md, "dailyQueue", step 1). */
import { randomUUID } from 'node:crypto';
import type { Trx } from '../db/client.js';
import { emitEvent } from '../db/events.js';
import { notify } from '../db/notifications.js';
import { hashOfInput, insertDraft, loadDraft } from '../db/queue-drafts.js';
import { loadQueueFacts } from '../db/queue-facts.js';
import { generateBeside } from '../db/queue-generation.js';
import {
  type DraftAssignment,
  insertQueue,
  patchQueue,
  type QueueRow,
  replaceAssignments,
} from '../db/queues.js';
import { orgUser } from '../db/submissions.js';
import { approveBy } from '../domain/daily-queue.js';
import type { QueueCommand } from '../domain/daily-queue-commands.js';
import type { QueueDraft } from '../domain/queue-generation.js';
import type { OrgSettings } from '../domain/settings.js';
import { withReplacements } from './queue-publish.js';
import { closeLapsed, takeShiftsBack } from './queue-shifts.js';

export interface Drafting {
  orgId: string;
  date: string;
  stepId: string;
  /** The command that asks for another draft; null for the first one. */
  command: QueueCommand | null;
  /** Locked; undefined while there is none. */
  queue: QueueRow | undefined;
  settings: OrgSettings;
  /** Business ms. */
  now: number;
  progress(what: string): void;
}

/** Without open demand no queue is made; one that was asked for again lapses again. */
export async function draftQueue(trx: Trx, drafting: Drafting): Promise<void> {
  const { orgId, date, stepId, command, queue, settings, now, progress } = drafting;
  const again = command !== null;
  const previous = queue === undefined ? undefined : await loadDraft(trx, orgId, queue.id);
  if (queue !== undefined && previous !== undefined && !again) {
    const before = [...previous.assignments, ...previous.unfilled].map(({ submission_id }) => submission_id);
    const submissionIds = [...new Set(before)];
    const occasion = `${queue.id}:again:${stepId}`;
    await takeShiftsBack(trx, { orgId, date, submissionIds, occasion, now });
  }
  progress('reading the network');
  const queueId = queue?.id ?? null;
  const { input, owed } = await loadQueueFacts(trx, { orgId, date, now, earliest: now, settings, queueId });
  if (input.submissions.length === 0 && !again) {
    if (queue !== undefined) {
      await closeLapsed(trx, { orgId, queue, shifted: 0, occasion: `no-demand:${stepId}`, now });
      await notify(trx, {
        orgId,
        audience: { kind: 'ops' },
        type: 'queue',
        title: `There is no queue for ${date}`,
        message: 'It was asked for again, but no submission asks for a place in it.',
        actionUrl: `/console/queues/${date}`,
        metadata: { queue_id: queue.id },
      });
    }
    return;
  }
  progress(
    `choosing among ${input.supporters.length} supporters for ${input.submissions.length} submissions`,
  );
  const draft = await generateBeside(input);

  progress('writing the draft');
  const row = queue ?? (await insertQueue(trx, orgId, date));
  const ids = new Map(previous?.assignments.map((assignment) => [pairOf(assignment), assignment.id]));
  const planned: DraftAssignment[] = draft.assignments.map((assignment) => ({
    ...assignment,
    // Who looks at an older draft and acts on one of its assignments still means the same pair.
    id: ids.get(pairOf(assignment)) ?? randomUUID(),
    replacement_for: null,
    override: null,
  }));
  const assignments = withReplacements(planned, owed);
  const revision = row.revision + 1;
  const deadline =
    again && row.approve_by !== null
      ? row.approve_by
      : new Date(approveBy(date, settings.timezone, settings.queue_hours, now));
  const by = command === null ? null : await orgUser(trx, orgId, command.by);
  await replaceAssignments(trx, orgId, row.id, assignments);
  await insertDraft(trx, orgId, {
    queueId: row.id,
    revision,
    cause: again ? 'regenerated' : 'generated',
    assignments,
    unfilled: draft.unfilled,
    unused: draft.unused,
    explanation: draft.explanation,
    inputHash: hashOfInput(input),
    createdBy: by,
    at: now,
  });
  await patchQueue(trx, orgId, row.id, {
    status: 'draft',
    revision,
    total_slots: draft.total_slots,
    filled_slots: draft.filled_slots,
    approve_by: deadline,
    ...(by !== null && { created_by_id: by }),
  });
  await tell(trx, drafting, row.id, revision, deadline, draft);
}

async function tell(
  trx: Trx,
  { orgId, date, now, command }: Drafting,
  queueId: string,
  revision: number,
  deadline: Date,
  draft: QueueDraft,
): Promise<void> {
  const unserved = draft.unfilled.filter(({ served }) => !served).length;
  await emitEvent(trx, {
    orgId,
    type: 'queue.drafted',
    entityType: 'queue',
    entityId: queueId,
    data: {
      queue_id: queueId,
      date,
      revision,
      assignments: draft.assignments.length,
      submissions: draft.explanation.counts.submissions,
      unserved,
      approve_by: deadline.toISOString(),
    },
    occurredAt: now,
    dedupeKey: `queue.drafted:${queueId}:${revision}`,
  });
  if (command !== null) return;
  await notify(trx, {
    orgId,
    audience: { kind: 'ops' },
    type: 'queue',
    title: `The queue of ${date} is drafted`,
    message: `${draft.assignments.length} assignments${unserved === 0 ? '' : `; ${unserved} submissions found nobody`}. Look at it and approve it in time, or it lapses.`,
    actionUrl: `/console/queues/${date}`,
    metadata: { queue_id: queueId, approve_by: deadline.toISOString() },
  });
}

function pairOf({ submission_id, supporter_id }: { submission_id: string; supporter_id: string }): string {
  return `${submission_id} ${supporter_id}`;
}
