/** The review against the time-skipping server: days pass in seconds. Few workflows a test, one server for the file. */
import { randomUUID } from 'node:crypto';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HOUR_MS } from '../../domain/calendar.js';
import { lifecycleOf } from '../../outbox/lifecycles.js';
import { eventually, reviewFacts } from '../../test/support/review-facts.js';
import { startTimeSkipping } from '../../test/support/time-skipping.js';
import {
  createWorld,
  type Submission,
  type SubmissionOptions,
  type World,
} from '../../test/support/world.js';
import { SUBMISSION_REVIEW_TYPE, submissionReviewState, submissionUpdates } from './contract.js';

const REASON = 'This track was already supported by our network twice in the last month.';

let env: TestWorkflowEnvironment;
let world: World;
let facts: ReturnType<typeof reviewFacts>;

beforeAll(async () => {
  env = await startTimeSkipping();
  world = await createWorld({ temporalAddress: env.address, now: () => env.currentTimeMs() });
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
  it('is decided by the org’s policy once it is broken: the slot goes back with reject_refund', async () => {
    await setting({ on_breach: 'reject_refund' });
    const { submission, handle } = await underReview();
    await setting({ on_breach: 'escalate' });
    expect(await slotsUsed(submission)).toBe(1);
    await env.sleep('25 hours');
    await handle.result();
    expect(await facts.row(submission)).toMatchObject({ status: 'rejected', decided_by: null });
    expect(await slotsUsed(submission)).toBe(0);
    expect(await facts.events(submission)).toEqual([
      'submission.created',
      'submission.breached',
      'submission.decided',
    ]);
  });

  it('is decided by the org’s policy: approve', async () => {
    await setting({ on_breach: 'approve' });
    const { submission } = await underReview();
    await setting({ on_breach: 'escalate' });
    await env.sleep('25 hours');
    await eventually('the proposal', async () => (await facts.proposals(submission)).length > 0);
    expect(await facts.row(submission)).toMatchObject({ status: 'approved', decided_by: null });
  });
});

describe('a live link', () => {
  it('pauses the SLA, reminds after 24 and 72 h, and goes on with the remainder', async () => {
    const { submission, handle } = await underReview();
    await env.sleep('10 hours');
    await handle.executeUpdate(submissionUpdates.decide, {
      args: [{ by: world.moderatorId, action: 'pend', needLiveLink: true }],
    });
    expect(await facts.wait(submission)).toMatchObject({
      stage: 'live_link',
      waiting_on: 'member',
      paused: true,
    });
    await env.sleep('73 hours');
    const asked = 'request_live_link sent';
    await eventually(
      'two reminders',
      async () => (await facts.mails(submission)).filter((mail) => mail === asked).length === 3,
    );
    await handle.executeUpdate(submissionUpdates.provideLiveLink, {
      args: [{ by: 'member', url: 'https://soundcloud.com/some-artist/out-now?si=1' }],
    });
    expect(await facts.row(submission)).toMatchObject({
      status: 'new',
      need_live_link: false,
      live_link_url: 'https://soundcloud.com/some-artist/out-now',
    });
    const sla = (await stateOf(submission))?.sla;
    expect(Math.round((sla?.elapsedMs ?? 0) / HOUR_MS)).toBe(10);
    expect((await facts.wait(submission))?.breached).toBe(false);
    await env.sleep('15 hours');
    await eventually('the breach after the remainder', async () => (await facts.wait(submission))?.breached);
    await handle.executeUpdate(submissionUpdates.withdraw, { args: [{ by: 'member' }] });
    await handle.result();
  });

  it('closes the submission after seven days of silence', async () => {
    const { submission, handle } = await underReview();
    await handle.executeUpdate(submissionUpdates.decide, {
      args: [{ by: world.moderatorId, action: 'pend', needLiveLink: true }],
    });
    await env.sleep('7 days');
    await env.sleep('1 hour');
    await handle.result();
    expect(await facts.row(submission)).toMatchObject({ status: 'rejected' });
    expect((await facts.row(submission)).closed_at).not.toBeNull();
  });
});

