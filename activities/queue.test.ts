/** The daily queue's steps against a real database: drafts, edits, publishing, shifts, lapse, backfill, settling. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDatabase, type Db, withOrg } from '../db/client.js';
import { postCredits } from '../db/credits.js';
import { ledgerViolations } from '../db/ledger-invariants.js';
import { insertSubmissionProposal } from '../db/proposals.js';
import { loadQueueFacts } from '../db/queue-facts.js';
import { loadSettings } from '../db/settings.js';
import { HOUR_MS } from '../domain/calendar.js';
import { nextQueueAlarm } from '../domain/daily-queue.js';
import type { QueueCommand } from '../domain/daily-queue-commands.js';
import { checkPair, prepareFacts } from '../domain/queue-changes.js';
import type { Proposal } from '../domain/targeting-types.js';
import { createTestDatabase, type TestDatabase } from '../test/support/database.js';
import { addApproved, addMembers, createQueueOrg, queueFacts } from '../test/support/queue-world.js';
import { eventually } from '../test/support/review-facts.js';
import { createQueueActivities } from './queue.js';
import { backfill } from './queue-backfill.js';

const DATE = '2026-05-11';
const NEXT_DATE = '2026-05-12';
const SIX = Date.UTC(2026, 4, 11, 6);
const TEN = SIX + 4 * HOUR_MS;

let database: TestDatabase;
let owner: Db;
let worker: Db;
let activities: ReturnType<typeof createQueueActivities>;
let orgs = 0;
let orgId: string;
let adminId: string;
let facts: ReturnType<typeof queueFacts>;
let artist: string;
let others: string[];
let submission: string;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = createDatabase(database.adminUrl, { max: 4 });
  worker = createDatabase(database.workerUrl, { max: 4 });
  activities = createQueueActivities({ db: worker });
});

afterAll(async () => {
  expect(await ledgerViolations(owner)).toEqual([]);
  await worker?.destroy();
  await owner?.destroy();
  await database?.drop();
});

// An artist with 3 credits, and four supporters of one credit each.
beforeEach(async () => {
  orgs += 1;
  ({ orgId, adminId } = await createQueueOrg(owner, `Queue ${orgs}`));
  facts = queueFacts(owner, orgId);
  const member = (handle: string, more = {}) => ({ handle: `${handle}-${orgs}`, activeAt: SIX, ...more });
  const [first = '', ...rest] = await addMembers(owner, orgId, [
    member('artist', { balance: 3 }),
    member('one'),
    member('two'),
    member('three'),
    member('four'),
    member('rocker', { family: 'Rock' }),
  ]);
  artist = first;
  others = rest;
  [submission = ''] = await addApproved(owner, orgId, [
    { memberId: artist, slug: 'track', artist: `artist-${orgs}`, supportDate: DATE },
  ]);
});

const target = (date = DATE) => ({ orgId, date, workflowId: `queue:${orgId}:${date}` });
const run = <I, O>(activity: (input: I) => Promise<O>, input: I): Promise<O> =>
  new MockActivityEnvironment().run(activity, input) as Promise<O>;
const generate = (stepId = 'generate', now = SIX, date = DATE) =>
  run(activities.generateQueue, { ...target(date), stepId, command: null, now });

type Asked = {
  [N in QueueCommand['name']]: Omit<Extract<QueueCommand, { name: N }>, 'commandId' | 'by'>;
}[QueueCommand['name']];
let commands = 0;
function ask(command: Asked, now = TEN) {
  commands += 1;
  const full = { ...command, commandId: `command-${commands}`, by: adminId } as QueueCommand;
  return run(activities.changeQueue, { ...target(), command: full, stepId: full.commandId, now });
}
async function publish(now = TEN) {
  const queue = await facts.queue(DATE);
  return run(activities.publishQueue, { ...target(), revision: queue?.revision ?? 0, now });
}
const setTerms = (fee_percent: number, unrepost_after_hours: number | null) =>
  owner
    .updateTable('soundcloud_settings')
    .set({ fee_percent, unrepost_after_hours })
    .where('org_id', '=', orgId)
    .execute();
/** What is kept with each assignment as promised. */
const termsOf = async () =>
  (await facts.assignments(DATE)).map(({ fee_percent, unrepost_after_hours }) => ({
    fee_percent,
    unrepost_after_hours,
  }));
const supportersOf = async () => (await facts.assignments(DATE)).map((row) => row.supporter_id);

