/** What the database does by itself when people write rows: guards, created events, mirrors, versions. */
import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type CreditFixture, creditFixture } from '../test/support/credits-fixture.js';
import { createTestDatabase, type TestDatabase } from '../test/support/database.js';
import { createDatabase, type Db, type Queryable, withCaller, withOrg } from './client.js';
import { postCredits } from './credits.js';
import { jsonb } from './json.js';

let database: TestDatabase;
let owner: Db;
let api: Db;
let worker: Db;
let org: CreditFixture;
let orgs = 0;
let tracks = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = createDatabase(database.adminUrl);
  api = createDatabase(database.apiUrl, { max: 12 });
  worker = createDatabase(database.workerUrl);
});
afterAll(async () => {
  for (const db of [owner, api, worker]) await db?.destroy();
  await database?.drop();
});
beforeEach(async () => {
  orgs += 1;
  org = await creditFixture(owner, `Triggers${orgs}`);
});

/** A member with a login of its own. */
async function memberWithLogin(balance = 5): Promise<{ memberId: string; userId: string }> {
  const memberId = await org.member('T3', balance);
  const email = `${memberId}@network.test`;
  const { id } = await owner
    .insertInto('auth.users')
    .values({ email, email_confirmed_at: new Date() })
    .returning('id')
    .executeTakeFirstOrThrow();
  await owner
    .updateTable('soundcloud_members')
    .set({ emails: [email] })
    .where('id', '=', memberId)
    .execute();
  return { memberId, userId: id };
}

function asUser<T>(userId: string, work: (db: Queryable) => Promise<T>): Promise<T> {
  return withCaller(api, { claims: { sub: userId }, orgId: org.orgId, role: 'authenticated' }, work);
}

