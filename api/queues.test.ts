/** Queues over HTTP: who sees what, the draft that was seen, commands, and asking for a date again. */
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addDays, atTimeOfDay, dateOf } from '../domain/calendar.js';
import { type AnswerBody, type ApiWorld, createApiWorld, type Person } from '../test/support/api-world.js';
import { zoneAtTen } from '../test/support/daily-queues.js';
import { addApproved, addMembers, queueFacts } from '../test/support/queue-world.js';
import { eventually } from '../test/support/review-facts.js';
import { createWorld, type World } from '../test/support/world.js';

const HANDLES = ['one', 'two', 'three', 'four'];

let stack: World;
let api: ApiWorld;
let facts: ReturnType<typeof queueFacts>;
let date: string;
let zone: string;
let path: string;
let supporters: string[];
let artist: string;
let rocker: string;
/** The login of the first supporter. */
let supporter: Person;
let submission: string;

beforeAll(async () => {
  const now = Date.now();
  zone = zoneAtTen(now);
  date = dateOf(now, zone);
  path = `/v1/queues/${date}`;
  stack = await createWorld();
  api = await createApiWorld({
    database: stack.database,
    commandTimeoutMs: 10_000,
    env: { SPARK_TASK_QUEUE: stack.config.SPARK_TASK_QUEUE },
    rateLimits: { perCaller: 10_000, failedSignIns: 1_000 },
  });
  await sql`update public.soundcloud_settings set timezone = ${zone} where org_id = ${api.orgId}`.execute(
    api.db,
  );
  facts = queueFacts(api.db, api.orgId);
  const member = (handle: string, more = {}) => ({ handle, activeAt: now, ...more });
  const [first = '', ...others] = await addMembers(api.db, api.orgId, [
    member('artist', { balance: 3 }),
    ...HANDLES.map((handle) => member(handle)),
    member('rocker', { family: 'Rock' }),
  ]);
  artist = first;
  rocker = others.pop() ?? '';
  supporters = others;
  supporter = await api.addLogin('one@members.test');
  [submission = ''] = await addApproved(api.db, api.orgId, [
    { memberId: artist, slug: 'track', artist: 'artist', supportDate: date },
  ]);
  await stack.startWorker();
});

afterAll(async () => {
  await api?.remove();
  await stack?.remove();
});

interface Shown {
  id: string;
  supporter_id: string;
  supporter_name: string | null;
  track: { url: string } | null;
  explanation: { because: string; override: unknown } | null;
}
const shown = (body: AnswerBody) => body.assignments as Shown[];
/** A supporter's name is the handle here. */
const nameOf = (one: { supporter_id: string } | undefined) =>
  HANDLES[supporters.indexOf(one?.supporter_id ?? '')];
const get = (as?: Person) => api.call('GET', path, as === undefined ? {} : { as });
const post = (verb: string, body?: unknown, options = {}) =>
  api.call('POST', `${path}/${verb}`, { ...(body !== undefined && { body }), ...options });
const events = () => facts.events();

describe('before there is a queue', () => {
  it('a dry run shows it and writes nothing; moderators may', async () => {
    const dry = await post('dry-run', undefined, { as: api.moderator });
    expect(dry.status).toBe(200);
    expect(dry.body).toMatchObject({ date, filled_slots: 3, diff: null });
    expect(dry.body.unused).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ member_id: rocker, member_name: 'rocker', code: 'excluded_for_all' }),
      ]),
    );
    const { opens_at, closes_at, generated_at } = dry.body.explanation as Record<string, string>;
    expect([Date.parse(opens_at ?? ''), Date.parse(closes_at ?? '')]).toEqual(
      ['12:00', '22:00'].map((time) => atTimeOfDay(date, time, zone)),
    );
    expect(generated_at).toBe(new Date(generated_at ?? '').toISOString());
    expect(await facts.queue(date)).toBeUndefined();
    expect((await get()).status).toBe(404);
  });

  it('bad requests are refused with their reason', async () => {
    const cases: [Promise<{ status: number; body: AnswerBody }>, number, string][] = [
      [api.call('GET', '/v1/queues/tomorrow'), 400, 'invalid_request'],
      [api.call('GET', '/v1/queues/2026-02-30'), 400, 'invalid_request'],
      [api.call('GET', '/v1/queues?status=open'), 400, 'invalid_request'],
      [api.call('POST', '/v1/queues', { body: { date: addDays(date, -1) } }), 422, 'queue_date_out_of_range'],
      [api.call('POST', '/v1/queues', { body: { date: addDays(date, 8) } }), 422, 'queue_date_out_of_range'],
      [api.call('POST', '/v1/queues', { body: { date }, as: supporter }), 403, 'forbidden'],
      [api.call('POST', '/v1/queues/2001-01-01/dry-run'), 422, 'queue_date_out_of_range'],
      [post('approve', {}), 404, 'not_found'],
      [post('approve', { exclude_assignment_ids: ['x'] }), 400, 'invalid_request'],
      [post('assignments/swap', { assignment_id: rocker }), 400, 'invalid_request'],
      [api.call('GET', `${path}/diff?from=1`), 400, 'invalid_request'],
    ];
    for (const [call, status, code] of cases) {
      const answer = await call;
      expect([answer.status, answer.body.code]).toEqual([status, code]);
    }
  });

  it('a refusal names the days that can be asked for, and what is missing', async () => {
    const late = await api.call('POST', '/v1/queues', { body: { date: '2001-01-01' } });
    expect(late.body.detail).toContain(`today, ${date}, or of a later day until ${addDays(date, 7)}`);
    expect((await get()).body.detail).toBe(
      `There is no queue of ${date}. POST /v1/queues asks for one of today or of the next 7 days; none is made for a date that no approved submission waits for, or whose submissions another draft has.`,
    );
    expect((await get(supporter)).body.detail).toBe(`There is no published queue of ${date}.`);
    const faults = async (address: string) => (await api.call('GET', address)).body.errors;
    expect(await faults(`${path}/diff?from=one`)).toEqual([
      { in: 'query', pointer: 'from', detail: 'Invalid input: expected number' },
      { in: 'query', pointer: 'to', detail: 'is missing' },
    ]);
    const code = await faults(`${path}/unused?code=nothing`);
    expect(code).toEqual([{ in: 'query', pointer: 'code', detail: expect.stringContaining('"outbid"') }]);
  });
});