describe('a draft', () => {
  it('is written with rows, reasons, cut-off, event, wait and a word to ops, once', async () => {
    const { state } = await generate();
    expect(await generate()).toMatchObject({ applied: true, state });
    expect(state).toMatchObject({
      stage: 'approval',
      revision: 1,
      assignments: 3,
      approveBy: Date.UTC(2026, 4, 11, 12),
    });
    const rows = await facts.assignments(DATE);
    expect(rows).toHaveLength(3);
    for (const row of rows) {
      expect(row).toMatchObject({
        submission_id: submission,
        credits_allocated: 1,
        reach: 600,
        status: 'assigned',
      });
      expect(row.slot_at?.getTime()).toBeGreaterThanOrEqual(Date.UTC(2026, 4, 11, 12));
    }
    expect(await facts.events()).toEqual({ 'queue.drafted': 1 });
    expect(await facts.notifications()).toEqual([`The queue of ${DATE} is drafted`]);
    expect(await facts.heldCredits()).toBe(0);
    const wait = await owner
      .selectFrom('soundcloud_waits')
      .selectAll()
      .where('org_id', '=', orgId)
      .executeTakeFirstOrThrow();
    expect(wait).toMatchObject({ entity_type: 'queue', stage: 'approval', waiting_on: 'ops' });
    const health = await owner
      .selectFrom('soundcloud_automation_health')
      .select(['success_count', 'error_count'])
      .where('org_id', '=', orgId)
      .where('automation_name', '=', 'daily-queue')
      .executeTakeFirstOrThrow();
    expect(health).toEqual({ success_count: 1, error_count: 0 });
  });

  it('is not made without demand', async () => {
    await sql`update soundcloud_submissions set support_date = ${NEXT_DATE} where id = ${submission}`.execute(
      owner,
    );
    expect(await generate()).toMatchObject({ state: { stage: 'generation', queueId: null } });
    expect(await facts.queue(DATE)).toBeUndefined();
    expect(await facts.events()).toEqual({});
  });

  it('does not take what another draft has already', async () => {
    await generate();
    expect(await generate('tomorrow', TEN, NEXT_DATE)).toMatchObject({ state: { queueId: null } });
  });

  it('made anew keeps the cut-off and the ids of the pairs that stay', async () => {
    const { state } = await generate();
    const before = await facts.assignments(DATE);
    await sql`update soundcloud_member_accounts set status = 'reconnect' where member_id = ${before[0]?.supporter_id}`.execute(
      owner,
    );
    const again = await run(activities.generateQueue, {
      ...target(),
      stepId: 'again',
      command: { name: 'regenerate', commandId: 'again', by: adminId },
      now: TEN,
    });
    expect(again.state).toMatchObject({ revision: 2, approveBy: state.approveBy, generatedAt: SIX });
    const after = await facts.assignments(DATE);
    expect(after.map((row) => row.supporter_id)).not.toContain(before[0]?.supporter_id);
    expect(after.map((row) => row.id)).toEqual(expect.arrayContaining(before.slice(1).map((row) => row.id)));
  });
});

describe('ops', () => {
  it('swap: a broken rule is refused with its code, insisted on with a reason, and audited', async () => {
    await generate();
    const [first] = await facts.assignments(DATE);
    const rocker = others.at(-1) ?? '';
    const swap = { name: 'swapAssignment' as const, assignmentId: first?.id ?? '', supporterId: rocker };
    const refused = await ask(swap);
    expect(refused).toMatchObject({ applied: false, code: 'pair_excluded', state: { revision: 1 } });
    expect(refused).toMatchObject({ reason: expect.stringContaining('genre') });

    const insisted = await ask({ ...swap, reason: 'The label asked for this channel.' });
    expect(insisted).toMatchObject({ applied: true, state: { revision: 2, assignments: 3 } });
    const rows = await facts.assignments(DATE);
    expect(rows.find((row) => row.id === first?.id)).toMatchObject({ supporter_id: rocker });
    const trail = await owner
      .selectFrom('soundcloud_audit_log')
      .selectAll()
      .where('org_id', '=', orgId)
      .executeTakeFirstOrThrow();
    expect(trail).toMatchObject({
      action: 'queue.override',
      actor_id: adminId,
      reason: 'The label asked for this channel.',
      details: { codes: ['genre'], to: rocker },
    });

    // What ops insisted on is not dropped by the check at publishing.
    await ask({ name: 'approve' });
    await publish();
    expect(await supportersOf()).toContain(rocker);
  });

  it('are told of a pair what the whole network says, from the facts of one supporter', async () => {
    const [rival = ''] = await addApproved(owner, orgId, [
      { memberId: others[0] ?? '', slug: 'rival', artist: `one-${orgs}`, supportDate: DATE },
    ]);
    await generate();
    const queue = await facts.queue(DATE);
    const settings = await withOrg(worker, orgId, (trx) => loadSettings(trx, orgId));
    const question = { orgId, date: NEXT_DATE, now: TEN, earliest: TEN, settings, queueId: null };
    const codesOf = async (supporterId: string, supporterIds?: string[]) =>
      withOrg(worker, orgId, async (trx) => {
        const { input } = await loadQueueFacts(trx, {
          ...question,
          submissionIds: [submission, rival],
          ...(supporterIds && { supporterIds }),
        });
        const prepared = prepareFacts(input);
        return [submission, rival].map((submission_id) =>
          checkPair({ submission_id, supporter_id: supporterId }, { assignments: [], held: false }, prepared),
        );
      });
    // The drafts of this date are history for the next: cool-downs of tracks, artists and pairs, both ways.
    const found = new Set<string>();
    for (const id of [artist, ...others]) {
      const whole = await codesOf(id);
      expect(await codesOf(id, [id])).toEqual(whole);
      for (const { code } of whole.flat()) found.add(code);
    }
    expect(queue?.status).toBe('draft');
    expect([...found]).toEqual(expect.arrayContaining(['self', 'genre', 'pair_cooldown', 'track_cooldown']));
  });

  it('no reason buys what the member cannot pay, or brings in who is there', async () => {
    await generate();
    const rows = await facts.assignments(DATE);
    const free = others.find((id) => !rows.some((row) => row.supporter_id === id)) ?? '';
    const reason = 'Please.';
    expect(
      await ask({ name: 'addAssignment', submissionId: submission, supporterId: free, reason }),
    ).toMatchObject({ applied: false, code: 'pair_impossible', reason: expect.stringContaining('budget') });
    expect(
      await ask({
        name: 'addAssignment',
        submissionId: submission,
        supporterId: rows[0]?.supporter_id ?? '',
        reason,
      }),
    ).toMatchObject({ applied: false, code: 'already_in_queue' });
    expect(
      await ask({ name: 'addAssignment', submissionId: submission, supporterId: orgId, reason }),
    ).toMatchObject({ applied: false, code: 'supporter_unknown' });
    expect(
      await ask({ name: 'addAssignment', submissionId: orgId, supporterId: free, reason }),
    ).toMatchObject({ applied: false, code: 'submission_not_due' });
  });

  it('cannot bring in a member without an account, with a reason or without, and are told to add one', async () => {
    await generate();
    const rows = await facts.assignments(DATE);
    await ask({ name: 'dropAssignment', assignmentId: rows[0]?.id ?? '' });
    const supporterId = others.find((id) => !rows.some((row) => row.supporter_id === id)) ?? '';
    await owner.deleteFrom('soundcloud_member_accounts').where('member_id', '=', supporterId).execute();
    for (const reason of [undefined, 'The label asked for this channel.']) {
      const insist = reason === undefined ? {} : { reason };
      expect(
        await ask({ name: 'addAssignment', submissionId: submission, supporterId, ...insist }),
      ).toMatchObject({
        applied: false,
        code: 'pair_impossible',
        reason: expect.stringContaining(`Add one with POST /v1/members/${supporterId}/accounts`),
      });
    }
  });

  it('cannot approve what would go out without a slot: it stays a draft, whatever its cut-off', async () => {
    await generate();
    expect(await ask({ name: 'approve' }, Date.UTC(2026, 4, 11, 21, 29, 1))).toMatchObject({
      applied: false,
      code: 'too_late_to_publish',
      reason: expect.stringContaining('the last moment was 21:29'),
      state: { stage: 'approval', revision: 1 },
    });
    const last = Date.UTC(2026, 4, 11, 21, 29);
    expect(await ask({ name: 'approve' }, last)).toMatchObject({ applied: true });
    await publish(last);
    expect(await facts.assignments(DATE)).toHaveLength(3);
  });

  it('have until the last moment with a slot, however many hours they are promised', async () => {
    await sql`update soundcloud_settings set queue_hours = '{"window_end": "13:00", "min_approval_hours": 8}'
      where org_id = ${orgId}`.execute(owner);
    expect((await generate()).state).toMatchObject({ approveBy: Date.UTC(2026, 4, 11, 12, 25) });
  });

  it('drop one, add another, and approve without a third', async () => {
    await generate();
    const rows = await facts.assignments(DATE);
    const free = others.find((id) => !rows.some((row) => row.supporter_id === id)) ?? '';
    expect(await ask({ name: 'dropAssignment', assignmentId: rows[0]?.id ?? '' })).toMatchObject({
      applied: true,
    });
    expect(await ask({ name: 'dropAssignment', assignmentId: rows[0]?.id ?? '' })).toMatchObject({
      code: 'assignment_not_in_queue',
    });
    expect(await ask({ name: 'addAssignment', submissionId: submission, supporterId: free })).toMatchObject({
      applied: true,
    });
    expect(await ask({ name: 'approve', excludeAssignmentIds: [rows[0]?.id ?? ''] })).toMatchObject({
      code: 'assignment_not_in_queue',
    });
    const approved = await ask({ name: 'approve', excludeAssignmentIds: [rows[1]?.id ?? ''] });
    expect(approved).toMatchObject({ applied: true, state: { stage: 'publishing', approvedBy: adminId } });
    expect(await facts.drafts()).toEqual([
      { revision: 1, cause: 'generated', assignments: 3 },
      { revision: 2, cause: 'dropped', assignments: 2 },
      { revision: 3, cause: 'added', assignments: 3 },
      { revision: 4, cause: 'approved', assignments: 2 },
    ]);
    expect((await supportersOf()).sort()).toEqual([rows[2]?.supporter_id, free].sort());
    expect(await ask({ name: 'approve' })).toMatchObject({ applied: false, code: 'queue_already_approved' });
  });
});

