/** Idempotency-Key: a repeated request is answered, not done again. */
import { randomUUID } from 'node:crypto';
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

const newSubmission = () => ({ track_url: world.trackUrl(), member_id: world.memberId });

describe('Idempotency-Key', () => {
  it('is required where something is made', async () => {
    for (const key of [null, '', ' ', 'x'.repeat(256)]) {
      const answer = await world.call('POST', '/v1/submissions', { body: newSubmission(), key });
      expect([answer.status, answer.body.code]).toEqual([400, 'idempotency_key_required']);
    }
  });

  it('gives the same answer to the same request, also with its fields in another order', async () => {
    const key = randomUUID();
    const body = { ...newSubmission(), artist_name: 'Night Harbor' };
    const before = await world.count('soundcloud_submissions');
    const first = await world.call('POST', '/v1/submissions', { body, key });
    const reordered = Object.fromEntries(Object.entries(body).reverse());
    const second = await world.call('POST', '/v1/submissions', { body: reordered, key });
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(second.body).toEqual(first.body);
    expect(second.headers.get('location')).toBe(`/v1/submissions/${first.body.id}`);
    expect(second.headers.get('idempotency-replayed')).toBe('true');
    expect(await world.count('soundcloud_submissions')).toBe(before + 1);
  });

  it('refuses the same key with another request', async () => {
    const key = randomUUID();
    await world.call('POST', '/v1/submissions', { body: newSubmission(), key });
    const other = await world.call('POST', '/v1/submissions', { body: newSubmission(), key });
    expect([other.status, other.body.code]).toEqual([422, 'idempotency_mismatch']);
    const elsewhere = await world.call('POST', '/v1/genre-families', { body: { name: 'Polka' }, key });
    expect(elsewhere.body.code).toBe('idempotency_mismatch');
  });

  it('belongs to the caller: another caller may use the same key', async () => {
    const key = randomUUID();
    const mine = await world.call('POST', '/v1/members', { body: { name: 'One' }, key });
    const theirs = await world.call('POST', '/v1/members', {
      body: { name: 'One' },
      key,
      as: world.moderator,
    });
    expect(theirs.status).toBe(201);
    expect(theirs.body.id).not.toBe(mine.body.id);
  });

  it('keeps a refusal that is final, and frees the key after a malformed request', async () => {
    const taken = newSubmission();
    const older = await world.call('POST', '/v1/submissions', { body: taken });
    const key = randomUUID();
    const refused = await world.call('POST', '/v1/submissions', { body: taken, key });
    expect([refused.status, refused.body.code, refused.body.submission_id]).toEqual([
      409,
      'duplicate_track',
      older.body.id,
    ]);
    await sql`update public.soundcloud_submissions set status = 'rejected' where id = ${older.body.id}`.execute(
      world.db,
    );
    const again = await world.call('POST', '/v1/submissions', { body: taken, key });
    expect(again.status).toBe(409);
    expect({ ...again.body, request_id: '' }).toEqual({ ...refused.body, request_id: '' });

    const open = randomUUID();
    await world.call('POST', '/v1/submissions', { body: { track_url: 5 }, key: open });
    expect((await world.call('POST', '/v1/submissions', { body: newSubmission(), key: open })).status).toBe(
      201,
    );
  });

  it('does it once when the same request arrives many times at the same moment', async () => {
    const key = randomUUID();
    const body = newSubmission();
    const before = await world.count('soundcloud_submissions');
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => world.call('POST', '/v1/submissions', { body, key })),
    );
    expect(await world.count('soundcloud_submissions')).toBe(before + 1);
    const made = answers.filter(({ status }) => status === 201);
    expect(made.length).toBeGreaterThan(0);
    expect(new Set(made.map((answer) => answer.body.id)).size).toBe(1);
    for (const { status, body: problem, headers } of answers.filter((answer) => answer.status !== 201)) {
      expect([status, problem.code, headers.get('retry-after')]).toEqual([409, 'idempotency_in_flight', '1']);
    }
    expect((await world.call('POST', '/v1/submissions', { body, key })).status).toBe(201);
  });

  it('is taken over from a process that died, and forgotten after 24 hours', async () => {
    const key = randomUUID();
    const body = newSubmission();
    const first = await world.call('POST', '/v1/submissions', { body, key });
    const set = (columns: string) =>
      sql`update public.soundcloud_idempotency_keys set ${sql.raw(columns)} where key = ${key}`.execute(
        world.db,
      );
    await set("status = 'in_flight', locked_until = clock_timestamp() + interval '1 minute'");
    expect((await world.call('POST', '/v1/submissions', { body, key })).body.code).toBe(
      'idempotency_in_flight',
    );
    await set("locked_until = clock_timestamp() - interval '1 second'");
    const taken = await world.call('POST', '/v1/submissions', { body, key });
    expect([taken.body.code, taken.body.submission_id]).toEqual(['duplicate_track', first.body.id]);
    await set("expires_at = clock_timestamp() - interval '1 second'");
    expect((await world.call('POST', '/v1/submissions', { body: newSubmission(), key })).status).toBe(201);
  });
});
