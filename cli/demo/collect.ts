/** Reads the facts of the demo from database, Temporal, mailbox and Slack. */
import type { Client } from '@temporalio/client';
import { type Db, withOrg } from '../../db/client.js';
import { ledgerViolations } from '../../db/ledger-invariants.js';
import { loadSettings } from '../../db/settings.js';
import { type BusinessClock, compression, toBusiness } from '../../domain/calendar.js';
import type { SandboxAdmin } from '../../sandbox/admin-client.js';
import { assignmentWorkflowId } from '../../workflows/assignment/contract.js';
import { dailyQueueId } from '../../workflows/daily-queue/contract.js';
import { submissionReviewId } from '../../workflows/submission-review/contract.js';
import { arrivals } from './arrivals.js';
import { monthFacts } from './collect-month.js';
import { queueFacts } from './collect-queues.js';
import { type ListedRun, listRuns, workflowFact } from './collect-workflows.js';
import type { DemoFacts, ReviewFacts, SeenWait } from './facts.js';
import type { PlannedReview } from './plan.js';
import type { World } from './queue-plan.js';

/** Where facts come from. */
export interface Sources {
  orgId: string;
  /** The owner's connection, which sees everything. */
  db: Db;
  clock: BusinessClock;
  temporal: Client;
  sandbox: SandboxAdmin;
}

/** What only the story itself can know. */
export interface StoryRecord {
  people: DemoFacts['people'];
  /** Ids of the submissions that were answered with 201, with what was planned for them. */
  accepted: ReadonlyMap<string, PlannedReview>;
  /** What really became of each repost, by the id of its assignment. */
  played: ReadonlyMap<string, World>;
  /** Dates of the story's queues: two that are approved, and one that is left lying. */
  queueDates: readonly [string, string, string];
  refusals: DemoFacts['refusals'];
  killedWorker: string | null;
  outage: DemoFacts['outage'];
  /** Business time at which followers and connections changed outside. */
  worldChangedAt: number | null;
  /** The month that begins in the story, `YYYY-MM`. */
  month: string;
}

/** What was there to see only for a while. */
export interface Seen {
  waits: ReadonlyMap<string, SeenWait[]>;
  flags: ReadonlyMap<string, string[]>;
  workerPid: number | null;
  /** What the doctor found at the end. */
  doctor: string[];
}

/** Real time an alarm may be late on a busy machine. */
const TOLERANCE_REAL_MS = 5_000;
/** Time limit of a step (startToCloseTimeout of the database and mail activities); a workflow task's is shorter. */
const STEP_LIMIT_REAL_MS = 30_000;

export async function collectFacts(sources: Sources, story: StoryRecord, seen: Seen): Promise<DemoFacts> {
  const { db, orgId, clock, temporal, sandbox } = sources;
  const runs = await listRuns(temporal, orgId);
  const inbox = await sandbox.mails();
  const messages = (await sandbox.slackMessages()).map((message) => message.text);
  const submissions = await db
    .selectFrom('soundcloud_submissions')
    .select(['id', 'track_name', 'track_url'])
    .where('org_id', '=', orgId)
    .orderBy('submitted_at')
    .execute();
  const written = await db
    .selectFrom('soundcloud_email_logs')
    .select(['id', 'recipient_email', 'subject'])
    .where('org_id', '=', orgId)
    .orderBy('created_at')
    .execute();
  const { arrivedByLog, strayMails } = arrivals(written, inbox);
  const reviews = await Promise.all(
    submissions.map(({ id, track_name: title, track_url: url }) =>
      reviewFacts(sources, id, {
        planned: story.accepted.get(id),
        seenWaits: seen.waits.get(id) ?? [],
        flags: seen.flags.get(id) ?? [],
        slack: messages.filter((message) => names(message, title, url)),
        runs,
        arrivedByLog,
      }),
    ),
  );
  const ids = new Set(submissions.map(({ id }) => submissionReviewId(orgId, id)));
  const reviewPrefix = submissionReviewId(orgId, '');
  const told = [reviewPrefix, assignmentWorkflowId(orgId, ''), dailyQueueId(orgId, '')];
  const settings = await withOrg(db, orgId, (trx) => loadSettings(trx, orgId));
  return {
    now: toBusiness(clock, Date.now()),
    toleranceMs: TOLERANCE_REAL_MS * compression(clock),
    people: story.people,
    ...(await opsUsers(sources)),
    ...(await monthFacts(sources, story.month, story.worldChangedAt ?? 0, arrivedByLog)),
    ...(await queueFacts(sources, { story, runs, arrivedByLog })),
    queueDates: story.queueDates,
    doctor: seen.doctor,
    grants: Object.fromEntries(
      Object.entries(settings.tier_policy).map(([tier, { monthly_grant }]) => [tier, monthly_grant]),
    ),
    reviews,
    accepted: story.accepted.size,
    strayWorkflows: [...new Set(runs.map((run) => run.workflowId))].filter(
      (id) => id.startsWith(reviewPrefix) && !ids.has(id),
    ),
    otherWorkflows: runs.filter(({ workflowId }) => !told.some((prefix) => workflowId.startsWith(prefix))),
    refusals: story.refusals,
    strayMails,
    outage: story.outage,
    recoveryMs: STEP_LIMIT_REAL_MS * compression(clock),
    killedWorker: story.killedWorker,
    workerPid: seen.workerPid,
    outbox: await outbox(sources),
    ledgerViolations: (await ledgerViolations(db)).map(
      ({ rule, subjectId, detail }) => `Ledger: ${rule} is broken for ${subjectId}: ${detail}`,
    ),
  };
}

