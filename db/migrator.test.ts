/** Migrations from empty, twice, on both ends of the supported versions, onto data, and as the Supabase CLI runs them. */
import { copyFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type PostgresServer, startPostgres } from '../sandbox/postgres.js';
import { createTestDatabase, type TestDatabase } from '../test/support/database.js';
import { makeDisposableFolder, removeDisposableFolder } from '../test/support/disposable-folder.js';
import { createDatabase } from './client.js';
import { EditedMigrationError, MIGRATIONS_FOLDER, migrate, migrationStatus } from './migrator.js';
import { createOrg } from './setup.js';

const FILES = readdirSync(MIGRATIONS_FOLDER)
  .filter((name) => name.endsWith('.sql'))
  .sort();
const NAMES = FILES.map((name) => name.replace(/\.sql$/, ''));

const folders: string[] = [];
const databases: TestDatabase[] = [];

/** A copy of the migrations folder that a test may change. */
function copyOfMigrations(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'artist-spark-migrations-'));
  folders.push(folder);
  cpSync(MIGRATIONS_FOLDER, folder, { recursive: true });
  return folder;
}

async function emptyDatabase(): Promise<TestDatabase> {
  const database = await createTestDatabase({ empty: true });
  databases.push(database);
  return database;
}

async function query<Row extends pg.QueryResultRow>(
  url: string,
  sql: string,
  values?: unknown[],
): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(sql, values)).rows;
  } finally {
    await client.end();
  }
}

/** Everything the migrations make, in a form two databases can be compared by. */
async function shapeOf(url: string): Promise<unknown[]> {
  return query(
    url,
    `select 'column' as kind, format('%s.%s', c.table_name, c.column_name) as name,
            format('%s %s %s', c.data_type, c.is_nullable, c.column_default) as detail
       from information_schema.columns c where c.table_schema in ('public', 'private')
     union all
     select 'index', indexname, indexdef from pg_indexes where schemaname = 'public'
     union all
     select 'function', p.oid::regprocedure::text, md5(p.prosrc)
       from pg_proc p where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace)
     union all
     select 'policy', format('%s.%s', tablename, policyname), format('%s %s %s %s', cmd, roles, qual, with_check)
       from pg_policies where schemaname = 'public'
     union all
     select 'trigger', format('%s.%s', t.tgrelid::regclass, t.tgname), pg_get_triggerdef(t.oid)
       from pg_trigger t where not t.tgisinternal
     order by 1, 2`,
  );
}

afterEach(async () => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  for (const database of databases.splice(0)) await database.drop();
});

