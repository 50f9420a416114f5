/**
 * Database activities of a repost's schedule: one transaction each, under a step id. The intent is stored before anything
 * leaves, and says `sent` before the request does.
 */
import { type Db, type Trx, withOrg } from '../db/client.js';
import { readClock } from '../db/clock.js';
import { emitEvent } from '../db/events.js';
import { notify } from '../db/notifications.js';
import { closeOpsTasks, openOpsTask } from '../db/ops-tasks.js';
import {
  addLook,
  closeScheduleRow,
  findIntent,
  ignoreLeftReceipts,
  linkParent,
  loadSchedule,
  lockSchedule,
  markIntentSent,
  patchIntent,
  patchSchedule,
  type ScheduleFactsRow,
  settleReceipt,
  storeIntent,
} from '../db/schedules.js';
import { loadSettings } from '../db/settings.js';
import { appliedSteps, refuseStep, takeStep } from '../db/steps.js';
import { clearWait, saveWait } from '../db/waits.js';
import { termsOf } from '../domain/assignment-terms.js';
import { type BusinessClock, HOUR_MS, toBusiness } from '../domain/calendar.js';
import {
  type NotSent,
  resumeSchedule,
  type ScheduleFacts,
  type ScheduleState,
  type ScheduleTransition,
} from '../domain/repost-schedule.js';
import type { ScheduleCommand, ScheduleRefusalCode } from '../domain/repost-schedule-commands.js';
import { scheduleWait } from '../domain/repost-schedule-wait.js';
import type { InfluencePlannerPort } from '../providers/influence-planner/port.js';
import { notFound } from './failures.js';
import type { PlannerRequest } from './influence-planner.js';
import { taker } from './taker.js';
import { labelOf as trackLabelOf } from './track-label.js';

export interface ScheduleTarget {
  orgId: string;
  scheduleId: string;
  workflowId: string;
}

export type ScheduleOpening =
  | { closed: true; status: string }
  | {
      closed: false;
      /** "Artist – Title, by handle": what summaries and details call it. */
      label: string;
      clock: BusinessClock;
      timezone: string;
      state: ScheduleState;
    };

export type PreparedSend =
  | { go: true; request: PlannerRequest }
  | { go: false; why: NotSent | 'sent_before' };

type Refused = { applied: false; code: ScheduleRefusalCode; reason: string };
type Recorded = { applied: true } | Refused;
export type ScheduleStepResult = { applied: true; repeated: boolean } | Refused;

const PAGE = '/console/schedules/';

