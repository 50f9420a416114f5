/** Values for jsonb columns. */
import { type RawBuilder, sql } from 'kysely';
import type { Json } from './schema.js';

/**
 * A jsonb value as a parameter. Needed for arrays above all: the driver would send a JavaScript array as a Postgres
 * array. @throws TypeError for a value JSON cannot express (undefined, a function, a cycle).
 */
export function jsonb(value: unknown): RawBuilder<Json> {
  const text = JSON.stringify(value);
  if (text === undefined) throw new TypeError('This value has no JSON form. Pass an object, array or null.');
  return sql<Json>`${text}::jsonb`;
}
