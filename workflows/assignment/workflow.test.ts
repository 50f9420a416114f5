/** The assignment against the time-skipping server: days pass in seconds. Few workflows a test, one server for the file. */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HOUR_MS } from '../../domain/calendar.js';
import { assignmentsOf } from '../../test/support/assignments.js';
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
  await world.startWorker();
});

afterAll(async () => {
  await world?.remove();
  await env?.teardown();
});

describe('what the scheduler reports', () => {
  it('is evidence of the proof when it completes the assignment, and of the watch after that', async () => {
    const assignment = await the.publishOne();
    await the.opened(assignment);
    const phases = async () => {
      const rows = await world.db
        .selectFrom('soundcloud_proof_checks')
        .select(['phase', 'verdict'])
        .where('assignment_id', '=', assignment.id)
        .where('source', '=', 'scheduler')
        .orderBy('created_at')
        .execute();
      return rows.map(({ phase, verdict }) => `${phase} ${verdict}`);
    };
    const report = () =>
      the.handleOf(assignment).signal(assignmentSignals.scheduleReported, { status: 'completed' });
    await report();
    await the.inStage(assignment, 'watch');
    expect(await phases()).toEqual(['proof seen']);
    await report();
    await eventually('the second report', async () => (await phases()).length === 2);
    expect(await phases()).toEqual(['proof seen', 'watch seen']);
  });
});

describe('the time for a proof', () => {
  it('ends 24 h after the slot, with a reminder after 18 h; then ops have a day', async () => {
    const assignment = await the.publishOne({ slotInHours: 2 });
    await the.opened(assignment);
    const wait = await the.facts.wait(assignment);
    expect(wait?.due_at?.getTime()).toBe(assignment.slotAt + 24 * HOUR_MS);
    await env.sleep('19 hours');
    expect(await the.facts.mails(assignment)).toEqual(['assignment_published sent']);
    await env.sleep('2 hours');
    await eventually('the reminder', async () =>
      (await the.facts.mails(assignment)).includes('proof_reminder sent'),
    );
    await env.sleep('6 hours');
    await the.inStage(assignment, 'ops');
    await the.handleOf(assignment).signal(assignmentSignals.submitProof, {
      by: 'the supporter',
      url: assignment.submission.trackUrl,
      commandId: 'too late',
    });
    await env.sleep('20 hours');
    expect(await the.facts.row(assignment)).toMatchObject({ status: 'assigned', proof_url: null });
    await env.sleep('5 hours');
    await the.handleOf(assignment).result();
    expect(await the.facts.row(assignment)).toMatchObject({
      status: 'skipped',
      outcome_reason: 'no_evidence',
    });
    expect(await the.facts.mails(assignment)).toEqual(['assignment_published sent', 'proof_reminder sent']);
    const refused = await world.db
      .selectFrom('soundcloud_commands')
      .select(['status', 'code'])
      .where('workflow_id', '=', assignment.workflowId)
      .where('name', '=', 'submitProof')
      .executeTakeFirst();
    expect(refused).toEqual({ status: 'refused', code: 'proof_too_late' });
  });

  it('stands still while SoundCloud does not answer, and the watch of 48 h follows', async () => {
    const { admin } = world.sandbox;
    const assignment = await the.publishOne();
    await the.opened(assignment);
    await admin.addFault('soundcloud', { kind: 'status', status: 503 });
    await the.handleOf(assignment).executeUpdate(assignmentUpdates.submitProof, {
      args: [{ by: 'the supporter', url: assignment.submission.trackUrl }],
    });
    await env.sleep('5 minutes');
    await eventually('the pause', async () => (await the.facts.wait(assignment))?.paused);
    expect(await the.facts.wait(assignment)).toMatchObject({ waiting_on: 'provider', due_at: null });
    await env.sleep('30 hours');
    expect(await the.facts.row(assignment)).toMatchObject({ status: 'assigned' });
    await admin.clearFaults('soundcloud');
    await env.sleep('20 minutes');
    await eventually('the clock runs', async () => (await the.facts.wait(assignment))?.paused === false);
    const left = ((await the.facts.wait(assignment))?.due_at?.getTime() ?? 0) - (await env.currentTimeMs());
    expect(left / HOUR_MS).toBeGreaterThan(23);
    await the.repost(assignment);
    // Three quarters of the remainder: it is seen then.
    await env.sleep('20 hours');
    await the.inStage(assignment, 'watch');
    await env.sleep('45 hours');
    expect((await the.facts.row(assignment)).settled_at).toBeNull();
    await env.sleep('4 hours');
    await the.handleOf(assignment).result();
    expect(await the.facts.row(assignment)).toMatchObject({ status: 'completed', provisional: false });
  });
});

