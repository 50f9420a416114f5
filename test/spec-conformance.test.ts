/** The spec's tables, columns, types, defaults, enums, functions, indexes and queries, against the database. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase } from '../db/client.js';
import { createOrg } from '../db/setup.js';
import {
  type CatalogColumn,
  type CatalogForeignKey,
  type CatalogIndex,
  columnsOf,
  foreignKeysOf,
  indexesOf,
} from './spec/catalog.js';
import {
  ADDED_COLUMNS,
  ADDED_ENUM_VALUES,
  ADDED_TABLES,
  ADDED_UNIQUES,
  ADDED_VALUES,
  CHANGED_DEFAULTS,
  DROPPED_DEFAULTS,
  REQUIRED_BEYOND_SPEC,
} from './spec/deltas.js';
import { SPEC_ENUMS, SPEC_FUNCTIONS, SPEC_QUERIES, SPEC_TABLES, SPEC_UNNAMED_INDEXES } from './spec/spec.js';
import { createTestDatabase, type TestDatabase } from './support/database.js';

let database: TestDatabase;
let client: pg.Client;
let columns: Map<string, CatalogColumn>;
/** The spec's columns as PostgreSQL itself writes them: made as tables of a schema beside ours. */
let wanted: Map<string, CatalogColumn>;
let foreignKeys: CatalogForeignKey[];
let indexes: CatalogIndex[];

const keyed = (list: CatalogColumn[]) =>
  new Map(list.map((column) => [`${column.table}.${column.name}`, column]));

beforeAll(async () => {
  database = await createTestDatabase();
  client = new pg.Client({ connectionString: database.adminUrl });
  await client.connect();
  await client.query('create schema spec_as_written');
  for (const table of SPEC_TABLES) {
    const definitions = table.columns.map(
      (column) => `"${column.name}" ${column.type}${column.default ? ` default ${column.default}` : ''}`,
    );
    await client.query(`create table spec_as_written.${table.name} (${definitions.join(', ')})`);
  }
  columns = keyed(await columnsOf(client, 'public'));
  wanted = keyed(await columnsOf(client, 'spec_as_written'));
  foreignKeys = await foreignKeysOf(client);
  indexes = await indexesOf(client);
});

afterAll(async () => {
  await client?.end();
  await database?.drop();
});

const specColumns = SPEC_TABLES.flatMap((table) =>
  table.columns.map((column) => ({ ...column, table: table.name, id: `${table.name}.${column.name}` })),
);

