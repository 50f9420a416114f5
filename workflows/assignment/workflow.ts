/**
 * Assignment: one repost by one supporter, from publication over proof and watch to credits (lifecycles.md). The rules
 * are in domain/assignment*.ts; here is only the order of things and the waiting.
 */
import {
  ActivityFailure,
  continueAsNew,
  isCancellation,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { applyAssignmentCommand, checkAssignmentCommand, closedReason } from '../../domain/assignment.js';
import {
  type AssignmentCommand,
  type AssignmentRefusalCode,
  readAssignmentCommand,
} from '../../domain/assignment-commands.js';
import { applyLook, nextAssignmentAlarm, raiseAssignmentAlarm } from '../../domain/assignment-looks.js';
import type { AssignmentState, Transition } from '../../domain/assignment-state.js';
import { assignmentWait } from '../../domain/assignment-wait.js';
import { readProofUrl } from '../../domain/proof.js';
import { databaseActivities, proofActivities } from '../shared/activities.js';
import { receiveCommands } from '../shared/commands.js';
import { createCourier } from '../shared/courier.js';
import { countSteps } from '../shared/steps.js';
import { createWaiting } from '../shared/waiting.js';
import {
  ASSIGNMENT_COMMANDS,
  type AssignmentCarried,
  type AssignmentInput,
  type AssignmentView,
  assignmentState,
} from './contract.js';
import { createLookout } from './lookout.js';

/** The lifecycle of one assignment; its id is built by `assignmentWorkflowId`. Safe to start twice: a closed row ends it at once. */
export async function assignmentWorkflow(input: AssignmentInput): Promise<void> {
  const { orgId, assignmentId, carried } = input;
  const { workflowId } = workflowInfo();
  const target = { orgId, assignmentId, workflowId };
  let state: AssignmentState | undefined = carried?.state;
  let businessNow = () => state?.since ?? 0;
  /** False while a step is under way: the row may then be ahead of the state, so a refusal must wait for its end. */
  let atRest = false;

  const inbox = receiveCommands<AssignmentCommand, AssignmentView, AssignmentRefusalCode>(
    ASSIGNMENT_COMMANDS,
    {
      read: readAssignmentCommand,
      check: (command) =>
        state !== undefined && atRest && !isShortLink(command)
          ? checkAssignmentCommand(state, command)
          : { ok: true },
      view,
      now: () => businessNow(),
      carried,
    },
  );
  setHandler(assignmentState, view, {
    description: 'The whole state as JSON, with the newest refused Signals.',
  });

  const db = databaseActivities();
  const opening = await db.openAssignment.executeWithOptions({ summary: assignmentId }, [
    { ...target, realNow: Date.now() },
  ]);
  if (opening.closed) return refuseTheRest(opening.status);
  const { label } = opening;
  const waiting = createWaiting(opening.clock, opening.timezone);
  const courier = createCourier(orgId, label, carried?.owedMails ?? []);
  const lookout = createLookout({ orgId, assignmentId }, () => label, waiting.now);
  businessNow = waiting.now;
  let assignment: AssignmentState = carried?.state ?? opening.state;
  const steps = countSteps(carried?.stepsTaken);
  /** Revision of the state that the database knows. */
  let recorded = opening.state.revision;
  state = assignment;
  courier.mail(opening.mails, `your repost: ${label}`);
  announce();

  // 1. The supporter reposts and may hand in a proof, is reminded, and has until the deadline. 2. SoundCloud is looked
  // at; what it does not tell, ops judge. 3. Completed: the repost is watched, then credits move.
  while (isOpen()) {
    await untilSomethingHappens();
    if (workflowInfo().continueAsNewSuggested && isOpen()) await carryOn();
  }

  // 4. Settled; everything said and sent: close the row.
  atRest = true;
  waiting.conclude(assignment.status, label);
  await lookout.stop();
  await courier.done();
  await db.closeAssignment.executeWithOptions({ summary: label }, [{ ...target, now: waiting.now() }]);
  await refuseTheRest(assignment.status);

  function isOpen() {
    return assignment.stage !== 'closed';
  }

  async function untilSomethingHappens() {
    const alarm = nextAssignmentAlarm(assignment, lookout.looking() || lookout.hasResult());
    atRest = true;
    await waiting.until(
      () => inbox.hasWork() || lookout.hasResult() || workflowInfo().continueAsNewSuggested,
      alarm?.at ?? null,
      alarm === null ? label : `${alarm.kind}: ${label}`,
    );
    atRest = false;
    // A proof that came before the deadline and was found after it, because no worker ran, is not too late.
    const command = inbox.next();
    if (command !== undefined) return handle(command);
    const result = lookout.take();
    if (result !== undefined) {
      await take(applyLook(assignment, result, waiting.now()));
      return;
    }
    if (alarm === null || alarm.at > waiting.now()) return;
    if (alarm.kind !== 'look') await take(raiseAssignmentAlarm(assignment, alarm.kind, waiting.now()));
    else if (assignment.look !== null) lookout.begin(assignment.look);
  }

  async function handle(given: AssignmentCommand) {
    const command = await withoutShortLink(given);
    const check = checkAssignmentCommand(assignment, command);
    if (!check.ok) return refuse(command, check.code, check.reason);
    const outcome = await take(applyAssignmentCommand(assignment, command, waiting.now()), command);
    // Not settled, it is looked at again in the state that was found.
    if (outcome !== 'again') inbox.settle(command, outcome);
  }

  async function refuse(command: AssignmentCommand, code: AssignmentRefusalCode, reason: string) {
    const outcome = await db.recordAssignmentRefusal.executeWithOptions(
      { summary: `refused: ${command.name}` },
      [{ ...target, command, code, reason, proofUrl: state?.proofUrl ?? null }],
    );
    inbox.settle(command, outcome);
  }

  function refuseTheRest(status: string) {
    return inbox.refuseTheRest((command) => refuse(command, 'assignment_closed', closedReason(status)));
  }

  /** Records a transition in one transaction, then makes it the state. */
  async function take(transition: Transition, command?: AssignmentCommand) {
    const { next, ...change } = transition;
    if (change.step === null) {
      setAssignment(next);
      return { applied: true as const };
    }
    const now = waiting.now();
    const result = await db.recordAssignmentStep.executeWithOptions({ summary: `${change.step}: ${label}` }, [
      {
        ...target,
        stepId: command?.commandId ?? steps.nextId(),
        step: command?.name ?? change.step,
        command: command ?? null,
        change,
        next,
        basedOn: recorded,
        wait: assignmentWait(next, now),
        now,
      },
    ]);
    if (result.kind === 'refused') return { applied: false as const, ...result };
    // The database knows more than this run when a run that is lost was quicker: then its state is taken up.
    const state = result.kind === 'overtaken' ? result.state : next;
    recorded = state.revision;
    setAssignment(state);
    courier.mail(result.mails, `${change.mail ?? change.step}: ${label}`);
    return result.kind === 'overtaken' && !result.applied ? ('again' as const) : { applied: true as const };
  }

  /** What a short link stands for shows when it is followed; one that cannot be followed now is taken as it is. */
  async function withoutShortLink(command: AssignmentCommand): Promise<AssignmentCommand> {
    if (command.name !== 'submitProof' || !isShortLink(command) || assignment.stage !== 'proof')
      return command;
    try {
      const { expandProofLink } = proofActivities();
      const { url } = await expandProofLink.executeWithOptions({ summary: `short link: ${label}` }, [
        { url: command.url },
      ]);
      return { ...command, url };
    } catch (error) {
      if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
      return command;
    }
  }

  /** Starts the next run with what this one knows; put off while a command is under way. */
  async function carryOn() {
    const owedMails = await courier.handOver();
    await lookout.stop();
    if (!(await inbox.answered())) return courier.mail(owedMails, label);
    const next: AssignmentCarried = {
      state: assignment,
      outcomes: inbox.outcomes,
      refused: inbox.refused,
      owedMails,
      stepsTaken: steps.taken,
    };
    await continueAsNew<typeof assignmentWorkflow>({ orgId, assignmentId, carried: next });
  }

  function setAssignment(next: AssignmentState) {
    assignment = next;
    state = next;
    announce();
  }

  function announce() {
    const wait = assignmentWait(assignment, waiting.now());
    if (wait !== null) waiting.announce(wait, label);
  }

  function isShortLink(command: AssignmentCommand): boolean {
    if (command.name !== 'submitProof' || state === undefined) return false;
    const read = readProofUrl(command.url, state.subject);
    return read.ok && read.kind === 'short_link';
  }

  function view(): AssignmentView {
    return { assignmentId, state: state ?? null, refused: inbox.refused };
  }
}