it('no queue may be asked for while an admin has switched them off', async () => {
  const automation = '/v1/automations/daily-queue';
  expect((await api.call('PATCH', automation, { body: { status: 'disabled' } })).status).toBe(200);
  const answer = await api.call('POST', '/v1/queues', { body: { date }, as: api.moderator });
  expect([answer.status, answer.body.code]).toEqual([409, 'automation_disabled']);
  const asked = api.db.selectFrom('soundcloud_events').select('id').where('type', '=', 'queue.requested');
  expect(await asked.execute()).toEqual([]);
  expect((await api.call('PATCH', automation, { body: { status: 'enabled' } })).status).toBe(200);
});

describe('a draft', () => {
  it('is made on request, once, and only ops see it, with every reason', async () => {
    const asked = await api.call('POST', '/v1/queues', { body: { date }, as: api.moderator });
    expect([asked.status, asked.headers.get('location')]).toEqual([202, path]);
    const queue = await eventually('the draft', async () => {
      const answer = await get();
      return answer.status === 200 && answer.body.wait !== null ? answer : false;
    });
    expect(queue.body).toMatchObject({ date, status: 'draft', revision: 1, wait: { waiting_on: 'ops' } });
    expect(queue.headers.get('etag')).toBe('"1"');
    expect(shown(queue.body)).toHaveLength(3);
    for (const one of shown(queue.body)) expect(one.supporter_name).toBe(nameOf(one));
    for (const one of shown(queue.body)) {
      expect(one.track?.url).toBe('https://soundcloud.com/artist/track');
      expect(one.explanation?.because).toContain('affinity');
    }
    const unused: AnswerBody[] = [];
    let cursor: string | null = '';
    for (let pages = 0; cursor !== null; pages += 1) {
      const page = await api.call('GET', `${path}/unused?limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`);
      expect(page.body.data.length, `page ${pages}`).toBeLessThanOrEqual(1);
      unused.push(...page.body.data);
      cursor = page.body.next_cursor;
    }
    // Everybody is either placed or listed with a reason.
    const placed = shown(queue.body).map(({ supporter_id }) => supporter_id);
    const ids = unused.map(({ member_id }) => member_id as string);
    expect(ids).toEqual([...ids].sort());
    expect(new Set([...ids, ...placed])).toEqual(new Set([artist, rocker, api.memberId, ...supporters]));
    const excluded = await api.call('GET', `${path}/unused?code=excluded_for_all`, { as: api.moderator });
    expect(excluded.body.data).toContainEqual(
      expect.objectContaining({ member_id: rocker, member_name: 'rocker' }),
    );
    expect(new Set(excluded.body.data.map(({ code }) => code))).toEqual(new Set(['excluded_for_all']));

    const again = await api.call('POST', '/v1/queues', { body: { date } });
    expect([again.status, again.body.code]).toEqual([409, 'queue_exists']);

    expect((await get(supporter)).status).toBe(404);
    expect((await api.call('GET', '/v1/queues', { as: supporter })).body.data).toEqual([]);
    expect((await get(api.otherAdmin)).status).toBe(404);
    for (const hidden of ['drafts', 'drafts/1', 'diff?from=1&to=1', 'unused']) {
      expect((await api.call('GET', `${path}/${hidden}`, { as: supporter })).status).toBe(403);
    }
    expect((await post('approve', {}, { as: supporter })).status).toBe(403);
  });

  it('is edited by the rules, or against them with a reason; an old draft is not acted on', async () => {
    const before = await get();
    const [first] = shown(before.body);
    const swap = { assignment_id: first?.id, supporter_id: rocker };
    const refused = await post('assignments/swap', swap);
    expect([refused.status, refused.body.code]).toEqual([422, 'pair_excluded']);
    expect(refused.body.detail).toContain('genre');

    const insisted = await post('assignments/swap', { ...swap, reason: 'The label asked for it.' });
    expect([insisted.status, insisted.headers.get('etag')]).toEqual([200, '"2"']);
    const override = shown(insisted.body).find(({ id }) => id === first?.id)?.explanation?.override;
    expect(override).toMatchObject({ codes: ['genre'], reason: 'The label asked for it.', by: api.admin.id });
    const { rows } = await sql<{ line: string }>`
      select action || ' ' || coalesce(details ->> 'outcome', 'written') as line
      from public.soundcloud_audit_log where org_id = ${api.orgId} and action like 'queue.%' order by seq`.execute(
      api.db,
    );
    expect(rows.map(({ line }) => line)).toEqual([
      'queue.request written',
      'queue.swapAssignment refused: pair_excluded',
      'queue.override written',
      'queue.swapAssignment applied',
    ]);

    const stale = await post('approve', {}, { headers: { 'If-Match': '"1"' } });
    expect([stale.status, stale.body.code]).toEqual([412, 'queue_changed']);
    expect((await post('approve', {}, { headers: { 'If-Match': 'W/"2"' } })).status).toBe(412);
    for (const tag of ['abc', '2', '"1', '"1", 2']) {
      const malformed = await post('approve', {}, { headers: { 'If-Match': tag } });
      expect([tag, malformed.status, malformed.body.errors]).toEqual([
        tag,
        400,
        [{ in: 'header', pointer: 'If-Match', detail: expect.stringContaining('such as "3"') }],
      ]);
    }
    const back = await post('assignments/swap', { ...swap, supporter_id: first?.supporter_id });
    expect(back.status).toBe(200);
    const dropped = await post(
      'assignments/drop',
      { assignment_id: first?.id },
      { headers: { 'If-Match': '"3"' } },
    );
    expect(dropped.status).toBe(200);
    expect(dropped.body.unfilled).toEqual([]);
    const free = supporters.find((id) => !shown(dropped.body).some((one) => one.supporter_id === id));
    const added = await post('assignments/add', { submission_id: submission, supporter_id: free });
    expect([added.status, shown(added.body).length]).toEqual([200, 3]);

    const drafts = await api.call('GET', `${path}/drafts`);
    expect(drafts.body.data.map(({ cause }) => cause)).toEqual([
      'added',
      'dropped',
      'swapped',
      'swapped',
      'generated',
    ]);
    const diff = await api.call('GET', `${path}/diff?from=1&to=2`);
    expect(diff.body).toMatchObject({
      added: [{ supporter_id: rocker, supporter_name: 'rocker' }],
      removed: [{ supporter_id: first?.supporter_id, supporter_name: nameOf(first) }],
    });
    expect((await api.call('GET', `${path}/diff?from=1&to=99`)).status).toBe(404);
    expect((await api.call('GET', `${path}/drafts/1`)).body).toMatchObject({
      revision: 1,
      cause: 'generated',
      explanation: { opens_at: new Date(atTimeOfDay(date, '12:00', zone)).toISOString() },
    });
    const dry = await post('dry-run');
    expect(dry.body.diff).not.toBeNull();

    // As of each version: the one who was brought in by it is not listed.
    const unusedIn = async (query: string) => {
      const { body } = await api.call('GET', `${path}/unused${query}`);
      return new Set(body.data.map(({ member_id }) => member_id as string));
    };
    expect(await unusedIn('?revision=1')).toContain(rocker);
    expect(await unusedIn('?revision=2')).not.toContain(rocker);
    expect(await unusedIn('')).toEqual(await unusedIn('?revision=5'));
    expect((await api.call('GET', `${path}/unused?revision=99`)).status).toBe(404);
  });

  it('a command that is refused leaves no request; where that fails, its caller still learns why', async () => {
    const pending = async () => {
      const { rows } = await sql<{ name: string }>`select name from public.soundcloud_commands
        where org_id = ${api.orgId} and status = 'pending'`.execute(api.db);
      return rows.map(({ name }) => name);
    };
    const [first] = shown((await get()).body);
    const stale = { headers: { 'If-Match': '"1"' } };
    const drop = () => post('assignments/drop', { assignment_id: first?.id }, stale);
    expect((await drop()).status).toBe(412);
    expect(await pending()).toEqual([]);
    const withdraw = sql`function private.api_command_withdraw(uuid, text)`;
    await sql`revoke execute on ${withdraw} from spark_api`.execute(api.db);
    try {
      const refused = await drop();
      expect([refused.status, refused.body.code]).toEqual([412, 'queue_changed']);
      expect(await pending()).toEqual(['dropAssignment']);
    } finally {
      await sql`grant execute on ${withdraw} to spark_api`.execute(api.db);
      await sql`delete from public.soundcloud_commands where org_id = ${api.orgId} and status = 'pending'`.execute(
        api.db,
      );
    }
  });

  it('is generated anew, then approved in part, once', async () => {
    const fresh = await post('regenerate');
    expect([fresh.status, fresh.body.revision]).toEqual([200, 6]);
    const [mine, out] = shown(fresh.body);
    const excluded = out?.id;
    const own = nameOf(mine);
    const chosen = own === 'one' ? supporter : await api.addLogin(`${own}@members.test`);
    const body = { exclude_assignment_ids: [excluded] };
    const approved = await post('approve', body, { headers: { 'If-Match': '"6"' }, key: 'approve-once' });
    expect(approved.status).toBe(200);
    const repeated = await post('approve', body, { headers: { 'If-Match': '"6"' }, key: 'approve-once' });
    expect(repeated.status).toBe(200);
    const late = await post('approve', {}, { as: api.moderator });
    expect([late.status, late.body.code]).toEqual([409, 'queue_already_approved']);
    expect(late.body.detail).toContain(api.admin.id);
    await eventually('it is out', async () => (await get()).body.status === 'published');
    expect(await events()).toMatchObject({ 'queue.published': 1 });
    expect(shown((await get()).body).map(({ id }) => id)).not.toContain(excluded);

    // Nothing would be drafted for it: an empty dry run would read as if nobody was in the queue.
    const dry = await post('dry-run');
    expect([dry.status, dry.body.code]).toEqual([409, 'queue_already_approved']);
    expect(dry.body.detail).toMatch(
      new RegExp(
        `^The queue of ${date} is published: it was approved by ${api.admin.id} at 20.*GET ${path} shows`,
      ),
    );

    // A member sees the queue now, and the own assignment with its track, nobody else's and no reasons.
    const seen = await get(chosen);
    expect(shown(seen.body).map(({ id }) => id)).toEqual([mine?.id]);
    for (const one of shown(seen.body)) {
      expect(one.track?.url).toBe('https://soundcloud.com/artist/track');
      expect(one.explanation).toBeNull();
    }
    expect(seen.body).toMatchObject({
      status: 'published',
      unfilled: [],
      approved_by: null,
      wait: null,
      workflow: null,
    });
    expect((await api.call('GET', '/v1/queues', { as: chosen })).body.data).toHaveLength(1);
    expect((await get(api.otherAdmin)).status).toBe(404);
  });
});

