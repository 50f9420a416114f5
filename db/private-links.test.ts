/** What is a private link is the same in TypeScript and in SQL. */
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { PRIVATE_LINK, withoutToken } from '../domain/track-url.js';
import { createTestDatabase, type TestDatabase } from '../test/support/database.js';
import { createDatabase, type Db } from './client.js';

let database: TestDatabase;
let owner: Db;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = createDatabase(database.adminUrl);
});
afterAll(async () => {
  await owner?.destroy();
  await database?.drop();
});

it('loses its secret token, and no public address loses anything', async () => {
  const paths = ['', 'sets/'].flatMap((set) =>
    ['first-light', 's-bahn', 'sets'].flatMap((slug) =>
      ['', '/s-Qx7LmT2pV9a', '/reposts'].map((rest) => `neon-orchard/${set}${slug}${rest}`),
    ),
  );
  const addresses = [
    ...paths.map((path) => `https://soundcloud.com/${path}`),
    'https://on.soundcloud.com/s-abc',
  ];
  const { rows } = await sql<{ bare: string }>`
    select regexp_replace(address, ${PRIVATE_LINK}, '\\1') as bare
    from unnest(${addresses}::text[]) with ordinality as given (address, n) order by n`.execute(owner);
  expect(rows.map(({ bare }) => bare)).toEqual(addresses.map(withoutToken));
  expect(withoutToken('https://soundcloud.com/neon-orchard/sets/s-bahn/s-Qx7LmT2pV9a')).toBe(
    'https://soundcloud.com/neon-orchard/sets/s-bahn',
  );
});

it('is seen by the same words where supporters read the address of a track', async () => {
  const { rows } = await sql<{ words: string }>`
    select pg_get_functiondef('private.assignment_tracks(uuid[])'::regprocedure) as words`.execute(owner);
  expect(rows[0]?.words).toContain(`'${PRIVATE_LINK}'`);
});
