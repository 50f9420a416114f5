/** API keys: they reach what their scopes name, in their own org, and nothing else. */
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addApiKey } from '../test/support/api-keys.js';
import { type ApiWorld, createApiWorld } from '../test/support/api-world.js';

let world: ApiWorld;

beforeAll(async () => {
  world = await createApiWorld();
});
afterAll(async () => {
  await world?.remove();
});

const addKey = (scopes: string[], orgId = world.orgId) => addApiKey(world.db, orgId, scopes);

describe('API keys', () => {
  it('read and submit with the scopes they have, and are named in the audit trail', async () => {
    const key = await addKey(['submissions:write', 'members:read', 'genres:read']);
    const members = await world.call('GET', '/v1/members', { as: key.token });
    expect(members.body.data.map((row) => row.id)).toEqual([world.memberId]);
    const made = await world.call('POST', '/v1/submissions', {
      as: key.token,
      body: { track_url: world.trackUrl(), member_id: world.memberId },
    });
    expect([made.status, made.body.wait]).toEqual([201, null]);
    expect(
      (await world.call('GET', '/v1/genre-families', { as: key.token })).body.data.length,
    ).toBeGreaterThan(0);
    // Names are for who may read members.
    const named = async (token: string) =>
      (await world.call('GET', '/v1/submissions', { as: token })).body.data.map((row) => row.member_name);
    expect(await named(key.token)).toEqual([members.body.data[0]?.name]);
    expect(await named((await addKey(['submissions:read'])).token)).toEqual([null]);
    const { rows } = await sql`select actor_type, actor_id from public.soundcloud_audit_log
      where entity_id = ${made.body.id}`.execute(world.db);
    expect(rows).toEqual([{ actor_type: 'api_key', actor_id: key.id }]);
  });

  it('are refused without the scope, for what is for people, and for another org', async () => {
    const key = await addKey(['members:read']);
    const code = async (method: string, path: string, body?: unknown, org?: string) =>
      (await world.call(method, path, { as: key.token, body, ...(org !== undefined && { org }) })).body.code;
    expect(await code('GET', '/v1/submissions')).toBe('scope_missing');
    expect(await code('POST', '/v1/submissions', { track_url: world.trackUrl() })).toBe('scope_missing');
    expect(await code('GET', '/v1/settings')).toBe('scope_missing');
    expect(await code('GET', '/v1/inbox')).toBe('scope_missing');
    expect(await code('GET', '/v1/orgs')).toBe('scope_missing');
    expect(await code('POST', '/v1/members', { name: 'A' })).toBe('scope_missing');
    expect(await code('GET', '/v1/members', undefined, world.otherOrgId)).toBe('no_membership');
    expect(await code('GET', '/v1/members', undefined, world.orgId)).toBeUndefined();
    const foreign = await addKey(['members:read'], world.otherOrgId);
    expect((await world.call('GET', `/v1/members/${world.memberId}`, { as: foreign.token })).status).toBe(
      404,
    );
  });

  it('end when they expire or are revoked, and fail with another secret', async () => {
    const key = await addKey(['members:read']);
    const status = async (token: string) => (await world.call('GET', '/v1/members', { as: token })).status;
    expect(await status(key.token)).toBe(200);
    expect(await status(`${key.token.slice(0, -1)}${key.token.endsWith('A') ? 'B' : 'A'}`)).toBe(401);
    await sql`update public.soundcloud_api_keys set expires_at = now() - interval '1 second' where id = ${key.id}`.execute(
      world.db,
    );
    expect(await status(key.token)).toBe(401);
    await sql`update public.soundcloud_api_keys set expires_at = null, revoked_at = now() where id = ${key.id}`.execute(
      world.db,
    );
    expect(await status(key.token)).toBe(401);
  });
});
