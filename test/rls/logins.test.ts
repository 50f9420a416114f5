/**
 * The two logins as the product uses them, through db/client.ts: what they are before, during and after a transaction,
 * what only the API's login may call, and how a person's login is linked to the members it is.
 */
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Caller,
  createDatabase,
  type Db,
  leaveCallerRole,
  type Trx,
  withCaller,
  withOrg,
} from '../../db/client.js';
import { openRlsWorld, type RlsWorld } from './rls-world.js';
import { emailOf, fixedId, memberId, orgId, type Person, userId } from './world.js';

let world: RlsWorld;
let api: Db;
let worker: Db;

beforeAll(async () => {
  world = await openRlsWorld();
  api = createDatabase(world.apiUrl, { max: 2 });
  worker = createDatabase(world.workerUrl, { max: 1 });
});

afterAll(async () => {
  await api?.destroy();
  await worker?.destroy();
  await world?.close();
});

const here = orgId('here');
const there = orgId('there');

const as = (person: Person, org: string | null = here): Caller => ({
  claims: { sub: userId(person), email: emailOf(person) },
  orgId: org,
  role: 'authenticated',
});
const key = (scopes: string[], id = fixedId('key')): Caller => ({
  claims: { org_id: here, scopes, key_id: id },
  orgId: here,
  role: 'spark_integrator',
});

/** Runs as the API's login with a caller's claims still set. */
const asLogin = <T>(caller: Caller, work: (trx: Trx) => Promise<T>) =>
  withCaller(api, caller, async (trx) => {
    await leaveCallerRole(trx);
    return work(trx);
  });

const refused = { code: '42501' };

describe('spark_api', () => {
  it('sees no table before a caller is set', async () => {
    await expect(sql`select 1 from soundcloud_members`.execute(api)).rejects.toMatchObject(refused);
    await expect(sql`select 1 from orgs`.execute(api)).rejects.toMatchObject(refused);
  });

  it('is nobody again after a transaction, whether it was kept or failed', async () => {
    const single = createDatabase(world.apiUrl, { max: 1 });
    const state = () =>
      sql<{ role: string; org: string | null; claims: string | null }>`
        select current_user as role, nullif(current_setting('app.org_id', true), '') as org,
               nullif(current_setting('request.jwt.claims', true), '') as claims`.execute(single);
    try {
      await withCaller(single, as('admin'), (trx) => sql`select 1`.execute(trx));
      expect((await state()).rows).toEqual([{ role: 'spark_api', org: null, claims: null }]);
      await expect(
        withCaller(single, as('admin'), (trx) => sql`select no_such_column from orgs`.execute(trx)),
      ).rejects.toMatchObject({ code: '42703' });
      expect((await state()).rows).toEqual([{ role: 'spark_api', org: null, claims: null }]);
    } finally {
      await single.destroy();
    }
  });

  it.each(['service_role', 'spark_worker', 'postgres'])('cannot become %s', async (role) => {
    await expect(sql.raw(`set role ${role}`).execute(api)).rejects.toBeDefined();
  });

  it('shows a person the rows of the chosen org only', async () => {
    const orgs = (caller: Caller) =>
      withCaller(api, caller, (trx) => trx.selectFrom('orgs').select('id').orderBy('name').execute());
    await expect(orgs(as('both', null))).resolves.toEqual([{ id: here }, { id: there }]);
    await expect(orgs(as('both', here))).resolves.toEqual([{ id: here }]);
    await expect(orgs(as('admin', there))).resolves.toEqual([]);
  });
});

describe('spark_worker', () => {
  it('finds nothing without an org, and only its own with one', async () => {
    const members = (trx: Trx | Db) =>
      trx.selectFrom('soundcloud_members').select('org_id').distinct().execute();
    await expect(members(worker)).resolves.toEqual([]);
    await expect(withOrg(worker, here, members)).resolves.toEqual([{ org_id: here }]);
    await expect(members(worker)).resolves.toEqual([]);
  });

  it.each(['authenticated', 'spark_integrator', 'spark_api', 'service_role'])(
    'cannot become %s',
    async (role) => {
      await expect(sql.raw(`set role ${role}`).execute(worker)).rejects.toMatchObject(refused);
    },
  );

  it('may not call what is the API’s', async () => {
    await expect(
      withOrg(worker, here, (trx) =>
        sql`select private.api_audit(${here}, 'x.y', 'x', null, now())`.execute(trx),
      ),
    ).rejects.toMatchObject(refused);
    await expect(
      sql`select private.link_login(${userId('outsider')}, ${emailOf('outsider')})`.execute(worker),
    ).rejects.toMatchObject(refused);
  });
});

