/**
 * Schedules against an Influence Planner that refuses, fails, hangs and loses answers, and whose webhooks are lost, late,
 * repeated, reordered or forged. Whatever happens, it is asked for a repost at most once. An hour of business time takes a
 * second.
 */
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { cancelSchedulesOf } from '../../activities/repost-scheduling.js';
import { type RunningApi, startApi } from '../../api/server.js';
import { signToken } from '../../cli/token.js';
import { readConfig } from '../../config/config.js';
import { createLogger } from '../../config/log.js';
import { withOrg } from '../../db/client.js';
import { HOUR_MS } from '../../domain/calendar.js';
import type { FaultRequest } from '../../sandbox/faults.js';
import { repostScheduleUpdates } from '../../workflows/repost-schedule/contract.js';
import { eventually } from '../support/review-facts.js';
import { type ScheduledRepost, schedulesOf } from '../support/schedules.js';
import { createWorld, type World } from '../support/world.js';

const CREATE = '/partner/v1/schedule/create';
const LISTS = '/users/*';

let world: World;
let api: RunningApi;
let the: ReturnType<typeof schedulesOf>;
/** Begun first, looked at last: its answer does not come for 20 s. */
let hanging: ScheduledRepost;

beforeAll(async () => {
  world = await createWorld({ daySeconds: 24 });
  the = schedulesOf(world);
  await world.db.updateTable('soundcloud_settings').set({ proof_sla_hours: 96 }).execute();
  api = await startApi(readConfig({ ...world.env, PORT: '0' }), createLogger('api', 'silent'));
  await world.startWorker();
  await at.addFault({ kind: 'hang', processed: true, path: CREATE, count: 1 });
  hanging = await the.schedule({ slotInHours: 200 / 24 });
  await eventually('it hangs', async () => (await the.facts.atVendor(hanging)).length === 1);
  await webhooks(true);
});

afterAll(async () => {
  await world?.sandbox.admin.clearFaults('planner');
  await api?.stop();
  await world?.remove();
});

afterEach(async () => {
  await webhooks(true);
  await world.sandbox.admin.clearFaults('soundcloud');
});

const at = {
  addFault: (fault: FaultRequest) => world.sandbox.admin.addFault('planner', fault),
};

const webhooks = (on: boolean) =>
  world.sandbox.admin.setWebhook(on ? `${api.url}/v1/webhooks/influence-planner` : null);

const sendAhead = (hours: number) =>
  sql`update public.soundcloud_settings
    set campaign_defaults = campaign_defaults || jsonb_build_object('send_ahead_hours', ${hours}::integer)`.execute(
    world.db,
  );

/** SoundCloud shows no reposts: what is completed was completed by a webhook. */
const blind = () => world.sandbox.admin.addFault('soundcloud', { kind: 'empty', path: LISTS });

const requests = async () => (await world.sandbox.admin.requests('planner', CREATE)).length;

function answerUnknown(repost: ScheduledRepost, answer: { sent: boolean; scheduleId?: string }) {
  return the.handleOf(repost).executeUpdate(repostScheduleUpdates.answerUnknown, {
    args: [{ by: world.adminId, ...answer }],
  });
}

