/**
 * Providers that fail for a while: the mail provider with 500, 429, hanging and lost answers, SoundCloud with 503.
 * An hour of business time takes a second here, so the half hour between two questions to SoundCloud does too.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FaultRequest } from '../../sandbox/faults.js';
import type { RunningWorker } from '../../worker.js';
import { submissionReviewState, submissionUpdates } from '../../workflows/submission-review/contract.js';
import { eventually } from '../support/review-facts.js';
import { createWorld, type Submission, type World } from '../support/world.js';
import { expectInvariants } from './support/invariants.js';
import { REASON, reviewsOf } from './support/reviews.js';

let world: World;
let worker: RunningWorker;
let reviews: ReturnType<typeof reviewsOf>;

beforeAll(async () => {
  world = await createWorld({ daySeconds: 24 });
  // The promise must not be broken while the tests run: that is another test's business.
  await world.db
    .updateTable('soundcloud_settings')
    .set({ decision_sla_hours: 2_000 })
    .where('org_id', '=', world.orgId)
    .execute();
  reviews = reviewsOf(world);
  worker = await world.startWorker();
});

afterAll(async () => {
  await world?.remove();
});

const stateOf = async (submission: Submission) =>
  (await reviews.handleOf(submission).query(submissionReviewState)).state;

const inMailbox = (submission: Submission) =>
  world.sandbox.admin.mails({ to: submission.member.email ?? '' });

const struck = async (path: string, kind: string) =>
  (await world.sandbox.admin.requests('mailbox', path)).filter((request) => request.faults.includes(kind))
    .length;

const MAIL_FAULTS: { name: string; fault: FaultRequest; kind: string }[] = [
  { name: 'answers 500', fault: { kind: 'status', status: 500, path: '/emails' }, kind: 'status' },
  {
    name: 'answers 500 although it has taken the mail',
    fault: { kind: 'status', status: 500, processed: true, path: '/emails' },
    kind: 'status',
  },
  {
    name: 'answers 429 and says how long to wait',
    fault: {
      kind: 'status',
      status: 429,
      headers: { 'retry-after': '1' },
      body: { statusCode: 429, name: 'rate_limit_exceeded', message: 'Too many requests.' },
      path: '/emails',
    },
    kind: 'status',
  },
  { name: 'loses its answer', fault: { kind: 'drop', path: '/emails' }, kind: 'drop' },
  { name: 'answers with a page of a proxy', fault: { kind: 'garbage', path: '/emails' }, kind: 'garbage' },
];

describe('a mail provider that', () => {
  it.each(MAIL_FAULTS)(
    '$name holds no review up, and in the end each mail is there once',
    async ({ fault, kind }) => {
      const { admin } = world.sandbox;
      const before = await struck('/emails', kind);
      await admin.addFault('mailbox', fault);
      const submission = await world.submit();
      await eventually('the track is read', async () => {
        return (await reviews.facts.row(submission)).track_urn !== null;
      });
      await eventually('two tries', async () => (await struck('/emails', kind)) >= before + 2);
      expect(await reviews.facts.mails(submission)).toEqual(['submission_confirmation pending']);
      // Decided although the member has not been told yet that it was received.
      await reviews.handleOf(submission).executeUpdate(submissionUpdates.decide, {
        args: [{ by: world.adminId, action: 'reject', reason: REASON }],
      });
      expect(await reviews.facts.row(submission)).toMatchObject({ status: 'rejected', closed_at: null });
      await admin.clearFaults('mailbox');
      await reviews.handleOf(submission).result();
      await reviews.mailed(submission, ['submission_confirmation', 'submission_rejected']);
      expect(await inMailbox(submission)).toHaveLength(2);
    },
  );

  it('hangs holds no review up', async () => {
    const { admin } = world.sandbox;
    await admin.addFault('mailbox', { kind: 'hang', path: '/emails' });
    const submission = await world.submit();
    await eventually('the track is read', async () => {
      return (await reviews.facts.row(submission)).track_urn !== null;
    });
    await reviews.handleOf(submission).executeUpdate(submissionUpdates.decide, {
      args: [{ by: world.adminId, action: 'reject', reason: REASON }],
    });
    await admin.clearFaults('mailbox');
    await reviews.handleOf(submission).result();
    expect(await inMailbox(submission)).toHaveLength(2);
  });
});

describe('SoundCloud away', () => {
  it('the promise stands still, everybody can see why, ops can decide without it', async () => {
    const { admin } = world.sandbox;
    await admin.addFault('soundcloud', { kind: 'status', status: 503 });
    const [read, decided] = [await world.submit(), await world.submit()];
    for (const submission of [read, decided]) {
      await eventually('the pause', async () => {
        return (await reviews.facts.wait(submission))?.waiting_on === 'provider';
      });
      expect(await reviews.facts.wait(submission)).toMatchObject({
        stage: 'decision',
        paused: true,
        breached: false,
        due_at: null,
        who_can_act: expect.stringContaining('SoundCloud must answer'),
      });
      expect((await stateOf(submission))?.sla.runningSince).toBeNull();
    }
    const first = (await stateOf(read))?.provider?.triedAt ?? 0;
    await eventually('it is asked again', async () => {
      return ((await stateOf(read))?.provider?.triedAt ?? 0) > first;
    });
    await reviews.handleOf(decided).executeUpdate(submissionUpdates.decide, {
      args: [{ by: world.adminId, action: 'approve', family: 'Electronic' }],
    });
    expect(await reviews.facts.row(decided)).toMatchObject({ status: 'approved', track_urn: null });
    expect(await reviews.facts.wait(decided)).toMatchObject({ stage: 'queue', waiting_on: 'queue' });

    await admin.clearFaults('soundcloud');
    for (const submission of [read, decided]) {
      await eventually('the track', async () => (await reviews.facts.row(submission)).track_urn !== null);
    }
    await eventually('the promise runs on', async () => {
      return (await reviews.facts.wait(read))?.waiting_on === 'ops';
    });
    expect(await reviews.facts.wait(read)).toMatchObject({ paused: false, breached: false });
    expect((await reviews.facts.wait(read))?.due_at).not.toBeNull();
    await reviews.mailed(read, ['submission_confirmation']);
    await reviews.mailed(decided, ['submission_confirmation', 'submission_approved']);
    expect(await inMailbox(decided)).toHaveLength(2);
    await reviews.reject(read);
  });

  it('and the mail provider too, and worker and providers restarted meanwhile: nothing is lost', async () => {
    const { admin } = world.sandbox;
    await admin.addFault('soundcloud', { kind: 'drop', processed: false });
    await admin.addFault('mailbox', { kind: 'status', status: 503, path: '/emails' });
    const submission = await world.submit();
    await eventually('the pause', async () => {
      return (await reviews.facts.wait(submission))?.waiting_on === 'provider';
    });
    await worker.stop();
    await world.sandbox.restart();
    await admin.clearFaults('mailbox');
    await admin.clearFaults('soundcloud');
    worker = await world.startWorker();
    await reviews.taken(submission);
    await reviews.reject(submission);
    await reviews.mailed(submission, ['submission_confirmation', 'submission_rejected']);
    expect(await inMailbox(submission)).toHaveLength(2);
  });
});

describe('afterwards', () => {
  it('everything adds up', async () => {
    await expectInvariants(world);
  });
});