describe('the spec is in the database', () => {
  it('every table and column, with its type', () => {
    const missing = specColumns.flatMap(({ id }) => {
      const found = columns.get(id);
      if (found === undefined) return [`${id} is missing`];
      const type = wanted.get(id)?.type;
      return found.type === type ? [] : [`${id} is ${found.type}, the spec says ${type}`];
    });
    expect(missing).toEqual([]);
  });

  it('every default', () => {
    const wrong = specColumns.flatMap(({ id, primaryKey }) => {
      const found = columns.get(id)?.default ?? null;
      // The spec's "PRIMARY KEY" of a uuid column means a generated one.
      const expected = primaryKey
        ? 'gen_random_uuid()'
        : DROPPED_DEFAULTS.includes(id)
          ? null
          : (CHANGED_DEFAULTS[id] ?? wanted.get(id)?.default ?? null);
      return sameExpression(found, expected) ? [] : [`${id} defaults to ${found}, not ${expected}`];
    });
    expect(wrong).toEqual([]);
  });

  it('every NOT NULL, and beyond the spec only where listed', () => {
    const wrong = specColumns.flatMap((column) => {
      const required = columns.get(column.id)?.not_null;
      const expected =
        column.primaryKey === true ||
        column.notNull === true ||
        column.name === 'org_id' ||
        (column.default !== undefined && !DROPPED_DEFAULTS.includes(column.id)) ||
        REQUIRED_BEYOND_SPEC.includes(column.id);
      return required === expected ? [] : [`${column.id} is ${required ? '' : 'not '}required`];
    });
    expect(wrong).toEqual([]);
  });

  it('every reference, composite between tenant tables', () => {
    const missing = specColumns.flatMap(({ id, table, name, references }) => {
      if (references === undefined) return [];
      const tenant = references.startsWith('soundcloud_');
      const found = foreignKeys.some(
        (key) =>
          key.table === table &&
          key.target === references &&
          key.columns.join() === (tenant ? `org_id,${name}` : name) &&
          key.target_columns.join() === (tenant ? 'org_id,id' : 'id'),
      );
      return found ? [] : [`${id} does not reference ${references}`];
    });
    expect(missing).toEqual([]);
  });

  it('every unique constraint, per org', () => {
    const missing = SPEC_TABLES.flatMap((table) =>
      (table.unique ?? [])
        .filter((unique) => !hasUnique(table.name, ['org_id', ...unique]))
        .map((unique) => `${table.name} (org_id, ${unique.join(', ')})`),
    );
    expect(missing).toEqual([]);
  });

  it('every named index', () => {
    const missing = SPEC_TABLES.flatMap((table) =>
      (table.indexes ?? []).flatMap((index) => {
        const found = indexes.find((candidate) => candidate.name === index.name);
        if (found === undefined) return [`${index.name} is missing`];
        const same =
          found.table === table.name &&
          found.method === (index.method ?? 'btree') &&
          !found.partial &&
          found.columns.map(unquoted).join() === index.columns.join();
        return same ? [] : [`${index.name} is on ${found.table} ${found.method} (${found.columns.join()})`];
      }),
    );
    expect(missing).toEqual([]);
  });

  it('the indexes it asks for without naming them: arrays, dates, statuses, foreign keys', () => {
    const first = (table: string, column: string, method = 'btree') =>
      indexes.some(
        (index) =>
          index.table === table &&
          index.method === method &&
          unquoted(index.columns[0] ?? '').startsWith(column),
      );
    const missing = [
      ...SPEC_UNNAMED_INDEXES.filter((index) => !first(index.table, index.column, index.method)).map(
        (index) => `${index.table}.${index.column}`,
      ),
      ...specColumns
        .filter((column) => column.name === 'status' && !first(column.table, 'status'))
        .map((column) => column.id),
      ...foreignKeys
        .filter(
          (key) =>
            key.table.startsWith('soundcloud_') &&
            !indexes.some(
              (index) =>
                index.table === key.table &&
                index.columns.slice(0, key.columns.length).map(unquoted).sort().join() ===
                  [...key.columns].sort().join(),
            ),
        )
        .map((key) => `${key.table} (${key.columns.join()})`),
    ];
    expect(missing).toEqual([]);
  });

  it('every enum with its values in order', async () => {
    const { rows } = await client.query<{ name: string; values: string[] }>(
      `select t.typname as name, array_agg(e.enumlabel::text order by e.enumsortorder) as values
         from pg_type t join pg_enum e on e.enumtypid = t.oid
        where t.typnamespace = 'public'::regnamespace group by t.typname order by t.typname`,
    );
    const expected = SPEC_ENUMS.map((type) => ({
      name: type.name,
      values: [...type.values, ...(ADDED_ENUM_VALUES[type.name] ?? [])],
    })).sort((a, b) => (a.name < b.name ? -1 : 1));
    expect(expected).toHaveLength(12);
    expect(rows).toEqual(expected);
  });

  it('every fixed set of values of a text column', async () => {
    for (const { id, table, name, values } of specColumns) {
      if (values === undefined) continue;
      const { rows } = await client.query<{ definition: string }>(
        `select pg_get_constraintdef(c.oid) as definition from pg_constraint c
          where c.contype = 'c' and c.conrelid = ('public.' || $1)::regclass
            and c.conkey = array(select attnum from pg_attribute where attrelid = c.conrelid and attname = $2)`,
        [table, name],
      );
      const allowed = rows.flatMap(({ definition }) =>
        [...definition.matchAll(/'([^']*)'/g)].map((match) => match[1]),
      );
      expect(new Set(allowed), id).toEqual(new Set([...values, ...(ADDED_VALUES[id] ?? [])]));
    }
  });

  it('every named check constraint', async () => {
    for (const table of SPEC_TABLES) {
      for (const check of table.checks ?? []) {
        const { rows } = await client.query<{ definition: string }>(
          `select pg_get_expr(conbin, conrelid) as definition from pg_constraint
            where conname = $1 and conrelid = ('public.' || $2)::regclass`,
          [check.name, table.name],
        );
        expect(rows, check.name).toEqual([{ definition: `(${check.expression})` }]);
      }
    }
  });

  it('every function with its arguments, result and security', async () => {
    for (const wantedFunction of SPEC_FUNCTIONS) {
      const { rows } = await client.query(
        `select p.proname as name, pg_get_function_arguments(p.oid) as arguments,
                pg_get_function_result(p.oid) as returns, p.prosecdef as definer
           from pg_proc p where p.pronamespace = 'public'::regnamespace and p.proname = $1`,
        [wantedFunction.name],
      );
      expect(rows).toEqual([wantedFunction]);
    }
  });

  it('updated_at is kept by update_updated_at_column() on every table that has it', async () => {
    const { rows } = await client.query<{ table: string }>(
      `select c.relname as table from pg_trigger t
         join pg_class c on c.oid = t.tgrelid
         join pg_proc p on p.oid = t.tgfoid and p.proname = 'update_updated_at_column'
        where c.relnamespace = 'public'::regnamespace`,
    );
    const expected = [...columns.values()].filter((column) => column.name === 'updated_at');
    expect(rows.map((row) => row.table).sort()).toEqual(expected.map((column) => column.table).sort());
  });
});

