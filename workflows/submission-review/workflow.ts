/**
 * Submission review: from a new submission to rejected, withdrawn, or approved and then supported, or not
 * (lifecycles.md). The rules are in domain/submission-review.ts; here is only the order of things and the waiting.
 */
import {
  ActivityFailure,
  continueAsNew,
  defineSignal,
  isCancellation,
  log,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { HOUR_MS } from '../../domain/calendar.js';
import {
  readSubmissionCommand,
  type SubmissionCommand,
  type SubmissionRefusalCode,
} from '../../domain/submission-commands.js';
import {
  applyCommand,
  pauseForProvider,
  type ReviewEnd,
  type ReviewState,
  recordIntake,
  type Transition,
} from '../../domain/submission-review.js';
import {
  decideOnBreach,
  isSlaAlarm,
  nextAlarm,
  type ReviewAlarm,
  raiseAlarm,
} from '../../domain/submission-review-alarms.js';
import { checkCommand } from '../../domain/submission-review-checks.js';
import {
  concludeSupport,
  isApproved,
  isSupportOver,
  noteSupport,
  submissionIsClosed,
} from '../../domain/submission-review-support.js';
import { reviewWait } from '../../domain/submission-review-wait.js';
import { databaseActivities, proposalActivities } from '../shared/activities.js';
import { receiveCommands } from '../shared/commands.js';
import { createCourier } from '../shared/courier.js';
import { countSteps } from '../shared/steps.js';
import { createWaiting } from '../shared/waiting.js';
import {
  SUBMISSION_COMMANDS,
  SUPPORT_SIGNALS,
  type SubmissionReviewCarried,
  type SubmissionReviewInput,
  type SubmissionReviewView,
  submissionReviewState,
} from './contract.js';
import { describeTrack } from './track.js';

/** Business time after which a proposal that could not be built is tried again. */
const PROPOSAL_RETRY_MS = HOUR_MS;

/** The lifecycle of one submission; its id is built by `submissionReviewId`. Safe to start twice: a closed row ends it at once. */
export async function submissionReviewWorkflow(input: SubmissionReviewInput): Promise<void> {
  const { orgId, submissionId, carried } = input;
  const { workflowId } = workflowInfo();
  const target = { orgId, submissionId, workflowId };
  let state: ReviewState | undefined = carried?.state;
  let businessNow = () => state?.submittedAt ?? 0;
  /** False while a step is under way: the row may then be ahead of the state, so a refusal must wait for its end. */
  let settled = false;
  /** Queue or assignments say that there is something to read. */
  let news = false;

  const inbox = receiveCommands<SubmissionCommand, SubmissionReviewView, SubmissionRefusalCode>(
    SUBMISSION_COMMANDS,
    {
      read: readSubmissionCommand,
      check: (command) => (state !== undefined && settled ? checkCommand(state, command) : { ok: true }),
      view,
      now: () => businessNow(),
      carried,
    },
  );
  for (const [name, description] of Object.entries(SUPPORT_SIGNALS)) {
    setHandler(
      defineSignal<[unknown]>(name),
      () => {
        news = true;
      },
      { description },
    );
  }
  setHandler(submissionReviewState, view, {
    description: 'The whole state as JSON, with the newest refused Signals.',
  });

  const db = databaseActivities();
  const opening = await db.openReview.executeWithOptions({ summary: submissionId }, [
    { ...target, realNow: Date.now() },
  ]);
  if (opening.closed) return refuseTheRest(opening.end);
  let { label } = opening;
  const waiting = createWaiting(opening.clock, opening.timezone);
  const courier = createCourier(orgId, label, carried?.owedMails ?? []);
  businessNow = waiting.now;
  let review: ReviewState = carried?.state ?? opening.state;
  const steps = countSteps(carried?.stepsTaken);
  state = review;
  // Between two runs nobody was there to hear.
  news ||= isApproved(review);
  courier.mail(opening.mails, `confirmation: ${label}`);
  announce();

  // 1. Read the track, classify its genre.
  if (carried === undefined && !opening.trackKnown && isOpen()) await readTrack();

  // 2. Ops decide within the SLA; the member may owe a live link. 3. Approved: keep a fresh target proposal.
  // 4. Wait for the queue. 5. Wait for the reposts, and for replacements of those that were skipped or failed.
  while (isOpen()) {
    if (news && isApproved(review)) await lookAtRows();
    else if (review.stage === 'queue' && review.proposalExpiresAt === null) await buildProposal();
    else await untilSomethingHappens();
    if (workflowInfo().continueAsNewSuggested && isOpen()) await carryOn();
  }

  // 6. Everything said and sent: close the row.
  settled = true;
  waiting.conclude(review.status, label);
  await courier.done();
  await db.closeReview.executeWithOptions({ summary: label }, [{ ...target, now: waiting.now() }]);
  if (review.end !== null) await refuseTheRest(review.end);

  function isOpen() {
    return review.stage !== 'closed';
  }

  async function untilSomethingHappens() {
    const alarm = nextAlarm(review);
    // A promise that is broken stays broken: a command that waits beside a due alarm does not hide it.
    const overdue = () => alarm !== null && isSlaAlarm(alarm) && alarm.at <= waiting.now();
    if (alarm !== null && overdue()) return ring(alarm);
    settled = true;
    const acted = await waiting.until(
      // A long wait with much going on beside it, such as mails that find no leave, fills the history too.
      () => inbox.hasWork() || (news && isApproved(review)) || workflowInfo().continueAsNewSuggested,
      alarm?.at ?? null,
      alarm === null ? label : `${alarm.kind}: ${label}`,
    );
    settled = false;
    const command = inbox.next();
    // Nor one that came before the alarm and was found after it, because no worker ran in between.
    if (alarm !== null && (overdue() || (!acted && command === undefined))) await ring(alarm);
    else if (command !== undefined) await handle(command);
  }

  async function handle(command: SubmissionCommand) {
    // Ops close what they see: what was settled in this moment counts.
    if (command.name === 'closeSupport' && isApproved(review)) await lookAtRows();
    const check = checkCommand(review, command);
    if (!check.ok) return refuse(command, check.code, check.reason);
    const refusal = await take(
      applyCommand(review, command, waiting.now()),
      command.name,
      command.commandId,
      command,
    );
    inbox.settle(command, refusal ?? { applied: true });
    if (refusal !== null) news = true;
    else if (command.name === 'provideLiveLink') await readTrack();
  }

  async function refuse(command: SubmissionCommand, code: SubmissionRefusalCode, reason: string) {
    const outcome = await db.recordRefusal.executeWithOptions({ summary: `refused: ${command.name}` }, [
      { ...target, command, code, reason },
    ]);
    inbox.settle(command, outcome);
  }

  function refuseTheRest(end: ReviewEnd) {
    const reason = submissionIsClosed(end);
    return inbox.refuseTheRest((command) => refuse(command, 'submission_closed', reason));
  }

  async function ring(alarm: ReviewAlarm) {
    if (alarm.kind === 'provider_retry') return readTrack();
    if (alarm.kind === 'support_check') return lookAtRows();
    if (alarm.kind === 'proposal_expired') {
      await lookAtRows();
      if (review.stage === 'queue') await buildProposal();
      return;
    }
    await take(raiseAlarm(review, alarm, waiting.now()), alarm.kind, steps.nextId());
    const verdict = alarm.kind === 'breach' ? decideOnBreach(review, waiting.now()) : null;
    if (verdict !== null) await take(verdict, `on_breach_${review.policy.onBreach}`, steps.nextId());
  }

  /** Records a transition in one transaction, then makes it the state. A refusal by the database leaves the state as it was. */
  async function take(transition: Transition, step: string, stepId: string, command?: SubmissionCommand) {
    const { next, ...change } = transition;
    const now = waiting.now();
    const result = await db.recordTransition.executeWithOptions({ summary: `${step}: ${label}` }, [
      { ...target, stepId, step, command: command ?? null, change, wait: reviewWait(next, now), now },
    ]);
    if (!result.applied) return result;
    if (result.repeated) return readAgain();
    setReview(next);
    courier.mail(result.mails, `${change.mail ?? step}: ${label}`);
    if (change.notice?.slack)
      courier.slack({ about: label, title: change.notice.title, message: change.notice.message });
    return null;
  }

  /** The row knows more than this run: a command was applied by a run that is lost, and came again. */
  async function readAgain() {
    const found = await db.openReview.executeWithOptions({ summary: label }, [
      { ...target, realNow: Date.now() },
    ]);
    if (found.closed) setReview({ ...review, stage: 'closed', status: found.status, end: found.end });
    else {
      setReview({ ...found.state, proposalExpiresAt: review.proposalExpiresAt });
      courier.mail(found.mails, label);
    }
    return null;
  }

  /** What the queues and assignments have become; the last settled one ends the support. */
  async function lookAtRows() {
    news = false;
    const now = waiting.now();
    const facts = await db.readSupport.executeWithOptions({ summary: label }, [
      { ...target, state: review, now },
    ]);
    setReview(noteSupport(review, facts, now));
    if (!isSupportOver(facts)) return;
    // One name for the step in every run: a review that was lost in between ends it once.
    const step = facts.completed > 0 ? 'supported' : 'unsupported';
    await take(concludeSupport(review, facts, now), step, `support:${workflowId}`);
  }

  async function readTrack() {
    const found = await describeTrack(target, label);
    if (found === null) {
      setReview(pauseForProvider(review, waiting.now()));
      await db.recordProviderPause.executeWithOptions({ summary: label }, [
        { ...target, wait: reviewWait(review, waiting.now()), now: waiting.now() },
      ]);
      return;
    }
    const now = waiting.now();
    const result = await db.recordTrack.executeWithOptions({ summary: label }, [
      { ...target, found, state: review, now },
    ]);
    label = result.label;
    setReview(recordIntake(review, result, now));
  }

  /** A proposal that cannot be built is tried again later; withdrawing must stay possible meanwhile. */
  async function buildProposal() {
    const now = waiting.now();
    const { buildSubmissionProposal } = proposalActivities();
    try {
      const built = await buildSubmissionProposal.executeWithOptions({ summary: `targets: ${label}` }, [
        { ...target, stepId: steps.nextId(), now },
      ]);
      setReview({ ...review, proposalExpiresAt: built.expiresAt });
      courier.mail(built.mails, `approved: ${label}`);
    } catch (error) {
      if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
      log.error('the target proposal could not be built; it is tried again', { reason: String(error.cause) });
      setReview({ ...review, proposalExpiresAt: waiting.now() + PROPOSAL_RETRY_MS });
    }
  }

  /** Starts the next run with what this one knows; put off while a command is under way. */
  async function carryOn() {
    const owedMails = await courier.handOver();
    if (!(await inbox.answered())) return courier.mail(owedMails, label);
    const next: SubmissionReviewCarried = {
      state: review,
      outcomes: inbox.outcomes,
      refused: inbox.refused,
      owedMails,
      stepsTaken: steps.taken,
    };
    await continueAsNew<typeof submissionReviewWorkflow>({ orgId, submissionId, carried: next });
  }

  function setReview(next: ReviewState) {
    review = next;
    state = next;
    announce();
  }

  function announce() {
    const wait = reviewWait(review, waiting.now());
    if (wait !== null) waiting.announce(wait, label);
  }

  function view(): SubmissionReviewView {
    return { submissionId, state: state ?? null, refused: inbox.refused };
  }
}
