/** Whom a member must never be paired with, by handle: the target builder excludes both directions. */
import { z } from 'zod';
import {
  type AvoidListRow,
  avoidListOfMember,
  deleteAvoidListItem,
  insertAvoidListItem,
} from '../db/avoid-list.js';
import { audit } from './audit.js';
import { requireMember } from './members.js';
import { Problem } from './problems.js';
import { defineRoute } from './route.js';
import { handle, idParam, iso, prose, timestamp } from './schemas.js';

const itemSchema = z
  .object({
    id: z.uuid(),
    member_id: z.uuid(),
    avoided_handle: z.string(),
    platform: z.string(),
    reason: z.string().nullable(),
    created_at: timestamp,
  })
  .meta({ id: 'AvoidListItem' });

const params = z.object({ member_id: idParam('member') });
const oneParams = z.object({ member_id: idParam('member'), item_id: idParam('item') });
const keep = { access: 'ops', scope: null, tag: 'members' } as const;
const read = { access: 'anyone', scope: 'members:read', tag: 'members' } as const;

function itemJson(row: AvoidListRow): z.infer<typeof itemSchema> {
  const { id, member_id, avoided_handle, platform, reason } = row;
  return { id, member_id, avoided_handle, platform, reason, created_at: iso(row.created_at) };
}

const listRoute = defineRoute({
  ...read,
  method: 'get',
  path: '/v1/members/{member_id}/avoid-list',
  operationId: 'listAvoidList',
  summary: 'Whom a member avoids',
  params,
  answers: { 200: { description: 'Oldest first.', schema: z.object({ data: z.array(itemSchema) }) } },
  problems: ['not_found'],
  handle: async ({ scope, params: { member_id } }) => {
    await requireMember(scope.trx, scope.orgId, member_id);
    return { body: { data: (await avoidListOfMember(scope.trx, scope.orgId, member_id)).map(itemJson) } };
  },
});

const getRoute = defineRoute({
  ...read,
  method: 'get',
  path: '/v1/members/{member_id}/avoid-list/{item_id}',
  operationId: 'getAvoidListItem',
  summary: 'One entry of the avoid list',
  params: oneParams,
  answers: { 200: { description: 'The entry.', schema: itemSchema } },
  problems: ['not_found'],
  handle: async ({ scope, params: { member_id, item_id } }) => {
    const rows = await avoidListOfMember(scope.trx, scope.orgId, member_id);
    const row = rows.find((one) => one.id === item_id);
    if (row === undefined) throw new Problem('not_found');
    return { body: itemJson(row) };
  },
});

const createRoute = defineRoute({
  ...keep,
  method: 'post',
  path: '/v1/members/{member_id}/avoid-list',
  operationId: 'createAvoidListItem',
  summary: 'Avoid somebody from now on',
  params,
  body: z.strictObject({
    avoided_handle: handle,
    platform: z.enum(['soundcloud', 'spotify']).default('soundcloud'),
    reason: prose(1_000).nullable().default(null),
  }),
  answers: {
    201: { description: 'The new entry.', schema: itemSchema, headers: { Location: 'Its address.' } },
  },
  problems: ['not_found', 'already_exists'],
  handle: async (context) => {
    const { scope, body } = context;
    const memberId = context.params.member_id;
    await requireMember(scope.trx, scope.orgId, memberId);
    const row = await insertAvoidListItem(scope.trx, { org_id: scope.orgId, member_id: memberId, ...body });
    const json = itemJson(row);
    const entry = { action: 'avoid_list.add', entityType: 'member', entityId: memberId, after: json };
    await audit(context, scope, entry);
    return { body: json, headers: { Location: `/v1/members/${memberId}/avoid-list/${row.id}` } };
  },
});

const deleteRoute = defineRoute({
  ...keep,
  method: 'delete',
  path: '/v1/members/{member_id}/avoid-list/{item_id}',
  operationId: 'deleteAvoidListItem',
  summary: 'Avoid somebody no longer',
  params: oneParams,
  answers: { 204: { description: 'It is gone.' } },
  problems: ['not_found'],
  handle: async (context) => {
    const { scope } = context;
    const { member_id, item_id } = context.params;
    if (!(await deleteAvoidListItem(scope.trx, scope.orgId, member_id, item_id)))
      throw new Problem('not_found');
    const entry = {
      action: 'avoid_list.remove',
      entityType: 'member',
      entityId: member_id,
      details: { item_id },
    };
    await audit(context, scope, entry);
    return {};
  },
});

export const avoidListRoutes = [listRoute, getRoute, createRoute, deleteRoute];
