/**
 * No function is a way around row-level security: every function a role can call is listed in functions.txt, the ones
 * that take an org refuse another's, and the others answer nothing about people of an org that is not the caller's.
 */
import { readFileSync } from 'node:fs';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Actor, become } from './actors.js';
import { openRlsWorld, type RlsWorld } from './rls-world.js';
import { emailOf, fixedId, memberId, orgId, userId } from './world.js';

interface Line {
  name: string;
  callers: string;
  reach: string;
}

const lines: Line[] = readFileSync(new URL('./functions.txt', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith('function '))
  .map((line) => {
    const [name = '', callers = '', reach = ''] = line.split(/\s+/);
    return { name, callers, reach };
  });

let world: RlsWorld;

beforeAll(async () => {
  world = await openRlsWorld();
});

afterAll(async () => {
  await world?.close();
});

/** Logins act by themselves here, so a role that no matrix actor has is allowed too. */
type Caller = Omit<Actor, 'role' | 'homes'> & { role: Actor['role'] | 'spark_api' };

/** Rows of one call as the caller, rolled back. @throws the database's error */
async function call<T>(caller: Caller, statement: string): Promise<T[]> {
  const become_ = become({ ...caller, role: caller.role as Actor['role'], homes: [] });
  try {
    const results = (await world.owner.query(
      `begin; ${become_} ${statement}; rollback`,
    )) as unknown as pg.QueryResult[];
    return (results.at(-2)?.rows ?? []) as T[];
  } catch (error) {
    await world.owner.query('rollback');
    throw error;
  }
}

const quoted = (text: string) => pg.escapeLiteral(text);

describe('functions.txt', () => {
  it('lists every function that a role can call, with its callers', async () => {
    const { rows } = await world.owner.query<{ name: string; callers: string }>(`
      select n.nspname || '.' || p.proname as name, string_agg(r.role, ',' order by r.role) as callers
      from pg_proc p
      join pg_namespace n on n.oid = p.pronamespace and n.nspname in ('public', 'private')
      cross join unnest(array['anon', 'authenticated', 'service_role', 'spark_api', 'spark_integrator', 'spark_planner', 'spark_worker'])
        as r (role)
      where p.prorettype <> 'trigger'::regtype
        and has_schema_privilege(r.role, n.oid, 'USAGE')
        and has_function_privilege(r.role, p.oid, 'EXECUTE')
      group by p.oid, 1
      order by 1`);
    const listed = lines.map(({ name, callers }) => ({ name, callers }));
    expect(listed.sort((a, b) => (a.name < b.name ? -1 : 1))).toEqual(
      rows.sort((a, b) => (a.name < b.name ? -1 : 1)),
    );
  });

  it('calls "org" exactly the callable functions that take an org', async () => {
    const { rows } = await world.owner.query<{ name: string }>(
      `
      select n.nspname || '.' || p.proname as name
      from pg_proc p
      join pg_namespace n on n.oid = p.pronamespace
      where n.nspname || '.' || p.proname = any ($1) and '_org_id' = any (p.proargnames)
      order by 1`,
      [lines.map((line) => line.name)],
    );
    expect(
      lines
        .filter((line) => line.reach === 'org')
        .map((line) => line.name)
        .sort(),
    ).toEqual(rows.map((row) => row.name).sort());
  });

  it('no function takes an org under another name', async () => {
    const { rows } = await world.owner.query<{ name: string }>(`
      select n.nspname || '.' || p.proname as name
      from pg_proc p
      join pg_namespace n on n.oid = p.pronamespace and n.nspname in ('public', 'private')
      cross join unnest(p.proargnames, p.proargmodes) as argument (name, mode)
      where coalesce(argument.mode, 'i') in ('i', 'b', 'v')
        and argument.name like '%org%' and argument.name <> '_org_id'`);
    expect(rows).toEqual([]);
  });
});

describe('functions that take an org', () => {
  it.each(lines.filter((line) => line.reach === 'org').map((line) => [line.name, line] as const))(
    '%s refuses the other org, and works in none without app.org_id',
    async (name, line) => {
      const { rows } = await world.owner.query<{ arguments: string[] }>(
        `select array(select format_type(t, null) from unnest(p.proargtypes) t) as arguments
         from pg_proc p where p.oid = $1::regproc`,
        [name],
      );
      const nulls = (rows[0]?.arguments ?? []).slice(1).map((type) => `null::${type}`);
      for (const role of line.callers.split(',') as Caller['role'][]) {
        for (const person of ['admin', 'both', 'foreign'] as const) {
          for (const [org, scope] of [
            ['there', 'here'],
            ['there', undefined],
            ['here', undefined],
          ] as const) {
            const statement = `select * from ${name}(${[quoted(orgId(org)), ...nulls].join(', ')})`;
            await expect(call({ role, person, scope }, statement), `${role} ${scope}`).rejects.toMatchObject({
              code: 'SPK01',
              message: 'wrong_org',
            });
          }
        }
      }
    },
  );

  const worker: Caller = { role: 'spark_worker', scope: 'here' };
  const api: Caller = { role: 'spark_api', scope: 'here', person: 'both' };
  const here = quoted(orgId('here'));
  const theirMember = memberId('there', 'nobody');

  it('users_of_member knows no member of the other org', async () => {
    await expect(
      call(worker, `select * from private.users_of_member(${here}, ${quoted(theirMember)})`),
    ).resolves.toEqual([]);
    await expect(
      call(worker, `select u from private.users_of_member(${here}, ${quoted(memberId('here', 'both'))}) u`),
    ).resolves.toEqual([{ u: userId('both') }]);
  });

  it('post_credits posts to no wallet of the other org', async () => {
    const requests = JSON.stringify([{ kind: 'grant', member_id: theirMember, month: '2026-02' }]);
    for (const caller of [worker, api]) {
      await expect(
        call(caller, `select * from private.post_credits(${here}, ${quoted(requests)})`),
      ).rejects.toMatchObject({ code: 'SPK01' });
    }
  });

  it('apply_follower_sync changes no member of the other org', async () => {
    const rows = JSON.stringify([
      {
        member_id: theirMember,
        account_id: fixedId('soundcloud_member_accounts', 'there', 'nobody', ''),
        followers: 99,
        size_tier: 'T4',
        below_tier_syncs: 0,
      },
    ]);
    await expect(
      call(
        worker,
        `create temp table before_sync on commit drop as select 1;
         select * from private.apply_follower_sync(${here}, ${quoted(rows)}, now());
         reset role;
         select m.soundcloud_followers, m.size_tier, a.follower_count
         from soundcloud_members m
         join soundcloud_member_accounts a on a.member_id = m.id
         where m.id = ${quoted(theirMember)}`,
      ),
    ).resolves.toEqual([{ soundcloud_followers: 0, size_tier: 'T1', follower_count: 0 }]);
  });

  it('api_command_get and api_audit_list show nothing of the other org', async () => {
    const commands = await world.owner.query<{ id: string }>(
      `select id from soundcloud_commands where org_id = ${quoted(orgId('there'))}`,
    );
    const id = quoted(commands.rows[0]?.id ?? '');
    await expect(call(api, `select * from private.api_command_get(${here}, ${id})`)).resolves.toEqual([]);
    const asAdmin: Caller = { role: 'spark_api', scope: 'here', person: 'admin' };
    await expect(call(asAdmin, `select * from private.api_command_get(${here}, ${id})`)).resolves.toEqual([]);
    const trail = await call<{ org_id: string }>(
      asAdmin,
      `select org_id from private.api_audit_list(${here}, 250)`,
    );
    expect(trail.map((entry) => entry.org_id)).toEqual([orgId('here')]);
  });

  it('api_audit_list, api_add_person and api_update_settings are for admins of the org', async () => {
    for (const person of ['member', 'moderator', 'both', 'foreign', 'outsider'] as const) {
      const caller: Caller = { role: 'spark_api', scope: 'here', person };
      await expect(call(caller, `select private.api_audit_list(${here}, 10)`)).rejects.toMatchObject({
        code: '42501',
      });
      await expect(
        call(caller, `select private.api_add_person(${here}, ${quoted(emailOf('outsider'))}, 'admin')`),
      ).rejects.toMatchObject({ code: '42501' });
      await expect(
        call(caller, `select private.api_update_settings(${here}, '{"watch_hours": 7}')`),
      ).rejects.toMatchObject({ code: '42501' });
    }
  });

  it('credits are changed, decided and looked back at by ops of the org only', async () => {
    const member = quoted(memberId('here', 'nobody'));
    for (const person of ['member', 'both', 'foreign', 'outsider', undefined] as const) {
      const caller: Caller = { role: 'spark_api', scope: 'here', ...(person && { person }) };
      for (const statement of [
        `select private.api_request_credit_change(${here}, ${member}, 1, 'a good reason', now())`,
        `select private.api_decide_credit_change(${here}, gen_random_uuid(), 'approved', null, now())`,
        `select * from private.api_grant_months(${here}, 5)`,
        `select * from private.api_grant_entries(${here}, '2026-01', 5)`,
      ]) {
        await expect(call(caller, statement), `${person}: ${statement}`).rejects.toMatchObject({
          code: '42501',
        });
      }
    }
    const moderator: Caller = { role: 'spark_api', scope: 'here', person: 'moderator' };
    await expect(
      call(
        moderator,
        `select private.api_request_credit_change(${here}, ${quoted(theirMember)}, 1, 'a good reason', now())`,
      ),
    ).rejects.toMatchObject({ code: 'SPK01', message: 'not_found' });
  });

  it('proposals are accepted by ops of the org only', async () => {
    const accept = `select private.api_accept_proposal(${here}, gen_random_uuid(), now())`;
    for (const person of ['member', 'both', 'foreign', 'outsider', undefined] as const) {
      const caller: Caller = { role: 'spark_api', scope: 'here', ...(person && { person }) };
      await expect(call(caller, accept), person).rejects.toMatchObject({ code: '42501' });
    }
    const moderator: Caller = { role: 'spark_api', scope: 'here', person: 'moderator' };
    expect(await call(moderator, accept)).toEqual([{ api_accept_proposal: false }]);
  });

  it('no decision on a credit change stands without a second person, whoever writes it', async () => {
    const insert = (columns: string, values: string) =>
      world.owner.query(`insert into soundcloud_credit_change_requests
        (org_id, member_id, amount, reason, requested_by, ${columns})
        values (${here}, ${quoted(memberId('here', 'nobody'))}, 20, 'a good reason', ${quoted(userId('admin'))}, ${values})`);
    for (const values of [
      `'rejected', now(), null`,
      `'rejected', now(), ${quoted(userId('admin'))}`,
      `'approved', now(), ${quoted(userId('moderator'))}`,
      `'applied', now(), null`,
      `'pending', null, ${quoted(userId('moderator'))}`,
    ]) {
      await expect(insert('status, decided_at, decided_by', values), values).rejects.toMatchObject({
        code: '23514',
      });
    }
  });

  it('api_update_settings changes the settings it is told to, of the own org, and nothing that is no setting', async () => {
    const caller: Caller = { role: 'spark_api', scope: 'here', person: 'admin' };
    const changes = {
      tier_policy: { T1: { monthly_grant: 2, cap: 4 } },
      slack_webhook: null,
      version: 90,
      org_id: orgId('there'),
    };
    const columns = `org_id, tier_policy, slack_webhook, watch_hours, version from soundcloud_settings`;
    const ask = `select ${columns} order by org_id = ${here} desc`;
    const { rows: before } = await world.owner.query(ask);
    const after = await call(
      caller,
      `select private.api_update_settings(${here}, ${quoted(JSON.stringify(changes))});
       set local role none; ${ask}`,
    );
    expect(after).toEqual([
      {
        ...before[0],
        tier_policy: changes.tier_policy,
        slack_webhook: null,
        version: String(Number(before[0].version) + 1),
      },
      before[1],
    ]);
  });

  it('api_update_settings writes every setting there is', async () => {
    const { rows } = await world.owner.query<{ missing: string }>(`
      select a.attname as missing
      from pg_attribute a
      join pg_proc p on p.oid = 'private.api_update_settings'::regproc
      where a.attrelid = 'public.soundcloud_settings'::regclass and a.attnum > 0 and not a.attisdropped
        and a.attname not in ('id', 'org_id', 'version', 'created_at', 'updated_at')
        and strpos(p.prosrc, format(' %1$s = _new.%1$s', a.attname)) = 0`);
    expect(rows).toEqual([]);
  });

  it('an admin writes past the API only what no rule across fields is about', async () => {
    const caller: Caller = { role: 'authenticated', scope: 'here', person: 'admin' };
    for (const change of [
      `tier_policy = '{}'`,
      `size_tier_thresholds = '{}'`,
      `adjacency_matrix = '{}'`,
      `review = '{}'`,
      `pacing = '{}'`,
      `queue_hours = '{}'`,
      `campaign_defaults = '{}'`,
      `account_health = '{}'`,
      `slack_webhook = 'http://169.254.169.254/latest'`,
      `version = 1`,
    ]) {
      await expect(
        call(caller, `update soundcloud_settings set ${change} where org_id = ${here}`),
        change,
      ).rejects.toMatchObject({ code: '42501' });
    }
    await expect(
      call(
        caller,
        `update soundcloud_settings set watch_hours = 5 where org_id = ${here} returning watch_hours`,
      ),
    ).resolves.toEqual([{ watch_hours: 5 }]);
  });
});

describe('functions that answer within the own reach', () => {
  /** Ids of the assignments a condition on `a` and its queue `q` finds. */
  const expected = async (condition: string) => {
    const { rows } = await world.owner.query<{ assignment_id: string }>(
      `select a.id as assignment_id from soundcloud_queue_assignments a
       join soundcloud_queues q on q.id = a.queue_id where ${condition} order by 1`,
    );
    return rows;
  };
  /** The function needs the ids, which the API's login cannot read. @param first what the owner changes before. */
  const tracksFor = async (caller: Caller, first = '') => {
    const { rows } = await world.owner.query<{ id: string }>('select id from soundcloud_queue_assignments');
    const ids = rows.map((row) => quoted(row.id)).join(', ');
    const become_ = become({ ...caller, role: caller.role as Actor['role'], homes: [] });
    const results = (await world.owner.query(
      `begin; ${first} ${become_}
       select assignment_id from private.assignment_tracks(array[${ids}]::uuid[]) order by 1; rollback`,
    )) as unknown as pg.QueryResult[];
    return results.at(-2)?.rows;
  };

  it('assignment_tracks tells a supporter of the own assignments of published queues only', async () => {
    const both: Caller = { role: 'spark_api', person: 'both', scope: 'here' };
    const own = await expected(
      `a.supporter_id = ${quoted(memberId('here', 'both'))} and q.status = 'published'`,
    );
    expect(own.length).toBeGreaterThan(0);
    expect(await tracksFor(both)).toEqual(own);
    expect(await tracksFor(both, `update soundcloud_queues set status = 'draft';`)).toEqual([]);
  });

  it('assignment_tracks tells ops of all of their org, and strangers of none', async () => {
    const all = await expected(`a.org_id = ${quoted(orgId('here'))}`);
    expect(await tracksFor({ role: 'spark_api', person: 'moderator', scope: 'here' })).toEqual(all);
    expect(await tracksFor({ role: 'spark_api', person: 'foreign', scope: 'here' })).toEqual([]);
    expect(await tracksFor({ role: 'spark_api', person: 'outsider' })).toEqual([]);
    expect(await tracksFor({ role: 'spark_api' })).toEqual([]);
  });

  it('a queue is asked for, and its settings are read, by ops only', async () => {
    for (const person of ['member', 'both', 'foreign', 'outsider'] as const) {
      const caller: Caller = { role: 'spark_api', scope: 'here', person };
      const here = quoted(orgId('here'));
      await expect(
        call(caller, `select private.api_request_queue(${here}, '2030-01-01', now())`),
        person,
      ).rejects.toMatchObject({ code: '42501' });
      await expect(call(caller, `select private.api_queue_settings(${here})`)).rejects.toMatchObject({
        code: '42501',
      });
    }
  });
});

describe('functions of the existing database', () => {
  const theirs = userId('foreign');
  const theirEmail = 'there-nobody@elsewhere.test';
  const askers: [string, Caller][] = [
    ['admin', { role: 'authenticated', person: 'admin', scope: 'here' }],
    ['admin without app.org_id', { role: 'authenticated', person: 'admin' }],
    ['both, working here', { role: 'authenticated', person: 'both', scope: 'here' }],
    ['worker', { role: 'spark_worker', scope: 'here' }],
    ['api login', { role: 'spark_api', scope: 'here' }],
  ];

  it.each(askers)('tell %s nothing about people of the other org', async (_name, asker) => {
    const answers = await call(
      asker,
      `select public.has_role(${quoted(theirs)}, 'admin') as role,
              public.get_member_id_for_user(${quoted(theirs)}) as member,
              public.check_user_is_member(${quoted(theirEmail)}) as is_member,
              (select count(*)::integer from public.get_user_roles(${quoted(theirs)})) as roles,
              (select count(*)::integer from public.get_member_for_user(${quoted(theirEmail)})) as members`,
    );
    expect(answers).toEqual([{ role: false, member: null, is_member: false, roles: 0, members: 0 }]);
  });

  it('do not take an admin of the other org for one here', async () => {
    const both = quoted(userId('both'));
    const ask = `select public.has_role(${both}, 'admin') as admin, public.has_role(${both}, 'member') as member`;
    await expect(call({ role: 'authenticated', person: 'both', scope: 'here' }, ask)).resolves.toEqual([
      { admin: false, member: true },
    ]);
    await expect(call({ role: 'authenticated', person: 'both', scope: 'there' }, ask)).resolves.toEqual([
      { admin: true, member: false },
    ]);
  });

  it('tell a member about itself only, ops about everybody of their org', async () => {
    const ask = (email: string) =>
      `select public.check_user_is_member(${quoted(email)}) as is_member,
              (select count(*)::integer from public.get_member_for_user(${quoted(email)})) as members`;
    const member: Caller = { role: 'authenticated', person: 'member', scope: 'here' };
    const moderator: Caller = { role: 'authenticated', person: 'moderator', scope: 'here' };
    await expect(call(member, ask(emailOf('member')))).resolves.toEqual([{ is_member: true, members: 1 }]);
    await expect(call(member, ask(emailOf('both')))).resolves.toEqual([{ is_member: false, members: 0 }]);
    await expect(call(moderator, ask(emailOf('both')))).resolves.toEqual([{ is_member: true, members: 1 }]);
  });

  it('report automation health for an org one is ops of, or works for', async () => {
    const report = `select public.update_automation_health('notification-emails', true)`;
    for (const refused of [
      { role: 'authenticated', person: 'member', scope: 'here' },
      { role: 'authenticated', person: 'both', scope: 'here' },
      { role: 'authenticated', person: 'admin', scope: 'there' },
      { role: 'authenticated', person: 'outsider' },
      { role: 'spark_worker' },
    ] satisfies Caller[]) {
      await expect(call(refused, report)).rejects.toMatchObject({ code: 'SPK01', message: 'wrong_org' });
    }
    await call({ role: 'spark_worker', scope: 'here' }, report);
    await call({ role: 'authenticated', person: 'moderator', scope: 'here' }, report);
  });
});

describe('functions of schema private', () => {
  it('serve policies, but cannot be called by the roles the policies are for', async () => {
    const { rows } = await world.owner.query<{ name: string; role: string }>(`
      select p.oid::regproc::text as name, r.role
      from pg_proc p
      cross join unnest(array['anon', 'authenticated', 'service_role', 'spark_integrator', 'spark_planner']) as r (role)
      where p.pronamespace = 'private'::regnamespace and has_schema_privilege(r.role, p.pronamespace, 'USAGE')`);
    expect(rows).toEqual([]);
    for (const [role, statement] of [
      ['authenticated', 'select private.org_ids()'],
      ['authenticated', 'select private.own_member_ids()'],
      ['authenticated', `select private.is_ops('${orgId('here')}')`],
      ['spark_integrator', `select private.integrator_org_ids('submissions', 'read')`],
      ['anon', 'select private.current_org()'],
    ] as const) {
      await expect(call({ role, person: 'admin' }, statement)).rejects.toMatchObject({
        code: '42501',
        message: 'permission denied for schema private',
      });
    }
  });
});

describe('functions about assignments', () => {
  const here = quoted(orgId('here'));
  const people = ['moderator', 'member', 'both', 'foreign', 'outsider'] as const;

  it('assignment_waits reaches exactly as far as assignment_tracks', async () => {
    const { rows } = await world.owner.query<{ id: string }>(
      'select id from public.soundcloud_queue_assignments',
    );
    const ids = rows.map(({ id }) => quoted(id)).join();
    for (const person of people) {
      const asked = (name: string) =>
        call<{ assignment_id: string }>(
          { role: 'spark_api', person, scope: 'here' },
          `select assignment_id from private.${name}(array[${ids}]::uuid[]) order by 1`,
        );
      expect(await asked('assignment_waits'), person).toEqual(await asked('assignment_tracks'));
    }
  });

  it('member_record is told to the member and to ops', async () => {
    const recordOf = async (person: (typeof people)[number]) =>
      (
        await call(
          { role: 'spark_api', person, scope: 'here' },
          `select * from private.member_record(${here}, ${quoted(memberId('here', 'both'))}, now())`,
        )
      ).length;
    expect([await recordOf('moderator'), await recordOf('both')]).toEqual([1, 1]);
    expect([await recordOf('member'), await recordOf('foreign'), await recordOf('outsider')]).toEqual([
      0, 0, 0,
    ]);
  });

  it('a task is closed by ops only', async () => {
    for (const person of ['member', 'both', 'foreign', 'outsider'] as const) {
      await expect(
        call(
          { role: 'spark_api', person, scope: 'here' },
          `select private.api_close_ops_task(${here}, gen_random_uuid(), 'done', 'note', now())`,
        ),
        person,
      ).rejects.toMatchObject({ code: '42501' });
    }
  });
});
