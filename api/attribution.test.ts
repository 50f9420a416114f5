/** The numbers of a submission over HTTP: who reads them, what they say, and numbers entered by hand. */
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addDays, dateOf } from '../domain/calendar.js';
import { type ApiWorld, createApiWorld } from '../test/support/api-world.js';

let api: ApiWorld;
const today = dateOf(Date.now(), 'UTC');
const start = addDays(today, -3);

beforeAll(async () => {
  api = await createApiWorld();
});

afterAll(async () => {
  await api?.remove();
});

/** A submission that is tracked since three days, with a baseline of 100 plays and a gap on day 1. */
async function tracked(): Promise<{ id: string; path: string }> {
  const created = await api.call('POST', '/v1/submissions', {
    as: api.member,
    body: { track_url: api.trackUrl() },
  });
  const { id } = created.body;
  await sql`insert into public.soundcloud_attributions (org_id, parent_type, parent_id, start_date, first_date, gaps)
    values (${api.orgId}, 'submission', ${id}, ${start}::date, ${start}::date,
      ${JSON.stringify([{ date: addDays(start, 1), reason: 'provider_unavailable' }])}::jsonb)`.execute(
    api.db,
  );
  await sql`insert into public.soundcloud_attribution_snapshots
      (org_id, parent_type, parent_id, day_index, snapshot_date, plays, likes, collection_source, metadata)
    values (${api.orgId}, 'submission', ${id}, 0, ${start}::date, 100, null, 'soundcloud', '{"hidden": false}'),
      (${api.orgId}, 'submission', ${id}, 2, ${addDays(start, 2)}::date, 160, 4, 'soundcloud', '{}')`.execute(
    api.db,
  );
  return { id, path: `/v1/submissions/${id}/attribution` };
}

const enter = (id: string, more: object, as = api.moderator) =>
  api.call('POST', '/v1/snapshots', {
    as,
    body: { parent_type: 'submission', parent_id: id, note: 'Read from the page at noon.', ...more },
  });

describe('the attribution of a submission', () => {
  it('shows snapshots, deltas, gaps and incremental plays to the member and to ops', async () => {
    const { path } = await tracked();
    for (const as of [api.member, api.moderator, api.admin]) {
      const { status, body } = await api.call('GET', path, { as });
      expect(status).toBe(200);
      expect(body).toMatchObject({
        state: 'running',
        start_date: start,
        last_date: null,
        baseline: true,
        gaps: [{ date: addDays(start, 1), day_index: 1, reason: 'provider_unavailable' }],
        deltas: [{ day_index: 2, deltas: { plays: { change: 60, days: 2 }, likes: null, followers: null } }],
        incremental: {
          plays: { gained: 60, days: 2, trend_per_day: 0, trend_days: 0, incremental: 60 },
          likes: null,
        },
        reposts_delivered: 0,
        credits_per_incremental_play: 0,
      });
      expect(body.snapshots).toMatchObject([
        { day_index: 0, plays: 100, likes: null, source: 'soundcloud', hidden: false },
        { day_index: 2, plays: 160, likes: 4 },
      ]);
    }
  });

  it('is nobody else’s, in this org or another', async () => {
    const { path } = await tracked();
    for (const as of [api.between, api.otherAdmin]) {
      const { status, body } = await api.call('GET', path, {
        as,
        ...(as === api.between && { org: api.orgId }),
      });
      expect([status, body.code]).toEqual([404, 'not_found']);
    }
    // Nor in the tables, for who talks to Supabase directly.
    const seen = await api.db.transaction().execute(async (trx) => {
      const claims = JSON.stringify({ sub: api.between.id, role: 'authenticated', email: api.between.email });
      await sql`select set_config('request.jwt.claims', ${claims}, true), set_config('role', 'authenticated', true)`.execute(
        trx,
      );
      const snapshots = await trx.selectFrom('soundcloud_attribution_snapshots').select('id').execute();
      const attributions = await trx.selectFrom('soundcloud_attributions').select('id').execute();
      return snapshots.length + attributions.length;
    });
    expect(seen).toBe(0);
  });

  it('has not begun before a queue is published', async () => {
    const created = await api.call('POST', '/v1/submissions', {
      as: api.member,
      body: { track_url: api.trackUrl() },
    });
    const { body } = await api.call('GET', `/v1/submissions/${created.body.id}/attribution`, {
      as: api.member,
    });
    expect(body).toMatchObject({ state: 'not_started', baseline: false, snapshots: [], start_date: null });
  });
});

describe('numbers entered by hand', () => {
  it('fill a gap, are marked and audited, and can be corrected', async () => {
    const { id, path } = await tracked();
    const date = addDays(start, 1);
    const entered = await enter(id, { snapshot_date: date, plays: 130, followers: 50 });
    expect([entered.status, entered.headers.get('location')]).toEqual([201, path]);
    expect(entered.body).toMatchObject({ day_index: 1, plays: 130, likes: null, source: 'manual' });
    const corrected = await enter(id, { snapshot_date: date, plays: 131 });
    expect(corrected.body).toMatchObject({ id: entered.body.id, plays: 131, followers: null });
    const { body } = await api.call('GET', path);
    expect(body.gaps).toEqual([]);
    const { rows } = await sql<{ reason: string; before: object | null; after: object }>`
      select reason, before, after from public.soundcloud_audit_log
      where entity_id = ${entered.body.id} order by seq`.execute(api.db);
    expect(rows).toMatchObject([
      { reason: 'Read from the page at noon.', before: null, after: { plays: 130 } },
      { before: { plays: 130 }, after: { plays: 131 } },
    ]);
    const events = await api.db
      .selectFrom('soundcloud_events')
      .select('data')
      .where('entity_id', '=', entered.body.id)
      .orderBy('seq')
      .execute();
    expect(events.map((event) => event.data)).toMatchObject([
      { plays: 130, source: 'manual', day_index: 1, parent_id: id },
      { plays: 131 },
    ]);
  });

  it('never replace what was measured, and need a tracked day and a number', async () => {
    const { id } = await tracked();
    const codes = async (more: object, parent = id) => {
      const { status, body } = await enter(parent, more);
      return [status, body.code];
    };
    expect(await codes({ snapshot_date: start, plays: 1 })).toEqual([409, 'snapshot_measured']);
    expect(await codes({ snapshot_date: addDays(start, -1), plays: 1 })).toEqual([422, 'rule_violated']);
    expect(await codes({ snapshot_date: addDays(today, 1), plays: 1 })).toEqual([422, 'rule_violated']);
    expect(await codes({ snapshot_date: today })).toEqual([422, 'rule_violated']);
    expect(await codes({ snapshot_date: today, plays: 1 }, api.memberId)).toEqual([422, 'no_attribution']);
    expect(await codes({ snapshot_date: today, plays: -1 })).toEqual([400, 'invalid_request']);
  });

  it('are for ops', async () => {
    const { id } = await tracked();
    const { status, body } = await enter(id, { snapshot_date: today, plays: 1 }, api.member);
    expect([status, body.code]).toEqual([403, 'forbidden']);
  });
});
