/** A month replayed under other parameters, over HTTP: what it says of a ledger that is known entry by entry. */
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asOwner } from '../db/client.js';
import { type CreditRequest, postCredits } from '../db/credits.js';
import { monthOf } from '../domain/calendar.js';
import { monthAfter, monthBefore } from '../domain/grant-dates.js';
import { type Answer, type ApiWorld, createApiWorld, type Person } from '../test/support/api-world.js';

let world: ApiWorld;
/** `YYYY-MM` of the last whole month, by the business clock. */
let month: string;
let artist: string;
let supporter: string;

beforeAll(async () => {
  world = await createApiWorld();
  const { rows } = await sql<{ now: Date }>`select private.business_now() as now`.execute(world.db);
  month = monthBefore(monthOf(rows[0]?.now.getTime() ?? 0, 'UTC'));
  artist = await newMember('Night Harbor', 5_000);
  // A reach of 3,000: 5 credits at 600 reach a credit.
  supporter = await newMember('Wide Channel', 50_000);
  await post('01', { kind: 'manual', member_id: artist, amount: 5, reason: 'a start in life', key: 'start' });
});
afterAll(async () => {
  await world?.remove();
});

async function newMember(name: string, followers: number): Promise<string> {
  const { rows } = await sql<{ id: string }>`
    insert into public.soundcloud_members (org_id, name, soundcloud_followers)
    values (${world.orgId}, ${name}, ${followers}) returning id`.execute(world.db);
  return rows[0]?.id ?? '';
}

/** @param day of the month, or a whole instant */
function post(day: string, ...requests: CreditRequest[]) {
  const at = new Date(day.length === 2 ? `${month}-${day}T12:00:00Z` : day);
  return asOwner(world.db, (trx) => postCredits(trx, world.orgId, requests, { at }));
}

async function assign(date: string): Promise<string> {
  const { rows } = await sql<{ id: string }>`
    with queue as (
      insert into public.soundcloud_queues (org_id, date, status) values (${world.orgId}, ${date}, 'published')
      returning id
    ), submission as (
      insert into public.soundcloud_submissions (org_id, member_id, track_url, imported_at)
      values (${world.orgId}, ${artist}, ${world.trackUrl()}, now()) returning id
    )
    insert into public.soundcloud_queue_assignments
      (org_id, queue_id, submission_id, supporter_id, position, credits_allocated, reach, reach_factor)
    select ${world.orgId}, queue.id, submission.id, ${supporter}, 1, 5, 3000, 0.06 from queue, submission
    returning id`.execute(world.db);
  return rows[0]?.id ?? '';
}

async function settle(assignment: string): Promise<void> {
  await sql`update public.soundcloud_queue_assignments set status = 'completed', settled_at = now()
    where id = ${assignment}`.execute(world.db);
}

function simulate(body: unknown, options: { as?: Person; org?: string } = {}): Promise<Answer> {
  return world.call('POST', '/v1/credits/simulate', { body, key: null, ...options });
}

interface Simulation {
  month: string;
  parameters: Record<string, unknown>;
  members: Record<string, number>;
  start: Record<string, number>;
  actual: Record<string, number>;
  simulated: Record<string, number>;
  gainers: Record<string, unknown>[];
  losers: Record<string, unknown>[];
}

async function simulated(body: unknown): Promise<Simulation> {
  const answer = await simulate(body);
  expect(answer.status).toBe(200);
  return answer.body as unknown as Simulation;
}

describe('a month with one repost', () => {
  beforeAll(async () => {
    const assignment = await assign(`${month}-10`);
    await post('10', { kind: 'hold', member_id: artist, assignment_id: assignment, amount: 5 });
    await post(
      '12',
      { kind: 'capture', assignment_id: assignment },
      { kind: 'earn', member_id: supporter, assignment_id: assignment, amount: 5 },
    );
    await settle(assignment);
    await post('20', { kind: 'grant', member_id: supporter, month: monthBefore(month) });
  });

  it('is as it was under the same parameters, by default the last whole month', async () => {
    const same = await simulated({});
    expect(same).toMatchObject({
      month,
      parameters: { reach_per_credit: 600, fee_percent: 0, default_reach_factor: 0.06 },
      members: { moved: 2, gained: 0, lost: 0, same: 2 },
      start: { balance: 3, held: 0 },
      gainers: [],
      losers: [],
    });
    expect(same.simulated).toEqual(same.actual);
    expect(same.actual).toMatchObject({
      balance: 10,
      held: 0,
      reserved: 5,
      spent: 5,
      earned: 5,
      granted: 2,
      manual: 5,
      forfeited: 0,
      refused: 0,
    });
  });

  it('costs the supporter a fee', async () => {
    const result = await simulated({ fee_percent: 40 });
    expect(result.members).toEqual({ moved: 2, gained: 0, lost: 1, same: 1 });
    expect(result.losers).toMatchObject([
      {
        member_id: supporter,
        member_name: 'Wide Channel',
        gain: -2,
        simulated: { earned: 3 },
        actual: { earned: 5 },
      },
    ]);
    expect(result.simulated).toMatchObject({ balance: 8, spent: 5, earned: 3 });
  });

  it('would not have taken place at a price the artist could not pay', async () => {
    const result = await simulated({ reach_per_credit: 300 });
    expect(result.simulated).toMatchObject({
      refused: 1,
      refused_credits: 10,
      spent: 0,
      earned: 0,
      balance: 10,
    });
    expect(result.gainers).toMatchObject([{ member_id: artist, gain: 5 }]);
    expect(result.losers).toMatchObject([{ member_id: supporter, gain: -5 }]);
  });

  it('follows another factor and another policy', async () => {
    expect((await simulated({ default_reach_factor: 0.03 })).simulated).toMatchObject({
      spent: 3,
      earned: 3,
    });
    const policy = await simulated({ tier_policy: { T3: { monthly_grant: 3, cap: 4 } } });
    // The price is at most the supporter's cap; the supporter's own 2 credits leave room for 2.
    expect(policy.simulated).toMatchObject({ spent: 4, earned: 2, forfeited: 5, granted: 0 });
    expect(policy.parameters).toMatchObject({
      tier_policy: { T3: { monthly_grant: 3, cap: 4 }, T4: { monthly_grant: 3, cap: 60 } },
    });
    await sql`update public.soundcloud_members set reach_factor = 0.06 where id = ${supporter}`.execute(
      world.db,
    );
    expect((await simulated({ default_reach_factor: 0.03 })).simulated).toMatchObject({ spent: 5 });
  });
});

