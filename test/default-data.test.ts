/** What a new org gets from SQL must agree with the rules in domain/, which hold the same defaults for older rows. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type Db } from '../db/client.js';
import { subgenrePatterns } from '../db/genres.js';
import { createOrg } from '../db/setup.js';
import { classify } from '../domain/genre.js';
import { type DeclaredVariables, templateProblems } from '../domain/mail-template.js';
import { DEFAULT_SETTINGS, type PartialSettings, withDefaults } from '../domain/settings.js';
import { settingsProblems } from '../domain/settings-validation.js';
import { createTestDatabase, type TestDatabase } from './support/database.js';

let database: TestDatabase;
let db: Db;
let orgId: string;

beforeAll(async () => {
  database = await createTestDatabase();
  db = createDatabase(database.adminUrl);
  ({ orgId } = await createOrg(db, { name: 'Default data', adminEmail: 'admin@example.com' }));
});

afterAll(async () => {
  await db?.destroy();
  await database?.drop();
});

describe('the settings of a new org', () => {
  it('are the defaults of the rules, in every column and every key stored', async () => {
    const row = await db
      .selectFrom('soundcloud_settings')
      .selectAll()
      .where('org_id', '=', orgId)
      .executeTakeFirstOrThrow();
    // Closeness of genres is data of the catalogue, not a rule.
    const { adjacency_matrix, ...stored } = row;
    const rules = Object.fromEntries(Object.entries(stored).filter(([key]) => key in DEFAULT_SETTINGS));
    expect(Object.keys(rules).length).toBe(Object.keys(DEFAULT_SETTINGS).length - 1);
    expect(DEFAULT_SETTINGS).toMatchObject(rules);
    expect(
      settingsProblems(withDefaults({ ...rules, adjacency_matrix } as unknown as PartialSettings)),
    ).toEqual([]);
  });
});

describe('the templates of a new org', () => {
  it.each([
    ['soundcloud_email_templates', 13],
    ['soundcloud_automation_templates', 4],
  ] as const)('in %s use only what they declare', async (table, count) => {
    const templates = await db
      .selectFrom(table)
      .select(['subject', 'body_html', 'body_text', 'variables'])
      .where('org_id', '=', orgId)
      .execute();
    expect(templates.length).toBe(count);
    for (const { variables, ...template } of templates) {
      expect(templateProblems(template, variables as DeclaredVariables)).toEqual([]);
    }
  });
});

it('the subgenres of a new org find their own names', async () => {
  const subgenres = await subgenrePatterns(db, orgId);
  expect(subgenres.length).toBeGreaterThan(0);
  for (const { name, family } of subgenres) {
    const found = classify({ title: null, tags: [], genre: name, subgenres });
    expect(found).toMatchObject({ family, subgenres: expect.arrayContaining([name]) });
  }
});