async function submit(db: Queryable, memberId: string, trackUrl = newTrack()): Promise<string> {
  const { id } = await db
    .insertInto('soundcloud_submissions')
    .values({ org_id: org.orgId, member_id: memberId, track_url: trackUrl })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

function newTrack(): string {
  tracks += 1;
  return `https://soundcloud.com/low-tide/track-${tracks}`;
}

const submissionOf = (id: string) =>
  owner.selectFrom('soundcloud_submissions').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const memberOf = (id: string) =>
  owner.selectFrom('soundcloud_members').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const eventsOf = (entityId: string) =>
  owner
    .selectFrom('soundcloud_events')
    .select(['type', 'entity_type', 'data'])
    .where('entity_id', '=', entityId)
    .orderBy('seq')
    .execute();

/** Until a session of this database waits for a lock that another holds. */
async function untilBlocked(): Promise<void> {
  for (;;) {
    const { rows } = await sql`
      select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`.execute(
      owner,
    );
    if (rows.length > 0) return;
  }
}

describe('a submission by a member', () => {
  it('starts as new, whatever was sent, and leaves its event in the same transaction', async () => {
    const { memberId, userId } = await memberWithLogin();
    const id = await asUser(userId, (db) => submit(db, memberId));
    const row = await submissionOf(id);
    expect(row).toMatchObject({ status: 'new', decided_at: null, credits_consumed: 0, imported_at: null });
    expect(row.slot_month).toMatch(/^\d{4}-\d{2}-01$/);
    expect(await eventsOf(id)).toEqual([
      {
        type: 'submission.created',
        entity_type: 'submission',
        data: expect.objectContaining({ id, member_id: memberId, status: 'new' }),
      },
    ]);
    expect(await memberOf(memberId)).toMatchObject({
      submissions_this_month: 1,
      last_submission_at: row.submitted_at,
    });
  });

  it('has its canonical address and names of bearable length, also past the API', async () => {
    const { memberId, userId } = await memberWithLogin();
    const track = newTrack();
    for (const url of [
      'TBD',
      `${track}?utm=1`,
      track.toUpperCase(),
      `${track}/`,
      `${track}\nx`,
      'https://x.test/a/b',
    ]) {
      await expect(
        asUser(userId, (db) => submit(db, memberId, url)),
        url,
      ).rejects.toMatchObject({ code: 'SPK01', message: 'track_url_malformed' });
    }
    const long = { org_id: org.orgId, member_id: memberId, track_url: track, track_name: 'x'.repeat(301) };
    await expect(
      asUser(userId, (db) => db.insertInto('soundcloud_submissions').values(long).execute()),
    ).rejects.toMatchObject({ code: 'SPK01', message: 'rule_violated' });
    for (const url of [`${track}/s-Ab12cd`, 'https://on.soundcloud.com/AbC12']) {
      await expect(asUser(userId, (db) => submit(db, memberId, url))).resolves.toMatch(/^[0-9a-f-]{36}$/);
    }
  });

  it('is new also when ops could write every column', async () => {
    const { memberId } = await memberWithLogin();
    let row: Awaited<ReturnType<typeof submissionOf>> | undefined;
    const undone = owner.transaction().execute(async (trx) => {
      // A grant of a Supabase project may be wider than ours: the trigger does not rely on it.
      await sql`grant insert on soundcloud_submissions to authenticated`.execute(trx);
      await sql`select set_config('request.jwt.claims', ${JSON.stringify({ sub: org.adminId })}, true),
                       set_config('role', 'authenticated', true)`.execute(trx);
      const { rows } = await sql<NonNullable<typeof row>>`
        insert into soundcloud_submissions (org_id, member_id, track_url, status, decided_at, imported_at, closed_at,
          credits_consumed, suggested_supporters, submitted_at, slot_month)
        values (${org.orgId}, ${memberId}, ${newTrack()}, 'approved', now(), now(), now(), 50,
          ${[memberId]}::uuid[], '2020-01-01', '2020-01-01') returning *`.execute(trx);
      row = rows[0];
      throw new Error('undo the grant');
    });
    await expect(undone).rejects.toThrow('undo the grant');
    expect(row).toMatchObject({
      status: 'new',
      decided_at: null,
      imported_at: null,
      closed_at: null,
      credits_consumed: 0,
      suggested_supporters: [],
    });
    expect(row?.submitted_at.getFullYear()).toBeGreaterThan(2020);
    expect(row?.slot_month).not.toBe('2020-01-01');
  });

  it('for somebody else tells nothing about that member', async () => {
    const poor = await org.member('T1', 0);
    const { userId } = await memberWithLogin();
    await expect(asUser(userId, (db) => submit(db, poor))).rejects.toMatchObject({ code: '42501' });
  });

  it('needs a credit', async () => {
    const { memberId, userId } = await memberWithLogin(0);
    await expect(asUser(userId, (db) => submit(db, memberId))).rejects.toMatchObject({
      code: 'SPK01',
      message: 'no_credits',
    });
  });

  it('may not repeat a track within 30 days, and the refusal names the older one', async () => {
    const { memberId, userId } = await memberWithLogin();
    const other = await memberWithLogin();
    const url = newTrack();
    const older = await asUser(userId, (db) => submit(db, memberId, url));
    const refused = {
      code: 'SPK01',
      message: 'duplicate_track',
      hint: older,
      detail: expect.stringContaining(older),
    };
    await expect(asUser(userId, (db) => submit(db, memberId, url))).rejects.toMatchObject(refused);
    await asUser(other.userId, (db) => submit(db, other.memberId, url));
    for (const change of [
      { status: 'rejected' as const },
      { status: 'new' as const, withdrawn_at: new Date() },
      { withdrawn_at: null, submitted_at: new Date(Date.now() - 31 * 86_400_000) },
    ]) {
      await owner.updateTable('soundcloud_submissions').set(change).where('id', '=', older).execute();
      const again = await asUser(userId, (db) => submit(db, memberId, url));
      await owner
        .updateTable('soundcloud_submissions')
        .set({ status: 'rejected', slot_returned_at: new Date() })
        .where('id', '=', again)
        .execute();
    }
  });

  it('counts in the calendar month of the org’s timezone', async () => {
    const memberId = await org.member('T3', 5);
    await owner
      .updateTable('soundcloud_settings')
      .set({ timezone: 'Pacific/Auckland' })
      .where('org_id', '=', org.orgId)
      .execute();
    const { id } = await owner
      .insertInto('soundcloud_submissions')
      .values({
        org_id: org.orgId,
        member_id: memberId,
        track_url: newTrack(),
        // 1 April there already.
        submitted_at: new Date('2026-03-31T11:30:00Z'),
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    expect((await submissionOf(id)).slot_month).toBe('2026-04-01');
  });

  it('stops at the monthly limit, also when all come at the same moment; a returned slot is free again', async () => {
    const { memberId, userId } = await memberWithLogin();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 24 }, () => asUser(userId, (db) => submit(db, memberId))),
    );
    const accepted = outcomes.filter((outcome) => outcome.status === 'fulfilled');
    expect(accepted).toHaveLength(4);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') {
        expect(outcome.reason).toMatchObject({ code: 'SPK01', message: 'monthly_limit_reached' });
      }
    }
    expect(await memberOf(memberId)).toMatchObject({ submissions_this_month: 4 });
    await withOrg(worker, org.orgId, (trx) =>
      trx
        .updateTable('soundcloud_submissions')
        .set({ slot_returned_at: new Date() })
        .where('id', '=', accepted[0]?.value ?? '')
        .execute(),
    );
    expect(await memberOf(memberId)).toMatchObject({ submissions_this_month: 3 });
    await asUser(userId, (db) => submit(db, memberId));
    await expect(asUser(userId, (db) => submit(db, memberId))).rejects.toMatchObject({
      message: 'monthly_limit_reached',
    });
  });

  it('waits for another one of the member that is under way, and then sees it', async () => {
    const { memberId, userId } = await memberWithLogin();
    await owner
      .updateTable('soundcloud_members')
      .set({ monthly_submission_limit: 1 })
      .where('id', '=', memberId)
      .execute();
    let second: Promise<PromiseSettledResult<string>[]> | undefined;
    await asUser(userId, async (db) => {
      await submit(db, memberId);
      second = Promise.allSettled([asUser(userId, (other) => submit(other, memberId))]);
      await untilBlocked();
    });
    expect(await second).toMatchObject([
      { status: 'rejected', reason: { message: 'monthly_limit_reached' } },
    ]);
  });

  it('does not deadlock with credits posted to the same member', async () => {
    const { memberId, userId } = await memberWithLogin();
    await Promise.all(
      Array.from({ length: 16 }, (_, round) =>
        round < 4
          ? asUser(userId, (db) => submit(db, memberId))
          : withOrg(worker, org.orgId, (trx) =>
              postCredits(
                trx,
                org.orgId,
                [
                  {
                    kind: 'manual',
                    member_id: memberId,
                    amount: 1,
                    reason: 'round',
                    key: `${memberId}:${round}`,
                  },
                ],
                { at: new Date() },
              ),
            ),
      ),
    );
  });

  it('that is imported history is taken as it is, without event or quota', async () => {
    const { id: clientId } = await owner
      .insertInto('soundcloud_clients')
      .values({ org_id: org.orgId, name: 'Night Bus Records' })
      .returning('id')
      .executeTakeFirstOrThrow();
    const { id } = await withOrg(worker, org.orgId, (trx) =>
      trx
        .insertInto('soundcloud_submissions')
        .values({
          org_id: org.orgId,
          client_id: clientId,
          track_url: newTrack(),
          status: 'approved',
          imported_at: new Date(),
        })
        .returning('id')
        .executeTakeFirstOrThrow(),
    );
    expect(await submissionOf(id)).toMatchObject({ status: 'approved', slot_month: null, member_id: null });
    expect(await eventsOf(id)).toEqual([]);
  });
});

