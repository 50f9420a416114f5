/** Members with what hangs on them, genres and settings: kept by ops, with an audit trail, and never overwritten blindly. */
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiWorld, createApiWorld } from '../test/support/api-world.js';

let world: ApiWorld;

beforeAll(async () => {
  world = await createApiWorld();
});
afterAll(async () => {
  await world?.remove();
});

async function audited(entityId: string): Promise<{ action: string; actor_id: string; after: unknown }[]> {
  const { rows } = await sql<{ action: string; actor_id: string; after: unknown }>`
    select action, actor_id, after from public.soundcloud_audit_log where entity_id = ${entityId} order by seq`.execute(
    world.db,
  );
  return rows;
}

describe('members', () => {
  it('are added with wallet and grant, changed, and audited without addresses', async () => {
    const made = await world.call('POST', '/v1/members', {
      as: world.moderator,
      body: {
        name: 'Night Harbor',
        emails: [' Booking@Harbor.test\n', 'booking@harbor.test'],
        soundcloud_handle: '@Night-Harbor',
      },
    });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      emails: ['booking@harbor.test'],
      primary_email: 'booking@harbor.test',
      soundcloud_handle: 'night-harbor',
      size_tier: 'T1',
      credits_balance: 1,
      reach_factor: null,
    });
    const path = made.headers.get('location') ?? '';
    // Read alone, a member has its tier's border as well.
    const read = await world.call('GET', path);
    expect(read.body).toEqual({
      ...made.body,
      tier_border: { min_followers: 0, next_tier: 'T2', next_tier_at: 1_000 },
    });
    const changed = await world.call('PATCH', path, {
      body: { reach_factor: 0.075, genre_notes: 'deep\nand slow' },
    });
    expect(changed.body).toMatchObject({
      reach_factor: 0.075,
      genre_notes: 'deep\nand slow',
      name: 'Night Harbor',
    });
    const trail = await audited(made.body.id);
    expect(trail.map(({ action, actor_id }) => [action, actor_id])).toEqual([
      ['member.create', world.moderator.id],
      ['member.change', world.admin.id],
    ]);
    expect(JSON.stringify(trail)).not.toContain('@harbor');
  });

  it('start in the tier of the followers they come with', async () => {
    const made = await world.call('POST', '/v1/members', {
      body: { name: 'Big Channel', soundcloud_followers: 12_000 },
    });
    expect(made.body).toMatchObject({
      size_tier: 'T3',
      soundcloud_followers: 12_000,
      credits_balance: 2,
      credits_cap: 20,
    });
    const later = await world.call('PATCH', `/v1/members/${made.body.id}`, {
      body: { soundcloud_followers: 1 },
    });
    expect(later.body.code).toBe('invalid_request');
  });

  it('have at most five addresses, a primary one among them, and something to change', async () => {
    const emails = Array.from({ length: 6 }, (_, i) => `many${i}@members.test`);
    const many = await world.call('POST', '/v1/members', { body: { name: 'A', emails } });
    expect([many.status, many.body.code]).toEqual([422, 'too_many_emails']);
    const foreign = await world.call('POST', '/v1/members', {
      body: { name: 'A', emails: ['a@members.test'], primary_email: 'b@members.test' },
    });
    expect(foreign.body.code).toBe('rule_violated');
    expect((await world.call('PATCH', `/v1/members/${world.memberId}`, { body: {} })).body.code).toBe(
      'invalid_request',
    );
    const noFamily = { name: 'A', genre_family_id: '0198f1f0-5a0e-7c33-9d7e-3b6a1c7f2d10' };
    expect((await world.call('POST', '/v1/members', { body: noFamily })).body.code).toBe('unknown_reference');
  });

  it('keep their history: one with ledger entries cannot be removed', async () => {
    const made = await world.call('POST', '/v1/members', { body: { name: 'Short Stay' } });
    const refused = await world.call('DELETE', `/v1/members/${made.body.id}`);
    expect([refused.status, refused.body.code]).toEqual([409, 'in_use']);
    expect((await world.call('GET', `/v1/members/${made.body.id}`)).status).toBe(200);
  });

  it('have one account per platform, whose followers they mirror', async () => {
    const accounts = `/v1/members/${world.memberId}/accounts`;
    const made = await world.call('POST', accounts, { body: { handle: 'Low.Tide', follower_count: 12_000 } });
    expect(made.body).toMatchObject({ platform: 'soundcloud', handle: 'low.tide', status: 'linked' });
    const twice = await world.call('POST', accounts, { body: { handle: 'other' } });
    expect([twice.status, twice.body.code]).toEqual([409, 'already_exists']);
    const one = made.headers.get('location') ?? '';
    expect((await world.call('PATCH', one, { body: { follower_count: 13_000 } })).body.follower_count).toBe(
      13_000,
    );
    expect((await world.call('GET', accounts)).body.data).toHaveLength(1);
    expect((await world.call('GET', one, { as: world.member })).body.handle).toBe('low.tide');
    expect((await world.call('DELETE', one, { as: world.member })).body.code).toBe('forbidden');
    expect((await world.call('DELETE', one)).status).toBe(204);
    expect((await world.call('GET', one)).status).toBe(404);
  });

  it('stand for genres: the whole set at once, subgenres only with their own family', async () => {
    const families = (await world.call('GET', '/v1/genre-families?active=true')).body.data;
    const subgenres = (await world.call('GET', `/v1/subgenres?family_id=${families[0]?.id}`)).body.data;
    const path = `/v1/members/${world.memberId}/genres`;
    const wanted = [
      { genre_family_id: families[0]?.id, subgenre_id: subgenres[0]?.id },
      { genre_family_id: families[1]?.id },
    ];
    const set = await world.call('PUT', path, { body: { genres: wanted } });
    expect(set.body.data).toHaveLength(2);
    expect((await world.call('PUT', path, { body: { genres: wanted } })).body).toEqual(set.body);
    expect((await world.call('GET', path, { as: world.member })).body).toEqual(set.body);
    const wrong = [{ genre_family_id: families[1]?.id, subgenre_id: subgenres[0]?.id }];
    expect((await world.call('PUT', path, { body: { genres: wrong } })).body.code).toBe('unknown_reference');
    const twice = [wanted[1], wanted[1]];
    expect((await world.call('PUT', path, { body: { genres: twice } })).body.code).toBe('rule_violated');
    expect((await world.call('PUT', path, { body: { genres: [] } })).body.data).toEqual([]);
  });

  it('avoid others by handle', async () => {
    const path = `/v1/members/${world.memberId}/avoid-list`;
    const made = await world.call('POST', path, {
      body: { avoided_handle: 'Loud-Neighbour', reason: 'label dispute' },
    });
    expect(made.body.avoided_handle).toBe('loud-neighbour');
    expect((await world.call('POST', path, { body: { avoided_handle: 'loud-neighbour' } })).body.code).toBe(
      'already_exists',
    );
    expect((await world.call('GET', made.headers.get('location') ?? '')).body).toEqual(made.body);
    expect((await world.call('GET', path)).body.data).toEqual([made.body]);
    expect((await world.call('DELETE', `${path}/${made.body.id}`)).status).toBe(204);
    expect((await world.call('DELETE', `${path}/${made.body.id}`)).status).toBe(404);
  });
});

