/**
 * Every table × who × select, insert, update, delete, against matrix.txt. Tables come from the catalogue: one without
 * a line in matrix.txt or without a sample row fails. Each attempt is a transaction of its own that is rolled back.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACTOR_NAMES, type Actor, actorsOf, describeActor } from './actors.js';
import { type MatrixLine, readMatrix } from './matrix.js';
import {
  type Attempted,
  type AttemptOptions,
  attempt,
  openRlsWorld,
  type RlsWorld,
  touched,
} from './rls-world.js';
import type { Row, SampleOf } from './sample.js';
import { asRecord, insertSql, ownersOf, sampleOf } from './samples.js';
import { type OrgKey, type Owner, orgId } from './world.js';

const matrix = readMatrix();
const RESOURCES = [...new Set(matrix.map((line) => line.resource))].filter((word) => word !== '-');

let world: RlsWorld;

beforeAll(async () => {
  world = await openRlsWorld();
});

afterAll(async () => {
  await world?.close();
});

const run = (actor: Actor, statement: string, options?: AttemptOptions): Promise<Attempted> =>
  attempt(world, actor, statement, options);

/** Expected for one row: by the letter of the cell and whose row it is. */
function allows(letter: string, actor: Actor, whose: Owner): boolean {
  if (letter === '-') return false;
  if (letter === 'p') return whose !== 'nobody';
  return letter === letter.toUpperCase() || whose === actor.owns;
}

/** What was found in the same notation, for readable failures: `here/member, there/nobody`. */
const place = (org: OrgKey, whose: Owner) => `${org}/${whose}`;

const samplesOf = (table: string): SampleOf[] =>
  (['here', 'there'] as const).flatMap((org) =>
    ownersOf(table, org).map((whose) => ({ org, owner: whose, copy: '' })),
  );

/** Everything that may be seen or touched: `here` by the cell, elsewhere only by whoever is at home there. */
function expected(letter: string, actor: Actor, samples: readonly SampleOf[], elsewhere: string[]): string[] {
  return samples
    .filter((of) =>
      of.org === 'here' ? allows(letter, actor, of.owner) : elsewhere.includes(place(of.org, of.owner)),
    )
    .map((of) => place(of.org, of.owner));
}

const isGlobal = (table: string) => !(world.columns.get(table) ?? []).includes('org_id') && table !== 'orgs';

describe('matrix.txt', () => {
  it('has a line for every table, and every table a sample', () => {
    expect(matrix.map((line) => line.table).sort()).toEqual([...world.columns.keys()].sort());
    for (const table of world.columns.keys()) sampleOf(table);
  });
});

describe.each(matrix.map((line) => [line.table, line] as const))('%s', (table, line) => {
  const actors = ACTOR_NAMES.flatMap((name) =>
    actorsOf(name, line.resource, RESOURCES).map(
      (actor) => [describeActor(name, actor), name, actor] as const,
    ),
  );

  it('is read as the matrix says', async () => {
    await everyActor(line, 'select', (actor) => visible(table, actor));
  });

  it('is inserted into as the matrix says', async () => {
    await everyActor(line, 'insert', (actor) => insertable(table, actor));
  });

  it('is updated as the matrix says', async () => {
    await everyActor(line, 'update', (actor) => updatable(table, actor));
  });

  it('is deleted from as the matrix says', async () => {
    await everyActor(line, 'delete', (actor) => deletable(table, actor));
  });

  async function everyActor(
    of: MatrixLine,
    command: 'select' | 'insert' | 'update' | 'delete',
    find: (actor: Actor) => Promise<string[]>,
  ): Promise<void> {
    const found: Record<string, string[]> = {};
    const wanted: Record<string, string[]> = {};
    for (const [label, name, actor] of actors) {
      const all = await find(actor);
      // In an org where the actor is at home the matrix does not speak of, anything goes; elsewhere nothing may.
      const atHomeThere = actor.homes.includes('there') ? all.filter((at) => at.startsWith('there/')) : [];
      found[label] = all;
      const letter = of.cells[name][command];
      const samples = isGlobal(table) ? samplesOf(table).slice(0, 1) : samplesOf(table);
      wanted[label] = expected(letter, actor, samples, atHomeThere);
      if (
        command === 'select' &&
        name === 'foreign' &&
        actor.person === 'foreign' &&
        actor.homes.length > 0
      ) {
        expectSomethingAtHome(of, all);
      }
    }
    expect(found).toEqual(wanted);
  }

  /** Without this a policy that shows nothing to anybody would pass as "zero rows cross". */
  function expectSomethingAtHome(of: MatrixLine, found: readonly string[]): void {
    if (isGlobal(table)) return;
    expect(found.some((at) => at.startsWith('there/'))).toBe(of.cells.admin.select !== '-');
  }
});

async function visible(table: string, actor: Actor): Promise<string[]> {
  const key = world.keys.get(table) ?? [];
  const readable = world.mayUse(actor.role, table, 'SELECT');
  const list = key.every((column) => readable.has(column)) ? key.join(', ') : '*';
  const result = await run(actor, `select to_jsonb(t) as key from (select ${list} from public.${table}) t`);
  if (result === 'denied') return [];
  const seen = new Set(result.rows.map((row: { key: Row }) => keyText(table, row.key)));
  const known = samplesOf(table).filter((of) => seen.has(keyText(table, sampleOf(table).row(of))));
  return (isGlobal(table) ? known.slice(0, 1) : known).map((of) => place(of.org, of.owner));
}