describe('the audit trail', () => {
  it('names the actor that the claims name, and cannot be written by a caller', async () => {
    const write = (trx: Trx) =>
      sql<{ id: string }>`
        select private.api_audit(${here}, 'submission.decide', 'submission', null, '2026-01-02T00:00:00Z') as id`.execute(
        trx,
      );
    await expect(withCaller(api, as('moderator'), write)).rejects.toMatchObject(refused);
    const byPerson = (await asLogin(as('moderator'), write)).rows[0]?.id;
    const byKey = (await asLogin(key([]), write)).rows[0]?.id;
    const { rows } = await world.owner.query(
      'select actor_type, actor_id from soundcloud_audit_log where id = any ($1) order by seq',
      [[byPerson, byKey]],
    );
    expect(rows).toEqual([
      { actor_type: 'user', actor_id: userId('moderator') },
      { actor_type: 'api_key', actor_id: fixedId('key') },
    ]);
  });
});

describe('kept answers', () => {
  const begin = (name: string, hash = 'h', lockSeconds = 60) =>
    asLogin(as('admin'), async (trx) => {
      const { rows } = await sql<{ outcome: string; response_status: number | null; response_body: unknown }>`
        select outcome, response_status, response_body
        from private.api_idempotency_begin(${here}, 'user:x', ${name}, 'POST', '/v1/x', ${hash}, ${lockSeconds}::integer)`.execute(
        trx,
      );
      return rows[0];
    });
  const finish = (name: string) =>
    asLogin(as('admin'), async (trx) => {
      const { rows } = await sql<{ kept: boolean }>`
        select private.api_idempotency_finish(${here}, 'user:x', ${name}, 201, '{}', '{"id": 1}') as kept`.execute(
        trx,
      );
      return rows[0]?.kept;
    });
  const release = (name: string) =>
    asLogin(as('admin'), (trx) =>
      sql`select private.api_idempotency_release(${here}, 'user:x', ${name})`.execute(trx),
    );
  const nothing = { response_status: null, response_body: null };

  it('are claimed once, in flight, then replayed; another request under the key does not match', async () => {
    await expect(begin('a')).resolves.toEqual({ outcome: 'claimed', ...nothing });
    await expect(begin('a')).resolves.toEqual({ outcome: 'in_flight', ...nothing });
    await expect(begin('a', 'other')).resolves.toEqual({ outcome: 'mismatch', ...nothing });
    await expect(finish('a')).resolves.toBe(true);
    await expect(finish('a')).resolves.toBe(false);
    await expect(begin('a')).resolves.toEqual({
      outcome: 'replay',
      response_status: 201,
      response_body: { id: 1 },
    });
    await expect(begin('a', 'other')).resolves.toEqual({ outcome: 'mismatch', ...nothing });
  });

  it('are claimed by one of two at the same moment', async () => {
    const outcomes = await Promise.all([begin('b'), begin('b')]);
    expect(outcomes.map((answer) => answer?.outcome).sort()).toEqual(['claimed', 'in_flight']);
  });

  it('are free again when released, taken over when their process died, forgotten after their time', async () => {
    await begin('c');
    await release('c');
    await expect(begin('c', 'other')).resolves.toMatchObject({ outcome: 'claimed' });
    await begin('d', 'h', 0);
    await expect(begin('d', 'other')).resolves.toMatchObject({ outcome: 'mismatch' });
    await expect(begin('d')).resolves.toMatchObject({ outcome: 'claimed' });
    await finish('d');
    await world.owner.query(`update soundcloud_idempotency_keys set expires_at = now() where key = 'd'`);
    await expect(begin('d', 'other')).resolves.toMatchObject({ outcome: 'claimed' });
  });

  it('are swept when they have expired', async () => {
    await begin('old');
    await world.owner.query(`update soundcloud_idempotency_keys set expires_at = now() where key = 'old'`);
    await begin('new');
    const { rows } = await world.owner.query(`select key from soundcloud_idempotency_keys where key = 'old'`);
    expect(rows).toEqual([]);
  });
});