describe('nothing but the listed changes is beside it', () => {
  it('tables and columns', () => {
    const known = new Set([
      ...specColumns.map((column) => column.id),
      ...Object.entries(ADDED_COLUMNS).flatMap(([table, names]) => names.map((name) => `${table}.${name}`)),
    ]);
    const added = [...columns.values()].filter(
      (column) => !ADDED_TABLES.includes(column.table) && !known.has(`${column.table}.${column.name}`),
    );
    expect(added.map((column) => `${column.table}.${column.name}`)).toEqual([]);
    const absent = [...known].filter((id) => !columns.has(id));
    expect(absent).toEqual([]);
    const present = new Set([...columns.values()].map((column) => column.table));
    expect(ADDED_TABLES.filter((table) => !present.has(table))).toEqual([]);
  });

  it('unique constraints of the spec tables', () => {
    const extra = SPEC_TABLES.flatMap((table) => {
      const allowed = [
        // The target of composite references.
        ['id'],
        ...(table.unique ?? []),
        ...(ADDED_UNIQUES[table.name] ?? []),
      ].map((unique) => ['org_id', ...unique].join());
      return indexes
        .filter((index) => index.table === table.name && index.unique && !index.primary)
        .map((index) => index.columns.map(unquoted).join())
        .filter((unique) => !allowed.includes(unique) && unique !== 'tracking_token')
        .map((unique) => `${table.name} (${unique})`);
    });
    expect(extra).toEqual([]);
  });

  it('every table with rows of an org has a required org_id', () => {
    const global = ['soundcloud_clock', 'soundcloud_provider_tokens', 'soundcloud_rate_buckets'];
    const tables = new Set([...columns.values()].map((column) => column.table));
    const without = [...tables].filter(
      (table) => !global.includes(table) && columns.get(`${table}.org_id`)?.not_null !== true,
    );
    expect(without).toEqual([]);
  });

  it('no reference between tenant tables goes by id alone, and none empties org_id', () => {
    const wrong = foreignKeys.filter((key) => {
      if (!key.table.startsWith('soundcloud_')) return false;
      if (key.target.startsWith('soundcloud_')) {
        if (key.columns[0] !== 'org_id' || key.target_columns.join() !== 'org_id,id') return true;
        return key.on_delete === 'n'
          ? key.set_null_columns?.join() !== key.columns[1]
          : !['a', 'r'].includes(key.on_delete);
      }
      return false;
    });
    expect(wrong).toEqual([]);
  });

  it('no index is the beginning of another, but those the spec names', () => {
    const named = new Set(SPEC_TABLES.flatMap((table) => (table.indexes ?? []).map((index) => index.name)));
    const statuses = new Set(['status']);
    const whole = indexes.filter((index) => !index.partial && index.method === 'btree');
    const redundant = whole.filter(
      (index) =>
        !index.unique &&
        !named.has(index.name) &&
        !statuses.has(index.columns.join()) &&
        whole.some(
          (other) =>
            other !== index &&
            other.table === index.table &&
            other.columns.length >= index.columns.length &&
            index.columns.every((column, position) => other.columns[position] === column),
        ),
    );
    expect(redundant.map((index) => index.name)).toEqual([]);
  });
});

