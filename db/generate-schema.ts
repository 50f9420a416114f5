/**
 * Writes db/schema.ts from the migrations: `npm run generate:schema`, with `-- --verify` to compare only.
 * A scratch database is made on the server of DATABASE_URL, migrated, read and dropped.
 */
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { generate, PostgresDialect } from 'kysely-codegen';
import pg from 'pg';
import { migrate } from './migrator.js';

const SCHEMA_FILE = fileURLToPath(new URL('./schema.ts', import.meta.url));

/** Types of a migrated database, as the text of schema.ts. */
export async function schemaText(migratedUrl: string): Promise<string> {
  const dialect = new PostgresDialect({
    dateParser: 'string',
    numericParser: 'number',
    defaultSchemas: ['public'],
  });
  const db = await dialect.introspector.connect({ connectionString: migratedUrl, dialect });
  try {
    const text = await generate({
      db,
      dialect,
      // auth.users of a real Supabase project has more columns than we rely on: only what the shim makes is described.
      includePattern: '@(public.@(orgs|memberships|soundcloud_*)|auth.users)',
      typeMapping: { int8: 'number' },
      typeOnlyImports: true,
      outFile: null,
    });
    return `${text.trimEnd()}\n`;
  } finally {
    await db.destroy();
  }
}

/** True when schema.ts is what the migrated database gives. */
export async function schemaIsCurrent(migratedUrl: string): Promise<boolean> {
  const [written, wanted] = await Promise.all([
    readFile(SCHEMA_FILE, 'utf8').catch(() => ''),
    schemaText(migratedUrl),
  ]);
  return written === wanted;
}

/** Makes a migrated scratch database on a server, runs `fn` with its URL, and drops it. */
async function withScratchDatabase<T>(serverUrl: string, fn: (url: string) => Promise<T>): Promise<T> {
  const name = `spark_schema_${randomBytes(6).toString('hex')}`;
  const admin = new pg.Client({ connectionString: serverUrl });
  await admin.connect();
  try {
    await admin.query(`create database ${name}`);
    const url = new URL(serverUrl);
    url.pathname = `/${name}`;
    try {
      await migrate({ url: url.href });
      return await fn(url.href);
    } finally {
      // A pool is closed before the server has noticed; ending its sessions by force would be reported to it as errors.
      while ((await sessionsOf(admin, name)) > 0) await delay(20);
      await admin.query(`drop database if exists ${name}`);
    }
  } finally {
    await admin.end();
  }
}

async function sessionsOf(admin: pg.Client, database: string): Promise<number> {
  const result = await admin.query<{ count: number }>(
    'select count(*)::integer as count from pg_stat_activity where datname = $1',
    [database],
  );
  return result.rows[0]?.count ?? 0;
}

async function main(): Promise<void> {
  const serverUrl = process.env.DATABASE_URL;
  if (!serverUrl) {
    throw new Error(
      'Set DATABASE_URL to a server on which a scratch database may be made; `spark start` prints the one it runs.',
    );
  }
  if (process.argv.includes('--verify')) {
    if (!(await withScratchDatabase(serverUrl, schemaIsCurrent))) {
      throw new Error('db/schema.ts is not what the migrations give. Run `npm run generate:schema`.');
    }
    console.log('db/schema.ts is current.');
    return;
  }
  await writeFile(SCHEMA_FILE, await withScratchDatabase(serverUrl, schemaText));
  console.log('db/schema.ts written.');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  });
}