describe('commands', () => {
  const id = 'c'.repeat(64);
  const request = (caller: Caller) =>
    asLogin(caller, async (trx) => {
      const { rows } = await sql<{ created: boolean; status: string }>`
        select created, status from private.api_command_request(${here}, ${id}, 'submission:x', 'decide', '{}')`.execute(
        trx,
      );
      return rows[0];
    });
  const read = (caller: Caller) =>
    asLogin(caller, async (trx) => {
      const { rows } = await sql<{
        status: string;
      }>`select status from private.api_command_get(${here}, ${id})`.execute(trx);
      return rows.map((row) => row.status);
    });

  it('are noted once, and read by who asked and by ops only', async () => {
    await expect(request(as('member'))).resolves.toEqual({ created: true, status: 'pending' });
    await world.owner.query(`update soundcloud_commands set status = 'applied' where id = $1`, [id]);
    await expect(request(as('member'))).resolves.toEqual({ created: false, status: 'applied' });
    for (const caller of [as('member'), as('moderator'), as('admin')]) {
      await expect(read(caller)).resolves.toEqual(['applied']);
    }
    for (const caller of [as('both'), as('outsider'), key(['submissions:read'])]) {
      await expect(read(caller)).resolves.toEqual([]);
    }
  });
});

describe('API keys', () => {
  const id = fixedId('api key');
  const hash = 'd'.repeat(64);
  const verify = async (secretHash: string) =>
    (await sql<{ org_id: string }>`select * from private.api_key_verify(${id}, ${secretHash})`.execute(api))
      .rows;

  it('are known by the hash of their secret until they are revoked or expire', async () => {
    await withCaller(api, as('admin'), (trx) =>
      trx
        .insertInto('soundcloud_api_keys')
        .values({
          id,
          org_id: here,
          name: 'a key',
          secret_hash: hash,
          scopes: ['members:read'],
          created_by: userId('admin'),
        })
        .execute(),
    );
    await expect(verify('e'.repeat(64))).resolves.toEqual([]);
    await expect(verify(hash)).resolves.toEqual([{ org_id: here, name: 'a key', scopes: ['members:read'] }]);
    const used = await world.owner.query(
      'select last_used_at is not null as used from soundcloud_api_keys where id = $1',
      [id],
    );
    expect(used.rows).toEqual([{ used: true }]);
    await world.owner.query('update soundcloud_api_keys set expires_at = now() where id = $1', [id]);
    await expect(verify(hash)).resolves.toEqual([]);
    await world.owner.query('update soundcloud_api_keys set expires_at = null where id = $1', [id]);
    await withCaller(api, as('admin'), (trx) =>
      trx
        .updateTable('soundcloud_api_keys')
        .set({ revoked_at: new Date(), revoked_by: userId('admin') })
        .where('id', '=', id)
        .execute(),
    );
    await expect(verify(hash)).resolves.toEqual([]);
  });

  it('never show their hash', async () => {
    await expect(
      withCaller(api, as('admin'), (trx) =>
        trx.selectFrom('soundcloud_api_keys').select('secret_hash').execute(),
      ),
    ).rejects.toMatchObject(refused);
  });
});

