/** Starts what is due for an org on a date, under its business id, and ends (lifecycles.md, "Unattended means"). */

import { TypedSearchAttributes, WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  ChildWorkflowCancellationType,
  ParentClosePolicy,
  sleep,
  // biome-ignore lint/style/noRestrictedImports: the starter of a Schedule is the one workflow that may have a child.
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import { atTimeOfDay, compression, DAY_MS, dateOf, realWait, toBusiness } from '../../domain/calendar.js';
import { isDueOn, type ScheduledAutomation, timingOf } from '../../domain/scheduled-automations.js';
import { databaseActivities } from '../shared/activities.js';
import { searchAttributes } from '../shared/search-attributes.js';
import type { ScheduledStartInput, ScheduledStartResult } from './contract.js';
import { SCHEDULED_LIFECYCLES } from './lifecycles.js';

/** @returns what was started; shown as the run's result in the Temporal UI. */
export async function scheduledStartWorkflow(input: ScheduledStartInput): Promise<ScheduledStartResult> {
  const { orgId } = input;
  const run = await databaseActivities().openScheduledRun.executeWithOptions(
    { summary: input.automations.join(', ') },
    [input],
  );
  const { clock, timezone, queueHours } = run;
  const compressed = compression(clock) !== 1;
  const nominal = toBusiness(clock, nominalStart().getTime());
  // A compressed day's Schedule fires at midnight, rounded to seconds that are half hours here: noon names the date.
  const date = dateOf(compressed ? nominal + DAY_MS / 2 : nominal, timezone);
  const result: ScheduledStartResult = { date, started: [], alreadyStarted: [], disabled: run.disabled };

  for (const automation of input.automations) {
    const lifecycle = SCHEDULED_LIFECYCLES[automation];
    const timing = timingOf(automation, queueHours);
    if (lifecycle === undefined || run.disabled.includes(automation)) continue;
    // In real time the Schedule names the days itself; whoever triggers it by hand means the present day.
    if (compressed) {
      if (!isDueOn(timing, date)) continue;
      const wait = atTimeOfDay(date, timing.timeOfDay, timezone) - toBusiness(clock, Date.now());
      if (wait > 0) {
        await sleep(realWait(clock, wait), { summary: `${automation} at ${timing.timeOfDay}` });
        if (await isSwitchedOff(automation)) {
          result.disabled.push(automation);
          continue;
        }
      }
    }
    const workflowId = lifecycle.workflowId(orgId, date);
    if (automation === 'daily-queue') {
      // Ops may have asked for it ahead of its day.
      await databaseActivities().reportFoundQueue.executeWithOptions({ summary: date }, [{ orgId, date }]);
    }
    try {
      await startChild(lifecycle.workflowType, {
        workflowId,
        args: [lifecycle.input(orgId, date)],
        workflowIdReusePolicy: lifecycle.mayRunAgain ? 'ALLOW_DUPLICATE' : 'ALLOW_DUPLICATE_FAILED_ONLY',
        parentClosePolicy: ParentClosePolicy.ABANDON,
        cancellationType: ChildWorkflowCancellationType.ABANDON,
        staticSummary: lifecycle.summary(date),
        typedSearchAttributes: new TypedSearchAttributes([{ key: searchAttributes.orgId, value: orgId }]),
      });
      result.started.push(workflowId);
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      result.alreadyStarted.push(workflowId);
    }
  }
  return result;

  /** An admin may have switched it off since midnight. */
  async function isSwitchedOff(automation: ScheduledAutomation): Promise<boolean> {
    const look = { orgId, automations: [automation] };
    const { disabled } = await databaseActivities().openScheduledRun.executeWithOptions(
      { summary: automation },
      [look],
    );
    return disabled.length > 0;
  }
}

/** The time the Schedule meant, also when the run comes late; started by hand, the time it was started. */
function nominalStart(): Date {
  const { searchAttributes: attributes, startTime } = workflowInfo();
  const scheduled = attributes.TemporalScheduledStartTime?.[0];
  return scheduled instanceof Date ? scheduled : startTime;
}