export function createRepostScheduleActivities({
  db,
  influencePlanner,
}: {
  db: Db;
  influencePlanner: Pick<InfluencePlannerPort, 'configured'>;
}) {
  return {
    /**
     * Loads the schedule and stores the intent. Resumes at the stage of the rows when the workflow was started again.
     * @param realNow epoch ms of workflow time.
     */
    async openSchedule(input: ScheduleTarget & { realNow: number }): Promise<ScheduleOpening> {
      const { orgId, scheduleId, workflowId } = input;
      return withOrg(db, orgId, async (trx) => {
        await lockSchedule(trx, orgId, scheduleId);
        const row = await existing(trx, input);
        if (row.closed_at !== null) return { closed: true, status: row.status };
        const clock = await readClock(trx);
        const settings = await loadSettings(trx, orgId);
        const now = toBusiness(clock, input.realNow);
        const scheduledAt = (row.scheduled_at ?? new Date(now)).getTime();
        const slotAt = row.assignment_slot_at?.getTime() ?? scheduledAt;
        const { proof_sla_hours: proof, campaign_defaults: campaign } = settings;
        await storeIntent(trx, { orgId, scheduleId, request: { mediaUrl: row.media_url } });
        const intent = await findIntent(trx, orgId, scheduleId);
        const cancelled = (await appliedSteps(trx, orgId, workflowId)).findLast(
          ({ name }) => name === 'cancel',
        );
        const response = (intent?.response ?? {}) as { calendarUrl?: string };
        const state = resumeSchedule(
          {
            status: row.status,
            intent: (intent?.status ?? null) as ScheduleFacts['intent'],
            scheduledAt,
            deadline:
              slotAt + (row.assignment_id === null ? campaign.late_completion_hours : proof) * HOUR_MS,
            retries: row.retry_count,
            ipScheduleId: row.ip_schedule_id,
            calendarUrl: response.calendarUrl ?? null,
            since: intent?.sent_at?.getTime() ?? now,
            cancel: (cancelled?.payload as ScheduleState['cancel'] | undefined) ?? null,
            sendAheadHours: campaign.send_ahead_hours,
          },
          now,
        );
        await saveWait(trx, waitKey(input), scheduleWait(state));
        return { closed: false, label: labelOf(row), clock, timezone: settings.timezone, state };
      });
    },

    /**
     * The last look before a request leaves: is it still wanted, is the account still linked, did it leave before? The
     * intent is `sent` from here on, and the row is planned for `date` (business ms).
     */
    async prepareScheduleSend(
      input: ScheduleTarget & { stepId: string; date: number; now: number },
    ): Promise<PreparedSend> {
      const { orgId, scheduleId, workflowId, date, now } = input;
      return withOrg(db, orgId, async (trx) => {
        await lockSchedule(trx, orgId, scheduleId);
        const row = await existing(trx, input);
        const step = { orgId, stepId: input.stepId, workflowId, taker: taker(), name: 'send' };
        const { result, repeated } = await takeStep<PreparedSend>(trx, step, async () => {
          const why = whyNot(row);
          if (why !== null) return { go: false, why };
          const settings = await loadSettings(trx, orgId);
          const { unrepostAfterHours } = termsOf(row.assignment_terms, settings);
          const request: PlannerRequest = {
            mediaUrl: row.media_url,
            targetUserId: row.planner_user_id ?? '',
            date,
            unrepostAfterHours,
          };
          if (!(await markIntentSent(trx, { orgId, scheduleId, request: { ...request }, at: now })))
            return { go: false, why: 'sent_before' };
          await patchSchedule(trx, orgId, scheduleId, { scheduled_at: date });
          return { go: true, request };
        });
        return repeated ? { go: false, why: 'sent_before' } : result;
      });
    },

    /** One transition: row, intent, evidence, task, event, wait and the command's outcome, or nothing of it. */
    async recordScheduleStep(
      input: ScheduleTarget & {
        stepId: string;
        command: ScheduleCommand | null;
        transition: ScheduleTransition;
        /** Where the repost was looked for and what was found, with a look. */
        evidence: Record<string, unknown> | null;
        now: number;
      },
    ): Promise<ScheduleStepResult> {
      const { orgId, scheduleId, workflowId, command, transition } = input;
      return withOrg(db, orgId, async (trx) => {
        await lockSchedule(trx, orgId, scheduleId);
        const step = {
          orgId,
          stepId: input.stepId,
          workflowId,
          taker: taker(),
          name: command?.name ?? transition.step,
          // A cancellation is found again by its step, whoever asked for it.
          payload: command ?? transition.next.cancel,
        };
        const { result, repeated } = await takeStep<Recorded>(trx, step, async () => {
          await recordChange(trx, input);
          return { applied: true };
        });
        return result.applied ? { applied: true, repeated } : result;
      });
    },

    /** Keeps the refusal of a command, so that whoever sent it can read why. @returns the outcome that stands */
    async recordScheduleRefusal(
      input: ScheduleTarget & { command: ScheduleCommand; code: ScheduleRefusalCode; reason: string },
    ): Promise<{ applied: true } | Refused> {
      const { orgId, workflowId, command, code, reason } = input;
      const { commandId: stepId, name } = command;
      const step = { orgId, stepId, workflowId, taker: taker(), name, payload: command };
      return withOrg(db, orgId, async (trx) => {
        const { result } = await refuseStep<Recorded, Refused>(trx, step, { applied: false, code, reason });
        if (!result.applied && command.name === 'plannerReported' && command.receiptId != null)
          await settleReceipt(trx, { orgId, id: command.receiptId, outcome: 'ignored', error: reason });
        return result.applied ? { applied: true } : result;
      });
    },

    /** The schedule's last transaction: the row is terminal, nothing waits any more. */
    async closeSchedule(input: ScheduleTarget & { now: number }): Promise<void> {
      const { orgId, scheduleId, workflowId, now } = input;
      await withOrg(db, orgId, async (trx) => {
        await lockSchedule(trx, orgId, scheduleId);
        await closeScheduleRow(trx, orgId, scheduleId, now);
        await ignoreLeftReceipts(trx, orgId, scheduleId);
        await clearWait(trx, orgId, workflowId);
      });
    },
  };

  function whyNot(row: ScheduleFactsRow): NotSent | null {
    if (row.assignment_status !== null && row.assignment_status !== 'assigned') return 'assignment_over';
    if (!influencePlanner.configured) return 'not_configured';
    return row.planner_user_id === null ? 'account_not_linked' : null;
  }
}

async function recordChange(
  trx: Trx,
  input: Parameters<ReturnType<typeof createRepostScheduleActivities>['recordScheduleStep']>[0],
): Promise<void> {
  const { orgId, scheduleId, workflowId, command, transition, evidence, now } = input;
  const { next, row: patch, intent, task, answered } = transition;
  const row = await existing(trx, input);
  await patchSchedule(trx, orgId, scheduleId, patch);
  if (intent !== null) {
    await patchIntent(trx, {
      orgId,
      scheduleId,
      patch: intent,
      externalId: next.ipScheduleId,
      response: next.calendarUrl === null ? null : { calendarUrl: next.calendarUrl },
      at: now,
    });
  }
  if (patch.ip_schedule_id !== undefined && next.calendarUrl !== null)
    await linkParent(trx, row, { scheduleId: patch.ip_schedule_id, calendarUrl: next.calendarUrl });
  if (evidence !== null) await addLook(trx, { orgId, scheduleId, facts: evidence });
  if (command?.name === 'plannerReported' && command.receiptId != null)
    await settleReceipt(trx, { orgId, id: command.receiptId, outcome: 'applied' });
  if (answered !== null) {
    for (const kind of ['schedule_unknown', 'cancel_schedule'])
      await closeOpsTasks(trx, { orgId, kind, entityId: scheduleId, resolution: answered }, now);
  }
  if (task !== null) await askOps(trx, { ...input, task }, row);
  if (transition.reports && row.assignment_id !== null) {
    await emitEvent(trx, {
      orgId,
      type: 'schedule.reported',
      entityType: 'schedule',
      entityId: scheduleId,
      data: {
        assignment_id: row.assignment_id,
        status: next.status,
        proof_url: patch.proof_url ?? null,
        error: patch.error_message ?? null,
      },
      occurredAt: now,
      dedupeKey: `schedule.reported:${scheduleId}`,
    });
  }
  await tellOps(trx, input, row);
  await saveWait(trx, waitKey({ orgId, scheduleId, workflowId }), scheduleWait(next));
}

