/** The daily queue's steps where something else happened meanwhile: late commands, newer demand, other queues, spent credits. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDatabase, type Db, withOrg } from '../db/client.js';
import { postCredits } from '../db/credits.js';
import { ledgerViolations } from '../db/ledger-invariants.js';
import { loadSettings } from '../db/settings.js';
import { atTimeOfDay, HOUR_MS } from '../domain/calendar.js';
import type { QueueCommand } from '../domain/daily-queue-commands.js';
import { createTestDatabase, type TestDatabase } from '../test/support/database.js';
import { addApproved, addMembers, createQueueOrg, queueFacts } from '../test/support/queue-world.js';
import { eventually } from '../test/support/review-facts.js';
import { createQueueActivities } from './queue.js';
import { backfill } from './queue-backfill.js';

const DATE = '2026-05-11';
const NEXT_DATE = '2026-05-12';
const SIX = Date.UTC(2026, 4, 11, 6);
const TEN = SIX + 4 * HOUR_MS;
const NOTICE_MS = 30 * 60_000;

let database: TestDatabase;
let owner: Db;
let worker: Db;
let activities: ReturnType<typeof createQueueActivities>;
let orgs = 0;
let orgId: string;
let adminId: string;
let facts: ReturnType<typeof queueFacts>;
let artist: string;
let supporters: string[];
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
  ({ orgId, adminId } = await createQueueOrg(owner, `Edges ${orgs}`));
  facts = queueFacts(owner, orgId);
  const names = ['artist', 'one', 'two', 'three', 'four'].map((name) => `${name}-${orgs}`);
  [artist = '', ...supporters] = await addMembers(
    owner,
    orgId,
    names.map((handle, n) => ({ handle, activeAt: SIX, ...(n === 0 && { balance: 3 }) })),
  );
  [submission = ''] = await addApproved(owner, orgId, [
    { memberId: artist, slug: 'track', artist: `artist-${orgs}`, supportDate: DATE },
  ]);
});

const at = () => ({ orgId, date: DATE, workflowId: `queue:${orgId}:${DATE}` });
const run = <I, O>(activity: (input: I) => Promise<O>, input: I): Promise<O> =>
  new MockActivityEnvironment().run(activity, input) as Promise<O>;
const generate = (stepId = 'generate', now = SIX) =>
  run(activities.generateQueue, { ...at(), stepId, command: null, now });

type Asked = {
  [N in QueueCommand['name']]: Omit<Extract<QueueCommand, { name: N }>, 'commandId' | 'by'>;
}[QueueCommand['name']];
let commands = 0;
function ask(command: Asked, now = TEN) {
  commands += 1;
  const full = { ...command, commandId: `command-${commands}`, by: adminId } as QueueCommand;
  const activity = full.name === 'regenerate' ? activities.generateQueue : activities.changeQueue;
  return run(activity, { ...at(), command: full, stepId: full.commandId, now });
}
async function publish(now = TEN) {
  const revision = (await facts.queue(DATE))?.revision ?? 0;
  return run(activities.publishQueue, { ...at(), revision, now });
}
const rows = () => facts.assignments(DATE);
const free = async () => {
  const taken = (await rows()).map((row) => row.supporter_id);
  return supporters.find((id) => !taken.includes(id)) ?? '';
};
const disconnect = (memberId: string | undefined) =>
  sql`update public.soundcloud_member_accounts set status = 'disconnected' where member_id = ${memberId}`.execute(
    owner,
  );
const unfilled = async () => {
  const { rows: found } = await sql<{ entries: { submission_id: string; code: string; served: boolean }[] }>`
    select unfilled as entries from public.soundcloud_queue_drafts where org_id = ${orgId}
    order by revision desc limit 1`.execute(owner);
  return (found[0]?.entries ?? []).map(({ submission_id, code, served }) => [submission_id, code, served]);
};
/** Another artist's track, approved while the queue is in the making. */
async function another(slug: string): Promise<string> {
  const [memberId = ''] = await addMembers(owner, orgId, [{ handle: `${slug}-${orgs}`, activeAt: SIX }]);
  const plan = { memberId, slug, artist: `${slug}-${orgs}`, supportDate: DATE };
  return (await addApproved(owner, orgId, [plan]))[0] ?? '';
}

