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
  /** The column may be null; left out, it never is, and the order is one that an index on (column, id) has. */
  nullable?: boolean;
}

/** Where a page starts: the sort value as text (null where the column is) and id (mostly a UUID) of the last row before it. */
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
  const direction = sql.raw(order.nullable ? `${order.direction} nulls last` : order.direction);
  return sql`${sql.ref(order.column)} ${direction}, ${sql.ref(order.id)} ${sql.raw(order.direction)}`;
}

/** Rows behind the key in this order. */
export function behind(order: KeysetOrder, key: Keyset): RawBuilder<SqlBool> {
  const column = sql.ref(order.column);
  const id = sql.ref(order.id);
  const beyond = sql.raw(order.direction === 'asc' ? '>' : '<');
  if (key.value === null) return sql<SqlBool>`(${column} is null and ${id} ${beyond} ${key.id}::uuid)`;
  const value = sql`${key.value}::${sql.raw(order.type)}`;
  // One comparison of rows is an index condition; an OR is not.
  const after = sql<SqlBool>`(${column}, ${id}) ${beyond} (${value}, ${key.id}::uuid)`;
  return order.nullable ? sql<SqlBool>`(${after} or ${column} is null)` : after;
}
