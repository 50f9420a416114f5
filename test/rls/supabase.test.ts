/**
 * On a Supabase project whose default privileges hand every new table, sequence and function of `public` to the API
 * roles, the roles end with the same rights as on plain PostgreSQL: each migration says what it grants and revokes.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MIGRATIONS_FOLDER, migrate } from '../../db/migrator.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

let plain: TestDatabase;
let generous: TestDatabase;

beforeAll(async () => {
  plain = await createTestDatabase();
  generous = await createTestDatabase({ empty: true });
  await query(generous, readFileSync(path.join(MIGRATIONS_FOLDER, 'shim/supabase.sql'), 'utf8'));
  await query(
    generous,
    `alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
     alter default privileges in schema public grant all on sequences to anon, authenticated, service_role;
     alter default privileges in schema public grant all on functions to anon, authenticated, service_role;
     create publication supabase_realtime;`,
  );
  await migrate({ url: generous.adminUrl });
});

afterAll(async () => {
  await plain?.drop();
  await generous?.drop();
});

async function query<Row extends pg.QueryResultRow>(database: TestDatabase, text: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: database.adminUrl });
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}

const ROLES = `unnest(array['anon', 'authenticated', 'service_role', 'spark_integrator', 'spark_planner', 'spark_api', 'spark_worker'])
  as r (role)`;

/** What every role may do with every table, column, sequence and function of `public`, as lines of text. */
async function rights(database: TestDatabase): Promise<string[]> {
  const rows = await query<{ line: string }>(
    database,
    `select r.role || ' ' || p.privilege || ' ' || c.relname as line
     from ${ROLES} cross join pg_class c
     cross join unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) as p (privilege)
     where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v')
       and has_table_privilege(r.role, c.oid, p.privilege)
     union all
     select r.role || ' ' || p.privilege || ' ' || c.relname || '.' || a.attname
     from ${ROLES} cross join pg_class c
     join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     cross join unnest(array['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) as p (privilege)
     where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v')
       and has_column_privilege(r.role, c.oid, a.attnum, p.privilege)
     union all
     select r.role || ' USAGE ' || c.relname
     from ${ROLES} cross join pg_class c
     where c.relnamespace = 'public'::regnamespace and c.relkind = 'S'
       and has_sequence_privilege(r.role, c.oid, 'USAGE, SELECT, UPDATE')
     union all
     select r.role || ' EXECUTE ' || p.oid::regprocedure
     from ${ROLES} cross join pg_proc p
     where p.pronamespace = 'public'::regnamespace and has_function_privilege(r.role, p.oid, 'EXECUTE')
     order by 1`,
  );
  return rows.map((row) => row.line);
}

describe('generous default privileges', () => {
  it('add nothing to what the migrations grant', async () => {
    const wanted = new Set(await rights(plain));
    expect(wanted.size).toBeGreaterThan(1000);
    const found = await rights(generous);
    expect(found.filter((line) => !wanted.has(line))).toEqual([]);
    expect(found).toEqual([...wanted]);
  });
});

describe('Supabase Realtime', () => {
  it('is given notifications, and nothing else', async () => {
    expect(
      await query(
        generous,
        `select tablename from pg_publication_tables where pubname = 'supabase_realtime'`,
      ),
    ).toEqual([{ tablename: 'soundcloud_notifications' }]);
  });
});
