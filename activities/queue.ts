/**
 * Database activities of the daily queue: one transaction each, under a step id, so that a repeated one changes nothing.
 * Each answers with the state the rows are in afterwards.
 */
import { createHash } from 'node:crypto';
import { heartbeat } from '@temporalio/activity';
import { reportAutomation, reportRecovery } from '../db/automation-health.js';
import { type Db, type Trx, withOrg } from '../db/client.js';
import { readClock } from '../db/clock.js';
import { emitEvent } from '../db/events.js';
import { notify } from '../db/notifications.js';
import { loadDraft } from '../db/queue-drafts.js';
import { loadQueue, patchQueue, type QueueRow, queueTotals, replaceAssignments } from '../db/queues.js';
import { loadSettings } from '../db/settings.js';
import { refuseStep, type Step, takeStep } from '../db/steps.js';
import { clearWait, saveWait } from '../db/waits.js';
import { type BusinessClock, timeOfDay } from '../domain/calendar.js';
import { type DailyQueueState, queueLimits, queueWait, warningOf } from '../domain/daily-queue.js';
import type { QueueCommand, QueueRefusal } from '../domain/daily-queue-commands.js';
import type { OrgSettings, QueueHours } from '../domain/settings.js';
import { notFound } from './failures.js';
import { withLifesign } from './lifesign.js';
import { applyToDraft } from './queue-commands.js';
import { approveInTime } from './queue-cutoff.js';
import { draftQueue } from './queue-drafting.js';
import { publish } from './queue-publish.js';
import { closeLapsed, shiftSubmissions } from './queue-shifts.js';
import { readQueueState } from './queue-state.js';
import { taker } from './taker.js';

export interface QueueTarget {
  orgId: string;
  /** `YYYY-MM-DD` in the org's timezone. */
  date: string;
  workflowId: string;
}

/** What the workflow must know before anything else. */
export interface QueueOpening {
  clock: BusinessClock;
  timezone: string;
  hours: QueueHours;
  state: DailyQueueState;
}

export type QueueChange =
  | { applied: true; state: DailyQueueState }
  | ({ applied: false; state: DailyQueueState } & QueueRefusal);

/** The steps that are tried again on a timer when they fail. */
export type FailedQueueStep = 'generate' | 'publish';

type Recorded = { applied: true } | ({ applied: false } & QueueRefusal);

/** The name of the automation in `soundcloud_automation_health`. */
const AUTOMATION = 'daily-queue';

