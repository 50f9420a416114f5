/** What must hold for every table, policy, grant, function and role, asked of the catalogue: new ones are held to it. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRlsWorld, type RlsWorld } from './rls-world.js';

const API_ROLES = [
  'anon',
  'authenticated',
  'service_role',
  'spark_integrator',
  'spark_planner',
  'spark_api',
  'spark_worker',
];
/** Rows that belong to no org. */
const GLOBAL_TABLES = ['orgs', 'soundcloud_clock', 'soundcloud_provider_tokens', 'soundcloud_rate_buckets'];

let world: RlsWorld;

beforeAll(async () => {
  world = await openRlsWorld();
});

afterAll(async () => {
  await world?.close();
});

/** Names that break a rule; the rule holds when there are none. */
async function offenders(query: string, values: unknown[] = []): Promise<string[]> {
  const { rows } = await world.owner.query<{ name: string }>(query, values);
  return rows.map((row) => row.name);
}

describe('tables', () => {
  it('all have row-level security switched on', async () => {
    expect(
      await offenders(`select oid::regclass::text as name from pg_class
        where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relrowsecurity`),
    ).toEqual([]);
  });

  it('all belong to an org, but the few global ones', async () => {
    const others = [...world.columns.keys()].filter((table) => !world.tenantTables.includes(table));
    expect(others.sort()).toEqual([...GLOBAL_TABLES].sort());
    expect(
      await offenders(`select a.attrelid::regclass::text as name from pg_attribute a
        join pg_class c on c.oid = a.attrelid and c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
        where a.attname = 'org_id' and not a.attnotnull`),
    ).toEqual([]);
  });

  it('all have an index that starts with the org', async () => {
    const indexed = await offenders(`select distinct i.indrelid::regclass::text as name from pg_index i
      join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
      where a.attname = 'org_id' and i.indpred is null`);
    expect(world.tenantTables.filter((table) => !indexed.includes(table))).toEqual([]);
  });

  it('refer to each other within the org only, and empty no org_id', async () => {
    const tenant = `exists (select from pg_attribute o where o.attrelid = %s and o.attname = 'org_id')`;
    expect(
      await offenders(`select k.conname as name from pg_constraint k
        where k.contype = 'f' and k.connamespace = 'public'::regnamespace
          and ${tenant.replace('%s', 'k.conrelid')} and ${tenant.replace('%s', 'k.confrelid')}
          and not exists (
            select from unnest(k.conkey, k.confkey) as pair (here, there)
            join pg_attribute h on h.attrelid = k.conrelid and h.attnum = pair.here and h.attname = 'org_id'
            join pg_attribute t on t.attrelid = k.confrelid and t.attnum = pair.there and t.attname = 'org_id')`),
    ).toEqual([]);
    expect(
      await offenders(`select k.conname as name from pg_constraint k
        join pg_attribute o on o.attrelid = k.conrelid and o.attname = 'org_id' and o.attnum = any (k.conkey)
        where k.contype = 'f' and k.confdeltype in ('n', 'd')
          and (k.confdelsetcols is null or o.attnum = any (k.confdelsetcols))`),
    ).toEqual([]);
  });

  it('are unique within the org only', async () => {
    // Ids are unique everywhere; the tracking token is looked up before any org is known.
    expect(
      await offenders(`select i.indexrelid::regclass::text as name from pg_index i
        join pg_class c on c.oid = i.indrelid and c.relnamespace = 'public'::regnamespace
        where i.indisunique
          and exists (select from pg_attribute o where o.attrelid = c.oid and o.attname = 'org_id')
          and not exists (select from pg_attribute a
            where a.attrelid = c.oid and a.attnum = any (i.indkey) and a.attname = 'org_id')
          and not (i.indisprimary and i.indnkeyatts = 1)
        order by 1`),
    ).toEqual(['uq_soundcloud_campaigns_tracking_token']);
  });

  it('have no view beside them that passes by their policies', async () => {
    expect(
      await offenders(`select oid::regclass::text as name from pg_class
        where relnamespace in ('public'::regnamespace, 'private'::regnamespace)
          and (relkind = 'm' or relkind = 'v' and not 'security_invoker=true' = any (coalesce(reloptions, '{}')))`),
    ).toEqual([]);
  });
});

