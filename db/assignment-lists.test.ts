/** Reports about assignments: who supports whom, how often at least and in which time. */
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DAY_MS } from '../domain/calendar.js';
import { createTestDatabase, type TestDatabase } from '../test/support/database.js';
import { addMembers, createQueueOrg } from '../test/support/queue-world.js';
import { reciprocalPairs } from './assignment-lists.js';
import { createDatabase, type Db } from './client.js';

const SINCE = Date.UTC(2026, 4, 1);
const UNTIL = SINCE + 7 * DAY_MS;

let database: TestDatabase;
let owner: Db;
let orgs = 0;
let orgId: string;
let members: string[];

beforeAll(async () => {
  database = await createTestDatabase();
  owner = createDatabase(database.adminUrl, { max: 2 });
});

afterAll(async () => {
  await owner?.destroy();
  await database?.drop();
});

beforeEach(async () => {
  orgs += 1;
  ({ orgId } = await createQueueOrg(owner, `Reports ${orgs}`));
  const plans = ['a', 'b', 'c', 'd'].map((name) => ({ handle: `${name}-${orgs}`, activeAt: SINCE }));
  members = (await addMembers(owner, orgId, plans)).sort();
});

/** Reposts of as many tracks, by one member for another; members are told by their place in the order of ids. */
async function repost(by: number, forWhom: number, times = 1, change: { status?: string; at?: number } = {}) {
  const { status = 'completed', at = SINCE } = change;
  const { rows } = await sql<{ id: string }>`insert into public.soundcloud_queues (org_id, date, status)
    values (${orgId}, '2026-05-01', 'published')
    on conflict (org_id, date) do update set status = 'published' returning id`.execute(owner);
  for (let n = 0; n < times; n += 1) {
    await sql`
      with submission as (
        insert into public.soundcloud_submissions (org_id, member_id, track_url, imported_at)
        values (${orgId}, ${members[forWhom]}, 'https://soundcloud.com/of/them', now()) returning id
      )
      insert into public.soundcloud_queue_assignments
        (org_id, queue_id, submission_id, supporter_id, status, slot_at, position)
      select ${orgId}, ${rows[0]?.id}, submission.id, ${members[by]}, ${status}, ${new Date(at)},
        1 + (select count(*) from public.soundcloud_queue_assignments a where a.queue_id = ${rows[0]?.id})
      from submission`.execute(owner);
  }
}

async function pairs(minimum: number, limit = 10) {
  const question = { since: new Date(SINCE), until: new Date(UNTIL), minimum, limit };
  const found = await reciprocalPairs(owner, orgId, question);
  const placeOf = (id: string) => members.indexOf(id);
  return found.map((pair) => [
    placeOf(pair.first_id),
    placeOf(pair.second_id),
    pair.first_for_second,
    pair.second_for_first,
    pair.share,
  ]);
}

describe('pairs who repost each other', () => {
  it('are those with so many reposts in both directions, the most first, once each', async () => {
    await repost(0, 1, 1);
    await repost(1, 0, 3);
    await repost(2, 3, 2);
    await repost(3, 2, 2);
    await repost(2, 0, 4);
    expect(await pairs(1)).toEqual([
      [2, 3, 2, 2, 0.5],
      [0, 1, 1, 3, 1],
    ]);
    expect(await pairs(2)).toEqual([[2, 3, 2, 2, 0.5]]);
    expect(await pairs(3)).toEqual([]);
    expect(await pairs(1, 1)).toEqual([[2, 3, 2, 2, 0.5]]);
  });

  it('count completed reposts with a slot in the time, from its beginning until before its end', async () => {
    await repost(0, 1);
    await repost(1, 0, 1, { at: UNTIL - 1 });
    for (const status of ['assigned', 'skipped', 'failed']) await repost(1, 0, 1, { status });
    await repost(0, 1, 1, { at: SINCE - 1 });
    await repost(1, 0, 1, { at: UNTIL });
    expect(await pairs(1)).toEqual([[0, 1, 1, 1, 1]]);
  });
});
