/** What every resource of the API promises: who is let in, what of another org exists, which methods, how much. */
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiWorld, createApiWorld } from '../test/support/api-world.js';

let world: ApiWorld;

beforeAll(async () => {
  world = await createApiWorld({ rateLimits: { perCaller: 10_000, failedSignIns: 1_000 } });
});
afterAll(async () => {
  await world?.remove();
});

const UUID = '0198f1f0-5a0e-7c33-9d7e-3b6a1c7f2d10';

describe('sign-in', () => {
  const token = (
    claims: Record<string, unknown>,
    options: { secret?: string; alg?: string; expires?: string } = {},
  ) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: options.alg ?? 'HS256' })
      .setExpirationTime(options.expires ?? '1h')
      .sign(new TextEncoder().encode(options.secret ?? world.secret));
  const good = () => ({
    sub: world.admin.id,
    role: 'authenticated',
    aud: 'authenticated',
    email: world.admin.email,
  });

  it('accepts a token of a signed-in person', async () => {
    expect((await world.call('GET', '/v1/roles', { as: await token(good()) })).body.data).toEqual(['admin']);
  });

  it('refuses everything else with 401 and a code', async () => {
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify(good())).toString('base64url')}.`;
    const { sub: _, ...withoutSubject } = good();
    const cases: [string, string | null, string][] = [
      ['no token', null, 'unauthenticated'],
      ['no token at all', 'hello', 'invalid_token'],
      ['three empty parts', '..', 'invalid_token'],
      ['alg none', unsigned, 'invalid_token'],
      ['another HMAC', await token(good(), { alg: 'HS512' }), 'invalid_token'],
      ['another secret', await token(good(), { secret: 'x'.repeat(40) }), 'invalid_token'],
      ['expired', await token(good(), { expires: '-1h' }), 'token_expired'],
      ["Supabase's anon key", await token({ role: 'anon', iss: 'supabase' }), 'invalid_token'],
      ["Supabase's service key", await token({ role: 'service_role', iss: 'supabase' }), 'invalid_token'],
      ['service role with subject', await token({ ...good(), role: 'service_role' }), 'invalid_token'],
      ['another audience', await token({ ...good(), aud: 'anon' }), 'invalid_token'],
      ['no subject', await token(withoutSubject), 'invalid_token'],
      ['a subject that is no uuid', await token({ ...good(), sub: 'admin' }), 'invalid_token'],
      ['a malformed API key', 'spark_x_y', 'invalid_api_key'],
      ['an unknown API key', `spark_${UUID}_${'a'.repeat(43)}`, 'invalid_api_key'],
    ];
    for (const [name, as, code] of cases) {
      const answer = await world.call('GET', '/v1/members', { as });
      expect([name, answer.status, answer.body.code]).toEqual([name, 401, code]);
      expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    }
    const noExpiry = await new SignJWT(good())
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new TextEncoder().encode(world.secret));
    expect((await world.call('GET', '/v1/members', { as: noExpiry })).body.code).toBe('invalid_token');
    const basic = await world.call('GET', '/v1/members', {
      as: null,
      headers: { Authorization: 'Basic YTpi' },
    });
    expect(basic.body.code).toBe('unauthenticated');
  });

  it('lets nobody in without membership, and links a member at the first sign-in', async () => {
    const stranger = await world.addLogin('stranger@nowhere.test');
    expect((await world.call('GET', '/v1/members', { as: stranger })).body.code).toBe('no_membership');
    const [first] = (await world.call('GET', '/v1/orgs', { as: world.member })).body.data;
    expect(first).toEqual({ id: world.orgId, name: 'First Org', roles: ['member'] });
  });

  it('needs X-Org-Id only from people of several orgs, and gives nobody the rights of another org', async () => {
    const { between, orgId, otherOrgId } = world;
    expect((await world.call('GET', '/v1/members', { as: between })).body.code).toBe('org_required');
    expect((await world.call('GET', '/v1/roles', { as: between, org: orgId })).body.data).toEqual(['member']);
    expect((await world.call('GET', '/v1/roles', { as: between, org: otherOrgId })).body.data).toEqual([
      'admin',
    ]);
    expect((await world.call('GET', '/v1/settings', { as: between, org: orgId })).body.code).toBe(
      'forbidden',
    );
    expect((await world.call('GET', '/v1/settings', { as: between, org: otherOrgId })).status).toBe(200);
    expect((await world.call('GET', '/v1/roles', { org: otherOrgId })).body.code).toBe('no_membership');
    expect((await world.call('GET', '/v1/roles', { org: UUID })).body.code).toBe('no_membership');
    expect((await world.call('GET', '/v1/roles', { org: 'first' })).body.code).toBe('invalid_request');
  });
});

describe('rows of another org', () => {
  it('do not exist: 404 for reading and for every command', async () => {
    const created = await world.call('POST', '/v1/submissions', {
      body: { track_url: world.trackUrl(), member_id: world.memberId },
    });
    expect(created.status).toBe(201);
    const as = world.otherAdmin;
    const submission = `/v1/submissions/${created.body.id}`;
    expect((await world.call('GET', submission, { as })).status).toBe(404);
    expect((await world.call('GET', `/v1/members/${world.memberId}`, { as })).status).toBe(404);
    expect(
      (await world.call('PATCH', `/v1/members/${world.memberId}`, { as, body: { name: 'Mine' } })).status,
    ).toBe(404);
    expect((await world.call('DELETE', `/v1/members/${world.memberId}`, { as })).status).toBe(404);
    expect((await world.call('GET', `/v1/members/${world.memberId}/accounts`, { as })).status).toBe(404);
    const commands: [string, unknown][] = [
      ['decide', { action: 'approve' }],
      ['assign-owner', { owner_id: null }],
      ['withdraw', undefined],
      ['provide-live-link', { url: world.trackUrl() }],
    ];
    for (const [verb, body] of commands) {
      expect([verb, (await world.call('POST', `${submission}/${verb}`, { as, body })).status]).toEqual([
        verb,
        404,
      ]);
    }
    const foreign = await world.call('POST', '/v1/submissions', {
      as,
      body: { track_url: world.trackUrl(), member_id: world.memberId },
    });
    expect([foreign.status, foreign.body.code]).toEqual([422, 'unknown_reference']);
    expect((await world.call('GET', '/v1/submissions', { as })).body.data).toEqual([]);
  });

  it('one member does not see another', async () => {
    const otherMember = await world.addMember(world.orgId);
    const as = world.member;
    expect((await world.call('GET', '/v1/members', { as })).body.data.map((row) => row.id)).toEqual([
      world.memberId,
    ]);
    expect((await world.call('GET', `/v1/members/${otherMember}`, { as })).status).toBe(404);
    const forOther = { track_url: world.trackUrl(), member_id: otherMember };
    expect((await world.call('POST', '/v1/submissions', { as, body: forOther })).body.code).toBe(
      'unknown_reference',
    );
    expect((await world.call('GET', '/v1/inbox', { as })).body.code).toBe('forbidden');
    expect((await world.call('POST', '/v1/members', { as, body: { name: 'Me' } })).body.code).toBe(
      'forbidden',
    );
  });
});

describe('methods and paths', () => {
  it('answers 405 with Allow, 404 for what is not there, and OPTIONS', async () => {
    const wrong = await world.call('DELETE', '/v1/submissions');
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'GET, POST, HEAD, OPTIONS']);
    const command = await world.call('GET', `/v1/submissions/${UUID}/decide`);
    expect([command.status, command.headers.get('allow')]).toEqual([405, 'POST, OPTIONS']);
    expect((await world.call('GET', '/v1/nothing')).body.code).toBe('route_not_found');
    expect((await world.call('GET', '/v1/Members')).body.code).toBe('route_not_found');
    expect((await world.call('GET', '/v1/submissions/%E0%A4%A')).body.code).toBe('malformed_url');
    const options = await fetch(`${world.url}/v1/members`, {
      method: 'OPTIONS',
      headers: { Authorization: `Bearer ${world.admin.token}` },
    });
    expect([options.status, options.headers.get('allow')]).toEqual([204, 'GET, POST, HEAD, OPTIONS']);
  });
});

describe('limits', () => {
  it('counts failed sign-ins only, not what is under way or was broken off', async () => {
    const small = await createApiWorld({ rateLimits: { perCaller: 100, failedSignIns: 3 } });
    const closing = new AbortController();
    try {
      const open = () =>
        fetch(`${small.url}/v1/notifications/stream`, {
          headers: { Authorization: `Bearer ${small.admin.token}` },
          signal: closing.signal,
        });
      const streams = await Promise.all(Array.from({ length: 8 }, open));
      expect(streams.map(({ status }) => status)).toEqual(streams.map(() => 200));
      expect((await small.call('GET', '/v1/roles')).status).toBe(200);
      closing.abort();
      expect((await small.call('GET', '/v1/roles')).status).toBe(200);
    } finally {
      closing.abort();
      await small.remove();
    }
  });

  it('gives each caller a budget and says so', async () => {
    const small = await createApiWorld({ rateLimits: { perCaller: 3, failedSignIns: 2 } });
    try {
      for (let i = 0; i < 3; i += 1) expect((await small.call('GET', '/v1/roles')).status).toBe(200);
      const refused = await small.call('GET', '/v1/roles');
      expect([refused.status, refused.body.code]).toEqual([429, 'rate_limited']);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(refused.headers.get('ratelimit')).toMatch(/"caller"; r=0; t=\d+/);
      expect((await small.call('GET', '/v1/roles', { as: small.moderator })).status).toBe(200);

      for (let i = 0; i < 2; i += 1)
        expect((await small.call('GET', '/v1/roles', { as: 'guess' })).status).toBe(401);
      const guessed = await small.call('GET', '/v1/roles', { as: 'guess' });
      expect(guessed.status).toBe(429);
      expect(Number(guessed.headers.get('retry-after'))).toBeGreaterThan(0);
      const key = `spark_${UUID}_${'k'.repeat(32)}`;
      expect((await small.call('GET', '/v1/members', { as: key })).status).toBe(429);
      // Whoever is behind the same address with a good token is not kept out by the guesser.
      expect((await small.call('GET', '/v1/roles', { as: small.member })).status).toBe(200);
    } finally {
      await small.remove();
    }
  });

  it('counts failed sign-ins by the forwarded address only where the proxy is trusted', async () => {
    const small = await createApiWorld({ rateLimits: { perCaller: 100, failedSignIns: 1 } });
    const guess = async (address: string) =>
      (await small.call('GET', '/v1/roles', { as: 'guess', headers: { 'X-Forwarded-For': address } })).status;
    try {
      expect([await guess('203.0.113.1'), await guess('203.0.113.2')]).toEqual([401, 429]);
      for (const TRUSTED_PROXIES of ['1', '127.0.0.0/8, ::1']) {
        await small.restart({ TRUSTED_PROXIES });
        expect([await guess('203.0.113.1'), await guess('203.0.113.2')]).toEqual([401, 401]);
        // What stands before the address the proxy saw is the caller's own invention.
        expect(await guess('198.51.100.7, 203.0.113.1')).toBe(429);
      }
    } finally {
      await small.remove();
    }
  });
});