describe('policies', () => {
  it('name their roles, never everybody', async () => {
    expect(
      await offenders(`select polrelid::regclass || ': ' || polname as name from pg_policy
        where 0 = any (polroles) or cardinality(polroles) = 0`),
    ).toEqual([]);
  });

  it('are permissive, and one per table, role and command', async () => {
    expect(await offenders(`select polname as name from pg_policy where not polpermissive`)).toEqual([]);
    expect(
      await offenders(`select polrelid::regclass || ' ' || r.role::regrole || ' ' || polcmd::text as name
        from pg_policy cross join unnest(polroles) as r (role)
        group by polrelid, r.role, polcmd having count(*) > 1`),
    ).toEqual([]);
  });

  it('for people and keys are for one command each', async () => {
    expect(
      await offenders(`select polrelid::regclass || ': ' || polname as name from pg_policy
        where polcmd = '*' and polroles <> array['spark_worker'::regrole::oid]`),
    ).toEqual([]);
  });

  it('give the worker one policy per tenant table: its own org', async () => {
    const { rows } = await world.owner.query<{ name: string; using: string; check: string }>(`
      select polrelid::regclass::text as name, pg_get_expr(polqual, polrelid) as using,
             pg_get_expr(polwithcheck, polrelid) as check
      from pg_policy where polroles = array['spark_worker'::regrole::oid]`);
    const rule = /^\((org_id|id) = \( SELECT private\.current_org\(\) AS current_org\)\)$/;
    expect(rows.map((row) => row.name).sort()).toEqual([...world.tenantTables, 'orgs'].sort());
    expect(rows.filter((row) => !rule.test(row.using) || !rule.test(row.check))).toEqual([]);
  });

  it('let the planner read its own org, and write nothing but the cache of addresses', async () => {
    const { rows } = await world.owner.query<{ name: string; command: string; rule: string }>(`
      select polrelid::regclass::text as name, polcmd::text as command,
             concat_ws(' ', pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) as rule
      from pg_policy where polroles = array['spark_planner'::regrole::oid]`);
    const rule = /^(\(org_id = \( SELECT private\.current_org\(\) AS current_org\)\) ?)+$/;
    expect(rows.filter((row) => !rule.test(row.rule))).toEqual([]);
    expect(rows.filter((row) => row.command !== 'r').map((row) => row.name)).toEqual([
      'soundcloud_preview_cache',
      'soundcloud_preview_cache',
    ]);
    const granted = await offenders(`select table_name || ' ' || privilege_type as name
      from information_schema.role_table_grants
      where grantee = 'spark_planner' and privilege_type <> 'SELECT' order by 1`);
    expect(granted).toEqual(['soundcloud_preview_cache INSERT', 'soundcloud_preview_cache UPDATE']);
    // Secrets, people's logins and mail are no part of a plan.
    const read = new Set(rows.map((row) => row.name));
    expect(
      world.tenantTables.filter(
        (table) => /key|webhook|email|mail|role|member_import|audit/.test(table) && read.has(table),
      ),
    ).toEqual([]);
  });

  it('call no function per row', async () => {
    const { rows } = await world.owner.query<{ name: string; rule: string }>(`
      select polrelid::regclass || ': ' || polname as name,
             concat_ws(' ', pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) as rule
      from pg_policy`);
    const perRow = rows.filter(({ rule }) => {
      // What a subselect without reference to the row computes is computed once.
      const once = rule.replaceAll(/\( SELECT (auth|private)\.[a-z_]+\([^()]*\) AS [a-z_]+\)/g, '');
      return /\b(auth|private)\./.test(once);
    });
    expect(perRow.map((policy) => policy.name)).toEqual([]);
  });
});

