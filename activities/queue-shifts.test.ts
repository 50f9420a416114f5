/** Submissions that move from a queue to the next one, and back: which of them, and what is said of it. */
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDatabase, type Db, type Trx, withOrg } from '../db/client.js';
import { loadSettings } from '../db/settings.js';
import { createTestDatabase, type TestDatabase } from '../test/support/database.js';
import { addApproved, addMembers, createQueueOrg, queueFacts } from '../test/support/queue-world.js';
import { shiftSubmissions, takeShiftsBack } from './queue-shifts.js';

const DATE = '2026-05-11';
const NEXT_DATE = '2026-05-12';
const NOON = Date.UTC(2026, 4, 11, 12);

let database: TestDatabase;
let owner: Db;
let worker: Db;
let orgs = 0;
let orgId: string;
let facts: ReturnType<typeof queueFacts>;
let supporter: string;
/** Of three artists, all due on the date. */
let submissions: string[];

beforeAll(async () => {
  database = await createTestDatabase();
  owner = createDatabase(database.adminUrl, { max: 2 });
  worker = createDatabase(database.workerUrl, { max: 2 });
});

afterAll(async () => {
  await worker?.destroy();
  await owner?.destroy();
  await database?.drop();
});

beforeEach(async () => {
  orgs += 1;
  ({ orgId } = await createQueueOrg(owner, `Shifts ${orgs}`));
  facts = queueFacts(owner, orgId);
  const names = ['supporter', 'one', 'two', 'three'].map((name) => `${name}-${orgs}`);
  const plans = names.map((handle) => ({ handle, activeAt: NOON }));
  const [first = '', ...artists] = await addMembers(owner, orgId, plans);
  supporter = first;
  submissions = await addApproved(
    owner,
    orgId,
    artists.map((memberId, n) => ({ memberId, slug: 'track', artist: `artist-${n}`, supportDate: DATE })),
  );
});

const set = (id: string | undefined, change: ReturnType<typeof sql>) =>
  sql`update public.soundcloud_submissions set ${change} where id = ${id}`.execute(owner);
const step = <T>(work: (trx: Trx) => Promise<T>) => withOrg(worker, orgId, work);

let occasions = 0;
const shift = (ids = submissions) =>
  step(async (trx) => {
    occasions += 1;
    const settings = await loadSettings(trx, orgId);
    return shiftSubmissions(trx, {
      orgId,
      date: DATE,
      submissions: ids.map((id) => ({ id, reason: 'Nobody approved it.' })),
      occasion: `shift-${occasions}`,
      settings,
      now: NOON,
    });
  });
const takeBack = () =>
  step((trx) => {
    occasions += 1;
    const occasion = `back-${occasions}`;
    return takeShiftsBack(trx, { orgId, date: DATE, submissionIds: submissions, occasion, now: NOON });
  });

async function shown(): Promise<unknown[]> {
  const rows = await Promise.all(submissions.map((id) => facts.submission(id)));
  return rows.map((row) => [row.support_date, row.shift_count, row.auto_shifted, row.shift_reason]);
}
const shifts = async () => (await facts.events())['submission.shifted'] ?? 0;

async function publishedOn(date: string, submissionId: string | undefined) {
  await sql`
    with queue as (
      insert into public.soundcloud_queues (org_id, date, status) values (${orgId}, ${date}::date, 'published')
      returning id
    )
    insert into public.soundcloud_queue_assignments (org_id, queue_id, submission_id, supporter_id, slot_at, position)
    select ${orgId}, queue.id, ${submissionId}, ${supporter}, ${new Date(NOON)}, 1 from queue`.execute(owner);
}

describe('what a queue does not serve', () => {
  it('moves to the next date without a queue; what is closed, served or later stays', async () => {
    await set(submissions[1], sql`support_ended_at = now()`);
    await set(submissions[2], sql`support_date = ${'2026-05-20'}::date`);
    await publishedOn(NEXT_DATE, submissions[1]);
    expect(await shift()).toBe(1);
    expect(await shown()).toEqual([
      ['2026-05-13', 1, true, 'Nobody approved it.'],
      [DATE, 0, false, null],
      ['2026-05-20', 0, false, null],
    ]);
    expect(await shifts()).toBe(1);
  });

  it('asks ops each time it has moved as often as the org’s settings say, and not in between', async () => {
    const { max_shifts } = await step(async (trx) => (await loadSettings(trx, orgId)).review);
    const counts = [max_shifts, max_shifts - 1, 2 * max_shifts - 1];
    for (const [n, count] of counts.entries()) await set(submissions[n], sql`shift_count = ${count}`);
    await shift();
    const asked = async () => {
      const tasks = await owner
        .selectFrom('soundcloud_ops_tasks')
        .select(['entity_id', 'title'])
        .where('org_id', '=', orgId)
        .execute();
      return tasks.map(({ entity_id }) => entity_id).sort();
    };
    expect(await asked()).toEqual(submissions.slice(1).sort());
  });
});

describe('a queue that is made after all', () => {
  it('takes back what it had moved on, with one shift less, and says so', async () => {
    await set(submissions[1], sql`shift_count = 2`);
    await shift();
    await takeBack();
    expect(await shown()).toEqual([
      [DATE, 0, false, null],
      [DATE, 2, true, 'Nobody approved it.'],
      [DATE, 0, false, null],
    ]);
    expect(await shifts()).toBe(6);
  });

  it('leaves what was not moved on, as by hand of ops meanwhile, with the shifts of before', async () => {
    await set(submissions[0], sql`shift_count = 3, auto_shifted = true, shift_reason = 'Earlier.'`);
    await set(submissions[1], sql`support_date = ${'2026-05-10'}::date, shift_count = 1`);
    await shift(submissions.slice(2));
    await takeBack();
    expect(await shown()).toEqual([
      [DATE, 3, true, 'Earlier.'],
      ['2026-05-10', 1, false, null],
      [DATE, 0, false, null],
    ]);
    expect(await shifts()).toBe(2);
  });

  it('leaves what a later queue serves meanwhile, and what is over', async () => {
    await shift();
    await publishedOn(NEXT_DATE, submissions[0]);
    await set(submissions[1], sql`support_ended_at = now()`);
    await takeBack();
    const moved = [NEXT_DATE, 1, true, 'Nobody approved it.'];
    expect(await shown()).toEqual([moved, moved, [DATE, 0, false, null]]);
    expect(await shifts()).toBe(4);
  });
});