export function createQueueActivities({ db }: { db: Db }) {
  return {
    /** Where the queue stands; a row of which is missing is still to be generated. */
    async openQueue(target: QueueTarget): Promise<QueueOpening> {
      return withOrg(db, target.orgId, async (trx) => {
        const { timezone, queue_hours } = await loadSettings(trx, target.orgId);
        const state = await readQueueState(trx, target, await loadQueue(trx, target.orgId, target.date));
        return { clock: await readClock(trx), timezone, hours: queue_hours, state };
      });
    },

    /**
     * Generates the draft, or generates it anew for a command. Without open demand a queue that has no row gets none:
     * the state is then closed.
     */
    async generateQueue(
      input: QueueTarget & { stepId: string; command: QueueCommand | null; now: number },
    ): Promise<QueueChange> {
      return change(input, input.command?.name ?? 'generate', input.command, async (trx, queue, settings) => {
        await draftQueue(trx, { ...input, queue, settings, progress });
        await reportAutomation(trx, AUTOMATION, true, null);
        return null;
      });
    },

    /** Applies what ops ask of a draft: approve, swap, drop, add. */
    async changeQueue(
      input: QueueTarget & { command: QueueCommand; stepId: string; now: number },
    ): Promise<QueueChange> {
      return change(input, input.command.name, input.command, async (trx, queue, settings) =>
        queue === undefined ? null : applyToDraft(trx, { ...input, queue, settings }),
      );
    },

    /** Keeps the refusal of a command, so that whoever sent it can read why. @returns the outcome that stands. */
    async recordQueueRefusal(
      input: QueueTarget & { command: QueueCommand } & QueueRefusal,
    ): Promise<{ applied: true } | ({ applied: false } & QueueRefusal)> {
      const { command, code, reason } = input;
      const step = stepOf(input, command.commandId, command.name, command);
      const { result } = await withOrg(db, input.orgId, (trx) =>
        refuseStep<Recorded, { applied: false } & QueueRefusal>(trx, step, { applied: false, code, reason }),
      );
      return result.applied ? { applied: true } : result;
    },

    /** Ops are told that the cut-off comes near. */
    async warnOfCutoff(
      input: QueueTarget & { hours: number; approveBy: number; now: number },
    ): Promise<QueueChange> {
      const { orgId, date, hours, approveBy } = input;
      const payload = { hours, approveBy };
      return change(
        { ...input, stepId: `warning:${approveBy}:${hours}` },
        'warning',
        payload,
        async (trx, queue) => {
          if (queue?.status !== 'draft') return null;
          await notify(trx, {
            orgId,
            audience: { kind: 'ops' },
            type: 'warning',
            ...warningOf(date, hours),
            actionUrl: pageOf(date),
            metadata: { queue_id: queue.id, hours },
          });
          return null;
        },
      );
    },

    /**
     * The cut-off has passed: nothing goes out, the submissions move to the next queue, ops are told. But an approval
     * that was asked for before it counts; the queue is then approved instead.
     */
    async lapseQueue(input: QueueTarget & { revision: number; now: number }): Promise<QueueChange> {
      const { orgId, date, revision, workflowId, now } = input;
      // By the draft, because a queue that is asked for again may lapse again.
      return change(
        { ...input, stepId: `lapse:${revision}` },
        // Not what came of it: an approval may be found.
        'cutoff',
        null,
        async (trx, queue, settings) => {
          if (queue?.status !== 'draft') return null;
          const found = await approveInTime(trx, { orgId, date, workflowId, settings, now }, queue);
          if (found === 'approved') return null;
          const draft = await loadDraft(trx, orgId, queue.id);
          await replaceAssignments(trx, orgId, queue.id, []);
          const reason =
            found === 'found_late'
              ? `The queue of ${date} was approved, but that was found when its slots had passed.`
              : `The queue of ${date} was not approved in time.`;
          const shifted = await shiftSubmissions(trx, {
            orgId,
            date,
            submissions: submissionsOf(draft).map((id) => ({ id, reason })),
            occasion: `${queue.id}:lapse:${queue.revision}`,
            settings,
            now,
          });
          await closeLapsed(trx, { orgId, queue, shifted, occasion: `${queue.revision}`, now });
          const { generateUntil } = queueLimits(date, settings.timezone, settings.queue_hours);
          await notify(trx, {
            orgId,
            audience: { kind: 'ops' },
            type: 'error',
            title: `The queue of ${date} lapsed`,
            message: [
              found === 'found_late'
                ? 'It was approved in time, but the approval was found when no slot of the date was left: no worker ran.'
                : 'Nobody approved it in time.',
              `${shifted} submissions moved to the next queue.`,
              ...(now > generateUntil
                ? []
                : [`You may ask for it again until ${timeOfDay(generateUntil, settings.timezone)}.`]),
            ].join(' '),
            actionUrl: pageOf(date),
            metadata: { queue_id: queue.id },
          });
          await clearWait(trx, orgId, workflowId);
          return null;
        },
      );
    },

    /** Publishes an approved queue: re-check, holds, refills, events, all or nothing. */
    async publishQueue(input: QueueTarget & { revision: number; now: number }): Promise<QueueChange> {
      const { orgId, revision, now } = input;
      return change(
        { ...input, stepId: `publish:${revision}` },
        'publish',
        null,
        async (trx, queue, settings) => {
          if (queue?.status !== 'approved') return null;
          await publish(trx, { orgId, queue, settings, now, progress });
          await reportRecovery(trx, orgId, AUTOMATION);
          return null;
        },
      );
    },

    /** Closes a published queue of which every assignment is settled; else nothing. */
    async settleQueue(input: QueueTarget & { now: number }): Promise<DailyQueueState> {
      const { orgId, date, workflowId, now } = input;
      return withOrg(db, orgId, async (trx) => {
        const queue = await requireQueue(trx, input);
        const { open, ...totals } = await queueTotals(trx, orgId, queue.id);
        if (queue.status === 'published' && queue.closed_at === null && open === 0) {
          const closed_at = new Date(now);
          await patchQueue(trx, orgId, queue.id, {
            settled_at: queue.settled_at ?? closed_at,
            closed_at,
            totals,
          });
          await emitEvent(trx, {
            orgId,
            type: 'queue.settled',
            entityType: 'queue',
            entityId: queue.id,
            data: { queue_id: queue.id, date, ...totals },
            occurredAt: now,
            dedupeKey: `queue.settled:${queue.id}`,
          });
          await clearWait(trx, orgId, workflowId);
        }
        return readQueueState(trx, input, await loadQueue(trx, orgId, date));
      });
    },

    /**
     * The draft could not be generated, or the approved queue not published; it is tried again. Admins see it in the
     * automation's health; ops are told once of each reason.
     * @param input.step absent from runs of before: generate
     * @param input.stepId the step that failed; absent from runs of before
     */
    async reportQueueFailure(
      input: QueueTarget & { step?: FailedQueueStep; stepId?: string; reason: string; now: number },
    ): Promise<void> {
      const { orgId, date, workflowId, step = 'generate', stepId = '' } = input;
      const reason = input.reason.slice(0, 500);
      await withOrg(db, orgId, async (trx) => {
        await reportAutomation(trx, AUTOMATION, false, reason);
        await notify(trx, {
          orgId,
          audience: { kind: 'ops' },
          type: 'error',
          ...(step === 'generate'
            ? {
                title: `The queue of ${date} could not be generated`,
                message:
                  'It is tried again every quarter of an hour. Look at the workflow in the Temporal UI for the reason.',
              }
            : {
                title: `The queue of ${date} could not be published`,
                message:
                  'It is approved, but nothing has gone out and nothing is paid. It is tried again every five minutes, and goes out once that succeeds; slots that pass meanwhile are lost. Read the reason in the automation daily-queue or in the Temporal UI, and have it corrected.',
              }),
          actionUrl: pageOf(date),
          metadata: { workflow_id: workflowId },
          dedupeKey: `queue-failed:${workflowId}:${hashOf(`${stepId}\n${reason}`)}`,
        });
      });
    },

    /**
     * A scheduled run that finds its date drafted already, or over, has nothing to do: that is a success of the
     * automation. A queue that is still to be drafted reports by itself.
     */
    async reportFoundQueue({ orgId, date }: { orgId: string; date: string }): Promise<void> {
      await withOrg(db, orgId, async (trx) => {
        const queue = await loadQueue(trx, orgId, date);
        if (queue === undefined || (queue.closed_at === null && queue.approve_by === null)) return;
        await reportAutomation(trx, AUTOMATION, true, null);
      });
    },

    /**
     * It is too late to generate for this date: ops are told, and a queue that was asked for again lapses again.
     * @param input.stepId the step that came too late; absent from runs of before
     */
    async missQueue(input: QueueTarget & { stepId?: string; now: number }): Promise<void> {
      const { orgId, date, workflowId, stepId = '', now } = input;
      await withOrg(db, orgId, async (trx) => {
        const queue = await loadQueue(trx, orgId, date, { lock: true });
        if (queue !== undefined && queue.status === 'draft') {
          await closeLapsed(trx, { orgId, queue, shifted: 0, occasion: `missed:${stepId}`, now });
        }
        await clearWait(trx, orgId, workflowId);
        await reportAutomation(
          trx,
          AUTOMATION,
          false,
          `No queue for ${date}: it was too late to generate one.`,
        );
        await notify(trx, {
          orgId,
          audience: { kind: 'ops' },
          type: 'error',
          title: `There is no queue for ${date}`,
          message: 'Its generation came too late. The submissions are in the next queue.',
          actionUrl: pageOf(date),
          metadata: { workflow_id: workflowId },
          dedupeKey: `queue-missed:${workflowId}:${stepId}`,
        });
      });
    },
  };

  /**
   * One step: locks the queue's row, does the work once, writes the wait of the state it leads to.
   * @param work its refusal, or null when it was applied.
   */
  async function change(
    target: QueueTarget & { stepId: string; now: number },
    name: string,
    payload: unknown,
    work: (trx: Trx, queue: QueueRow | undefined, settings: OrgSettings) => Promise<QueueRefusal | null>,
  ): Promise<QueueChange> {
    const { orgId, date, workflowId } = target;
    const step = stepOf(target, target.stepId, name, payload);
    const answer = async (trx: Trx, outcome: Recorded): Promise<QueueChange> => {
      const state = await readQueueState(trx, target, await loadQueue(trx, orgId, date));
      return { ...outcome, state };
    };
    const take = async (trx: Trx): Promise<QueueChange> => {
      const queue = await loadQueue(trx, orgId, date, { lock: true });
      const settings = await loadSettings(trx, orgId);
      const { result } = await takeStep<Recorded>(trx, step, async () => {
        const refusal = await work(trx, queue, settings);
        if (refusal !== null) throw new RefusedStep(refusal);
        return { applied: true };
      });
      const after = await answer(trx, result);
      const { queueId } = after.state;
      if (queueId !== null) {
        const key = { orgId, workflowId, entityType: 'queue', entityId: queueId };
        await saveWait(trx, key, queueWait(after.state));
      }
      return after;
    };
    return withLifesign(() => withOrg(db, orgId, take)).catch((error: unknown) => {
      if (!(error instanceof RefusedStep)) throw error;
      // What was begun is undone; the refusal itself is kept.
      const refusal = { applied: false as const, ...error.refusal };
      return withOrg(db, orgId, async (trx) => {
        const { result } = await refuseStep<Recorded, typeof refusal>(trx, step, refusal);
        return answer(trx, result);
      });
    });
  }
}

class RefusedStep extends Error {
  constructor(readonly refusal: QueueRefusal) {
    super(refusal.reason);
  }
}

async function requireQueue(trx: Trx, target: QueueTarget): Promise<QueueRow> {
  const queue = await loadQueue(trx, target.orgId, target.date, { lock: true });
  if (queue === undefined) throw notFound(`There is no queue of ${target.date} in org ${target.orgId}.`);
  return queue;
}

function stepOf(target: QueueTarget, stepId: string, name: string, payload: unknown): Step {
  const { orgId, workflowId } = target;
  return { orgId, stepId, workflowId, taker: taker(), name, payload };
}

function submissionsOf(draft: Awaited<ReturnType<typeof loadDraft>>): string[] {
  if (draft === undefined) return [];
  return [...new Set([...draft.assignments, ...draft.unfilled].map(({ submission_id }) => submission_id))];
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function progress(what: string): void {
  heartbeat(what);
}

function pageOf(date: string): string {
  return `/console/queues/${date}`;
}
