/** Database activities of a submission review after the approval: what its queues and assignments have become. */
import { type Db, type Trx, withOrg } from '../db/client.js';
import { answerSubmissionTasks, loadSupportFacts, lockDraftsOf } from '../db/submission-support.js';
import { saveWait } from '../db/waits.js';
import type { ReviewState } from '../domain/submission-review.js';
import { assignmentsOpen, QUEUE_PUBLISHED } from '../domain/submission-review-checks.js';
import { noteSupport, type SupportFacts } from '../domain/submission-review-support.js';
import { reviewWait } from '../domain/submission-review-wait.js';
import { notFound } from './failures.js';
import { lockSubmission, type Refused, type ReviewTarget, waitKey } from './submission-rows.js';

export function createSubmissionSupportActivities({ db }: { db: Db }) {
  return {
    /**
     * Reads what became of the submission's queues and assignments, and shows what it waits for now. The workflow
     * makes the same of the same facts.
     */
    async readSupport(input: ReviewTarget & { state: ReviewState; now: number }): Promise<SupportFacts> {
      const { orgId, submissionId, state, now } = input;
      return withOrg(db, orgId, async (trx) => {
        await lockSubmission(trx, orgId, submissionId);
        const facts = await supportFacts(trx, orgId, submissionId);
        // Asked whether to go on, and served before anybody answered.
        if (facts.asked && facts.owed === 0 && facts.queueDate !== null) {
          await answerSubmissionTasks(trx, { orgId, submissionId, by: null, outcome: 'served', at: now });
          facts.asked = false;
        }
        await saveWait(trx, waitKey(input), reviewWait(noteSupport(state, facts, now), now));
        return facts;
      });
    },
  };
}

/** A queue published in the same moment is seen, or waits for this transaction and then finds what it wrote. */
export async function refusalBySupport(
  trx: Trx,
  orgId: string,
  submissionId: string,
  command: 'withdraw' | 'closeSupport' | 'keepWaiting',
): Promise<Refused | null> {
  await lockDraftsOf(trx, orgId, submissionId);
  await lockSubmission(trx, orgId, submissionId);
  const { queueDate, open, asked } = await supportFacts(trx, orgId, submissionId);
  if (command === 'withdraw' && queueDate !== null)
    return { applied: false, code: 'queue_published', reason: QUEUE_PUBLISHED };
  if (command === 'closeSupport' && open > 0)
    return { applied: false, code: 'assignments_open', reason: assignmentsOpen(open) };
  if (command === 'keepWaiting' && !asked) {
    const reason = 'Nobody asked whether this submission shall go on waiting: it waits anyway.';
    return { applied: false, code: 'not_asked', reason };
  }
  return null;
}

async function supportFacts(trx: Trx, orgId: string, submissionId: string): Promise<SupportFacts> {
  const facts = await loadSupportFacts(trx, orgId, submissionId);
  if (facts === undefined) throw notFound(`Submission ${submissionId} does not exist in org ${orgId}.`);
  return facts;
}
