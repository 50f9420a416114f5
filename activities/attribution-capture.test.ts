/** The numbers of a day for many tracks together. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createDatabase, type Db } from '../db/client.js';
import { dateOf } from '../domain/calendar.js';
import { soundCloudOf } from '../test/support/soundcloud.js';
import { createWorld, type World } from '../test/support/world.js';
import { createAttributionCaptureActivities } from './attribution-capture.js';

const DATE = dateOf(Date.now(), 'UTC');

let world: World;
let worker: Db;
let submissions: string[];

beforeAll(async () => {
  world = await createWorld();
  worker = createDatabase(world.database.workerUrl, { max: 2 });
});
afterAll(async () => {
  await worker?.destroy();
  await world?.remove();
});

beforeEach(async () => {
  submissions = [];
  await sql`update public.soundcloud_attributions set closed_at = now() where closed_at is null`.execute(
    world.db,
  );
  for (let n = 0; n < 3; n += 1) submissions.push((await world.submit({ unstarted: true })).id);
  await sql`insert into public.soundcloud_attributions (org_id, parent_type, parent_id, start_date, first_date)
    select ${world.orgId}, 'submission', id, ${DATE}::date, ${DATE}::date
    from unnest(${submissions}::uuid[]) as id`.execute(world.db);
});

function capture(parentId = submissions[0] ?? '') {
  const { orgId } = world;
  const { captureSnapshots } = createAttributionCaptureActivities({
    db: worker,
    soundcloud: soundCloudOf(world),
  });
  const input = { orgId, parentType: 'submission' as const, parentId, date: DATE, now: Date.now() };
  return new MockActivityEnvironment().run(captureSnapshots, input);
}

const written = async () => {
  const { rows } = await sql<{ parent_id: string; events: number }>`
    select s.parent_id, (select count(*)::int from public.soundcloud_events e
      where e.org_id = s.org_id and e.type = 'snapshot.captured' and e.entity_id = s.id
        and (e.data ->> 'plays')::int = s.plays and e.data ->> 'parent_id' = s.parent_id::text) as events
    from public.soundcloud_attribution_snapshots s where s.parent_id = any (${submissions}::uuid[])
    order by s.parent_id`.execute(world.db);
  return rows;
};
const each = (ids: readonly string[]) => [...ids].sort().map((parent_id) => ({ parent_id, events: 1 }));

it('are written with an event each, once, and give the claims back', async () => {
  expect(await capture()).toEqual({ outcome: 'captured' });
  expect(await written()).toEqual(each(submissions));
  expect(await capture(submissions[1])).toEqual({ outcome: 'captured' });
  const { rows } = await sql<{ claimed: number; known: number }>`
    select count(*) filter (where claimed_by is not null or claimed_until is not null)::int as claimed,
      count(*) filter (where track_urn is not null)::int as known
    from public.soundcloud_attributions where parent_id = any (${submissions}::uuid[])`.execute(world.db);
  expect(rows).toEqual([{ claimed: 0, known: 3 }]);
});

it('of a track that could not be claimed are asked for later: nobody has said that it is not there', async () => {
  const [own = '', ...others] = submissions;
  await world.db.transaction().execute(async (trx) => {
    await sql`select id from public.soundcloud_attributions where parent_id = ${own} for update`.execute(trx);
    expect(await capture(own)).toMatchObject({ outcome: 'later' });
  });
  expect(await written()).toEqual(each(others));
  expect(await capture(own)).toEqual({ outcome: 'captured' });
});

it('of a day that is given up are asked for no more', async () => {
  const [own = ''] = submissions;
  await sql`update public.soundcloud_attributions
    set gaps = ${JSON.stringify([{ date: DATE, reason: 'not_asked' }])}::jsonb where parent_id = ${own}`.execute(
    world.db,
  );
  expect(await capture(own)).toEqual({ outcome: 'captured' });
  expect(await written()).toEqual([]);
});
