/** Commands against a real Temporal server: applied at once, later, once only, and refused with the lifecycle's reason. */
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLogger } from '../config/log.js';
import { type ApiWorld, createApiWorld } from '../test/support/api-world.js';
import { eventually } from '../test/support/review-facts.js';
import { createWorld, type World } from '../test/support/world.js';
import { type RunningWorker, startWorker } from '../worker.js';
import { ASSIGNMENT_COMMANDS } from '../workflows/assignment/contract.js';
import { DAILY_QUEUE_COMMANDS } from '../workflows/daily-queue/contract.js';
import { REPOST_SCHEDULE_COMMANDS } from '../workflows/repost-schedule/contract.js';
import { SUBMISSION_COMMANDS } from '../workflows/submission-review/contract.js';
import { COMMAND_PATHS } from './command-paths.js';
import { routes } from './routes.js';

const REASON = 'This track was already supported by our network twice in the last month.';
/** What webhooks tell a workflow. */
const BY_SYSTEMS: ReadonlySet<string> = new Set(['scheduleReported', 'plannerReported']);
let stack: World;
let api: ApiWorld;
let worker: RunningWorker;
let workerRuns = true;

beforeAll(async () => {
  stack = await createWorld();
  api = await createApiWorld({
    database: stack.database,
    commandTimeoutMs: 5_000,
    env: { SPARK_TASK_QUEUE: stack.config.SPARK_TASK_QUEUE },
  });
  worker = await startWorker(stack.config, createLogger('worker', 'silent'));
});
afterAll(async () => {
  await api?.remove();
  if (workerRuns) await worker.stop();
  await stack?.remove();
});

async function submit(): Promise<{ id: string; path: string }> {
  const answer = await api.call('POST', '/v1/submissions', {
    body: { track_url: api.trackUrl(), member_id: api.memberId },
  });
  expect(answer.status).toBe(201);
  return { id: answer.body.id, path: `/v1/submissions/${answer.body.id}` };
}

async function audits(id: string): Promise<string[]> {
  const { rows } = await sql<{ line: string }>`
    select action || ' ' || coalesce(details ->> 'outcome', '') as line
    from public.soundcloud_audit_log where entity_id = ${id} and command_id is not null order by seq`.execute(
    api.db,
  );
  return rows.map(({ line }) => line);
}

