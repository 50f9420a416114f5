/**
 * Half of a large queue drops out between approval and publishing, while others hold the same wallets. Who is asked
 * instead is who would be asked one drop-out after another, and nobody waits for each other in a circle.
 */
import { MockActivityEnvironment } from '@temporalio/testing';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDatabase, type Db, type Trx } from '../db/client.js';
import { ledgerViolations } from '../db/ledger-invariants.js';
import { loadDraft } from '../db/queue-drafts.js';
import { loadQueueFacts } from '../db/queue-facts.js';
import { type DraftAssignment, loadQueue, replaceAssignments } from '../db/queues.js';
import { loadSettings } from '../db/settings.js';
import { HOUR_MS } from '../domain/calendar.js';
import { NOTICE_MINUTES } from '../domain/daily-queue.js';
import { nextCandidates, prepareFacts, recheck } from '../domain/queue-changes.js';
import type { QueueAssignment } from '../domain/queue-generation-types.js';
import { createTestDatabase, type TestDatabase } from '../test/support/database.js';
import { addApproved, addMembers, createQueueOrg, queueFacts } from '../test/support/queue-world.js';
import { createQueueActivities } from './queue.js';

const DATE = '2026-05-11';
const SIX = Date.UTC(2026, 4, 11, 6);
const TEN = SIX + 4 * HOUR_MS;
const ARTISTS = 100;
const SUPPORTERS = 500;
/** Credits of each artist, for some four supporters. */
const BALANCE = 8;
const DROPOUTS = 200;

let database: TestDatabase;
let owner: Db;
let worker: Db;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = createDatabase(database.adminUrl, { max: 4 });
  worker = createDatabase(database.workerUrl, { max: 2 });
});
afterAll(async () => {
  await worker?.destroy();
  await owner?.destroy();
  await database?.drop();
});

const names = (count: number, word: string) => Array.from({ length: count }, (_, n) => `${word}-${n}`);
const pairOf = ({ submission_id, supporter_id }: { submission_id: string; supporter_id: string }) =>
  `${submission_id} ${supporter_id}`;

/** The rule, one drop-out after another, each seeing all before it. In a transaction that is undone. */
async function refillsOneByOne(orgId: string): Promise<string[]> {
  class Undone extends Error {
    constructor(readonly pairs: string[]) {
      super('undone');
    }
  }
  const work = async (trx: Trx) => {
    const queue = await loadQueue(trx, orgId, DATE);
    const settings = await loadSettings(trx, orgId);
    const draft = queue && (await loadDraft(trx, orgId, queue.id, queue.revision));
    if (queue === undefined || draft === undefined) throw new Error('no draft');
    const earliest = TEN + NOTICE_MINUTES * 60_000;
    const question = { orgId, date: DATE, now: TEN, earliest, settings };
    const { input } = await loadQueueFacts(trx, { ...question, queueId: queue.id });
    const { kept, dropped } = recheck(draft.assignments, prepareFacts(input));
    const rows = new Map(draft.assignments.map((assignment) => [pairOf(assignment), assignment]));
    const rowOf = (assignment: QueueAssignment) => rows.get(pairOf(assignment)) as DraftAssignment;
    const standing = kept.map((one, n) => ({ ...rowOf(one), slot_at: one.slot_at, position: n + 1 }));
    await replaceAssignments(trx, orgId, queue.id, standing);
    const artists = new Map(input.submissions.map(({ id, member_id }) => [id, member_id]));
    await sql`select private.post_credits_unchecked(${orgId}, ${JSON.stringify(
      standing.map((one) => ({
        kind: 'hold',
        member_id: artists.get(one.submission_id),
        assignment_id: one.id,
        amount: one.credits,
      })),
    )}::jsonb, now(), false)`.execute(trx);
    const submissionIds = [...new Set(dropped.map(({ assignment }) => assignment.submission_id))];
    const beside = await loadQueueFacts(trx, { ...question, queueId: null, submissionIds });
    const facts = prepareFacts(beside.input);
    const placed: QueueAssignment[] = [];
    for (const { assignment } of dropped) {
      const { submission_id } = assignment;
      const out = new Set(
        dropped
          .filter((other) => other.assignment.submission_id === submission_id)
          .map((other) => other.assignment.supporter_id),
      );
      const state = { assignments: placed, held: false };
      const next = nextCandidates(submission_id, state, facts, 10 + out.size).find(
        (candidate) => !out.has(candidate.assignment.supporter_id),
      );
      if (next !== undefined) placed.push(next.assignment);
    }
    throw new Undone(placed.map(pairOf));
  };
  return owner
    .transaction()
    .execute(work)
    .catch((error: unknown) => {
      if (error instanceof Undone) return error.pairs;
      throw error;
    });
}

