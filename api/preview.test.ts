/** Previews over HTTP, with the stand-in of SoundCloud: what they say, what they keep, and what they say without it. */
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signToken } from '../cli/token.js';
import { loadSettings } from '../db/settings.js';
import { planTargets } from '../db/target-plan.js';
import { type ApiWorld, createApiWorld } from '../test/support/api-world.js';
import { createWorld, type Member, type World } from '../test/support/world.js';

let stack: World;
let api: ApiWorld;
let artist: Member;

beforeAll(async () => {
  stack = await createWorld();
  const env = Object.fromEntries(
    Object.entries(stack.env).filter(([name]) => name.startsWith('SOUNDCLOUD_')),
  );
  api = await createApiWorld({ database: stack.database, env });
  artist = await stack.addMember();
  await stack.addMember({ followers: 10_000 });
  await stack.addMember({ subgenre: 'Techno', followers: 500 });
  await stack.addMember({ family: 'Rock', subgenre: 'Indie Rock' });
  await stack.db
    .updateTable('soundcloud_members')
    .set({ last_activity_at: new Date() })
    .where('org_id', '=', stack.orgId)
    .execute();
  await sql`update public.soundcloud_member_accounts set status = 'linked'`.execute(stack.db);
});

afterAll(async () => {
  await api?.remove();
  await stack?.remove();
});

/** An admin of the stack's org. */
async function ops() {
  const { rows } = await sql<{
    email: string;
  }>`select email from auth.users where id = ${stack.adminId}`.execute(stack.db);
  const login = { id: stack.adminId, email: rows[0]?.email ?? '' };
  return signToken({ secret: api.secret, login, hours: 1 });
}

async function addTrack(title: string, genre: string | null, member = artist): Promise<string> {
  await stack.sandbox.admin.addUsers([{ handle: member.handle, name: member.handle, followers: 5_000 }]);
  const [track] = await stack.sandbox.admin.addTracks([{ handle: member.handle, title, genre, tags: [] }]);
  if (track === undefined) throw new Error('the stand-in took no track');
  return track.url;
}

const preview = async (track_url: string, more: object = { member_id: artist.id }) =>
  api.call('POST', '/v1/submissions/preview', { as: await ops(), key: null, body: { track_url, ...more } });

const asked = async () => (await stack.sandbox.admin.requests('soundcloud', '/resolve')).length;

