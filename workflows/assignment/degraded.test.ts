/**
 * The degraded mode of proofs, from publishing to credits: a worker without SoundCloud credentials cannot read any list
 * for as long as an assignment lasts, so people judge, and without an answer the rule does (rules.md, "Proof and the
 * watch").
 */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ledgerViolations } from '../../db/ledger-invariants.js';
import { HOUR_MS } from '../../domain/calendar.js';
import { assignmentsOf, type PublishedAssignment } from '../../test/support/assignments.js';
import { eventually } from '../../test/support/review-facts.js';
import { startTimeSkipping } from '../../test/support/time-skipping.js';
import { createWorld, type World } from '../../test/support/world.js';
import { assignmentSignals, assignmentUpdates } from './contract.js';

let env: TestWorkflowEnvironment;
let world: World;
let the: ReturnType<typeof assignmentsOf>;

beforeAll(async () => {
  env = await startTimeSkipping();
  world = await createWorld({ temporalAddress: env.address, now: () => env.currentTimeMs() });
  the = assignmentsOf(world, () => env.currentTimeMs());
  delete world.config.SOUNDCLOUD_CLIENT_ID;
  delete world.config.SOUNDCLOUD_CLIENT_SECRET;
  await world.startWorker();
});

afterAll(async () => {
  await world?.remove();
  await env?.teardown();
});

const submitProof = (assignment: PublishedAssignment) =>
  the.handleOf(assignment).executeUpdate(assignmentUpdates.submitProof, {
    args: [{ by: 'the supporter', url: assignment.submission.trackUrl }],
  });

const task = async (assignment: PublishedAssignment) => (await the.facts.tasks(assignment))[0];

const wallets = async ({ artist, supporter }: PublishedAssignment) => ({
  artist: await the.facts.wallet(artist),
  supporter: await the.facts.wallet(supporter),
});

/** What was looked at, and why that told nothing. */
async function looks(assignment: PublishedAssignment) {
  const rows = await world.db
    .selectFrom('soundcloud_proof_checks')
    .select(['phase', 'source', 'verdict', 'positive_control', 'facts'])
    .where('assignment_id', '=', assignment.id)
    .orderBy('created_at')
    .execute();
  return rows.map(({ facts, ...row }) => ({ ...row, reason: (facts as { reason?: string }).reason ?? null }));
}

describe('without SoundCloud credentials', () => {
  it('a proof is left to ops for a day, then accepted as provisional, watched unseen, and paid', async () => {
    const assignment = await the.publishOne({ price: 2 });
    await the.opened(assignment);
    const before = await wallets(assignment);
    // It is really there: nobody can see it.
    await the.repost(assignment);
    const { state } = await submitProof(assignment);
    expect(state).toMatchObject({ stage: 'proof', proofUrl: assignment.submission.trackUrl });
    await eventually('it says that people verify', async () => (await the.facts.state(assignment))?.degraded);
    expect((await the.facts.wait(assignment))?.how_to_act).toMatch(/SoundCloud is not configured/);

    await env.sleep('25 hours');
    await the.inStage(assignment, 'ops');
    expect(await task(assignment)).toMatchObject({
      kind: 'proof_unverified',
      status: 'open',
      body: expect.stringMatching(
        /SoundCloud is not configured.*handed in https:\/\/soundcloud\.com\/.*provisional/s,
      ),
    });
    const answerBy = (await task(assignment))?.due_at?.getTime() ?? 0;
    expect((answerBy - assignment.slotAt) / HOUR_MS).toBeCloseTo(48, 1);
    await env.sleep('22 hours');
    expect(await the.facts.row(assignment)).toMatchObject({ status: 'assigned', settled_at: null });
    await env.sleep('2 hours');
    await the.inStage(assignment, 'watch');
    expect(await the.facts.row(assignment)).toMatchObject({ status: 'completed', provisional: true });
    expect(await task(assignment)).toMatchObject({ status: 'done' });

    await env.sleep('49 hours');
    await the.handleOf(assignment).result();
    expect(await the.facts.row(assignment)).toMatchObject({ status: 'completed', provisional: true });
    const after = await wallets(assignment);
    expect(after.artist.held).toBe(before.artist.held - 2);
    expect(after.artist.balance).toBe(before.artist.balance);
    expect(after.supporter.balance).toBe(before.supporter.balance + 2);
    const evidence = await looks(assignment);
    expect(evidence.map(({ phase }) => phase)).toContain('watch');
    for (const look of evidence.filter(({ source }) => source !== 'member_url'))
      expect(look).toMatchObject({
        verdict: 'inconclusive',
        positive_control: false,
        reason: 'not_configured',
      });
  });

  it('no proof is left to ops for a day, then skipped; the artist gets the credits back', async () => {
    const assignment = await the.publishOne();
    const before = await wallets(assignment);
    await the.opened(assignment);
    await env.sleep('20 hours');
    await eventually('the reminder', async () =>
      (await the.facts.mails(assignment)).includes('proof_reminder sent'),
    );
    await env.sleep('5 hours');
    await the.inStage(assignment, 'ops');
    expect((await task(assignment))?.body).toMatch(/handed in no proof.*skipped, without loss/s);
    await env.sleep('25 hours');
    await the.handleOf(assignment).result();
    expect(await the.facts.row(assignment)).toMatchObject({
      status: 'skipped',
      outcome_reason: 'no_evidence',
    });
    const after = await wallets(assignment);
    expect(after.artist).toMatchObject({ balance: before.artist.balance + 1, held: 0 });
    expect(after.supporter).toEqual(before.supporter);
  });

  it('what ops judge counts, and is not called provisional', async () => {
    const assignment = await the.publishOne();
    await the.opened(assignment);
    await submitProof(assignment);
    await env.sleep('25 hours');
    await the.inStage(assignment, 'ops');
    await the.handleOf(assignment).executeUpdate(assignmentUpdates.overrideOutcome, {
      args: [{ by: world.moderatorId, outcome: 'completed', reason: 'Seen on the profile.' }],
    });
    await env.sleep('49 hours');
    await the.handleOf(assignment).result();
    expect(await the.facts.row(assignment)).toMatchObject({ status: 'completed', provisional: false });
  });

  it('the scheduler is believed as always', async () => {
    const assignment = await the.publishOne();
    await the.opened(assignment);
    await the.handleOf(assignment).signal(assignmentSignals.scheduleReported, { status: 'completed' });
    await the.inStage(assignment, 'watch');
    await env.sleep('49 hours');
    await the.handleOf(assignment).result();
    expect(await the.facts.row(assignment)).toMatchObject({ status: 'completed', provisional: false });
  });

  it('SoundCloud is not asked for anything, and everything adds up', async () => {
    expect(await world.sandbox.admin.requests('soundcloud')).toEqual([]);
    expect(await ledgerViolations(world.db)).toEqual([]);
  });
});
