/**
 * The daily sweep against the time-skipping server, where days pass in seconds, with SoundCloud's and Influence
 * Planner's stand-ins and their faults.
 */
import { randomUUID } from 'node:crypto';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SweepResult } from '../../domain/account-sweep.js';
import { addDays, dateOf, HOUR_MS, startOfDate } from '../../domain/calendar.js';
import { eventually } from '../../test/support/review-facts.js';
import { startTimeSkipping } from '../../test/support/time-skipping.js';
import { createWorld, type Member, type World } from '../../test/support/world.js';
import { ACCOUNT_HEALTH_TYPE, accountHealthId, accountHealthState } from './contract.js';

let env: TestWorkflowEnvironment;
let world: World;

beforeAll(async () => {
  env = await startTimeSkipping();
  world = await createWorld({ temporalAddress: env.address, now: () => env.currentTimeMs() });
  // Days follow one another faster than a minute's requests come back; the limit has tests of its own.
  world.config.INFLUENCE_PLANNER_REQUESTS_PER_MINUTE = 100_000;
  await world.startWorker();
});

afterAll(async () => {
  await world?.remove();
  await env?.teardown();
});

beforeEach(async () => {
  await nextDay();
  await world.sandbox.admin.clearFaults('soundcloud');
  await world.sandbox.admin.clearFaults('planner');
});

/** A member with an account at SoundCloud and, unless told otherwise, in Influence Planner. */
async function addMember(followers = 5_000, options: { planner?: boolean } = {}): Promise<Member> {
  const member = await world.addMember({ followers });
  await world.sandbox.admin.addUsers([{ handle: member.handle, followers }]);
  if (options.planner !== false) await world.sandbox.admin.addMembers([{ handle: member.handle }]);
  return member;
}

async function startSweep(date?: string) {
  const day = date ?? dateOf(await env.currentTimeMs(), 'UTC');
  return world.client.workflow.start(ACCOUNT_HEALTH_TYPE, {
    workflowId: accountHealthId(world.orgId, day),
    taskQueue: world.config.SPARK_TASK_QUEUE,
    args: [{ orgId: world.orgId, date: day }],
  });
}

const sweep = async (date?: string): Promise<SweepResult> => (await startSweep(date)).result();

/** A sweep that waits for something: time goes on from wait to wait until it has ended. */
async function sweepThroughTheDay(): Promise<SweepResult> {
  const handle = await startSweep();
  let ended = false;
  const result = handle.result().finally(() => {
    ended = true;
  });
  while (!ended) {
    const wait = await eventually('the sweep waits or ends', async () => {
      if (ended) return 0;
      const { troubles, profiles } = await handle.query(accountHealthState);
      if (profiles.done && profiles.unanswered > 0 && !profiles.again) return HOUR_MS;
      const ahead = Math.min(...troubles.map(({ retryAt }) => retryAt)) - (await env.currentTimeMs());
      return Number.isFinite(ahead) && ahead > 0 && ahead;
    });
    if (wait > 0) await env.sleep(wait);
  }
  return result;
}

/** 03:00 of the next day, so that what is left of a day is the same whenever the tests run. */
async function nextDay(): Promise<void> {
  const now = await env.currentTimeMs();
  const next = startOfDate(addDays(dateOf(now, 'UTC'), 1), 'UTC') + 3 * HOUR_MS;
  await env.sleep(next - now);
}

const { db, orgId } = { db: () => world.db, orgId: () => world.orgId };

const memberRow = (member: Member) =>
  db().selectFrom('soundcloud_members').selectAll().where('id', '=', member.id).executeTakeFirstOrThrow();

const account = (member: Member) =>
  db()
    .selectFrom('soundcloud_member_accounts')
    .selectAll()
    .where('member_id', '=', member.id)
    .executeTakeFirstOrThrow();

