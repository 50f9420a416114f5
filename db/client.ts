/**
 * Connections. Three logins, three ways in: `withCaller` (the API, as the person or key that asked), `withOrg` (the
 * worker, one org) and `asOwner` (migrations, org creation, doctor). Each is one transaction whose settings end with it.
 */
import { Kysely, PostgresDialect, sql, Transaction } from 'kysely';
import pg from 'pg';
import type { DB } from './schema.js';

export type { DB } from './schema.js';

/** A pool that is not in a transaction. */
export type Db = Kysely<DB>;
/** An open transaction. */
export type Trx = Transaction<DB>;
/** What repositories take first: they run inside the caller's transaction, or alone. */
export type Queryable = Kysely<DB> | Transaction<DB>;

/** Who asks, as the policies see it. */
export interface Caller {
  /** Verified token claims: `sub` and `email` of a person, or `org_id` and `scopes` of an API key. */
  claims: Readonly<Record<string, unknown>>;
  /** The org this request works for; null only where no org is chosen yet (listing one's own orgs). */
  orgId: string | null;
  /** The database role whose policies and grants apply. */
  role: 'authenticated' | 'spark_integrator';
}

export interface DatabaseOptions {
  /** Largest number of connections (default 10). */
  max?: number;
  /** Shown in pg_stat_activity. */
  applicationName?: string;
  /** A statement that runs longer is cancelled (milliseconds; default none). */
  statementTimeoutMs?: number;
  /** Waiting longer than this for a connection, new or from the full pool, fails (milliseconds; default none). */
  connectTimeoutMs?: number;
  /** Told about connections that break between statements, which must not end the process. */
  onIdleError?: (error: Error) => void;
}

const OID = {
  int8: 20,
  date: 1082,
  numeric: 1700,
  int8Array: 1016,
  dateArray: 1182,
  numericArray: 1231,
};

/** Typed as a plain number: the driver's list of ids has no arrays. */
const TEXT_ARRAY_OID: number = 1009;

/**
 * How values arrive: `bigint` and `numeric` as numbers (a count beyond 2^53 is an error, never rounded), `date` as
 * 'YYYY-MM-DD' (a Date would move with the process's time zone), `timestamptz` as Date.
 */
function typeParsers(): pg.CustomTypesConfig {
  const types = new pg.TypeOverrides();
  const parseTextArray: (value: string) => (string | null)[] = pg.types.getTypeParser(TEXT_ARRAY_OID);
  const array =
    <T>(item: (text: string) => T) =>
    (value: string): (T | null)[] =>
      parseTextArray(value).map((text) => (text === null ? null : item(text)));
  const text = (value: string) => value;
  types.setTypeParser(OID.int8, safeInteger);
  types.setTypeParser(OID.int8Array, array(safeInteger));
  types.setTypeParser(OID.numeric, Number);
  types.setTypeParser(OID.numericArray, array(Number));
  types.setTypeParser(OID.date, text);
  types.setTypeParser(OID.dateArray, array(text));
  return types;
}

function safeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) {
    throw new RangeError(`The database returned the integer ${text}, which a number cannot hold exactly.`);
  }
  return value;
}

/** Settings of every pool of ours for one connection URL. */
export function poolConfig(url: string, options: DatabaseOptions = {}): pg.PoolConfig {
  return {
    connectionString: url,
    max: options.max ?? 10,
    application_name: options.applicationName ?? 'artist-spark',
    types: typeParsers(),
    ...(options.statementTimeoutMs === undefined ? {} : { statement_timeout: options.statementTimeoutMs }),
    ...(options.connectTimeoutMs === undefined ? {} : { connectionTimeoutMillis: options.connectTimeoutMs }),
  };
}

/**
 * Opens a pool. Nothing is connected until the first query; close it with `db.destroy()`.
 * @param url connection URL of one login.
 */
export function createDatabase(url: string, options: DatabaseOptions = {}): Db {
  const pool = new pg.Pool(poolConfig(url, options));
  // A server restart breaks connections; the pool replaces them, and without listeners Node would exit. The pool itself
  // listens to idle ones only: one that breaks between two statements of a transaction would still end the process.
  const onError = options.onIdleError ?? (() => {});
  pool.on('connect', (client) => client.on('error', onError));
  // Repeats what the connection's own listener was told.
  pool.on('error', () => {});
  return new Kysely<DB>({ dialect: new PostgresDialect({ pool }) });
}

