/** What database, Temporal and mailbox know of the queues and their reposts: for the facts of the demo. */
import { z } from 'zod';
import { assignmentWorkflowId } from '../../workflows/assignment/contract.js';
import { dailyQueueId } from '../../workflows/daily-queue/contract.js';
import type { Sources, StoryRecord } from './collect.js';
import type { ListedRun } from './collect-workflows.js';
import type { DemoFacts } from './facts.js';
import type { QueueFact, RepostFact } from './queue-facts.js';

const pairs = z.array(z.object({ submission_id: z.string(), supporter_id: z.string() }));
const published = z.object({ dropped: pairs, refilled: pairs });
const pairOf = (row: { submission_id: string; supporter_id: string }) =>
  `${row.submission_id} ${row.supporter_id}`;

export interface QueueQuestion {
  story: StoryRecord;
  runs: readonly ListedRun[];
  arrivedByLog: ReadonlyMap<string, number>;
}

export async function queueFacts(
  sources: Sources,
  question: QueueQuestion,
): Promise<Pick<DemoFacts, 'queues' | 'reposts' | 'strayReposts' | 'pendingCommands'>> {
  const { db, orgId } = sources;
  const rows = await db
    .selectFrom('soundcloud_queues')
    .selectAll()
    .where('org_id', '=', orgId)
    .orderBy('date')
    .execute();
  const pending = await db
    .selectFrom('soundcloud_commands')
    .select('id')
    .where('org_id', '=', orgId)
    .where('status', '=', 'pending')
    .execute();
  const reposts = await repostFacts(sources, question);
  const known = new Set(reposts.map(({ id }) => assignmentWorkflowId(orgId, id)));
  const prefix = assignmentWorkflowId(orgId, '');
  return {
    queues: await Promise.all(rows.map((row) => queueFact(sources, question, row))),
    reposts,
    strayReposts: [...new Set(question.runs.map(({ workflowId }) => workflowId))].filter(
      (id) => id.startsWith(prefix) && !known.has(id),
    ),
    pendingCommands: pending.length,
  };
}

async function queueFact(
  { db, orgId }: Sources,
  { story, runs }: QueueQuestion,
  row: {
    id: string;
    date: string;
    status: string;
    approved_by_id: string | null;
    approved_at: Date | null;
    approve_by: Date | null;
    published_at: Date | null;
    settled_at: Date | null;
    closed_at: Date | null;
    filled_slots: number;
  },
): Promise<QueueFact> {
  const drafts = await db
    .selectFrom('soundcloud_queue_drafts')
    .select(['cause', 'assignments', 'explanation'])
    .where('org_id', '=', orgId)
    .where('queue_id', '=', row.id)
    .orderBy('revision')
    .execute();
  const events = await db
    .selectFrom('soundcloud_events')
    .select(['type', 'entity_id', 'data'])
    .where('org_id', '=', orgId)
    .where('type', 'in', [
      'queue.drafted',
      'queue.approved',
      'queue.published',
      'queue.lapsed',
      'queue.settled',
      'submission.shifted',
    ])
    .orderBy('seq')
    .execute();
  const notices = await db
    .selectFrom('soundcloud_notifications')
    .select('title')
    .distinct()
    .where('org_id', '=', orgId)
    .where('title', 'like', `%${row.date}%`)
    .execute();
  const approved = drafts.findLast(({ cause }) => cause === 'approved');
  const change = published.safeParse(drafts.findLast(({ cause }) => cause === 'published')?.explanation);
  const shift = z.object({ reason: z.string() });
  return {
    date: row.date,
    status: row.status,
    approvedBy: row.approved_by_id,
    approvedAt: row.approved_at?.getTime() ?? null,
    approveBy: row.approve_by?.getTime() ?? null,
    publishedAt: row.published_at?.getTime() ?? null,
    settledAt: row.settled_at?.getTime() ?? null,
    closedAt: row.closed_at?.getTime() ?? null,
    filledSlots: row.filled_slots,
    approved: approved === undefined ? [] : pairs.parse(approved.assignments).map(pairOf),
    dropped: change.success ? change.data.dropped.map(pairOf) : [],
    refilled: change.success ? change.data.refilled.map(pairOf) : [],
    events: events.filter((event) => event.entity_id === row.id).map(({ type }) => type),
    told: notices.map(({ title }) => title),
    shifted: events
      .filter(({ type }) => type === 'submission.shifted')
      .map(({ entity_id, data }) => ({
        track: story.accepted.get(entity_id)?.track ?? entity_id,
        reason: shift.parse(data).reason,
      }))
      .filter(({ reason }) => reason.includes(row.date)),
    workflow: runs.find(({ workflowId }) => workflowId === dailyQueueId(orgId, row.date))?.status ?? null,
  };
}