describe('a draft that is edited', () => {
  beforeEach(() => generate());

  it('takes slots that supporters hear of in time', async () => {
    const [first] = await rows();
    await ask({ name: 'dropAssignment', assignmentId: first?.id ?? '' });
    const now = Date.UTC(2026, 4, 11, 13);
    await ask({ name: 'addAssignment', submissionId: submission, supporterId: await free() }, now);
    const added = (await rows()).map((row) => row.slot_at?.getTime() ?? 0);
    expect(added).toContain(now + NOTICE_MS);
  });

  it('keeps the time of an assignment that is swapped', async () => {
    const last = (await rows()).at(-1);
    await ask({ name: 'swapAssignment', assignmentId: last?.id ?? '', supporterId: await free() });
    const swapped = (await rows()).find(({ id }) => id === last?.id);
    expect(swapped?.supporter_id).not.toBe(last?.supporter_id);
    expect(swapped?.slot_at).toEqual(last?.slot_at);
  });

  it('says what has lost its last assignment, and that what got one is served', async () => {
    const ids = (await rows()).map(({ id }) => id);
    for (const assignmentId of ids.slice(1)) await ask({ name: 'dropAssignment', assignmentId });
    expect(await unfilled()).toEqual([]);
    await ask({ name: 'dropAssignment', assignmentId: ids[0] ?? '' });
    expect(await unfilled()).toEqual([[submission, 'taken_out', false]]);
    await ask({ name: 'addAssignment', submissionId: submission, supporterId: await free() });
    expect(await unfilled()).toEqual([[submission, 'taken_out', true]]);
  });

  it('is not insisted on by a reason of spaces', async () => {
    const [rocker = ''] = await addMembers(owner, orgId, [
      { handle: `rocker-${orgs}`, activeAt: SIX, family: 'Rock' },
    ]);
    const [first] = await rows();
    const swap = { name: 'swapAssignment', assignmentId: first?.id ?? '', supporterId: rocker } as const;
    expect(await ask({ ...swap, reason: '  ' })).toMatchObject({ applied: false, code: 'pair_excluded' });
    expect(await ask({ ...swap, reason: 'We insist.' })).toMatchObject({ applied: true });
  });

  it('is made anew without demand too: nobody is in it, and ops see that', async () => {
    await sql`update public.soundcloud_submissions set closed_at = now() where id = ${submission}`.execute(
      owner,
    );
    const { state } = await ask({ name: 'regenerate' });
    expect(state).toMatchObject({ stage: 'approval', status: 'draft', revision: 2, assignments: 0 });
  });
});

