/** The document that describes the existing database, as data. Transcribed once, by table; nothing here is ours. */
import enums from './enums.json' with { type: 'json' };
import functions from './functions.json' with { type: 'json' };
import queries from './queries.json' with { type: 'json' };
import tables from './tables.json' with { type: 'json' };

export interface SpecColumn {
  name: string;
  type: string;
  primaryKey?: boolean;
  notNull?: boolean;
  /** SQL expression. */
  default?: string;
  /** Table. */
  references?: string;
  /** The values a text column may have. */
  values?: string[];
}

export interface SpecIndex {
  name: string;
  method?: string;
  /** As in an index definition, with DESC. */
  columns: string[];
}

export interface SpecTable {
  name: string;
  columns: SpecColumn[];
  unique?: string[][];
  indexes?: SpecIndex[];
  checks?: { name: string; expression: string }[];
}

export const SPEC_TABLES: readonly SpecTable[] = tables;
export const SPEC_ENUMS: readonly { name: string; values: string[] }[] = enums;
export const SPEC_FUNCTIONS: readonly {
  name: string;
  arguments: string;
  returns: string;
  definer: boolean;
}[] = functions;
/** "Common Queries"; parameters are written `:name`. */
export const SPEC_QUERIES: readonly { name: string; sql: string }[] = queries;

/** "Performance-Critical Indexes" that the document asks for without naming them: table and first column. */
export const SPEC_UNNAMED_INDEXES: readonly { table: string; column: string; method: string }[] = [
  { table: 'soundcloud_subgenres', column: 'patterns', method: 'gin' },
  { table: 'soundcloud_members', column: 'emails', method: 'gin' },
  { table: 'soundcloud_queues', column: 'date', method: 'btree' },
  { table: 'soundcloud_submissions', column: 'support_date', method: 'btree' },
  { table: 'soundcloud_email_logs', column: 'created_at', method: 'btree' },
];
