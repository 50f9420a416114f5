/** Steps of reviews that several chaos tests take. */
import { submissionUpdates } from '../../../workflows/submission-review/contract.js';
import { eventually, reviewFacts } from '../../support/review-facts.js';
import type { Submission, World } from '../../support/world.js';

/** Twelve words: enough for the member. */
export const REASON = 'This track was already supported by our network twice in the last month.';

export function reviewsOf(world: World) {
  const facts = reviewFacts(world);
  const handleOf = (submission: Submission) => world.client.workflow.getHandle(submission.workflowId);

  return {
    facts,
    handleOf,

    /** Waits until the track is read and the confirmation sent. */
    taken: (submission: Submission, limitMs?: number) =>
      eventually(
        `the intake of ${submission.id}`,
        async () => {
          const [confirmation] = await facts.mails(submission);
          return confirmation?.endsWith(' sent') && (await facts.row(submission)).track_urn !== null;
        },
        limitMs,
      ),

    /** Rejects it and waits until the review has ended. */
    async reject(submission: Submission): Promise<void> {
      await handleOf(submission).executeUpdate(submissionUpdates.decide, {
        args: [{ by: world.adminId, action: 'reject', reason: REASON }],
      });
      await handleOf(submission).result();
    },

    /** Waits for exactly these mails, all sent. */
    mailed: (submission: Submission, templates: readonly string[], limitMs?: number) =>
      eventually(
        `the mails ${templates.join(', ')}`,
        async () => (await facts.mails(submission)).join() === templates.map((name) => `${name} sent`).join(),
        limitMs,
      ),
  };
}
