/** Assignments over HTTP: who sees which, commands that are applied, refused and answered later, evidence, tasks, reports. */
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAssignmentTask } from '../activities/assignment-tasks.js';
import { signToken } from '../cli/token.js';
import { createLogger } from '../config/log.js';
import { withOrg } from '../db/client.js';
import type { OpsTaskAction } from '../db/ops-tasks.js';
import { storeProofCheck } from '../db/proof-checks.js';
import { expectAssignmentInvariants } from '../test/chaos/support/assignment-invariants.js';
import { addApiKey } from '../test/support/api-keys.js';
import { type AnswerBody, type ApiWorld, createApiWorld, type Person } from '../test/support/api-world.js';
import { assignmentsOf, type PublishedAssignment } from '../test/support/assignments.js';
import { eventually } from '../test/support/review-facts.js';
import { createWorld, type Member, type World } from '../test/support/world.js';
import { type RunningWorker, startWorker } from '../worker.js';

let stack: World;
let api: ApiWorld;
let the: ReturnType<typeof assignmentsOf>;
let worker: RunningWorker;
let admin: Person;
let supporter: Member;
let asSupporter: Person;

beforeAll(async () => {
  stack = await createWorld();
  the = assignmentsOf(stack);
  api = await createApiWorld({
    database: stack.database,
    commandTimeoutMs: 8_000,
    env: { SPARK_TASK_QUEUE: stack.config.SPARK_TASK_QUEUE },
  });
  worker = await startWorker(stack.config, createLogger('worker', 'silent'));
  admin = await person(stack.adminId, 'admin@ops.test');
  supporter = await the.addSupporter();
  asSupporter = await loginOf(supporter);
});

afterAll(async () => {
  await api?.remove();
  await worker?.stop();
  await stack?.remove();
});

async function person(id: string, email: string): Promise<Person> {
  return { id, email, token: await signToken({ secret: api.secret, login: { id, email }, hours: 1 }) };
}

const loginOf = async (member: Member) => api.addLogin(member.email ?? '');

const nameOf = ({ handle }: Member) => handle.replace('member-', 'Member ');

/** As who the supporters of all listed assignments are shown, each once. */
async function namesSeen(as: Person | string): Promise<unknown[]> {
  const { body } = await api.call('GET', '/v1/assignments?limit=250', { as });
  return [...new Set(body.data.map(({ supporter_name }) => supporter_name))];
}

const keyWith = async (...scopes: string[]) => (await addApiKey(stack.db, stack.orgId, scopes)).token;

const path = (assignment: PublishedAssignment, rest = '') => `/v1/assignments/${assignment.id}${rest}`;

async function underWay(options: Parameters<typeof the.publishOne>[0] = {}) {
  const assignment = await the.publishOne(options);
  await the.opened(assignment);
  return assignment;
}

/** What the supporter's login was told of a skip. */
async function toldOfSkip(assignment: PublishedAssignment): Promise<string[]> {
  const rows = await stack.db
    .selectFrom('soundcloud_notifications')
    .select('message')
    .where('user_id', '=', asSupporter.id)
    .where('title', '=', 'A repost was skipped')
    .where(sql<boolean>`metadata ->> 'assignment_id' = ${assignment.id}`)
    .execute();
  return rows.map(({ message }) => message);
}

