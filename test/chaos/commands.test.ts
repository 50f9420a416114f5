/** Commands that come twice, on two ways, too early, too late, as rubbish, or while nobody is there to take them. */
import { randomUUID } from 'node:crypto';
import { WorkflowUpdateRPCTimeoutOrCancelledError } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  submissionReviewState,
  submissionSignals,
  submissionUpdates,
} from '../../workflows/submission-review/contract.js';
import { eventually, reviewFacts } from '../support/review-facts.js';
import { createWorld, type Submission, type SubmissionOptions, type World } from '../support/world.js';
import { createGateKeeper, type GateKeeper } from './support/gates.js';
import { expectInvariants } from './support/invariants.js';

const REASON = 'This track was already supported by our network twice in the last month.';

let world: World;
let facts: ReturnType<typeof reviewFacts>;
let gates: GateKeeper;
let worker: Awaited<ReturnType<World['startWorker']>>;

beforeAll(async () => {
  world = await createWorld();
  facts = reviewFacts(world);
  gates = await createGateKeeper(world.database.adminUrl);
  worker = await world.startWorker();
});

afterAll(async () => {
  await gates?.end();
  await world?.remove();
});

const handleOf = (submission: Submission) => world.client.workflow.getHandle(submission.workflowId);
const viewOf = (submission: Submission) => handleOf(submission).query(submissionReviewState);

async function underReview(options: SubmissionOptions = {}): Promise<Submission> {
  const submission = await world.submit(options);
  await eventually('the intake', async () => {
    const [confirmation] = await facts.mails(submission);
    return confirmation?.endsWith(' sent') && (await facts.row(submission)).track_urn !== null;
  });
  return submission;
}

function stepsNamed(submission: Submission, name: string) {
  return world.db
    .selectFrom('soundcloud_commands')
    .select(['status', 'code'])
    .where('workflow_id', '=', submission.workflowId)
    .where('name', '=', name)
    .execute();
}

describe('one command id', () => {
  it('sent five times as Update and five times as Signal, all at once, is applied once', async () => {
    const submission = await underReview();
    const handle = handleOf(submission);
    const commandId = randomUUID();
    const command = { commandId, by: world.adminId, action: 'approve' as const };
    const answers = await Promise.all(
      Array.from({ length: 5 }, async (_, at) => {
        await handle.signal(submissionSignals.decide, command);
        return handle.executeUpdate(submissionUpdates.decide, {
          // Two with an id of their own, as two clients would send them; three with the id of the command.
          updateId: at < 2 ? `${commandId}-${at}` : commandId,
          args: [command],
        });
      }),
    );
    expect(answers.map((answer) => answer.state?.status)).toEqual(Array(5).fill('approved'));
    await eventually('the approval mail', async () => (await facts.mails(submission))[1]?.endsWith(' sent'));
    expect(await facts.events(submission)).toEqual(['submission.created', 'submission.decided']);
    expect(await stepsNamed(submission, 'decide')).toEqual([{ status: 'applied', code: null }]);
    expect(await facts.proposals(submission)).toHaveLength(1);
    expect((await viewOf(submission)).refused).toEqual([]);
  });

  it('whose Update found no worker is applied once by the Signal sent after it', async () => {
    const submission = await underReview();
    const handle = handleOf(submission);
    await worker.stop();
    const commandId = randomUUID();
    const command = { commandId, by: world.adminId, action: 'reject' as const, reason: REASON };
    const update = world.client.withDeadline(Date.now() + 1_500, () =>
      handle.executeUpdate(submissionUpdates.decide, { updateId: commandId, args: [command] }),
    );
    await expect(update).rejects.toBeInstanceOf(WorkflowUpdateRPCTimeoutOrCancelledError);
    await handle.signal(submissionSignals.decide, command);
    await handle.signal(submissionSignals.decide, command);
    worker = await world.startWorker();
    await handle.result();
    expect(await facts.events(submission)).toEqual(['submission.created', 'submission.decided']);
    expect(await facts.mails(submission)).toEqual([
      'submission_confirmation sent',
      'submission_rejected sent',
    ]);
    expect(await stepsNamed(submission, 'decide')).toEqual([{ status: 'applied', code: null }]);
  });

  it('that a lost workflow had applied changes nothing when it comes again, and the state stays the row’s', async () => {
    const submission = await underReview();
    const handle = handleOf(submission);
    const first = { commandId: randomUUID(), by: world.adminId, ownerId: world.moderatorId };
    await handle.executeUpdate(submissionUpdates.assignOwner, { args: [first] });
    await handle.executeUpdate(submissionUpdates.assignOwner, {
      args: [{ by: world.adminId, ownerId: world.adminId }],
    });
    await handle.terminate('lost, as by a restored backup of Temporal');
    await world.client.workflow.start('submissionReviewWorkflow', {
      workflowId: submission.workflowId,
      taskQueue: world.config.SPARK_TASK_QUEUE,
      args: [{ orgId: world.orgId, submissionId: submission.id }],
    });
    await handle.executeUpdate(submissionUpdates.assignOwner, { args: [first] });
    expect((await facts.row(submission)).owner_id).toBe(world.adminId);
    expect((await viewOf(submission)).state?.ownerId).toBe(world.adminId);
  });
});

