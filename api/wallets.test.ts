/** Wallets, ledger, holds and grants over HTTP: right numbers, whole pages, and nobody else's credits. */
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asOwner } from '../db/client.js';
import { type CreditRequest, postCredits } from '../db/credits.js';
import { addApiKey } from '../test/support/api-keys.js';
import { type AnswerBody, type ApiWorld, createApiWorld } from '../test/support/api-world.js';

let world: ApiWorld;
let artist: string;
let supporter: string;
let assignments: string[];

beforeAll(async () => {
  world = await createApiWorld();
  artist = world.memberId;
  supporter = await newMember('Wide Channel', 50_000);
  await sql`update public.soundcloud_members set name = 'Night Harbor' where id = ${artist}`.execute(
    world.db,
  );
  assignments = await publish(artist, supporter, 2);
  await sql`update public.soundcloud_repost_credit_wallet set cap = 20 where member_id = ${artist}`.execute(
    world.db,
  );
  const [first = '', second = ''] = assignments;
  await post('2026-03-01T10:00:00Z', {
    kind: 'manual',
    member_id: artist,
    amount: 9,
    reason: 'a start in life',
    key: 'start',
    created_by: world.admin.id,
  });
  await post('2026-03-02T10:00:00Z', { kind: 'hold', member_id: artist, assignment_id: first, amount: 3 });
  await post('2026-03-03T10:00:00Z', { kind: 'hold', member_id: artist, assignment_id: second, amount: 2 });
  await post(
    '2026-03-05T10:00:00Z',
    { kind: 'capture', assignment_id: first },
    { kind: 'earn', member_id: supporter, assignment_id: first, amount: 3 },
  );
  await sql`update public.soundcloud_queue_assignments
    set status = 'completed', settled_at = '2026-03-05T10:00:00Z' where id = ${first}`.execute(world.db);
});
afterAll(async () => {
  await world?.remove();
});

function post(at: string, ...requests: CreditRequest[]) {
  return asOwner(world.db, (trx) => postCredits(trx, world.orgId, requests, { at: new Date(at) }));
}

async function newMember(name: string, followers: number, orgId = world.orgId): Promise<string> {
  const { rows } = await sql<{ id: string }>`
    insert into public.soundcloud_members (org_id, name, soundcloud_followers)
    values (${orgId}, ${name}, ${followers}) returning id`.execute(world.db);
  return rows[0]?.id ?? '';
}

