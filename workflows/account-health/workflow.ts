/**
 * The daily look at all accounts (lifecycles.md): SoundCloud's profiles and Influence Planner's members side by side,
 * each at its provider's pace, then prompts and report. A provider that is away is waited for until the date ends. What
 * is done already the rows know, so a sweep that comes twice, late, or again after it died does nothing twice.
 */
import { condition, continueAsNew, setHandler, workflowInfo } from '@temporalio/workflow';
import type { SweepStep } from '../../activities/account-profiles.js';
import {
  NO_CREDENTIALS,
  NOT_BEGUN,
  type PlannerProgress,
  type ProfileProgress,
  type SweepResult,
  type SweepTrouble,
  type SweptProvider,
  sweepLine,
  sweepNotice,
  sweepRetryMs,
  sweepWait,
  TOLD_AFTER_TIMES,
} from '../../domain/account-sweep.js';
import { HOUR_MS } from '../../domain/calendar.js';
import { databaseActivities, plannerSweepActivities, profileSweepActivities } from '../shared/activities.js';
import { createCourier } from '../shared/courier.js';
import { waitForLeave } from '../shared/request-leave.js';
import { createWaiting } from '../shared/waiting.js';
import { type AccountHealthInput, type AccountHealthView, accountHealthState } from './contract.js';

/** A prompt that is due so soon is waited for; one that is due later comes with the next day's sweep. */
const PROMPT_SOON_MS = HOUR_MS;
/** Until accounts that got no answer are asked about once more. */
const SECOND_LOOK_MS = HOUR_MS;

