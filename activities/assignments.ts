/**
 * Database activities of the assignment: one transaction each. Every step has an id; a repeated step changes nothing and
 * returns what the first one returned. The state a step leaves is kept with it, so that an assignment whose workflow was
 * lost goes on exactly where it was.
 */
import {
  type AssignmentFacts,
  closeAssignmentRow,
  dropRefusedProof,
  lastAssignmentState,
  loadAssignment,
  lockAssignment,
  lockQueue,
  noteActivity,
  patchAssignment,
} from '../db/assignments.js';
import { type Db, type Trx, withOrg } from '../db/client.js';
import { readClock } from '../db/clock.js';
import { pendingMails } from '../db/email.js';
import { emitEvent } from '../db/events.js';
import { notify } from '../db/notifications.js';
import { closeOpsTasks } from '../db/ops-tasks.js';
import { storeProofCheck } from '../db/proof-checks.js';
import { loadSettings } from '../db/settings.js';
import { refuseStep, takeStep } from '../db/steps.js';
import { clearWait, saveWait } from '../db/waits.js';
import type { AssignmentCommand, AssignmentRefusalCode } from '../domain/assignment-commands.js';
import {
  type AssignmentNotice,
  type AssignmentPolicy,
  type AssignmentState,
  beginAssignment,
  type Transition,
} from '../domain/assignment-state.js';
import { type AssignmentTerms, termsOf } from '../domain/assignment-terms.js';
import { assignmentWait } from '../domain/assignment-wait.js';
import { type BusinessClock, toBusiness } from '../domain/calendar.js';
import type { OrgSettings } from '../domain/settings.js';
import type { Wait } from '../domain/waiting.js';
import type { SoundCloudPort } from '../providers/soundcloud/port.js';
import { queueAssignmentMail } from './assignment-mails.js';
import { settleAssignment } from './assignment-settle.js';
import { openAssignmentTask } from './assignment-tasks.js';
import { notFound } from './failures.js';
import { taker } from './taker.js';
import { labelOf } from './track-label.js';

export interface AssignmentTarget {
  orgId: string;
  assignmentId: string;
  workflowId: string;
}

export type AssignmentOpening =
  | { closed: true; status: string }
  | {
      closed: false;
      /** "Artist – Title, reposted by handle": what summaries and details call it. */
      label: string;
      clock: BusinessClock;
      timezone: string;
      state: AssignmentState;
      /** Mails of this assignment that are written but not handed over. */
      mails: string[];
    };

export interface AssignmentStep {
  stepId: string;
  /** The command or alarm, for the record. */
  step: string;
  command: AssignmentCommand | null;
  change: Omit<Transition, 'next'>;
  next: AssignmentState;
  /** Revision of the state that was recorded before. */
  basedOn: number;
  wait: Wait | null;
  now: number;
}

type Refused = { applied: false; code: AssignmentRefusalCode; reason: string };

/** As it is kept with the step. */
type RecordedStep = { applied: true; mails: string[]; state: AssignmentState } | Refused;

export type AssignmentStepResult =
  | { kind: 'applied'; mails: string[] }
  /** A run that is lost took this step, or others, before: the state is this one. */
  | { kind: 'overtaken'; applied: boolean; mails: string[]; state: AssignmentState }
  | { kind: 'refused'; code: AssignmentRefusalCode; reason: string };

export interface AssignmentDependencies {
  db: Db;
  soundcloud: Pick<SoundCloudPort, 'configured'>;
  /** Where people find the product. */
  publicUrl: string;
}

const PAGE = '/console/assignments/';

