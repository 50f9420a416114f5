/**
 * Gates in the database: a transaction that does a certain thing waits until the test lets it through. So a test stops
 * a worker exactly between two steps, without a sleep and without the product knowing.
 */
import pg from 'pg';

export interface Gate {
  /** Waits until a transaction stands before the gate. */
  someoneWaits(): Promise<boolean>;
  /** Lets everybody through, now and later. */
  open(): Promise<void>;
}

export interface GateKeeper {
  /**
   * Closes a gate in front of rows.
   * @param before `insert` or `update` of rows of a table in `public`
   * @param when condition on `new` (and `old`, for updates) in SQL; literals only
   */
  close(before: 'insert' | 'update', table: string, when: string): Promise<Gate>;
  /** Opens all gates and ends the sessions. */
  end(): Promise<void>;
}

/** @param adminUrl the owner's connection to the test's own database */
export async function createGateKeeper(adminUrl: string): Promise<GateKeeper> {
  const keeper = new pg.Client({ connectionString: adminUrl, application_name: 'gate-keeper' });
  // A test may stop the server; the gates then stand open.
  keeper.on('error', () => {});
  await keeper.connect();
  await keeper.query(`
    create schema gates;
    create function gates.pass() returns trigger language plpgsql as $$
    begin
      perform pg_catalog.pg_advisory_xact_lock_shared(tg_argv[0]::bigint);
      return new;
    end $$`);
  let gates = 0;

  return {
    async close(before, table, when) {
      gates += 1;
      const key = gates;
      await keeper.query(`select pg_advisory_lock(${key})`);
      await keeper.query(
        `create trigger gate_${key} before ${before} on public.${table}
         for each row when (${when}) execute function gates.pass('${key}')`,
      );
      return {
        async someoneWaits() {
          const { rowCount } = await keeper.query(
            `select 1 from pg_locks
             where locktype = 'advisory' and classid = 0 and objid = ${key} and not granted
               and database = (select oid from pg_database where datname = current_database())`,
          );
          return (rowCount ?? 0) > 0;
        },
        async open() {
          await keeper.query(`select pg_advisory_unlock(${key})`);
        },
      };
    },
    async end() {
      await keeper.end().catch(() => {});
    },
  };
}