const connection = (member: Member) =>
  db()
    .selectFrom('soundcloud_integration_status as s')
    .innerJoin('soundcloud_member_accounts as a', 'a.id', 's.member_account_id')
    .selectAll('s')
    .where('a.member_id', '=', member.id)
    .executeTakeFirstOrThrow();

async function events(member: Member): Promise<string[]> {
  const rows = await db()
    .selectFrom('soundcloud_events')
    .select('type')
    .where('entity_id', '=', member.id)
    .orderBy('seq')
    .execute();
  return rows.map(({ type }) => type);
}

async function notices(): Promise<string[]> {
  const rows = await db()
    .selectFrom('soundcloud_notifications')
    .select('title')
    .where('user_id', '=', world.adminId)
    .orderBy('created_at')
    .execute();
  return rows.map(({ title }) => title);
}

const health = () =>
  db()
    .selectFrom('soundcloud_automation_health')
    .selectAll()
    .where('org_id', '=', orgId())
    .where('automation_name', '=', 'account-health')
    .executeTakeFirstOrThrow();

describe('tiers', () => {
  it('rise at once with wallet and one mail, fall after exactly three daily syncs, and a date counts once', async () => {
    const member = await addMember();
    await world.sandbox.admin.setFollowers(member.handle, 12_000);
    const first = await sweep();
    expect(first.counts).toMatchObject({ promoted: 1, demoted: 0 });
    expect(await memberRow(member)).toMatchObject({ size_tier: 'T3', followers: 12_000, credits_cap: 20 });
    const wallet = await db()
      .selectFrom('soundcloud_repost_credit_wallet')
      .selectAll()
      .where('member_id', '=', member.id)
      .executeTakeFirstOrThrow();
    expect(wallet).toMatchObject({ monthly_grant: 2, cap: 20 });
    const mails = await eventually('the mail of the promotion', async () => {
      const sent = await world.sandbox.admin.mails({ to: member.email ?? '' });
      return sent.length > 0 && sent;
    });
    expect(mails.map(({ subject }) => subject)).toEqual(['You are T3 now']);
    const log = await eventually('its log', () =>
      db()
        .selectFrom('soundcloud_automation_logs')
        .selectAll()
        .where('recipient_member_id', '=', member.id)
        .executeTakeFirst(),
    );
    expect(log).toMatchObject({ template_key: 'tier_promotion', status: 'sent', parent_type: 'member' });
    expect(log.provider_message_id).not.toBeNull();

    await world.sandbox.admin.setFollowers(member.handle, 4_000);
    for (const below of [1, 2]) {
      await nextDay();
      const date = dateOf(await env.currentTimeMs(), 'UTC');
      await sweep(date);
      const again = await sweep(date);
      expect(again.counts.demoted).toBe(0);
      expect(await memberRow(member)).toMatchObject({ size_tier: 'T3', below_tier_syncs: below });
    }
    await nextDay();
    expect((await sweep()).counts).toMatchObject({ demoted: 1 });
    expect(await memberRow(member)).toMatchObject({ size_tier: 'T2', below_tier_syncs: 0, credits_cap: 6 });
    expect((await events(member)).filter((type) => /promoted|demoted/.test(type))).toEqual([
      'member.promoted',
      'member.demoted',
    ]);
    expect(await world.sandbox.admin.mails({ to: member.email ?? '' })).toHaveLength(1);
  });

  it('count a date once for two sweeps of it at the same moment', async () => {
    const members = [await addMember(), await addMember()];
    for (const { handle } of members) await world.sandbox.admin.setFollowers(handle, 500);
    const date = dateOf(await env.currentTimeMs(), 'UTC');
    const { requests } = world.sandbox.admin;
    const before = (await requests('soundcloud', '/resolve')).length;
    await world.sandbox.admin.addFault('soundcloud', { kind: 'hang', path: '/resolve' });
    const sweeps = await Promise.all(
      ['first', 'second'].map((name) =>
        world.client.workflow.start(ACCOUNT_HEALTH_TYPE, {
          workflowId: `${accountHealthId(world.orgId, date)}:${name}`,
          taskQueue: world.config.SPARK_TASK_QUEUE,
          args: [{ orgId: world.orgId, date }],
        }),
      ),
    );
    // Both have read the page before either writes it.
    await eventually(
      'both ask',
      async () => (await requests('soundcloud', '/resolve')).length === before + 2,
    );
    await world.sandbox.admin.clearFaults('soundcloud');
    await Promise.all(sweeps.map((handle) => handle.result()));
    for (const member of members) expect(await memberRow(member)).toMatchObject({ below_tier_syncs: 1 });
  });

  it('are not lowered by a count of 0 that SoundCloud makes up', async () => {
    const member = await addMember();
    await world.sandbox.admin.setFollowers(member.handle, 0);
    await nextDay();
    expect((await sweep()).counts.implausible).toBe(1);
    expect(await memberRow(member)).toMatchObject({ followers: 5_000, below_tier_syncs: 0 });
    await world.sandbox.admin.setFollowers(member.handle, 5_000);
  });
});