it('a queue that lapsed takes no command, and may be asked for again', async () => {
  const tomorrow = addDays(date, 1);
  await sql`insert into public.soundcloud_queues (org_id, date, status, closed_at, approve_by, revision)
    values (${api.orgId}, ${tomorrow}, 'lapsed', now(), now(), 0)`.execute(api.db);
  const closed = await api.call('POST', `/v1/queues/${tomorrow}/approve`, { body: {} });
  expect([closed.status, closed.body.code]).toEqual([409, 'queue_closed']);
  expect(closed.body.detail).toContain('Ask for it again with POST /v1/queues.');
  const yesterday = addDays(date, -1);
  await sql`insert into public.soundcloud_queues (org_id, date, status, closed_at, approve_by, revision)
    values (${api.orgId}, ${yesterday}, 'lapsed', now(), now(), 0)`.execute(api.db);
  const past = await api.call('POST', `/v1/queues/${yesterday}/approve`, { body: {} });
  expect([past.status, past.body.code]).toEqual([409, 'queue_closed']);
  expect(past.body.detail).toMatch(/lapsed.*too late to ask for it again/);
  const [artist] = await addMembers(api.db, api.orgId, [
    { handle: 'second-artist', balance: 2, activeAt: Date.now() },
  ]);
  await addApproved(api.db, api.orgId, [
    { memberId: artist ?? '', slug: 'other', artist: 'second-artist', supportDate: tomorrow },
  ]);
  const asked = await api.call('POST', '/v1/queues', { body: { date: tomorrow } });
  expect(asked.status).toBe(202);
  await eventually('the draft', async () => {
    const { body } = await api.call('GET', `/v1/queues/${tomorrow}`);
    return body.status === 'draft' && body.wait !== null && body.closed_at === null;
  });
});