describe('a repost that is missing after the planned un-repost', () => {
  it('is for ops while Influence Planner has a schedule for it, and was never made otherwise', async () => {
    const setting = (unrepost_after_hours: number | null) =>
      world.db.updateTable('soundcloud_settings').set({ unrepost_after_hours }).execute();
    await setting(3);
    const [byHand, scheduled] = await the.publish({ count: 2, slotInHours: 1 });
    if (byHand === undefined || scheduled === undefined) throw new Error('two were published');
    await setting(null);
    await sql`insert into public.soundcloud_schedules (org_id, parent_type, parent_id, assignment_id, target_handle,
        member_account_id, status, scheduled_at)
      select ${world.orgId}, 'submission', ${scheduled.submission.id}, ${scheduled.id}, account.handle, account.id,
        'scheduled', ${new Date(scheduled.slotAt)}
      from public.soundcloud_member_accounts account where account.member_id = ${scheduled.supporter.id}`.execute(
      world.db,
    );
    for (const assignment of [byHand, scheduled]) await the.opened(assignment);
    await env.sleep('2 hours');
    // Asked for after the slot of the first, and reposted: what makes a missing repost count.
    for (const { supporter } of [byHand, scheduled])
      await the.repost(await the.publishOne({ supporters: [supporter], slotInHours: 2_000 }));
    await env.sleep('25 hours');
    await the.inStage(scheduled, 'ops');
    expect((await the.facts.tasks(scheduled))[0]?.body).toMatch(/takes the repost down as planned 3 h after/);
    await the.handleOf(byHand).result();
    expect(await the.facts.row(byHand)).toMatchObject({ status: 'failed', outcome_reason: 'repost_absent' });
  });
});

describe('a track that the supporter reposted before', () => {
  it('is looked for in the next list, which may know that the old repost is gone', async () => {
    const before = await the.publishOne({ unstarted: true });
    const assignment = await the.publishOne({
      supporters: [before.supporter],
      submission: before.submission,
      slotInHours: 2,
    });
    const check = (source: string, verdict: string, hoursAgo: number) =>
      sql`insert into public.soundcloud_proof_checks (org_id, assignment_id, phase, source, verdict, positive_control,
          facts, check_key, checked_at)
        values (${world.orgId}, ${before.id}, 'watch', ${source}, ${verdict}, ${verdict === 'absent'}, '{}',
          ${`before:${source}`}, ${new Date(assignment.slotAt - hoursAgo * HOUR_MS)})`.execute(world.db);
    await check('user_reposts', 'seen', 9);
    await check('reposters', 'absent', 8);
    await the.opened(assignment);
    await the.repost(assignment);
    await the.handleOf(assignment).executeUpdate(assignmentUpdates.submitProof, {
      args: [{ by: 'the supporter', url: assignment.submission.trackUrl }],
    });
    await the.inStage(assignment, 'watch');
    expect(await the.facts.evidence(assignment)).toEqual(
      expect.arrayContaining(['user_reposts inconclusive', 'reposters seen']),
    );
  });
});
