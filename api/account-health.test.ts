/** Accounts' health, tier borders, automation templates and their log over HTTP. */
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, type ApiWorld, createApiWorld } from '../test/support/api-world.js';

interface Run {
  date: string;
  workflow: { id: string };
}

const SINCE = '2026-03-01T03:00:00.000Z';

let world: ApiWorld;
const accounts: Record<string, string> = {};

beforeAll(async () => {
  world = await createApiWorld();
  for (const [handle, status, planner, since] of [
    ['long-lost', 'disconnected', 'UNLINKED', '2026-02-01T03:00:00Z'],
    ['lately-lost', 'reconnect', 'INVALID', SINCE],
    ['fine', 'linked', 'LINKED', null],
  ] as const) {
    const { rows } = await sql<{ id: string }>`
      with member as (
        insert into public.soundcloud_members (org_id, name, soundcloud_followers)
        values (${world.orgId}, ${handle}, 2500) returning id
      ), account as (
        insert into public.soundcloud_member_accounts
          (org_id, member_id, platform, handle, status, follower_count, connection_data)
        select ${world.orgId}, id, 'soundcloud', ${handle}, ${status}::public.soundcloud_connection_status, 2500,
          jsonb_build_object('influence_planner', jsonb_build_object('status', ${planner}::text))
        from member returning id, member_id
      ), connection as (
        insert into public.soundcloud_integration_status
          (org_id, account_handle, member_account_id, status, unhealthy_since, reconnect_prompts)
        select ${world.orgId}, ${handle}, id, ${status}::public.soundcloud_connection_status, ${since}::timestamptz,
          ${status === 'linked' ? 0 : 1} from account
      )
      select member_id as id from account`.execute(world.db);
    accounts[handle] = rows[0]?.id ?? '';
  }
});

afterAll(() => world?.remove());

describe('GET /v1/accounts/health', () => {
  it('shows those lately lost first, then the healthy ones, page by page, and when they are asked next', async () => {
    const first = await world.call('GET', '/v1/accounts/health?limit=2', { as: world.moderator });
    expect(first.status).toBe(200);
    expect(first.body.data.map(({ handle }) => handle)).toEqual(['lately-lost', 'long-lost']);
    expect(first.body.data[0]).toMatchObject({
      status: 'reconnect',
      since: SINCE,
      influence_planner_status: 'INVALID',
      reconnect: { prompts_sent: 1, last_sent_at: null, next_due_at: '2026-03-04T03:00:00.000Z' },
    });
    const second = await world.call('GET', `/v1/accounts/health?limit=2&cursor=${first.body.next_cursor}`);
    expect(second.body.data).toMatchObject([
      { handle: 'fine', since: null, reconnect: { prompts_sent: 0, next_due_at: null } },
    ]);
    expect(second.body.next_cursor).toBeNull();
  });

  it('says when they are asked next by the settings of the org', async () => {
    const next = async () => {
      const lost = await world.call('GET', '/v1/accounts/health?limit=1', { as: world.moderator });
      return lost.body.data[0]?.reconnect;
    };
    const patience = async (account_health: object) => {
      const { headers } = await world.call('GET', '/v1/settings');
      const changed = await world.call('PATCH', '/v1/settings', {
        body: { account_health },
        headers: { 'if-match': headers.get('etag') ?? '' },
      });
      expect(changed.status).toBe(200);
      expect(changed.body.account_health).toMatchObject({ failures_until_error: 3, ...account_health });
    };
    expect(await next()).toMatchObject({ next_due_at: '2026-03-04T03:00:00.000Z' });
    await patience({ prompt_days: [0, 7] });
    expect(await next()).toMatchObject({ next_due_at: '2026-03-08T03:00:00.000Z' });
    await patience({ prompt_days: [0] });
    expect(await next()).toMatchObject({ next_due_at: null });
    await patience({ prompt_days: [0, 3, 10] });
  });

  it('filters, and is for ops of the org only', async () => {
    const lost = await world.call('GET', '/v1/accounts/health?unhealthy=true&sort=handle');
    expect(lost.body.data.map(({ handle }) => handle)).toEqual(['lately-lost', 'long-lost']);
    const one = await world.call('GET', `/v1/accounts/health?status=linked&member_id=${accounts.fine}`);
    expect(one.body.data).toHaveLength(1);
    expect((await world.call('GET', '/v1/accounts/health', { as: world.member })).status).toBe(403);
    const other = await world.call('GET', '/v1/accounts/health', { as: world.otherAdmin });
    expect(other.body.data).toEqual([]);
  });

  it('says what is missing in an org without settings', async () => {
    await sql`delete from public.soundcloud_settings where org_id = ${world.otherOrgId}`.execute(world.db);
    const { status, body } = await world.call('GET', '/v1/accounts/health', { as: world.otherAdmin });
    expect([status, body.code]).toEqual([404, 'not_found']);
    expect(body.detail).toMatch(/spark org create/);
  });

  it('keeps what is known of a removed account in GET /v1/integration-status', async () => {
    await sql`insert into public.soundcloud_integration_status (org_id, account_handle, status)
      values (${world.orgId}, 'removed', 'disconnected')`.execute(world.db);
    const all = await world.call('GET', '/v1/integration-status?status=disconnected&sort=handle');
    expect(all.body.data).toMatchObject([
      {
        account_handle: 'long-lost',
        member_id: accounts['long-lost'],
        member_name: expect.stringMatching(/./),
      },
      { account_handle: 'removed', member_id: null, member_name: null },
    ]);
  });
});