describe('on PostgreSQL 18', () => {
  it('applies every file from empty, and nothing the second time', async () => {
    const { adminUrl } = await emptyDatabase();
    const steps: string[] = [];
    const first = await migrate({ url: adminUrl, report: (step) => steps.push(step) });
    expect(first).toEqual({ shimApplied: true, applied: NAMES, alreadyApplied: 0 });
    expect(steps).toHaveLength(NAMES.length + 1);
    const shape = await shapeOf(adminUrl);
    const second = await migrate({ url: adminUrl });
    expect(second).toEqual({ shimApplied: false, applied: [], alreadyApplied: NAMES.length });
    expect(await shapeOf(adminUrl)).toEqual(shape);
    expect(await migrationStatus(adminUrl)).toEqual({ pending: [], edited: [] });
  });

  it('is applied once by two migrators at the same moment', async () => {
    const { adminUrl } = await emptyDatabase();
    const both = await Promise.all([migrate({ url: adminUrl }), migrate({ url: adminUrl })]);
    expect(both.flatMap((result) => result.applied).sort()).toEqual(NAMES);
  });

  it('keeps its bookkeeping outside public', async () => {
    const { adminUrl } = await emptyDatabase();
    expect(await migrationStatus(adminUrl)).toEqual({ pending: NAMES, edited: [] });
    await migrate({ url: adminUrl });
    const rows = await query<{ schema: string }>(
      adminUrl,
      `select distinct table_schema as schema from information_schema.tables
        where table_name in ('applied', 'lock', 'checksums')`,
    );
    expect(rows).toEqual([{ schema: 'spark_migrations' }]);
  });

  it('gives both logins the password', async () => {
    const database = await emptyDatabase();
    // The logins belong to the whole server: the run's own password is given again.
    const password = new URL(database.apiUrl).password;
    await migrate({ url: database.adminUrl, loginPassword: decodeURIComponent(password) });
    for (const url of [database.apiUrl, database.workerUrl]) {
      const [row] = await query<{ login: string }>(url, 'select current_user as login');
      expect(['spark_api', 'spark_worker']).toContain(row?.login);
    }
  });

  it('refuses an applied file that was edited, renamed or removed', async () => {
    const { adminUrl } = await emptyDatabase();
    const folder = copyOfMigrations();
    await migrate({ url: adminUrl, folder });
    const file = path.join(folder, FILES[1] ?? '');
    const text = readFileSync(file, 'utf8');
    // Line ends are a matter of the checkout.
    writeFileSync(file, text.replaceAll('\n', '\r\n'));
    await expect(migrate({ url: adminUrl, folder })).resolves.toMatchObject({ applied: [] });
    writeFileSync(file, `${text}\n-- afterthought\n`);
    await expect(migrate({ url: adminUrl, folder })).rejects.toThrow(EditedMigrationError);
    await expect(migrate({ url: adminUrl, folder })).rejects.toThrow(NAMES[1]);
    expect((await migrationStatus(adminUrl, folder)).edited).toEqual([NAMES[1]]);
    rmSync(file);
    await expect(migrate({ url: adminUrl, folder })).rejects.toThrow(EditedMigrationError);
    writeFileSync(file, text);
    copyFileSync(file, path.join(folder, 'notes about this.sql'));
    await expect(migrate({ url: adminUrl, folder })).rejects.toThrow('notes about this.sql');
  });

  it('applies a new file onto data, and a file without transaction statement by statement', async () => {
    const { adminUrl } = await emptyDatabase();
    const folder = copyOfMigrations();
    await migrate({ url: adminUrl, folder });
    await fill(adminUrl);
    const before = await counts(adminUrl);
    writeFileSync(
      path.join(folder, '29990101000000_more.sql'),
      "alter type soundcloud_complaint_status add value 'parked';\nalter table soundcloud_members add column pronouns text;\n",
    );
    writeFileSync(
      path.join(folder, '29990101000100_index.sql'),
      '-- spark: no-transaction\n-- Blocks no writer.\ndrop index concurrently if exists idx_try;\n' +
        'create index concurrently idx_try on soundcloud_members (org_id, pronouns);\n',
    );
    const result = await migrate({ url: adminUrl, folder });
    expect(result.applied).toEqual(['29990101000000_more', '29990101000100_index']);
    expect(await counts(adminUrl)).toEqual(before);
    const [index] = await query(
      adminUrl,
      `select indisvalid from pg_index where indexrelid = 'idx_try'::regclass`,
    );
    expect(index).toEqual({ indisvalid: true });
  });

  it('leaves nothing of a file that fails, names it, and goes on when it is mended', async () => {
    const { adminUrl } = await emptyDatabase();
    const folder = copyOfMigrations();
    const broken = path.join(folder, '29990101000000_broken.sql');
    writeFileSync(broken, 'create table half (id int);\nselect no_such_function();\n');
    await expect(migrate({ url: adminUrl, folder })).rejects.toThrow(
      /^29990101000000_broken: .*no_such_function/,
    );
    expect(await query(adminUrl, `select to_regclass('half') as half`)).toEqual([{ half: null }]);
    writeFileSync(broken, 'create table half (id int);\n');
    await expect(migrate({ url: adminUrl, folder })).resolves.toMatchObject({
      applied: ['29990101000000_broken'],
    });
  });

  it('waits for a lock in short tries instead of queueing everybody behind it', async () => {
    const { adminUrl } = await emptyDatabase();
    const folder = copyOfMigrations();
    await migrate({ url: adminUrl, folder });
    writeFileSync(
      path.join(folder, '29990101000000_more.sql'),
      'alter table soundcloud_members add column x text;\n',
    );
    const holder = new pg.Client({ connectionString: adminUrl });
    const reader = new pg.Client({ connectionString: adminUrl });
    await holder.connect();
    await reader.connect();
    try {
      await holder.query('begin; lock table soundcloud_members in access share mode');
      const migrating = migrate({ url: adminUrl, folder });
      await untilWaiting(reader);
      // Would wait for ever behind a queued ALTER TABLE.
      await reader.query('select count(*) from soundcloud_members');
      await holder.query('commit');
      await expect(migrating).resolves.toMatchObject({ applied: ['29990101000000_more'] });
    } finally {
      await holder.end();
      await reader.end();
    }
  });
});

describe('on PostgreSQL 15', () => {
  let folder: string;
  let server: PostgresServer;

  beforeAll(async () => {
    folder = makeDisposableFolder();
    server = await startPostgres({ folder: path.join(folder, 'postgres'), major: '15', durable: false });
  });
  afterAll(async () => {
    await removeDisposableFolder(folder);
  });

  it('applies every file from empty, twice, and takes data', async () => {
    await query(server.adminUrl, 'create database floor');
    const url = server.url('floor');
    const first = await migrate({ url, loginPassword: 'for this test only' });
    expect(first.applied).toEqual(NAMES);
    expect((await migrate({ url })).applied).toEqual([]);
    await fill(url);
    expect(await counts(url)).toMatchObject({ members: 2, ledger: 2 });
  });
});