describe('created events', () => {
  it('of campaigns, inquiries and complaints hold no address of a person', async () => {
    const campaign = await owner
      .insertInto('soundcloud_campaigns')
      .values({ org_id: org.orgId, artist_name: 'Low Tide', track_name: 'Harbour', track_url: newTrack() })
      .returning('id')
      .executeTakeFirstOrThrow();
    const inquiry = await owner
      .insertInto('soundcloud_inquiries')
      .values({ org_id: org.orgId, name: 'Tape Garden', email: 'tape@garden.test' })
      .returning('id')
      .executeTakeFirstOrThrow();
    const complaint = await owner
      .insertInto('soundcloud_complaints')
      .values({ org_id: org.orgId, email: 'tape@garden.test' })
      .returning('id')
      .executeTakeFirstOrThrow();
    for (const [type, id] of [
      ['campaign', campaign.id],
      ['inquiry', inquiry.id],
      ['complaint', complaint.id],
    ] as const) {
      const events = await eventsOf(id);
      expect(events).toMatchObject([{ type: `${type}.created`, entity_type: type, data: { id } }]);
      expect(JSON.stringify(events)).not.toContain('@');
    }
    await expect(
      owner
        .insertInto('soundcloud_inquiries')
        .values({ org_id: org.orgId, name: 'Tape Garden', email: 'Tape@Garden.test' })
        .execute(),
    ).rejects.toMatchObject({ code: '23505' });
  });

  it('announce themselves to listeners', async () => {
    const listener = new pg.Client({ connectionString: database.adminUrl });
    await listener.connect();
    try {
      const heard = new Promise<string>((resolve) => {
        listener.on('notification', ({ channel }) => resolve(channel));
      });
      await listener.query('listen soundcloud_events');
      await owner
        .insertInto('soundcloud_complaints')
        .values({ org_id: org.orgId, email: 'tape@garden.test' })
        .execute();
      expect(await heard).toBe('soundcloud_events');
    } finally {
      await listener.end();
    }
  });
});

