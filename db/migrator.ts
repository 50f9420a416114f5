/**
 * Applies migrations/*.sql. One file is one transaction (a new enum value cannot be used in the transaction that adds
 * it); a file whose first line is `-- spark: no-transaction` runs statement by statement without one, for
 * `create index concurrently`, and must be safe to run again. The same files run under the Supabase CLI.
 *
 * Bookkeeping lives in schema `spark_migrations`: what was applied and each file's SHA-256. An edited, applied file is
 * an error. Needs a direct connection of the owner (the lock is a session's).
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type DatabaseIntrospector, Kysely, type Migration, Migrator, PostgresDialect, sql } from 'kysely';
import pg from 'pg';

const BOOKKEEPING_SCHEMA = 'spark_migrations';
const SHIM_FILE = 'shim/supabase.sql';
const NO_TRANSACTION = '-- spark: no-transaction';
/** Waiting longer for a lock would queue every other query behind us. */
const LOCK_TIMEOUT = '1s';
const LOCK_ATTEMPTS = 30;
const LOCK_PAUSE_MS = 500;
const LOGINS = ['spark_api', 'spark_worker'] as const;

export const MIGRATIONS_FOLDER = fileURLToPath(new URL('../migrations', import.meta.url));

export interface MigrateOptions {
  /** Direct connection URL of the owner. */
  url: string;
  /** Folder of the .sql files (default: the product's). */
  folder?: string;
  /** Password given to the logins `spark_api` and `spark_worker`; unchanged when absent. */
  loginPassword?: string;
  /** Told each step as it happens. */
  report?: (message: string) => void;
}

export interface MigrateResult {
  /** True when roles, `auth` and `extensions` had to be made because the server is not a Supabase one. */
  shimApplied: boolean;
  /** Names applied by this call, in order. */
  applied: string[];
  /** Number of files that were applied before. */
  alreadyApplied: number;
}

interface MigrationFile {
  name: string;
  text: string;
  sha256: string;
  noTransaction: boolean;
}

interface Checksums {
  checksums: { name: string; sha256: string };
}

/** Raised when a file that a database already has was edited, renamed or removed. */
export class EditedMigrationError extends Error {
  override readonly name = 'EditedMigrationError';
}

/**
 * Brings a database to the newest version; running it again changes nothing.
 * @throws EditedMigrationError; the database's own error, with the file's name in front.
 */
export async function migrate(options: MigrateOptions): Promise<MigrateResult> {
  const report = options.report ?? (() => {});
  const folder = options.folder ?? MIGRATIONS_FOLDER;
  const files = await readMigrations(folder);
  const db = openForMigrations(options.url);
  try {
    const shimApplied = await applyShim(db, folder);
    if (shimApplied) report('roles and schemas of plain PostgreSQL made');
    await prepareBookkeeping(db);
    const known = await verifyChecksums(db, files);
    const applied: string[] = [];
    for (;;) {
      const name = await applyNext(db, files);
      if (name === undefined) break;
      applied.push(name);
      report(`applied ${name}`);
    }
    if (options.loginPassword !== undefined) await setLoginPasswords(db, options.loginPassword);
    return { shimApplied, applied, alreadyApplied: known };
  } finally {
    await db.destroy();
  }
}

/**
 * Compares a database with the files and changes nothing; for `spark doctor` and /readyz.
 * @returns names not applied yet, and names whose file differs from what was applied.
 */
export async function migrationStatus(
  url: string,
  folder = MIGRATIONS_FOLDER,
): Promise<{ pending: string[]; edited: string[] }> {
  const files = await readMigrations(folder);
  const db = openForMigrations(url);
  try {
    const exists = await sql<{ found: boolean }>`
      select to_regclass(${`${BOOKKEEPING_SCHEMA}.checksums`}) is not null as found`.execute(db);
    if (!exists.rows[0]?.found) return { pending: files.map((file) => file.name), edited: [] };
    const stored = await storedChecksums(db);
    return {
      pending: files.filter((file) => !stored.has(file.name)).map((file) => file.name),
      edited: editedNames(files, stored),
    };
  } finally {
    await db.destroy();
  }
}

