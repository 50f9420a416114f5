/** What the database says of itself, in the terms of the spec. */
import type pg from 'pg';

export interface CatalogColumn {
  table: string;
  name: string;
  type: string;
  not_null: boolean;
  default: string | null;
}

export interface CatalogForeignKey {
  table: string;
  columns: string[];
  target: string;
  target_columns: string[];
  /** a = no action, r = restrict, c = cascade, n = set null */
  on_delete: string;
  /** Columns of `on delete set null (…)`; null when all would be emptied. */
  set_null_columns: string[] | null;
}

export interface CatalogIndex {
  table: string;
  name: string;
  method: string;
  unique: boolean;
  primary: boolean;
  partial: boolean;
  nulls_not_distinct: boolean;
  /** Each as in the index definition, with DESC. */
  columns: string[];
}

/** Columns of all soundcloud_ tables of a schema; the same text forms for every schema. */
export async function columnsOf(client: pg.Client, schema: string): Promise<CatalogColumn[]> {
  const { rows } = await client.query<CatalogColumn>(
    `select c.relname as table, a.attname as name, format_type(a.atttypid, a.atttypmod) as type,
            a.attnotnull as not_null, pg_get_expr(d.adbin, d.adrelid) as default
       from pg_attribute a
       join pg_class c on c.oid = a.attrelid and c.relkind = 'r' and c.relnamespace = $1::regnamespace
       left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
      where a.attnum > 0 and not a.attisdropped and c.relname like 'soundcloud\\_%'
      order by c.relname, a.attnum`,
    [schema],
  );
  return rows;
}

export async function foreignKeysOf(client: pg.Client): Promise<CatalogForeignKey[]> {
  const { rows } = await client.query<CatalogForeignKey>(
    `select c.conrelid::regclass::text as table, c.confrelid::regclass::text as target,
            c.confdeltype as on_delete,
            array(select a.attname::text from unnest(c.conkey) with ordinality k (n, i)
                    join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.n order by k.i) as columns,
            array(select a.attname::text from unnest(c.confkey) with ordinality k (n, i)
                    join pg_attribute a on a.attrelid = c.confrelid and a.attnum = k.n order by k.i) as target_columns,
            case when c.confdelsetcols is not null then
              array(select a.attname::text from unnest(c.confdelsetcols) k (n)
                      join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.n) end as set_null_columns
       from pg_constraint c
      where c.contype = 'f' and c.connamespace = 'public'::regnamespace`,
  );
  return rows;
}

export async function indexesOf(client: pg.Client): Promise<CatalogIndex[]> {
  const { rows } = await client.query<CatalogIndex>(
    `select t.relname as table, i.relname as name, am.amname as method, x.indisunique as unique,
            x.indisprimary as primary, x.indpred is not null as partial,
            x.indnullsnotdistinct as nulls_not_distinct,
            array(select pg_get_indexdef(x.indexrelid, n, true)
                    || case when pg_index_column_has_property(x.indexrelid, n, 'desc') then ' DESC' else '' end
                    from generate_series(1, x.indnkeyatts) n order by n) as columns
       from pg_index x
       join pg_class i on i.oid = x.indexrelid
       join pg_class t on t.oid = x.indrelid and t.relnamespace = 'public'::regnamespace
       join pg_am am on am.oid = i.relam`,
  );
  return rows;
}
