/** Malformed requests: 4xx with a stable code, nothing repeated, and no row, event or audit entry left behind. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiWorld, createApiWorld } from '../test/support/api-world.js';

let world: ApiWorld;

beforeAll(async () => {
  world = await createApiWorld();
});
afterAll(async () => {
  await world?.remove();
});

const UUID = '0198f1f0-5a0e-7c33-9d7e-3b6a1c7f2d10';

describe('malformed requests', () => {
  it('are refused with 4xx and a stable code, and leave no row and no event', async () => {
    const before = await traces();
    const deep = `${'['.repeat(5_000)}${']'.repeat(5_000)}`;
    const track = '"track_url":"https://soundcloud.com/night-harbor/low-tide"';
    const raws: [string, string, string][] = [
      ['empty text', ' ', 'malformed_json'],
      ['half an object', '{', 'malformed_json'],
      ['half a string', '{"track_url":"', 'malformed_json'],
      ['single quotes', "{'track_url':'x'}", 'malformed_json'],
      ['trailing comma', '{"a":1,}', 'malformed_json'],
      ['comment', '{/* */}', 'malformed_json'],
      ['NaN', '{"a":NaN}', 'malformed_json'],
      ['two values', '{} {}', 'malformed_json'],
      ['XML', '<a/>', 'malformed_json'],
      ['form', 'track_url=x', 'malformed_json'],
      ['bare control character', '{"track_url":"a\u0001b"}', 'malformed_json'],
      ['null', 'null', 'invalid_request'],
      ['true', 'true', 'invalid_request'],
      ['number', '42', 'invalid_request'],
      ['huge number', '1e400', 'invalid_request'],
      ['text', '"hello"', 'invalid_request'],
      ['array', '[]', 'invalid_request'],
      ['array of objects', `[{${track}}]`, 'invalid_request'],
      ['very deep', deep, 'invalid_request'],
      ['empty object', '{}', 'invalid_request'],
      ['NUL in a text', '{"track_url":"a\\u0000b"}', 'invalid_request'],
      ['half a surrogate pair', '{"track_url":"a\\ud800b"}', 'invalid_request'],
      ['half a surrogate pair in a name', `{${track},"a\\udc00":1}`, 'invalid_request'],
      ['NUL in a name', `{${track},"a\\u0000":1}`, 'invalid_request'],
      ['unknown field', `{${track},"status":"approved"}`, 'invalid_request'],
      ['field of another tenant', `{${track},"org_id":"${world.otherOrgId}"}`, 'invalid_request'],
      ['prototype', `{${track},"__proto__":{"ops":true}}`, 'invalid_request'],
      ['constructor', `{${track},"constructor":{}}`, 'invalid_request'],
    ];
    for (const [name, raw, code] of raws) {
      const answer = await world.call('POST', '/v1/submissions', { raw });
      expect([name, answer.status, answer.body.code]).toEqual([name, 400, code]);
    }

    const good = { track_url: 'https://soundcloud.com/night-harbor/low-tide', member_id: world.memberId };
    const bodies: [string, string, unknown][] = [
      ['track_url number', '/v1/submissions', { ...good, track_url: 1 }],
      ['track_url null', '/v1/submissions', { ...good, track_url: null }],
      ['track_url array', '/v1/submissions', { ...good, track_url: ['x'] }],
      ['track_url object', '/v1/submissions', { ...good, track_url: { $ne: '' } }],
      ['track_url missing', '/v1/submissions', { member_id: world.memberId }],
      ['member_id no uuid', '/v1/submissions', { ...good, member_id: '1; drop table members' }],
      ['member_id number', '/v1/submissions', { ...good, member_id: 7 }],
      ['artist empty', '/v1/submissions', { ...good, artist_name: '   ' }],
      ['artist too long', '/v1/submissions', { ...good, artist_name: 'x'.repeat(301) }],
      ['artist with line break', '/v1/submissions', { ...good, artist_name: 'a\nb' }],
      ['artist an object', '/v1/submissions', { ...good, artist_name: {} }],
      ['client no uuid', '/v1/submissions', { ...good, client_id: 'x' }],
      ['member without name', '/v1/members', {}],
      ['member with empty name', '/v1/members', { name: '' }],
      ['member with credits', '/v1/members', { name: 'A', credits_balance: 100 }],
      ['member with tier', '/v1/members', { name: 'A', size_tier: 'T4' }],
      ['e-mail without at', '/v1/members', { name: 'A', emails: ['nobody'] }],
      ['e-mails not a list', '/v1/members', { name: 'A', emails: 'a@b.test' }],
      ['reach factor negative', '/v1/members', { name: 'A', reach_factor: -1 }],
      ['reach factor too fine', '/v1/members', { name: 'A', reach_factor: 0.00001 }],
      ['limit a fraction', '/v1/members', { name: 'A', monthly_submission_limit: 1.5 }],
      ['limit too large', '/v1/members', { name: 'A', monthly_submission_limit: 1e12 }],
      ['handle with spaces', '/v1/members', { name: 'A', soundcloud_handle: 'a b' }],
      ['javascript URL', '/v1/members', { name: 'A', soundcloud_url: 'javascript:alert(1)' }],
      ['family no uuid', '/v1/members', { name: 'A', genre_family_id: 'house' }],
      ['platform unknown', `/v1/members/${world.memberId}/accounts`, { platform: 'napster', handle: 'a' }],
      ['followers negative', `/v1/members/${world.memberId}/accounts`, { handle: 'a', follower_count: -1 }],
      ['handle missing', `/v1/members/${world.memberId}/avoid-list`, {}],
      ['reason a number', `/v1/members/${world.memberId}/avoid-list`, { avoided_handle: 'a', reason: 5 }],
      ['genre without name', '/v1/genre-families', { active: true }],
      ['active a text', '/v1/genre-families', { name: 'A', active: 'yes' }],
      ['subgenre without family', '/v1/subgenres', { name: 'A' }],
      ['patterns of numbers', '/v1/subgenres', { family_id: UUID, name: 'A', patterns: [1] }],
      ['unknown action', `/v1/submissions/${UUID}/decide`, { action: 'maybe' }],
      ['no action', `/v1/submissions/${UUID}/decide`, {}],
      ['decision by somebody else', `/v1/submissions/${UUID}/decide`, { action: 'approve', by: UUID }],
      ['own command id', `/v1/submissions/${UUID}/decide`, { action: 'approve', commandId: 'x' }],
      ['owner missing', `/v1/submissions/${UUID}/assign-owner`, {}],
      ['live link missing', `/v1/submissions/${UUID}/provide-live-link`, {}],
      ['body where none belongs', `/v1/submissions/${UUID}/withdraw`, { really: true }],
      ['path id no uuid', '/v1/submissions/1/withdraw', undefined],
    ];
    for (const [name, path, body] of bodies) {
      const answer = await world.call('POST', path, { body });
      expect([name, answer.status, answer.body.code]).toEqual([name, 400, 'invalid_request']);
      expect(answer.body.errors.length, name).toBeGreaterThan(0);
    }
    expect(raws.length + bodies.length).toBeGreaterThanOrEqual(50);
    expect(await traces()).toEqual(before);
  });

  it('names every fault with a pointer, and repeats nothing that was sent', async () => {
    const secret = 'do-not-repeat-me';
    const answer = await world.call('POST', '/v1/members', {
      body: { name: 7, emails: [secret, 'a@b.test'], 'a/b~c': 1 },
    });
    expect(answer.body.errors).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ in: 'body', pointer: '/name' }),
        expect.objectContaining({ in: 'body', pointer: '/emails/0' }),
        expect.objectContaining({ in: 'body', pointer: '/a~1b~0c', detail: 'There is no such field.' }),
      ]),
    );
    expect(JSON.stringify(answer.body)).not.toContain(secret);
  });

  it('refuses bodies that are too large, of another type, or compressed', async () => {
    const large = await world.call('POST', '/v1/members', { body: { name: 'x'.repeat(300_000) } });
    expect([large.status, large.body.code]).toEqual([413, 'payload_too_large']);
    const types: Record<string, string>[] = [
      { 'Content-Type': 'text/plain' },
      { 'Content-Type': 'application/x-www-form-urlencoded' },
      { 'Content-Type': 'application/json; charset=utf-16' },
      { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' },
    ];
    for (const headers of types) {
      const answer = await world.call('POST', '/v1/members', { raw: '{"name":"A"}', headers });
      expect([answer.status, answer.body.code]).toEqual([415, 'unsupported_media_type']);
    }
  });

  it('refuses query parameters that are unknown, repeated or out of range', async () => {
    const queries = [
      'limit=0',
      'limit=251',
      'limit=ten',
      'limit=1&limit=2',
      'sort=password',
      'status=done',
      'status=',
      'member_id=1',
      'support_date=tomorrow',
      'support_date=2026-02-30',
      'open=maybe',
      'colour=red',
      'sort[]=created_at',
    ];
    for (const query of queries) {
      const answer = await world.call('GET', `/v1/submissions?${query}`);
      expect([query, answer.status, answer.body.code]).toEqual([query, 400, 'invalid_request']);
    }
    const forged = Buffer.from(JSON.stringify({ s: '-created_at', v: "'; --", i: UUID })).toString(
      'base64url',
    );
    for (const cursor of ['x', 'e30', Buffer.from('[]').toString('base64url'), forged]) {
      const answer = await world.call('GET', `/v1/submissions?cursor=${cursor}`);
      expect([cursor, answer.status]).toEqual([cursor, 400]);
    }
  });

  async function traces() {
    const tables = ['soundcloud_submissions', 'soundcloud_events', 'soundcloud_audit_log'] as const;
    return Promise.all(tables.map((table) => world.count(table)));
  }
});
