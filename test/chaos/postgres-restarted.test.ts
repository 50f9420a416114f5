/** PostgreSQL is stopped in the middle of reviews and comes back: they go on where they stood. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SubmissionCommandInput } from '../../domain/submission-commands.js';
import { submissionUpdates } from '../../workflows/submission-review/contract.js';
import { eventually } from '../support/review-facts.js';
import { createWorld, type Submission, type World } from '../support/world.js';
import { createGateKeeper, type GateKeeper } from './support/gates.js';
import { expectInvariants } from './support/invariants.js';
import { type OwnPostgres, ownPostgres } from './support/own-servers.js';
import { REASON, reviewsOf } from './support/reviews.js';

/** Tries of a database activity are at most 15 s apart. */
const COMES_BACK_MS = 60_000;

let postgres: OwnPostgres;
let world: World;
let gates: GateKeeper;
let reviews: ReturnType<typeof reviewsOf>;

beforeAll(async () => {
  postgres = await ownPostgres();
  world = await createWorld({ servers: { database: postgres.database } });
  reviews = reviewsOf(world);
  gates = await createGateKeeper(world.database.adminUrl);
  await world.startWorker();
});

afterAll(async () => {
  await gates?.end();
  await world?.remove();
  await postgres?.remove();
});

describe('PostgreSQL restarted in the middle', () => {
  it('of transactions: each is taken again, once, and the commands are answered', {
    timeout: 180_000,
  }, async () => {
    const [approved, rejected, waiting] = [await world.submit(), await world.submit(), await world.submit()];
    for (const submission of [approved, rejected, waiting]) await reviews.taken(submission);
    const member = await world.addMember();
    const reading = await gates.close(
      'update',
      'soundcloud_submissions',
      `new.member_id = '${member.id}' and new.track_urn is not null`,
    );
    const deciding = await gates.close(
      'update',
      'soundcloud_submissions',
      `new.id = '${rejected.id}' and new.status = 'rejected'`,
    );
    const beingRead = await world.submit({ member });
    await eventually('a track is being recorded', () => reading.someoneWaits());
    const rejection = decide(rejected, { by: world.adminId, action: 'reject', reason: REASON });
    await eventually('a decision is being recorded', () => deciding.someoneWaits());

    await postgres.stop();
    const approval = decide(approved, { by: world.adminId, action: 'approve' });
    await eventually('the database turned somebody away', async () => {
      const { raw } = await reviews.handleOf(approved).describe();
      return (raw.pendingActivities ?? []).some((activity) => (activity.attempt ?? 0) > 1);
    });
    await postgres.start();

    await Promise.all([rejection, approval]);
    await reviews.taken(beingRead, COMES_BACK_MS);
    await reviews.handleOf(rejected).result();
    for (const submission of [approved, rejected])
      expect(await reviews.facts.events(submission)).toEqual(['submission.created', 'submission.decided']);
    await reviews.mailed(rejected, ['submission_confirmation', 'submission_rejected']);
    await reviews.mailed(approved, ['submission_confirmation', 'submission_approved'], COMES_BACK_MS);
    expect(await reviews.facts.proposals(approved)).toHaveLength(1);
    await reviews.reject(waiting);
    await reviews.reject(beingRead);
  });

  it('while SoundCloud is asked: that says nothing of SoundCloud, so the promise runs on', {
    timeout: 180_000,
  }, async () => {
    const { admin } = world.sandbox;
    await admin.addFault('soundcloud', { kind: 'hang' });
    const asked = (await admin.requests('soundcloud')).length;
    const submission = await world.submit();
    await eventually('SoundCloud is asked', async () => {
      return (await admin.requests('soundcloud')).length > asked;
    });
    await postgres.stop();
    await admin.clearFaults('soundcloud');
    // The next request needs leave, which the database gives; all tries of the call fail.
    await eventually('the call is given up', async () => {
      const { events } = await reviews.handleOf(submission).fetchHistory();
      return events?.some((event) => Boolean(event.activityTaskFailedEventAttributes));
    });
    await postgres.start();
    await reviews.taken(submission, COMES_BACK_MS);
    const { events } = await reviews.handleOf(submission).fetchHistory();
    const called = events?.map((event) => event.activityTaskScheduledEventAttributes?.activityType?.name);
    expect(called).not.toContain('recordProviderPause');
    await reviews.reject(submission);
  });

  it('the relay listens again: a submission made afterwards gets its review', async () => {
    const submission = await world.submit();
    await reviews.taken(submission);
    await reviews.reject(submission);
  });

  it('everything adds up', async () => {
    await expectInvariants(world);
  });
});

function decide(submission: Submission, command: SubmissionCommandInput<'decide'>): Promise<unknown> {
  return reviews.handleOf(submission).executeUpdate(submissionUpdates.decide, { args: [command] });
}