describe('a preview', () => {
  it('tells reach, credits, supporters by tier, why they fit, who is left out, and the next queue', async () => {
    const url = await addTrack('Night Bus', 'House');
    const { status, body } = await preview(`${url}?si=1`);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      member_id: artist.id,
      source: 'soundcloud',
      track: { url, title: 'Night Bus', kind: 'track' },
      genre: { family: 'Electronic', subgenres: ['House'] },
      balance: 1,
      credits: 1,
      supporters: { total: 1 },
      affinity: [{ because: 'subgenre House', affinity: 1, supporters: 1 }],
      missing: [],
    });
    expect(body.exclusions).toEqual(
      expect.arrayContaining([
        { code: 'self', supporters: 1 },
        { code: 'genre', supporters: 1 },
      ]),
    );
    const reach = body.expected_reach as { min: number; planned: number; max: number };
    expect(reach.planned).toBe(600);
    expect([reach.min, reach.max]).toEqual([420, 780]);
    expect(body.next_queue_date).toMatch(/^\d{4}-\d\d-\d\d$/);
    // Names no supporter.
    expect(JSON.stringify(body)).not.toMatch(/member-[234]/);
  });

  it('promises what the proposal of the same submission then says, and leaves nothing behind', async () => {
    const url = await addTrack('Same Again', 'House');
    const count = async () =>
      (
        await sql<{ n: number }>`select count(*)::int as n from public.soundcloud_submissions`.execute(
          stack.db,
        )
      ).rows[0]?.n;
    const before = await count();
    const { body } = await preview(url);
    expect(await count()).toBe(before);
    const plan = await stack.db.transaction().execute(async (trx) =>
      planTargets(trx, {
        orgId: stack.orgId,
        settings: await loadSettings(trx, stack.orgId),
        now: Date.now(),
        submission: {
          id: artist.id,
          member_id: artist.id,
          track_url: url,
          family: 'Electronic',
          subgenres: ['House'],
        },
      }),
    );
    expect(body.expected_reach).toMatchObject({ planned: plan.reach.expected_reach_planned });
    expect(body.credits).toBe(plan.proposal.estimated_credits);
    expect(body.next_queue_date).toBe(plan.supportDate);
  });

  it('asks SoundCloud once in preview_cache_days, and again afterwards', async () => {
    const url = await addTrack('Kept', 'House');
    const before = await asked();
    expect((await preview(url)).body.source).toBe('soundcloud');
    expect((await preview(url)).body).toMatchObject({ source: 'cache', track: { title: 'Kept' } });
    expect((await asked()) - before).toBe(1);
    const kept = await sql<{ days: number }>`
      select round(extract(epoch from expires_at - fetched_at) / 86400)::int as days
      from public.soundcloud_preview_cache where track_url = ${url}`.execute(stack.db);
    expect(kept.rows).toEqual([{ days: 30 }]);
    await sql`update public.soundcloud_preview_cache set expires_at = fetched_at where track_url = ${url}`.execute(
      stack.db,
    );
    expect((await preview(url)).body.source).toBe('soundcloud');
    await sql`update public.soundcloud_preview_cache set expires_at = fetched_at where track_url = ${url}`.execute(
      stack.db,
    );
    await stack.sandbox.admin.addFault('soundcloud', { kind: 'status', status: 503 });
    const old = await preview(url);
    await stack.sandbox.admin.clearFaults('soundcloud');
    expect(old.body).toMatchObject({
      source: 'old_cache',
      genre: { family: 'Electronic' },
      missing: [{ code: 'soundcloud_unavailable' }],
    });
  });

  it('of a track nobody knows, or of no genre of the network, says what is missing', async () => {
    const unknown = await preview('https://soundcloud.com/nobody/nothing');
    expect(unknown.body).toMatchObject({
      track: null,
      genre: null,
      expected_reach: null,
      supporters: null,
      missing: [{ code: 'track_not_found' }],
    });
    const rain = await preview(await addTrack('Rain', 'Field Recordings'));
    expect(rain.body).toMatchObject({
      track: { title: 'Rain' },
      expected_reach: null,
      missing: [{ code: 'genre_unknown' }],
    });
    expect((rain.body.exclusions as { code: string }[]).map(({ code }) => code)).not.toContain('genre');
  });

  it('follows short links', async () => {
    const url = await addTrack('Short', 'House');
    await stack.sandbox.admin.addShortLink('previewed', url);
    const { body } = await preview('https://on.soundcloud.com/previewed');
    expect(body).toMatchObject({ source: 'soundcloud', track: { url, title: 'Short' } });
  });

  it('refuses what a submission would be refused for, and other members', async () => {
    const profile = await preview('https://soundcloud.com/somebody');
    expect([profile.status, profile.body.code]).toEqual([422, 'track_url_profile']);
    const url = await addTrack('Mine', 'House');
    const own = await api.call('POST', '/v1/submissions/preview', {
      as: api.member,
      key: null,
      body: { track_url: url },
    });
    expect(own.body).toMatchObject({ member_id: api.memberId, next_queue_date: expect.any(String) });
    const foreign = await api.call('POST', '/v1/submissions/preview', {
      as: api.member,
      key: null,
      body: { track_url: url, member_id: artist.id },
    });
    expect([foreign.status, foreign.body.code]).toEqual([422, 'unknown_reference']);
    const read = await api.call('GET', '/v1/submissions/preview');
    expect([read.status, read.headers.get('allow')]).toEqual([405, 'POST, OPTIONS']);
  });

  it('answers without SoundCloud, and says so', async () => {
    await api.restart({ SOUNDCLOUD_CLIENT_ID: '', SOUNDCLOUD_CLIENT_SECRET: '' });
    const { status, body } = await preview(await addTrack('Unasked', 'House'));
    expect(status).toBe(200);
    expect(body).toMatchObject({
      source: 'none',
      track: null,
      expected_reach: null,
      balance: 1,
      next_queue_date: expect.any(String),
      missing: [{ code: 'soundcloud_not_configured' }],
    });
  });
});