describe('commands that contradict each other, sent at the same moment', () => {
  it('let one win; the others are told why not', async () => {
    const submission = await underReview();
    const handle = handleOf(submission);
    const decide = (action: 'approve' | 'reject') =>
      handle.executeUpdate(submissionUpdates.decide, {
        args: [{ by: world.adminId, action, reason: REASON }],
      });
    const outcomes = await Promise.allSettled([decide('reject'), decide('approve'), decide('reject')]);
    const refusals = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(refusals).toHaveLength(2);
    const row = await facts.row(submission);
    const expected = row.status === 'approved' ? 'already_decided' : 'submission_closed';
    for (const { reason } of refusals) expect(reason).toMatchObject({ cause: { type: expected } });
    expect(await facts.events(submission)).toEqual(['submission.created', 'submission.decided']);
    if (row.status === 'approved') {
      await handle.executeUpdate(submissionUpdates.withdraw, { args: [{ by: 'member' }] });
    }
    await handle.result();
  });
});

describe('a command in the wrong order', () => {
  it('that answers a question not asked yet is refused, and accepted once it was asked', async () => {
    const submission = await underReview();
    const handle = handleOf(submission);
    const link = { by: 'member', url: 'https://soundcloud.com/some-artist/out-now' };
    await handle.signal(submissionSignals.provideLiveLink, { ...link, commandId: 'too-early' });
    await handle.executeUpdate(submissionUpdates.decide, {
      args: [{ by: world.adminId, action: 'pend', needLiveLink: true }],
    });
    await handle.signal(submissionSignals.provideLiveLink, link);
    // The row is written by an activity; the workflow's state follows when it has heard of that.
    await eventually('the link', async () => (await viewOf(submission)).state?.stage === 'decision');
    expect((await facts.row(submission)).live_link_url).toBe(link.url);
    const { refused } = await viewOf(submission);
    expect(refused).toMatchObject([{ commandId: 'too-early', code: 'not_waiting_for_live_link' }]);
  });

  it('that comes while the track is being read waits for it, instead of being refused for what is not known yet', async () => {
    const member = await world.addMember();
    const gate = await gates.close(
      'update',
      'soundcloud_submissions',
      `new.member_id = '${member.id}' and new.track_urn is not null`,
    );
    const submission = await world.submit({ member });
    await eventually('the track is being recorded', () => gate.someoneWaits());
    const approval = handleOf(submission).startUpdate(submissionUpdates.decide, {
      args: [{ by: world.adminId, action: 'approve' }],
      waitForStage: 'ACCEPTED',
    });
    const accepted = await approval;
    await gate.open();
    expect(await accepted.result()).toMatchObject({ state: { status: 'approved' } });
  });
});

describe('rubbish', () => {
  it('sent as a Signal is written down and harms nothing; only the newest refusals are kept', async () => {
    const submission = await underReview();
    const handle = handleOf(submission);
    const nested = JSON.parse('['.repeat(500) + ']'.repeat(500)) as unknown;
    const rubbish: unknown[] = [
      undefined,
      null,
      42,
      'decide',
      [],
      {},
      nested,
      { action: 'explode', by: 'ops' },
      { action: 'approve', by: '' },
      { action: 'approve', by: 'x'.repeat(10_000) },
      { action: 'approve', by: 'ops', commandId: 7 },
      { __proto__: { by: 'ops' }, action: 'approve' },
    ];
    for (const input of rubbish) await handle.signal('decide', input);
    await handle.signal('assignOwner', { by: 'ops', ownerId: 'nobody' });
    await handle.signal('withdraw', ['member']);
    await handle.signal('noSuchCommand', { by: 'ops' });
    const { refused, state } = await viewOf(submission);
    expect(refused).toHaveLength(14);
    expect(new Set(refused.map((refusal) => refusal.code))).toEqual(new Set(['malformed_command']));
    expect(state?.status).toBe('new');

    for (const input of rubbish) await handle.signal('provideLiveLink', input);
    expect((await viewOf(submission)).refused).toHaveLength(20);

    await expect(handle.executeUpdate('decide', { args: ['rubbish'] })).rejects.toMatchObject({
      cause: { type: 'malformed_command' },
    });
    await handle.executeUpdate(submissionUpdates.decide, {
      args: [{ by: world.adminId, action: 'reject', reason: REASON }],
    });
    await handle.result();
    expect(await facts.events(submission)).toEqual(['submission.created', 'submission.decided']);
  });
});

describe('afterwards', () => {
  it('everything adds up', async () => {
    await expectInvariants(world);
  });
});