describe('publishing', () => {
  beforeEach(async () => {
    await generate();
    await ask({ name: 'approve' });
  });

  /** Another submission of the artist, that the draft has no place for. */
  async function addUnserved(): Promise<string> {
    const [second = ''] = await addApproved(owner, orgId, [
      { memberId: artist, slug: 'second', artist: `artist-${orgs}`, supportDate: DATE },
    ]);
    const wait = { submission_id: second, member_id: null, served: false, assignments: 0, reach: 0 };
    const unfilled = JSON.stringify([{ ...wait, target_reach: 0, missing: null, code: 'budget', facts: {} }]);
    await sql`update soundcloud_queue_drafts set unfilled = ${unfilled}::jsonb where org_id = ${orgId}`.execute(
      owner,
    );
    return second;
  }

  it('holds every price, keeps what is promised with it, and tells everybody, once', async () => {
    expect(await termsOf()).toEqual(Array(3).fill({ fee_percent: null, unrepost_after_hours: null }));
    await setTerms(25, 36);
    const first = await publish();
    await setTerms(50, null);
    expect(await publish()).toMatchObject({ applied: true, state: { stage: 'settling' } });
    expect(first.state).toMatchObject({ stage: 'settling', status: 'published', assignments: 3 });
    expect(await facts.heldCredits()).toBe(3);
    expect(await termsOf()).toEqual(Array(3).fill({ fee_percent: 25, unrepost_after_hours: 36 }));
    expect(await facts.events()).toEqual({
      'queue.drafted': 1,
      'queue.approved': 1,
      'queue.published': 1,
      'submission.assigned': 1,
      'assignment.published': 3,
    });
  });

  it('moves slots that are too soon to the next free one, and drops what does not fit any more', async () => {
    const late = Date.UTC(2026, 4, 11, 21, 20);
    await publish(late);
    const slots = (await facts.assignments(DATE)).map((row) => row.slot_at?.getTime() ?? 0);
    expect(slots).toHaveLength(3);
    for (const slot of slots) expect(slot).toBeGreaterThanOrEqual(late + 30 * 60_000);
  });

  it('after the window nothing fits: nobody pays, and the submission moves on with the reason', async () => {
    await publish(Date.UTC(2026, 4, 11, 21, 45));
    expect(await facts.assignments(DATE)).toEqual([]);
    expect(await facts.heldCredits()).toBe(0);
    expect(await facts.submission(submission)).toMatchObject({
      support_date: NEXT_DATE,
      auto_shifted: true,
      shift_count: 1,
      shift_reason: `No place in the queue of ${DATE}: it went out when the slots of those who fit had passed.`,
    });
    expect(await facts.events()).toMatchObject({ 'submission.shifted': 1, 'queue.published': 1 });
    expect(await facts.notifications()).toContain(`The queue of ${DATE} went out empty`);
  });

  it('drops who dropped out, and asks the next one', async () => {
    const before = await supportersOf();
    const free = others.slice(0, 4).find((id) => !before.includes(id)) ?? '';
    await sql`update soundcloud_member_accounts set status = 'disconnected' where member_id = ${before[0]}`.execute(
      owner,
    );
    await publish();
    const after = await facts.assignments(DATE);
    expect(after.map((row) => row.supporter_id).sort()).toEqual([free, before[1], before[2]].sort());
    expect(after.map((row) => row.position)).toEqual([1, 2, 3]);
    expect(await facts.heldCredits()).toBe(3);
    expect(await facts.events()).toMatchObject({ 'assignment.published': 3 });
  });

  it('keeps what was drafted when the proposal is built anew meanwhile', async () => {
    await withOrg(worker, orgId, (trx) =>
      insertSubmissionProposal(trx, {
        orgId,
        submissionId: submission,
        proposal: {
          proposed_targets: [],
          conflicts: [],
          total_capacity: 0,
          estimated_credits: 0,
          criteria: {} as Proposal['criteria'],
        },
        reach: { expected_reach_min: 0, expected_reach_max: 0, expected_reach_planned: 0 },
        supportDate: NEXT_DATE,
        createdAt: TEN,
        expiresAt: TEN + 24 * HOUR_MS,
      }),
    );
    await publish();
    expect(await facts.assignments(DATE)).not.toEqual([]);
  });

  it('asks nobody for a submission whose support is concluded, though its row is not closed yet', async () => {
    await sql`update public.soundcloud_submissions set support_ended_at = ${new Date(TEN)}
      where id = ${submission}`.execute(owner);
    await publish();
    expect(await facts.assignments(DATE)).toEqual([]);
    const { rows } = await sql<{ n: number }>`select shift_count as n from public.soundcloud_submissions
      where id = ${submission}`.execute(owner);
    expect(rows).toEqual([{ n: 0 }]);
  });

  it('does not bring back whom ops took out', async () => {
    const before = await supportersOf();
    await sql`update soundcloud_queues set status = 'draft' where org_id = ${orgId}`.execute(owner);
    const rows = await facts.assignments(DATE);
    await ask({ name: 'dropAssignment', assignmentId: rows[0]?.id ?? '' });
    await ask({ name: 'approve' });
    await sql`update soundcloud_member_accounts set status = 'disconnected' where member_id = ${before[1]}`.execute(
      owner,
    );
    await publish();
    expect(await supportersOf()).not.toContain(before[0]);
    expect(await supportersOf()).toHaveLength(2);
  });

  it('leaves out a submission that was withdrawn meanwhile, without a shift', async () => {
    await sql`update soundcloud_submissions set status = 'rejected', withdrawn_at = now() where id = ${submission}`.execute(
      owner,
    );
    await publish();
    expect(await facts.assignments(DATE)).toEqual([]);
    expect(await facts.submission(submission)).toMatchObject({ shift_count: 0, support_date: DATE });
  });

  it('waits for a withdrawal of what it has no place for before it takes a wallet', async () => {
    const second = await addUnserved();
    let publishing: ReturnType<typeof publish> | undefined;
    await owner.transaction().execute(async (trx) => {
      // As a withdrawal: the submission's row, then the wallet of its member.
      await sql`select id from soundcloud_submissions where id = ${second} for update`.execute(trx);
      publishing = publish();
      await eventually('publishing waits', async () => {
        const { rows } = await sql<{ waiting: number }>`select count(*)::int as waiting from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock'`.execute(owner);
        return rows[0]?.waiting === 1;
      });
      await sql`select id from soundcloud_repost_credit_wallet where org_id = ${orgId} and member_id = ${artist}
        for update nowait`.execute(trx);
    });
    expect(await publishing).toMatchObject({ state: { status: 'published', assignments: 3 } });
    expect(await facts.submission(second)).toMatchObject({ support_date: NEXT_DATE });
  });

  it('publishes what the member still can pay', async () => {
    await owner.transaction().execute((trx) =>
      sql`select set_config('app.org_id', ${orgId}, true)`.execute(trx).then(() =>
        postCredits(
          trx,
          orgId,
          [
            {
              kind: 'manual',
              member_id: artist,
              amount: -2,
              reason: 'correction',
              key: `minus-${orgId}`,
            },
          ],
          { at: new Date(TEN) },
        ),
      ),
    );
    await publish();
    expect(await facts.assignments(DATE)).toHaveLength(1);
    expect(await facts.heldCredits()).toBe(1);
  });

  it('asks ops about a submission that nobody supports for too long', async () => {
    await sql`update soundcloud_submissions set shift_count = 13 where id = ${submission}`.execute(owner);
    await sql`update soundcloud_members set status = 'needs_reconnect' where org_id = ${orgId}`.execute(
      owner,
    );
    await publish();
    const tasks = await owner
      .selectFrom('soundcloud_ops_tasks')
      .selectAll()
      .where('org_id', '=', orgId)
      .execute();
    expect(tasks).toMatchObject([{ kind: 'submission_shifts', entity_id: submission, status: 'open' }]);
  });

  it('tells ops once of all that nobody supports for too long, whatever kept each from the queue', async () => {
    const second = await addUnserved();
    await sql`update soundcloud_submissions set shift_count = 13 where org_id = ${orgId}`.execute(owner);
    await publish(Date.UTC(2026, 4, 11, 21, 45));
    const reasons = await Promise.all(
      [submission, second].map(async (id) => (await facts.submission(id))?.shift_reason),
    );
    expect(reasons).toEqual([
      expect.stringContaining('had passed'),
      expect.stringContaining('nobody was free'),
    ]);
    const told = await owner
      .selectFrom('soundcloud_notifications')
      .select(['user_id', 'message'])
      .where('org_id', '=', orgId)
      .where('title', '=', 'Submissions find no supporter')
      .execute();
    expect(told).toEqual([{ user_id: adminId, message: expect.stringMatching(/^2 were shifted/) }]);
  });
});