describe('grants', () => {
  it('never include TRUNCATE, REFERENCES, TRIGGER or MAINTAIN', async () => {
    expect(
      await offenders(
        `select c.oid::regclass || ' ' || coalesce(g.grantee::regrole::text, 'PUBLIC') || ' ' || g.privilege_type as name
         from pg_class c cross join aclexplode(c.relacl) as g
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
           and g.grantee <> c.relowner
           and g.privilege_type not in ('SELECT', 'INSERT', 'UPDATE', 'DELETE')`,
      ),
    ).toEqual([]);
    for (const role of API_ROLES) {
      for (const table of [
        'soundcloud_repost_credit_ledger',
        'soundcloud_submissions',
        'soundcloud_events',
      ]) {
        await world.owner.query('begin');
        await world.owner.query(`set local role ${role}`);
        await expect(world.owner.query(`truncate ${table} cascade`)).rejects.toMatchObject({ code: '42501' });
        await world.owner.query('rollback');
      }
    }
  });

  it('give PUBLIC nothing', async () => {
    expect(
      await offenders(`select c.oid::regclass::text as name from pg_class c cross join aclexplode(c.relacl) as g
        where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace) and g.grantee = 0`),
    ).toEqual([]);
    expect(
      await offenders(`select p.oid::regprocedure::text as name
        from pg_proc p cross join aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as g
        where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace) and g.grantee = 0`),
    ).toEqual([]);
    expect(
      await offenders(`select n.nspname || ' ' || g.privilege_type as name
        from pg_namespace n cross join aclexplode(n.nspacl) as g
        where g.grantee = 0 and n.nspname in ('public', 'private', 'auth', 'extensions')
          and (n.nspname <> 'public' or g.privilege_type = 'CREATE')`),
    ).toEqual([]);
  });

  it('give nobody a right on the outbox, commands, audit trail and kept answers but the worker', async () => {
    expect(
      await offenders(
        `select r.role || ' ' || t.name as name
         from unnest(array['anon', 'authenticated', 'spark_integrator', 'spark_planner', 'spark_api']) as r (role)
         cross join unnest(array['events', 'commands', 'audit_log', 'idempotency_keys']) as t (name)
         where has_table_privilege(r.role, 'public.soundcloud_' || t.name, 'SELECT, INSERT, UPDATE, DELETE')
            or has_any_column_privilege(r.role, 'public.soundcloud_' || t.name, 'SELECT, INSERT, UPDATE')`,
      ),
    ).toEqual([]);
  });

  it('let no role of ours write wallet, ledger or holds', async () => {
    expect(
      await offenders(
        `select r.role || ' ' || t.name as name
         from unnest($1::text[]) as r (role)
         cross join unnest(array['repost_credit_wallet', 'repost_credit_ledger', 'credit_holds']) as t (name)
         where has_table_privilege(r.role, 'public.soundcloud_' || t.name, 'INSERT, UPDATE, DELETE, TRUNCATE')
            or has_any_column_privilege(r.role, 'public.soundcloud_' || t.name, 'INSERT, UPDATE')`,
        [API_ROLES],
      ),
    ).toEqual([]);
  });

  it('open to people and keys the columns of writable-columns.txt, and no other', () => {
    const wanted = readFileSync(new URL('./writable-columns.txt', import.meta.url), 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    const found: string[] = [];
    for (const table of world.columns.keys()) {
      for (const role of ['anon', 'authenticated', 'service_role', 'spark_integrator']) {
        for (const privilege of ['INSERT', 'UPDATE'] as const) {
          const names = [...world.mayUse(role, table, privilege)];
          // What service_role may write is what people may write.
          if (role === 'service_role') {
            expect(names).toEqual([...world.mayUse('authenticated', table, privilege)]);
          } else if (names.length > 0) {
            found.push(`${table} ${role} ${privilege.toLowerCase()}: ${names.join(' ')}`);
          }
        }
      }
    }
    expect(found).toEqual(wanted);
  });
});

describe('functions', () => {
  it('that run as their owner fix the search path', async () => {
    expect(
      await offenders(`select oid::regprocedure::text as name from pg_proc
        where pronamespace in ('public'::regnamespace, 'private'::regnamespace)
          and prosecdef and not 'search_path=""' = any (coalesce(proconfig, '{}'))`),
    ).toEqual([]);
  });

  it('belong to the owner of the tables', async () => {
    expect(
      await offenders(`select p.oid::regprocedure::text as name from pg_proc p
        where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace)
          and p.proowner <> (select relowner from pg_class where oid = 'public.soundcloud_members'::regclass)`),
    ).toEqual([]);
  });
});

describe('roles', () => {
  it('have no attribute that passes by the policies', async () => {
    expect(
      await offenders(`select rolname as name from pg_roles
        where rolname in ('anon', 'authenticated', 'spark_integrator', 'spark_planner', 'spark_api', 'spark_worker')
          and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication)`),
    ).toEqual([]);
  });

  it('log in as spark_api and spark_worker, which inherit nothing and own nothing', async () => {
    const { rows } = await world.owner.query(`
      select rolname, rolcanlogin, rolinherit from pg_roles
      where rolname in ('anon', 'authenticated', 'service_role', 'spark_integrator', 'spark_planner', 'spark_api',
        'spark_worker')
      order by rolname`);
    const login = (rolname: string) => ({ rolname, rolcanlogin: true, rolinherit: false });
    expect(rows.filter((row: { rolcanlogin: boolean }) => row.rolcanlogin)).toEqual([
      login('spark_api'),
      login('spark_worker'),
    ]);
    expect(
      await offenders(`select oid::regclass::text as name from pg_class
        where relowner in ('spark_api'::regrole, 'spark_worker'::regrole)`),
    ).toEqual([]);
  });

  it('may become only what they work as', async () => {
    const { rows } = await world.owner.query<{ member: string; role: string }>(`
      select m.member::regrole::text as member, m.roleid::regrole::text as role from pg_auth_members m
      where m.member::regrole::text like 'spark%' or m.roleid::regrole::text like 'spark%'
      order by 1, 2`);
    // Roles belong to the whole server: other tests have owners of their own on it.
    const ours = rows.filter(({ member }) => member.startsWith('spark') && !member.startsWith('spark_test_'));
    expect(ours).toEqual([
      { member: 'spark_api', role: 'authenticated' },
      { member: 'spark_api', role: 'spark_integrator' },
      { member: 'spark_api', role: 'spark_planner' },
    ]);
  });
});