describe('an assignment', () => {
  it('is shown with its track to its supporter and to ops, and to nobody else', async () => {
    const mine = await underWay({ supporters: [supporter] });
    const others = await underWay();
    const list = await api.call('GET', '/v1/assignments', { as: asSupporter });
    expect(list.body.data.map(({ id }) => id)).toContain(mine.id);
    expect(list.body.data.map(({ id }) => id)).not.toContain(others.id);
    const one = await api.call('GET', path(mine), { as: asSupporter });
    expect(one.body).toMatchObject({
      status: 'assigned',
      track: { url: mine.submission.trackUrl, artist_name: 'Night Harbor', name: 'Low Tide' },
      verified_by: 'soundcloud',
      wait: { stage: 'proof', waiting_on: 'supporter' },
      workflow: null,
    });
    expect(await namesSeen(asSupporter)).toEqual([nameOf(supporter)]);
    expect(await namesSeen(admin)).toEqual(
      expect.arrayContaining([nameOf(supporter), nameOf(others.supporter)]),
    );
    // Who may read queues, but no members, is shown ids.
    expect(await namesSeen(await keyWith('queues:read'))).toEqual([null]);
    expect(await namesSeen(await keyWith('queues:read', 'members:read'))).toContain(nameOf(supporter));
    expect((await api.call('GET', path(others), { as: asSupporter })).status).toBe(404);
    expect((await api.call('GET', path(others, '/evidence'), { as: asSupporter })).status).toBe(404);
    const all = await api.call('GET', '/v1/assignments?status=assigned&open=true&sort=slot_at&limit=1', {
      as: admin,
    });
    expect(all.body.data).toHaveLength(1);
    expect(all.body.next_cursor).not.toBeNull();
    const date = String((await api.call('GET', path(others), { as: admin })).body.queue_date);
    const ofDate = await api.call('GET', `/v1/assignments?date=${date}`, { as: admin });
    expect(ofDate.body.data.map(({ id }) => id)).toEqual([others.id]);
    await sql`update public.soundcloud_queues set status = 'draft' where id = ${mine.queueId}`.execute(
      stack.db,
    );
    expect((await api.call('GET', path(mine), { as: asSupporter })).status).toBe(404);
    expect((await api.call('GET', path(mine), { as: admin })).status).toBe(200);
    const early = await api.call('POST', path(mine, '/skip'), { as: admin, body: { reason: 'no' } });
    expect(early.body.code).toBe('assignment_unpublished');
    await sql`update public.soundcloud_queues set status = 'published' where id = ${mine.queueId}`.execute(
      stack.db,
    );
  });

  it('never tells its supporter the secret token of a private link; the public one goes to everybody', async () => {
    const mine = await underWay({ supporters: [supporter] });
    const address = `https://soundcloud.com/night-harbor/${mine.id}`;
    const secret = `${address}/s-AbCd1234`;
    const { body } = await api.call('GET', path(mine), { as: admin });
    interface Shown {
      url: string;
    }
    const seenBy = async (as: Person) => {
      const list = await api.call('GET', '/v1/assignments', { as });
      const one = await api.call('GET', path(mine), { as });
      const queue = await api.call('GET', `/v1/queues/${body.queue_date}`, { as });
      const shown = [list.body.data, [one.body], queue.body.assignments as AnswerBody[]];
      return shown.map((rows) => (rows.find(({ id }) => id === mine.id)?.track as Shown | undefined)?.url);
    };
    const setLinks = (live: string | null) =>
      sql`update public.soundcloud_submissions set track_url = ${secret}, live_link_url = ${live}
        where id = ${mine.submission.id}`.execute(stack.db);
    await setLinks(null);
    expect(await seenBy(asSupporter)).toEqual([address, address, address]);
    expect(await seenBy(admin)).toEqual([secret, secret, secret]);
    const live = 'https://soundcloud.com/night-harbor/out-now';
    await setLinks(live);
    expect(await seenBy(asSupporter)).toEqual([live, live, live]);
    expect(await seenBy(admin)).toEqual([live, live, live]);
  });
});