describe('a queue nobody approves', () => {
  it('lapses: its submissions move on, and a later request makes it after all', async () => {
    const { state } = await generate();
    const lapse = { ...target(), revision: state.revision, now: Date.UTC(2026, 4, 11, 12) };
    const lapsed = await run(activities.lapseQueue, lapse);
    expect(await run(activities.lapseQueue, lapse)).toEqual(lapsed);
    expect(lapsed.state).toMatchObject({ stage: 'closed', status: 'lapsed', assignments: 0 });
    expect(await facts.submission(submission)).toMatchObject({ support_date: NEXT_DATE, shift_count: 1 });
    expect(await facts.events()).toEqual({ 'queue.drafted': 1, 'submission.shifted': 1, 'queue.lapsed': 1 });
    expect(await facts.notifications()).toContain(`The queue of ${DATE} lapsed`);

    await sql`update soundcloud_queues set status = 'draft', approve_by = null, closed_at = null
      where org_id = ${orgId}`.execute(owner);
    const again = await generate('again', Date.UTC(2026, 4, 11, 13));
    expect(again.state).toMatchObject({
      stage: 'approval',
      revision: 2,
      assignments: 3,
      approveBy: Date.UTC(2026, 4, 11, 15),
    });
    expect(await facts.submission(submission)).toMatchObject({
      support_date: DATE,
      shift_count: 0,
      auto_shifted: false,
    });
  });

  it('asked for again, lapses again with an event and a word to ops each time', async () => {
    const late = Date.UTC(2026, 4, 11, 19);
    const askAgain = () =>
      sql`update soundcloud_queues set status = 'draft', approve_by = null, closed_at = null
        where org_id = ${orgId}`.execute(owner);
    const { state } = await generate();
    await run(activities.lapseQueue, {
      ...target(),
      revision: state.revision,
      now: Date.UTC(2026, 4, 11, 12),
    });
    for (const stepId of ['run-1:1', 'run-2:1']) {
      await askAgain();
      for (const _ of ['once', 'and repeated']) {
        await run(activities.missQueue, { ...target(), stepId, now: late });
      }
    }
    expect((await facts.events())['queue.lapsed']).toBe(3);
    expect(await facts.queue(DATE)).toMatchObject({ status: 'lapsed', closed_at: new Date(late) });
    const missed = async () =>
      (await facts.notifications()).filter((title) => title === `There is no queue for ${DATE}`).length;
    expect(await missed()).toBe(2);

    await sql`update soundcloud_submissions set status = 'rejected' where id = ${submission}`.execute(owner);
    await askAgain();
    expect((await generate('run-3:1')).state).toMatchObject({ stage: 'closed', status: 'lapsed' });
    expect((await facts.events())['queue.lapsed']).toBe(4);
    expect(await missed()).toBe(3);
  });

  it('whose draft fails: ops are told once of each reason, and of each request', async () => {
    const fail = (stepId: string, reason: string) =>
      run(activities.reportQueueFailure, { ...target(), stepId, reason, now: SIX });
    await fail('run-1:1', 'no memory');
    await fail('run-1:1', 'no memory');
    await fail('run-1:1', 'no disk');
    await fail('run-2:1', 'no disk');
    const told = (await facts.notifications()).filter((title) => title.endsWith('could not be generated'));
    expect(told).toHaveLength(3);
  });

  describe('but an approval was asked for', () => {
    const NOON = Date.UTC(2026, 4, 11, 12);
    const request = async (digit: string, at: number, command: object = {}, name = 'approve') => {
      const id = digit.repeat(64);
      await owner
        .insertInto('soundcloud_commands')
        .values({
          id,
          org_id: orgId,
          workflow_id: target().workflowId,
          name,
          payload: JSON.stringify({ by: adminId, commandId: id, ...command }),
          created_at: new Date(at),
        })
        .execute();
    };
    const outcomes = async (...names: string[]) => {
      const rows = await owner
        .selectFrom('soundcloud_commands')
        .select(['status', 'code'])
        .where('org_id', '=', orgId)
        .where('name', 'in', ['approve', ...names])
        .orderBy('id')
        .execute();
      return rows.map(({ status, code }) => code ?? status);
    };
    const lapse = (now = NOON + 100) => run(activities.lapseQueue, { ...target(), revision: 1, now });

    it('before the cut-off: it counts, and a stale one before it does not', async () => {
      await generate();
      await request('1', NOON - 3, { ifRevision: 7 });
      await request('2', NOON - 2);
      await request('3', NOON - 1);
      const { state } = await lapse();
      expect(state).toMatchObject({
        stage: 'publishing',
        status: 'approved',
        revision: 2,
        approvedBy: adminId,
        approvedAt: NOON - 2,
      });
      expect(await lapse()).toMatchObject({ state });
      expect(await outcomes()).toEqual(['queue_changed', 'applied', 'pending']);
      expect(await facts.events()).toEqual({ 'queue.drafted': 1, 'queue.approved': 1 });
      expect(await facts.assignments(DATE)).toHaveLength(3);
      // Found by the workflow afterwards, it is told what became of it.
      const command = { name: 'approve', commandId: '2'.repeat(64), by: adminId } as const;
      const refusal = { code: 'queue_already_approved', reason: 'approved' } as const;
      expect(await run(activities.recordQueueRefusal, { ...target(), command, ...refusal })).toEqual({
        applied: true,
      });
    });

    it('after the cut-off: it comes too late', async () => {
      await generate();
      await request('4', NOON);
      await request('5', NOON + 50);
      expect(await lapse()).toMatchObject({ state: { stage: 'closed', status: 'lapsed' } });
      expect(await outcomes()).toEqual(['pending', 'pending']);

      // Nor does it approve the next draft, which nobody who asked has seen.
      await sql`update soundcloud_queues set status = 'draft', approve_by = null, closed_at = null
        where org_id = ${orgId}`.execute(owner);
      const { state } = await generate('again', NOON + HOUR_MS);
      const second = { ...target(), revision: state.revision, now: state.approveBy ?? 0 };
      expect(await run(activities.lapseQueue, second)).toMatchObject({ state: { status: 'lapsed' } });
      expect(await outcomes()).toEqual(['pending', 'pending']);
    });

    it('after a change that was asked for before it: both count, and what came after it does not', async () => {
      await generate();
      const [first, second] = (await facts.assignments(DATE)).map(({ id }) => id);
      await request('1', NOON - 3, { assignmentId: first }, 'dropAssignment');
      await request('2', NOON - 2);
      await request('3', NOON - 1, { assignmentId: second }, 'dropAssignment');
      expect(await lapse()).toMatchObject({ state: { stage: 'publishing', assignments: 2 } });
      expect(await outcomes('dropAssignment')).toEqual(['applied', 'applied', 'pending']);
      expect((await facts.drafts()).map(({ cause }) => cause)).toEqual(['generated', 'dropped', 'approved']);
      expect((await facts.assignments(DATE)).map(({ id }) => id)).not.toContain(first);
    });

    it('that does not hold: the changes before it do not count either', async () => {
      await generate();
      const [first] = await facts.assignments(DATE);
      await request('1', NOON - 3, { assignmentId: first?.id }, 'dropAssignment');
      await request('2', NOON - 2, { ifRevision: 1 });
      expect(await lapse()).toMatchObject({ state: { status: 'lapsed' } });
      expect(await outcomes('dropAssignment')).toEqual(['pending', 'queue_changed']);
      expect((await facts.drafts()).map(({ cause }) => cause)).toEqual(['generated']);
    });

    it('of a draft that was still to be made anew: it does not count', async () => {
      await generate();
      await request('1', NOON - 3, {}, 'regenerate');
      await request('2', NOON - 2);
      expect(await lapse()).toMatchObject({ state: { status: 'lapsed' } });
      expect(await outcomes('regenerate')).toEqual(['pending', 'queue_changed']);
    });

    it('and left over from before a change that was made: it meant another draft', async () => {
      await generate();
      const [first] = await facts.assignments(DATE);
      await ask({ name: 'dropAssignment', assignmentId: first?.id ?? '' }, NOON - 4);
      const changeAskedFor = (at: number) =>
        sql`update soundcloud_commands set created_at = ${new Date(at)}
          where org_id = ${orgId} and name = 'dropAssignment'`.execute(owner);
      await request('1', NOON - 5);
      await changeAskedFor(NOON - 4);
      expect(await lapse()).toMatchObject({ state: { status: 'lapsed', revision: 2 } });
      expect(await outcomes()).toEqual(['pending']);

      // Asked for after the change, it counts, whenever the change was made.
      await sql`update soundcloud_queues set status = 'draft', closed_at = null where org_id = ${orgId}`.execute(
        owner,
      );
      await changeAskedFor(NOON - 6);
      const again = { ...target(), revision: 3, now: NOON + 200 };
      expect(await run(activities.lapseQueue, again)).toMatchObject({ state: { stage: 'publishing' } });
    });

    it('and found when no slot is left: it lapses and everybody is told that reason', async () => {
      await generate();
      await request('1', NOON - 2);
      expect(await lapse(Date.UTC(2026, 4, 11, 21, 29, 59))).toMatchObject({ state: { status: 'lapsed' } });
      expect(await facts.submission(submission)).toMatchObject({
        support_date: NEXT_DATE,
        shift_reason: `The queue of ${DATE} was approved, but that was found when its slots had passed.`,
      });
      const { rows } = await sql<{ reason: string }>`select reason from soundcloud_commands
        where org_id = ${orgId} and name = 'approve' and status = 'refused' and code = 'queue_closed'`.execute(
        owner,
      );
      expect(rows).toEqual([{ reason: expect.stringContaining(`no slot of ${DATE} was left`) }]);
      const { rows: told } = await sql<{ message: string }>`select message from soundcloud_notifications
        where org_id = ${orgId} and title = ${`The queue of ${DATE} lapsed`}`.execute(owner);
      expect(told[0]?.message).toBe(
        'It was approved in time, but the approval was found when no slot of the date was left: no worker ran. 1 submissions moved to the next queue.',
      );
      expect(await facts.drafts()).toHaveLength(1);
      expect((await facts.events())['queue.approved']).toBeUndefined();
    });

    it('and found while a slot is left: it goes out', async () => {
      await generate();
      await request('1', NOON - 2);
      const last = Date.UTC(2026, 4, 11, 21, 29);
      expect(await lapse(last)).toMatchObject({ state: { stage: 'publishing' } });
      expect(await publish(last)).toMatchObject({ state: { status: 'published', assignments: 3 } });
    });

    const othersWait = async () => {
      const { rows } = await sql<{ waiting: number }>`select count(*)::int as waiting from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`.execute(owner);
      return rows[0]?.waiting === 1;
    };

    it('at this moment: its request is waited for', async () => {
      await generate();
      // The request says itself when it was written.
      await sql`update soundcloud_queues set approve_by = now() + interval '1 hour' where org_id = ${orgId}`.execute(
        owner,
      );
      await sql`update soundcloud_queue_drafts set generated_at = now() - interval '1 hour'
        where org_id = ${orgId}`.execute(owner);
      const id = '6'.repeat(64);
      const { workflowId } = target();
      const payload = JSON.stringify({ by: adminId, commandId: id });
      let lapsing: ReturnType<typeof lapse> | undefined;
      await owner.transaction().execute(async (trx) => {
        await sql`select set_config('request.jwt.claims', ${JSON.stringify({ sub: adminId })}, true)`.execute(
          trx,
        );
        await sql`select private.api_command_request(${orgId}, ${id}, ${workflowId}, 'approve',
          ${payload}::jsonb)`.execute(trx);
        lapsing = lapse();
        await eventually('the lapse waits', othersWait);
      });
      expect(await lapsing).toMatchObject({ state: { stage: 'publishing' } });
      expect(await outcomes()).toEqual(['applied']);
    });

    it('and taken back at this moment: it does not count', async () => {
      await generate();
      await request('7', NOON - 1);
      let lapsing: ReturnType<typeof lapse> | undefined;
      await owner.transaction().execute(async (trx) => {
        await sql`select set_config('request.jwt.claims', ${JSON.stringify({ sub: adminId })}, true)`.execute(
          trx,
        );
        await sql`update soundcloud_commands set requested_by = ${adminId} where org_id = ${orgId}`.execute(
          owner,
        );
        await sql`select private.api_command_withdraw(${orgId}, ${'7'.repeat(64)})`.execute(trx);
        lapsing = lapse();
        await eventually('the lapse waits', othersWait);
      });
      expect(await lapsing).toMatchObject({ state: { status: 'lapsed' } });
      expect(await outcomes()).toEqual([]);
    });
  });

  it('warns once for each hour, and again after it was asked for again', async () => {
    const { state } = await generate();
    const approveBy = state.approveBy ?? 0;
    const warn = { ...target(), hours: 3, approveBy, now: TEN };
    await run(activities.warnOfCutoff, warn);
    const { state: warned } = await run(activities.warnOfCutoff, warn);
    expect(warned.warned).toEqual([3]);
    expect(nextQueueAlarm(warned, TEN)).toEqual({ kind: 'warning', hours: 1, at: approveBy - HOUR_MS });
    expect(
      (await facts.notifications()).filter((title) => title.includes('waits for approval')),
    ).toHaveLength(1);
  });
});

