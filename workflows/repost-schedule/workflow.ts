/**
 * One item in Influence Planner: sent once, near its time, and followed until the repost is made, missed or cancelled
 * (lifecycles.md). The rules are in domain/repost-schedule.ts; here is only the order of things and the waiting.
 */
import {
  ActivityFailure,
  continueAsNew,
  isCancellation,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import { toBusiness, toReal } from '../../domain/calendar.js';
import {
  applyScheduleCommand,
  applyScheduleLook,
  applySendResult,
  beginSending,
  checkScheduleCommand,
  closedReason,
  dateToSend,
  giveUp,
  lastSendAt,
  nextScheduleAlarm,
  type ScheduleLook,
  type ScheduleState,
  type ScheduleTransition,
  type SendResult,
} from '../../domain/repost-schedule.js';
import {
  readScheduleCommand,
  type ScheduleCommand,
  type ScheduleRefusalCode,
} from '../../domain/repost-schedule-commands.js';
import { scheduleWait } from '../../domain/repost-schedule-wait.js';
import { databaseActivities, plannerActivities, scheduleLookActivities } from '../shared/activities.js';
import { receiveCommands } from '../shared/commands.js';
import { saysProviderIsAway } from '../shared/failures.js';
import { waitForLeave } from '../shared/request-leave.js';
import { countSteps } from '../shared/steps.js';
import { createWaiting } from '../shared/waiting.js';
import {
  REPOST_SCHEDULE_COMMANDS,
  type RepostScheduleCarried,
  type RepostScheduleInput,
  type RepostScheduleView,
  repostScheduleState,
} from './contract.js';

/** The lifecycle of one schedule; its id is built by `repostScheduleId`. Safe to start twice: a closed row ends it at once. */
export async function repostScheduleWorkflow(input: RepostScheduleInput): Promise<void> {
  const { orgId, scheduleId, carried } = input;
  const { workflowId } = workflowInfo();
  const target = { orgId, scheduleId, workflowId };
  let state: ScheduleState | undefined = carried?.state;
  let businessNow = () => state?.since ?? 0;
  /** False while a step is under way: the row may then be ahead of the state, so a refusal must wait for its end. */
  let atRest = false;

  const inbox = receiveCommands<ScheduleCommand, RepostScheduleView, ScheduleRefusalCode>(
    REPOST_SCHEDULE_COMMANDS,
    {
      read: readScheduleCommand,
      check: (command) =>
        state !== undefined && atRest ? checkScheduleCommand(state, command) : { ok: true },
      view,
      now: () => businessNow(),
      carried,
    },
  );
  setHandler(repostScheduleState, view, {
    description: 'The whole state as JSON, with the newest refused Signals.',
  });

  const db = databaseActivities();
  const opening = await db.openSchedule.executeWithOptions({ summary: scheduleId }, [
    { ...target, realNow: Date.now() },
  ]);
  if (opening.closed) return refuseTheRest(opening.status);
  const { label, clock } = opening;
  const waiting = createWaiting(clock, opening.timezone);
  businessNow = waiting.now;
  let schedule: ScheduleState = carried?.state ?? opening.state;
  const steps = countSteps(carried?.stepsTaken);
  setSchedule(schedule);

  // A request that was under way when its workflow was lost: nobody knows what became of it.
  if (schedule.stage === 'sending') await takeSend({ outcome: 'unknown', reason: 'Its workflow was lost.' });

  // 1. Send it, near its time. 2. Wait until the repost is made: a webhook says so, or it is seen. What nobody knows, and
  // what is to be cancelled, waits for ops.
  while (isOpen()) {
    await untilSomethingHappens();
    if (workflowInfo().continueAsNewSuggested && isOpen()) await carryOn();
  }

  // 3. Told to the assignment with the last step: close the row.
  atRest = true;
  waiting.conclude(schedule.status, label);
  await db.closeSchedule.executeWithOptions({ summary: label }, [{ ...target, now: waiting.now() }]);
  await refuseTheRest(schedule.status);

  function isOpen() {
    return schedule.stage !== 'closed';
  }

  async function untilSomethingHappens() {
    const alarm = nextScheduleAlarm(schedule);
    atRest = true;
    await waiting.until(
      () => inbox.hasWork() || workflowInfo().continueAsNewSuggested,
      alarm?.at ?? null,
      alarm === null ? label : `${alarm.kind}: ${label}`,
    );
    atRest = false;
    const command = inbox.next();
    if (command !== undefined) return handle(command);
    if (alarm === null || alarm.at > waiting.now()) return;
    if (alarm.kind === 'send') await send();
    else await look();
  }

  async function handle(command: ScheduleCommand) {
    const check = checkScheduleCommand(schedule, command);
    if (!check.ok) return refuse(command, check.code, check.reason);
    const refusal = await take(applyScheduleCommand(schedule, command, waiting.now()), { command });
    inbox.settle(command, refusal ?? { applied: true });
  }

  async function refuse(command: ScheduleCommand, code: ScheduleRefusalCode, reason: string) {
    const outcome = await db.recordScheduleRefusal.executeWithOptions(
      { summary: `refused: ${command.name}` },
      [{ ...target, command, code, reason }],
    );
    inbox.settle(command, outcome);
  }

  function refuseTheRest(status: string) {
    return inbox.refuseTheRest((command) => refuse(command, 'schedule_closed', closedReason(status)));
  }

  async function send() {
    const now = waiting.now();
    if (now > lastSendAt(schedule)) return take(giveUp(schedule, 'too_late', now));
    const date = dateToSend(schedule, now);
    const prepared = await db.prepareScheduleSend.executeWithOptions({ summary: `intent: ${label}` }, [
      { ...target, stepId: steps.nextId(), date, now },
    ]);
    if (!prepared.go && prepared.why !== 'sent_before')
      return take(giveUp(schedule, prepared.why, waiting.now()));
    setSchedule(beginSending(schedule, date, waiting.now()));
    if (!prepared.go) return takeSend({ outcome: 'unknown', reason: 'It was sent by a run that is lost.' });
    return takeSend(await ask(prepared.request));
  }

  async function ask(
    request: Parameters<ReturnType<typeof plannerActivities>['createPlannerSchedule']>[0]['request'],
  ): Promise<SendResult> {
    const { createPlannerSchedule } = plannerActivities();
    const notAfter = toReal(clock, lastSendAt(schedule));
    try {
      const answer = await createPlannerSchedule.executeWithOptions({ summary: label }, [
        { request, notAfter },
      ]);
      switch (answer.outcome) {
        case 'later': {
          // Everybody whom the limit sends back hears the same instant.
          const wait = waitForLeave(answer.notBefore, 3);
          return { ...answer, notBefore: toBusiness(clock, Date.now() + wait) };
        }
        case 'again':
          return {
            ...answer,
            notBefore: answer.notBefore === null ? null : toBusiness(clock, answer.notBefore),
          };
        default:
          return answer;
      }
    } catch (error) {
      if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
      const cause = error.cause instanceof Error ? error.cause.message : 'unknown';
      return { outcome: 'unknown', reason: `The worker gave no answer (${cause}).` };
    }
  }

  function takeSend(result: SendResult) {
    return take(applySendResult(schedule, result, waiting.now()));
  }

  async function look() {
    const found = await lookOnce();
    await take(applyScheduleLook(schedule, found, waiting.now()), { evidence: found.facts });
  }

  /** A request limit, a worker or a database that is away says nothing of SoundCloud. */
  async function lookOnce(): Promise<ScheduleLook & { facts: Record<string, unknown> }> {
    const { lookForScheduledRepost } = scheduleLookActivities();
    for (let tries = 0; ; tries += 1) {
      try {
        const answer = await lookForScheduledRepost.executeWithOptions({ summary: `look: ${label}` }, [
          { orgId, scheduleId },
        ]);
        if (answer.outcome === 'looked') return answer;
        await sleep(waitForLeave(answer.notBefore, tries), { summary: `request limit: ${label}` });
      } catch (error) {
        if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
        if (saysProviderIsAway(error)) {
          const facts = { source: 'user_reposts', reason: 'soundcloud_away' };
          return { verdict: 'away', proofUrl: null, assignmentOver: false, facts };
        }
        await sleep(Math.min(1_000 * 2 ** tries, 60_000), {
          summary: `worker or database away: ${label}`,
        });
      }
    }
  }

  /** Records a transition in one transaction, then makes it the state. */
  async function take(
    transition: ScheduleTransition,
    { command, evidence }: { command?: ScheduleCommand; evidence?: Record<string, unknown> } = {},
  ) {
    const now = waiting.now();
    const looked = transition.look === null ? null : { at: new Date(now).toISOString(), ...transition.look };
    const result = await db.recordScheduleStep.executeWithOptions(
      { summary: `${transition.step}: ${label}` },
      [
        {
          ...target,
          stepId: command?.commandId ?? steps.nextId(),
          command: command ?? null,
          transition,
          evidence: looked === null ? null : { ...looked, ...evidence },
          now,
        },
      ],
    );
    if (!result.applied) return result;
    setSchedule(result.repeated ? await readAgain() : transition.next);
    return null;
  }

  /** The rows know more than this run: a command was applied by a run that is lost, and came again. */
  async function readAgain(): Promise<ScheduleState> {
    const found = await db.openSchedule.executeWithOptions({ summary: label }, [
      { ...target, realNow: Date.now() },
    ]);
    return found.closed ? { ...schedule, stage: 'closed' } : found.state;
  }

  /** Starts the next run with what this one knows; put off while a command is under way. */
  async function carryOn() {
    if (!(await inbox.answered())) return;
    const next: RepostScheduleCarried = {
      state: schedule,
      outcomes: inbox.outcomes,
      refused: inbox.refused,
      stepsTaken: steps.taken,
    };
    await continueAsNew<typeof repostScheduleWorkflow>({ orgId, scheduleId, carried: next });
  }

  function setSchedule(next: ScheduleState) {
    schedule = next;
    state = next;
    const wait = scheduleWait(next);
    if (wait !== null) waiting.announce(wait, label);
  }

  function view(): RepostScheduleView {
    return { scheduleId, state: state ?? null, refused: inbox.refused };
  }
}
