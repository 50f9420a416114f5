/** Transactions of API, worker and owner: what they set ends with them, and lost work is never reported as done. */
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../test/support/database.js';
import {
  asOwner,
  type Caller,
  createDatabase,
  type Db,
  leaveCallerRole,
  type Queryable,
  withCaller,
  withOrg,
} from './client.js';

const ORG = '6b1f1c5e-0000-4000-8000-000000000001';
const caller: Caller = {
  claims: { sub: '6b1f1c5e-0000-4000-8000-000000000002', name: `O'Hara \\ "x"; select 1; --` },
  orgId: ORG,
  role: 'authenticated',
};

let database: TestDatabase;
let api: Db;
let worker: Db;
let owner: Db;

beforeAll(async () => {
  database = await createTestDatabase();
  // One connection each: whatever a transaction leaves behind is seen by the next one.
  api = createDatabase(database.apiUrl, { max: 1, applicationName: 'client test' });
  worker = createDatabase(database.workerUrl, { max: 1 });
  owner = createDatabase(database.adminUrl, { max: 1 });
});
afterAll(async () => {
  for (const db of [api, worker, owner]) await db?.destroy();
  await database?.drop();
});

interface State {
  role: string;
  org: string;
  claims: string;
}

async function stateOf(db: Queryable): Promise<State> {
  const { rows } = await sql<State>`
    select current_user as role, coalesce(current_setting('app.org_id', true), '') as org,
           coalesce(current_setting('request.jwt.claims', true), '') as claims`.execute(db);
  const state = rows[0];
  if (state === undefined) throw new Error('no row');
  return state;
}

describe('withCaller', () => {
  it('sets role, claims and org for the transaction, whatever the claims contain', async () => {
    const inside = await withCaller(api, caller, stateOf);
    expect(inside).toMatchObject({ role: 'authenticated', org: ORG });
    expect(JSON.parse(inside.claims)).toEqual({ ...caller.claims, role: 'authenticated' });
    expect(await stateOf(api)).toEqual({ role: 'spark_api', org: '', claims: '' });
  });

  it('resets everything after an error of ours and of the database', async () => {
    const failures: ((db: Queryable) => Promise<unknown>)[] = [
      () => Promise.reject(new Error('ours')),
      (trx) => sql`select 1 / 0`.execute(trx),
    ];
    for (const failure of failures) {
      await expect(withCaller(api, caller, failure)).rejects.toThrow();
      expect(await stateOf(api)).toEqual({ role: 'spark_api', org: '', claims: '' });
    }
  });

  it('begins and sets everything in one round trip', async () => {
    const statements: string[] = [];
    const logged = createDatabase(database.apiUrl, { max: 1 });
    try {
      const spied = logged.withPlugin({
        transformQuery: ({ node }) => {
          if (node.kind === 'RawNode') statements.push(node.sqlFragments.join('?'));
          return node;
        },
        transformResult: async ({ result }) => result,
      });
      await withCaller(spied, caller, async () => {});
    } finally {
      await logged.destroy();
    }
    expect(statements).toHaveLength(2);
    expect(statements[0]).toMatch(/^begin; select set_config\(.*set_config\(.*set_config\(/);
  });

  it('without an org leaves the org open', async () => {
    expect(await withCaller(api, { ...caller, orgId: null }, stateOf)).toMatchObject({ org: '' });
  });

  it('lets the API leave the caller’s role and keeps the org', async () => {
    const state = await withCaller(api, caller, async (trx) => {
      await leaveCallerRole(trx);
      return stateOf(trx);
    });
    expect(state).toMatchObject({ role: 'spark_api', org: ORG });
  });

  it('refuses a NUL character, which a literal cannot hold', async () => {
    await expect(withCaller(api, { ...caller, orgId: 'a\0b' }, stateOf)).rejects.toThrow(RangeError);
    expect(await stateOf(api)).toMatchObject({ role: 'spark_api' });
  });
});

describe('withOrg and asOwner', () => {
  it('scope the worker to one org, and the owner to none', async () => {
    expect(await withOrg(worker, ORG, stateOf)).toEqual({ role: 'spark_worker', org: ORG, claims: '' });
    expect(await stateOf(worker)).toMatchObject({ org: '' });
    expect(await asOwner(owner, stateOf)).toMatchObject({ org: '' });
  });

  it('commit what they did, and nothing after an error', async () => {
    const insert = (db: Queryable, key: string) =>
      db
        .insertInto('soundcloud_rate_buckets')
        .values({ key, tokens: 1, capacity: 1, refill_per_second: 1, filled_at: new Date() })
        .execute();
    await asOwner(owner, (trx) => insert(trx, 'kept'));
    await expect(
      asOwner(owner, async (trx) => {
        await insert(trx, 'lost');
        throw new Error('after the insert');
      }),
    ).rejects.toThrow('after the insert');
    // An error that is swallowed inside has undone everything before it: that must not look like success.
    await expect(
      asOwner(owner, async (trx) => {
        await insert(trx, 'lost too');
        await insert(trx, 'kept').catch(() => {});
      }),
    ).rejects.toMatchObject({ code: '25P02' });
    const rows = await owner.selectFrom('soundcloud_rate_buckets').select('key').execute();
    expect(rows).toEqual([{ key: 'kept' }]);
  });

  it('do not nest', async () => {
    await expect(asOwner(owner, (trx) => trx.transaction().execute(async () => {}))).rejects.toThrow(
      /transaction/,
    );
  });

  it('go on after the server has dropped the connection', async () => {
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(worker);
    await expect(
      withOrg(worker, ORG, async (trx) => {
        await sql`select pg_terminate_backend(${rows[0]?.pid})`.execute(owner);
        await sql`select 1`.execute(trx);
      }),
    ).rejects.toThrow();
    expect(await withOrg(worker, ORG, stateOf)).toMatchObject({ org: ORG });
  });
});

describe('values', () => {
  it('arrive as numbers, dates as text, instants as Date', async () => {
    const { rows } = await sql`
      select 9007199254740991::bigint as count, 12.50::numeric as price, date '2026-03-29' as day,
             array[1, 2]::bigint[] as counts, array[date '2026-03-29', null] as days,
             timestamptz '2026-03-29 01:30:00+00' as at, null::bigint as nothing`.execute(owner);
    expect(rows).toEqual([
      {
        count: 9007199254740991,
        price: 12.5,
        day: '2026-03-29',
        counts: [1, 2],
        days: ['2026-03-29', null],
        at: new Date('2026-03-29T01:30:00Z'),
        nothing: null,
      },
    ]);
  });

  it('that a number cannot hold are an error, never rounded', async () => {
    await expect(sql`select 9007199254740993::bigint as count`.execute(owner)).rejects.toThrow(/exactly/);
  });
});
