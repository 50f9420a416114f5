import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDatabase, type Db } from '../../db/client.js';
import { listFamilies, listSubgenres } from '../../db/genre-catalogue.js';
import { classify, type SubgenrePattern } from '../../domain/genre.js';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.js';
import { createTestSandbox } from '../../test/support/sandbox-systems.js';
import { demoArtists, demoCatalogue, demoPlannerMembers, demoTracks } from './catalogue.js';

let database: TestDatabase;
let owner: Db;
let subgenres: SubgenrePattern[];

beforeAll(async () => {
  database = await createTestDatabase();
  owner = createDatabase(database.adminUrl, { max: 1 });
  await sql`select private.create_org('Catalogue', 'admin@catalogue.example')`.execute(owner);
  const org = await owner.selectFrom('orgs').select('id').executeTakeFirstOrThrow();
  const families = new Map((await listFamilies(owner, org.id)).map((family) => [family.id, family.name]));
  subgenres = (await listSubgenres(owner, org.id, {})).map((row) => ({
    id: row.id,
    family: families.get(row.family_id) ?? '',
    name: row.name,
    patterns: row.patterns ?? [],
    order_index: row.order_index ?? 0,
  }));
});
afterAll(async () => {
  await owner.destroy();
  await database.drop();
});

test('60 artists of all tiers, each with a name and a handle of its own and a genre that orgs have', () => {
  const artists = demoArtists();
  expect(artists).toHaveLength(60);
  expect(new Set(artists.map((artist) => artist.handle)).size).toBe(60);
  const ranges = {
    T1: [0, 1_000],
    T2: [1_000, 10_000],
    T3: [10_000, 100_000],
    T4: [100_000, Number.POSITIVE_INFINITY],
  };
  for (const { tier, followers, handle, family, subgenre } of artists) {
    const [from = 0, below = 0] = ranges[tier];
    expect(followers >= from && followers < below, `${handle} ${tier} ${followers}`).toBe(true);
    expect(
      subgenres.some((row) => row.family === family && row.name === subgenre),
      subgenre,
    ).toBe(true);
  }
  expect(Object.keys(ranges).map((tier) => artists.filter((artist) => artist.tier === tier).length)).toEqual([
    20, 20, 14, 6,
  ]);
  expect(new Set(artists.map((artist) => artist.subgenre)).size).toBe(13);
  expect(demoArtists()).toEqual(artists);
});

test('all but five of them are linked at Influence Planner, and all who hand in a track', () => {
  const members = demoPlannerMembers();
  const linked = members.filter((member) => member.status === 'LINKED').map((member) => member.handle);
  expect([members.length, linked.length]).toEqual([59, 55]);
  expect(demoTracks().filter((track) => !linked.includes(track.handle))).toEqual([]);
});

test('eleven tracks are found by the default genres and one by none', () => {
  const tracks = demoTracks();
  expect(tracks).toHaveLength(12);
  for (const { title, tags, genre, expected } of tracks) {
    const found = classify({ title, tags: tags ?? [], genre: genre ?? null, subgenres });
    expect(found && { family: found.family, subgenre: found.subgenres[0] }, title).toEqual(expected);
  }
  expect(tracks.filter((track) => track.expected === null)).toHaveLength(1);
  expect(new Set(tracks.map((track) => track.expected?.family)).size).toBe(4);
});

test('the stand-in takes all of it, and the same catalogue gives the same answers', async () => {
  const now = () => Date.parse('2026-03-01T00:00:00Z');
  const one = await createTestSandbox({ catalogue: demoCatalogue(), now });
  const other = await createTestSandbox({ now });
  try {
    const users = await other.admin.addUsers(demoCatalogue().users);
    const tracks = await other.admin.addTracks(demoCatalogue().tracks);
    expect(users).toHaveLength(60);
    expect(await one.admin.addTracks(demoCatalogue().tracks)).toEqual(tracks);
    expect(await one.admin.addUsers(demoCatalogue().users)).toEqual(users);
    expect(new Set([...users, ...tracks].map((row) => row.urn)).size).toBe(72);
    await expect(other.admin.addTracks([{ handle: 'nobody-here', title: 'Lost' }])).rejects.toThrow(
      'nobody-here',
    );
  } finally {
    await one.remove();
    await other.remove();
  }
});
