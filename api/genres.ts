/** Genre families and their subgenres: everybody reads them, admins keep them. */
import { z } from 'zod';
import {
  deleteFamily,
  deleteSubgenre,
  type FamilyRow,
  findFamily,
  findSubgenre,
  insertFamily,
  insertSubgenre,
  listFamilies,
  listSubgenres,
  type SubgenreRow,
  updateFamily,
  updateSubgenre,
} from '../db/genre-catalogue.js';
import { audit } from './audit.js';
import { Problem } from './problems.js';
import { defineRoute } from './route.js';
import { atLeastOne, flag, id, idParam, iso, label, timestamp } from './schemas.js';

const familySchema = z
  .object({
    id: z.uuid(),
    name: z.string(),
    active: z.boolean(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'GenreFamily' });

const subgenreSchema = z
  .object({
    id: z.uuid(),
    family_id: z.uuid(),
    name: z.string(),
    patterns: z.array(z.string()),
    active: z.boolean(),
    order_index: z.int(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'Subgenre' });

const familyFields = { name: label(100), active: z.boolean() };
const subgenreFields = {
  family_id: id,
  name: label(100),
  patterns: z
    .array(label(100))
    .max(100)
    .describe('Words or phrases; the longest that stands in title, tags or genre decides.'),
  active: z.boolean(),
  order_index: z.int().min(-1_000_000).max(1_000_000).describe('Display order; breaks ties of patterns.'),
};

const familyParams = z.object({ genre_family_id: idParam('genre family') });
const subgenreParams = z.object({ subgenre_id: idParam('subgenre') });

const readFamilies = { access: 'anyone', scope: 'genres:read', tag: 'genres' } as const;
const keepFamilies = { access: 'admin', scope: null, tag: 'genres' } as const;

function familyJson(row: FamilyRow): z.infer<typeof familySchema> {
  const { id, name, active, created_at, updated_at } = row;
  return { id, name, active, created_at: iso(created_at), updated_at: iso(updated_at) };
}

function subgenreJson(row: SubgenreRow): z.infer<typeof subgenreSchema> {
  const { id, family_id, name, patterns, active, order_index, created_at, updated_at } = row;
  const times = { created_at: iso(created_at), updated_at: iso(updated_at) };
  return { id, family_id, name, patterns, active, order_index, ...times };
}

const listFamiliesRoute = defineRoute({
  ...readFamilies,
  method: 'get',
  path: '/v1/genre-families',
  operationId: 'listGenreFamilies',
  summary: 'Genre families',
  query: z.strictObject({ active: flag.optional() }),
  answers: { 200: { description: 'All, by name.', schema: z.object({ data: z.array(familySchema) }) } },
  handle: async ({ scope, query }) => ({
    body: { data: (await listFamilies(scope.trx, scope.orgId, query.active)).map(familyJson) },
  }),
});

const getFamilyRoute = defineRoute({
  ...readFamilies,
  method: 'get',
  path: '/v1/genre-families/{genre_family_id}',
  operationId: 'getGenreFamily',
  summary: 'One genre family',
  params: familyParams,
  answers: { 200: { description: 'The family.', schema: familySchema } },
  problems: ['not_found'],
  handle: async ({ scope, params }) => {
    const row = await findFamily(scope.trx, scope.orgId, params.genre_family_id);
    if (row === undefined) throw new Problem('not_found');
    return { body: familyJson(row) };
  },
});

const createFamilyRoute = defineRoute({
  ...keepFamilies,
  method: 'post',
  path: '/v1/genre-families',
  operationId: 'createGenreFamily',
  summary: 'Add a genre family',
  body: z.strictObject({ name: familyFields.name, active: familyFields.active.default(true) }),
  answers: {
    201: { description: 'The new family.', schema: familySchema, headers: { Location: 'Its address.' } },
  },
  problems: ['already_exists'],
  handle: async (context) => {
    const { scope, body } = context;
    const row = await insertFamily(scope.trx, { org_id: scope.orgId, ...body });
    const json = familyJson(row);
    await audit(context, scope, {
      action: 'genre_family.create',
      entityType: 'genre_family',
      entityId: row.id,
      after: json,
    });
    return { body: json, headers: { Location: `/v1/genre-families/${row.id}` } };
  },
});

const changeFamilyRoute = defineRoute({
  ...keepFamilies,
  method: 'patch',
  path: '/v1/genre-families/{genre_family_id}',
  operationId: 'changeGenreFamily',
  summary: 'Rename or retire a genre family',
  params: familyParams,
  body: atLeastOne(z.strictObject(familyFields).partial()),
  answers: { 200: { description: 'The family as it is now.', schema: familySchema } },
  problems: ['not_found', 'already_exists'],
  handle: async (context) => {
    const { scope, params, body } = context;
    const before = await findFamily(scope.trx, scope.orgId, params.genre_family_id);
    const row = await updateFamily(scope.trx, scope.orgId, params.genre_family_id, body);
    if (before === undefined || row === undefined) throw new Problem('not_found');
    const entry = { action: 'genre_family.change', entityType: 'genre_family', entityId: row.id };
    await audit(context, scope, { ...entry, before: familyJson(before), after: familyJson(row) });
    return { body: familyJson(row) };
  },
});

const deleteFamilyRoute = defineRoute({
  ...keepFamilies,
  method: 'delete',
  path: '/v1/genre-families/{genre_family_id}',
  operationId: 'deleteGenreFamily',
  summary: 'Remove a genre family that nothing refers to',
  params: familyParams,
  answers: { 204: { description: 'It is gone.' } },
  problems: ['not_found', 'in_use'],
  handle: async (context) => {
    const { scope, params } = context;
    if (!(await deleteFamily(scope.trx, scope.orgId, params.genre_family_id))) throw new Problem('not_found');
    const entry = {
      action: 'genre_family.delete',
      entityType: 'genre_family',
      entityId: params.genre_family_id,
    };
    await audit(context, scope, entry);
    return {};
  },
});

const listSubgenresRoute = defineRoute({
  ...readFamilies,
  method: 'get',
  path: '/v1/subgenres',
  operationId: 'listSubgenres',
  summary: 'Subgenres',
  query: z.strictObject({ family_id: id.optional(), active: flag.optional() }),
  answers: {
    200: {
      description: 'All, by family and display order.',
      schema: z.object({ data: z.array(subgenreSchema) }),
    },
  },
  handle: async ({ scope, query }) => {
    const filter = { familyId: query.family_id, active: query.active };
    return { body: { data: (await listSubgenres(scope.trx, scope.orgId, filter)).map(subgenreJson) } };
  },
});

const getSubgenreRoute = defineRoute({
  ...readFamilies,
  method: 'get',
  path: '/v1/subgenres/{subgenre_id}',
  operationId: 'getSubgenre',
  summary: 'One subgenre',
  params: subgenreParams,
  answers: { 200: { description: 'The subgenre.', schema: subgenreSchema } },
  problems: ['not_found'],
  handle: async ({ scope, params }) => {
    const row = await findSubgenre(scope.trx, scope.orgId, params.subgenre_id);
    if (row === undefined) throw new Problem('not_found');
    return { body: subgenreJson(row) };
  },
});

const createSubgenreRoute = defineRoute({
  ...keepFamilies,
  method: 'post',
  path: '/v1/subgenres',
  operationId: 'createSubgenre',
  summary: 'Add a subgenre to a family',
  body: z.strictObject({
    ...subgenreFields,
    patterns: subgenreFields.patterns.default([]),
    active: subgenreFields.active.default(true),
    order_index: subgenreFields.order_index.default(0),
  }),
  answers: {
    201: { description: 'The new subgenre.', schema: subgenreSchema, headers: { Location: 'Its address.' } },
  },
  problems: ['already_exists', 'unknown_reference'],
  handle: async (context) => {
    const { scope, body } = context;
    const row = await insertSubgenre(scope.trx, { org_id: scope.orgId, ...body });
    const json = subgenreJson(row);
    await audit(context, scope, {
      action: 'subgenre.create',
      entityType: 'subgenre',
      entityId: row.id,
      after: json,
    });
    return { body: json, headers: { Location: `/v1/subgenres/${row.id}` } };
  },
});

const changeSubgenreRoute = defineRoute({
  ...keepFamilies,
  method: 'patch',
  path: '/v1/subgenres/{subgenre_id}',
  operationId: 'changeSubgenre',
  summary: 'Change a subgenre',
  params: subgenreParams,
  body: atLeastOne(z.strictObject(subgenreFields).partial()),
  answers: { 200: { description: 'The subgenre as it is now.', schema: subgenreSchema } },
  problems: ['not_found', 'already_exists', 'unknown_reference'],
  handle: async (context) => {
    const { scope, params, body } = context;
    const before = await findSubgenre(scope.trx, scope.orgId, params.subgenre_id);
    const row = await updateSubgenre(scope.trx, scope.orgId, params.subgenre_id, body);
    if (before === undefined || row === undefined) throw new Problem('not_found');
    const entry = { action: 'subgenre.change', entityType: 'subgenre', entityId: row.id };
    await audit(context, scope, { ...entry, before: subgenreJson(before), after: subgenreJson(row) });
    return { body: subgenreJson(row) };
  },
});

const deleteSubgenreRoute = defineRoute({
  ...keepFamilies,
  method: 'delete',
  path: '/v1/subgenres/{subgenre_id}',
  operationId: 'deleteSubgenre',
  summary: 'Remove a subgenre that nothing refers to',
  params: subgenreParams,
  answers: { 204: { description: 'It is gone.' } },
  problems: ['not_found', 'in_use'],
  handle: async (context) => {
    const { scope, params } = context;
    if (!(await deleteSubgenre(scope.trx, scope.orgId, params.subgenre_id))) throw new Problem('not_found');
    const entry = { action: 'subgenre.delete', entityType: 'subgenre', entityId: params.subgenre_id };
    await audit(context, scope, entry);
    return {};
  },
});

export const genreRoutes = [
  listFamiliesRoute,
  getFamilyRoute,
  createFamilyRoute,
  changeFamilyRoute,
  deleteFamilyRoute,
  listSubgenresRoute,
  getSubgenreRoute,
  createSubgenreRoute,
  changeSubgenreRoute,
  deleteSubgenreRoute,
];
