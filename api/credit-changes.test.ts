/** Manual credit changes: small ones at once, large ones by two people, each exactly once. */
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ledgerViolations } from '../db/ledger-invariants.js';
import { type Answer, type ApiWorld, createApiWorld, type Person } from '../test/support/api-world.js';

let world: ApiWorld;

beforeAll(async () => {
  world = await createApiWorld();
});
afterAll(async () => {
  expect(await ledgerViolations(world.db)).toEqual([]);
  await world?.remove();
});

/** A member of tier T4 (cap 60) with 3 credits, and perhaps a login. */
async function newMember(email?: string): Promise<string> {
  const { rows } = await sql<{ id: string }>`
    insert into public.soundcloud_members (org_id, name, soundcloud_followers, emails)
    values (${world.orgId}, 'Wide Channel', 500000, ${email === undefined ? [] : [email]}) returning id`.execute(
    world.db,
  );
  return rows[0]?.id ?? '';
}

const REASON = 'Refund for the outage in May';

function ask(memberId: string, amount: number, options: { as?: Person; key?: string } = {}): Promise<Answer> {
  return world.call('POST', `/v1/members/${memberId}/credit-changes`, {
    body: { amount, reason: REASON },
    ...options,
  });
}

const decide = (id: string, verb: string, as: Person, body?: unknown) =>
  world.call('POST', `/v1/credit-changes/${id}/${verb}`, { as, body });

async function rowsOf<T>(query: ReturnType<typeof sql<T>>): Promise<T[]> {
  return (await query.execute(world.db)).rows;
}

const walletOf = async (memberId: string) =>
  (await world.call('GET', `/v1/members/${memberId}/wallet`)).body as unknown as Record<string, number>;

const trail = (id: string) =>
  rowsOf(sql<{ action: string; actor_id: string; reason: string | null; after: Record<string, unknown> }>`
    select action, actor_id, reason, after from public.soundcloud_audit_log where entity_id = ${id} order by seq`);

const eventsOf = (memberId: string) =>
  rowsOf(sql<{ data: Record<string, unknown> }>`
    select data from public.soundcloud_events where type = 'credits.changed' and entity_id = ${memberId} order by seq`);

const notified = (id: string) =>
  rowsOf(sql<{ user_id: string; title: string; message: string }>`
    select user_id, title, message from public.soundcloud_notifications
    where metadata ->> 'credit_change_id' = ${id} order by created_at, title`);

async function inInbox(id: string) {
  const { body } = await world.call('GET', '/v1/inbox?entity_type=credit_change&limit=250');
  return body.data.filter((row) => row.entity_id === id);
}

