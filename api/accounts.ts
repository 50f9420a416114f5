/** A member's platform accounts: where followers, tier and reach come from. */
import { z } from 'zod';
import {
  type AccountRow,
  accountsOfMember,
  deleteAccount,
  findAccount,
  insertAccount,
  updateAccount,
} from '../db/accounts.js';
import { audit } from './audit.js';
import { requireMember } from './members.js';
import { Problem } from './problems.js';
import { defineRoute } from './route.js';
import { atLeastOne, handle, idParam, iso, isoOrNull, timestamp } from './schemas.js';

const accountSchema = z
  .object({
    id: z.uuid(),
    member_id: z.uuid(),
    platform: z.enum(['soundcloud', 'spotify']),
    handle: z.string(),
    follower_count: z.int(),
    status: z.enum(['linked', 'reconnect', 'disconnected', 'error']),
    last_synced_at: timestamp.nullable(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'Account' });

const params = z.object({ member_id: idParam('member') });
const oneParams = z.object({ member_id: idParam('member'), account_id: idParam('account') });
const followers = z.int().min(0).max(2_000_000_000).describe('Until the daily sync reads it.');
const keep = { access: 'ops', scope: null, tag: 'members' } as const;
const read = { access: 'anyone', scope: 'members:read', tag: 'members' } as const;

function accountJson(row: AccountRow): z.infer<typeof accountSchema> {
  return {
    id: row.id,
    member_id: row.member_id,
    platform: row.platform === 'spotify' ? 'spotify' : 'soundcloud',
    handle: row.handle,
    follower_count: row.follower_count,
    status: row.status,
    last_synced_at: isoOrNull(row.last_synced_at),
    created_at: iso(row.created_at),
    updated_at: iso(row.updated_at),
  };
}

async function requireAccount(...args: Parameters<typeof findAccount>): Promise<AccountRow> {
  const row = await findAccount(...args);
  if (row === undefined) throw new Problem('not_found');
  return row;
}

const listRoute = defineRoute({
  ...read,
  method: 'get',
  path: '/v1/members/{member_id}/accounts',
  operationId: 'listAccounts',
  summary: "A member's accounts",
  params,
  answers: {
    200: { description: 'At most one per platform.', schema: z.object({ data: z.array(accountSchema) }) },
  },
  problems: ['not_found'],
  handle: async ({ scope, params: { member_id } }) => {
    await requireMember(scope.trx, scope.orgId, member_id);
    return { body: { data: (await accountsOfMember(scope.trx, scope.orgId, member_id)).map(accountJson) } };
  },
});

const getRoute = defineRoute({
  ...read,
  method: 'get',
  path: '/v1/members/{member_id}/accounts/{account_id}',
  operationId: 'getAccount',
  summary: 'One account',
  params: oneParams,
  answers: { 200: { description: 'The account.', schema: accountSchema } },
  problems: ['not_found'],
  handle: async ({ scope, params: { member_id, account_id } }) => ({
    body: accountJson(await requireAccount(scope.trx, scope.orgId, member_id, account_id)),
  }),
});

const createRoute = defineRoute({
  ...keep,
  method: 'post',
  path: '/v1/members/{member_id}/accounts',
  operationId: 'createAccount',
  summary: 'Add an account',
  params,
  body: z.strictObject({
    platform: z.enum(['soundcloud', 'spotify']).default('soundcloud'),
    handle,
    follower_count: followers.default(0),
  }),
  answers: {
    201: { description: 'The new account.', schema: accountSchema, headers: { Location: 'Its address.' } },
  },
  problems: ['not_found', 'already_exists'],
  handle: async (context) => {
    const { scope, body } = context;
    const memberId = context.params.member_id;
    await requireMember(scope.trx, scope.orgId, memberId);
    const { id } = await insertAccount(scope.trx, { org_id: scope.orgId, member_id: memberId, ...body });
    const json = accountJson(await requireAccount(scope.trx, scope.orgId, memberId, id));
    await audit(context, scope, {
      action: 'account.create',
      entityType: 'account',
      entityId: id,
      after: json,
    });
    return { body: json, headers: { Location: `/v1/members/${memberId}/accounts/${id}` } };
  },
});

const changeRoute = defineRoute({
  ...keep,
  method: 'patch',
  path: '/v1/members/{member_id}/accounts/{account_id}',
  operationId: 'changeAccount',
  summary: 'Correct an account',
  params: oneParams,
  body: atLeastOne(z.strictObject({ handle, follower_count: followers }).partial()),
  answers: { 200: { description: 'The account as it is now.', schema: accountSchema } },
  problems: ['not_found', 'already_exists'],
  handle: async (context) => {
    const { scope, body } = context;
    const { member_id, account_id } = context.params;
    const before = await requireAccount(scope.trx, scope.orgId, member_id, account_id);
    await updateAccount(scope.trx, scope.orgId, member_id, account_id, body);
    const after = await requireAccount(scope.trx, scope.orgId, member_id, account_id);
    const entry = { action: 'account.change', entityType: 'account', entityId: account_id };
    await audit(context, scope, { ...entry, before: accountJson(before), after: accountJson(after) });
    return { body: accountJson(after) };
  },
});

const deleteRoute = defineRoute({
  ...keep,
  method: 'delete',
  path: '/v1/members/{member_id}/accounts/{account_id}',
  operationId: 'deleteAccount',
  summary: 'Remove an account',
  params: oneParams,
  answers: { 204: { description: 'It is gone.' } },
  problems: ['not_found', 'in_use'],
  handle: async (context) => {
    const { scope } = context;
    const { member_id, account_id } = context.params;
    if (!(await deleteAccount(scope.trx, scope.orgId, member_id, account_id))) throw new Problem('not_found');
    await audit(context, scope, { action: 'account.delete', entityType: 'account', entityId: account_id });
    return {};
  },
});

export const accountRoutes = [listRoute, getRoute, createRoute, changeRoute, deleteRoute];
