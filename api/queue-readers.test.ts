/** Queues and assignments as each kind of caller reads them, and whom no command is taken from. */
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addApiKey } from '../test/support/api-keys.js';
import { type AnswerBody, type ApiWorld, createApiWorld, type Person } from '../test/support/api-world.js';

const DATE = '2026-03-02';
const HIDDEN_DATE = '2026-03-03';

let world: ApiWorld;
/** Published: of the member who signs in, and of somebody else. In a draft: of the member who signs in. */
let own: string;
let foreign: string;
let drafted: string;

beforeAll(async () => {
  world = await createApiWorld();
  const { rows: members } = await sql<{ id: string }>`
    insert into public.soundcloud_members (org_id, name) values (${world.orgId}, 'Artist'), (${world.orgId}, 'Other')
    returning id`.execute(world.db);
  const [artist, other] = members.map(({ id }) => id);
  const { rows } = await sql<{ id: string; date: string; supporter_id: string }>`
    with queue as (
      insert into public.soundcloud_queues (org_id, date, status, notes, approved_by_id, revision) values
        (${world.orgId}, ${DATE}, 'published', 'The label is in a hurry.', ${world.admin.id}, 2),
        (${world.orgId}, ${HIDDEN_DATE}, 'draft', null, null, 1)
      returning id, date
    ), submission as (
      insert into public.soundcloud_submissions (org_id, member_id, track_url, imported_at)
      values (${world.orgId}, ${artist}, ${world.trackUrl()}, now()) returning id
    ), assignment as (
      insert into public.soundcloud_queue_assignments (org_id, queue_id, submission_id, supporter_id, position, slot_at)
      select ${world.orgId}, queue.id, submission.id, supporter.id, supporter.n, queue.date
      from queue, submission, unnest(array[${world.memberId}, ${other}]::uuid[]) with ordinality as supporter (id, n)
      returning id, queue_id, supporter_id
    )
    select assignment.id, queue.date::text, supporter_id from assignment join queue on queue.id = queue_id`.execute(
    world.db,
  );
  const idOf = (date: string, mine: boolean) =>
    rows.find((row) => row.date === date && (row.supporter_id === world.memberId) === mine)?.id ?? '';
  [own, foreign, drafted] = [idOf(DATE, true), idOf(DATE, false), idOf(HIDDEN_DATE, true)];
});

afterAll(async () => {
  await world?.remove();
});

const addKey = async (scopes: string[]) => (await addApiKey(world.db, world.orgId, scopes)).token;

const get = (path: string, as: Person | string) => world.call('GET', path, { as });
const assignmentsIn = (body: AnswerBody) => (body.assignments as { id: string }[]).map(({ id }) => id);
const ids = (body: AnswerBody) => body.data.map(({ id }) => id).sort();

describe('a queue', () => {
  it('is shown to ops with their notes and who approved it, to members without', async () => {
    for (const as of [world.admin, world.moderator]) {
      const { body } = await get(`/v1/queues/${DATE}`, as);
      expect(body).toMatchObject({ notes: 'The label is in a hurry.', approved_by: world.admin.id });
      expect(assignmentsIn(body).sort()).toEqual([own, foreign].sort());
    }
    const { body } = await get(`/v1/queues/${DATE}`, world.member);
    expect(body).toMatchObject({ status: 'published', notes: null, approved_by: null, workflow: null });
    expect(assignmentsIn(body)).toEqual([own]);
    const list = (await get('/v1/queues', world.member)).body.data;
    expect(list).toMatchObject([{ date: DATE, notes: null, approved_by: null }]);
    expect((await get('/v1/queues', world.admin)).body.data.map(({ notes }) => notes)).toEqual([
      null,
      'The label is in a hurry.',
    ]);
  });

  it('in the making is there for ops alone', async () => {
    expect((await get(`/v1/queues/${HIDDEN_DATE}`, world.moderator)).status).toBe(200);
    expect((await get(`/v1/queues/${HIDDEN_DATE}`, world.member)).status).toBe(404);
    expect((await get(`/v1/assignments/${drafted}`, world.member)).status).toBe(404);
    expect((await get(`/v1/assignments/${drafted}/evidence`, world.member)).status).toBe(404);
    expect(ids((await get('/v1/assignments', world.member)).body)).toEqual([own]);
    expect((await get('/v1/assignments', world.admin)).body.data).toHaveLength(4);
  });
});

describe('an API key', () => {
  it('reads queues and assignments with the scope for them, without reasons and waits', async () => {
    const key = await addKey(['queues:read']);
    const queue = await get(`/v1/queues/${DATE}`, key);
    expect([queue.status, queue.body.wait, queue.body.unfilled]).toEqual([200, null, []]);
    expect(assignmentsIn(queue.body).sort()).toEqual([own, foreign].sort());
    expect((await get(`/v1/assignments/${foreign}`, key)).status).toBe(200);
    const blind = await addKey(['members:read', 'submissions:write']);
    for (const path of [`/v1/queues/${DATE}`, '/v1/queues', '/v1/assignments', `/v1/assignments/${own}`]) {
      expect([path, (await get(path, blind)).body.code]).toEqual([path, 'scope_missing']);
    }
  });
});

describe('commands', () => {
  const queue = [
    ['approve', []],
    ['regenerate', null],
    ['assignments/swap', ['assignment_id', 'supporter_id']],
    ['assignments/drop', ['assignment_id']],
    ['assignments/add', ['submission_id', 'supporter_id']],
    ['dry-run', null],
  ] as const;

  it('of a queue are for ops: not for members, not for programs', async () => {
    const key = await addKey(['queues:read', 'submissions:write']);
    for (const [verb, fields] of queue) {
      const body = fields && Object.fromEntries(fields.map((field) => [field, own]));
      const code = async (as: Person | string) =>
        (await world.call('POST', `/v1/queues/${HIDDEN_DATE}/${verb}`, { as, ...(body && { body }) })).body
          .code;
      expect([verb, await code(world.member), await code(key)]).toEqual([verb, 'forbidden', 'scope_missing']);
    }
    expect((await world.call('POST', '/v1/queues', { as: key, body: { date: DATE } })).body.code).toBe(
      'scope_missing',
    );
  });

  it('of an assignment are for its supporter and ops: not for other members, not for programs', async () => {
    const key = await addKey(['queues:read', 'submissions:write']);
    const bodies = {
      proof: { url: 'https://soundcloud.com/somebody/reposts' },
      skip: { reason: 'no' },
      override: { outcome: 'failed', reason: 'no' },
    };
    for (const [verb, body] of Object.entries(bodies)) {
      const answer = async (id: string, as: Person | string) =>
        (await world.call('POST', `/v1/assignments/${id}/${verb}`, { as, body })).body.code;
      expect([verb, await answer(own, key)]).toEqual([verb, 'scope_missing']);
      const refused = verb === 'override' ? 'forbidden' : 'not_found';
      expect([verb, await answer(foreign, world.member)]).toEqual([verb, refused]);
      expect([verb, await answer(drafted, world.member)]).toEqual([verb, refused]);
    }
    const { rows } = await sql<{
      status: string;
    }>`select distinct status from public.soundcloud_queue_assignments
      where org_id = ${world.orgId}`.execute(world.db);
    expect(rows).toEqual([{ status: 'assigned' }]);
  });
});
