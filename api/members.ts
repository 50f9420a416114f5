/** Members of the network. Ops keep them; a member sees the own row. Tier, followers and credits follow by themselves. */
import { z } from 'zod';
import {
  deleteMember,
  findMember,
  insertMember,
  listMembers,
  MEMBER_ORDERS,
  type MemberRow,
  tierBorders,
  updateMember,
} from '../db/members.js';
import { SIZE_TIERS } from '../domain/tiers.js';
import { audit } from './audit.js';
import { pageOf, pageQuery, readCursor, toPage } from './pagination.js';
import { Problem } from './problems.js';
import { defineRoute } from './route.js';
import {
  atLeastOne,
  email,
  flag,
  handle,
  id,
  idParam,
  iso,
  isoOrNull,
  label,
  prose,
  timestamp,
} from './schemas.js';
import { asLogin } from './scope.js';

const MAX_EMAILS = 5;
const sizeTier = z.enum(['T1', 'T2', 'T3', 'T4']);
const memberStatus = z.enum(['active', 'needs_reconnect']);

const memberSchema = z
  .object({
    id: z.uuid(),
    name: z.string(),
    emails: z.array(z.string()),
    primary_email: z.string().nullable(),
    status: memberStatus,
    size_tier: sizeTier,
    tier_updated_at: timestamp.nullable(),
    below_tier_syncs: z
      .int()
      .describe('Daily syncs in a row that found fewer followers than the tier needs; it falls after some.'),
    soundcloud_followers: z.int(),
    soundcloud_url: z.string().nullable(),
    soundcloud_handle: z.string().nullable(),
    spotify_handle: z.string().nullable(),
    genre_family_id: z.uuid().nullable(),
    manual_genres: z.array(z.string()),
    genre_notes: z.string().nullable(),
    monthly_submission_limit: z.int(),
    submissions_this_month: z.int(),
    reach_factor: z.number().nullable().describe("Reach per follower; null = the org's default."),
    credits_balance: z.int().describe('What can be spent; mirrors the wallet.'),
    credits_cap: z.int(),
    credits_monthly_grant: z.int(),
    last_submission_at: timestamp.nullable(),
    last_activity_at: timestamp.nullable(),
    inactive_since: timestamp
      .nullable()
      .describe(
        'Gets no assignments since then for want of activity; null = active. Set by the daily sweep.',
      ),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'Member' });

const memberDetailSchema = memberSchema
  .extend({
    tier_border: z.object({
      min_followers: z.int().describe('Fewer, for some daily syncs in a row, and the tier falls.'),
      next_tier: sizeTier.nullable().describe('Null in the highest.'),
      next_tier_at: z.int().nullable().describe('Followers at which the next tier begins.'),
    }),
  })
  .meta({ id: 'MemberDetail' });

const memberFields = {
  name: label(200),
  emails: z.array(email).max(50).describe('At most 5. A login with one of them, verified, is this member.'),
  primary_email: email.nullable().describe('One of `emails`.'),
  soundcloud_url: z.httpUrl().max(500).nullable(),
  soundcloud_handle: handle.nullable(),
  spotify_handle: handle.nullable(),
  genre_family_id: id.nullable(),
  manual_genres: z.array(label(100)).max(50),
  genre_notes: prose(2_000).nullable(),
  monthly_submission_limit: z.int().min(0).max(1_000),
  reach_factor: z.number().min(0).max(1).multipleOf(0.001).nullable(),
};

const createBody = z
  .strictObject({
    ...memberFields,
    soundcloud_followers: z
      .int()
      .min(0)
      .max(2_000_000_000)
      .describe('Gives the tier a new member starts in; later the daily sync of its accounts does.'),
  })
  .partial()
  .required({ name: true })
  .meta({ id: 'NewMember' });
