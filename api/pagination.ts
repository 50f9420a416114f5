/**
 * Lists by keyset: a page continues after the last row seen, so rows that come or go meanwhile neither repeat nor
 * hide others. The cursor is opaque to callers: base64url JSON of the sort it was made for and that row's key.
 */
import { z } from 'zod';
import { Problem } from './problems.js';

export const DEFAULT_LIMIT = 50;
export const MAX_LIMIT = 250;

/** Query parameters every list takes; spread into a route's `query`. */
export const pageQuery = {
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(MAX_LIMIT)
    .default(DEFAULT_LIMIT)
    .describe(`Rows per page, at most ${MAX_LIMIT}.`),
  cursor: z.string().min(1).max(1_000).optional().describe('`next_cursor` of the previous page.'),
};

/** Where a page starts: the sort value (null where the column is) and the id, mostly a UUID, of the last row before it. */
export interface PageKey {
  value: string | null;
  id: string;
}

const cursorSchema = z.strictObject({ s: z.string(), v: z.string().max(500).nullable(), i: z.string() });
const uuidKey = z.uuid();

/**
 * @param sort the sort in use; a cursor made for another one is refused.
 * @param id the form of the ids that break ties in this sort.
 * @throws Problem invalid_cursor
 */
export function readCursor(
  cursor: string | undefined,
  sort: string,
  id: z.ZodType<string> = uuidKey,
): PageKey | undefined {
  if (cursor === undefined) return undefined;
  let content: unknown;
  try {
    content = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch (error) {
    throw new Problem('invalid_cursor', { cause: error });
  }
  const parsed = cursorSchema.safeParse(content);
  if (!parsed.success || parsed.data.s !== sort || !id.safeParse(parsed.data.i).success)
    throw new Problem('invalid_cursor');
  return { value: parsed.data.v, id: parsed.data.i };
}

export interface Page<T> {
  data: T[];
  next_cursor: string | null;
}

/**
 * Makes a page of `limit + 1` rows read: the row too many only says that there is a next page.
 * @param keyOf the sort value and id of a row, as text that Postgres reads back unchanged.
 */
export function toPage<Row, T>(
  rows: readonly Row[],
  limit: number,
  sort: string,
  keyOf: (row: Row) => PageKey,
  toJson: (row: Row) => T,
): Page<T> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const more = rows.length > limit && last !== undefined;
  return { data: shown.map(toJson), next_cursor: more ? writeCursor(sort, keyOf(last)) : null };
}

function writeCursor(sort: string, key: PageKey): string {
  return Buffer.from(JSON.stringify({ s: sort, v: key.value, i: key.id })).toString('base64url');
}

/** Schema of a page in the OpenAPI document. */
export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({ data: z.array(item), next_cursor: z.string().nullable() });
}
