/** Notifications: one's own only, and new ones on an open stream at once, each of them, also over a broken connection. */
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signToken } from '../cli/token.js';
import { type ApiWorld, createApiWorld, type Person } from '../test/support/api-world.js';

let world: ApiWorld;

beforeAll(async () => {
  world = await createApiWorld();
});
afterAll(async () => {
  await world?.remove();
});

async function notify(person: Person, title: string): Promise<string> {
  const { rows } = await sql<{ id: string }>`
    insert into public.soundcloud_notifications (org_id, user_id, title, message)
    values (${world.orgId}, ${person.id}, ${title}, 'Look at it.') returning id`.execute(world.db);
  return rows[0]?.id ?? '';
}

/** Reads a stream of server-sent events until `count` notifications came. */
async function readStream(
  person: Person,
  count: number,
  opened: () => Promise<unknown>,
  lastEventId?: string,
) {
  const closing = new AbortController();
  const response = await fetch(`${world.url}/v1/notifications/stream`, {
    headers: {
      Authorization: `Bearer ${person.token}`,
      ...(lastEventId !== undefined && { 'Last-Event-ID': lastEventId }),
    },
    signal: closing.signal,
  });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  const reader = (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  let told = false;
  const found = () =>
    [...text.matchAll(/^id: (\S+)\nevent: notification\ndata: (.+)\n\n/gmu)].map(([, id, data]) => ({
      id,
      title: JSON.parse(data ?? '{}').title as string,
    }));
  while (found().length < count) {
    // The first sign of life comes after the first look: from here on nothing may be missed.
    if (!told && text.includes(': alive')) {
      told = true;
      await opened();
    }
    const { value, done } = await reader.read();
    if (done) break;
    text += value;
  }
  closing.abort();
  return found();
}

describe('notifications', () => {
  it('are listed newest first, and marked one by one or all at once', async () => {
    for (const title of ['one', 'two', 'three']) await notify(world.admin, title);
    const foreign = await notify(world.moderator, 'not for the admin');
    const titles = async (query = '') =>
      (await world.call('GET', `/v1/notifications${query}`)).body.data.map((row) => row.title);
    expect(await titles()).toEqual(['three', 'two', 'one']);
    const page = await world.call('GET', '/v1/notifications?limit=2');
    expect(await titles(`?cursor=${page.body.next_cursor}`)).toEqual(['one']);
    const id = page.body.data[0]?.id;
    const marked = await world.call('PATCH', `/v1/notifications/${id}`, { body: { read: true } });
    expect(marked.body.read).toBe(true);
    expect(await titles('?read=false')).toEqual(['two', 'one']);
    expect((await world.call('PATCH', `/v1/notifications/${foreign}`, { body: { read: true } })).status).toBe(
      404,
    );
    expect((await world.call('POST', '/v1/notifications/mark-all-read', { key: null })).body).toEqual({
      marked: 2,
    });
    expect(await titles('?read=false')).toEqual([]);
  });

  it('arrive on the stream at once, the own ones only, and a broken stream goes on where it was', async () => {
    await notify(world.moderator, 'before the stream');
    const first = await readStream(world.moderator, 2, async () => {
      await notify(world.admin, 'not for the moderator');
      await notify(world.moderator, 'live 1');
      await notify(world.moderator, 'live 2');
    });
    expect(first.map(({ title }) => title)).toEqual(['live 1', 'live 2']);
    await notify(world.moderator, 'while away');
    const second = await readStream(world.moderator, 3, async () => {}, first[0]?.id);
    expect(second.map(({ title }) => title)).toEqual(expect.arrayContaining(['live 2', 'while away']));
  });

  it('does not lose one whose transaction began before the stream looked and committed after', async () => {
    const found = await readStream(world.member, 1, async () => {
      await world.db.transaction().execute(async (trx) => {
        await sql`select now()`.execute(trx);
        await notify(world.admin, 'something in between');
        await sql`insert into public.soundcloud_notifications (org_id, user_id, title, message)
          values (${world.orgId}, ${world.member.id}, 'late commit', 'x')`.execute(trx);
      });
    });
    expect(found.map(({ title }) => title)).toEqual(['late commit']);
  });

  it('ends a stream with the token it was opened with', async () => {
    const token = await signToken({ secret: world.secret, login: world.admin, hours: 2 / 3_600 });
    const response = await fetch(`${world.url}/v1/notifications/stream`, {
      headers: { Authorization: `Bearer ${token}` },
    });
    expect(response.status).toBe(200);
    expect(await response.text()).toContain(': alive');
  });

  it('refuses a stream to strangers with an ordinary answer', async () => {
    const stranger = await world.addLogin('nobody@nowhere.test');
    const answer = await world.call('GET', '/v1/notifications/stream', { as: stranger });
    expect([answer.status, answer.body.code]).toEqual([403, 'no_membership']);
  });
});