async function reviewFacts(
  { db, orgId, clock, temporal }: Sources,
  id: string,
  given: Pick<ReviewFacts, 'planned' | 'seenWaits' | 'flags' | 'slack'> & {
    runs: readonly ListedRun[];
    arrivedByLog: ReadonlyMap<string, number>;
  },
): Promise<ReviewFacts> {
  const { planned, seenWaits, flags, slack, runs, arrivedByLog } = given;
  const workflowId = submissionReviewId(orgId, id);
  const ofReview = { org: orgId, id };
  const row = await db
    .selectFrom('soundcloud_submissions')
    .selectAll()
    .where('org_id', '=', ofReview.org)
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
  const events = await db
    .selectFrom('soundcloud_events')
    .select(['type', 'occurred_at', 'data'])
    .where('org_id', '=', orgId)
    .where('entity_id', '=', id)
    .orderBy('seq')
    .execute();
  const mails = await db
    .selectFrom('soundcloud_email_logs')
    .select(['id', 'template_name', 'status'])
    .where('org_id', '=', orgId)
    .where('related_object_id', '=', id)
    .orderBy('created_at')
    .execute();
  const notices = await db
    .selectFrom('soundcloud_notifications')
    .select(['user_id', 'title', 'metadata', 'created_at'])
    .where('org_id', '=', orgId)
    .orderBy('created_at')
    .execute();
  const commands = await db
    .selectFrom('soundcloud_commands')
    .select(['name', 'status', 'code', 'payload'])
    .where('org_id', '=', orgId)
    .where('workflow_id', '=', workflowId)
    .orderBy('created_at')
    .execute();
  const proposals = await db
    .selectFrom('soundcloud_target_proposals')
    .select(['created_at', 'expires_at', 'proposed_targets'])
    .where('org_id', '=', orgId)
    .where('parent_id', '=', id)
    .orderBy('created_at')
    .execute();
  const wait = await db
    .selectFrom('soundcloud_waits')
    .selectAll()
    .where('org_id', '=', orgId)
    .where('workflow_id', '=', workflowId)
    .executeTakeFirst();
  return {
    id,
    planned,
    memberId: row.member_id,
    status: row.status,
    submittedAt: row.submitted_at.getTime(),
    decidedAt: row.decided_at?.getTime() ?? null,
    decidedBy: row.decided_by,
    withdrawnAt: row.withdrawn_at?.getTime() ?? null,
    closedAt: row.closed_at?.getTime() ?? null,
    slotReturned: row.slot_returned_at !== null,
    family: row.family,
    flags,
    ownerId: row.owner_id,
    suggestedSupporters: row.suggested_supporters.length,
    creditsConsumed: row.credits_consumed,
    supportEndedAt: row.support_ended_at?.getTime() ?? null,
    rejectReason: row.reject_reason,
    events: events.map(({ type, occurred_at: at, data }) => ({
      type,
      at: at.getTime(),
      status: text(data, 'status'),
    })),
    mails: mails.map((mail) => ({
      template: mail.template_name,
      status: mail.status,
      arrived: arrivedByLog.get(mail.id) ?? 0,
    })),
    notifications: notices
      .filter(({ metadata }) => text(metadata, 'submission_id') === id)
      .map(({ user_id: userId, title, metadata, created_at: at }) => ({
        userId,
        title,
        step: text(metadata, 'step'),
        at: toBusiness(clock, at.getTime()),
      })),
    slack,
    commands: commands.map(({ name, status, code, payload }) => ({
      name,
      status,
      code,
      action: text(payload, 'action'),
    })),
    proposals: proposals.map(({ created_at, expires_at, proposed_targets: targets }) => ({
      createdAt: created_at.getTime(),
      expiresAt: expires_at.getTime(),
      targets: Array.isArray(targets) ? targets.length : 0,
    })),
    wait: wait === undefined ? null : seenWait(wait),
    seenWaits,
    workflow: await workflowFact(temporal, workflowId, runs),
  };
}

/** A row of `soundcloud_waits` as the facts hold it. */
export function seenWait(row: {
  stage: string;
  waiting_on: string;
  since: Date;
  due_at: Date | null;
  paused: boolean;
  remaining_ms: number | null;
  breached: boolean;
}): SeenWait {
  return {
    stage: row.stage,
    waitingOn: row.waiting_on,
    since: row.since.getTime(),
    dueAt: row.due_at?.getTime() ?? null,
    paused: row.paused,
    remainingMs: row.remaining_ms,
    breached: row.breached,
  };
}

async function opsUsers({ db, orgId }: Sources): Promise<Pick<DemoFacts, 'admins' | 'ops'>> {
  const rows = await db
    .selectFrom('soundcloud_user_roles')
    .select(['user_id', 'role'])
    .where('org_id', '=', orgId)
    .execute();
  const having = (...roles: string[]) => [
    ...new Set(rows.filter((row) => roles.includes(row.role)).map((row) => row.user_id)),
  ];
  return { admins: having('admin'), ops: having('admin', 'moderator') };
}

async function outbox({ db, orgId }: Sources): Promise<DemoFacts['outbox']> {
  const rows = await db
    .selectFrom('soundcloud_events')
    .select('relay_error')
    .where('org_id', '=', orgId)
    .where('relayed_at', 'is', null)
    .execute();
  return { unrelayed: rows.length, failing: rows.filter((row) => row.relay_error !== null).length };
}

/** Whether a message names a track, by title or by address. */
function names(message: string, title: string | null, url: string): boolean {
  return (title !== null && message.includes(title)) || message.includes(new URL(url).pathname.slice(1));
}

/** A text of a JSON object; null where there is none. */
export function text(json: unknown, key: string): string | null {
  const value =
    typeof json === 'object' && json !== null ? (json as Record<string, unknown>)[key] : undefined;
  return typeof value === 'string' ? value : null;
}