describe('linking a login', () => {
  const link = async (user: string, email: string, org: string | null = null) =>
    (
      await asLogin(as('outsider', org), (trx) =>
        sql<{ org: string }>`select private.link_login(${user}, ${email}) as org`.execute(trx),
      )
    ).rows.map((row) => row.org);
  const rolesOf = async (user: string) =>
    (
      await world.owner.query(
        `select m.org_id, r.role from memberships m
         left join soundcloud_user_roles r on r.org_id = m.org_id and r.user_id = m.user_id
         where m.user_id = $1 order by m.org_id`,
        [user],
      )
    ).rows;
  const addLogin = async (email: string, confirmed: boolean) => {
    const user = fixedId('login', email);
    await world.owner.query(
      'insert into auth.users (id, email, email_confirmed_at) values ($1, $2, case when $3 then now() end)',
      [user, email, confirmed],
    );
    return user;
  };
  const addMember = (org: string, ...emails: string[]) =>
    withCaller(api, as(org === here ? 'admin' : 'foreign', org), (trx) =>
      trx
        .insertInto('soundcloud_members')
        .values({ org_id: org, name: 'Night Ferry', emails })
        .returning('id')
        .executeTakeFirstOrThrow(),
    );

  it('makes membership and role of each org whose member lists the verified e-mail, once', async () => {
    await addMember(here, 'First@Linked.test');
    await addMember(there, 'first@linked.test');
    const user = await addLogin('first@linked.test', true);
    await expect(link(user, 'FIRST@linked.test')).resolves.toEqual([here, there].sort());
    await expect(link(user, 'first@linked.test')).resolves.toEqual([]);
    expect(await rolesOf(user)).toEqual([here, there].sort().map((org_id) => ({ org_id, role: 'member' })));
  });

  it('stays within the org that is set', async () => {
    await addMember(here, 'scoped@linked.test');
    await addMember(there, 'scoped@linked.test');
    const user = await addLogin('scoped@linked.test', true);
    await expect(link(user, 'scoped@linked.test', here)).resolves.toEqual([here]);
  });

  it('takes neither an unverified e-mail nor somebody else’s', async () => {
    await addMember(here, 'second@linked.test');
    const unverified = await addLogin('second@linked.test', false);
    const other = await addLogin('other@linked.test', true);
    await expect(link(unverified, 'second@linked.test')).resolves.toEqual([]);
    await expect(link(other, 'second@linked.test')).resolves.toEqual([]);
    await expect(rolesOf(unverified)).resolves.toEqual([]);
    await expect(rolesOf(other)).resolves.toEqual([]);
    // Not even for a person of the org: the login must have verified the member's e-mail to be the member.
    await world.owner.query('insert into memberships (org_id, user_id) values ($1, $2)', [here, unverified]);
    const caller: Caller = { claims: { sub: unverified }, orgId: here, role: 'authenticated' };
    await expect(
      withCaller(api, caller, (trx) => trx.selectFrom('soundcloud_members').select('id').execute()),
    ).resolves.toEqual([]);
  });

  it('happens by itself when a member gets the e-mail of a login that exists', async () => {
    const user = await addLogin('third@linked.test', true);
    const { id } = await addMember(here, 'somebody@linked.test');
    await expect(rolesOf(user)).resolves.toEqual([]);
    await withCaller(api, as('admin'), (trx) =>
      trx
        .updateTable('soundcloud_members')
        .set({ emails: ['somebody@linked.test', 'Third@linked.test'] })
        .where('id', '=', id)
        .execute(),
    );
    await expect(rolesOf(user)).resolves.toEqual([{ org_id: here, role: 'member' }]);
    const caller: Caller = { claims: { sub: user }, orgId: here, role: 'authenticated' };
    await expect(
      withCaller(api, caller, (trx) => trx.selectFrom('soundcloud_members').select('id').execute()),
    ).resolves.toEqual([{ id }]);
  });

  it('takes people in by e-mail, for an admin', async () => {
    const user = await addLogin('ops@linked.test', true);
    const add = (email: string) =>
      asLogin(as('admin'), (trx) =>
        sql<{ id: string }>`select private.api_add_person(${here}, ${email}, 'moderator') as id`.execute(trx),
      );
    expect((await add(' Ops@linked.test ')).rows).toEqual([{ id: user }]);
    await expect(rolesOf(user)).resolves.toEqual([{ org_id: here, role: 'moderator' }]);
    await expect(add('nobody-at-all@linked.test')).rejects.toMatchObject({
      code: 'SPK01',
      message: 'not_found',
    });
  });
});

describe('a membership that has ended', () => {
  it('ends every right, although the role’s row is still there', async () => {
    const before = await withCaller(api, as('moderator'), (trx) =>
      trx.selectFrom('soundcloud_members').select('id').execute(),
    );
    expect(before.map((row) => row.id)).toContain(memberId('here', 'nobody'));
    await withCaller(api, as('admin'), (trx) =>
      trx.deleteFrom('memberships').where('user_id', '=', userId('moderator')).execute(),
    );
    for (const table of ['soundcloud_members', 'soundcloud_submissions', 'soundcloud_user_roles'] as const) {
      await expect(
        withCaller(api, as('moderator'), (trx) => trx.selectFrom(table).select('id').execute()),
      ).resolves.toEqual([]);
    }
  });
});
