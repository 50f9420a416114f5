/** Every table's sample, and SQL around samples. */
import pg from 'pg';
import type { Row, SampleOf, TableSample } from './sample.js';
import { LIFECYCLE_SAMPLES } from './samples-lifecycles.js';
import { MACHINERY_SAMPLES } from './samples-machinery.js';
import { PEOPLE_SAMPLES } from './samples-people.js';
import type { OrgKey, Owner } from './world.js';

export const SAMPLES: Record<string, TableSample> = {
  ...PEOPLE_SAMPLES,
  ...LIFECYCLE_SAMPLES,
  ...MACHINERY_SAMPLES,
};

/** @throws Error naming what to add, for a table that has none */
export function sampleOf(table: string): TableSample {
  const sample = SAMPLES[table];
  if (sample === undefined) throw new Error(`${table} has no sample row: add one to test/rls/samples-*.ts.`);
  return sample;
}

/** Whose rows of a table exist in an org. */
export function ownersOf(table: string, org: OrgKey): readonly Owner[] {
  const { owners, ownersThere } = sampleOf(table);
  return (org === 'there' ? ownersThere : owners) ?? ['nobody'];
}

/** The row as a FROM item named `sample`, with the table's own types. */
export function asRecord(table: string, row: Row): string {
  return `pg_catalog.jsonb_populate_record(null::public.${table}, ${pg.escapeLiteral(JSON.stringify(row))}) as sample`;
}

export function insertSql(table: string, row: Row, columns: readonly string[] = Object.keys(row)): string {
  const names = columns.map((column) => pg.escapeIdentifier(column));
  return `insert into public.${table} (${names.join(', ')})
    select ${names.map((name) => `sample.${name}`).join(', ')} from ${asRecord(table, row)}`;
}

/** Inserts the seeded row of every table, org and owner. The connection must be the owner's, with triggers off. */
export async function seedSamples(owner: pg.Client, tables: readonly string[]): Promise<void> {
  for (const table of tables) {
    for (const org of ['here', 'there'] as const) {
      for (const whose of ownersOf(table, org)) {
        const of: SampleOf = { org, owner: whose, copy: '' };
        await owner.query(`${insertSql(table, sampleOf(table).row(of))} on conflict do nothing`);
      }
    }
  }
}
