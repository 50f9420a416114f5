/**
 * Daily queue: from the draft of a date to the last settled assignment (lifecycles.md). The rules are in
 * domain/daily-queue.ts, the facts in the rows; here is only the order of things and the waiting.
 */
import {
  ActivityFailure,
  continueAsNew,
  isCancellation,
  log,
  setHandler,
  sleep,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { FailedQueueStep, QueueOpening } from '../../activities/queue.js';
import { DAY_MS, HOUR_MS, realWait } from '../../domain/calendar.js';
import {
  checkQueueCommand,
  type DailyQueueState,
  nextQueueAlarm,
  type QueueAlarm,
  type QueueLimits,
  queueLimits,
  queueWait,
  warningOf,
} from '../../domain/daily-queue.js';
import {
  type QueueCommand,
  type QueueRefusalCode,
  readQueueCommand,
} from '../../domain/daily-queue-commands.js';
import {
  databaseActivities,
  generationActivities,
  publishingActivities,
  queueActivities,
} from '../shared/activities.js';
import { receiveCommands } from '../shared/commands.js';
import { createCourier } from '../shared/courier.js';
import { searchAttributes } from '../shared/search-attributes.js';
import { countSteps } from '../shared/steps.js';
import { createWaiting } from '../shared/waiting.js';
import {
  assignmentsSettledSignal,
  DAILY_QUEUE_COMMANDS,
  type DailyQueueInput,
  type DailyQueueView,
  dailyQueueState,
  requestedSignal,
} from './contract.js';

/** Business time after which a draft that could not be generated is tried again. */
const GENERATION_RETRY_MS = HOUR_MS / 4;
/** The same for a queue that could not be published: its slots pass meanwhile. */
const PUBLISHING_RETRY_MS = HOUR_MS / 12;

/** The lifecycle of one queue; its id is built by `dailyQueueId`. Safe to start twice: a closed row ends it at once. */
export async function dailyQueueWorkflow(input: DailyQueueInput): Promise<void> {
  const { orgId, date, carried } = input;
  const { workflowId } = workflowInfo();
  const target = { orgId, date, workflowId };
  const label = `Queue of ${date}`;
  let known: DailyQueueState | undefined;
  let businessNow = () => 0;
  /** By the org's hours as they are now; read before anything is settled. */
  let limits!: QueueLimits;
  /** False while a step is under way: the rows may then be ahead of the state, so a refusal must wait for its end. */
  let settled = false;
  let told = false;
  /** The date was asked for; not yet answered by a draft. */
  let requested = false;
  const steps = countSteps(carried?.stepsTaken);

  const inbox = receiveCommands<QueueCommand, DailyQueueView, QueueRefusalCode>(DAILY_QUEUE_COMMANDS, {
    read: readQueueCommand,
    check: (command) =>
      known !== undefined && settled
        ? checkQueueCommand(known, command, businessNow(), limits, requested)
        : { ok: true },
    view,
    now: () => businessNow(),
    carried,
  });
  setHandler(
    assignmentsSettledSignal,
    () => {
      told = true;
    },
    { description: 'The last open assignment was settled: look at the rows.' },
  );
  setHandler(
    requestedSignal,
    () => {
      requested = true;
    },
    { description: 'The date was asked for: look whether the row is open again.' },
  );
  setHandler(dailyQueueState, view, {
    description: 'The whole state as JSON, with the newest refused Signals.',
  });

  const db = databaseActivities();
  const opening = await db.openQueue.executeWithOptions({ summary: label }, [target]);
  const { clock } = opening;
  const waiting = createWaiting(clock, opening.timezone);
  const courier = createCourier(orgId, label, []);
  businessNow = waiting.now;
  limits = limitsOf(opening);
  let queue = opening.state;
  adopt(queue);

  for (;;) {
    await runStages();
    // Everything said: what comes now comes too late.
    waiting.conclude(queue.queueId === null ? 'no submission asks for a queue' : queue.status, label);
    settled = true;
    await courier.done(() => requested);
    await refuseTheRest();
    if (!requested) return;
    // The date was asked for while this run ended. Temporal lets no run end that has not seen its last signal.
    await lookAgain();
  }

  async function runStages() {
    // 1. Generate the draft. Without demand there is no row, and nothing to wait for.
    if (queue.stage === 'generation') await generate();

    // 2. Ops approve it by the cut-off, or it lapses.
    while (queue.stage === 'approval') {
      await untilSomethingHappens();
      if (workflowInfo().continueAsNewSuggested && queue.stage === 'approval') await carryOn();
    }

    // 3. Publish: at once.
    while (queue.stage === 'publishing') {
      await publish();
      if (workflowInfo().continueAsNewSuggested && queue.stage === 'publishing') await carryOn();
    }

    // 4. Until every assignment is settled.
    while (queue.stage === 'settling') {
      await untilSettled();
      if (workflowInfo().continueAsNewSuggested && queue.stage === 'settling') await carryOn();
    }
  }

  async function lookAgain() {
    requested = false;
    settled = false;
    const found = await db.openQueue.executeWithOptions({ summary: label }, [target]);
    limits = limitsOf(found);
    adopt(found.state);
  }

  function limitsOf({ timezone, hours }: QueueOpening) {
    return queueLimits(date, timezone, hours);
  }

  async function generate() {
    const { generateQueue } = generationActivities();
    const stepId = steps.nextId();
    // This draft is what was asked for.
    requested = false;
    for (;;) {
      const now = waiting.now();
      if (now > limits.generateUntil) {
        await db.missQueue.executeWithOptions({ summary: label }, [{ ...target, stepId, now }]);
        return adopt({ ...queue, stage: 'closed', status: 'lapsed' });
      }
      try {
        const drafting = { ...target, stepId, command: null, now };
        const { state } = await generateQueue.executeWithOptions({ summary: label }, [drafting]);
        return adopt(state.stage === 'generation' ? { ...state, stage: 'closed' } : state);
      } catch (error) {
        await reportFailure(error, 'generate', stepId);
        await sleep(realWait(clock, GENERATION_RETRY_MS), { summary: `generate again: ${label}` });
      }
    }
  }

  async function publish() {
    const { revision } = queue;
    const { publishQueue } = publishingActivities();
    try {
      const input = { ...target, revision, now: waiting.now() };
      adopt((await publishQueue.executeWithOptions({ summary: label }, [input])).state);
    } catch (error) {
      await reportFailure(error, 'publish', `publish:${revision}`);
      const again = waiting.now() + PUBLISHING_RETRY_MS;
      settled = true;
      // Whatever comes meanwhile is for the draft, which is approved.
      while (await waiting.until(() => inbox.hasWork(), again, `publish again: ${label}`)) {
        for (let command = inbox.next(); command !== undefined; command = inbox.next()) await handle(command);
      }
      settled = false;
    }
  }

  async function reportFailure(error: unknown, step: FailedQueueStep, stepId: string) {
    if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
    const reason = error.cause?.message ?? 'unknown';
    log.error('a step of the queue failed', { step, reason });
    await db.reportQueueFailure.executeWithOptions({ summary: label }, [
      { ...target, step, stepId, reason, now: waiting.now() },
    ]);
  }

  async function untilSomethingHappens() {
    const alarm = nextQueueAlarm(queue, waiting.now());
    const overdue = () => alarm !== null && alarm.at <= waiting.now();
    if (alarm !== null && overdue()) return ring(alarm);
    settled = true;
    await waiting.until(
      () => inbox.hasWork() || workflowInfo().continueAsNewSuggested,
      alarm?.at ?? null,
      alarm === null ? label : `${alarm.kind === 'cutoff' ? 'cut-off' : 'warning'}: ${label}`,
    );
    settled = false;
    // A command that waits beside the cut-off comes too late, unless the rows say that it was an approval in time.
    if (alarm !== null && overdue()) return ring(alarm);
    const command = inbox.next();
    if (command !== undefined) await handle(command);
  }

  async function untilSettled() {
    told = false;
    const state = await db.settleQueue.executeWithOptions({ summary: label }, [
      { ...target, now: waiting.now() },
    ]);
    adopt(state);
    if (state.stage !== 'settling') return;
    settled = true;
    // The signal is certain; the look once a day is for a row that was settled by hand.
    const done = () => told || inbox.hasWork() || workflowInfo().continueAsNewSuggested;
    await waiting.until(done, waiting.now() + DAY_MS, `settling: ${label}`);
    settled = false;
    for (let command = inbox.next(); command !== undefined; command = inbox.next()) await handle(command);
  }

  async function ring(alarm: QueueAlarm) {
    const now = waiting.now();
    if (alarm.kind === 'warning') {
      const warning = { ...target, hours: alarm.hours, approveBy: alarm.at + alarm.hours * HOUR_MS, now };
      const { state } = await db.warnOfCutoff.executeWithOptions({ summary: label }, [warning]);
      adopt(state);
      // A command may have moved the queue on before the step was taken: then nobody was warned.
      if (state.stage === 'approval') courier.slack({ about: label, ...warningOf(date, alarm.hours) });
      return;
    }
    const { state } = await queueActivities().lapseQueue.executeWithOptions({ summary: label }, [
      { ...target, revision: queue.revision, now },
    ]);
    adopt(state);
    if (state.status !== 'lapsed') return;
    courier.slack({
      about: label,
      title: `The queue of ${date} lapsed`,
      message: 'No approval was found in time. Its submissions moved to the next queue.',
    });
  }

  async function handle(command: QueueCommand) {
    const check = checkQueueCommand(queue, command, waiting.now(), limits);
    if (!check.ok) return refuse(command, check.code, check.reason);
    const now = waiting.now();
    const step = { ...target, stepId: command.commandId, command, now };
    const options = { summary: `${command.name}: ${label}` };
    if (command.name !== 'regenerate') {
      return settle(command, await queueActivities().changeQueue.executeWithOptions(options, [step]));
    }
    try {
      settle(command, await generationActivities().generateQueue.executeWithOptions(options, [step]));
    } catch (error) {
      await reportFailure(error, 'generate', command.commandId);
      await refuse(
        command,
        'generation_failed',
        'The draft could not be generated anew; the one before stands. The automation health says why.',
      );
    }
  }

  function settle(
    command: QueueCommand,
    result: { state: DailyQueueState } & (
      | { applied: true }
      | { applied: false; code: QueueRefusalCode; reason: string }
    ),
  ) {
    const { state, ...outcome } = result;
    adopt(state);
    inbox.settle(command, outcome);
  }

  async function refuse(command: QueueCommand, code: QueueRefusalCode, reason: string) {
    const outcome = await db.recordQueueRefusal.executeWithOptions({ summary: `refused: ${command.name}` }, [
      { ...target, command, code, reason },
    ]);
    inbox.settle(command, outcome);
  }

  function refuseTheRest() {
    return inbox.refuseTheRest(async (command) => {
      const check = checkQueueCommand(queue, command, waiting.now(), limits, requested);
      const { code, reason } = check.ok ? { code: 'queue_closed' as const, reason: 'It is closed.' } : check;
      await refuse(command, code, reason);
    });
  }

  /** Starts the next run with what this one knows; put off while a command is under way. */
  async function carryOn() {
    await courier.done();
    if (!(await inbox.answered())) return;
    await continueAsNew<typeof dailyQueueWorkflow>({
      orgId,
      date,
      carried: { outcomes: inbox.outcomes, refused: inbox.refused, stepsTaken: steps.taken },
    });
  }

  function adopt(next: DailyQueueState) {
    if (next.queueId !== null && known?.queueId !== next.queueId) {
      upsertSearchAttributes([{ key: searchAttributes.entityId, value: next.queueId }]);
    }
    queue = next;
    known = next;
    const wait = queueWait(next);
    if (wait !== null) waiting.announce(wait, label);
  }

  function view(): DailyQueueView {
    return { state: known ?? null, refused: inbox.refused };
  }
}
