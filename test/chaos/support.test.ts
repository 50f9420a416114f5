/**
 * The support of a submission when signals are lost, doubled and mixed up, when the workflow is lost at each stage, and
 * when the worker is killed between the last settled assignment and what follows: one mail, one event, one end.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dateOf } from '../../domain/calendar.js';
import { attributionId } from '../../workflows/attribution/contract.js';
import { RECONCILER_TYPE } from '../../workflows/reconciler/contract.js';
import {
  SUBMISSION_REVIEW_TYPE,
  SUPPORT_SIGNALS,
  submissionReviewState,
  submissionUpdates,
} from '../../workflows/submission-review/contract.js';
import { type PublishedAssignment, queuesOf } from '../support/queues.js';
import { eventually } from '../support/review-facts.js';
import { createWorld, type Member, type Submission, type World } from '../support/world.js';
import { createGateKeeper, type GateKeeper } from './support/gates.js';
import { expectInvariants } from './support/invariants.js';
import { reviewsOf } from './support/reviews.js';
import { type WorkerProcess, type WorkerProcesses, workerProcesses } from './support/worker-process.js';

let world: World;
let gates: GateKeeper;
let workers: WorkerProcesses;
let worker: WorkerProcess;
let supporters: Member[];

beforeAll(async () => {
  world = await createWorld();
  gates = await createGateKeeper(world.database.adminUrl);
  workers = workerProcesses(world.env);
  supporters = [await world.addMember(), await world.addMember()];
  worker = await workers.start();
});

afterAll(async () => {
  await workers?.end();
  await gates?.end();
  await world?.remove();
});

const SIGNALS = Object.keys(SUPPORT_SIGNALS);
const at = Date.now();
const today = dateOf(at, 'UTC');
const reviews = () => reviewsOf(world);
const stage = async (submission: Submission) =>
  (await reviews().handleOf(submission).query(submissionReviewState)).state?.stage;

async function approved(): Promise<Submission> {
  const submission = await world.submit();
  await reviews().taken(submission);
  await reviews()
    .handleOf(submission)
    .executeUpdate(submissionUpdates.decide, { args: [{ by: world.adminId, action: 'approve' }] });
  await eventually('the approval mail', async () =>
    (await reviews().facts.mails(submission)).includes('submission_approved sent'),
  );
  await queuesOf(world).credit(submission.member, 2, at);
  return submission;
}

const publish = (submission: Submission, event = true) =>
  queuesOf(world).publish({ date: today, submission, supporters, slotAt: at, at, event });

const settleAll = async (assignments: PublishedAssignment[], event = true) => {
  for (const assignment of assignments) await queuesOf(world).settle(assignment, 'completed', at, { event });
};

async function expectSupported(submission: Submission): Promise<void> {
  const { facts, handleOf } = reviews();
  await eventually('the end', async () => (await facts.row(submission)).closed_at !== null, 90_000);
  await handleOf(submission).result();
  const events = await facts.events(submission);
  expect(events.filter((type) => type === 'submission.supported')).toHaveLength(1);
  expect(events).not.toContain('submission.unsupported');
  const mails = await world.sandbox.admin.mails({ to: submission.member.email ?? '' });
  expect(mails.filter((mail) => mail.subject.endsWith('has been reposted'))).toHaveLength(1);
  expect(await facts.row(submission)).toMatchObject({ credits_consumed: 2 });
}

describe('signals', () => {
  it('that come doubled, in the wrong order and before their time change nothing but what the rows say', async () => {
    const { handleOf, facts } = reviews();
    const early = await world.submit();
    await reviews().taken(early);
    for (const name of [...SIGNALS].reverse()) await handleOf(early).signal(name, { rubbish: true });
    expect(await stage(early)).toBe('decision');
    await reviews().reject(early);

    const submission = await approved();
    await handleOf(submission).signal('assignmentsSettled', {});
    await handleOf(submission).signal('assignmentsSettled', 'not even an object');
    const assignments = await publish(submission, false);
    // The one that should tell of the publication never comes.
    await handleOf(submission).signal('assignmentsSettled', {});
    await eventually('the support', async () => (await stage(submission)) === 'support');
    await settleAll(assignments, false);
    await Promise.all(
      [...SIGNALS, ...SIGNALS, ...SIGNALS].map((name) => handleOf(submission).signal(name, {})),
    );
    await expectSupported(submission);
    expect((await facts.events(submission)).filter((type) => type === 'submission.created')).toHaveLength(1);
  });
});

describe('a review whose workflow is lost', () => {
  it('goes on at its stage from the rows: before the queue, in the support, and behind the last settlement', async () => {
    const { handleOf, facts } = reviews();
    const submission = await approved();
    const again = async () => {
      await handleOf(submission).terminate('lost');
      return world.client.workflow.start(SUBMISSION_REVIEW_TYPE, {
        workflowId: submission.workflowId,
        taskQueue: world.config.SPARK_TASK_QUEUE,
        args: [{ orgId: world.orgId, submissionId: submission.id }],
      });
    };
    await again();
    await eventually('the queue stage', async () => (await stage(submission)) === 'queue');
    // The proposal that is good still is not built anew.
    expect(await facts.proposals(submission)).toHaveLength(1);
    const assignments = await publish(submission, false);
    await again();
    await eventually('the support', async () => (await stage(submission)) === 'support');
    expect(await facts.wait(submission)).toMatchObject({ stage: 'support', waiting_on: 'supporter' });
    await settleAll(assignments, false);
    await again();
    await expectSupported(submission);
  });

  it('after ops closed it tells the member what ops said, and is closed', async () => {
    const { handleOf, facts } = reviews();
    const submission = await approved();
    const gate = await gates.close(
      'update',
      'soundcloud_submissions',
      `new.id = '${submission.id}' and new.closed_at is not null`,
    );
    await handleOf(submission).executeUpdate(submissionUpdates.closeSupport, {
      args: [{ by: world.adminId, reason: 'Nobody plays it.' }],
    });
    await eventually('the closing', () => gate.someoneWaits());
    await handleOf(submission).terminate('lost');
    await gate.open();
    await eventually(
      'the end of the lost run',
      async () => (await handleOf(submission).describe()).status.name === 'TERMINATED',
    );
    await world.db
      .updateTable('soundcloud_submissions')
      .set({ closed_at: null })
      .where('id', '=', submission.id)
      .execute();
    await world.client.workflow.start(SUBMISSION_REVIEW_TYPE, {
      workflowId: submission.workflowId,
      taskQueue: world.config.SPARK_TASK_QUEUE,
      args: [{ orgId: world.orgId, submissionId: submission.id }],
    });
    await eventually('the end', async () => (await facts.row(submission)).closed_at !== null);
    await handleOf(submission).result();
    const events = await facts.events(submission);
    expect(events.filter((type) => type === 'submission.unsupported')).toHaveLength(1);
    const mails = await world.sandbox.admin.mails({ to: submission.member.email ?? '' });
    expect(mails.filter((mail) => mail.subject.startsWith('No repost of'))).toHaveLength(1);
  });
});

describe('a worker killed between the last settlement and the end', () => {
  it.each(['before', 'after'] as const)('%s the end is committed: it is told once', async (when) => {
    const submission = await approved();
    const assignments = await publish(submission);
    await eventually('the support', async () => (await stage(submission)) === 'support');
    const gate = await gates.close(
      'update',
      'soundcloud_submissions',
      `new.id = '${submission.id}' and new.support_url is not null and old.support_url is null`,
    );
    await settleAll(assignments);
    await eventually('the end is under way', () => gate.someoneWaits());
    if (when === 'after') await gate.open();
    if (when === 'after')
      await eventually('the end is committed', async () =>
        (await reviews().facts.events(submission)).includes('submission.supported'),
      );
    await worker.kill();
    if (when === 'before') await gate.open();
    worker = await workers.start();
    await expectSupported(submission);
  });
});

describe('attribution', () => {
  it('of a lost workflow is found by the reconciler and goes on; a day is captured once', async () => {
    const submission = await approved();
    const assignments = await publish(submission);
    const handle = world.client.workflow.getHandle(attributionId(world.orgId, 'submission', submission.id));
    const snapshots = () =>
      world.db
        .selectFrom('soundcloud_attribution_snapshots')
        .select(['day_index', 'plays'])
        .where('parent_id', '=', submission.id)
        .execute();
    await eventually('the baseline', async () => (await snapshots()).length === 1);
    await handle.terminate('lost');
    await world.client.workflow.execute(RECONCILER_TYPE, {
      workflowId: 'reconciler-of-the-test',
      taskQueue: world.config.SPARK_TASK_QUEUE,
    });
    await eventually('the new run waits for the next day', async () => {
      const { status, searchAttributes } = await handle.describe();
      return status.name === 'RUNNING' && searchAttributes.Stage?.[0] === 'tracking';
    });
    expect(await snapshots()).toHaveLength(1);
    await settleAll(assignments);
    await expectSupported(submission);
    const row = await world.db
      .selectFrom('soundcloud_attributions')
      .select(['start_date', 'closed_at'])
      .where('parent_id', '=', submission.id)
      .executeTakeFirstOrThrow();
    // The review has ended; the numbers go on for a week.
    expect(row).toEqual({ start_date: today, closed_at: null });
  });
});

describe('in the end', () => {
  it('everything adds up', async () => {
    await expectInvariants(world);
  });
});