/** Without any grant every row is refused alike: one is enough to see it. */
const worthTrying = (table: string, granted: ReadonlySet<string>) =>
  granted.size === 0 ? samplesOf(table).slice(0, 1) : samplesOf(table);

const keyText = (table: string, row: Row) =>
  (world.keys.get(table) ?? []).map((column) => String(row[column])).join('/');

async function insertable(table: string, actor: Actor): Promise<string[]> {
  const writable = world.mayUse(actor.role, table, 'INSERT');
  const done: string[] = [];
  for (const of of worthTrying(table, writable)) {
    const row = sampleOf(table).row({ ...of, copy: 'new', actor: actor.person });
    const own = Object.keys(row).filter((column) => writable.has(column));
    const result = await run(actor, insertSql(table, row, own.length === 0 ? Object.keys(row) : own));
    if (touched(result) > 0) done.push(place(of.org, of.owner));
  }
  return done;
}

async function updatable(table: string, actor: Actor): Promise<string[]> {
  const writable = world.mayUse(actor.role, table, 'UPDATE');
  const readable = world.mayUse(actor.role, table, 'SELECT');
  const key = world.keys.get(table) ?? [];
  const column =
    (world.columns.get(table) ?? []).find((name) => writable.has(name) && readable.has(name)) ?? key[0];
  const set = (writable.size > 0 && sampleOf(table).set?.(actor.person)) || `${column} = t.${column}`;
  const done: string[] = [];
  for (const of of worthTrying(table, writable)) {
    const record = asRecord(table, sampleOf(table).row(of));
    const same = key.map((name) => `t.${name} = sample.${name}`).join(' and ');
    const result = await run(actor, `update public.${table} t set ${set} from ${record} where ${same}`);
    if (touched(result) > 0) done.push(place(of.org, of.owner));
  }
  return done;
}

async function deletable(table: string, actor: Actor): Promise<string[]> {
  const key = world.keys.get(table) ?? [];
  const done: string[] = [];
  for (const of of worthTrying(table, world.mayUse(actor.role, table, 'DELETE'))) {
    // A further row, so that nothing else refers to it; the seeded one where there can be only one.
    const copy = { ...of, copy: 'gone' };
    const row = sampleOf(table).row(copy);
    const single =
      keyText(table, row) === keyText(table, sampleOf(table).row(of)) || table === 'soundcloud_settings';
    const target = single ? sampleOf(table).row(of) : row;
    const before = single
      ? ''
      : `set local session_replication_role = replica; ${insertSql(table, row)} on conflict do nothing;
         set local session_replication_role = origin`;
    const same = key.map((name) => `t.${name} = sample.${name}`).join(' and ');
    const result = await run(
      actor,
      `delete from public.${table} t using ${asRecord(table, target)} where ${same}`,
      { before },
    );
    if (touched(result) > 0) done.push(place(of.org, of.owner));
  }
  return done;
}

describe('an org that is not one’s own', () => {
  /** Also a foreign key of the other org that the row's other columns do not fit. */
  const refusals = ['42501', '23503'];

  it('cannot be written into a new row by forging org_id', async () => {
    const forgers: [string, Actor][] = [
      ['admin', { role: 'authenticated', person: 'admin', scope: 'here', homes: ['here'] }],
      ['both, working here', { role: 'authenticated', person: 'both', scope: 'here', homes: ['here'] }],
      ['worker', { role: 'spark_worker', scope: 'here', homes: ['here'] }],
    ];
    const through: string[] = [];
    for (const table of world.tenantTables) {
      for (const [name, actor] of forgers) {
        const row = sampleOf(table).row({
          org: 'here',
          owner: 'nobody',
          copy: 'forged',
          actor: actor.person,
        });
        row.org_id = orgId('there');
        const writable = world.mayUse(actor.role, table, 'INSERT');
        const own = Object.keys(row).filter((column) => writable.has(column));
        if (own.length === 0) continue;
        const result = await run(actor, insertSql(table, row, own), { refusals });
        if (touched(result) > 0) through.push(`${name}: ${table}`);
      }
    }
    expect(through).toEqual([]);
  });

  it('cannot be given to an existing row by changing org_id', async () => {
    const through: string[] = [];
    for (const table of world.tenantTables) {
      for (const actor of [
        { role: 'authenticated', person: 'both', homes: ['here', 'there'] },
        { role: 'spark_worker', scope: 'here', homes: ['here'] },
      ] satisfies Actor[]) {
        const statement = `update public.${table} set org_id = '${orgId('there')}'`;
        const result = await run(actor, statement, { refusals });
        // The worker may write the column, but the row must stay in its org; people may not write it at all.
        if (actor.role === 'authenticated' ? result !== 'denied' : touched(result) > 0) through.push(table);
      }
    }
    expect(through).toEqual([]);
  });
});