/** The sweep of a date; its id is built by `accountHealthId`. @returns the report, as the Temporal UI shows it. */
export async function accountHealthWorkflow(input: AccountHealthInput): Promise<SweepResult> {
  const { orgId, date, carried } = input;
  const target = { orgId, date, workflowId: workflowInfo().workflowId };
  const about = `Accounts on ${date}`;
  const view: AccountHealthView = {
    date,
    stage: 'opening',
    profiles: carried?.profiles ?? NOT_BEGUN.profiles,
    planner: carried?.planner ?? NOT_BEGUN.planner,
    troubles: [],
    result: null,
  };
  setHandler(accountHealthState, () => view, { description: 'How far the sweep is, as JSON.' });

  const db = databaseActivities();
  const run =
    carried?.run ??
    (await db.openAccountSweep.executeWithOptions({ summary: date }, [{ ...target, realNow: Date.now() }]));
  const notes = carried?.notes ?? leftOutNotes(run.leftOut);
  const waiting = createWaiting(run.clock, run.timezone);
  const courier = createCourier(orgId, about, []);
  let handingOver = false;

  // 1. Both providers, each at its own pace.
  view.stage = 'sweeping';
  show();
  await Promise.all([sweepProfiles(), sweepPlanner()]);
  if (handingOver) {
    await continueAsNew<typeof accountHealthWorkflow>({
      orgId,
      date,
      carried: { run, profiles: view.profiles, planner: view.planner, notes },
    });
  }

  // 2. Prompts: those of accounts that SoundCloud knows no more, and those that are due within the hour.
  view.stage = 'closing';
  await promptUntilNoneIsDueSoon();

  // 3. Inactivity, report, health.
  const outcome = view.profiles.done && view.planner.done ? 'complete' : 'partial';
  const result = await db.closeAccountSweep.executeWithOptions({ summary: date }, [
    { ...target, at: waiting.now(), outcome, notes },
  ]);
  view.result = result;
  view.stage = 'closed';
  const notice = sweepNotice(result);
  if (notice?.slack) courier.slack({ about, title: notice.title, message: notice.message });
  waiting.conclude(sweepLine(result), about);
  await courier.done();
  return result;

  /** Followers, tiers and whether profiles are still there; then once more those that got no answer. */
  async function sweepProfiles(): Promise<void> {
    const { sweepProfiles: step } = profileSweepActivities();
    const look = () =>
      follow<ProfileProgress>('SoundCloud', view.profiles, (progress) => {
        view.profiles = progress;
        return step.executeWithOptions({ summary: about }, [{ orgId, date, at: waiting.now(), progress }]);
      });
    const unanswered = () => view.profiles.done && view.profiles.unanswered > 0;
    view.profiles = await look();
    if (!unanswered() || view.profiles.again) return noteUnanswered();
    const again = Math.min(waiting.now() + SECOND_LOOK_MS, run.endsAt);
    const interrupted = await waiting.until(
      () => handingOver,
      again,
      'silent accounts are asked about again',
    );
    if (interrupted) return;
    view.profiles = { ...NOT_BEGUN.profiles, again: true };
    view.profiles = await look();
    noteUnanswered();
  }

  function noteUnanswered(): void {
    const { done, again, unanswered } = view.profiles;
    if (done && again && unanswered > 0)
      note(
        `${unanswered} profiles got no answer from SoundCloud while others did; they are asked about tomorrow.`,
      );
  }

  /** Who is linked; the members of accounts that are not are asked to reconnect at once. */
  async function sweepPlanner(): Promise<void> {
    const { sweepPlannerMembers: step } = plannerSweepActivities();
    view.planner = await follow<PlannerProgress>('Influence Planner', view.planner, (progress) => {
      view.planner = progress;
      return step.executeWithOptions({ summary: about }, [{ orgId, date, at: waiting.now(), progress }]);
    });
    const { reading } = view.planner;
    if (reading !== null && view.planner.done && reading.mode === 'all' && reading.newest === null)
      note('Influence Planner named no members at all, so nothing was taken from it.');
    if (reading?.incomplete && view.planner.done)
      note('Influence Planner left members out of its pages; they are read again tomorrow.');
    await prompt(0);
  }

  /** Takes a part of the sweep on, step by step, until it is done, left out, given up or handed to the next run. */
  async function follow<Progress extends { done: boolean }>(
    provider: SweptProvider,
    begin: Progress,
    step: (progress: Progress) => Promise<SweepStep<Progress>>,
  ): Promise<Progress> {
    let progress = begin;
    let times = 0;
    let sentBack = 0;
    while (!progress.done && !handingOver) {
      const { progress: reached, stopped } = await step(progress);
      const moved = JSON.stringify(reached) !== JSON.stringify(progress);
      progress = reached;
      if (moved) sentBack = 0;
      // A wait for our own request limit says nothing of the provider.
      if (moved || stopped === null) {
        times = 0;
        await over(provider);
      }
      if (stopped?.kind === 'not_configured') {
        note(`${provider} ${NO_CREDENTIALS}`);
        return { ...progress, done: true };
      }
      if (workflowInfo().continueAsNewSuggested && !progress.done) handingOver = true;
      if (stopped?.kind === 'later' && !handingOver) {
        await nap(waitForLeave(stopped.notBefore, sentBack), `request limit of ${provider}`);
        sentBack += 1;
      }
      if (stopped?.kind === 'away') {
        times += 1;
        const retryAt = waiting.now() + sweepRetryMs(times);
        if (retryAt >= run.endsAt) {
          await over(provider);
          note(`${provider} could not be asked to the end: ${stopped.reason}`);
          return progress;
        }
        await report({ provider, reason: stopped.reason, times, retryAt });
        await waiting.until(() => handingOver, retryAt, `${provider} is asked again`);
        if (stopped.notBefore !== null)
          await nap(waitForLeave(stopped.notBefore, 0), `${provider} asks to wait`);
      }
    }
    return progress;
  }

  async function nap(ms: number, summary: string): Promise<void> {
    await condition(() => handingOver, Math.max(ms, 1), { summary });
  }

  async function report(trouble: SweepTrouble): Promise<void> {
    view.troubles = [...view.troubles.filter(({ provider }) => provider !== trouble.provider), trouble];
    show();
    if (trouble.times < TOLD_AFTER_TIMES) return;
    await tellTroubles();
  }

  async function over(provider: SweptProvider): Promise<void> {
    const told = view.troubles.some(
      (trouble) => trouble.provider === provider && trouble.times >= TOLD_AFTER_TIMES,
    );
    if (view.troubles.every((trouble) => trouble.provider !== provider)) return;
    view.troubles = view.troubles.filter((trouble) => trouble.provider !== provider);
    show();
    if (told) await tellTroubles();
  }

  async function tellTroubles(): Promise<void> {
    await db.reportSweepTrouble.executeWithOptions({ summary: about }, [
      { ...target, troubles: view.troubles, since: run.startedAt, endsAt: run.endsAt },
    ]);
  }

  async function prompt(soonMs: number): Promise<number | null> {
    const { nextAt } = await db.promptToReconnect.executeWithOptions({ summary: about }, [
      { orgId, date, at: waiting.now(), soonMs },
    ]);
    return nextAt;
  }

  async function promptUntilNoneIsDueSoon(): Promise<void> {
    const latest = waiting.now() + PROMPT_SOON_MS;
    for (let left = PROMPT_SOON_MS; left >= 0; left = latest - waiting.now()) {
      const nextAt = await prompt(left);
      if (nextAt === null) return;
      await waiting.until(() => false, nextAt, 'a member is asked to reconnect');
    }
  }

  /** Once, also where a part is taken up again by a new run. */
  function note(sentence: string): void {
    if (!notes.includes(sentence)) notes.push(sentence);
  }

  function show(): void {
    waiting.announce(sweepWait(run.startedAt, run.endsAt, view.troubles), about);
  }
}

function leftOutNotes(accounts: number): string[] {
  return accounts === 0
    ? []
    : [`${accounts} accounts were left out, because another one has the same handle. Correct the handles.`];
}