describe('a proof', () => {
  it('is taken from the supporter, once for each key, verified, and kept as evidence', async () => {
    const assignment = await underWay({ supporters: [supporter] });
    await the.repost(assignment);
    const body = { url: `${assignment.submission.trackUrl}?si=1` };
    const sent = { as: asSupporter, body, key: 'my proof' };
    const answers = await Promise.all([1, 2].map(() => api.call('POST', path(assignment, '/proof'), sent)));
    const statuses = answers.map(({ status }) => status).sort();
    expect([JSON.stringify([200, 200]), JSON.stringify([200, 409])]).toContain(JSON.stringify(statuses));
    await the.inStage(assignment, 'watch');
    const shown = await api.call('GET', path(assignment), { as: asSupporter });
    expect(shown.body).toMatchObject({ status: 'completed', proof_url: assignment.submission.trackUrl });
    const evidence = await api.call('GET', path(assignment, '/evidence'), { as: asSupporter });
    expect(evidence.body.data.map(({ source, verdict }) => `${source} ${verdict}`)).toEqual([
      'member_url inconclusive',
      'user_reposts seen',
    ]);
    const late = await api.call('POST', path(assignment, '/proof'), { as: asSupporter, body });
    expect([late.status, late.body.code]).toEqual([409, 'assignment_completed']);
  });

  it('evidence of who else reposted the track names them to ops, and to nobody else', async () => {
    const mine = await underWay({ supporters: [supporter] });
    const other = await the.addSupporter();
    const later = await underWay({ supporters: [other], submission: mine.submission });
    const check = { orgId: stack.orgId, assignmentId: mine.id, phase: 'proof', key: 'looked' } as const;
    const facts = { rows: 2, laterReposts: 1, later: [later.id] };
    await stack.db.transaction().execute((trx) =>
      storeProofCheck(trx, {
        ...check,
        source: 'reposters',
        verdict: 'absent',
        positiveControl: true,
        facts,
        checkedAt: Date.now(),
      }),
    );
    const factsFor = async (as: Person) => {
      const { body } = await api.call('GET', path(mine, '/evidence'), { as });
      return body.data.find(({ source }) => source === 'reposters')?.facts;
    };
    expect(await factsFor(admin)).toEqual({ ...facts, later: [other.handle] });
    expect(await factsFor(asSupporter)).toEqual({ rows: 2, laterReposts: 1 });
  });

  it('evidence that names a handle where an id belongs is shown all the same', async () => {
    const mine = await underWay({ supporters: [supporter] });
    const other = await the.addSupporter();
    const later = await underWay({ supporters: [other], submission: mine.submission });
    const facts = { rows: 3, later: ['deep-current', later.id, 7] };
    await stack.db.transaction().execute((trx) =>
      storeProofCheck(trx, {
        orgId: stack.orgId,
        assignmentId: mine.id,
        phase: 'proof',
        key: 'written by hand',
        source: 'reposters',
        verdict: 'absent',
        positiveControl: true,
        facts,
        checkedAt: Date.now(),
      }),
    );
    const shown = await api.call('GET', path(mine, '/evidence'), { as: admin });
    expect(shown.status).toBe(200);
    expect(shown.body.data.find(({ source }) => source === 'reposters')?.facts).toEqual({
      rows: 3,
      later: ['deep-current', other.handle],
    });
    const own = await api.call('GET', path(mine, '/evidence'), { as: asSupporter });
    expect(own.body.data.find(({ source }) => source === 'reposters')?.facts).toEqual({ rows: 3 });
  });

  it('of something else is refused, and may be sent again; another’s assignment is not there', async () => {
    const assignment = await underWay();
    const wrong = { url: 'https://soundcloud.com/somebody-else/another-track' };
    const refused = await api.call('POST', path(assignment, '/proof'), { as: admin, body: wrong });
    expect([refused.status, refused.body.code]).toEqual([422, 'proof_url_unrelated']);
    const foreign = await api.call('POST', path(assignment, '/proof'), { as: asSupporter, body: wrong });
    expect(foreign.status).toBe(404);
    const override = { outcome: 'completed', reason: 'mine' };
    const denied = await api.call('POST', path(assignment, '/override'), { as: asSupporter, body: override });
    expect(denied.status).toBe(403);
    const right = { url: assignment.submission.trackUrl };
    expect((await api.call('POST', path(assignment, '/proof'), { as: admin, body: right })).status).toBe(200);
  });

  it('written directly into the row counts, and a wrong one is taken back', async () => {
    const assignment = await underWay({ supporters: [supporter] });
    const write = (url: string) =>
      stack.db.transaction().execute(async (trx) => {
        const claims = {
          sub: asSupporter.id,
          email: asSupporter.email,
          role: 'authenticated',
          aud: 'authenticated',
        };
        await sql`select set_config('request.jwt.claims', ${JSON.stringify(claims)}, true), set_config('role', 'authenticated', true)`.execute(
          trx,
        );
        const result =
          await sql`update public.soundcloud_queue_assignments set proof_url = ${url} where id = ${assignment.id}`.execute(
            trx,
          );
        expect(result.numAffectedRows).toBe(1n);
      });
    await write('https://soundcloud.com/somebody-else/another-track');
    await eventually(
      'the wrong proof is taken back',
      async () => (await the.facts.row(assignment)).proof_url === null,
    );
    const told = await stack.db
      .selectFrom('soundcloud_notifications')
      .select('title')
      .where('user_id', '=', asSupporter.id)
      .where('title', '=', 'Your proof was not taken')
      .execute();
    expect(told).toHaveLength(1);
    await the.repost(assignment);
    await write(assignment.submission.trackUrl);
    await the.inStage(assignment, 'watch');
    expect((await the.facts.row(assignment)).proof_url).toBe(assignment.submission.trackUrl);
  });
});

