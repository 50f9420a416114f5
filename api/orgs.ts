/** The orgs a person works in, and who else does. */
import { z } from 'zod';
import { membershipsOfOrg, orgsOfUser } from '../db/orgs.js';
import { APP_ROLES } from './caller.js';
import { Problem } from './problems.js';
import { defineRoute } from './route.js';
import { iso, timestamp } from './schemas.js';

const role = z.enum(APP_ROLES);

const orgSchema = z
  .object({ id: z.uuid(), name: z.string(), roles: z.array(role).describe('Your roles in it.') })
  .meta({ id: 'Org' });

const membershipSchema = z
  .object({ id: z.uuid(), user_id: z.uuid(), roles: z.array(role), created_at: timestamp })
  .meta({ id: 'Membership' });

const listOrgs = defineRoute({
  method: 'get',
  path: '/v1/orgs',
  access: 'signed_in',
  scope: null,
  operationId: 'listOrgs',
  tag: 'orgs',
  summary: 'Your orgs, with your roles in them',
  answers: { 200: { description: 'All of them, by name.', schema: z.object({ data: z.array(orgSchema) }) } },
  handle: async ({ scope }) => {
    if (scope.caller.kind !== 'person') throw new Problem('scope_missing');
    return { body: { data: await orgsOfUser(scope.trx, scope.caller.userId) } };
  },
});

const listMemberships = defineRoute({
  method: 'get',
  path: '/v1/memberships',
  access: 'anyone',
  scope: null,
  operationId: 'listMemberships',
  tag: 'orgs',
  summary: 'The people of the org',
  description: 'Admins see everybody; others see themselves.',
  answers: {
    200: { description: 'Oldest membership first.', schema: z.object({ data: z.array(membershipSchema) }) },
  },
  handle: async ({ scope }) => {
    const rows = await membershipsOfOrg(scope.trx, scope.orgId);
    return { body: { data: rows.map((row) => ({ ...row, created_at: iso(row.created_at) })) } };
  },
});

const listRoles = defineRoute({
  method: 'get',
  path: '/v1/roles',
  access: 'anyone',
  scope: null,
  operationId: 'listRoles',
  tag: 'orgs',
  summary: 'Your roles in the org',
  answers: { 200: { description: 'Empty without a role.', schema: z.object({ data: z.array(role) }) } },
  handle: async ({ scope }) => ({ body: { data: scope.roles } }),
});

export const orgRoutes = [listOrgs, listMemberships, listRoles];
