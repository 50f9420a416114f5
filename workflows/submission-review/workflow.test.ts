/** The review against the time-skipping server: days pass in seconds. Few workflows a test, one server for the file. */
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { eventually, reviewFacts } from '../../test/support/review-facts.js';
import {
  createWorld,
  type Submission,
  type SubmissionOptions,
  type World,
} from '../../test/support/world.js';
import { submissionReviewState, submissionUpdates } from './contract.js';

const REASON = 'This track was already supported by our network twice in the last month.';

let env: TestWorkflowEnvironment;
let world: World;
let facts: ReturnType<typeof reviewFacts>;

beforeAll(async () => {
  env = await TestWorkflowEnvironment.createTimeSkipping({
    server: { executable: { type: 'existing-path', path: inject('timeSkippingExecutable') } },
  });
  world = await createWorld({ temporalAddress: env.address });
  facts = reviewFacts(world);
  await world.startWorker();
});

afterAll(async () => {
  await world?.remove();
  await env?.teardown();
});

/** A submission whose review waits for a decision, as the relay starts it. */
async function underReview(options: SubmissionOptions = {}) {
  const submission = await world.submit(options);
  const handle = world.client.workflow.getHandle(submission.workflowId);
  await eventually('the track is read', async () => (await facts.row(submission)).track_urn !== null);
  await eventually('the confirmation is sent', async () =>
    (await facts.mails(submission))[0]?.endsWith('sent'),
  );
  return { submission, handle };
}

const stateOf = async (submission: Submission) =>
  (await world.client.workflow.getHandle(submission.workflowId).query(submissionReviewState)).state;

describe('the decision SLA', () => {
  it('warns at 75 %, is breached at 100 %, repeats the alarm a day later, and ops can still decide', async () => {
    const { submission, handle } = await underReview();
    await env.sleep('19 hours');
    await eventually('the warning', async () =>
      (await facts.notifications(submission)).includes('A submission is due soon'),
    );
    expect((await stateOf(submission))?.sla).toMatchObject({ warned: true, breaches: 0 });

    await env.sleep('6 hours');
    await eventually('the breach', async () => (await facts.wait(submission))?.breached);
    await env.sleep('24 hours');
    await eventually('the second alarm', async () => (await stateOf(submission))?.sla.breaches === 2);
    expect(await facts.events(submission)).toEqual([
      'submission.created',
      'submission.breached',
      'submission.breached',
    ]);

    await handle.executeUpdate(submissionUpdates.decide, {
      args: [{ by: world.adminId, action: 'reject', reason: REASON }],
    });
    await handle.result();
    expect(await facts.row(submission)).toMatchObject({
      status: 'rejected',
      decided_by: world.adminId,
      reject_reason: REASON,
    });
    expect((await facts.row(submission)).closed_at).not.toBeNull();
    expect(await facts.wait(submission)).toBeUndefined();
    expect(await facts.mails(submission)).toEqual([
      'submission_confirmation sent',
      'submission_rejected sent',
    ]);
  });
});