describe('connections', () => {
  it('are lost and come back; the member is asked on days 0, 3 and 10 and no more, and the queue gives its work away', async () => {
    const member = await addMember();
    await nextDay();
    await sweep();
    expect(await account(member)).toMatchObject({
      status: 'linked',
      connection_data: {
        soundcloud: { resolved_from: member.handle },
        influence_planner: { status: 'LINKED', user_id: expect.stringMatching(/^SOUNDCLOUD-USER-/) },
      },
    });

    const now = await env.currentTimeMs();
    const assignments = await publishedQueue(member, [now + 30 * HOUR_MS, now + 12 * HOUR_MS]);
    await world.sandbox.admin.setStatus(member.handle, 'UNLINKED');
    const prompted: number[] = [];
    let today = 0;
    for (const day of [1, 2, 3, 4, 10, 11, 14]) {
      for (; today < day; today += 1) await nextDay();
      if ((await sweep()).counts.prompts > 0) prompted.push(day);
      if (day === 1) {
        expect(await memberRow(member)).toMatchObject({ status: 'needs_reconnect' });
        expect(await connection(member)).toMatchObject({ status: 'disconnected', reconnect_prompts: 1 });
        const dropped = await db()
          .selectFrom('soundcloud_events')
          .select(['entity_id', 'data'])
          .where('type', '=', 'assignment.dropped_out')
          .execute();
        // The slot of the other one is over: a proof may still come.
        expect(dropped).toEqual([{ entity_id: assignments[0], data: { reason: 'account_disconnected' } }]);
      }
    }
    expect(prompted).toEqual([1, 4, 11]);
    const subjects = await eventually('three mails', async () => {
      const mails = await world.sandbox.admin.mails({ to: member.email ?? '' });
      // The skipped assignment writes to the member as well.
      const asked = mails.map(({ subject }) => subject).filter((subject) => subject.includes('reconnect'));
      return asked.length >= 3 && asked;
    });
    expect(subjects).toEqual(Array(3).fill(`Please reconnect ${member.handle}`));
    const sent = await db()
      .selectFrom('soundcloud_events')
      .select('occurred_at')
      .where('entity_id', '=', member.id)
      .where('type', '=', 'member.reconnect_due')
      .orderBy('seq')
      .execute();
    const gaps = sent
      .slice(1)
      .map((row, index) => row.occurred_at.getTime() - (sent[index]?.occurred_at.getTime() ?? 0));
    expect(gaps.every((gap) => gap >= 72 * HOUR_MS)).toBe(true);

    await world.sandbox.admin.setStatus(member.handle, 'LINKED');
    await nextDay();
    expect((await sweep()).counts).toMatchObject({ restored: 1, prompts: 0 });
    expect(await memberRow(member)).toMatchObject({ status: 'active' });
    expect(await connection(member)).toMatchObject({
      status: 'linked',
      unhealthy_since: null,
      reconnect_prompts: 0,
    });
    expect((await events(member)).filter((type) => type.endsWith('connected'))).toEqual([
      'member.disconnected',
      'member.reconnected',
    ]);
  });

  it('follow INVALID, not PENDING, and not an account that is absent from the network', async () => {
    const [invalid, pending, absent] = [
      await addMember(),
      await addMember(),
      await addMember(5_000, { planner: false }),
    ];
    await world.sandbox.admin.setStatus(invalid.handle, 'INVALID');
    await world.sandbox.admin.setStatus(pending.handle, 'PENDING');
    await nextDay();
    await sweep();
    expect(await connection(invalid)).toMatchObject({ status: 'reconnect', reconnect_prompts: 1 });
    expect(await connection(pending)).toMatchObject({ status: 'linked', reconnect_prompts: 0 });
    expect(await connection(absent)).toMatchObject({ status: 'linked' });
    await world.sandbox.admin.setStatus(invalid.handle, 'LINKED');
  });

  it('are in error when the profile is gone for three days, and only those days count', async () => {
    const member = await addMember(5_000, { planner: false });
    await world.sandbox.admin.setGone(member.handle, true);
    for (const failures of [1, 2]) {
      await nextDay();
      const date = dateOf(await env.currentTimeMs(), 'UTC');
      await sweep(date);
      await sweep(date);
      expect(await connection(member)).toMatchObject({ status: 'linked', error_count: failures });
    }
    await nextDay();
    await sweep();
    expect(await connection(member)).toMatchObject({ status: 'error', error_count: 3, reconnect_prompts: 1 });
    await world.sandbox.admin.setGone(member.handle, false);
    await nextDay();
    await sweep();
    expect(await connection(member)).toMatchObject({ status: 'linked', error_count: 0 });
  });

  it('that many lose at once alert ops', async () => {
    const members = await Promise.all(Array.from({ length: 11 }, () => addMember()));
    await nextDay();
    await sweep();
    for (const member of members) await world.sandbox.admin.setStatus(member.handle, 'DECLINED');
    await nextDay();
    const { accounts } = await sweep();
    expect(accounts.disconnected).toBe(11);
    expect(await notices()).toContain('Many accounts are disconnected');
    for (const member of members) await world.sandbox.admin.setStatus(member.handle, 'LINKED');
    await nextDay();
    expect((await sweep()).counts.restored).toBe(11);
  });

  it('are judged, asked about and alerted of by the settings of the org', async () => {
    const [gone, lost] = [await addMember(5_000, { planner: false }), await addMember()];
    await nextDay();
    await sweep();
    const alerts = async () =>
      (await notices()).filter((title) => title === 'Many accounts are disconnected').length;
    const before = await alerts();
    const patience = (account_health: object) =>
      db()
        .updateTable('soundcloud_settings')
        .set({ account_health: JSON.stringify(account_health) })
        .where('org_id', '=', orgId())
        .execute();
    await patience({
      failures_until_error: 1,
      prompt_days: [1],
      prompt_gap_hours: 24,
      disconnected_alert_above: 0,
      full_reading_days: 1,
    });
    await world.sandbox.admin.setGone(gone.handle, true);
    await world.sandbox.admin.setStatus(lost.handle, 'UNLINKED');
    await nextDay();
    expect(await sweep()).toMatchObject({ alarming: true, counts: { prompts: 0 } });
    expect(await connection(gone)).toMatchObject({ status: 'error', error_count: 1 });
    expect(await alerts()).toBe(before + 1);
    const cursor = await db()
      .selectFrom('soundcloud_provider_cursors')
      .select('full_sweep_on')
      .where('org_id', '=', orgId())
      .executeTakeFirstOrThrow();
    expect(cursor.full_sweep_on).toBe(dateOf(await env.currentTimeMs(), 'UTC'));
    await nextDay();
    expect((await sweep()).counts).toMatchObject({ prompts: 2 });
    await patience({});
    await world.sandbox.admin.setGone(gone.handle, false);
    await world.sandbox.admin.setStatus(lost.handle, 'LINKED');
    await nextDay();
    expect(await sweep()).toMatchObject({ alarming: false, counts: { restored: 2 } });
  });
});

