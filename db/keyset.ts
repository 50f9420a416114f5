/**
 * Keyset pagination: `order by <column>, id` and "after the last row seen". Values travel as the database's own text,
 * because a JavaScript Date drops the microseconds of a timestamp and would repeat or skip rows.
 */
import { type RawBuilder, type SqlBool, sql } from 'kysely';

export interface KeysetOrder {
  /** Column, qualified where the query joins: `submission.created_at`. Chosen by code, never by a caller. */
  column: string;
  /** Its id column, which breaks ties. */
  id: string;
  type: 'timestamptz' | 'date' | 'text' | 'integer';
  direction: 'asc' | 'desc';
}

/** Where a page starts: the sort value as text (null where the column is) and id of the last row before it. */
export interface Keyset {
  value: string | null;
  id: string;
}

/** The sort value of a row as text; select it as `sort_key`. */
export function sortKey(order: KeysetOrder): RawBuilder<string | null> {
  return sql<string | null>`${sql.ref(order.column)}::text`;
}

/** Null values come last in both directions. */
export function keysetOrderBy(order: KeysetOrder): RawBuilder<unknown> {
  const direction = sql.raw(order.direction);
  return sql`${sql.ref(order.column)} ${direction} nulls last, ${sql.ref(order.id)} ${direction}`;
}

/** Rows behind the key in this order. */
export function behind(order: KeysetOrder, key: Keyset): RawBuilder<SqlBool> {
  const column = sql.ref(order.column);
  const id = sql.ref(order.id);
  const beyond = sql.raw(order.direction === 'asc' ? '>' : '<');
  if (key.value === null) return sql<SqlBool>`(${column} is null and ${id} ${beyond} ${key.id}::uuid)`;
  const value = sql`${key.value}::${sql.raw(order.type)}`;
  return sql<SqlBool>`(${column} ${beyond} ${value} or (${column} = ${value} and ${id} ${beyond} ${key.id}::uuid) or ${column} is null)`;
}