describe('with a worker', () => {
  it('an id in upper case is the same submission, and the same review', async () => {
    const { id } = await submit();
    const path = `/v1/submissions/${id.toUpperCase()}`;
    await eventually('ops are waited for', async () => (await api.call('GET', path)).body.wait !== null);
    const body = { action: 'reject', reason: REASON };
    const decided = await api.call('POST', `${path}/decide`, { body });
    expect([decided.status, decided.body.status]).toEqual([200, 'rejected']);
    const description = stack.client.workflow
      .getHandle(`submission:${api.orgId}:${id.toUpperCase()}`)
      .describe();
    await expect(description).rejects.toThrow(/not found/iu);
  });

  it('a decision is applied, and the answer, the next read, inbox and audit agree', async () => {
    const { id, path } = await submit();
    await eventually('ops are waited for', async () => (await api.call('GET', path)).body.wait !== null);
    const decided = await api.call('POST', `${path}/decide`, { body: { action: 'reject', reason: REASON } });
    expect([decided.status, decided.body.status, decided.body.reject_reason]).toEqual([
      200,
      'rejected',
      REASON,
    ]);
    const read = await api.call('GET', path);
    expect([read.body.status, read.body.decided_by]).toEqual(['rejected', api.admin.id]);
    expect(await audits(id)).toEqual(['submission.decide applied']);

    await eventually(
      'the review is closed',
      async () => (await api.call('GET', path)).body.closed_at !== null,
    );
    const late = await api.call('POST', `${path}/decide`, {
      body: { action: 'approve', family: 'Electronic' },
    });
    expect([late.status, late.body.code, late.body.detail]).toEqual([
      409,
      'submission_closed',
      expect.stringContaining('rejected'),
    ]);
  });

  it('a refusal has the code and the reason of the review, and changes nothing', async () => {
    const { id, path } = await submit();
    const short = await api.call('POST', `${path}/decide`, { body: { action: 'reject', reason: 'No.' } });
    expect([short.status, short.body.code]).toEqual([422, 'reason_too_short']);
    const link = await api.call('POST', `${path}/provide-live-link`, { body: { url: api.trackUrl() } });
    expect([link.status, link.body.code]).toEqual([409, 'not_waiting_for_live_link']);
    const owner = await api.call('POST', `${path}/assign-owner`, { body: { owner_id: api.member.id } });
    expect([owner.status, owner.body.code]).toEqual([422, 'owner_not_ops']);
    const family = await api.call('POST', `${path}/decide`, {
      body: { action: 'approve', family: 'No Such Genre' },
    });
    expect([family.status, family.body.code]).toEqual([422, 'family_unknown']);
    const read = (await api.call('GET', path)).body;
    expect([read.decided_at, read.owner_id]).toEqual([null, null]);
    expect(await audits(id)).toEqual([
      'submission.decide refused: reason_too_short',
      'submission.provideLiveLink refused: not_waiting_for_live_link',
      'submission.assignOwner refused: owner_not_ops',
      'submission.decide refused: family_unknown',
    ]);
  });

  it('the member provides the link that ops ask for, and withdraws; nobody else may', async () => {
    const { path } = await submit();
    const pended = await api.call('POST', `${path}/decide`, {
      as: api.moderator,
      body: { action: 'pend', need_live_link: true },
    });
    expect([pended.status, pended.body.need_live_link]).toEqual([200, true]);
    expect(pended.body.wait).toMatchObject({ stage: 'live_link', waiting_on: 'member', paused: true });
    // The member is told what is waited for, and where to send it.
    const mine = await api.call('GET', path, { as: api.member });
    expect(mine.body.wait).toMatchObject({
      stage: 'live_link',
      how_to_act: expect.stringContaining(`provideLiveLink (POST ${path}/provide-live-link)`),
    });
    const inbox = await api.call('GET', '/v1/inbox?waiting_on=member');
    expect(inbox.body.data.map((item) => item.entity_id)).toContain(pended.body.id);
    expect(
      (await api.call('POST', `${path}/decide`, { as: api.member, body: { action: 'approve' } })).body.code,
    ).toBe('forbidden');
    const url = api.trackUrl();
    const linked = await api.call('POST', `${path}/provide-live-link`, { as: api.member, body: { url } });
    expect([linked.status, linked.body.live_link_url, linked.body.need_live_link]).toEqual([200, url, false]);
    const decided = (await api.call('GET', path, { as: api.member })).body;
    expect(decided.wait).toMatchObject({
      stage: 'decision',
      waiting_on: 'ops',
      who_can_act: 'the team',
      how_to_act: expect.stringMatching(/^nothing to do: .*withdraw \(POST .*\/withdraw\)/),
      due_at: expect.any(String),
    });
    expect(decided.workflow).toBeNull();
    expect((await api.call('GET', path)).body).toMatchObject({
      wait: { how_to_act: expect.stringContaining('decide') },
      workflow: { id: expect.stringContaining(pended.body.id) },
    });
    const owned = await api.call('POST', `${path}/assign-owner`, { body: { owner_id: api.moderator.id } });
    expect(owned.body.owner_id).toBe(api.moderator.id);
    const gone = await api.call('POST', `${path}/withdraw`, { as: api.member });
    expect([gone.status, gone.body.status]).toEqual([200, 'rejected']);
    expect(gone.body.withdrawn_at).not.toBeNull();
    expect(gone.body.owner_id).toBeNull();
    await eventually(
      'the review is closed',
      async () => (await api.call('GET', path)).body.closed_at !== null,
    );
    const why = async () => (await api.call('POST', `${path}/withdraw`, { as: api.member })).body.detail;
    expect(await why()).toBe('This submission is closed (withdrawn); it takes no further commands.');
    // As one that was approved ends, with a repost that stayed up and without.
    await sql`update public.soundcloud_submissions set status = 'approved', withdrawn_at = null, credits_consumed = 2
      where id = ${pended.body.id}`.execute(api.db);
    expect(await why()).toContain('closed (supported)');
    await sql`update public.soundcloud_submissions set credits_consumed = 0 where id = ${pended.body.id}`.execute(
      api.db,
    );
    expect(await why()).toContain('closed (approved, but nobody reposted it)');
  });

  it('ops let an approved submission wait on only when asked, and close it with a reason', async () => {
    const { id, path } = await submit();
    const early = await api.call('POST', `${path}/close-support`, { body: { reason: 'Too early.' } });
    expect([early.status, early.body.code]).toEqual([409, 'not_approved']);
    await api.call('POST', `${path}/decide`, { body: { action: 'approve', family: 'Electronic' } });
    const unasked = await api.call('POST', `${path}/keep-waiting`);
    expect([unasked.status, unasked.body.code]).toEqual([409, 'not_asked']);
    for (const verb of ['keep-waiting', 'close-support']) {
      const { status } = await api.call('POST', `${path}/${verb}`, {
        as: api.member,
        ...(verb === 'close-support' && { body: { reason: 'I am no ops.' } }),
      });
      expect(status).toBe(403);
    }
    const closed = await api.call('POST', `${path}/close-support`, { body: { reason: 'Nobody plays it.' } });
    expect(closed.status).toBe(200);
    await eventually('the end', async () => (await api.call('GET', path)).body.closed_at !== null);
    expect(await audits(id)).toContain('submission.closeSupport applied');
  });

  it.each([
    ['submission', SUBMISSION_COMMANDS, '{submission_id}'],
    ['assignment', ASSIGNMENT_COMMANDS, '{assignment_id}'],
    ['queue', DAILY_QUEUE_COMMANDS, '{date}'],
    ['schedule', REPOST_SCHEDULE_COMMANDS, '{schedule_id}'],
  ])('every command for a %s that people give has its address beside it', (type, commands, address) => {
    const paths = COMMAND_PATHS[type] ?? {};
    const documented = routes.filter((route) => route.method === 'post').map((route) => route.path);
    expect(documented).toEqual(expect.arrayContaining(Object.values(paths).map((of) => of(address))));
    expect(Object.keys(paths).sort()).toEqual(
      Object.keys(commands)
        .filter((command) => !BY_SYSTEMS.has(command))
        .sort(),
    );
  });

  it('links to the workflow in the Temporal UI', async () => {
    const { id, path } = await submit();
    const workflowId = `submission:${api.orgId}:${id}`;
    expect((await api.call('GET', path)).body.workflow).toEqual({
      id: workflowId,
      url: `http://127.0.0.1:8233/namespaces/default/workflows/${encodeURIComponent(workflowId)}`,
    });
  });

  it('repeated with the same key is answered the same, and applied once', async () => {
    const { id, path } = await submit();
    const key = randomUUID();
    const body = { action: 'pend' };
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => api.call('POST', `${path}/decide`, { body, key })),
    );
    for (const { status } of answers) expect([200, 409]).toContain(status);
    const again = await api.call('POST', `${path}/decide`, { body, key });
    expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([200, 'true']);
    expect(await audits(id)).toEqual(['submission.decide applied']);
  });

  it('that closed the submission is answered as applied to a caller who lost the answer and asks again', async () => {
    const { path } = await submit();
    await eventually('ops are waited for', async () => (await api.call('GET', path)).body.wait !== null);
    const request = { body: { action: 'reject', reason: REASON }, key: randomUUID() };
    expect((await api.call('POST', `${path}/decide`, request)).status).toBe(200);
    await eventually('the end', async () => (await api.call('GET', path)).body.closed_at !== null);
    // As after an answer that was never stored: the process died, or the caller got a 503.
    await sql`delete from public.soundcloud_idempotency_keys where key = ${request.key}`.execute(api.db);
    const again = await api.call('POST', `${path}/decide`, request);
    expect([again.status, again.body.status]).toEqual([200, 'rejected']);
    expect((await api.call('POST', `${path}/decide`, { body: request.body })).body.code).toBe(
      'submission_closed',
    );
  });

  it('reaches a review that the relay has not started yet', async () => {
    const { rows } = await sql<{ id: string }>`
      insert into public.soundcloud_submissions (org_id, member_id, track_url, submitted_at)
      values (${api.orgId}, ${api.memberId}, ${api.trackUrl()}, private.business_now()) returning id`.execute(
      api.db,
    );
    const id = rows[0]?.id ?? '';
    const answer = await api.call('POST', `/v1/submissions/${id}/assign-owner`, {
      body: { owner_id: api.admin.id },
    });
    expect([answer.status, answer.body.owner_id]).toEqual([200, api.admin.id]);
  });

  it('is refused for imported history', async () => {
    const { rows } = await sql<{ id: string }>`
      insert into public.soundcloud_submissions (org_id, member_id, track_url, imported_at)
      values (${api.orgId}, ${api.memberId}, ${api.trackUrl()}, now()) returning id`.execute(api.db);
    const answer = await api.call('POST', `/v1/submissions/${rows[0]?.id}/withdraw`);
    expect([answer.status, answer.body.code]).toEqual([409, 'submission_closed']);
  });
});