describe('a change at or below the threshold', () => {
  it('is applied at once, with entry, audit, event and word to the member', async () => {
    const login = await world.addLogin('wide@first.test');
    const memberId = await newMember(login.email);
    await world.call('GET', '/v1/orgs', { as: login });
    const made = await ask(memberId, 10, { as: world.moderator });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      member_id: memberId,
      member_name: 'Wide Channel',
      amount: 10,
      reason: REASON,
      status: 'applied',
      requested_by: world.moderator.id,
      decided_by: null,
      decision_note: null,
      balance_after: 13,
    });
    expect((await world.call('GET', made.headers.get('location') ?? '')).body).toEqual(made.body);
    const [entry] = (await world.call('GET', `/v1/members/${memberId}/ledger`)).body.data;
    expect(entry).toMatchObject({
      id: made.body.entry_id,
      change_amount: 10,
      reason: REASON,
      reference_type: 'manual',
      reference_id: made.body.id,
      created_by: world.moderator.id,
    });
    expect(await trail(made.body.id)).toEqual([
      {
        action: 'credit_change.request',
        actor_id: world.moderator.id,
        reason: REASON,
        after: { member_id: memberId, amount: 10, status: 'applied', entry_id: made.body.entry_id },
      },
    ]);
    expect((await eventsOf(memberId)).map(({ data }) => data)).toEqual([
      {
        member_id: memberId,
        amount: 10,
        balance_after: 13,
        reason: REASON,
        entry_id: made.body.entry_id,
        credit_change_id: made.body.id,
        requested_by: world.moderator.id,
        approved_by: null,
      },
    ]);
    expect(await notified(made.body.id)).toEqual([
      {
        user_id: login.id,
        title: 'Your credits changed',
        message: `+10 credits: ${REASON}. You can spend 13 now.`,
      },
    ]);
    expect(await inInbox(made.body.id)).toEqual([]);
  });

  it('takes as well as gives', async () => {
    const memberId = await newMember();
    expect((await ask(memberId, -1)).body).toMatchObject({ status: 'applied', amount: -1, balance_after: 2 });
  });

  it('is refused as a whole where it does not fit, with what would', async () => {
    const memberId = await newMember();
    await sql`update public.soundcloud_repost_credit_wallet set cap = 8 where member_id = ${memberId}`.execute(
      world.db,
    );
    const much = await ask(memberId, 6);
    expect([much.status, much.body.code, much.body.headroom]).toEqual([422, 'above_headroom', 5]);
    const little = await ask(memberId, -4);
    expect([little.status, little.body.code, little.body.balance]).toEqual([422, 'insufficient_credits', 3]);
    expect(await walletOf(memberId)).toMatchObject({ balance: 3, version: 1 });
    expect((await world.call('GET', `/v1/credit-changes?member_id=${memberId}`)).body.data).toEqual([]);
    expect((await ask(memberId, 5)).body.status).toBe('applied');
  });

  it('is applied once, however often the request comes', async () => {
    const memberId = await newMember();
    const key = randomUUID();
    const answers = await Promise.all(Array.from({ length: 5 }, () => ask(memberId, 4, { key })));
    expect(answers.filter(({ status }) => status === 201).length).toBeGreaterThan(0);
    for (const { status, body } of answers) {
      if (status !== 201) expect([status, body.code]).toEqual([409, 'idempotency_in_flight']);
    }
    expect((await ask(memberId, 4, { key })).body.balance_after).toBe(7);
    expect(await walletOf(memberId)).toMatchObject({ balance: 7, version: 2 });
    expect(await eventsOf(memberId)).toHaveLength(1);
  });
});

describe('changes beside submissions of the same member', () => {
  it('wait for each other in one order: no deadlock reaches a caller', async () => {
    const memberId = await newMember();
    await sql`update public.soundcloud_members set monthly_submission_limit = 1000 where id = ${memberId}`.execute(
      world.db,
    );
    for (let round = 0; round < 4; round += 1) {
      const answers = await Promise.all(
        Array.from({ length: 8 }, (_, i) =>
          i % 2 === 0
            ? ask(memberId, 1)
            : world.call('POST', '/v1/submissions', {
                body: { track_url: world.trackUrl(), member_id: memberId },
              }),
        ),
      );
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201));
    }
    expect(await walletOf(memberId)).toMatchObject({ balance: 19 });
  });
});