describe('an approval', () => {
  it('without anybody who fits says so, and promises no listeners', async () => {
    const { submission, handle } = await underReview({ genre: 'Drill' });
    await handle.executeUpdate(submissionUpdates.decide, {
      args: [{ by: world.adminId, action: 'approve' }],
    });
    const mail = await eventually('the approval mail', async () =>
      (await world.sandbox.admin.mails({ to: submission.member.email ?? '' })).find((sent) =>
        sent.subject.startsWith('Approved'),
      ),
    );
    expect(mail.text).toContain('No supporter fits the track yet');
    expect(mail.text).not.toContain('listeners');
    await handle.executeUpdate(submissionUpdates.withdraw, { args: [{ by: 'member' }] });
    await handle.result();
  });

  it('stores an explained proposal, tells the member, and renews the proposal when it expires', async () => {
    const supporter = await world.addMember({ followers: 10_000 });
    const stranger = await world.addMember({ family: 'Rock', subgenre: 'Indie Rock' });
    const { submission, handle } = await underReview({ genre: 'House' });
    await handle.executeUpdate(submissionUpdates.decide, {
      args: [{ by: world.adminId, action: 'approve' }],
    });
    await eventually('the approval mail', async () =>
      (await facts.mails(submission)).includes('submission_approved sent'),
    );

    const [proposal] = await facts.proposals(submission);
    const targets = proposal?.proposed_targets as unknown as { member_id: string; reach: number }[];
    const conflicts = proposal?.conflicts as unknown as { member_id: string; code: string }[];
    expect(targets.map((target) => target.member_id)).toContain(supporter.id);
    expect(conflicts).toContainEqual(expect.objectContaining({ member_id: stranger.id, code: 'genre' }));
    expect(conflicts).toContainEqual(
      expect.objectContaining({ member_id: submission.member.id, code: 'self' }),
    );
    const row = await facts.row(submission);
    expect(row.suggested_supporters).toEqual(targets.map((target) => target.member_id));
    expect(row.expected_reach_planned).toBe(targets.reduce((sum, target) => sum + target.reach, 0));
    expect(row.support_date).toMatch(/^\d{4}-\d{2}-\d{2}$/);
    expect(await facts.wait(submission)).toMatchObject({ stage: 'queue', waiting_on: 'queue', due_at: null });

    await env.sleep('25 hours');
    await eventually('a second proposal', async () => (await facts.proposals(submission)).length === 2);
    expect(
      (await facts.mails(submission)).filter((mail) => mail.startsWith('submission_approved')),
    ).toHaveLength(1);
    await handle.executeUpdate(submissionUpdates.withdraw, { args: [{ by: 'member' }] });
    await handle.result();
    expect(await slotsUsed(submission)).toBe(0);
  });

  it('of a track nobody can place needs a family of the org', async () => {
    const { submission, handle } = await underReview({ genre: 'Field Recordings', title: 'Rain' });
    expect(await facts.row(submission)).toMatchObject({
      status: 'qa_flag',
      qa_reason: 'genre_unknown',
      family: null,
    });
    const approve = (family?: string) =>
      handle.executeUpdate(submissionUpdates.decide, {
        args: [{ by: world.adminId, action: 'approve', family }],
      });
    await expect(approve()).rejects.toMatchObject({ cause: { type: 'family_required' } });
    await expect(approve('Polka')).rejects.toMatchObject({ cause: { type: 'family_unknown' } });
    await approve('Electronic');
    expect(await facts.row(submission)).toMatchObject({
      status: 'approved',
      family: 'Electronic',
      qa_reason: null,
    });
    await expect(approve()).rejects.toMatchObject({ cause: { type: 'already_decided' } });
  });
});

describe('a command', () => {
  it('typed as a Signal in the Temporal UI does the same; a refused one is written down and harms nothing', async () => {
    const { submission, handle } = await underReview();
    await handle.signal('decide', { by: 'ops', action: 'reject', reason: 'too short' });
    await handle.signal('decide', 'not even an object');
    await handle.signal('decide', { by: 'ops', action: 'flag', reason: 'Please check the cover art' });
    await eventually('the flag', async () => (await facts.row(submission)).status === 'qa_flag');
    const { refused } = await handle.query(submissionReviewState);
    expect(refused.map((refusal) => refusal.code).sort()).toEqual(['malformed_command', 'reason_too_short']);
    await handle.signal('withdraw', { by: 'member' });
    await handle.result();
    expect((await facts.row(submission)).withdrawn_at).not.toBeNull();
  });

  it('that comes when a withdrawn review is over, or its row is closed, reads that it was withdrawn', async () => {
    // The confirmation is held up, and with it the end of the review.
    await world.sandbox.admin.addFault('mailbox', { kind: 'status', status: 503 });
    const submission = await world.submit();
    const handle = world.client.workflow.getHandle(submission.workflowId);
    await eventually('the track is read', async () => (await facts.row(submission)).track_urn !== null);
    await handle.executeUpdate(submissionUpdates.withdraw, { args: [{ by: 'member' }] });
    const reason = 'This submission is closed (withdrawn); it takes no further commands.';
    const approve = { by: world.adminId, action: 'approve' as const };
    await expect(handle.executeUpdate(submissionUpdates.decide, { args: [approve] })).rejects.toMatchObject({
      cause: { type: 'submission_closed', message: reason },
    });
    await handle.signal('decide', approve);
    const { runId } = await handle.describe();
    await world.sandbox.admin.clearFaults('mailbox');
    await env.sleep('1 hour');
    await handle.result();
    const again = await world.client.workflow.signalWithStart(SUBMISSION_REVIEW_TYPE, {
      workflowId: submission.workflowId,
      taskQueue: world.config.SPARK_TASK_QUEUE,
      args: [{ orgId: world.orgId, submissionId: submission.id }],
      signal: 'decide',
      signalArgs: [approve],
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    });
    await again.result();
    for (const run of [runId, again.signaledRunId]) {
      const { refused } = await world.client.workflow
        .getHandle(submission.workflowId, run)
        .query(submissionReviewState);
      expect(refused).toMatchObject([{ command: 'decide', code: 'submission_closed', reason }]);
    }
  });

  it('sent again under the same id, by Update or Signal, is applied once', async () => {
    const { submission, handle } = await underReview();
    const command = { commandId: 'same-id', by: world.adminId, action: 'flag' as const, reason: 'once' };
    await Promise.all([
      handle.executeUpdate(submissionUpdates.decide, { args: [command] }),
      handle.executeUpdate(submissionUpdates.decide, { args: [command] }),
      handle.signal('decide', command),
    ]);
    await handle.executeUpdate(submissionUpdates.decide, { args: [command] });
    expect(await facts.events(submission)).toEqual(['submission.created', 'submission.decided']);
    await handle.executeUpdate(submissionUpdates.assignOwner, {
      args: [{ by: world.adminId, ownerId: world.moderatorId }],
    });
    expect((await facts.row(submission)).owner_id).toBe(world.moderatorId);
    await expect(
      handle.executeUpdate(submissionUpdates.assignOwner, {
        args: [{ by: world.adminId, ownerId: randomUUID() }],
      }),
    ).rejects.toMatchObject({ cause: { type: 'owner_not_ops' } });
    await handle.executeUpdate(submissionUpdates.withdraw, { args: [{ by: 'member' }] });
    await handle.result();
  });
});