describe('the month', () => {
  it('takes over what was held before it, at the price of then', async () => {
    const earlier = monthBefore(monthBefore(month));
    const assignment = await assign(`${earlier}-20`);
    const old = await newMember('Early Bird', 5_000);
    await post(`${earlier}-20T12:00:00Z`, {
      kind: 'hold',
      member_id: old,
      assignment_id: assignment,
      amount: 1,
    });
    await post(`${monthAfter(earlier)}-02T12:00:00Z`, { kind: 'capture', assignment_id: assignment });
    await settle(assignment);
    const result = await simulated({ month: monthAfter(earlier), reach_per_credit: 100 });
    expect(result.start).toEqual({ balance: 0, held: 1 });
    expect(result.simulated).toMatchObject({ held: 0, spent: 1, reserved: 0 });
  });

  it('begins and ends where the org is', async () => {
    const far = monthBefore(monthBefore(monthBefore(monthBefore(month))));
    const member = await newMember('Last Minute', 5_000);
    await post(`${monthBefore(far)}-28T12:00:00Z`, {
      kind: 'manual',
      member_id: member,
      amount: 1,
      reason: 'before the month',
      key: 'before',
    });
    // On the last day, 11:00 UTC: the first of the next month in Kiritimati (UTC+14).
    const last = new Date(Date.parse(`${monthAfter(far)}-01T11:00:00Z`) - 86_400_000).toISOString();
    await post(last, {
      kind: 'manual',
      member_id: member,
      amount: 2,
      reason: 'at the border',
      key: 'border',
    });
    const moved = async (asked: string) => (await simulated({ month: asked })).actual.manual;
    expect([await moved(far), await moved(monthAfter(far))]).toEqual([2, 0]);
    await sql`update public.soundcloud_settings set timezone = 'Pacific/Kiritimati' where org_id = ${world.orgId}`.execute(
      world.db,
    );
    try {
      expect([await moved(far), await moved(monthAfter(far))]).toEqual([0, 2]);
    } finally {
      await sql`update public.soundcloud_settings set timezone = 'UTC' where org_id = ${world.orgId}`.execute(
        world.db,
      );
    }
  });
});

describe('who simulates', () => {
  it('ops; it writes nothing and shows nothing of another org', async () => {
    const before = await sql`select count(*) from public.soundcloud_repost_credit_ledger`.execute(world.db);
    expect((await simulate({}, { as: world.moderator })).status).toBe(200);
    expect((await simulate({}, { as: world.member })).body.code).toBe('forbidden');
    expect((await simulate({}, { as: world.otherAdmin })).body.members).toMatchObject({ moved: 0 });
    expect(await sql`select count(*) from public.soundcloud_repost_credit_ledger`.execute(world.db)).toEqual(
      before,
    );
  });

  it('refuses what cannot be read, and parameters that are against the rules', async () => {
    for (const body of [
      [],
      { month: 'May' },
      { month: '2026-13' },
      { fee_percent: '5' },
      { colour: 'red' },
      { tier_policy: { T5: {} } },
      { tier_policy: { T1: { limit: 3 } } },
      { top: 0 },
      { top: 101 },
    ]) {
      const answer = await simulate(body);
      expect([body, answer.status, answer.body.code]).toEqual([body, 400, 'invalid_request']);
    }
    const broken: [unknown, string][] = [
      [{ fee_percent: 101 }, '/fee_percent'],
      [{ reach_per_credit: 0 }, '/reach_per_credit'],
      [{ default_reach_factor: -1 }, '/default_reach_factor'],
      [{ tier_policy: { T2: { cap: 0 } } }, '/tier_policy/T2/cap'],
      [{ tier_policy: { T2: { monthly_grant: 1.5 } } }, '/tier_policy/T2'],
    ];
    for (const [body, pointer] of broken) {
      const answer = await simulate(body);
      expect([body, answer.status, answer.body.code]).toEqual([body, 422, 'invalid_settings']);
      expect(answer.body.errors.map((error) => error.pointer)).toEqual([pointer]);
    }
    const future = await simulate({ month: monthAfter(monthAfter(month)) });
    expect([future.status, future.body.code]).toEqual([422, 'rule_violated']);
  });
});
