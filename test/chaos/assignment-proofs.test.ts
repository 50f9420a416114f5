/**
 * Proofs, looks and the watch against a SoundCloud that tells the truth, lies, or does not answer. An hour of business
 * time takes one and a half seconds, so a whole assignment takes some.
 */
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assignmentUpdates } from '../../workflows/assignment/contract.js';
import { assignmentsOf, type PublishedAssignment } from '../support/assignments.js';
import { eventually } from '../support/review-facts.js';
import { createWorld, type World } from '../support/world.js';
import { expectAssignmentInvariants } from './support/assignment-invariants.js';

let world: World;
let the: ReturnType<typeof assignmentsOf>;

beforeAll(async () => {
  world = await createWorld({ daySeconds: 36 });
  the = assignmentsOf(world);
  await setting({ proof_sla_hours: 4, watch_hours: 4 });
  await sql`update public.soundcloud_settings set review = review || '{"proof_answer_hours": 3}'`.execute(
    world.db,
  );
  await world.startWorker();
});

afterAll(async () => {
  await world?.remove();
});

async function setting(change: {
  proof_sla_hours?: number;
  watch_hours?: number;
  unrepost_after_hours?: number | null;
}) {
  await world.db.updateTable('soundcloud_settings').set(change).where('org_id', '=', world.orgId).execute();
}

function submitProof(assignment: PublishedAssignment, url = assignment.submission.trackUrl) {
  return the.handleOf(assignment).executeUpdate(assignmentUpdates.submitProof, {
    args: [{ by: 'the supporter', url }],
  });
}

/**
 * Another assignment of the same supporter, asked for after the slot of the first and reposted: what makes a missing
 * repost count.
 */
async function repostSomethingLater(assignment: PublishedAssignment): Promise<void> {
  const later = await the.publishOne({ supporters: [assignment.supporter], slotInHours: 2_000 });
  await the.repost(later);
}

const settled = (assignment: PublishedAssignment) => the.handleOf(assignment).result();

describe('a repost', () => {
  it('that is there is seen at once when the proof is handed in, watched, and earns its credits', async () => {
    const assignment = await the.publishOne({ price: 2 });
    await the.opened(assignment);
    expect(await the.facts.wait(assignment)).toMatchObject({ stage: 'proof', waiting_on: 'supporter' });
    await the.repost(assignment);
    await submitProof(assignment, `https://m.soundcloud.com/${assignment.supporter.handle.toUpperCase()}`);
    await the.inStage(assignment, 'watch');
    expect(await the.facts.row(assignment)).toMatchObject({
      status: 'completed',
      proof_url: `https://soundcloud.com/${assignment.supporter.handle}`,
      provisional: false,
      settled_at: null,
    });
    expect(await the.facts.wallet(assignment.artist)).toMatchObject({ balance: 1, held: 2 });
    await settled(assignment);
    expect((await the.facts.row(assignment)).settled_at).not.toBeNull();
    expect(await the.facts.wallet(assignment.artist)).toMatchObject({ balance: 1, held: 0 });
    expect(await the.facts.wallet(assignment.supporter)).toMatchObject({ balance: 3 });
    expect(await the.facts.events(assignment)).toEqual([
      'assignment.published',
      'assignment.completed',
      'assignment.settled',
    ]);
    const evidence = await the.facts.evidence(assignment);
    // The list may be looked at between the repost and its proof.
    const looked = evidence.filter((line) => line !== 'member_url inconclusive');
    expect(evidence.length - looked.length).toBe(1);
    expect(new Set(looked)).toEqual(new Set(['user_reposts seen']));
    // With the proof, and three times in the watch.
    expect(looked.length).toBeGreaterThanOrEqual(4);
    expect(await the.facts.mails(assignment)).toEqual(['assignment_published sent']);
    const { rows } = await sql<{ active: boolean }>`
      select last_activity_at = ${(await the.facts.row(assignment)).completed_at} as active
      from public.soundcloud_members where id = ${assignment.supporter.id}`.execute(world.db);
    expect(rows[0]?.active).toBe(true);
  });

  it('that nobody told of is found, and its maker is not reminded', async () => {
    const assignment = await the.publishOne();
    await the.repost(assignment);
    await the.inStage(assignment, 'watch');
    expect(await the.facts.row(assignment)).toMatchObject({ status: 'completed', proof_url: null });
    expect(await the.facts.mails(assignment)).toEqual(['assignment_published sent']);
  });

  it('that was not made is reminded of, looked for three times at the deadline, and fails', async () => {
    const assignment = await the.publishOne();
    await repostSomethingLater(assignment);
    await settled(assignment);
    expect(await the.facts.row(assignment)).toMatchObject({
      status: 'failed',
      outcome_reason: 'repost_absent',
    });
    expect(await the.facts.wallet(assignment.artist)).toMatchObject({ balance: 3, held: 0 });
    expect(await the.facts.mails(assignment)).toEqual(['assignment_published sent', 'proof_reminder sent']);
    expect(await the.facts.events(assignment)).toEqual([
      'assignment.published',
      'assignment.failed',
      'assignment.settled',
    ]);
    const absent = (await the.facts.evidence(assignment)).filter((line) => line === 'user_reposts absent+');
    // One for the reminder, three for the decision.
    expect(absent).toHaveLength(4);
  });

  it('that was not made, while the list shows nothing later, is for ops to judge', async () => {
    const assignment = await the.publishOne();
    const earlier = await the.publishOne({ supporters: [assignment.supporter], slotInHours: 2_000 });
    await the.repost(earlier, assignment.slotAt - 1);
    await sql`update public.soundcloud_events set occurred_at = ${new Date(assignment.slotAt)}
      where entity_id = ${earlier.id} and type = 'assignment.published'`.execute(world.db);
    await the.inStage(assignment, 'ops');
    const [task] = await the.facts.tasks(assignment);
    expect(task).toMatchObject({
      kind: 'proof_unverified',
      status: 'open',
      workflow_id: assignment.workflowId,
    });
    await the.handleOf(assignment).executeUpdate(assignmentUpdates.overrideOutcome, {
      args: [{ by: world.moderatorId, outcome: 'failed', reason: 'The profile does not show it.' }],
    });
    await settled(assignment);
    expect(await the.facts.row(assignment)).toMatchObject({
      status: 'failed',
      outcome_reason: 'The profile does not show it.',
    });
    expect((await the.facts.tasks(assignment))[0]).toMatchObject({
      status: 'done',
      resolved_by: world.moderatorId,
      resolution: { outcome: 'failed' },
    });
  });

  it('that is taken down within the watch does not count', async () => {
    const assignment = await the.publishOne();
    await the.repost(assignment);
    await repostSomethingLater(assignment);
    await the.opened(assignment);
    await submitProof(assignment);
    await the.inStage(assignment, 'watch');
    await the.unrepost(assignment);
    await settled(assignment);
    expect(await the.facts.row(assignment)).toMatchObject({
      status: 'failed',
      outcome_reason: 'unreposted',
    });
    expect(await the.facts.events(assignment)).toEqual([
      'assignment.published',
      'assignment.completed',
      'assignment.unreposted',
      'assignment.settled',
    ]);
    expect(await the.facts.wallet(assignment.artist)).toMatchObject({ balance: 3, held: 0 });
    expect(await the.facts.wallet(assignment.supporter)).toMatchObject({ balance: 1, held: 0 });
  });

  it('that is taken down as planned has earned its credits', async () => {
    await setting({ unrepost_after_hours: 1 });
    const assignment = await the.publishOne();
    await the.opened(assignment);
    await setting({ unrepost_after_hours: null });
    await the.repost(assignment);
    await repostSomethingLater(assignment);
    await submitProof(assignment);
    await the.inStage(assignment, 'watch');
    await the.unrepost(assignment);
    await settled(assignment);
    expect(await the.facts.row(assignment)).toMatchObject({ status: 'completed', provisional: false });
    expect(await the.facts.evidence(assignment)).toContain('user_reposts absent+');
    expect(await the.facts.wallet(assignment.supporter)).toMatchObject({ balance: 2 });
  });
});