export function createAssignmentActivities({ db, soundcloud, publicUrl }: AssignmentDependencies) {
  const pageOf = (assignmentId: string) => `${publicUrl.replace(/\/+$/, '')}${PAGE}${assignmentId}`;

  return {
    /**
     * Loads the assignment and, the first time, tells the supporter: mail, notification, wait row. Resumes at the
     * newest step when the workflow was started again. @param realNow epoch ms of workflow time.
     */
    async openAssignment(input: AssignmentTarget & { realNow: number }): Promise<AssignmentOpening> {
      const { orgId, assignmentId, workflowId } = input;
      return withOrg(db, orgId, async (trx) => {
        const row = await lockAssignment(trx, orgId, assignmentId);
        const assignment = await existing(trx, orgId, assignmentId);
        if (row?.closed_at != null) return { closed: true, status: row.status };
        const clock = await readClock(trx);
        const settings = await loadSettings(trx, orgId);
        const now = toBusiness(clock, input.realNow);
        const last = await lastAssignmentState(trx, orgId, workflowId);
        if (last === null && row?.settled_at != null) {
          // Settled without a workflow, for example brought over from elsewhere: there is nothing to do.
          await closeAssignmentRow(trx, orgId, assignmentId, now);
          return { closed: true, status: row.status };
        }
        const fresh = beginAssignment({
          assignmentId,
          slotAt: (assignment.slot_at ?? new Date(now)).getTime(),
          openedAt: now,
          subject: {
            trackUrls: [assignment.track_url, assignment.live_link_url].filter((url) => url !== null),
            supporterHandle: assignment.handle,
          },
          policy: policyOf(settings, termsOf(assignment, settings)),
          degraded: !soundcloud.configured,
        });
        const step = { orgId, stepId: `open:${workflowId}`, workflowId, taker: taker(), name: 'open' };
        await takeStep(trx, step, async () => {
          await announce(trx, assignment, fresh, settings, pageOf(assignmentId));
          await saveWait(trx, waitKey(input), assignmentWait(fresh, now));
          return { state: fresh };
        });
        return {
          closed: false,
          label: `${labelOf(assignment)}${assignment.handle === null ? '' : `, reposted by ${assignment.handle}`}`,
          clock,
          timezone: settings.timezone,
          state: last ?? fresh,
          mails: await pendingMails(trx, orgId, 'assignment', assignmentId),
        };
      });
    },

    /** One transition: columns, credits, event, evidence, task, mail, notifications, wait and the command's outcome, or nothing of it. */
    async recordAssignmentStep(input: AssignmentTarget & AssignmentStep): Promise<AssignmentStepResult> {
      const { orgId, assignmentId, workflowId, command, change, next } = input;
      return withOrg(db, orgId, async (trx) => {
        const assignment = await existing(trx, orgId, assignmentId);
        // Who settles locks the queue first (docs/decisions/0071).
        if (change.settles !== null) await lockQueue(trx, orgId, assignment.queue_id);
        await lockAssignment(trx, orgId, assignmentId);
        const last = await lastAssignmentState(trx, orgId, workflowId);
        if (last !== null && last.revision !== input.basedOn && last.revision !== next.revision)
          return overtaken(trx, input, last, false);
        const step = {
          orgId,
          stepId: input.stepId,
          workflowId,
          taker: taker(),
          name: input.step,
          payload: command,
        };
        const { result, repeated } = await takeStep<RecordedStep>(trx, step, () =>
          recordChange(trx, input, assignment),
        );
        if (!result.applied) return { kind: 'refused', code: result.code, reason: result.reason };
        if (!repeated) return { kind: 'applied', mails: result.mails };
        return overtaken(trx, input, last ?? result.state, true);
      });
    },

    /**
     * Keeps the refusal of a command, so that whoever sent it can read why. A proof that stands in the row already,
     * because it was written there directly, is taken back and its supporter told. @returns the outcome that stands.
     */
    async recordAssignmentRefusal(
      input: AssignmentTarget & {
        command: AssignmentCommand;
        code: AssignmentRefusalCode;
        reason: string;
        /** The proof that counts. */
        proofUrl: string | null;
      },
    ): Promise<{ applied: true } | Refused> {
      const { orgId, assignmentId, workflowId, command, code, reason } = input;
      const { commandId: stepId, name } = command;
      const step = { orgId, stepId, workflowId, taker: taker(), name, payload: command };
      return withOrg(db, orgId, async (trx) => {
        const { result } = await refuseStep<RecordedStep, Refused>(trx, step, {
          applied: false,
          code,
          reason,
        });
        if (result.applied) return { applied: true };
        if (command.name === 'submitProof') {
          const urls = { refused: command.url, before: input.proofUrl };
          const assignment = await existing(trx, orgId, assignmentId);
          if (await dropRefusedProof(trx, orgId, assignmentId, urls)) {
            await tell(trx, assignment, {
              to: 'supporter',
              kind: 'warning',
              title: 'Your proof was not taken',
              message: reason,
            });
          }
        }
        return result;
      });
    },

    /** The assignment's last transaction: the row is terminal, nothing waits any more. */
    async closeAssignment(input: AssignmentTarget & { now: number }): Promise<void> {
      await withOrg(db, input.orgId, async (trx) => {
        await closeAssignmentRow(trx, input.orgId, input.assignmentId, input.now);
        await clearWait(trx, input.orgId, input.workflowId);
      });
    },
  };

  async function recordChange(
    trx: Trx,
    input: AssignmentTarget & AssignmentStep,
    assignment: AssignmentFacts,
  ): Promise<RecordedStep> {
    const { orgId, assignmentId, change, next, now } = input;
    await patchAssignment(trx, orgId, assignmentId, change.row);
    if (change.evidence !== null) {
      // What makes an assignment completed is evidence of the proof; the watch begins with it.
      const phase = assignment.status === 'completed' ? 'watch' : 'proof';
      const evidence = { ...change.evidence, positiveControl: false, phase, checkedAt: now } as const;
      await storeProofCheck(trx, { orgId, assignmentId, ...evidence });
    }
    if (change.event !== null) {
      await emitEvent(trx, {
        orgId,
        type: change.event.type,
        entityType: 'assignment',
        entityId: assignmentId,
        data: {
          assignment_id: assignmentId,
          queue_id: assignment.queue_id,
          queue_date: assignment.queue_date,
          submission_id: assignment.submission_id,
          supporter_id: assignment.supporter_id,
          ...change.event.data,
        },
        occurredAt: now,
        dedupeKey: `${change.event.type}:${assignmentId}:${input.stepId}`,
      });
    }
    if (change.active) await noteActivity(trx, orgId, assignment.supporter_id, now);
    if (change.closesTask !== null) {
      const { by, outcome } = change.closesTask;
      const resolution = { by, outcome };
      await closeOpsTasks(trx, { orgId, kind: 'proof_unverified', entityId: assignmentId, resolution }, now);
    }
    if (change.opensTask !== null)
      await openAssignmentTask(trx, input, change.opensTask, labelOf(assignment));
    const booked =
      change.settles === null ? null : await settleAssignment(trx, { assignment, how: change.settles, now });
    for (const notice of change.notices)
      await tell(trx, assignment, booked === null ? notice : { ...notice, message: booked }, now);
    const mails = await queueReminder(trx, input, assignment);
    await saveWait(trx, waitKey(input), input.wait);
    return { applied: true, mails, state: next };
  }

  async function queueReminder(
    trx: Trx,
    { orgId, change, next }: AssignmentTarget & AssignmentStep,
    assignment: AssignmentFacts,
  ): Promise<string[]> {
    if (change.mail === null) return [];
    const settings = await loadSettings(trx, orgId);
    const page = pageOf(assignment.id);
    const mail = await queueAssignmentMail(trx, {
      template: change.mail,
      assignment,
      state: next,
      settings,
      page,
    });
    return mail === null ? [] : [mail];
  }

  async function announce(
    trx: Trx,
    assignment: AssignmentFacts,
    state: AssignmentState,
    settings: OrgSettings,
    page: string,
  ): Promise<void> {
    await queueAssignmentMail(trx, { template: 'assignment_published', assignment, state, settings, page });
    await tell(trx, assignment, {
      to: 'supporter',
      kind: 'info',
      title: 'You have a repost to make',
      message: `It is in the queue of ${assignment.queue_date}. Repost it at its time and hand in your proof, or skip it.`,
    });
  }
}