async function request(method: 'GET' | 'POST', path: string, body?: unknown) {
  const login = { id: world.adminId, email: 'admin@ops.test' };
  const token = await signToken({ secret: world.config.JWT_SECRET ?? '', login, hours: 1 });
  const response = await fetch(`${api.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      'idempotency-key': `${method} ${path}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe('a schedule', () => {
  it('is sent once, near its time, and completed by the webhook', async () => {
    await blind();
    await world.db.updateTable('soundcloud_settings').set({ unrepost_after_hours: 1 }).execute();
    const repost = await the.schedule({ slotInHours: 27 });
    await the.inStage(repost, 'ahead');
    expect(await the.facts.atVendor(repost)).toEqual([]);
    expect(await the.facts.intent(repost)).toMatchObject({ status: 'intended', attempts: 0 });
    // Short of a day before its time it leaves.
    await the.inStage(repost, 'completion');
    const [sent, ...more] = await the.facts.atVendor(repost);
    expect(more).toEqual([]);
    expect(sent?.createdAt).toBeGreaterThanOrEqual(repost.slotAt - 24 * HOUR_MS);
    expect(sent?.actions.map(({ kind, at }) => [kind, at])).toEqual([
      ['REPOST', repost.slotAt],
      ['UNREPOST', repost.slotAt + HOUR_MS],
    ]);
    await world.db.updateTable('soundcloud_settings').set({ unrepost_after_hours: null }).execute();
    const { rows } = await sql<{ ip_tracking_url: string; ip_schedule_ids: string[] }>`
      select ip_tracking_url, ip_schedule_ids from public.soundcloud_submissions where id = ${repost.submissionId}`.execute(
      world.db,
    );
    expect(rows[0]?.ip_schedule_ids).toEqual([sent?.id]);
    expect(rows[0]?.ip_tracking_url).toMatch(new RegExp(`/calendar/${sent?.id}$`));

    await the.closed(repost, 60_000);
    const proof = `https://soundcloud.com/${repost.supporter.handle}/reposts`;
    expect(await the.facts.row(repost)).toMatchObject({
      status: 'completed',
      ip_schedule_id: sent?.id,
      proof_url: proof,
      completed_at: new Date(repost.slotAt),
      retry_count: 0,
      error_message: null,
    });
    expect(await the.facts.intent(repost)).toMatchObject({ status: 'confirmed', resolved_by: 'response' });
    expect(await the.facts.reports(repost)).toEqual([
      { assignment_id: repost.assignmentId, status: 'completed', proof_url: proof, error: null },
    ]);
    // The planned un-repost comes when all is over, and changes nothing.
    await eventually('both webhooks', async () => (await the.facts.receipts(repost)).length === 2);
    expect(await the.facts.receipts(repost)).toEqual([
      'schedule.completed applied',
      'schedule.unreposted ignored',
    ]);
  });

  it('is completed by what is seen on SoundCloud when no webhook comes', async () => {
    await webhooks(false);
    const repost = await the.schedule();
    await the.closed(repost);
    expect(await the.facts.row(repost)).toMatchObject({
      status: 'completed',
      proof_url: `https://soundcloud.com/${repost.supporter.handle}/reposts`,
    });
    const { body } = await request('GET', `/v1/schedules/${repost.id}`);
    expect(body).toMatchObject({
      status: 'completed',
      intent: { status: 'confirmed', attempts: 1, calendar_url: expect.stringContaining('/calendar/') },
      evidence: [{ verdict: 'seen', source: 'user_reposts' }],
      wait: null,
    });
  });

  it('fails when the vendor says so, and the supporter is left to repost by hand', async () => {
    const repost = await the.schedule();
    await the.inStage(repost, 'completion');
    await world.sandbox.admin.setStatus(repost.supporter.handle, 'UNLINKED');
    await the.closed(repost);
    expect(await the.facts.row(repost)).toMatchObject({
      status: 'failed',
      error_message: 'failed_in_influence_planner: account_not_linked',
      proof_url: null,
    });
    expect(await the.facts.reports(repost)).toMatchObject([{ status: 'failed', proof_url: null }]);
  });

  it('that nobody tells of and nobody sees fails at the deadline', async () => {
    await world.db.updateTable('soundcloud_settings').set({ proof_sla_hours: 3 }).execute();
    await webhooks(false);
    await blind();
    const repost = await the.schedule({ slotInHours: 3 });
    await the.closed(repost);
    await world.db.updateTable('soundcloud_settings').set({ proof_sla_hours: 96 }).execute();
    const row = await the.facts.row(repost);
    expect(row).toMatchObject({ status: 'failed', error_message: expect.stringContaining('not_seen') });
    const looks = (await the.facts.intent(repost)).response as { looks: { verdict: string }[] };
    // After 1 h, 2 h, and at the deadline.
    expect(looks.looks.map(({ verdict }) => verdict)).toEqual(['absent', 'absent', 'absent']);
  });
});

describe('a request', () => {
  it('that was certainly not taken is sent again: 429, then nobody there', async () => {
    await at.addFault({ kind: 'status', status: 429, path: CREATE, count: 1 });
    const limited = await the.schedule({ slotInHours: 8 });
    await the.inStage(limited, 'completion');
    expect(await the.facts.row(limited)).toMatchObject({ status: 'scheduled', retry_count: 1 });
    expect(await the.facts.atVendor(limited)).toHaveLength(1);

    await sendAhead(1);
    const nobody = await the.schedule({ slotInHours: 9 });
    await the.inStage(nobody, 'ahead');
    await world.sandbox.stop();
    await eventually('it was tried', async () => (await the.facts.row(nobody)).retry_count > 0);
    await world.sandbox.restart();
    await webhooks(true);
    await sendAhead(24);
    await Promise.all([the.closed(limited), the.closed(nobody)]);
    for (const repost of [limited, nobody]) {
      expect(await the.facts.row(repost)).toMatchObject({ status: 'completed' });
      expect(await the.facts.atVendor(repost)).toHaveLength(1);
    }
  });

  it('that fails on their side is not sent again; the webhook shows that it arrived', async () => {
    await blind();
    const before = await requests();
    await at.addFault({ kind: 'status', status: 500, processed: true, path: CREATE, count: 1 });
    const repost = await the.schedule({ slotInHours: 6 });
    await the.inStage(repost, 'unknown');
    expect(await the.facts.row(repost)).toMatchObject({ status: 'pending', ip_schedule_id: null });
    expect(await the.facts.intent(repost)).toMatchObject({ status: 'unknown', attempts: 1 });
    expect(await the.facts.tasks(repost)).toMatchObject([{ kind: 'schedule_unknown', status: 'open' }]);
    await the.closed(repost);
    const [sent] = await the.facts.atVendor(repost);
    expect(await the.facts.row(repost)).toMatchObject({ status: 'completed', ip_schedule_id: sent?.id });
    expect(await the.facts.intent(repost)).toMatchObject({ status: 'confirmed', resolved_by: 'webhook' });
    expect(await the.facts.tasks(repost)).toMatchObject([{ status: 'done' }]);
    expect(await requests()).toBe(before + 1);
  });

  it('that fails on their side is for ops to look for: not there, it failed', async () => {
    const before = await requests();
    await at.addFault({ kind: 'status', status: 500, path: CREATE, count: 1 });
    const repost = await the.schedule();
    await the.inStage(repost, 'unknown');
    const path = `/v1/schedules/${repost.id}`;
    expect((await request('POST', `${path}/confirm-cancelled`)).body.code).toBe(
      'schedule_not_being_cancelled',
    );
    const { status, body } = await request('POST', `${path}/answer-unknown`, { sent: false });
    expect([status, body.status]).toEqual([200, 'failed']);
    await the.closed(repost);
    expect(await the.facts.intent(repost)).toMatchObject({ status: 'failed', resolved_by: 'ops' });
    expect(await the.facts.tasks(repost)).toMatchObject([
      { status: 'done', resolved_by: world.adminId, resolution: { outcome: 'not_sent' } },
    ]);
    expect(await the.facts.reports(repost)).toMatchObject([{ status: 'failed' }]);
    expect(await requests()).toBe(before + 1);
    expect((await request('POST', `${path}/cancel`, { reason: 'Too late.' })).body.code).toBe(
      'schedule_closed',
    );
  });

  it('whose answer is lost on the line is found by looking, or by ops who see it in the calendar', async () => {
    await webhooks(false);
    await at.addFault({ kind: 'drop', path: CREATE, count: 1 });
    const seen = await the.schedule();
    await the.inStage(seen, 'unknown');
    await at.addFault({ kind: 'drop', path: CREATE, count: 1 });
    const found = await the.schedule({ slotInHours: 100 / 24 });
    await the.inStage(found, 'unknown');
    const [item] = await the.facts.atVendor(found);
    await answerUnknown(found, { sent: true, scheduleId: item?.id ?? '' });
    expect(await the.facts.row(found)).toMatchObject({ status: 'scheduled', ip_schedule_id: item?.id });
    await Promise.all([the.closed(seen), the.closed(found)]);
    expect(await the.facts.intent(seen)).toMatchObject({ status: 'confirmed', resolved_by: 'evidence' });
    expect(await the.facts.row(seen)).toMatchObject({ status: 'completed' });
    expect(await the.facts.row(found)).toMatchObject({ status: 'completed' });
    for (const repost of [seen, found]) expect(await the.facts.atVendor(repost)).toHaveLength(1);
  });

  it('that is refused is not sent again', async () => {
    const before = await requests();
    await at.addFault({ kind: 'status', status: 402, path: CREATE, count: 1 });
    const repost = await the.schedule();
    await the.closed(repost);
    expect(await the.facts.row(repost)).toMatchObject({ status: 'failed', retry_count: 0 });
    expect(await requests()).toBe(before + 1);
  });
});

describe('webhooks', () => {
  it('that come three times count once', async () => {
    await blind();
    await at.addFault({ kind: 'webhook', how: 'repeat', times: 2, count: 1 });
    const repost = await the.schedule({ slotInHours: 2 });
    await the.closed(repost);
    const [item] = await the.facts.atVendor(repost);
    await eventually('all three were sent', async () => {
      const all = await world.sandbox.admin.webhooks();
      const own = all.filter(({ body }) => body.includes(item?.id ?? '-'));
      return own.length === 3 && own.every(({ delivered }) => delivered);
    });
    expect(await the.facts.receipts(repost)).toEqual(['schedule.completed applied']);
    expect(await the.facts.reports(repost)).toHaveLength(1);
  });

  it('that are forged are turned away; one that is late comes too late to matter', async () => {
    await at.addFault({ kind: 'webhook', how: 'forged', count: 1 });
    const forged = await the.schedule({ slotInHours: 2 });
    await the.closed(forged);
    await at.addFault({ kind: 'webhook', how: 'late', hours: 4, count: 1 });
    const late = await the.schedule({ slotInHours: 2 });
    await the.closed(late);
    await eventually('the late one', async () => (await the.facts.receipts(late)).length === 1);
    expect(await the.facts.receipts(late)).toEqual(['schedule.completed ignored']);
    expect(await the.facts.receipts(forged)).toEqual([]);
    for (const repost of [forged, late])
      expect(await the.facts.row(repost)).toMatchObject({ status: 'completed' });
  });

  it('that overtake each other end in the same', async () => {
    await blind();
    await world.db.updateTable('soundcloud_settings').set({ unrepost_after_hours: 1 }).execute();
    await at.addFault({ kind: 'webhook', how: 'reorder', count: 1 });
    const repost = await the.schedule({ slotInHours: 2 });
    await the.inStage(repost, 'completion');
    await world.db.updateTable('soundcloud_settings').set({ unrepost_after_hours: null }).execute();
    await eventually('both came', async () => (await the.facts.receipts(repost)).length === 2);
    await the.closed(repost);
    expect(await the.facts.row(repost)).toMatchObject({
      status: 'completed',
      completed_at: new Date(repost.slotAt),
    });
    expect((await the.facts.receipts(repost)).filter((line) => line.endsWith(' applied'))).toHaveLength(1);
  });
});

describe('cancelling', () => {
  it('stops what was not sent', async () => {
    const repost = await the.schedule({ slotInHours: 2_000 });
    await the.inStage(repost, 'ahead');
    const { status, body } = await request('POST', `/v1/schedules/${repost.id}/cancel`, {
      reason: 'A mistake.',
    });
    expect([status, body.status, body.error_message]).toEqual([200, 'cancelled', 'A mistake.']);
    await the.closed(repost);
    expect(await the.facts.intent(repost)).toMatchObject({ status: 'cancelled', attempts: 0 });
    expect(await the.facts.atVendor(repost)).toEqual([]);
    expect(await the.facts.reports(repost)).toMatchObject([{ status: 'cancelled' }]);
  });

  it('of what was sent is a task for ops, with its address, until they confirm', async () => {
    const repost = await the.schedule({ slotInHours: 20 });
    await the.inStage(repost, 'completion');
    const path = `/v1/schedules/${repost.id}`;
    await request('POST', `${path}/cancel`, { reason: 'The artist asked for it.' });
    await the.inStage(repost, 'cancelling');
    const [task] = await the.facts.tasks(repost);
    const [item] = await the.facts.atVendor(repost);
    expect(task).toMatchObject({
      kind: 'cancel_schedule',
      status: 'open',
      body: expect.stringContaining(`/calendar/${item?.id}`),
      actions: [{ path: `${path}/confirm-cancelled` }],
    });
    expect(await the.facts.row(repost)).toMatchObject({ status: 'scheduled', closed_at: null });
    const { body } = await request('POST', `${path}/confirm-cancelled`);
    expect(body).toMatchObject({ status: 'cancelled', error_message: 'The artist asked for it.' });
    await the.closed(repost);
    expect(await the.facts.tasks(repost)).toMatchObject([{ status: 'done', resolved_by: world.adminId }]);
  });

  it('that nobody carries out in time ends with the repost that was made', async () => {
    const repost = await the.schedule({ slotInHours: 6 });
    await the.inStage(repost, 'completion');
    await request('POST', `/v1/schedules/${repost.id}/cancel`, { reason: 'Too late.' });
    await the.closed(repost);
    expect(await the.facts.row(repost)).toMatchObject({ status: 'completed' });
    expect(await the.facts.tasks(repost)).toMatchObject([{ kind: 'cancel_schedule', status: 'done' }]);
  });

  it('comes by itself when the assignment is over first', async () => {
    const told = await the.schedule({ slotInHours: 2_000 });
    const sent = await the.schedule({ slotInHours: 20 });
    const untold = await the.schedule({ slotInHours: 28 });
    await the.inStage(told, 'ahead');
    await the.inStage(sent, 'completion');
    const all = [told, sent, untold].map(({ assignmentId }) => assignmentId);
    const now = new Date(await the.businessNow());
    await withOrg(world.db, world.orgId, async (trx) => {
      await trx
        .updateTable('soundcloud_queue_assignments')
        .set({ status: 'skipped', settled_at: now })
        .where('id', 'in', all)
        .execute();
      const assignmentIds = [told.assignmentId, sent.assignmentId];
      const input = { orgId: world.orgId, assignmentIds, reason: 'It was skipped.', now: now.getTime() };
      expect(await cancelSchedulesOf(trx, input)).toBe(2);
      expect(await cancelSchedulesOf(trx, input)).toBe(0);
    });
    await the.inStage(sent, 'cancelling');
    await Promise.all([the.closed(told), the.closed(untold)]);
    for (const repost of [told, untold]) {
      expect(await the.facts.row(repost)).toMatchObject({ status: 'cancelled' });
      expect(await the.facts.atVendor(repost)).toEqual([]);
      // Whoever is over is not told that there is no repost.
      expect(await the.facts.reports(repost)).toEqual([]);
    }
  });
});

it('a request that got no answer at all is not sent again, and is found by looking', async () => {
  await the.closed(hanging, 60_000);
  expect(await the.facts.intent(hanging)).toMatchObject({ status: 'confirmed', attempts: 1 });
  expect(await the.facts.row(hanging)).toMatchObject({ status: 'completed', retry_count: 0 });
  expect(await the.facts.atVendor(hanging)).toHaveLength(1);
});

it('nothing was ever asked for twice, and no webhook is left unhandled', async () => {
  const items = (await world.sandbox.admin.schedules()).map(({ mediaUrl }) => mediaUrl);
  expect(new Set(items).size).toBe(items.length);
  const { rows } = await sql<{ n: number }>`
    select count(*)::integer as n from public.soundcloud_webhook_receipts where processed_at is null`.execute(
    world.db,
  );
  expect(rows[0]?.n).toBe(0);
});
