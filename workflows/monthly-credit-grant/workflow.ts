/**
 * Monthly credit grant: every month that members have not been granted yet, page by page, each grant once
 * (lifecycles.md). Which month is due for whom the ledger decides, so a run that comes late, twice or again after it
 * died grants what is missing and nothing else.
 */
import {
  ActivityFailure,
  continueAsNew,
  isCancellation,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import {
  type GrantProgress,
  type GrantResult,
  type GrantTrouble,
  grantProgressLine,
  grantRetryMs,
  grantWait,
} from '../../domain/monthly-grant.js';
import { databaseActivities, grantActivities } from '../shared/activities.js';
import { reasonOf } from '../shared/failures.js';
import { createWaiting } from '../shared/waiting.js';
import {
  type MonthlyCreditGrantInput,
  type MonthlyCreditGrantView,
  monthlyCreditGrantState,
} from './contract.js';

/** The grant of a month; its id is built by `monthlyCreditGrantId`. @returns what was granted, as the Temporal UI shows it. */
export async function monthlyCreditGrantWorkflow(input: MonthlyCreditGrantInput): Promise<GrantResult> {
  const { orgId, month, carried } = input;
  const target = { orgId, month, workflowId: workflowInfo().workflowId };
  const view: MonthlyCreditGrantView = {
    month,
    stage: 'opening',
    progress: null,
    wallets: null,
    trouble: null,
    result: null,
  };
  setHandler(monthlyCreditGrantState, () => view, { description: 'How far the grant is, as JSON.' });

  const db = databaseActivities();
  const run =
    carried?.run ??
    (await db.openGrantRun.executeWithOptions({ summary: month }, [{ ...target, realNow: Date.now() }]));
  const waiting = createWaiting(run.clock, run.timezone);
  let troubles = carried?.troubles ?? 0;
  let progress = carried?.progress ?? run.begin;
  view.wallets = run.wallets;

  // 1. Members in pages, every month they miss, oldest first.
  while (progress.month !== null) {
    show(null);
    progress = await grantPages();
    if (workflowInfo().continueAsNewSuggested && progress.month !== null) {
      await continueAsNew<typeof monthlyCreditGrantWorkflow>({
        orgId,
        month,
        carried: { run, progress, troubles },
      });
    }
  }

  // 2. Counts and forfeits from the ledger; events, notification, health.
  const result = await db.closeGrantRun.executeWithOptions({ summary: line() }, [
    {
      ...target,
      at: run.at,
      stepId: `close:${workflowInfo().firstExecutionRunId}`,
    },
  ]);
  view.progress = progress;
  view.result = result;
  view.stage = 'closed';
  waiting.conclude(`${result.credits} credits granted, ${result.forfeited} forfeited`, line());
  return result;

  /** Some pages; those that cannot be granted are reported and tried again until they can. */
  async function grantPages(): Promise<GrantProgress> {
    for (let times = 1; ; times += 1) {
      try {
        const further = await grantActivities().grantPages.executeWithOptions({ summary: line() }, [
          { orgId, month, at: run.at, progress },
        ]);
        if (times > 1)
          await db.resumeGrantRun.executeWithOptions({ summary: line() }, [{ ...target, since: run.at }]);
        return further;
      } catch (error) {
        if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
        await report(reasonOf(error), times);
      }
    }
  }

  async function report(reason: string, times: number): Promise<void> {
    const trouble = { reason, times, retryAt: waiting.now() + grantRetryMs(times) };
    troubles += 1;
    show(trouble);
    await db.reportGrantTrouble.executeWithOptions({ summary: line() }, [
      {
        ...target,
        trouble,
        since: run.at,
        stepId: `trouble:${workflowInfo().firstExecutionRunId}:${troubles}`,
      },
    ]);
    await waiting.until(() => false, trouble.retryAt, `tried again: ${line()}`);
    show(null);
  }

  function show(trouble: GrantTrouble | null): void {
    view.progress = progress;
    view.trouble = trouble;
    view.stage = trouble === null ? 'granting' : 'trouble';
    waiting.announce(grantWait(run.at, trouble), line());
  }

  function line(): string {
    return grantProgressLine(month, progress, run.wallets);
  }
}