describe('three sweeps that were missed', () => {
  it('and are made up for on one day count as one look: nobody falls, nobody is in error', async () => {
    const [fallen, gone] = [
      await addMember(50_000, { planner: false }),
      await addMember(5_000, { planner: false }),
    ];
    await sweep();
    expect(await memberRow(fallen)).toMatchObject({ size_tier: 'T3', below_tier_syncs: 0 });
    await world.sandbox.admin.setFollowers(fallen.handle, 4_000);
    await world.sandbox.admin.setGone(gone.handle, true);

    for (let day = 0; day < 3; day += 1) await nextDay();
    const today = dateOf(await env.currentTimeMs(), 'UTC');
    const missed = [addDays(today, -2), addDays(today, -1), today];
    const results: SweepResult[] = [];
    for (const date of missed) results.push(await sweep(date));
    expect(results.map(({ date, outcome }) => [date, outcome])).toEqual(
      missed.map((date) => [date, 'complete']),
    );
    expect(results.map(({ counts }) => counts.demoted)).toEqual([0, 0, 0]);
    expect(await memberRow(fallen)).toMatchObject({ size_tier: 'T3', below_tier_syncs: 1 });
    expect(await connection(fallen)).toMatchObject({ checked_on: today });
    expect(await connection(gone)).toMatchObject({ status: 'linked', error_count: 1, checked_on: today });

    // From here on each day counts.
    await nextDay();
    await sweep();
    expect(await memberRow(fallen)).toMatchObject({ size_tier: 'T3', below_tier_syncs: 2 });
    expect(await connection(gone)).toMatchObject({ status: 'linked', error_count: 2 });
    await nextDay();
    expect((await sweep()).counts).toMatchObject({ demoted: 1 });
    expect(await memberRow(fallen)).toMatchObject({ size_tier: 'T2' });
    expect(await connection(gone)).toMatchObject({ status: 'error', error_count: 3 });
    await world.sandbox.admin.setGone(gone.handle, false);
  });
});