async function publish(artistId: string, supporterId: string, count: number): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    with queues as (
      insert into public.soundcloud_queues (org_id, date, status)
      select ${world.orgId}, date '2026-03-01' + n, 'published' from generate_series(1, ${count}) n returning id
    ), submission as (
      insert into public.soundcloud_submissions (org_id, member_id, track_url, imported_at)
      values (${world.orgId}, ${artistId}, ${world.trackUrl()}, now()) returning id
    )
    insert into public.soundcloud_queue_assignments (org_id, queue_id, submission_id, supporter_id, position)
    select ${world.orgId}, queues.id, submission.id, ${supporterId}, 1 from queues, submission returning id`.execute(
    world.db,
  );
  return rows.map(({ id }) => id);
}

async function pages(path: string, limit: number): Promise<AnswerBody[]> {
  const rows: AnswerBody[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const separator = path.includes('?') ? '&' : '?';
    const page = await world.call('GET', `${path}${separator}limit=${limit}${cursor && `&cursor=${cursor}`}`);
    expect(page.status).toBe(200);
    rows.push(...page.body.data);
    cursor = page.body.next_cursor;
  }
  return rows;
}

describe('a wallet', () => {
  it('says what can be spent, what is held and what still fits', async () => {
    const { body } = await world.call('GET', `/v1/members/${artist}/wallet`);
    expect(body).toMatchObject({
      member_id: artist,
      member_name: 'Night Harbor',
      size_tier: 'T1',
      balance: 5,
      held: 2,
      monthly_grant: 1,
      forfeited: { this_month: 0, total: 0 },
    });
    expect(body.headroom).toBe(Number(body.cap) - 7);
    expect((await world.call('GET', `/v1/members/${artist}/wallet`, { as: world.member })).body).toEqual(
      body,
    );
  });

  it('names the next grant and what was lost, by the months of the org', async () => {
    const lost = await newMember('Full Up', 500);
    const zone = 'Pacific/Kiritimati';
    await sql`update public.soundcloud_settings set timezone = ${zone} where org_id = ${world.orgId}`.execute(
      world.db,
    );
    try {
      // 14 hours ahead of UTC: this instant is the first of April there.
      const granted = '2026-03-31T12:00:00Z';
      await sql`update public.soundcloud_repost_credit_wallet set last_granted_at = ${granted}, cap = 2
        where member_id = ${lost}`.execute(world.db);
      const { rows } = await sql<{ at: Date; before: Date }>`
        select date_trunc('month', private.business_now() at time zone ${zone}) at time zone ${zone} as at,
               date_trunc('month', private.business_now() at time zone ${zone}) at time zone ${zone} - interval '1 s' as before`.execute(
        world.db,
      );
      const { at, before } = rows[0] ?? { at: new Date(), before: new Date() };
      await post(before.toISOString(), {
        kind: 'campaign_earn',
        member_id: lost,
        reference_id: lost,
        amount: 4,
      });
      await post(at.toISOString(), {
        kind: 'campaign_earn',
        member_id: lost,
        reference_id: artist,
        amount: 2,
      });
      const { body } = await world.call('GET', `/v1/members/${lost}/wallet`);
      expect(body).toMatchObject({ next_grant_on: '2026-05-01', forfeited: { this_month: 2, total: 5 } });
    } finally {
      await sql`update public.soundcloud_settings set timezone = 'UTC' where org_id = ${world.orgId}`.execute(
        world.db,
      );
    }
  });
});

describe('the list of wallets', () => {
  it('has every member once, in order, whatever the page', async () => {
    const all = (await world.call('GET', '/v1/wallets?limit=250')).body.data;
    expect(all.map((row) => row.member_name)).toEqual([...all.map((row) => row.member_name)].sort());
    expect(await pages('/v1/wallets', 1)).toEqual(all);
    const newest = (await pages('/v1/wallets?sort=-created_at', 2)).map((row) => row.member_id);
    expect(new Set(newest)).toEqual(new Set(all.map((row) => row.member_id)));
  });

  it('is narrowed by tier, balance and holds', async () => {
    const names = async (query: string) =>
      (await world.call('GET', `/v1/wallets?${query}`)).body.data.map((row) => row.member_name);
    expect(await names('size_tier=T3')).toEqual(['Wide Channel']);
    expect(await names('min_balance=5')).toEqual(['Night Harbor', 'Wide Channel']);
    expect(await names('min_balance=6')).toEqual([]);
    expect(await names('held=true')).toEqual(['Night Harbor']);
    expect(await names('held=false')).not.toContain('Night Harbor');
  });
});

describe('the ledger', () => {
  it('lists a member entry by entry, newest version first', async () => {
    const { body } = await world.call('GET', `/v1/members/${artist}/ledger`);
    expect(body.data.map((row) => [row.version, row.reason, row.change_amount, row.balance_after])).toEqual([
      [5, 'capture', 0, 5],
      [4, 'schedule', -2, 5],
      [3, 'schedule', -3, 7],
      [2, 'a start in life', 9, 10],
      [1, 'monthly_grant', 1, 1],
    ]);
    expect(body.data[1]).toMatchObject({
      reference_type: 'schedule',
      reference_id: assignments[1],
      forfeited: 0,
      occurred_at: '2026-03-03T10:00:00.000Z',
      created_by: null,
    });
    expect(await pages(`/v1/members/${artist}/ledger`, 2)).toEqual(body.data);
  });

  it('names to ops the member on the other side of a repost, and to members nobody', async () => {
    const others = async (of: string, as = world.admin) => {
      const { body } = await world.call('GET', `/v1/members/${of}/ledger`, { as });
      return body.data.map((row) => [row.reason, row.other_member_id, row.other_member_name]);
    };
    const [capture, hold, , manual] = await others(artist);
    expect([capture, hold]).toEqual([
      ['capture', supporter, 'Wide Channel'],
      ['schedule', supporter, 'Wide Channel'],
    ]);
    expect(manual).toEqual(['a start in life', null, null]);
    expect((await others(supporter))[0]).toEqual(['repost_earned', artist, 'Night Harbor']);
    for (const [, id, name] of await others(artist, world.member)) expect([id, name]).toEqual([null, null]);
  });

  it('tells ops who caused an entry, and the member only what', async () => {
    const path = `/v1/members/${artist}/ledger`;
    expect((await world.call('GET', path)).body.data[3]?.created_by).toBe(world.admin.id);
    const own = (await world.call('GET', path, { as: world.member })).body.data;
    expect(own.map((row) => row.created_by)).toEqual([null, null, null, null, null]);
    expect(own[3]?.reason).toBe('a start in life');
  });
});

describe('holds', () => {
  it('are open, or resolved with their entry', async () => {
    const path = `/v1/members/${artist}/holds`;
    const all = (await world.call('GET', path, { as: world.member })).body.data;
    expect(all.map((row) => [row.assignment_id, row.amount, row.status, row.held_at])).toEqual([
      [assignments[1], 2, 'open', '2026-03-03T10:00:00.000Z'],
      [assignments[0], 3, 'captured', '2026-03-02T10:00:00.000Z'],
    ]);
    expect(all[1]?.resolved_at).toBe('2026-03-05T10:00:00.000Z');
    expect((await world.call('GET', `${path}?open=true`)).body.data).toEqual([all[0]]);
    expect((await world.call('GET', `${path}?open=false`)).body.data).toEqual([all[1]]);
    expect(await pages(path, 1)).toEqual(all);
  });
});

describe('grants', () => {
  it('are summed by the month they are for, with their entries by member', async () => {
    const full = await newMember('Nearly Full', 50_000);
    await sql`update public.soundcloud_repost_credit_wallet set cap = 3 where member_id = ${full}`.execute(
      world.db,
    );
    const grant = (member_id: string, month: string) => ({ kind: 'grant', member_id, month }) as const;
    // Both posted late, in one run.
    await post(
      '2026-02-03T00:00:00Z',
      grant(full, '2025-01'),
      grant(supporter, '2025-01'),
      grant(supporter, '2025-02'),
    );
    const months = await pages('/v1/grants', 1);
    const [february, january] = months.slice(-2);
    expect([february, january]).toEqual([
      { month: '2025-02', members: 1, credits: 2, forfeited: 0 },
      { month: '2025-01', members: 2, credits: 3, forfeited: 1 },
    ]);
    expect((await world.call('GET', '/v1/grants')).body.data).toEqual(months);
    const entries = await pages('/v1/grants/2025-01', 1);
    expect(
      entries.map((row) => [row.member_name, row.change_amount, row.forfeited, row.occurred_at]),
    ).toEqual(
      [
        ['Nearly Full', 1, 1, '2026-02-03T00:00:00.000Z', full],
        ['Wide Channel', 2, 0, '2026-02-03T00:00:00.000Z', supporter],
      ]
        .sort((a, b) => (String(a[4]) < String(b[4]) ? -1 : 1))
        .map((row) => row.slice(0, 4)),
    );
    expect((await world.call('GET', '/v1/grants/2025-01?limit=2')).body).toMatchObject({ next_cursor: null });
    expect((await world.call('GET', '/v1/grants/1999-01')).body.data).toEqual([]);
    expect((await world.call('GET', '/v1/grants/2025-01', { as: world.otherAdmin })).body.data).toEqual([]);
  });
});

describe('who reads credits', () => {
  it('a member the own, nobody those of another org, no API key any', async () => {
    const { token: key } = await addApiKey(world.db, world.orgId, ['members:read', 'submissions:write']);
    for (const part of ['wallet', 'ledger', 'holds']) {
      const path = (id: string) => `/v1/members/${id}/${part}`;
      const status = async (as: Parameters<typeof world.call>[2]) =>
        (await world.call('GET', path(artist), as)).status;
      expect([part, await status({ as: world.member })]).toEqual([part, 200]);
      expect([part, await status({ as: world.moderator })]).toEqual([part, 200]);
      expect([part, await status({ as: world.otherAdmin })]).toEqual([part, 404]);
      expect([part, await status({ as: world.between, org: world.orgId })]).toEqual([part, 404]);
      expect((await world.call('GET', path(supporter), { as: world.member })).status).toBe(404);
      expect((await world.call('GET', path(artist), { as: key })).body.code).toBe('scope_missing');
    }
    for (const path of ['/v1/wallets', '/v1/grants', '/v1/grants/2026-01']) {
      expect((await world.call('GET', path, { as: world.member })).body.code).toBe('forbidden');
      expect((await world.call('GET', path, { as: key })).body.code).toBe('scope_missing');
    }
    const theirs = (await world.call('GET', '/v1/wallets', { as: world.otherAdmin })).body.data;
    expect(theirs.map((row) => row.member_id)).not.toContain(artist);
  });

  it('refuses what cannot be read, with a stable code', async () => {
    const cursor = (v: string | null, s: string) =>
      Buffer.from(JSON.stringify({ s, v, i: artist })).toString('base64url');
    for (const path of [
      '/v1/wallets?size_tier=T5',
      '/v1/wallets?min_balance=-1',
      '/v1/wallets?min_balance=1.5',
      '/v1/wallets?min_balance=99999999999',
      '/v1/wallets?held=maybe',
      '/v1/wallets?sort=balance',
      '/v1/wallets?colour=red',
      '/v1/members/1/wallet',
      '/v1/members/1/ledger',
      `/v1/members/${artist}/ledger?limit=0`,
      `/v1/members/${artist}/ledger?cursor=${cursor('1; drop table x; --', '-version')}`,
      `/v1/members/${artist}/ledger?cursor=${cursor('99999999999999999999', '-version')}`,
      `/v1/members/${artist}/holds?open=1`,
      `/v1/members/${artist}/holds?cursor=${cursor('half past nine', '-held_at')}`,
      '/v1/grants?limit=61',
      '/v1/grants/2026-13',
      '/v1/grants/2026-1',
      '/v1/grants/0000-01',
      "/v1/grants/2026-01'",
    ]) {
      const answer = await world.call('GET', path);
      expect([path, answer.status, answer.body.code]).toEqual([path, 400, 'invalid_request']);
    }
    for (const made of ['x', cursor('5', 'name')]) {
      const answer = await world.call('GET', `/v1/members/${artist}/ledger?cursor=${made}`);
      expect(answer.body.code).toBe('invalid_cursor');
    }
  });
});

describe('a changed tier policy', () => {
  it('counts at once, in an org without SoundCloud too', async () => {
    const member = await newMember('No Profile', 50_000);
    const wallet = async () => (await world.call('GET', `/v1/members/${member}/wallet`)).body;
    const { headers, body: settings } = await world.call('GET', '/v1/settings');
    const policyTo = async (T3: object, ifMatch: string | null) => {
      const tier_policy = { ...(settings.tier_policy as object), T3 };
      const options = { body: { tier_policy }, headers: { 'if-match': ifMatch ?? '' } };
      const { status, headers: after } = await world.call('PATCH', '/v1/settings', options);
      expect(status).toBe(200);
      return after.get('etag');
    };
    const changed = await policyTo({ monthly_grant: 5, cap: 25 }, headers.get('etag'));
    expect(await wallet()).toMatchObject({ monthly_grant: 5, cap: 25, balance: 2 });
    await policyTo({ monthly_grant: 2, cap: 20 }, changed);
    expect(await wallet()).toMatchObject({ monthly_grant: 2, cap: 20 });
  });
});