async function askOps(
  trx: Trx,
  input: ScheduleTarget & {
    task: 'schedule_unknown' | 'cancel_schedule';
    transition: ScheduleTransition;
    stepId: string;
  },
  row: ScheduleFactsRow,
): Promise<void> {
  const { orgId, scheduleId, workflowId, task, transition } = input;
  const { next } = transition;
  const what = `${labelOf(row)}, planned for ${new Date(next.scheduledAt).toISOString()}`;
  const link = next.calendarUrl ?? 'its address is not known: look for track and account in the calendar';
  const path = `/v1/schedules/${scheduleId}`;
  const unknown = task === 'schedule_unknown';
  await openOpsTask(trx, {
    orgId,
    kind: task,
    title: unknown ? 'Did Influence Planner get it?' : 'Cancel in Influence Planner',
    body: unknown
      ? `${what}. The request was sent and its answer was lost, so it is not sent again. Look into the calendar of Influence Planner and say whether it is there.`
      : `${what} (${link}). ${next.cancel?.reason ?? ''} Its API cannot cancel: take it out of the calendar by hand, then confirm.`,
    entityType: 'schedule',
    entityId: scheduleId,
    workflowId,
    actions: unknown
      ? [
          { label: 'It is there', method: 'POST', path: `${path}/answer-unknown`, body: { sent: true } },
          { label: 'It is not there', method: 'POST', path: `${path}/answer-unknown`, body: { sent: false } },
          { label: 'Cancel', method: 'POST', path: `${path}/cancel`, body: {}, needs: ['reason'] },
        ]
      : [{ label: 'It is cancelled', method: 'POST', path: `${path}/confirm-cancelled`, body: {} }],
    dueAt: task === 'cancel_schedule' ? next.scheduledAt : next.deadline,
    dedupeKey: `${task}:${scheduleId}`,
  });
  await notify(trx, {
    orgId,
    audience: { kind: 'ops' },
    type: 'warning',
    title: unknown ? 'A schedule may or may not be in Influence Planner' : 'Cancel in Influence Planner',
    message: `${what}. See the tasks.`,
    actionUrl: `${PAGE}${scheduleId}`,
    metadata: { schedule_id: scheduleId },
    dedupeKey: `${task}:${scheduleId}`,
  });
}

/** What an operator must mend concerns every schedule: one message a day. */
async function tellOps(
  trx: Trx,
  { orgId, transition, now }: { orgId: string; transition: ScheduleTransition; now: number },
  row: ScheduleFactsRow,
): Promise<void> {
  const refused = transition.step === 'refused';
  if (!refused && transition.step !== 'not_configured') return;
  await notify(trx, {
    orgId,
    audience: { kind: 'admins' },
    type: 'warning',
    title: refused ? 'Influence Planner refuses schedules' : 'Influence Planner has no credentials',
    message: refused
      ? `${labelOf(row)}: ${transition.row.error_message ?? ''} Supporters repost by hand meanwhile.`
      : 'Schedules are not sent; supporters repost by hand. Set INFLUENCE_PLANNER_USERNAME and INFLUENCE_PLANNER_API_KEY, or switch auto_schedule off.',
    actionUrl: `${PAGE}${row.id}`,
    metadata: { provider: 'influence-planner' },
    dedupeKey: `planner-${transition.step}:${new Date(now).toISOString().slice(0, 10)}`,
  });
}

async function existing(trx: Trx, { orgId, scheduleId }: ScheduleTarget): Promise<ScheduleFactsRow> {
  const row = await loadSchedule(trx, orgId, scheduleId);
  if (row === undefined) throw notFound(`Schedule ${scheduleId} does not exist in org ${orgId}.`);
  return row;
}

/** "Artist – Title, by handle", without the secret token of a private link. */
function labelOf(row: ScheduleFactsRow): string {
  return `${trackLabelOf(row)}, by ${row.target_handle}`;
}

function waitKey({ orgId, scheduleId, workflowId }: ScheduleTarget) {
  return { orgId, workflowId, entityType: 'schedule', entityId: scheduleId };
}