function openForMigrations(url: string): Kysely<Checksums> {
  const pool = new pg.Pool({ connectionString: url, max: 3, application_name: 'artist-spark migrate' });
  // The statement under way reports it; without listeners Node would exit.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  return new Kysely<Checksums>({ dialect: new MigrationDialect({ pool }) });
}

/**
 * Before each file the Migrator asks for all schemas and tables to see whether its own are there. With ours beside them
 * that is 0.2 s a file; it gets to see the bookkeeping schema only.
 */
class MigrationDialect extends PostgresDialect {
  override createIntrospector(db: Kysely<unknown>): DatabaseIntrospector {
    const getSchemas = async () => {
      const { rows } = await sql<{ name: string }>`
        select nspname::text as name from pg_namespace where nspname = ${BOOKKEEPING_SCHEMA}`.execute(db);
      return rows;
    };
    const getTables = async () => {
      const { rows } = await sql<{ name: string }>`
        select tablename::text as name from pg_tables where schemaname = ${BOOKKEEPING_SCHEMA}`.execute(db);
      return rows.map(({ name }) => ({
        name,
        schema: BOOKKEEPING_SCHEMA,
        isView: false,
        isForeign: false,
        columns: [],
      }));
    };
    return { getSchemas, getTables, getMetadata: async () => ({ tables: await getTables() }) };
  }
}

async function readMigrations(folder: string): Promise<MigrationFile[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.sql'))
    .map((entry) => entry.name);
  const wrong = names.filter((name) => !/^\d{14}_[a-z0-9_]+\.sql$/.test(name));
  if (wrong.length > 0) {
    throw new Error(`Migrations are named <14 digits>_<snake_case>.sql. Rename: ${wrong.join(', ')}.`);
  }
  return Promise.all(
    names.sort().map(async (name) => {
      // The checksum must not depend on how a checkout writes line ends.
      const text = (await readFile(path.join(folder, name), 'utf8')).replaceAll('\r\n', '\n');
      return {
        name: name.slice(0, -'.sql'.length),
        text,
        sha256: createHash('sha256').update(text).digest('hex'),
        noTransaction: text.startsWith(NO_TRANSACTION),
      };
    }),
  );
}

async function applyShim(db: Kysely<Checksums>, folder: string): Promise<boolean> {
  const text = await readFile(path.join(folder, SHIM_FILE), 'utf8').catch(() => undefined);
  if (text === undefined) return false;
  return withRetries(() =>
    db.transaction().execute(async (trx) => {
      await sql`select pg_advisory_xact_lock(hashtextextended('spark_migrations:shim', 0))`.execute(trx);
      const auth = await sql<{ absent: boolean }>`select to_regnamespace('auth') is null as absent`.execute(
        trx,
      );
      if (!auth.rows[0]?.absent) return false;
      await sql.raw(text).execute(trx);
      return true;
    }),
  );
}

async function prepareBookkeeping(db: Kysely<Checksums>): Promise<void> {
  await withRetries(() =>
    db.transaction().execute(async (trx) => {
      await sql`select pg_advisory_xact_lock(hashtextextended('spark_migrations:bookkeeping', 0))`.execute(
        trx,
      );
      await sql`create schema if not exists spark_migrations`.execute(trx);
      await sql`
        create table if not exists spark_migrations.checksums (
          name text primary key,
          sha256 text not null,
          applied_at timestamptz not null default now()
        )`.execute(trx);
      await sql`revoke all on schema spark_migrations from public`.execute(trx);
    }),
  );
}

async function storedChecksums(db: Kysely<Checksums>): Promise<Map<string, string>> {
  const rows = await db
    .withSchema(BOOKKEEPING_SCHEMA)
    .selectFrom('checksums')
    .select(['name', 'sha256'])
    .execute();
  return new Map(rows.map((row) => [row.name, row.sha256]));
}

function editedNames(files: readonly MigrationFile[], stored: ReadonlyMap<string, string>): string[] {
  const byName = new Map(files.map((file) => [file.name, file.sha256]));
  return [...stored].filter(([name, sha256]) => byName.get(name) !== sha256).map(([name]) => name);
}