async function tell(
  trx: Trx,
  assignment: AssignmentFacts,
  notice: AssignmentNotice,
  now?: number,
): Promise<void> {
  const { org_id: orgId, id } = assignment;
  const general = notice.oncePerDay !== undefined && now !== undefined;
  await notify(trx, {
    orgId,
    audience:
      notice.to === 'ops'
        ? { kind: 'ops' }
        : {
            kind: 'member',
            memberId: assignment.supporter_id,
            ...(notice.notTo !== undefined && { except: notice.notTo }),
          },
    type: notice.kind === 'info' || notice.kind === 'success' ? 'queue' : notice.kind,
    title: notice.title,
    message: general ? notice.message : `${labelOf(assignment)}: ${notice.message}`,
    actionUrl: general ? '/console/inbox' : `${PAGE}${id}`,
    metadata: general ? { provider: 'soundcloud' } : { assignment_id: id },
    ...(general && { dedupeKey: `${notice.oncePerDay}:${new Date(now).toISOString().slice(0, 10)}` }),
  });
}

async function existing(trx: Trx, orgId: string, assignmentId: string): Promise<AssignmentFacts> {
  const assignment = await loadAssignment(trx, orgId, assignmentId);
  if (assignment === undefined) throw notFound(`Assignment ${assignmentId} does not exist in org ${orgId}.`);
  return assignment;
}

async function overtaken(
  trx: Trx,
  { orgId, assignmentId }: AssignmentTarget,
  state: AssignmentState,
  applied: boolean,
): Promise<AssignmentStepResult> {
  const mails = await pendingMails(trx, orgId, 'assignment', assignmentId);
  return { kind: 'overtaken', applied, mails, state };
}

function policyOf(settings: OrgSettings, terms: AssignmentTerms): AssignmentPolicy {
  const { review } = settings;
  return {
    proofHours: settings.proof_sla_hours,
    remindPercent: review.warn_percent,
    watchHours: settings.watch_hours,
    unrepostAfterHours: terms.unrepostAfterHours,
    recheckMinutes: review.proof_recheck_minutes,
    answerHours: review.proof_answer_hours,
    auditPercent: review.proof_audit_percent,
  };
}

function waitKey(target: AssignmentTarget) {
  const { orgId, workflowId, assignmentId } = target;
  return { orgId, workflowId, entityType: 'assignment', entityId: assignmentId };
}