describe('a queue that lapsed', () => {
  const NOON = Date.UTC(2026, 4, 11, 12);
  const lapse = async (now = NOON) => {
    const revision = (await facts.queue(DATE))?.revision ?? 0;
    return run(activities.lapseQueue, { ...at(), revision, now });
  };

  it('takes no command, and moves on what found nobody as well', async () => {
    const rock = await another('rock');
    await sql`update public.soundcloud_submissions set family = 'Rock' where id = ${rock}`.execute(owner);
    await generate();
    const [first] = await rows();
    expect((await rows()).map((row) => row.submission_id)).not.toContain(rock);
    await lapse();
    expect(await facts.submission(rock)).toMatchObject({ support_date: NEXT_DATE, shift_count: 1 });
    for (const command of [
      { name: 'approve' },
      { name: 'dropAssignment', assignmentId: first?.id ?? '' },
    ] as const) {
      expect(await ask(command, NOON)).toMatchObject({ applied: false, code: 'queue_closed' });
    }
  });

  it('after an approval that did not hold was not approved in time, whenever that is found', async () => {
    await generate();
    const id = '1'.repeat(64);
    const command = { id, org_id: orgId, workflow_id: at().workflowId, name: 'approve' };
    const payload = JSON.stringify({ by: adminId, commandId: id, ifRevision: 7 });
    await owner
      .insertInto('soundcloud_commands')
      .values({ ...command, payload, created_at: new Date(NOON - 1) })
      .execute();
    await lapse(Date.UTC(2026, 4, 11, 21, 45));
    expect((await facts.submission(submission)).shift_reason).toBe(
      `The queue of ${DATE} was not approved in time.`,
    );
  });

  it('and is asked for again warns again of its new cut-off', async () => {
    const { state } = await generate();
    const warn = (approveBy: number | null) =>
      run(activities.warnOfCutoff, { ...at(), hours: 3, approveBy: approveBy ?? 0, now: TEN });
    expect((await warn(state.approveBy)).state.warned).toEqual([3]);
    await lapse();
    await sql`update public.soundcloud_queues set status = 'draft', approve_by = null, closed_at = null
      where org_id = ${orgId}`.execute(owner);
    const again = await generate('again', NOON + HOUR_MS);
    expect(again.state.approveBy).not.toBe(state.approveBy);
    expect(again.state.warned).toEqual([]);
    expect((await warn(again.state.approveBy)).state.warned).toEqual([3]);
  });
});

describe('a queue that is out', () => {
  it('is not lapsed by what comes late, and nobody is warned of its cut-off', async () => {
    const { state } = await generate();
    await ask({ name: 'approve' });
    await publish();
    const before = await facts.queue(DATE);
    const titles = await facts.notifications();
    await run(activities.warnOfCutoff, { ...at(), hours: 1, approveBy: state.approveBy ?? 0, now: TEN });
    expect(await facts.notifications()).toEqual(titles);
    await run(activities.missQueue, { ...at(), stepId: 'late', now: Date.UTC(2026, 4, 11, 19) });
    await run(activities.lapseQueue, { ...at(), revision: 1, now: Date.UTC(2026, 4, 11, 12) });
    expect(await facts.queue(DATE)).toEqual(before);
    expect(await rows()).toHaveLength(3);
    expect(await facts.events()).not.toHaveProperty('queue.lapsed');
  });
});

describe('publishing', () => {
  beforeEach(async () => {
    await generate();
    await ask({ name: 'approve' });
  });

  it('asks nobody for what another queue serves meanwhile', async () => {
    // Somebody who could step in.
    await addMembers(owner, orgId, [{ handle: `five-${orgs}`, activeAt: SIX }]);
    await sql`
      with queue as (
        insert into public.soundcloud_queues (org_id, date, status) values (${orgId}, ${NEXT_DATE}, 'draft')
        returning id
      )
      insert into public.soundcloud_queue_assignments (org_id, queue_id, submission_id, supporter_id, slot_at, position)
      select ${orgId}, queue.id, ${submission}, ${await free()}, ${new Date(TEN + 30 * HOUR_MS)}, 1 from queue`.execute(
      owner,
    );
    await publish();
    expect(await rows()).toEqual([]);
    expect(await facts.submission(submission)).toMatchObject({ support_date: DATE, shift_count: 0 });
  });

  it('moves on nothing that was approved after the draft', async () => {
    const newer = await another('newer');
    await publish();
    expect(await facts.submission(newer)).toMatchObject({ support_date: DATE, shift_count: 0 });
  });

  it('blames the time only where nothing but the time was lost', async () => {
    const [first] = await rows();
    await disconnect(first?.supporter_id);
    await publish(Date.UTC(2026, 4, 11, 21, 45));
    const { shift_reason } = await facts.submission(submission);
    expect(shift_reason).toBe(`No place in the queue of ${DATE}: nobody was free who fits and can be paid.`);
  });

  it('refills with what the kept ones leave of the credits', async () => {
    // Worth more than anybody, for 2 credits; 1 is left beside the two who stay.
    const [dear = ''] = await addMembers(owner, orgId, [
      { handle: `dear-${orgs}`, activeAt: SIX, followers: 20_000 },
    ]);
    const cheap = await free();
    const [first] = await rows();
    await disconnect(first?.supporter_id);
    await publish();
    const asked = (await rows()).map((row) => row.supporter_id);
    expect(asked).toContain(cheap);
    expect(asked).not.toContain(dear);
    expect(await facts.heldCredits()).toBe(3);
  });
});

