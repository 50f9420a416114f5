/**
 * Attribution: the numbers of a track each day, from the day a queue publishes it (or a campaign starts) until seven
 * days after its last repost (lifecycles.md). Rows decide when it starts and ends; here is only the waiting.
 */
import { ActivityFailure, continueAsNew, isCancellation, sleep, workflowInfo } from '@temporalio/workflow';
import type { GapReason } from '../../domain/attribution.js';
import { attributionWait, retryPause } from '../../domain/attribution-plan.js';
import { DAY_MS } from '../../domain/calendar.js';
import { captureActivities, databaseActivities } from '../shared/activities.js';
import { createCourier } from '../shared/courier.js';
import { saysProviderIsAway } from '../shared/failures.js';
import { waitForLeave } from '../shared/request-leave.js';
import { createWaiting } from '../shared/waiting.js';
import type { AttributionInput } from './contract.js';

/** A run lasts a month of business time. */
const RUN_MS = 30 * DAY_MS;

/** The lifecycle of one track's numbers; its id is built by `attributionId`. Safe to start twice: a closed row ends it. */
export async function attributionWorkflow(input: AttributionInput): Promise<void> {
  const { orgId, parentType, parentId } = input;
  const { workflowId } = workflowInfo();
  const target = { orgId, parentType, parentId, workflowId };
  const db = databaseActivities();

  const opening = await db.openAttribution.executeWithOptions({ summary: `${parentType} ${parentId}` }, [
    target,
  ]);
  if (!opening.tracked) return;
  const { label } = opening;
  const waiting = createWaiting(opening.clock, opening.timezone);
  const courier = createCourier(orgId, label, []);
  const begun = waiting.now();
  let { failures, reason }: { failures: number; reason: GapReason } = input.carried ?? {
    failures: 0,
    reason: 'not_asked',
  };

  for (;;) {
    const now = waiting.now();
    const { step, alert } = await db.planAttribution.executeWithOptions({ summary: label }, [
      { ...target, now, reason },
    ]);
    if (alert !== null) courier.slack({ about: label, ...alert });
    if (step.kind === 'ended') break;
    const wait = attributionWait(step, now);
    if (wait !== null) waiting.announce(wait, label);
    if (step.kind === 'wait') {
      await waiting.until(() => false, step.until, `next day: ${label}`);
      [failures, reason] = [0, 'not_asked'];
    } else {
      const failure = await capture(step.date);
      // Planned anew after a success: the rows then say to wait for the next day.
      if (failure !== null) {
        [failures, reason] = [failures + 1, failure];
        const again = Math.min(waiting.now() + retryPause(failures), step.endsAt);
        await waiting.until(() => false, again, `asked again: ${label}`);
      }
    }
    if (waiting.now() - begun >= RUN_MS || workflowInfo().continueAsNewSuggested) {
      await courier.done();
      await continueAsNew<typeof attributionWorkflow>({
        orgId,
        parentType,
        parentId,
        carried: { failures, reason },
      });
    }
  }

  waiting.conclude('the last day is captured', label);
  await courier.done();

  /** @returns why there are no numbers; null when there are. */
  async function capture(date: string): Promise<GapReason | null> {
    const { captureSnapshots } = captureActivities();
    for (let tries = 0; ; tries += 1) {
      try {
        const answer = await captureSnapshots.executeWithOptions({ summary: `${date}: ${label}` }, [
          { orgId, parentType, parentId, date, now: waiting.now() },
        ]);
        if (answer.outcome === 'captured') return null;
        if (answer.outcome === 'away') return 'provider_unavailable';
        if (answer.outcome !== 'later') return answer.outcome;
        await sleep(waitForLeave(answer.notBefore, tries), { summary: `request limit: ${label}` });
      } catch (error) {
        if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
        if (saysProviderIsAway(error)) return 'provider_unavailable';
        await sleep(Math.min(5_000 * 2 ** tries, 60_000), { summary: `worker or database away: ${label}` });
      }
    }
  }
}