async function verifyChecksums(db: Kysely<Checksums>, files: readonly MigrationFile[]): Promise<number> {
  const stored = await storedChecksums(db);
  const edited = editedNames(files, stored);
  if (edited.length > 0) {
    throw new EditedMigrationError(
      `Already applied to this database, but edited, renamed or removed since: ${edited.join(', ')}. ` +
        'Restore the file as it was and put the change into a new migration.',
    );
  }
  return stored.size;
}

/** Thrown inside a transaction that met a file which needs none: another process applied the one before it. */
class OtherMode extends Error {}

/** Applies the next file. @returns its name, or undefined when nothing is left. */
async function applyNext(
  db: Kysely<Checksums>,
  files: readonly MigrationFile[],
): Promise<string | undefined> {
  const stored = await storedChecksums(db);
  const next = files.find((file) => !stored.has(file.name));
  if (!next) return undefined;
  return withRetries(async () => {
    const migrator = new Migrator({
      db,
      provider: {
        getMigrations: async () =>
          Object.fromEntries(files.map((file) => [file.name, migrationOf(file, next.noTransaction)])),
      },
      migrationTableSchema: BOOKKEEPING_SCHEMA,
      migrationTableName: 'applied',
      migrationLockTableName: 'lock',
      // Names are digits first; the default comparison depends on the process's locale.
      nameComparator: (a, b) => (a < b ? -1 : a > b ? 1 : 0),
      disableTransactions: next.noTransaction,
    });
    const { error, results } = await migrator.migrateUp();
    if (error instanceof OtherMode) return applyNext(db, files);
    if (error !== undefined) throw named(error, results?.[0]?.migrationName ?? next.name);
    // Another process may have applied everything while we waited for the lock.
    return results?.[0]?.migrationName;
  });
}

function migrationOf(file: MigrationFile, withoutTransaction: boolean): Migration {
  return {
    async up(db: Kysely<Checksums>) {
      if (file.noTransaction !== withoutTransaction) throw new OtherMode();
      await sql`select set_config('lock_timeout', ${LOCK_TIMEOUT}, ${!file.noTransaction})`.execute(db);
      if (file.noTransaction) {
        for (const statement of statements(file.text)) await sql.raw(statement).execute(db);
        await sql`reset lock_timeout`.execute(db);
      } else {
        await sql.raw(file.text).execute(db);
      }
      await db
        .withSchema(BOOKKEEPING_SCHEMA)
        .insertInto('checksums')
        .values({ name: file.name, sha256: file.sha256 })
        .onConflict((conflict) => conflict.column('name').doUpdateSet({ sha256: file.sha256 }))
        .execute();
    },
  };
}

/** Statements of a no-transaction file: each ends with `;` at the end of a line. */
function statements(text: string): string[] {
  return text
    .split(/;[ \t]*(?:\n|$)/)
    .map((statement) => statement.replace(/^\s*(--[^\n]*(\n|$)\s*)*/, '').trim())
    .filter((statement) => statement !== '');
}

function named(error: unknown, migration: string): unknown {
  if (error instanceof Error && !error.message.startsWith(migration)) {
    error.message = `${migration}: ${error.message}`;
  }
  return error;
}

/** lock_not_available, deadlock_detected, and "tuple concurrently updated" of catalogs shared by all databases. */
function isTransient(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false;
  if (error.code === '55P03' || error.code === '40P01') return true;
  return error.code === 'XX000' && /concurrently updated/.test(error.message);
}

async function withRetries<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!isTransient(error) || tried >= LOCK_ATTEMPTS) throw error;
      // Leaves room for the transactions that queued behind our attempt.
      await delay(LOCK_PAUSE_MS);
    }
  }
}

async function setLoginPasswords(db: Kysely<Checksums>, password: string): Promise<void> {
  for (const login of LOGINS) {
    await withRetries(() =>
      sql.raw(`alter role ${login} with login password ${pg.escapeLiteral(password)}`).execute(db),
    );
  }
}
