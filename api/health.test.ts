/** When something is away: what the API says, what it still does, and what it measures. */
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiWorld, createApiWorld } from '../test/support/api-world.js';

/** Nothing listens there. */
const NOWHERE = '127.0.0.1:9';
let world: ApiWorld;

beforeAll(async () => {
  world = await createApiWorld({ commandTimeoutMs: 1_000 });
});
afterAll(async () => {
  await world?.remove();
});

const get = async (path: string) => {
  const response = await fetch(`${world.url}${path}`);
  return { status: response.status, text: await response.text() };
};

describe('health', () => {
  it('is alive, and ready only when database, Temporal and a worker are there', async () => {
    expect(await get('/healthz')).toEqual({ status: 200, text: '{"status":"ok"}' });
    const ready = await get('/readyz');
    expect(ready.status).toBe(503);
    expect(JSON.parse(ready.text).checks).toEqual({
      database: { ok: true },
      temporal: { ok: true },
      worker: { ok: false, detail: expect.stringContaining('Start the worker') },
    });
  });

  it('measures requests by route, and what waits', async () => {
    await world.call('GET', `/v1/members/${world.memberId}`);
    await world.call('POST', '/v1/submissions', {
      body: { track_url: world.trackUrl(), member_id: world.memberId },
    });
    await sql`insert into public.soundcloud_waits
        (org_id, workflow_id, entity_type, entity_id, stage, waiting_on, who_can_act, how_to_act, since, breached)
      values (${world.orgId}, 'w', 'submission', gen_random_uuid(), 'decision', 'ops', 'ops', 'decide', now(), true)`.execute(
      world.db,
    );
    const { text } = await get('/metrics');
    expect(text).toMatch(
      /spark_http_request_duration_seconds_count\{method="GET",route="\/v1\/members\/:member_id",status="200"\} 1/u,
    );
    expect(text).toMatch(/^spark_outbox_events [1-9]/mu);
    expect(text).toContain('spark_waits{entity_type="submission",stage="decision",waiting_on="ops"} 1');
    expect(text).toContain(
      'spark_waits_breached{entity_type="submission",stage="decision",waiting_on="ops"} 1',
    );
    // The member's first grant; nothing is held, lost or waiting.
    expect(text).toMatch(/^spark_credits_balance 1$/mu);
    for (const gauge of [
      'credits_held',
      'credit_holds_open',
      'credits_forfeited_this_month',
      'credit_changes_pending',
    ]) {
      expect(text).toMatch(new RegExp(`^spark_${gauge} 0$`, 'mu'));
    }
    expect(text).not.toContain(world.memberId);
  });
});

describe('without Temporal', () => {
  it('tracks are still taken, and commands answered with 503 and nothing kept that hinders a repetition', async () => {
    await world.restart({ TEMPORAL_ADDRESS: NOWHERE });
    const made = await world.call('POST', '/v1/submissions', {
      body: { track_url: world.trackUrl(), member_id: world.memberId },
    });
    expect(made.status).toBe(201);
    for (let i = 0; i < 2; i += 1) {
      const answer = await world.call('POST', `/v1/submissions/${made.body.id}/withdraw`, {
        key: 'the-same-key',
      });
      expect([answer.status, answer.body.code, answer.headers.get('retry-after')]).toEqual([
        503,
        'temporal_unavailable',
        '5',
      ]);
    }
    expect((await world.call('GET', `/v1/submissions/${made.body.id}`)).body.status).toBe('new');
    expect((await get('/readyz')).status).toBe(503);
    expect((await get('/healthz')).status).toBe(200);
  });
});

describe('without the database', () => {
  it('everything is answered with 503, Retry-After and no details of ours', async () => {
    await world.restart({ SPARK_API_DATABASE_URL: `postgres://spark_api:secret@${NOWHERE}/nothing` });
    for (const [method, path, body] of [
      ['GET', '/v1/members', undefined],
      ['POST', '/v1/members', { name: 'A' }],
      ['POST', `/v1/submissions/${world.memberId}/withdraw`, undefined],
    ] as const) {
      const answer = await world.call(method, path, { body });
      expect([answer.status, answer.body.code, answer.headers.get('retry-after')]).toEqual([
        503,
        'database_unavailable',
        '5',
      ]);
      expect(JSON.stringify(answer.body)).not.toMatch(/ECONN|127\.0\.0\.1|secret/u);
    }
    expect(JSON.parse((await get('/readyz')).text).checks.database.ok).toBe(false);
    const { text } = await get('/metrics');
    expect(text).toContain('spark_outbox_events Nan');
    expect(text).toContain('spark_credits_balance Nan');
  });
});