describe('skip', () => {
  it('gives the credits back and says so to whoever asks; afterwards nothing changes', async () => {
    const assignment = await underWay({ supporters: [supporter], price: 2 });
    const body = { reason: 'I am on holiday.' };
    const answer = await api.call('POST', path(assignment, '/skip'), { as: asSupporter, body });
    expect(answer.body).toMatchObject({ status: 'skipped', outcome_reason: body.reason, wait: null });
    expect(await the.facts.wallet(assignment.artist)).toMatchObject({ balance: 3, held: 0 });
    await the.handleOf(assignment).result();
    expect(await toldOfSkip(assignment)).toEqual([]);
    const late = await api.call('POST', path(assignment, '/override'), {
      as: admin,
      body: { outcome: 'failed', reason: 'too late' },
    });
    expect([late.status, late.body.code]).toEqual([409, 'assignment_closed']);
    expect(late.body.detail).toMatch(/manual credit change/);
  });
});

describe('who is skipped by ops', () => {
  it('is told once, with the reason; two at the same moment change nothing of that', async () => {
    const assignment = await underWay({ supporters: [supporter] });
    const body = { outcome: 'skipped', reason: 'The artist has taken the track down.' };
    await Promise.all([1, 2].map(() => api.call('POST', path(assignment, '/override'), { as: admin, body })));
    const told = await toldOfSkip(assignment);
    expect(told).toHaveLength(1);
    expect(told[0]).toMatch(/No credits are booked.*The artist has taken the track down\.$/s);
  });
});

describe('the place of a skipped assignment', () => {
  it('is filled by the next supporter, who is told', async () => {
    const assignment = await underWay({ refilled: true });
    await sql`update public.soundcloud_members set last_activity_at = private.business_now()`.execute(
      stack.db,
    );
    await api.call('POST', path(assignment, '/skip'), { as: admin, body: { reason: 'ill' } });
    const { rows } = await sql<{ id: string; done: boolean }>`
      select a.id, (e.data ->> 'queue_done')::boolean as done
      from public.soundcloud_queue_assignments a
      join public.soundcloud_events e on e.entity_id = a.replacement_for and e.type = 'assignment.settled'
      where a.replacement_for = ${assignment.id}`.execute(stack.db);
    expect(rows).toEqual([{ id: expect.any(String), done: false }]);
    const [replacement] = rows;
    await eventually('the new supporter is told', async () => {
      const mails = await stack.db
        .selectFrom('soundcloud_email_logs')
        .select('id')
        .where('related_object_id', '=', replacement?.id ?? '')
        .execute();
      return mails.length === 1;
    });
    const shown = await api.call('GET', `/v1/assignments/${replacement?.id}`, { as: admin });
    expect(shown.body).toMatchObject({ replacement_for: assignment.id, wait: { stage: 'proof' } });
  });
});