describe('as the Supabase CLI runs them', () => {
  it('file by file, by an owner who is no superuser, beside tables that are there already', async () => {
    const database = await emptyDatabase();
    const owner = await supabaseProject(database);
    const client = new pg.Client({ connectionString: owner.url });
    await client.connect();
    try {
      for (const file of FILES) {
        await client.query(readFileSync(path.join(MIGRATIONS_FOLDER, file), 'utf8')).catch((error: Error) => {
          throw new Error(`${file}: ${error.message}`);
        });
      }
      expect((await client.query('select name from orgs')).rows).toEqual([{ name: 'Here before' }]);
    } finally {
      await client.end();
    }
    const realtime = await query(
      database.adminUrl,
      `select tablename from pg_publication_tables where pubname = 'supabase_realtime'`,
    );
    expect(realtime).toEqual([{ tablename: 'soundcloud_notifications' }]);
    const inAuth = await query(
      database.adminUrl,
      `select c.relname from pg_class c where c.relnamespace = 'auth'::regnamespace and c.relkind = 'r' order by 1`,
    );
    expect(inAuth).toEqual([{ relname: 'identities' }, { relname: 'users' }]);

    // An org that was there before is completed, not doubled; logins are GoTrue's to make.
    const db = createDatabase(owner.url);
    try {
      await expect(
        createOrg(db, { name: 'Here before', adminEmail: 'nobody@network.test' }),
      ).rejects.toMatchObject({
        code: 'SPK01',
        message: 'not_found',
      });
      const adopted = await createOrg(db, { name: 'Here before', adminEmail: 'Admin@network.test' });
      expect(adopted).toEqual({ orgId: owner.orgId, userId: owner.userId, created: true });
      expect(await createOrg(db, { name: 'Here before', adminUserId: owner.userId })).toEqual({
        ...adopted,
        created: false,
      });
    } finally {
      await db.destroy();
    }
    await owner.remove();
  });
});

/** Two members of one org, with all that comes with them. */
async function fill(url: string): Promise<void> {
  const db = createDatabase(url);
  try {
    const { orgId } = await createOrg(db, { name: 'Filled', adminEmail: 'admin@network.test' });
    await db
      .insertInto('soundcloud_members')
      .values([
        { org_id: orgId, name: 'Low Tide', soundcloud_followers: 2_500 },
        { org_id: orgId, name: 'Night Bus', soundcloud_followers: 150_000 },
      ])
      .execute();
  } finally {
    await db.destroy();
  }
}

async function counts(url: string): Promise<pg.QueryResultRow | undefined> {
  const [row] = await query(
    url,
    `select (select count(*)::int from soundcloud_members) as members,
            (select count(*)::int from soundcloud_repost_credit_ledger) as ledger,
            (select count(*)::int from soundcloud_email_templates) as templates,
            (select count(*)::int from soundcloud_events) as events`,
  );
  return row;
}

async function untilWaiting(client: pg.Client): Promise<void> {
  for (;;) {
    const { rows } = await client.query(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
          and query like 'alter table%'`,
    );
    if (rows.length > 0) return;
  }
}

/** What a Supabase project has before our first migration, and the role its CLI signs in as. */
async function supabaseProject(database: TestDatabase) {
  const owner = `${database.name}_owner`;
  await query(
    database.adminUrl,
    `create role ${owner} login createrole createdb bypassrls password 'for this test only';
     grant anon, authenticated, service_role, spark_api, spark_worker, spark_integrator, spark_planner to ${owner} with admin option;
     alter database ${database.name} owner to ${owner};
     grant all on schema public to ${owner} with grant option;
     create schema auth;
     create schema extensions;
     grant usage on schema auth to ${owner}, anon, authenticated, service_role;
     create table auth.users (
       instance_id uuid, id uuid primary key, aud varchar(255), role varchar(255), email varchar(255),
       email_confirmed_at timestamptz, raw_app_meta_data jsonb, created_at timestamptz, is_sso_user boolean default false
     );
     create table auth.identities (id uuid primary key, user_id uuid references auth.users (id));
     grant all on all tables in schema auth to ${owner};
     create function auth.uid() returns uuid language sql stable as $f$
       select coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''),
         (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'))::uuid $f$;
     create function auth.role() returns text language sql stable as $f$
       select nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role' $f$;
     create function auth.email() returns text language sql stable as $f$
       select nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email' $f$;
     create function auth.jwt() returns jsonb language sql stable as $f$
       select nullif(current_setting('request.jwt.claims', true), '')::jsonb $f$;
     create publication supabase_realtime;
     alter publication supabase_realtime owner to ${owner};
     insert into auth.users (id, email, email_confirmed_at, created_at)
       values (gen_random_uuid(), 'admin@network.test', now(), now());
     set role ${owner};
     create table public.orgs (
       id uuid primary key default gen_random_uuid(), name text not null, slug text,
       created_at timestamptz not null default now()
     );
     create table public.memberships (
       id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs (id),
       user_id uuid not null references auth.users (id), role text not null default 'member',
       created_at timestamptz not null default now(), unique (org_id, user_id)
     );
     insert into public.orgs (name) values ('Here before')`,
  );
  const [ids] = await query<{ org_id: string; user_id: string }>(
    database.adminUrl,
    'select (select id from orgs) as org_id, (select id from auth.users) as user_id',
  );
  const url = new URL(database.adminUrl);
  url.username = owner;
  url.password = 'for this test only';
  return {
    url: url.href,
    orgId: ids?.org_id,
    userId: ids?.user_id ?? '',
    remove: async () => {
      await query(
        database.adminUrl,
        `reassign owned by ${owner} to current_user; drop owned by ${owner}; drop role ${owner}`,
      );
    },
  };
}