describe('the spec’s common queries', () => {
  const ids = {
    member_id: '00000000-0000-4000-8000-000000000001',
    campaign_id: '00000000-0000-4000-8000-000000000002',
  };

  beforeAll(async () => {
    const db = createDatabase(database.adminUrl);
    const { orgId } = await createOrg(db, { name: 'Common queries', adminEmail: 'admin@network.test' });
    await db.destroy();
    await client.query(
      `insert into soundcloud_members (id, org_id, name, soundcloud_followers) values ($2, $1, 'Low Tide', 2500)`,
      [orgId, ids.member_id],
    );
    const { rows } = await client.query(
      `insert into soundcloud_submissions (org_id, member_id, track_url, artist_name)
       values ($1, $2, 'https://soundcloud.com/low-tide/harbour', 'Low Tide') returning id`,
      [orgId, ids.member_id],
    );
    await client.query(
      `with queue as (
         insert into soundcloud_queues (org_id, date, status) values ($1, current_date, 'published') returning id
       )
       insert into soundcloud_queue_assignments (org_id, queue_id, submission_id, supporter_id, position)
       select $1, queue.id, $2, $3, 1 from queue`,
      [orgId, rows[0].id, ids.member_id],
    );
    await client.query(
      `insert into soundcloud_campaigns (id, org_id, artist_name, track_name, track_url)
       values ($2, $1, 'Low Tide', 'Harbour', 'https://soundcloud.com/low-tide/harbour')`,
      [orgId, ids.campaign_id],
    );
    await client.query(
      `insert into soundcloud_attribution_snapshots (org_id, parent_type, parent_id, day_index, snapshot_date, plays)
       select $1, 'campaign', $2, day, date '2026-03-01' + day, 100 + 10 * day from generate_series(0, 2) day`,
      [orgId, ids.campaign_id],
    );
  });

  const expected: Record<string, unknown[]> = {
    'Get Member Credit Balance': [{ balance: 1, monthly_grant: 1, cap: 6 }],
    "Get Member's Recent Submissions": [
      expect.objectContaining({ member_name: 'Low Tide', status: 'new', submitted_at: expect.any(Date) }),
    ],
    "Get Today's Queue Assignments for Member": [
      expect.objectContaining({ artist_name: 'Low Tide', position: 1, status: 'assigned' }),
    ],
    'Get Campaign Performance Metrics': [0, 1, 2].map((day) =>
      expect.objectContaining({ day_index: day, plays: 100 + 10 * day, likes: null }),
    ),
    'Calculate Daily Deltas': [
      { day_index: 1, plays: 110, daily_plays: 10 },
      { day_index: 2, plays: 120, daily_plays: 10 },
    ],
  };

  it.each(SPEC_QUERIES)('$name', async ({ name, sql }) => {
    const names: string[] = [];
    const text = sql.replace(/:(\w+)/g, (_, parameter: string) => {
      if (!names.includes(parameter)) names.push(parameter);
      return `$${names.indexOf(parameter) + 1}`;
    });
    const { rows } = await client.query(
      text,
      names.map((parameter) => ids[parameter as keyof typeof ids]),
    );
    expect(rows).toEqual(expected[name]);
  });
});

function hasUnique(table: string, names: string[]): boolean {
  const sorted = [...names].sort().join();
  return indexes.some(
    (index) =>
      index.table === table &&
      index.unique &&
      !index.partial &&
      index.columns.map(unquoted).sort().join() === sorted,
  );
}

/** `date`, `position` and `timestamp` are quoted by PostgreSQL where it writes them. */
function unquoted(name: string): string {
  return name.replaceAll('"', '');
}

/** JSON defaults are equal when their values are. */
function sameExpression(a: string | null, b: string | null): boolean {
  if (a === b) return true;
  if (b === null) return /^NULL(::|$)/.test(a ?? '');
  const json = (text: string | null) => /^'(.*)'::jsonb$/s.exec(text ?? '')?.[1];
  const [left, right] = [json(a), json(b)];
  if (left === undefined || right === undefined) return false;
  return JSON.stringify(JSON.parse(left)) === JSON.stringify(JSON.parse(right));
}
