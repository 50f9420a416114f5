import { expect, it } from 'vitest';
import { createTestDatabase } from '../test/support/database.js';
import { schemaIsCurrent } from './generate-schema.js';

it('schema.ts is what the migrations make; else run `npm run generate:schema`', async () => {
  const database = await createTestDatabase();
  try {
    expect(await schemaIsCurrent(database.adminUrl)).toBe(true);
  } finally {
    await database.drop();
  }
});
