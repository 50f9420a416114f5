/** The review after the approval, against the time-skipping server: queue, reposts, replacements, the end. */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DAY_MS, dateOf, HOUR_MS } from '../../domain/calendar.js';
import { queuesOf } from '../../test/support/queues.js';
import { eventually, reviewFacts } from '../../test/support/review-facts.js';
import { startTimeSkipping } from '../../test/support/time-skipping.js';
import { createWorld, type Member, type Submission, type World } from '../../test/support/world.js';
import { attributionId } from '../attribution/contract.js';
import { submissionReviewState, submissionUpdates } from './contract.js';

let env: TestWorkflowEnvironment;
let world: World;
let facts: ReturnType<typeof reviewFacts>;
let queues: ReturnType<typeof queuesOf>;
let supporters: Member[];

beforeAll(async () => {
  env = await startTimeSkipping();
  world = await createWorld({ temporalAddress: env.address, now: () => env.currentTimeMs() });
  facts = reviewFacts(world);
  queues = queuesOf(world);
  supporters = [await world.addMember(), await world.addMember(), await world.addMember()];
  await world.startWorker();
});

afterAll(async () => {
  await world?.remove();
  await env?.teardown();
});

const [first, second, third] = [0, 1, 2].map((at) => () => supporters[at] as Member) as [
  () => Member,
  () => Member,
  () => Member,
];
const handleOf = (submission: Submission) => world.client.workflow.getHandle(submission.workflowId);
const stateOf = async (submission: Submission) =>
  (await handleOf(submission).query(submissionReviewState)).state;
const now = () => env.currentTimeMs();

async function approved(): Promise<Submission> {
  const submission = await world.submit();
  await eventually('the track is read', async () => (await facts.row(submission)).track_urn !== null);
  await handleOf(submission).executeUpdate(submissionUpdates.decide, {
    args: [{ by: world.adminId, action: 'approve' }],
  });
  await eventually('the proposal', async () => (await stateOf(submission))?.proposalExpiresAt !== null);
  await queues.credit(submission.member, 3, await now());
  return submission;
}

async function publish(
  submission: Submission,
  members: Member[],
  more: { replacementFor?: string; date?: string } = {},
) {
  const at = await now();
  const date = dateOf(at + (more.replacementFor === undefined ? 0 : DAY_MS), 'UTC');
  return queues.publish({ date, submission, supporters: members, slotAt: at + HOUR_MS, at, ...more });
}

const served = (submission: Submission) =>
  eventually('the support', async () => (await stateOf(submission))?.stage === 'support');

async function slotsUsed(submission: Submission): Promise<number> {
  const member = await world.db
    .selectFrom('soundcloud_members')
    .select('submissions_this_month')
    .where('id', '=', submission.member.id)
    .executeTakeFirstOrThrow();
  return member.submissions_this_month;
}