describe('a proof written by the supporter', () => {
  it('becomes an event for the assignment’s workflow, while it is open', async () => {
    const { memberId, userId } = await memberWithLogin();
    const artist = await org.member('T3', 5);
    const [assignment = ''] = await org.assignments(artist, memberId, 1);
    const write = (url: string) =>
      asUser(userId, (db) =>
        db
          .updateTable('soundcloud_queue_assignments')
          .set({ proof_url: url })
          .where('id', '=', assignment)
          .executeTakeFirst(),
      );
    expect(await write('https://soundcloud.com/me/reposts')).toEqual({ numUpdatedRows: 1n });
    expect(await eventsOf(assignment)).toEqual([
      {
        type: 'assignment.proof_written',
        entity_type: 'assignment',
        data: { id: assignment, proof_url: 'https://soundcloud.com/me/reposts', by: userId },
      },
    ]);
    await owner
      .updateTable('soundcloud_queue_assignments')
      .set({ status: 'failed', settled_at: new Date() })
      .where('id', '=', assignment)
      .execute();
    expect(await write('https://soundcloud.com/me/other')).toEqual({ numUpdatedRows: 0n });
    expect(await eventsOf(assignment)).toHaveLength(1);
  });
});

describe('members', () => {
  it('keep their e-mails in lower case, once each, five at most, the primary one among them', async () => {
    const { id } = await owner
      .insertInto('soundcloud_members')
      .values({
        org_id: org.orgId,
        name: 'Low Tide',
        emails: ['B@Tide.test', ' a@tide.test', 'b@tide.test', ''],
        primary_email: 'A@tide.test',
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    expect(await memberOf(id)).toMatchObject({
      emails: ['a@tide.test', 'b@tide.test'],
      primary_email: 'a@tide.test',
    });
    await expect(
      owner
        .updateTable('soundcloud_members')
        .set({ emails: ['1', '2', '3', '4', '5', '6'].map((n) => `${n}@tide.test`) })
        .where('id', '=', id)
        .execute(),
    ).rejects.toMatchObject({ code: 'SPK01', message: 'too_many_emails' });
  });

  it.each(['authenticated', 'service_role'] as const)(
    'are active from joining on, in business time, made by %s',
    async (role) => {
      const joined = new Date('2031-05-04T06:00:00Z');
      const made = await owner.transaction().execute(async (trx) => {
        const claims = JSON.stringify({ sub: org.adminId, role });
        await sql`select set_config('app.business_now', ${joined.toISOString()}, true),
          set_config('request.jwt.claims', ${claims}, true), set_config('role', ${role}, true)`.execute(trx);
        return trx
          .insertInto('soundcloud_members')
          .values({ org_id: org.orgId, name: 'New Tide' })
          .returning('last_activity_at')
          .executeTakeFirstOrThrow();
      });
      expect(made.last_activity_at).toEqual(joined);
    },
  );

  it('show followers and genres of their accounts and genre rows', async () => {
    const id = await org.member('T1', 1);
    const other = await org.member('T1', 1);
    const account = { org_id: org.orgId, handle: 'low-tide', follower_count: 700 };
    await owner
      .insertInto('soundcloud_member_accounts')
      .values([
        { ...account, member_id: id, platform: 'soundcloud' },
        { ...account, member_id: id, platform: 'spotify', follower_count: 9 },
      ])
      .execute();
    expect(await memberOf(id)).toMatchObject({ followers: 700 });
    expect(await memberOf(other)).toMatchObject({ followers: 0 });
    await owner
      .updateTable('soundcloud_member_accounts')
      .set({ follower_count: 800 })
      .where('platform', '=', 'soundcloud')
      .where('member_id', '=', id)
      .execute();
    expect(await memberOf(id)).toMatchObject({ followers: 800 });

    const house = await owner
      .selectFrom('soundcloud_subgenres')
      .select(['id', 'family_id'])
      .where('org_id', '=', org.orgId)
      .where('name', '=', 'House')
      .executeTakeFirstOrThrow();
    await owner
      .insertInto('soundcloud_member_genres')
      .values({ org_id: org.orgId, member_id: id, genre_family_id: house.family_id, subgenre_id: house.id })
      .execute();
    expect(await memberOf(id)).toMatchObject({ families: ['Electronic'], subgenres: ['House'] });
    expect(await memberOf(other)).toMatchObject({ families: [], subgenres: [] });
    await owner
      .updateTable('soundcloud_subgenres')
      .set({ name: 'House Music' })
      .where('id', '=', house.id)
      .execute();
    expect(await memberOf(id)).toMatchObject({ subgenres: ['House Music'] });
    await owner.deleteFrom('soundcloud_member_genres').where('member_id', '=', id).execute();
    await owner.deleteFrom('soundcloud_member_accounts').where('member_id', '=', id).execute();
    expect(await memberOf(id)).toMatchObject({ families: [], subgenres: [], followers: 0 });
  });
});

describe('a role', () => {
  it('counts only beside a membership, for the functions of the existing database too', async () => {
    const { userId } = await memberWithLogin();
    const roles = () =>
      asUser(userId, async (db) => {
        const { rows } = await sql<{ held: boolean; all: string[] }>`
          select public.has_role(${userId}, 'moderator') as held,
                 array(select role::text from public.get_user_roles(${userId})) as all`.execute(db);
        return rows[0];
      });
    await owner
      .insertInto('soundcloud_user_roles')
      .values({ org_id: org.orgId, user_id: userId, role: 'moderator' })
      .execute();
    expect(await roles()).toMatchObject({ held: true, all: expect.arrayContaining(['moderator']) });
    await owner.deleteFrom('memberships').where('user_id', '=', userId).execute();
    expect(await roles()).toEqual({ held: false, all: [] });
  });
});

describe('settings', () => {
  it('have a time zone that this server knows and reads as everybody does', async () => {
    for (const timezone of ['local', 'Mars/Olympus', 'UTC+3', '+05:30', '']) {
      const change = owner.updateTable('soundcloud_settings').set({ timezone });
      await expect(change.where('org_id', '=', org.orgId).execute(), timezone).rejects.toMatchObject({
        code: 'SPK01',
        message: 'invalid_settings',
      });
    }
    const valid = owner.updateTable('soundcloud_settings').set({ timezone: 'Etc/GMT+5' });
    await valid.where('org_id', '=', org.orgId).execute();
  });

  it('have a version for each change, an event, and an audit row without the secret', async () => {
    const change = (columns: { timezone?: string; slack_webhook?: string }) =>
      owner.updateTable('soundcloud_settings').set(columns).where('org_id', '=', org.orgId).execute();
    await change({ timezone: 'Europe/Berlin', slack_webhook: 'https://hooks.slack.test/secret' });
    await change({ timezone: 'Europe/Berlin' });
    const row = await owner
      .selectFrom('soundcloud_settings')
      .select(['id', 'version'])
      .where('org_id', '=', org.orgId)
      .executeTakeFirstOrThrow();
    expect(row.version).toBe(2);
    expect(await eventsOf(row.id)).toEqual([
      {
        type: 'settings.changed',
        entity_type: 'settings',
        data: { changed: ['slack_webhook', 'timezone'], version: 2 },
      },
    ]);
    const audit = await owner
      .selectFrom('soundcloud_audit_log')
      .selectAll()
      .where('org_id', '=', org.orgId)
      .execute();
    expect(audit).toMatchObject([
      { action: 'settings.update', before: { timezone: 'UTC' }, after: { timezone: 'Europe/Berlin' } },
    ]);
    expect(JSON.stringify(audit)).not.toContain('hooks.slack.test');
  });
});

describe('proposals, schedules and snapshots', () => {
  it('belong to a campaign or submission of their own org', async () => {
    const submission = await submit(owner, await org.member('T3', 5));
    const elsewhere = await creditFixture(owner, `Elsewhere${orgs}`);
    const propose = (orgId: string, parentType: string, parentId: string) =>
      owner
        .insertInto('soundcloud_target_proposals')
        .values({ org_id: orgId, parent_type: parentType, parent_id: parentId, proposed_targets: jsonb([]) })
        .execute();
    await propose(org.orgId, 'submission', submission);
    await expect(propose(org.orgId, 'campaign', submission)).rejects.toMatchObject({ code: '23503' });
    await expect(propose(elsewhere.orgId, 'submission', submission)).rejects.toMatchObject({ code: '23503' });
  });
});

describe('an automation that nothing runs', () => {
  it('is not built, also when an admin switches it with a client of their own', async () => {
    const switchTo = (name: string, status: string) =>
      withCaller(api, { claims: { sub: org.adminId }, orgId: org.orgId, role: 'authenticated' }, (trx) =>
        trx
          .updateTable('soundcloud_automation_health')
          .set({ status })
          .where('org_id', '=', org.orgId)
          .where('automation_name', '=', name)
          .returning('status')
          .execute(),
      );
    const name = 'notification-emails';
    const made = owner
      .selectFrom('soundcloud_automation_health')
      .select('status')
      .where('org_id', '=', org.orgId)
      .where('automation_name', '=', name);
    expect(await made.execute()).toEqual([{ status: 'not_built' }]);
    expect(await switchTo(name, 'disabled')).toEqual([{ status: 'disabled' }]);
    expect(await switchTo(name, 'healthy')).toEqual([{ status: 'not_built' }]);
    // Nobody says it of one that runs.
    expect(await switchTo('submission-status-emails', 'not_built')).toEqual([{ status: 'healthy' }]);
  });
});

describe('update_automation_health', () => {
  it('warns after one error, errs after three, recovers with a success, and stays disabled', async () => {
    const report = (success: boolean) =>
      withOrg(worker, org.orgId, (trx) =>
        sql`select update_automation_health('submission-status-emails', ${success}, ${success ? null : 'away'})`.execute(
          trx,
        ),
      );
    const health = () =>
      owner
        .selectFrom('soundcloud_automation_health')
        .select([
          'status',
          'success_count',
          'error_count',
          'consecutive_errors',
          'total_runs',
          'last_error_message',
        ])
        .where('org_id', '=', org.orgId)
        .where('automation_name', '=', 'submission-status-emails')
        .executeTakeFirstOrThrow();
    const statuses: string[] = [];
    for (const success of [true, false, false, false, true]) {
      await report(success);
      statuses.push((await health()).status);
    }
    expect(statuses).toEqual(['healthy', 'warning', 'warning', 'error', 'healthy']);
    expect(await health()).toEqual({
      status: 'healthy',
      success_count: 2,
      error_count: 3,
      consecutive_errors: 0,
      total_runs: 5,
      last_error_message: 'away',
    });
    await owner
      .updateTable('soundcloud_automation_health')
      .set({ status: 'disabled' })
      .where('org_id', '=', org.orgId)
      .execute();
    await report(true);
    expect((await health()).status).toBe('disabled');
    await expect(
      sql`select update_automation_health('submission-status-emails', true)`.execute(worker),
    ).rejects.toMatchObject({ code: 'SPK01', message: 'wrong_org' });
  });
});