const changeBody = atLeastOne(z.strictObject(memberFields).partial());
const params = z.object({ member_id: idParam('member') });
const keep = { access: 'ops', scope: null, tag: 'members' } as const;
const read = { access: 'anyone', scope: 'members:read', tag: 'members' } as const;
const SORTS = Object.keys(MEMBER_ORDERS) as [keyof typeof MEMBER_ORDERS];

export function memberJson(row: MemberRow): z.infer<typeof memberSchema> {
  return {
    id: row.id,
    name: row.name,
    emails: row.emails,
    primary_email: row.primary_email,
    status: row.status,
    size_tier: row.size_tier,
    tier_updated_at: isoOrNull(row.tier_updated_at),
    below_tier_syncs: row.below_tier_syncs,
    soundcloud_followers: row.soundcloud_followers,
    soundcloud_url: row.soundcloud_url,
    soundcloud_handle: row.soundcloud_handle,
    spotify_handle: row.spotify_handle,
    genre_family_id: row.genre_family_id,
    manual_genres: row.manual_genres,
    genre_notes: row.genre_notes,
    monthly_submission_limit: row.monthly_submission_limit,
    submissions_this_month: row.submissions_this_month,
    reach_factor: row.reach_factor,
    credits_balance: row.credits_balance,
    credits_cap: row.credits_cap,
    credits_monthly_grant: row.credits_monthly_grant,
    last_submission_at: isoOrNull(row.last_submission_at),
    last_activity_at: isoOrNull(row.last_activity_at),
    inactive_since: isoOrNull(row.inactive_since),
    created_at: iso(row.created_at),
    updated_at: iso(row.updated_at),
  };
}

/** The audit trail outlives people, so it keeps no addresses. */
function auditable(row: MemberRow): Record<string, unknown> {
  const { emails, primary_email: _, ...rest } = memberJson(row);
  return { ...rest, email_count: emails.length };
}

function checkEmails(emails: readonly string[], primary: string | null | undefined): void {
  if (new Set(emails).size > MAX_EMAILS) throw new Problem('too_many_emails');
  if (primary !== undefined && primary !== null && !emails.includes(primary)) {
    throw new Problem('rule_violated', { detail: 'primary_email must be one of emails.' });
  }
}

/** @throws Problem not_found, also for a member the caller may not see */
export async function requireMember(...args: Parameters<typeof findMember>): Promise<MemberRow> {
  const row = await findMember(...args);
  if (row === undefined) throw new Problem('not_found');
  return row;
}

const listRoute = defineRoute({
  ...read,
  method: 'get',
  path: '/v1/members',
  operationId: 'listMembers',
  summary: 'Members',
  description: 'Ops see all members of the org, others the members they are themselves.',
  query: z.strictObject({
    status: memberStatus.optional(),
    size_tier: sizeTier.optional(),
    genre_family_id: id.optional(),
    soundcloud_handle: handle.optional(),
    email: email.optional().describe('One of the addresses, exactly.'),
    inactive: flag.optional(),
    sort: z.enum(SORTS).default('name'),
    ...pageQuery,
  }),
  answers: { 200: { description: 'A page.', schema: pageOf(memberSchema) } },
  handle: async ({ scope, query }) => {
    const rows = await listMembers(
      scope.trx,
      scope.orgId,
      {
        status: query.status,
        sizeTier: query.size_tier,
        genreFamilyId: query.genre_family_id,
        handle: query.soundcloud_handle,
        email: query.email,
        inactive: query.inactive,
      },
      { order: MEMBER_ORDERS[query.sort], after: readCursor(query.cursor, query.sort), limit: query.limit },
    );
    const keyOf = (row: (typeof rows)[number]) => ({ value: row.sort_key, id: row.id });
    return { body: toPage(rows, query.limit, query.sort, keyOf, memberJson) };
  },
});