describe('providers that lie or are away', () => {
  it('rows left out, twice, empty, days old and broken change nothing; what they hid comes with the next reading', async () => {
    const member = await addMember();
    const { admin } = world.sandbox;
    await nextDay();
    await sweep();
    for (const fault of [
      { kind: 'empty' },
      { kind: 'stale', days: 30 },
      { kind: 'duplicate' },
      { kind: 'missing' },
    ] as const) {
      await admin.addFault('planner', fault);
      await admin.addFault('soundcloud', {
        ...(fault.kind === 'stale' ? { kind: 'duplicate' } : fault),
        path: '/users',
      });
      await nextDay();
      const result = await sweep();
      expect(result.counts).toMatchObject({ gone: 0, lost: 0, restored: 0, promoted: 0, demoted: 0 });
      expect(await connection(member)).toMatchObject({ status: 'linked', error_count: 0 });
      await admin.clearFaults('planner');
      await admin.clearFaults('soundcloud');
    }
    await admin.addFault('planner', { kind: 'missing' });
    await admin.setStatus(member.handle, 'INVALID');
    await nextDay();
    await sweep();
    await admin.clearFaults('planner');
    await nextDay();
    await sweep();
    expect(await connection(member)).toMatchObject({ status: 'reconnect' });
    await admin.setStatus(member.handle, 'LINKED');
  });

  it('one account in trouble holds nobody up', async () => {
    const [broken, silent, healthy] = [await addMember(), await addMember(), await addMember()];
    await nextDay();
    await sweep();
    const { admin } = world.sandbox;
    const urnOf = async (member: Member) =>
      (await account(member)).connection_data as unknown as { soundcloud: { urn: string } };
    const path = async (member: Member) =>
      `/users/${encodeURIComponent((await urnOf(member)).soundcloud.urn)}`;
    await admin.addFault('soundcloud', { kind: 'status', status: 500, path: '/users' });
    await admin.addFault('soundcloud', { kind: 'garbage', path: await path(broken) });
    await admin.addFault('soundcloud', { kind: 'status', status: 500, path: await path(silent) });
    await admin.setFollowers(healthy.handle, 150_000);
    await nextDay();
    const result = await sweepThroughTheDay();
    expect(await memberRow(healthy)).toMatchObject({ size_tier: 'T4' });
    expect(await connection(broken)).toMatchObject({ error_count: 1 });
    expect((await connection(broken)).last_error_message).toMatch(/soundcloud/i);
    expect(await connection(silent)).toMatchObject({ error_count: 0 });
    expect(result.notes.join(' ')).toMatch(/1 profiles got no answer/);
  });

  it('are waited for through the day, told of, and given up with the day', async () => {
    const { admin } = world.sandbox;
    const member = await addMember();
    await admin.addFault('soundcloud', { kind: 'status', status: 429, count: 4 });
    await admin.addFault('planner', { kind: 'status', status: 402 });
    await nextDay();
    await env.sleep('17 hours');
    const result = await sweepThroughTheDay();
    expect(result.outcome).toBe('partial');
    expect(result.notes.join(' ')).toMatch(/Influence Planner could not be asked to the end/);
    expect(await notices()).toContain('Influence Planner does not answer the look at the accounts');
    expect(await connection(member)).toMatchObject({ error_count: 0 });
    expect((await connection(member)).checked_on).toBe(result.date);
    expect(await health()).toMatchObject({ consecutive_errors: 1 });

    await admin.clearFaults('planner');
    await nextDay();
    expect((await sweep()).outcome).toBe('complete');
    expect(await health()).toMatchObject({ consecutive_errors: 0, status: 'healthy' });
  });
});