describe('a change above the threshold', () => {
  it('waits for another person: nothing moves, the others are told, the inbox has it', async () => {
    const memberId = await newMember();
    const made = await ask(memberId, 11);
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      status: 'pending',
      entry_id: null,
      decided_at: null,
      balance_after: null,
    });
    expect((await ask(memberId, -11)).body.code).toBe('insufficient_credits');
    expect((await ask(memberId, 58)).body).toMatchObject({ code: 'above_headroom', headroom: 57 });
    expect(await walletOf(memberId)).toMatchObject({ balance: 3, version: 1 });
    expect(await eventsOf(memberId)).toEqual([]);
    expect(await notified(made.body.id)).toEqual([
      {
        user_id: world.moderator.id,
        title: 'A credit change waits for a second person',
        message: `+11 credits for Wide Channel: ${REASON}`,
      },
    ]);
    expect(await inInbox(made.body.id)).toMatchObject([
      {
        entity_type: 'credit_change',
        label: 'Wide Channel: +11 credits',
        stage: 'second_person',
        waiting_on: 'ops',
        how_to_act: expect.stringContaining(`/v1/credit-changes/${made.body.id}/approve`),
        breached: false,
        workflow: null,
      },
    ]);
    const pending = (await world.call('GET', '/v1/credit-changes?status=pending')).body.data;
    expect(pending.map(({ id }) => id)).toContain(made.body.id);
    const { text } = await metrics();
    expect(text).toMatch(/^spark_credit_changes_pending [1-9]/mu);
  });

  it('is approved by the second person, who is named everywhere', async () => {
    const memberId = await newMember();
    const { id } = (await ask(memberId, 30)).body;
    const approved = await decide(id, 'approve', world.moderator, { note: 'Checked with support' });
    expect(approved.status).toBe(200);
    expect(approved.body).toMatchObject({
      status: 'approved',
      requested_by: world.admin.id,
      decided_by: world.moderator.id,
      decision_note: 'Checked with support',
      balance_after: 33,
    });
    expect((await trail(id)).map(({ action, actor_id }) => [action, actor_id])).toEqual([
      ['credit_change.request', world.admin.id],
      ['credit_change.approve', world.moderator.id],
    ]);
    expect((await eventsOf(memberId)).map(({ data }) => data)).toMatchObject([
      { amount: 30, requested_by: world.admin.id, approved_by: world.moderator.id },
    ]);
    expect((await notified(id)).map(({ user_id, title }) => [user_id, title])).toEqual([
      [world.moderator.id, 'A credit change waits for a second person'],
      [world.admin.id, 'Your credit change was approved'],
    ]);
    expect(await inInbox(id)).toEqual([]);
    const [entry] = (await world.call('GET', `/v1/members/${memberId}/ledger`)).body.data;
    expect(entry).toMatchObject({
      id: approved.body.entry_id,
      change_amount: 30,
      created_by: world.admin.id,
    });
  });

  it('is not decided by whoever asked for it, not even as an admin', async () => {
    const memberId = await newMember();
    const { id } = (await ask(memberId, 20)).body;
    for (const [verb, body] of [
      ['approve', undefined],
      ['reject', { note: 'no' }],
    ] as const) {
      const answer = await decide(id, verb, world.admin, body);
      expect([verb, answer.status, answer.body.code]).toEqual([verb, 403, 'second_person_required']);
    }
    expect((await decide(id, 'withdraw', world.moderator)).body.code).toBe('requester_only');
    expect((await world.call('GET', `/v1/credit-changes/${id}`)).body.status).toBe('pending');
    const withdrawn = await decide(id, 'withdraw', world.admin);
    expect(withdrawn.body).toMatchObject({ status: 'withdrawn', decided_by: world.admin.id, entry_id: null });
    expect(await inInbox(id)).toEqual([]);
    const late = await decide(id, 'approve', world.moderator);
    expect([late.status, late.body.code]).toEqual([409, 'credit_change_decided']);
    expect(await walletOf(memberId)).toMatchObject({ balance: 3, version: 1 });
  });

  it('is rejected with a note that the requester reads', async () => {
    const memberId = await newMember();
    const { id } = (await ask(memberId, 20, { as: world.moderator })).body;
    expect((await decide(id, 'reject', world.admin, {})).body.code).toBe('invalid_request');
    expect((await decide(id, 'reject', world.admin, { note: '  ' })).body.code).toBe('invalid_request');
    const rejected = await decide(id, 'reject', world.admin, { note: 'It was our own test.' });
    expect(rejected.body).toMatchObject({ status: 'rejected', decision_note: 'It was our own test.' });
    expect((await notified(id)).at(-1)).toEqual({
      user_id: world.moderator.id,
      title: 'Your credit change was rejected',
      message: `+20 credits for Wide Channel: ${REASON}. It was our own test.`,
    });
    expect(await eventsOf(memberId)).toEqual([]);
    expect((await decide(id, 'reject', world.admin, { note: 'again' })).body.code).toBe(
      'credit_change_decided',
    );
  });

  it('is refused at approval when it does not fit any more, and stays pending', async () => {
    const memberId = await newMember();
    const { id } = (await ask(memberId, 50)).body;
    expect((await ask(memberId, 10)).body.status).toBe('applied');
    const refused = await decide(id, 'approve', world.moderator);
    expect([refused.status, refused.body.code, refused.body.headroom]).toEqual([422, 'above_headroom', 47]);
    expect((await world.call('GET', `/v1/credit-changes/${id}`)).body.status).toBe('pending');
    expect(await inInbox(id)).toHaveLength(1);
    expect((await trail(id)).map(({ action }) => action)).toEqual(['credit_change.request']);
    await ask(memberId, -3);
    expect((await decide(id, 'approve', world.moderator)).body).toMatchObject({
      status: 'approved',
      balance_after: 60,
    });

    const taken = (await ask(memberId, -58)).body.id;
    await ask(memberId, -5);
    const empty = await decide(taken, 'approve', world.moderator);
    expect([empty.status, empty.body.code, empty.body.balance]).toEqual([422, 'insufficient_credits', 55]);
  });

  it('moves credits once when two people approve at the same moment', async () => {
    const third = await world.addLogin(`third-${randomUUID()}@first.test`);
    await sql`insert into public.memberships (org_id, user_id) values (${world.orgId}, ${third.id})`.execute(
      world.db,
    );
    await sql`insert into public.soundcloud_user_roles (org_id, user_id, role)
      values (${world.orgId}, ${third.id}, 'moderator')`.execute(world.db);
    for (let round = 0; round < 5; round += 1) {
      const memberId = await newMember();
      const { id } = (await ask(memberId, 12)).body;
      const answers = await Promise.all([
        decide(id, 'approve', world.moderator),
        decide(id, 'approve', third),
        decide(id, 'approve', world.moderator),
        decide(id, 'reject', third, { note: 'too much' }),
      ]);
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409]);
      const done = answers.find(({ status }) => status === 200)?.body;
      const { body } = await world.call('GET', `/v1/members/${memberId}/ledger`);
      expect(body.data).toHaveLength(done?.status === 'approved' ? 2 : 1);
      expect(await eventsOf(memberId)).toHaveLength(body.data.length - 1);
      expect(await trail(id)).toHaveLength(2);
    }
    await sql`delete from public.soundcloud_user_roles where user_id = ${third.id}`.execute(world.db);
  });

  it('follows the threshold of the org', async () => {
    const threshold = (value: number) =>
      sql`update public.soundcloud_settings set four_eyes_threshold = ${value} where org_id = ${world.orgId}`.execute(
        world.db,
      );
    const memberId = await newMember();
    await threshold(0);
    try {
      expect((await ask(memberId, 1)).body.status).toBe('pending');
      expect((await ask(memberId, -1)).body.status).toBe('pending');
      await threshold(50);
      expect((await ask(memberId, 50)).body.status).toBe('applied');
      expect((await ask(memberId, -50)).body.status).toBe('applied');
    } finally {
      await threshold(10);
    }
  });
});