describe('genres', () => {
  it('are kept by admins: unique by name, removed only when unused', async () => {
    const family = await world.call('POST', '/v1/genre-families', { body: { name: 'Chiptune' } });
    expect(family.status).toBe(201);
    expect((await world.call('POST', '/v1/genre-families', { body: { name: 'Chiptune' } })).body.code).toBe(
      'already_exists',
    );
    const asModerator = { as: world.moderator, body: { name: 'Skweee' } };
    expect((await world.call('POST', '/v1/genre-families', asModerator)).body.code).toBe('forbidden');
    const body = { family_id: family.body.id, name: 'Bitpop', patterns: ['bitpop', '8 bit'] };
    const sub = await world.call('POST', '/v1/subgenres', { body });
    expect(sub.body).toMatchObject({ ...body, active: true, order_index: 0 });
    const path = `/v1/genre-families/${family.body.id}`;
    expect((await world.call('DELETE', path)).body.code).toBe('in_use');
    expect((await world.call('PATCH', path, { body: { active: false } })).body.active).toBe(false);
    const moved = await world.call('PATCH', `/v1/subgenres/${sub.body.id}`, { body: { order_index: 3 } });
    expect(moved.body.order_index).toBe(3);
    expect((await world.call('GET', `/v1/subgenres/${sub.body.id}`, { as: world.member })).body).toEqual(
      moved.body,
    );
    expect((await world.call('DELETE', `/v1/subgenres/${sub.body.id}`)).status).toBe(204);
    expect((await world.call('DELETE', path)).status).toBe(204);
    expect((await world.call('GET', path)).status).toBe(404);
    expect((await audited(family.body.id)).map(({ action }) => action)).toEqual([
      'genre_family.create',
      'genre_family.change',
      'genre_family.delete',
    ]);
  });
});