describe('a published queue', () => {
  it('makes the review wait for its supporters, ends the proposals, and cannot be withdrawn from', async () => {
    const submission = await approved();
    const [one, two] = await publish(submission, [first(), second()]);
    await served(submission);
    expect(await facts.wait(submission)).toMatchObject({
      stage: 'support',
      waiting_on: 'supporter',
      due_at: null,
    });
    await expect(
      handleOf(submission).executeUpdate(submissionUpdates.withdraw, { args: [{ by: 'member' }] }),
    ).rejects.toMatchObject({ cause: { type: 'queue_published' } });
    expect(
      await world.client.workflow
        .getHandle(attributionId(world.orgId, 'submission', submission.id))
        .describe(),
    ).toMatchObject({ type: 'attributionWorkflow' });
    const proposals = (await facts.proposals(submission)).length;
    await env.sleep('50 hours');
    expect(await facts.proposals(submission)).toHaveLength(proposals);

    if (one === undefined || two === undefined) throw new Error('two assignments');
    await queues.settle(one, 'completed', await now(), { proofUrl: 'https://soundcloud.com/first/reposts' });
    await eventually('the first', async () => (await stateOf(submission))?.support?.open === 1);
    expect((await facts.row(submission)).closed_at).toBeNull();
    await queues.settle(two, 'completed', await now());
    await handleOf(submission).result();
    expect(await facts.row(submission)).toMatchObject({
      status: 'approved',
      support_url: 'https://soundcloud.com/first/reposts',
      credits_consumed: 2,
    });
    expect((await facts.row(submission)).closed_at).not.toBeNull();
    expect(await facts.events(submission)).toEqual([
      'submission.created',
      'submission.decided',
      'submission.assigned',
      'submission.supported',
    ]);
    expect((await facts.mails(submission)).at(-1)).toBe('support_confirmation sent');
    const mail = (await world.sandbox.admin.mails({ to: submission.member.email ?? '' }))[0];
    expect(mail?.text).toContain('Reposts: 2');
    expect(mail?.text).toContain('Expected reach: 600 listeners');
    expect(await slotsUsed(submission)).toBe(1);
    const [proposal] = await facts.proposals(submission);
    expect(proposal).toMatchObject({ conflicts: [], criteria: { pruned_at: expect.any(String) } });
  });

  it('whose assignment is skipped owes a replacement, until it is there and settled too', async () => {
    const submission = await approved();
    const date = (await facts.row(submission)).support_date ?? '';
    const [skipped] = await publish(submission, [first()], { date });
    await served(submission);
    if (skipped === undefined) throw new Error('an assignment');
    await queues.settle(skipped, 'skipped', await now());
    // The rows are written first, so that they say it too by then.
    await eventually('the replacement is owed', async () => (await stateOf(submission))?.support?.owed === 1);
    expect((await facts.wait(submission))?.waiting_on).toBe('queue');
    expect((await stateOf(submission))?.support).toMatchObject({ open: 0, owed: 1, completed: 0 });
    // It is out, and takes in nobody further.
    expect((await facts.wait(submission))?.who_can_act).toBe(`the next daily queue (that of ${date} is out)`);
    const [replacement] = await publish(submission, [second()], { replacementFor: skipped.id });
    await eventually(
      'the replacement',
      async () => (await facts.wait(submission))?.waiting_on === 'supporter',
    );
    if (replacement === undefined) throw new Error('an assignment');
    // The signal that it was settled is lost: the daily look at the rows finds it.
    await queues.settle(replacement, 'completed', await now(), { event: false });
    await env.sleep('25 hours');
    await handleOf(submission).result();
    expect(await facts.row(submission)).toMatchObject({ credits_consumed: 1 });
    expect((await facts.row(submission)).support_url).toBe(
      `https://soundcloud.com/${second().handle}/reposts`,
    );
  });

  it('is found although its signal was lost, when the proposal would be renewed', async () => {
    const submission = await approved();
    const at = await now();
    await queues.publish({
      date: dateOf(at, 'UTC'),
      submission,
      supporters: [third()],
      slotAt: at + HOUR_MS,
      at,
      event: false,
    });
    // The state knows nothing of it; the rows refuse.
    await expect(
      handleOf(submission).executeUpdate(submissionUpdates.withdraw, { args: [{ by: 'member' }] }),
    ).rejects.toMatchObject({ cause: { type: 'queue_published' } });
    await served(submission);
    expect(await facts.proposals(submission)).toHaveLength(1);
  });
});

