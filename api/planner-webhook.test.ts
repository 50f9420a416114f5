/** What is at the door of the vendor's webhooks, before any schedule hears of them. */
import { randomBytes, randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiWorld, createApiWorld } from '../test/support/api-world.js';

const SECRET = `whsec_${randomBytes(32).toString('base64')}`;
const PATH = '/v1/webhooks/influence-planner';
let world: ApiWorld;

beforeAll(async () => {
  world = await createApiWorld({ env: { INFLUENCE_PLANNER_WEBHOOK_SECRET: SECRET } });
});

afterAll(async () => {
  await world?.remove();
});

interface Sent {
  id?: string;
  at?: Date;
  secret?: string;
  /** What arrives, when it is not what was signed. */
  arrives?: string;
}

async function post(body: string, given: Sent = {}) {
  const { id = `msg_${randomUUID()}`, at = new Date(), secret = SECRET, arrives = body } = given;
  const response = await fetch(`${world.url}${PATH}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
      'webhook-signature': new Webhook(secret).sign(id, at, body),
    },
    body: arrives,
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const completed = (data: Record<string, unknown>) =>
  JSON.stringify({ type: 'schedule.completed', timestamp: new Date().toISOString(), data });

async function addSchedule(orgId = world.orgId) {
  const memberId = await world.addMember(orgId);
  const tag = randomBytes(4).toString('hex');
  const handle = `supporter-${tag}`;
  const { rows } = await sql<{ id: string }>`
    with account as (
      insert into public.soundcloud_member_accounts (org_id, member_id, platform, handle)
      values (${orgId}, ${memberId}, 'soundcloud', ${handle})
    ), campaign as (
      insert into public.soundcloud_campaigns (org_id, artist_name, track_name, track_url)
      values (${orgId}, 'Night Harbor', 'Low Tide', ${world.trackUrl()}) returning id
    )
    select id from campaign`.execute(world.db);
  const { rows: made } = await sql<{ id: string }>`
    insert into public.soundcloud_schedules (org_id, parent_type, parent_id, target_handle, ip_schedule_id, status)
    values (${orgId}, 'campaign', ${rows[0]?.id}, ${handle}, ${`ip-${tag}`}, 'scheduled') returning id`.execute(
    world.db,
  );
  return { id: made[0]?.id ?? '', handle, ipId: `ip-${tag}` };
}

async function heard(scheduleId: string) {
  const { rows } = await sql<{ org_id: string; data: Record<string, unknown> }>`
    select org_id, data from public.soundcloud_events
    where entity_id = ${scheduleId} and type = 'schedule.webhook_received'`.execute(world.db);
  return rows;
}

async function receipts(id: string) {
  const { rows } = await sql<{ org_id: string; outcome: string | null; payload: unknown }>`
    select org_id, outcome, payload from public.soundcloud_webhook_receipts where external_id = ${id}`.execute(
    world.db,
  );
  return rows;
}

describe('a webhook', () => {
  it('is stored once and handed to the schedule of its org, however often it comes', async () => {
    const schedule = await addSchedule(world.otherOrgId);
    const id = `msg_${randomUUID()}`;
    const body = completed({
      schedule_id: schedule.ipId,
      handle: schedule.handle.toUpperCase(),
      proof_url: `https://soundcloud.com/${schedule.handle}/reposts`,
      executed_at: '2026-03-01T12:00:00.000Z',
    });
    const answers = await Promise.all([post(body, { id }), post(body, { id }), post(body, { id })]);
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202]);
    expect(answers.map((answer) => answer.body.outcome).sort()).toEqual(['repeated', 'repeated', 'taken']);
    expect(await heard(schedule.id)).toEqual([
      {
        org_id: world.otherOrgId,
        data: expect.objectContaining({
          status: 'completed',
          proofUrl: `https://soundcloud.com/${schedule.handle}/reposts`,
          executedAt: Date.UTC(2026, 2, 1, 12),
        }),
      },
    ]);
    expect(await receipts(id)).toMatchObject([{ org_id: world.otherOrgId, outcome: null }]);
  });

  it('finds its schedule by the end of its calendar URL, but never that of another account', async () => {
    const schedule = await addSchedule();
    const calendar = `https://planner.test/calendar/${schedule.ipId}`;
    const other = await post(completed({ calendar_url: calendar, handle: 'somebody-else' }));
    expect(other).toMatchObject({ status: 202, body: { outcome: 'unknown' } });
    const own = await post(completed({ calendar_url: calendar, handle: schedule.handle }));
    expect(own.body.outcome).toBe('taken');
    expect(await heard(schedule.id)).toHaveLength(1);
  });

  it('about a closed schedule is kept and ignored', async () => {
    const schedule = await addSchedule();
    await sql`update public.soundcloud_schedules set closed_at = now() where id = ${schedule.id}`.execute(
      world.db,
    );
    const id = `msg_${randomUUID()}`;
    const { body } = await post(completed({ schedule_id: schedule.ipId, handle: schedule.handle }), { id });
    expect(body.outcome).toBe('ignored');
    expect(await receipts(id)).toMatchObject([{ outcome: 'ignored' }]);
    expect(await heard(schedule.id)).toEqual([]);
  });

  it('about no schedule is taken, and kept for the org that knows the account', async () => {
    const { handle } = await addSchedule();
    const id = `msg_${randomUUID()}`;
    const { status, body } = await post(completed({ schedule_id: 'nobody', handle }), { id });
    expect([status, body.outcome]).toEqual([202, 'unknown']);
    expect(await receipts(id)).toMatchObject([{ org_id: world.orgId, outcome: 'unknown_target' }]);
    const stranger = await post(completed({ schedule_id: 'nobody', handle: 'a-stranger' }));
    expect([stranger.status, stranger.body.outcome]).toEqual([202, 'unknown']);
  });

  it('is turned away when it is forged, old, from the future, or no JSON', async () => {
    const schedule = await addSchedule();
    const body = completed({ schedule_id: schedule.ipId, handle: schedule.handle });
    const off = (seconds: number) => new Date(Date.now() + seconds * 1_000);
    const wrong = `whsec_${randomBytes(32).toString('base64')}`;
    const cases: [Sent, number, string][] = [
      [{ secret: wrong }, 401, 'invalid_signature'],
      [{ arrives: `${body} ` }, 401, 'invalid_signature'],
      [{ at: off(-330) }, 401, 'invalid_signature'],
      [{ at: off(330) }, 401, 'invalid_signature'],
    ];
    for (const [given, status, code] of cases)
      expect(await post(body, given)).toMatchObject({ status, body: { code } });
    for (const bad of ['{"type":', '', 'hello'])
      expect(await post(bad)).toMatchObject({ status: 400, body: { code: 'malformed_json' } });
    expect(await post(body, { at: off(-240) })).toMatchObject({ status: 202 });
    expect(await heard(schedule.id)).toHaveLength(1);
  });

  it('of odd shape is taken without harm', async () => {
    for (const odd of [
      'null',
      '[]',
      '{"type":"schedule.archived","data":{}}',
      '{"type":"schedule.completed"}',
      '{"type":"schedule.completed","data":{"schedule_id":7,"handle":["x"],"executed_at":"never"}}',
      '{"type":"schedule.failed","data":{"schedule_id":"\\u0000","handle":"\\ud800"}}',
    ])
      expect([odd, (await post(odd)).status]).toEqual([odd, 202]);
  });

  it('needs a secret, and POST', async () => {
    const get = await fetch(`${world.url}${PATH}`);
    expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST, OPTIONS']);
    const bare = await fetch(`${world.url}${PATH}`, { method: 'POST', body: '{}' });
    expect(bare.status).toBe(401);
    await world.restart({ INFLUENCE_PLANNER_WEBHOOK_SECRET: undefined as unknown as string });
    expect(await post('{}')).toMatchObject({ status: 503, body: { code: 'webhooks_not_configured' } });
    await world.restart({});
  });
});

describe('schedules', () => {
  it('are for ops of their org, by status and parent', async () => {
    const schedule = await addSchedule();
    const one = await world.call('GET', `/v1/schedules/${schedule.id}`, { as: world.moderator });
    expect(one.body).toMatchObject({ status: 'scheduled', ip_schedule_id: schedule.ipId, intent: null });
    expect((await world.call('GET', `/v1/schedules/${schedule.id}`, { as: world.otherAdmin })).status).toBe(
      404,
    );
    expect((await world.call('GET', '/v1/schedules', { as: world.member })).status).toBe(403);
    const list = async (query: string) =>
      (await world.call('GET', `/v1/schedules?${query}`)).body.data.map(({ id }) => id);
    const parent = String(one.body.parent_id);
    expect(await list(`parent_type=campaign&parent_id=${parent}`)).toEqual([schedule.id]);
    expect(await list(`status=completed,failed&parent_id=${parent}`)).toEqual([]);
    expect(await list('open=true&sort=scheduled_at&limit=250')).toContain(schedule.id);
    const closed = await world.call('POST', `/v1/schedules/${randomUUID()}/cancel`, {
      body: { reason: 'No.' },
    });
    expect(closed.status).toBe(404);
  });
});