describe('a place that comes free in a queue that is out', () => {
  let failed: { id: string; queueId: string };
  beforeEach(async () => {
    await generate();
    await ask({ name: 'approve' });
    await publish();
    const [row] = await rows();
    failed = { id: row?.id ?? '', queueId: row?.queue_id ?? '' };
    const released = { kind: 'release', assignment_id: failed.id } as const;
    await withOrg(worker, orgId, (trx) => postCredits(trx, orgId, [released], { at: new Date(TEN) }));
    await sql`update public.soundcloud_queue_assignments set status = 'failed', settled_at = ${new Date(TEN)},
      closed_at = ${new Date(TEN)} where id = ${failed.id}`.execute(owner);
  });
  const fill = (now = TEN) =>
    withOrg(worker, orgId, (trx) =>
      backfill(trx, { orgId, queueId: failed.queueId, failedAssignmentId: failed.id, now }),
    );

  it('is filled, and counted, up to the last moment the org allows', async () => {
    const settings = await withOrg(worker, orgId, (trx) => loadSettings(trx, orgId));
    const { window_end, backfill_min_hours } = settings.queue_hours;
    const last = atTimeOfDay(DATE, window_end, settings.timezone) - backfill_min_hours * HOUR_MS;
    expect(await fill(last + 1)).toEqual({ placed: false, reason: 'window_closing' });
    const { filled_slots: before } = (await facts.queue(DATE)) ?? {};
    const outcome = await fill(last);
    expect(outcome).toMatchObject({ placed: true });
    expect(outcome.placed && outcome.slotAt).toBeGreaterThanOrEqual(last + NOTICE_MS);
    expect((await facts.queue(DATE))?.filled_slots).toBe((before ?? 0) + 1);
  });

  it.each(['draft', 'approved', 'lapsed'])('is not filled in a queue that is %s', async (status) => {
    await sql`update public.soundcloud_queues set status = ${status} where org_id = ${orgId}`.execute(owner);
    expect(await fill()).toEqual({ placed: false, reason: 'window_closing' });
  });

  it('of a submission that is over stays empty', async () => {
    await sql`update public.soundcloud_submissions set support_ended_at = now() where id = ${submission}`.execute(
      owner,
    );
    expect(await fill()).toEqual({ placed: false, reason: 'submission_closed' });
  });

  it('stays empty, without a row, when the credits are spent at this moment', async () => {
    let filling: ReturnType<typeof fill> | undefined;
    await owner.transaction().execute(async (trx) => {
      await sql`select set_config('app.org_id', ${orgId}, true)`.execute(trx);
      const spent = { member_id: artist, amount: -1, reason: 'spent elsewhere', key: `spent-${orgId}` };
      await postCredits(trx, orgId, [{ kind: 'manual', ...spent }], { at: new Date(TEN) });
      filling = fill();
      await eventually('the backfill waits for the wallet', async () => {
        const { rows: waiting } = await sql<{
          count: number;
        }>`select count(*)::int as count from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock'`.execute(owner);
        return waiting[0]?.count === 1;
      });
    });
    expect(await filling).toEqual({ placed: false, reason: 'no_candidate' });
    expect(await rows()).toHaveLength(3);
    expect(await facts.heldCredits()).toBe(2);
  });
});