describe('who changes credits', () => {
  it('ops of the org, nobody else', async () => {
    const memberId = await newMember();
    const { id } = (await ask(memberId, 15)).body;
    expect((await ask(memberId, 1, { as: world.member })).body.code).toBe('forbidden');
    expect((await ask(memberId, 1, { as: world.otherAdmin })).status).toBe(404);
    expect((await ask(randomUUID(), 1)).status).toBe(404);
    for (const [verb, body] of [
      ['approve', undefined],
      ['reject', { note: 'no' }],
      ['withdraw', undefined],
    ] as const) {
      expect((await decide(id, verb, world.otherAdmin, body)).status).toBe(404);
      expect((await decide(id, verb, world.member, body)).body.code).toBe('forbidden');
    }
    expect((await world.call('GET', `/v1/credit-changes/${id}`, { as: world.otherAdmin })).status).toBe(404);
    expect((await world.call('GET', '/v1/credit-changes', { as: world.otherAdmin })).body.data).toEqual([]);
    expect((await world.call('GET', '/v1/credit-changes', { as: world.member })).body.code).toBe('forbidden');
    expect(await walletOf(memberId)).toMatchObject({ balance: 3, version: 1 });
  });

  it('lists every change once, also when many were asked for at the same moment', async () => {
    const memberId = await newMember();
    await sql`insert into public.soundcloud_credit_change_requests
        (org_id, member_id, amount, reason, requested_by, requested_at)
      select ${world.orgId}, ${memberId}, 20 + n, 'one of many changes', ${world.admin.id}, timestamptz '2026-01-05'
      from generate_series(1, 7) n`.execute(world.db);
    const seen: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: Answer = await world.call(
        'GET',
        `/v1/credit-changes?member_id=${memberId}&status=pending&limit=3${cursor && `&cursor=${cursor}`}`,
      );
      seen.push(...page.body.data.map((row) => row.id));
      cursor = page.body.next_cursor;
    }
    expect(seen).toHaveLength(7);
    expect(new Set(seen).size).toBe(7);
  });

  it('refuses what cannot be read, and reasons that say nothing, and leaves no trace', async () => {
    const memberId = await newMember();
    const before = await Promise.all([world.count('soundcloud_events'), world.count('soundcloud_audit_log')]);
    const path = `/v1/members/${memberId}/credit-changes`;
    for (const [name, body] of [
      ['nothing', {}],
      ['no reason', { amount: 1 }],
      ['no amount', { reason: REASON }],
      ['zero', { amount: 0, reason: REASON }],
      ['a fraction', { amount: 1.5, reason: REASON }],
      ['a text', { amount: '5', reason: REASON }],
      ['too much', { amount: 1_000_001, reason: REASON }],
      ['too little', { amount: -1e300, reason: REASON }],
      ['a reason that is too long', { amount: 1, reason: 'word '.repeat(300) }],
      ['a bell', { amount: 1, reason: `${REASON}\u0007` }],
      ['somebody else', { amount: 1, reason: REASON, requested_by: world.moderator.id }],
      ['approved by itself', { amount: 99, reason: REASON, status: 'approved' }],
    ] as const) {
      const answer = await world.call('POST', path, { body });
      expect([name, answer.status, answer.body.code]).toEqual([name, 400, 'invalid_request']);
    }
    const short = await world.call('POST', path, { body: { amount: 1, reason: 'because … !' } });
    expect([short.status, short.body.code]).toEqual([422, 'reason_too_short']);
    expect(
      (await world.call('POST', path, { body: { amount: 1, reason: REASON }, key: null })).body.code,
    ).toBe('idempotency_key_required');
    for (const query of ['status=done', 'member_id=1', 'colour=red']) {
      expect((await world.call('GET', `/v1/credit-changes?${query}`)).body.code).toBe('invalid_request');
    }
    expect((await world.call('POST', '/v1/credit-changes/1/approve')).body.code).toBe('invalid_request');
    expect((await decide(randomUUID(), 'approve', world.admin)).status).toBe(404);
    expect((await decide(randomUUID(), 'approve', world.admin, { by: 'me' })).body.code).toBe(
      'invalid_request',
    );
    expect(
      await Promise.all([world.count('soundcloud_events'), world.count('soundcloud_audit_log')]),
    ).toEqual(before);
  });
});

async function metrics(): Promise<{ text: string }> {
  return { text: await (await fetch(`${world.url}/metrics`)).text() };
}