/**
 * Runs `fn` in one transaction of the worker, scoped to an org: row-level security shows this org's rows only, so a
 * forgotten `where org_id` finds nothing instead of another tenant.
 */
export function withOrg<T>(workerDb: Db, orgId: string, fn: (trx: Trx) => Promise<T>): Promise<T> {
  return transact(workerDb, [['app.org_id', orgId]], fn);
}

/**
 * Runs `fn` in one transaction of the API as the caller: role, claims and org are set in the same round trip that
 * begins the transaction, and end with it, whether it commits or fails. Nothing is retried.
 */
export function withCaller<T>(apiDb: Db, caller: Caller, fn: (trx: Trx) => Promise<T>): Promise<T> {
  return transact(
    apiDb,
    [
      ['app.org_id', caller.orgId ?? ''],
      ['request.jwt.claims', JSON.stringify({ ...caller.claims, role: caller.role })],
      ['role', caller.role],
    ],
    fn,
  );
}

/** Runs `fn` in one transaction of the owner, who passes by row-level security: migrations, org creation, doctor. */
export function asOwner<T>(ownerDb: Db, fn: (trx: Trx) => Promise<T>): Promise<T> {
  return transact(ownerDb, [], fn);
}

/**
 * Inside `withCaller`: lets the rest of the transaction run as the login instead of the caller, to call the private
 * functions that only the login may execute (audit, idempotency, commands). The org stays set.
 */
export async function leaveCallerRole(trx: Trx): Promise<void> {
  await sql`select set_config('role', 'none', true)`.execute(trx);
}

type Setting = readonly [name: string, value: string];

async function transact<T>(db: Db, settings: readonly Setting[], fn: (trx: Trx) => Promise<T>): Promise<T> {
  return db.connection().execute(async (connection) => {
    try {
      await sql.raw(`begin${settingsClause(settings)}`).execute(connection);
      const result = await fn(transactionOn(connection));
      // `commit` of a failed transaction answers ROLLBACK without an error. If `fn` swallowed a database error, the
      // statement in front raises it here, so that lost work is never reported as done. It checks early what `commit`
      // would check, and unlike a select it is neither planned nor answered with rows.
      await sql.raw('set constraints all immediate; commit').execute(connection);
      return result;
    } catch (error) {
      // On a broken connection the rollback fails too; the server has rolled back by itself, the first error tells more.
      await sql
        .raw('rollback')
        .execute(connection)
        .catch(() => {});
      throw error;
    }
  });
}

/** One simple-protocol text, hence one round trip; values are escaped literals because that protocol has no parameters. */
function settingsClause(settings: readonly Setting[]): string {
  const literals = settings.map(([name, value]) => {
    if (value.includes('\0')) throw new RangeError(`The setting ${name} must not contain a NUL character.`);
    return [name, pg.escapeLiteral(value)] as const;
  });
  const [only, ...others] = literals;
  if (only === undefined) return '';
  // One alone is set without a query that is planned and answered; several cost one such query together.
  if (others.length === 0) return `; set local ${only[0]} = ${only[1]}`;
  const calls = literals.map(([name, value]) => `set_config(${pg.escapeLiteral(name)}, ${value}, true)`);
  return `; select ${calls.join(', ')}`;
}

/**
 * A Transaction over a connection whose transaction we have begun ourselves, so that code inside cannot begin a
 * second one on it.
 */
function transactionOn(connection: Kysely<DB>): Trx {
  return new Transaction<DB>({
    config: { dialect: connectionOnlyDialect },
    dialect: connectionOnlyDialect,
    driver: connectionOnlyDialect.createDriver(),
    executor: connection.getExecutor(),
  });
}

/** Never opens a connection: the executor of a Transaction has its own. */
const connectionOnlyDialect = new PostgresDialect({
  pool: async () => {
    throw new Error('A transaction runs on its own connection only.');
  },
});
