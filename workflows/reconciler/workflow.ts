/** Starts every lifecycle whose workflow is missing (architecture.md, "Nothing is written twice"). */
import { ActivityCancellationType, log, proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../../activities/index.js';
import type { ReconcilerReport } from '../../activities/reconciler.js';

/** Many calls to Temporal and a read of all orgs: heartbeats show that it lives; harmless to repeat. */
const { reconcile } = proxyActivities<Pick<Activities, 'reconcile'>>({
  startToCloseTimeout: '9 minutes',
  heartbeatTimeout: '1 minute',
  retry: { initialInterval: '5 seconds', maximumInterval: '1 minute', maximumAttempts: 5 },
  cancellationType: ActivityCancellationType.TRY_CANCEL,
});

/** @returns what was found and done; shown as the run's result in the Temporal UI. */
export async function reconcilerWorkflow(): Promise<ReconcilerReport> {
  const report = await reconcile.executeWithOptions({ summary: 'open rows without a running workflow' }, []);
  if (report.started + report.restarted + report.stranded > 0)
    log.warn('the reconciler had work to do', { ...report });
  if (report.unfinished)
    log.warn('Temporal did not answer the reconciler; the next run goes on', { ...report });
  return report;
}