it('half of 400 assignments find somebody else as one by one, and nobody deadlocks', {
  timeout: 120_000,
}, async () => {
  const { orgId, adminId } = await createQueueOrg(owner, 'Mass drop-out');
  const facts = queueFacts(owner, orgId);
  const artists = await addMembers(
    owner,
    orgId,
    names(ARTISTS, 'artist').map((handle) => ({ handle, balance: BALANCE, activeAt: SIX, family: 'Rock' })),
  );
  await addMembers(
    owner,
    orgId,
    names(SUPPORTERS, 'supporter').map((handle, n) => ({
      handle,
      // One to three credits.
      followers: 4_000 + ((n * 7_919) % 24_000),
      activeAt: SIX,
    })),
  );
  await addApproved(
    owner,
    orgId,
    artists.map((memberId, n) => ({
      memberId,
      slug: 'track',
      artist: `artist-${n}`,
      supportDate: DATE,
    })),
  );
  const target = { orgId, date: DATE, workflowId: `queue:${orgId}:${DATE}` };
  const activities = createQueueActivities({ db: worker });
  const run = <I, O>(activity: (input: I) => Promise<O>, input: I) =>
    new MockActivityEnvironment().run(activity, input) as Promise<O>;
  await run(activities.generateQueue, { ...target, stepId: 'generate', command: null, now: SIX });
  const command = { name: 'approve', commandId: 'approve', by: adminId } as const;
  await run(activities.changeQueue, { ...target, command, stepId: 'approve', now: TEN });
  const planned = await facts.assignments(DATE);
  expect(planned.length).toBeGreaterThan(300);

  // Whole submissions as well as parts of them: the wallets of the former are touched by refills only.
  const bySubmission = [...planned].sort((a, b) => (pairOf(a) < pairOf(b) ? -1 : 1));
  const out = new Set(bySubmission.slice(0, DROPOUTS).map(({ supporter_id }) => supporter_id));
  await sql`update public.soundcloud_member_accounts set status = 'disconnected' where org_id = ${orgId}
    and member_id = any (${[...out]}::uuid[])`.execute(owner);
  const expected = await refillsOneByOne(orgId);
  expect(expected.length).toBeGreaterThan(50);

  const publishing = run(activities.publishQueue, { ...target, revision: 2, now: TEN });
  let done = false;
  void publishing.finally(() => {
    done = true;
  });
  // As settling does: the wallets of many, in id order.
  const others = (async () => {
    while (!done) {
      await owner.transaction().execute(async (trx) => {
        await sql`select id from public.soundcloud_repost_credit_wallet where org_id = ${orgId}
          order by id for update`.execute(trx);
      });
    }
  })();
  const { state } = await publishing;
  await others;
  expect(state.status).toBe('published');
  const published = await owner.transaction().execute((trx) => loadDraft(trx, orgId, state.queueId ?? '', 3));
  const explained = published?.explanation as { refilled: Parameters<typeof pairOf>[0][] } | undefined;
  expect(explained?.refilled.map(pairOf)).toEqual(expected);
  expect(await facts.assignments(DATE)).toHaveLength(state.assignments);
  const paid = (await facts.assignments(DATE)).reduce((sum, row) => sum + (row.credits_allocated ?? 0), 0);
  expect(await facts.heldCredits()).toBe(paid);
  expect(await ledgerViolations(owner)).toEqual([]);
});