describe('settings', () => {
  it('change only against the version that was read', async () => {
    const read = await world.call('GET', '/v1/settings');
    const tag = read.headers.get('etag') ?? '';
    const patch = (body: unknown, match?: string) =>
      world.call('PATCH', '/v1/settings', {
        body,
        headers: match === undefined ? {} : { 'If-Match': match },
      });
    expect((await patch({ decision_sla_hours: 12 })).status).toBe(428);
    const changed = await patch({ decision_sla_hours: 12, review: { warn_percent: 80 } }, tag);
    expect(changed.status).toBe(200);
    expect(changed.body).toMatchObject({ decision_sla_hours: 12, version: Number(read.body.version) + 1 });
    expect(changed.body.review).toMatchObject({ warn_percent: 80, min_reject_words: 10 });
    expect(changed.headers.get('etag')).not.toBe(tag);
    const late = await patch({ decision_sla_hours: 6 }, tag);
    expect([late.status, late.body.code, late.headers.get('etag')]).toEqual([
      412,
      'precondition_failed',
      changed.headers.get('etag'),
    ]);
    expect((await world.call('GET', '/v1/settings')).body).toEqual(changed.body);
  });

  it('let one of two admins win who change the same version at the same moment', async () => {
    const tag = (await world.call('GET', '/v1/settings')).headers.get('etag') ?? '';
    const answers = await Promise.all(
      [20, 21, 22].map((decision_sla_hours) =>
        world.call('PATCH', '/v1/settings', { body: { decision_sla_hours }, headers: { 'If-Match': tag } }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412, 412]);
  });

  it('refuse what contradicts itself, naming each field', async () => {
    const tag = (await world.call('GET', '/v1/settings')).headers.get('etag') ?? '';
    const patch = (body: unknown) =>
      world.call('PATCH', '/v1/settings', { body, headers: { 'If-Match': tag } });
    const answer = await patch({
      timezone: 'Mars/Olympus',
      decision_sla_hours: 0,
      size_tier_thresholds: {
        T1: { min: 0, max: 1_000 },
        T2: { min: 2_000, max: 10_000 },
        T3: { min: 10_000, max: 100_000 },
        T4: { min: 100_000, max: 999_999_999 },
      },
    });
    expect([answer.status, answer.body.code]).toEqual([422, 'invalid_settings']);
    const pointers = answer.body.errors.map(({ pointer }) => pointer);
    expect(pointers).toEqual(expect.arrayContaining(['/timezone', '/decision_sla_hours']));
    expect(pointers.some((pointer) => pointer.startsWith('/size_tier_thresholds'))).toBe(true);
    expect((await patch({ colour: 'red' })).body.code).toBe('invalid_request');
    expect((await patch({ review: { colour: 'red' } })).body.code).toBe('invalid_request');
    expect((await patch({})).body.code).toBe('invalid_request');
    expect((await world.call('GET', '/v1/settings', { as: world.moderator })).body).toMatchObject({
      code: 'forbidden',
      detail: 'Only an admin of the org may do this. Ask one.',
    });
    expect((await world.call('GET', '/v1/settings')).headers.get('etag')).toBe(tag);
  });

  it('take no Slack webhook elsewhere than at Slack, or at the origin the operator allowed', async () => {
    const hook = 'http://127.0.0.1:4010/services/T0/B0/secret';
    const patch = async (slack_webhook: string | null) => {
      const tag = (await world.call('GET', '/v1/settings')).headers.get('etag') ?? '';
      return world.call('PATCH', '/v1/settings', { body: { slack_webhook }, headers: { 'If-Match': tag } });
    };
    const refused = await patch(hook);
    expect([refused.status, refused.body.code]).toEqual([422, 'invalid_settings']);
    expect(refused.body.errors.map(({ pointer }) => pointer)).toEqual(['/slack_webhook']);
    await world.restart({ SLACK_WEBHOOK_ORIGIN: 'http://127.0.0.1:4010/' });
    expect((await patch(hook)).status).toBe(200);
    expect((await patch(null)).status).toBe(200);
    await world.restart({});
  });

  it('keep the Slack address out of the audit trail', async () => {
    const read = await world.call('GET', '/v1/settings');
    const slack_webhook = 'https://hooks.slack.com/services/very/secret/path';
    const changed = await world.call('PATCH', '/v1/settings', {
      body: { slack_webhook, slack_enabled: true },
      headers: { 'If-Match': read.headers.get('etag') ?? '' },
    });
    expect(changed.body.slack_enabled).toBe(true);
    const trail = await audited(world.orgId);
    expect(trail.at(-1)?.action).toBe('settings.change');
    expect(JSON.stringify(trail)).not.toContain('very/secret');
  });
});