describe('a short link', () => {
  it('that turns out to be a track the member submitted already is flagged with the older one', async () => {
    const { submission: older } = await underReview();
    const target = new URL(older.trackUrl).pathname;
    await world.sandbox.admin.addShortLink('again', `https://soundcloud.com${target}`);
    const submission = await world.submit({
      member: older.member,
      trackUrl: 'https://on.soundcloud.com/again',
    });
    await eventually('the flag', async () => (await facts.row(submission)).status === 'qa_flag');
    expect(await facts.row(submission)).toMatchObject({
      track_url: older.trackUrl,
      qa_reason: `duplicate_track: ${older.id}`,
      family: 'Electronic',
    });
  });
});

describe('SoundCloud away', () => {
  it('pauses the SLA, is asked again, and the review goes on with what was left', async () => {
    await world.sandbox.admin.addFault('soundcloud', { kind: 'status', status: 503 });
    await setting({ decision_sla_hours: 4 });
    const submission = await world.submit();
    await eventually('the pause', async () => (await facts.wait(submission))?.waiting_on === 'provider');
    expect(await facts.wait(submission)).toMatchObject({ paused: true, breached: false });
    const told = await world.db
      .selectFrom('soundcloud_notifications')
      .select('user_id')
      .where('title', '=', 'SoundCloud does not answer')
      .execute();
    expect(told.map((row) => row.user_id).sort()).toEqual([world.adminId, world.moderatorId].sort());
    await setting({ decision_sla_hours: 24 });
    await env.sleep('5 hours');
    expect((await stateOf(submission))?.sla).toMatchObject({ warned: false, breaches: 0 });
    await world.sandbox.admin.clearFaults('soundcloud');
    await env.sleep('1 hour');
    await eventually('the track', async () => (await facts.row(submission)).family === 'Electronic');
    expect(await facts.wait(submission)).toMatchObject({ waiting_on: 'ops', paused: false, breached: false });
    expect(await facts.mails(submission)).toEqual(['submission_confirmation sent']);
  });
});

describe('a worker that was away', () => {
  it('does not let a late decision hide that the promise was broken', async () => {
    const submission = await world.submit({ agoMs: 25 * HOUR_MS, unstarted: true });
    const lifecycle = lifecycleOf({
      entityType: 'submission',
      orgId: world.orgId,
      entityId: submission.id,
      entityKey: null,
    });
    if (lifecycle === undefined) throw new Error('submissions have no lifecycle');
    // The decision waits already when the worker looks at the review for the first time.
    const handle = await world.client.workflow.signalWithStart(lifecycle.workflowType, {
      ...lifecycle,
      taskQueue: world.config.SPARK_TASK_QUEUE,
      signal: 'decide',
      signalArgs: [{ by: world.adminId, action: 'reject', reason: REASON }],
    });
    await handle.result();
    expect(await facts.events(submission)).toEqual([
      'submission.created',
      'submission.breached',
      'submission.decided',
    ]);
    expect(await facts.row(submission)).toMatchObject({ status: 'rejected' });
  });
});

async function setting(change: { on_breach?: string; decision_sla_hours?: number }): Promise<void> {
  await world.db.updateTable('soundcloud_settings').set(change).where('org_id', '=', world.orgId).execute();
}

async function slotsUsed(submission: Submission): Promise<number> {
  const member = await world.db
    .selectFrom('soundcloud_members')
    .select('submissions_this_month')
    .where('id', '=', submission.member.id)
    .executeTakeFirstOrThrow();
  return member.submissions_this_month;
}