describe('what is owed', () => {
  /** Settles one of the published assignments as failed and gives its credits back, as its workflow does. */
  async function fail(now: number, at = 0) {
    const row = (await facts.assignments(DATE))[at];
    const id = row?.id ?? '';
    await withOrg(worker, orgId, (trx) =>
      postCredits(trx, orgId, [{ kind: 'release', assignment_id: id }], { at: new Date(now) }),
    );
    await sql`update soundcloud_queue_assignments set status = 'failed', settled_at = ${new Date(now)}, closed_at = ${new Date(now)}
      where id = ${id}`.execute(owner);
    return { id, supporter: row?.supporter_id ?? '', queueId: row?.queue_id ?? '' };
  }

  beforeEach(async () => {
    await generate();
    await ask({ name: 'approve' });
    await publish();
  });

  it('is filled on the day by the next candidate, once', async () => {
    const now = Date.UTC(2026, 4, 11, 13);
    const failed = await fail(now);
    const request = { orgId, queueId: failed.queueId, failedAssignmentId: failed.id, now };
    await setTerms(25, 36);
    const outcome = await withOrg(worker, orgId, (trx) => backfill(trx, request));
    expect(outcome).toMatchObject({ placed: true });
    const rows = await facts.assignments(DATE);
    const fresh = rows.find((row) => row.replacement_for === failed.id);
    expect(fresh).toMatchObject({ position: 4, status: 'assigned' });
    expect(fresh).toMatchObject({ fee_percent: 25, unrepost_after_hours: 36 });
    expect(fresh?.slot_at?.getTime()).toBeGreaterThanOrEqual(now + 30 * 60_000);
    expect(rows.filter((row) => row.supporter_id === fresh?.supporter_id)).toHaveLength(1);
    expect(await facts.heldCredits()).toBe(3);
    expect(await facts.events()).toMatchObject({ 'assignment.published': 4, 'submission.assigned': 2 });
    expect(await withOrg(worker, orgId, (trx) => backfill(trx, request))).toEqual({
      placed: false,
      reason: 'already_replaced',
    });
  });

  it('waits for the next draft when the window is nearly over, and names what it replaces', async () => {
    const now = Date.UTC(2026, 4, 11, 15);
    const failed = await fail(now);
    const request = { orgId, queueId: failed.queueId, failedAssignmentId: failed.id, now };
    expect(await withOrg(worker, orgId, (trx) => backfill(trx, request))).toEqual({
      placed: false,
      reason: 'window_closing',
    });
    await generate('tomorrow', SIX + 24 * HOUR_MS, NEXT_DATE);
    const [replacement, ...rest] = await facts.assignments(NEXT_DATE);
    expect(rest).toEqual([]);
    expect(replacement).toMatchObject({ replacement_for: failed.id, submission_id: submission });
    expect(replacement?.supporter_id).not.toBe(failed.supporter);
    // Nothing more is owed once it is named.
    await generate('regenerated', SIX + 25 * HOUR_MS, NEXT_DATE);
    expect(await facts.assignments(NEXT_DATE)).toHaveLength(1);
  });

  it('of several, is named by who is asked instead of one who dropped out', async () => {
    // Two owed replacements, two who are asked for them, and one who may step in.
    await addMembers(
      owner,
      orgId,
      ['five', 'six'].map((handle) => ({ handle: `${handle}-${orgs}`, activeAt: SIX })),
    );
    const failed = [await fail(TEN + 5 * HOUR_MS), await fail(TEN + 5 * HOUR_MS + 1, 1)].map(({ id }) => id);
    const tomorrow = SIX + 24 * HOUR_MS;
    await generate('tomorrow', tomorrow, NEXT_DATE);
    const drafted = await facts.assignments(NEXT_DATE);
    expect(drafted.map((row) => row.replacement_for).sort()).toEqual([...failed].sort());
    const command = { name: 'approve', commandId: `tomorrow-${orgId}`, by: adminId } as const;
    const approving = { ...target(NEXT_DATE), command, stepId: command.commandId, now: tomorrow };
    await run(activities.changeQueue, approving);
    const out = drafted.find((row) => row.replacement_for === failed[0]);
    await sql`update soundcloud_member_accounts set status = 'disconnected'
      where member_id = ${out?.supporter_id}`.execute(owner);
    await run(activities.publishQueue, { ...target(NEXT_DATE), revision: 2, now: tomorrow });
    const published = await facts.assignments(NEXT_DATE);
    expect(published.map((row) => row.replacement_for).sort()).toEqual([...failed].sort());
    expect(published.map((row) => row.supporter_id)).not.toContain(out?.supporter_id);
  });

  it('is nobody else once what is kept replaces all of it', async () => {
    const failed = await fail(TEN + 5 * HOUR_MS);
    const [five = ''] = await addMembers(
      owner,
      orgId,
      ['five', 'six'].map((handle) => ({ handle: `${handle}-${orgs}`, activeAt: SIX })),
    );
    const tomorrow = SIX + 24 * HOUR_MS;
    await generate('tomorrow', tomorrow, NEXT_DATE);
    const [first] = await facts.assignments(NEXT_DATE);
    expect(first?.replacement_for).toBe(failed.id);
    await sql`select private.post_credits_unchecked(${orgId}, jsonb_build_array(jsonb_build_object('kind', 'manual',
      'member_id', ${artist}::text, 'amount', 5, 'reason', 'fixture', 'key', ${`more-${orgId}`}::text)), now(), false)`.execute(
      owner,
    );
    const added = others
      .slice(0, 4)
      .concat(five)
      .find((id) => id !== first?.supporter_id);
    const commands = [
      {
        name: 'addAssignment',
        submissionId: submission,
        supporterId: added ?? '',
        reason: 'One more than is owed.',
        commandId: `add-${orgId}`,
        by: adminId,
      },
      { name: 'approve', commandId: `approve-${orgId}`, by: adminId },
    ] as const;
    for (const command of commands) {
      const change = { ...target(NEXT_DATE), command, stepId: command.commandId, now: tomorrow };
      expect(await run(activities.changeQueue, change)).toMatchObject({ applied: true });
    }
    await sql`update soundcloud_member_accounts set status = 'disconnected'
      where member_id = ${first?.supporter_id}`.execute(owner);
    await run(activities.publishQueue, { ...target(NEXT_DATE), revision: 3, now: tomorrow });
    expect(await facts.assignments(NEXT_DATE)).toMatchObject([
      { supporter_id: added, replacement_for: failed.id },
    ]);
  });

  it('closes the queue with its totals when the last assignment is settled', async () => {
    const now = Date.UTC(2026, 4, 14);
    expect(await run(activities.settleQueue, { ...target(), now })).toMatchObject({ stage: 'settling' });
    const rows = await facts.assignments(DATE);
    await withOrg(worker, orgId, (trx) =>
      postCredits(
        trx,
        orgId,
        rows.map((row) => ({ kind: 'capture' as const, assignment_id: row.id })),
        { at: new Date(now) },
      ),
    );
    await sql`update soundcloud_queue_assignments set status = 'completed', settled_at = ${new Date(now)}
      where org_id = ${orgId}`.execute(owner);
    expect(await run(activities.settleQueue, { ...target(), now })).toMatchObject({ stage: 'closed' });
    await run(activities.settleQueue, { ...target(), now });
    const queue = await facts.queue(DATE);
    expect(queue?.totals).toEqual({
      assignments: 3,
      completed: 3,
      skipped: 0,
      failed: 0,
      captured: 3,
      released: 0,
      reach: 1800,
    });
    expect(queue?.settled_at).toEqual(new Date(now));
    expect(await facts.events()).toMatchObject({ 'queue.settled': 1 });
  });
});
