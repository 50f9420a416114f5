/** Where a queue stands, put together from its rows: so a workflow that is started again goes on at the same place. */
import { sql } from 'kysely';
import type { Trx } from '../db/client.js';
import { generatedAt } from '../db/queue-drafts.js';
import type { QueueRow } from '../db/queues.js';
import { appliedSteps } from '../db/steps.js';
import type { DailyQueueState, QueueStage, QueueStatus } from '../domain/daily-queue.js';

/** @param queue undefined when there is no row yet. */
export async function readQueueState(
  trx: Trx,
  target: { orgId: string; date: string; workflowId: string },
  queue: QueueRow | undefined,
): Promise<DailyQueueState> {
  const { orgId, date, workflowId } = target;
  if (queue === undefined) {
    return {
      queueId: null,
      date,
      stage: 'generation',
      status: 'draft',
      since: 0,
      revision: 0,
      assignments: 0,
      generatedAt: null,
      approveBy: null,
      warned: [],
      approvedBy: null,
      approvedAt: null,
    };
  }
  const begun = await generatedAt(trx, orgId, queue.id);
  const approveBy = queue.approve_by?.getTime() ?? null;
  const stage = stageOf(queue);
  return {
    queueId: queue.id,
    date,
    stage,
    status: queue.status as QueueStatus,
    since: sinceOf(queue, begun),
    revision: queue.revision,
    assignments: await countAssignments(trx, orgId, queue.id),
    generatedAt: begun,
    approveBy,
    warned: stage === 'approval' ? await warningsGiven(trx, orgId, workflowId, approveBy) : [],
    approvedBy: queue.approved_by_id,
    approvedAt: queue.approved_at?.getTime() ?? null,
  };
}

function stageOf(queue: QueueRow): QueueStage {
  if (queue.closed_at !== null) return 'closed';
  switch (queue.status as QueueStatus) {
    case 'draft':
      return queue.approve_by === null ? 'generation' : 'approval';
    case 'approved':
      return 'publishing';
    case 'published':
      return 'settling';
    case 'lapsed':
      return 'closed';
  }
}

function sinceOf(queue: QueueRow, begun: number | null): number {
  const since = queue.closed_at ?? queue.published_at ?? queue.approved_at;
  return since?.getTime() ?? begun ?? queue.created_at.getTime();
}

async function countAssignments(trx: Trx, orgId: string, queueId: string): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::int as count from public.soundcloud_queue_assignments
    where org_id = ${orgId} and queue_id = ${queueId}`.execute(trx);
  return rows[0]?.count ?? 0;
}

/** Hours of the warnings before the present cut-off; a queue that is generated again warns again. */
async function warningsGiven(
  trx: Trx,
  orgId: string,
  workflowId: string,
  approveBy: number | null,
): Promise<number[]> {
  const steps = await appliedSteps(trx, orgId, workflowId);
  return steps
    .filter(({ name }) => name === 'warning')
    .map(({ payload }) => payload as { hours: number; approveBy: number })
    .filter((warning) => warning.approveBy === approveBy)
    .map(({ hours }) => hours);
}