const getRoute = defineRoute({
  ...read,
  method: 'get',
  path: '/v1/members/{member_id}',
  operationId: 'getMember',
  summary: 'One member',
  params,
  answers: { 200: { description: 'The member.', schema: memberDetailSchema } },
  problems: ['not_found'],
  handle: async ({ scope, params: { member_id } }) => {
    const member = memberJson(await requireMember(scope.trx, scope.orgId, member_id));
    const borders = await asLogin(scope, (trx) => tierBorders(trx, scope.orgId));
    const next = SIZE_TIERS[SIZE_TIERS.indexOf(member.size_tier) + 1] ?? null;
    const tier_border = {
      min_followers: borders[member.size_tier].min,
      next_tier: next,
      next_tier_at: next === null ? null : borders[next].min,
    };
    return { body: { ...member, tier_border } };
  },
});

const createRoute = defineRoute({
  ...keep,
  method: 'post',
  path: '/v1/members',
  operationId: 'createMember',
  summary: 'Add a member',
  description: 'The member gets a wallet with one grant of its tier.',
  body: createBody,
  answers: {
    201: { description: 'The new member.', schema: memberSchema, headers: { Location: 'Its address.' } },
  },
  problems: ['too_many_emails', 'rule_violated', 'unknown_reference'],
  handle: async (context) => {
    const { scope, body } = context;
    const emails = [...new Set(body.emails ?? [])];
    checkEmails(emails, body.primary_email);
    const primary_email = body.primary_email ?? emails[0] ?? null;
    const { id } = await insertMember(scope.trx, { ...body, emails, primary_email, org_id: scope.orgId });
    const row = await requireMember(scope.trx, scope.orgId, id);
    const entry = { action: 'member.create', entityType: 'member', entityId: id, after: auditable(row) };
    await audit(context, scope, entry);
    return { body: memberJson(row), headers: { Location: `/v1/members/${id}` } };
  },
});

const changeRoute = defineRoute({
  ...keep,
  method: 'patch',
  path: '/v1/members/{member_id}',
  operationId: 'changeMember',
  summary: 'Change what ops keep of a member',
  params,
  body: changeBody,
  answers: { 200: { description: 'The member as it is now.', schema: memberSchema } },
  problems: ['not_found', 'too_many_emails', 'rule_violated', 'unknown_reference'],
  handle: async (context) => {
    const { scope, body } = context;
    const id = context.params.member_id;
    const before = await requireMember(scope.trx, scope.orgId, id);
    const emails = body.emails === undefined ? before.emails : [...new Set(body.emails)];
    checkEmails(emails, body.primary_email);
    const kept = before.primary_email !== null && emails.includes(before.primary_email);
    const primary_email = body.primary_email ?? (kept ? before.primary_email : (emails[0] ?? null));
    const change = { ...body, ...(body.emails !== undefined && { emails }), primary_email };
    await updateMember(scope.trx, scope.orgId, id, change);
    const after = await requireMember(scope.trx, scope.orgId, id);
    const entry = { action: 'member.change', entityType: 'member', entityId: id };
    await audit(context, scope, { ...entry, before: auditable(before), after: auditable(after) });
    return { body: memberJson(after) };
  },
});

const deleteRoute = defineRoute({
  ...keep,
  method: 'delete',
  path: '/v1/members/{member_id}',
  operationId: 'deleteMember',
  summary: 'Remove a member that has no history',
  description: 'Possible only without ledger entries, submissions and assignments: history is kept.',
  params,
  answers: { 204: { description: 'It is gone, with accounts, genres and avoid list.' } },
  problems: ['not_found', 'in_use'],
  handle: async (context) => {
    const { scope } = context;
    const id = context.params.member_id;
    await requireMember(scope.trx, scope.orgId, id);
    await deleteMember(scope.trx, scope.orgId, id);
    await audit(context, scope, { action: 'member.delete', entityType: 'member', entityId: id });
    return {};
  },
});

export const memberRoutes = [listRoute, getRoute, createRoute, changeRoute, deleteRoute];