describe('override', () => {
  it('by two at the same moment decides once, and is audited', async () => {
    const assignment = await underWay();
    const answers = await Promise.all(
      ['failed', 'skipped', 'failed'].map((outcome) =>
        api.call('POST', path(assignment, '/override'), {
          as: admin,
          body: { outcome, reason: `It ${outcome}.` },
        }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
    const settled = (await the.facts.events(assignment)).filter((type) => type === 'assignment.settled');
    expect(settled).toHaveLength(1);
    const audits = await stack.db
      .selectFrom('soundcloud_audit_log')
      .select(['actor_id', 'details'])
      .where('entity_id', '=', assignment.id)
      .where('action', '=', 'assignment.overrideOutcome')
      .execute();
    const applied = audits.filter(({ details }) => (details as { outcome?: string }).outcome === 'applied');
    expect(applied.map(({ actor_id }) => actor_id)).toEqual([admin.id]);
  });

  it('of the last two of a queue at the same moment tells the queue once', async () => {
    const assignments = await the.publish({ count: 3 });
    for (const assignment of assignments) await the.opened(assignment);
    await Promise.all(
      assignments.map((assignment) =>
        api.call('POST', path(assignment, '/override'), {
          as: admin,
          body: { outcome: 'failed', reason: 'All of them.' },
        }),
      ),
    );
    const { rows } = await sql<{ done: boolean }>`
      select (data ->> 'queue_done')::boolean as done from public.soundcloud_events
      where type = 'assignment.settled' and entity_id = any (${assignments.map(({ id }) => id)}::uuid[])`.execute(
      stack.db,
    );
    expect(rows.map(({ done }) => done).sort()).toEqual([false, false, true]);
  });
});

describe('tasks for ops', () => {
  async function task(workflowId: string | null): Promise<string> {
    const { id } = await stack.db
      .insertInto('soundcloud_ops_tasks')
      .values({ org_id: stack.orgId, kind: 'test', title: 'Look', workflow_id: workflowId })
      .returning('id')
      .executeTakeFirstOrThrow();
    return id;
  }

  it('of a proof name the fields their answers need; sent with them an answer is taken', async () => {
    const assignment = await underWay();
    await withOrg(stack.db, stack.orgId, (trx) =>
      openAssignmentTask(
        trx,
        { orgId: stack.orgId, assignmentId: assignment.id, workflowId: assignment.workflowId },
        { kind: 'proof_unverified', title: 'Look', body: 'Was it there?', dueAt: null },
        'Low Tide',
      ),
    );
    const list = await api.call('GET', `/v1/ops-tasks?entity_id=${assignment.id}`, { as: admin });
    const actions = list.body.data[0]?.actions as Required<OpsTaskAction>[];
    expect(actions.map(({ body, needs }) => [body.outcome, ...needs])).toEqual([
      ['completed', 'reason'],
      ['skipped', 'reason'],
      ['failed', 'reason'],
    ]);
    const [, skip] = actions;
    if (skip === undefined) throw new Error('no answer');
    const bare = await api.call(skip.method, skip.path, { as: admin, body: skip.body });
    expect([bare.status, bare.body.errors]).toEqual([
      400,
      [{ in: 'body', pointer: '/reason', detail: 'is missing' }],
    ]);
    const whole = { ...skip.body, reason: 'The account was locked.' };
    const taken = await api.call(skip.method, skip.path, { as: admin, body: whole });
    expect([taken.status, taken.body.status]).toEqual([200, 'skipped']);
    // Its workflow did not ask, so it does not close the task.
    await stack.db.deleteFrom('soundcloud_ops_tasks').where('entity_id', '=', assignment.id).execute();
  });

  it('are read and closed by ops, once; one that a workflow waits for is answered by its actions', async () => {
    const [free, waited] = [await task(null), await task('some-workflow')];
    const list = await api.call('GET', '/v1/ops-tasks?kind=test', { as: admin });
    expect(list.body.data.map(({ id }) => id).sort()).toEqual([free, waited].sort());
    expect((await api.call('GET', '/v1/ops-tasks', { as: asSupporter })).status).toBe(403);
    const body = { status: 'done', note: 'Looked at it.' };
    const close = (id: string, as: Person) => api.call('POST', `/v1/ops-tasks/${id}/close`, { as, body });
    expect((await close(free, asSupporter)).status).toBe(403);
    expect((await close(free, admin)).body).toMatchObject({
      status: 'done',
      resolved_by: admin.id,
      resolution: { note: 'Looked at it.' },
    });
    expect((await close(free, admin)).body.code).toBe('ops_task_closed');
    expect((await close(waited, admin)).body.code).toBe('ops_task_waited_for');
    expect((await api.call('GET', `/v1/ops-tasks/${waited}`, { as: admin })).body.status).toBe('open');
  });
});

describe('reports', () => {
  it('name pairs who repost each other, and how reliable a member is', async () => {
    const [first, second] = [await the.addArtist(), await the.addArtist()];
    for (const [artist, reposter, outcome] of [
      [first, second, 'completed'],
      [second, first, 'completed'],
      [first, supporter, 'completed'],
      [second, first, 'failed'],
    ] as const) {
      const made = await underWay({ artist, supporters: [reposter] });
      await api.call('POST', path(made, '/override'), { as: admin, body: { outcome, reason: 'Looked.' } });
    }
    const report = await api.call('GET', '/v1/reports/reciprocal-pairs?days=7', { as: admin });
    const ids = [first.id, second.id].sort();
    expect(report.body.data).toEqual([
      {
        first_id: ids[0],
        first_name: expect.any(String),
        second_id: ids[1],
        second_name: expect.any(String),
        first_for_second: 1,
        second_for_first: 1,
        share: 1,
      },
    ]);
    expect((await api.call('GET', '/v1/reports/reciprocal-pairs', { as: asSupporter })).status).toBe(403);
    const reliable = await api.call('GET', `/v1/members/${first.id}/reliability`, { as: admin });
    expect(reliable.body).toMatchObject({ completed: 1, failed: 1, skipped: 0, days: 90 });
    expect(reliable.body.reliability).toBeCloseTo(5 / 7, 5);
    expect((await api.call('GET', `/v1/members/${first.id}/reliability`, { as: asSupporter })).status).toBe(
      404,
    );
    expect(
      (await api.call('GET', `/v1/members/${supporter.id}/reliability`, { as: asSupporter })).status,
    ).toBe(200);
  });
});

describe('afterwards', () => {
  it('everything adds up', async () => {
    await expectAssignmentInvariants(stack);
  });
});
