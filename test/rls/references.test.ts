/**
 * Zero rows cross an org by reference. Reference checks pass by row-level security, so the keys themselves must refuse:
 * each foreign key between tenant tables is tried with another org's row, as the owner, whom no policy stops.
 */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRlsWorld, type RlsWorld } from './rls-world.js';
import type { SampleOf } from './sample.js';
import { insertSql, sampleOf } from './samples.js';
import { fixedId, orgId } from './world.js';

interface ForeignKey {
  name: string;
  table: string;
  column: string;
  target: string;
}

let world: RlsWorld;
let foreignKeys: ForeignKey[];

beforeAll(async () => {
  world = await openRlsWorld();
  const { rows } = await world.owner.query<ForeignKey>(`
    select k.conname as name, k.conrelid::regclass::text as table, a.attname as column,
           k.confrelid::regclass::text as target
    from pg_constraint k
    join pg_attribute a on a.attrelid = k.conrelid and a.attnum = any (k.conkey) and a.attname <> 'org_id'
    where k.contype = 'f' and k.connamespace = 'public'::regnamespace
      and exists (select from pg_attribute o where o.attrelid = k.conrelid and o.attname = 'org_id')
      and exists (select from pg_attribute o where o.attrelid = k.confrelid and o.attname = 'org_id')
    order by 1`);
  foreignKeys = rows;
});

afterAll(async () => {
  await world?.close();
});

/** Tables that hold one row per member or assignment: the seeded one would be in the way of another. */
const SINGLE = ['soundcloud_credit_holds', 'soundcloud_repost_credit_wallet'];

async function insertAsOwner(table: string, row: Record<string, unknown>): Promise<string> {
  try {
    await world.owner.query('begin');
    if (SINGLE.includes(table)) {
      await world.owner.query('set local session_replication_role = replica');
      await world.owner.query(`delete from ${table}`);
      await world.owner.query('set local session_replication_role = origin');
    }
    await world.owner.query(insertSql(table, row));
    return 'accepted';
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error;
    // Where a trigger asks first, it says that the org has no such row.
    return error.code === 'SPK01' && error.message === 'not_found' ? '23503' : (error.code ?? 'unknown');
  } finally {
    await world.owner.query('rollback');
  }
}

const here: SampleOf = { org: 'here', owner: 'nobody', copy: 'crossing' };
const there: SampleOf = { org: 'there', owner: 'nobody', copy: '' };

describe('foreign keys between tenant tables', () => {
  it('refuse a row of another org', async () => {
    expect(foreignKeys.length).toBeGreaterThan(30);
    const answers: Record<string, string> = {};
    for (const key of foreignKeys) {
      const row = {
        ...sampleOf(key.table).row(here),
        [key.column]: fixedId(key.target, 'there', 'nobody', ''),
      };
      // A hold is open as long as no entry resolves it.
      if (key.column === 'resolving_entry_id') Object.assign(row, { status: 'captured', resolved_at: 'now' });
      // A credit change has an entry once it is applied.
      if (key.column === 'entry_id') Object.assign(row, { status: 'applied', decided_at: 'now' });
      answers[key.name] = await insertAsOwner(key.table, row);
    }
    expect(answers).toEqual(Object.fromEntries(foreignKeys.map((key) => [key.name, '23503'])));
  });

  it('would not stop the samples of the same org', async () => {
    const answers: Record<string, string> = {};
    for (const table of new Set(foreignKeys.map((key) => key.table))) {
      answers[table] = await insertAsOwner(table, sampleOf(table).row(here));
    }
    expect(answers).toEqual(Object.fromEntries(Object.keys(answers).map((table) => [table, 'accepted'])));
  });
});

describe('references by type and id', () => {
  it.each(['soundcloud_target_proposals', 'soundcloud_schedules', 'soundcloud_attribution_snapshots'])(
    '%s names no submission or campaign of another org',
    async (table) => {
      for (const parent of ['submission', 'campaign']) {
        const target = `soundcloud_${parent}s`;
        const row = {
          ...sampleOf(table).row(here),
          parent_type: parent,
          parent_id: fixedId(target, 'there', 'nobody', ''),
        };
        await expect(insertAsOwner(table, row)).resolves.toBe('23503');
        row.parent_id = fixedId(target, 'here', 'nobody', '');
        await expect(insertAsOwner(table, row)).resolves.toBe('accepted');
      }
    },
  );
});

describe('emptied references', () => {
  it('keep the org of the row', async () => {
    const client = fixedId('soundcloud_clients', 'here', 'nobody', '');
    const submission = fixedId('soundcloud_submissions', 'here', 'nobody', '');
    await world.owner.query('begin');
    try {
      await world.owner.query('update soundcloud_submissions set client_id = $1 where id = $2', [
        client,
        submission,
      ]);
      await world.owner.query('delete from soundcloud_clients where id = $1', [client]);
      const { rows } = await world.owner.query(
        'select org_id, client_id from soundcloud_submissions where id = $1',
        [submission],
      );
      expect(rows).toEqual([{ org_id: orgId('here'), client_id: null }]);
    } finally {
      await world.owner.query('rollback');
    }
  });
});

it('a row of another org is as absent as one that never was', async () => {
  const missing = { ...sampleOf('soundcloud_subgenres').row(here), family_id: fixedId('nothing') };
  const foreign = {
    ...sampleOf('soundcloud_subgenres').row(here),
    family_id: fixedId('soundcloud_genre_families', there.org, there.owner, there.copy),
  };
  expect(await insertAsOwner('soundcloud_subgenres', foreign)).toBe(
    await insertAsOwner('soundcloud_subgenres', missing),
  );
});