it('members become inactive after the days of the setting, and active again with a submission', async () => {
  const member = await addMember();
  const now = await env.currentTimeMs();
  await sql`update public.soundcloud_members set last_activity_at = ${new Date(now - 91 * 24 * HOUR_MS)}
    where id = ${member.id}`.execute(world.db);
  await nextDay();
  expect((await sweep()).became_inactive).toBe(1);
  expect((await memberRow(member)).inactive_since).toEqual(new Date(now - 24 * HOUR_MS));
  await world.submit({ member, unstarted: true });
  await nextDay();
  await sweep();
  expect((await memberRow(member)).inactive_since).toBeNull();
});

it('a date that has not begun is refused', async () => {
  await expect(sweep('2999-01-01')).rejects.toMatchObject({ cause: { cause: { type: 'not_found' } } });
});

/** A published queue with an assignment for each slot. @returns their ids. */
async function publishedQueue(supporter: Member, slots: number[]): Promise<string[]> {
  const ids: string[] = [];
  for (const slot of slots) {
    const submission = await world.submit({ unstarted: true });
    const id = randomUUID();
    await sql`
      with queue as (
        insert into public.soundcloud_queues (org_id, date, status) values (${orgId()}, ${dateOf(slot, 'UTC')}, 'published')
        on conflict (org_id, date) do update set status = excluded.status returning id
      )
      insert into public.soundcloud_queue_assignments (id, org_id, queue_id, submission_id, supporter_id, position, slot_at)
      select ${id}, ${orgId()}, queue.id, ${submission.id}, ${supporter.id}, ${ids.length + 1}, ${new Date(slot)} from queue`.execute(
      world.db,
    );
    ids.push(id);
  }
  return ids;
}