describe('a submission no queue has room for', () => {
  it('waits on, is asked about, and is closed by ops: unsupported, with the slot given back', async () => {
    const submission = await approved();
    const at = await now();
    await queues.shift(submission, { date: dateOf(at + DAY_MS, 'UTC'), count: 1, reason: 'no capacity', at });
    await eventually('the shift', async () =>
      (await facts.wait(submission))?.how_to_act.includes('moved 1 time: no capacity'),
    );
    const update = handleOf(submission);
    await expect(
      update.executeUpdate(submissionUpdates.keepWaiting, { args: [{ by: world.adminId }] }),
    ).rejects.toMatchObject({ cause: { type: 'not_asked' } });

    await queues.shift(submission, {
      date: dateOf(at + 2 * DAY_MS, 'UTC'),
      count: 14,
      reason: 'no capacity',
      ask: true,
      at,
    });
    await eventually('ops are asked', async () => (await facts.wait(submission))?.waiting_on === 'ops');
    expect((await facts.wait(submission))?.how_to_act).toMatch(/keepWaiting, or closeSupport/);
    await update.executeUpdate(submissionUpdates.keepWaiting, { args: [{ by: world.moderatorId }] });
    expect(await queues.task(submission)).toMatchObject({
      status: 'done',
      resolved_by: world.moderatorId,
      resolution: { outcome: 'kept_waiting' },
    });
    expect(await facts.wait(submission)).toMatchObject({ stage: 'queue', waiting_on: 'queue' });

    const close = (reason: string) =>
      update.executeUpdate(submissionUpdates.closeSupport, { args: [{ by: world.adminId, reason }] });
    await expect(close(' ')).rejects.toMatchObject({ cause: { type: 'reason_required' } });
    await close('Nobody in the network plays this genre.');
    await update.result();
    expect((await facts.row(submission)).closed_at).not.toBeNull();
    expect(await slotsUsed(submission)).toBe(0);
    expect((await facts.events(submission)).at(-1)).toBe('submission.unsupported');
    expect((await facts.mails(submission)).at(-1)).toBe('submission_unsupported sent');
    const mail = (await world.sandbox.admin.mails({ to: submission.member.email ?? '' }))[0];
    expect(mail?.text).toContain('Nobody in the network plays this genre.');
  });

  it('cannot be closed while assignments are open; closed later it keeps what was reposted', async () => {
    const submission = await approved();
    const [kept, failed] = await publish(submission, [first(), third()]);
    await served(submission);
    if (kept === undefined || failed === undefined) throw new Error('two assignments');
    const close = () =>
      handleOf(submission).executeUpdate(submissionUpdates.closeSupport, {
        args: [{ by: world.adminId, reason: 'Nobody else is free.' }],
      });
    await queues.settle(failed, 'failed', await now());
    await eventually('the failure', async () => (await stateOf(submission))?.support?.open === 1);
    await expect(close()).rejects.toMatchObject({ cause: { type: 'assignments_open' } });
    await queues.settle(kept, 'completed', await now(), { event: false });
    await close();
    await handleOf(submission).result();
    expect((await facts.events(submission)).at(-1)).toBe('submission.supported');
    expect(await facts.row(submission)).toMatchObject({ credits_consumed: 1 });
    expect(await slotsUsed(submission)).toBe(1);
  });
});

describe('a live link', () => {
  it('is read and placed like the track before it', async () => {
    const submission = await world.submit({ genre: 'Field Recordings', title: 'Rain' });
    await eventually('the flag', async () => (await facts.row(submission)).status === 'qa_flag');
    await handleOf(submission).executeUpdate(submissionUpdates.decide, {
      args: [{ by: world.adminId, action: 'pend', needLiveLink: true }],
    });
    const [live] = await world.sandbox.admin.addTracks([
      { handle: submission.member.handle, title: 'Rain (out now)', genre: 'Techno', tags: [] },
    ]);
    await handleOf(submission).executeUpdate(submissionUpdates.provideLiveLink, {
      args: [{ by: 'member', url: live?.url ?? '' }],
    });
    const row = await eventually('the live track', async () => {
      const found = await facts.row(submission);
      return found.track_urn === live?.urn && found;
    });
    expect(row).toMatchObject({
      family: 'Electronic',
      subgenres: ['Techno'],
      status: 'new',
      live_link_url: live?.url,
      track_url: submission.trackUrl,
    });
    await handleOf(submission).executeUpdate(submissionUpdates.withdraw, { args: [{ by: 'member' }] });
  });
});
