/** A database with the two orgs, their people and every sample row; what the catalogue says of it; attempts in it. */
import pg from 'pg';
import { createTestDatabase } from '../support/database.js';
import { type Actor, become } from './actors.js';
import { seedSamples } from './samples.js';
import { createPeople } from './world.js';

export type Privilege = 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE';

export interface RlsWorld {
  /** Superuser; the tests take other roles inside transactions that are rolled back. */
  owner: pg.Client;
  /** Connection URLs of the two logins. */
  apiUrl: string;
  workerUrl: string;
  /** table → its columns */
  columns: ReadonlyMap<string, string[]>;
  /** table → columns of its primary key */
  keys: ReadonlyMap<string, string[]>;
  /** Columns of a table that a role may use; for DELETE all or none. */
  mayUse(role: string, table: string, privilege: Privilege): ReadonlySet<string>;
  /** Tables whose rows belong to an org. */
  tenantTables: readonly string[];
  close(): Promise<void>;
}

export async function openRlsWorld(): Promise<RlsWorld> {
  const database = await createTestDatabase();
  const owner = new pg.Client({ connectionString: database.adminUrl });
  await owner.connect();
  const { columns, keys } = await readTables(owner);
  const granted = await readColumnGrants(owner);
  await owner.query('set session_replication_role = replica');
  await createPeople(owner);
  await seedSamples(owner, [...columns.keys()]);
  await owner.query('reset session_replication_role');
  return {
    owner,
    apiUrl: database.apiUrl,
    workerUrl: database.workerUrl,
    columns,
    keys,
    mayUse: (role, table, privilege) => granted.get(`${role} ${table} ${privilege}`) ?? new Set(),
    tenantTables: [...columns].filter(([, names]) => names.includes('org_id')).map(([table]) => table),
    close: async () => {
      await owner.end();
      await database.drop();
    },
  };
}

async function readTables(owner: pg.Client) {
  const found = await owner.query<{ table: string; columns: string[]; key: string[] }>(`
    select c.relname as table,
           array_agg(a.attname::text order by a.attnum) as columns,
           array_agg(a.attname::text order by a.attnum) filter (where a.attnum = any (k.conkey)) as key
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'public'
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    left join pg_constraint k on k.conrelid = c.oid and k.contype = 'p'
    where c.relkind in ('r', 'p')
    group by c.relname
    order by c.relname`);
  return {
    columns: new Map(found.rows.map((row) => [row.table, row.columns])),
    keys: new Map(found.rows.map((row) => [row.table, row.key ?? []])),
  };
}

async function readColumnGrants(owner: pg.Client): Promise<Map<string, Set<string>>> {
  const found = await owner.query<{ role: string; table: string; privilege: string; columns: string[] }>(`
    select r.role, c.relname as table, p.privilege, array_agg(a.attname::text order by a.attnum) as columns
    from unnest(array['anon', 'authenticated', 'service_role', 'spark_integrator', 'spark_planner', 'spark_worker', 'spark_api'])
      as r (role)
    cross join unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE']) as p (privilege)
    cross join pg_class c
    join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'public' and c.relkind in ('r', 'p')
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where case p.privilege
      when 'DELETE' then has_table_privilege(r.role, c.oid, 'DELETE')
      else has_column_privilege(r.role, c.oid, a.attnum, p.privilege)
    end
    group by 1, 2, 3`);
  return new Map(
    found.rows.map((row) => [`${row.role} ${row.table} ${row.privilege}`, new Set(row.columns)]),
  );
}

export interface AttemptOptions {
  /** SQL that the owner runs first, in the same transaction. */
  before?: string;
  /** SQL that the owner runs after it, in the same transaction; its result is the answer then. */
  after?: string;
  /** SQLSTATEs that are refusals (default: insufficient privilege). */
  refusals?: readonly string[];
}

export type Attempted = pg.QueryResult | 'denied';

/** Runs a statement as the actor and rolls it back. @throws Error for an error that is no refusal */
export async function attempt(
  world: RlsWorld,
  actor: Actor,
  statement: string,
  { before = '', after = '', refusals = ['42501'] }: AttemptOptions = {},
): Promise<Attempted> {
  const asOwner = after === '' ? '' : `reset role; ${after};`;
  try {
    const results = (await world.owner.query(
      `begin; ${before}; ${become(actor)} ${statement}; ${asOwner} rollback`,
    )) as unknown as pg.QueryResult[];
    const result = results.at(-2);
    if (result === undefined) throw new Error('No result.');
    return result;
  } catch (error) {
    await world.owner.query('rollback');
    if (error instanceof pg.DatabaseError && refusals.includes(error.code ?? '')) return 'denied';
    throw new Error(`${statement}\n${String(error)}`, { cause: error });
  }
}

/** How many rows a statement returned or touched. */
export const touched = (result: Attempted) => (result === 'denied' ? 0 : (result.rowCount ?? 0));