describe('POST /v1/account-health/run', () => {
  it('asks the relay once for today, however often the request is repeated', async () => {
    const key = 'look-now';
    const answers = [
      await world.call('POST', '/v1/account-health/run', { key }),
      await world.call('POST', '/v1/account-health/run', { key }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([202, 202]);
    const { date, workflow } = (answers[1] as Answer).body as unknown as Run;
    expect(workflow.id).toBe(`account-health:${world.orgId}:${date}`);
    const events = await world.db
      .selectFrom('soundcloud_events')
      .select('data')
      .where('type', '=', 'account_health.requested')
      .execute();
    expect(events).toEqual([{ data: { date } }]);
    expect((await world.call('POST', '/v1/account-health/run', { as: world.member })).status).toBe(403);
  });

  it('is refused while an admin has switched it off', async () => {
    const path = '/v1/automations/account-health';
    expect((await world.call('PATCH', path, { body: { status: 'disabled' } })).status).toBe(200);
    const answer = await world.call('POST', '/v1/account-health/run');
    expect([answer.status, answer.body.code]).toEqual([409, 'automation_disabled']);
    expect((await world.call('PATCH', path, { body: { status: 'enabled' } })).status).toBe(200);
  });

  it('shows what the newest sweep came to', async () => {
    expect((await world.call('GET', '/v1/account-health/latest')).body.sweep).toBeNull();
    await sql`insert into public.soundcloud_account_sweeps (org_id, date, started_at, finished_at, outcome, counts, notes)
      values (${world.orgId}, '2026-03-01', ${SINCE}, ${SINCE}, 'partial', '{"checked": 3, "lost": 2}', '{A note.}')`.execute(
      world.db,
    );
    expect((await world.call('GET', '/v1/account-health/latest')).body.sweep).toMatchObject({
      date: '2026-03-01',
      outcome: 'partial',
      counts: { checked: 3, lost: 2, restored: 0 },
      notes: ['A note.'],
    });
    const metrics = await (await fetch(`${world.url}/metrics`)).text();
    expect(metrics).toMatch(/^spark_accounts\{status="disconnected"\} 1$/m);
    expect(metrics).toMatch(/^spark_accounts_lost 2$/m);
  });
});

describe('members', () => {
  it('see the borders of their tier', async () => {
    const answer = await world.call('GET', `/v1/members/${world.memberId}`, { as: world.member });
    expect(answer.body).toMatchObject({
      size_tier: 'T1',
      below_tier_syncs: 0,
      inactive_since: null,
      tier_border: { min_followers: 0, next_tier: 'T2', next_tier_at: 1_000 },
    });
  });

  it('are found by inactivity', async () => {
    await sql`update public.soundcloud_members set inactive_since = ${SINCE} where id = ${accounts['long-lost']}`.execute(
      world.db,
    );
    const inactive = await world.call('GET', '/v1/members?inactive=true');
    expect(inactive.body.data).toMatchObject([{ id: accounts['long-lost'], inactive_since: SINCE }]);
  });
});

describe('automation templates', () => {
  const path = '/v1/automation-templates/tier_promotion';

  it('are changed by admins against the version they read', async () => {
    const list = await world.call('GET', '/v1/automation-templates', { as: world.moderator });
    expect(list.body.data.filter((row) => row.sends_mails).map((row) => row.template_key)).toEqual([
      'reconnect_prompt',
      'tier_promotion',
    ]);
    // Nothing writes the events of campaigns yet.
    expect(list.body.data.find((row) => row.template_key === 'campaign_tracking')).toMatchObject({
      enabled: true,
      sends_mails: false,
    });
    const read = await world.call('GET', path, { as: world.moderator });
    const etag = read.headers.get('etag') ?? '';
    const body = { subject: 'Welcome to {{new_tier}}', enabled: false };
    expect((await world.call('PATCH', path, { body })).status).toBe(428);
    expect(
      (await world.call('PATCH', path, { as: world.moderator, body, headers: { 'If-Match': etag } })).status,
    ).toBe(403);
    const changed = await world.call('PATCH', path, { body, headers: { 'If-Match': etag } });
    expect(changed.body).toMatchObject({ ...body, sends_mails: false });
    expect(changed.headers.get('etag')).not.toBe(etag);
    expect((await world.call('PATCH', path, { body, headers: { 'If-Match': etag } })).status).toBe(412);
  });

  it('that use what they do not declare are refused', async () => {
    const etag = (await world.call('GET', path)).headers.get('etag') ?? '';
    const answer = await world.call('PATCH', path, {
      body: { body_html: '<p>{{password}}</p>' },
      headers: { 'If-Match': etag },
    });
    expect(answer.status).toBe(422);
    expect(answer.body).toMatchObject({
      code: 'invalid_template',
      errors: [{ pointer: '/body_html', detail: expect.stringContaining('password') }],
    });
  });

  it('have a log, which only ops read', async () => {
    await sql`insert into public.soundcloud_automation_logs (org_id, template_key, recipient_email, recipient_member_id, status)
      values (${world.orgId}, 'tier_promotion', 'artist@first.test', ${world.memberId}, 'failed')`.execute(
      world.db,
    );
    const failed = await world.call('GET', '/v1/automation-logs?status=failed', { as: world.moderator });
    const { name } = (await world.call('GET', `/v1/members/${world.memberId}`)).body;
    expect(failed.body.data).toMatchObject([
      { template_key: 'tier_promotion', status: 'failed', recipient_member_name: name },
    ]);
    expect((await world.call('GET', '/v1/automation-logs?status=sent')).body.data).toEqual([]);
    expect((await world.call('GET', '/v1/automation-logs', { as: world.member })).status).toBe(403);
  });
});