describe('SoundCloud answers 200 with empty lists for a day', () => {
  it('and nobody fails: without proof it is skipped, with one accepted as provisional', async () => {
    const { admin } = world.sandbox;
    await admin.addFault('soundcloud', { kind: 'empty' });
    const [silent, handedIn, watched] = await the.publish({ count: 3 });
    if (!silent || !handedIn || !watched) throw new Error('three were published');
    for (const assignment of [silent, handedIn, watched]) await repostSomethingLater(assignment);
    await the.repost(handedIn);
    await the.opened(handedIn);
    await submitProof(handedIn);
    await the.opened(watched);
    await the.handleOf(watched).executeUpdate(assignmentUpdates.overrideOutcome, {
      args: [{ by: world.adminId, outcome: 'completed', reason: 'Seen on the profile.' }],
    });
    await Promise.all([silent, handedIn, watched].map(settled));
    await admin.clearFaults('soundcloud');
    expect(await the.facts.row(silent)).toMatchObject({ status: 'skipped', outcome_reason: 'no_evidence' });
    expect(await the.facts.row(handedIn)).toMatchObject({ status: 'completed', provisional: true });
    expect(await the.facts.row(watched)).toMatchObject({ status: 'completed', provisional: false });
    const verdicts = await world.db
      .selectFrom('soundcloud_proof_checks')
      .select('verdict')
      .where('assignment_id', 'in', [silent.id, handedIn.id, watched.id])
      .execute();
    expect(new Set(verdicts.map(({ verdict }) => verdict))).toEqual(new Set(['inconclusive']));
    for (const assignment of [silent, handedIn])
      expect((await the.facts.tasks(assignment))[0]).toMatchObject({ status: 'done' });
  });
});

describe('SoundCloud answers 429', () => {
  it('for hours: the clock stands still, and what was due is decided after it is back', async () => {
    const { admin } = world.sandbox;
    await admin.addFault('soundcloud', { kind: 'status', status: 429 });
    const [paused, decided] = await the.publish({ count: 2 });
    if (!paused || !decided) throw new Error('two were published');
    await the.opened(paused);
    await submitProof(paused);
    await eventually('the clock stands still', async () => {
      const wait = await the.facts.wait(paused);
      return wait?.waiting_on === 'provider' && wait.paused;
    });
    // The other one is asked about only at three quarters of its time; by the deadline it stands still too.
    await eventually('the other one waits for SoundCloud', async () => {
      return (await the.facts.wait(decided))?.waiting_on === 'provider';
    });
    await eventually('the deadline has passed', async () => {
      return (await the.businessNow()) > paused.slotAt + 5 * 3_600_000;
    });
    for (const assignment of [paused, decided]) {
      expect(await the.facts.row(assignment)).toMatchObject({ status: 'assigned', settled_at: null });
      await the.repost(assignment);
    }
    await admin.clearFaults('soundcloud');
    for (const assignment of [paused, decided]) await the.inStage(assignment, 'watch');
    await Promise.all([paused, decided].map(settled));
    for (const assignment of [paused, decided])
      expect(await the.facts.row(assignment)).toMatchObject({ status: 'completed', provisional: false });
  });
});

describe('afterwards', () => {
  it('everything adds up', async () => {
    await expectAssignmentInvariants(world);
  });
});