async function repostFacts(
  { db, orgId }: Sources,
  { story, runs, arrivedByLog }: QueueQuestion,
): Promise<RepostFact[]> {
  const rows = await db
    .selectFrom('soundcloud_queue_assignments as assignment')
    .innerJoin('soundcloud_queues as queue', 'queue.id', 'assignment.queue_id')
    .innerJoin('soundcloud_submissions as submission', 'submission.id', 'assignment.submission_id')
    .innerJoin('soundcloud_member_accounts as account', 'account.member_id', 'assignment.supporter_id')
    .leftJoin('soundcloud_schedules as item', 'item.assignment_id', 'assignment.id')
    .selectAll('assignment')
    .select(['queue.date', 'submission.member_id as artist_id', 'account.handle', 'item.status as schedule'])
    .where('assignment.org_id', '=', orgId)
    .where('queue.status', '=', 'published')
    .orderBy('queue.date')
    .orderBy('assignment.position')
    .execute();
  const ids = rows.map(({ id }) => id);
  if (ids.length === 0) return [];
  const holds = await db
    .selectFrom('soundcloud_credit_holds')
    .select(['assignment_id', 'status', 'amount'])
    .where('org_id', '=', orgId)
    .execute();
  const entries = await db
    .selectFrom('soundcloud_repost_credit_ledger')
    .select(['reference_id', 'member_id', 'change_amount', 'forfeited'])
    .where('org_id', '=', orgId)
    .where('reason', '=', 'repost_earned')
    .execute();
  const checks = await db
    .selectFrom('soundcloud_proof_checks')
    .selectAll()
    .where('org_id', '=', orgId)
    .orderBy('checked_at')
    .execute();
  const events = await db
    .selectFrom('soundcloud_events')
    .select(['entity_id', 'type', 'occurred_at'])
    .where('org_id', '=', orgId)
    .where('entity_id', 'in', ids)
    .orderBy('seq')
    .execute();
  const tasks = await db
    .selectFrom('soundcloud_ops_tasks')
    .select(['entity_id', 'status', 'resolution', 'resolved_by'])
    .where('org_id', '=', orgId)
    .where('entity_id', 'in', ids)
    .execute();
  const mails = await db
    .selectFrom('soundcloud_email_logs')
    .select(['id', 'related_object_id', 'template_name', 'status'])
    .where('org_id', '=', orgId)
    .where('related_object_id', 'in', ids)
    .execute();
  const outcome = z.object({ outcome: z.string() });
  return rows.map((row): RepostFact => {
    const own = events.filter((event) => event.entity_id === row.id);
    const workflowId = assignmentWorkflowId(orgId, row.id);
    const ownRuns = runs.filter((run) => run.workflowId === workflowId);
    const [newest] = ownRuns;
    return {
      id: row.id,
      date: row.date,
      track: story.accepted.get(row.submission_id)?.track ?? row.submission_id,
      submissionId: row.submission_id,
      artistId: row.artist_id ?? '',
      supporterId: row.supporter_id,
      handle: row.handle,
      world: story.played.get(row.id) ?? null,
      status: row.status,
      reason: row.outcome_reason,
      provisional: row.provisional,
      slotAt: row.slot_at?.getTime() ?? 0,
      publishedAt: own.find(({ type }) => type === 'assignment.published')?.occurred_at.getTime() ?? null,
      completedAt: row.completed_at?.getTime() ?? null,
      settledAt: row.settled_at?.getTime() ?? null,
      replacementFor: row.replacement_for,
      credits: row.credits_allocated,
      holds: holds
        .filter((hold) => hold.assignment_id === row.id)
        .map(({ status, amount }) => ({ status, credits: amount })),
      earned: entries
        .filter((entry) => entry.reference_id === row.id && entry.member_id === row.supporter_id)
        .map((entry) => ({ credits: entry.change_amount, forfeited: entry.forfeited })),
      checks: checks
        .filter((check) => check.assignment_id === row.id)
        .map(({ phase, source, verdict, positive_control: control, checked_at: at }) => ({
          phase,
          source,
          verdict,
          control,
          at: at.getTime(),
        })),
      events: own.map(({ type, occurred_at: at }) => ({ type, at: at.getTime() })),
      tasks: tasks
        .filter((task) => task.entity_id === row.id)
        .map(({ status, resolution, resolved_by: by }) => ({
          status,
          outcome: outcome.safeParse(resolution).data?.outcome ?? null,
          by,
        })),
      schedule: row.schedule,
      mails: mails
        .filter((mail) => mail.related_object_id === row.id)
        .map((mail) => ({
          template: mail.template_name,
          status: mail.status,
          arrived: arrivedByLog.get(mail.id) ?? 0,
        })),
      workflow: newest === undefined ? null : { status: newest.status, runs: ownRuns.length },
    };
  });
}