describe('without a worker', () => {
  it('commands are taken with 202, shown as pending, and applied or refused once the worker is back', async () => {
    const first = await submit();
    const second = await submit();
    await eventually('both reviews wait for a decision', async () => {
      const waits = await Promise.all([first, second].map(({ path }) => api.call('GET', path)));
      return waits.every(({ body }) => body.wait !== null);
    });
    await worker.stop();
    workerRuns = false;

    const key = randomUUID();
    const body = { action: 'reject', reason: REASON };
    const taken = await api.call('POST', `${first.path}/decide`, { body, key });
    expect([taken.status, taken.body.status]).toEqual([202, 'pending']);
    const location = taken.headers.get('location') ?? '';
    expect(location).toBe(`/v1/commands/${taken.body.id}`);
    expect((await api.call('GET', location)).body.status).toBe('pending');
    expect((await api.call('GET', location, { as: api.member })).status).toBe(404);
    expect((await api.call('GET', location, { as: api.otherAdmin })).status).toBe(404);
    expect((await api.call('POST', `${first.path}/decide`, { body, key })).body).toEqual(taken.body);
    const doomed = await api.call('POST', `${second.path}/provide-live-link`, {
      as: api.member,
      body: { url: api.trackUrl() },
    });
    expect(doomed.status).toBe(202);
    // A submission made now has neither relay nor worker: its review is started with the command.
    const third = await submit();
    const started = await api.call('POST', `${third.path}/assign-owner`, {
      body: { owner_id: api.admin.id },
    });
    expect(started.status).toBe(202);

    await stack.startWorker();
    await eventually(
      'the decision is applied',
      async () => (await api.call('GET', location)).body.status === 'applied',
    );
    expect((await api.call('GET', first.path)).body).toMatchObject({
      status: 'rejected',
      reject_reason: REASON,
    });
    const refused = await eventually('the link is refused', async () => {
      const command = await api.call('GET', doomed.headers.get('location') ?? '', { as: api.member });
      return command.body.status === 'refused' && command.body;
    });
    expect(refused.code).toBe('not_waiting_for_live_link');
    await eventually(
      'the owner is set',
      async () => (await api.call('GET', third.path)).body.owner_id === api.admin.id,
    );
    expect(await audits(first.id)).toEqual(['submission.decide sent']);
  }, 120_000);
});
