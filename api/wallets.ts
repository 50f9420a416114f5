/** Wallets, ledger and holds: a member reads the own, ops read all. Nobody writes them here (credit-changes.ts). */
import { z } from 'zod';
import { type CreditSettings, creditSettings } from '../db/credit-settings.js';
import { MEMBER_ORDERS } from '../db/members.js';
import {
  findWallet,
  forfeitedOf,
  type HoldRow,
  type LedgerRow,
  listHolds,
  listLedger,
  listWallets,
  type WalletRow,
  walletExists,
} from '../db/wallets.js';
import { monthOf, startOfDate } from '../domain/calendar.js';
import { headroom } from '../domain/credits.js';
import { nextGrantDate } from '../domain/grant-dates.js';
import { pageOf, pageQuery, readCursor, toPage } from './pagination.js';
import { Problem } from './problems.js';
import { defineRoute } from './route.js';
import { calendarDate, flag, idParam, iso, isoOrNull, timestamp } from './schemas.js';
import { asLogin, type Scope } from './scope.js';

const sizeTier = z.enum(['T1', 'T2', 'T3', 'T4']);
const params = z.object({ member_id: idParam('member') });
const own = { access: 'anyone', scope: null, tag: 'credits', method: 'get' } as const;
const SORTS = Object.keys(MEMBER_ORDERS) as [keyof typeof MEMBER_ORDERS];

const walletFields = {
  member_id: z.uuid(),
  member_name: z.string(),
  size_tier: sizeTier,
  balance: z.int().describe('What can be spent.'),
  held: z.int().describe('Reserved by open holds.'),
  cap: z.int().describe('The most that balance and held may be together.'),
  headroom: z.int().describe('cap − balance − held: what still fits.'),
  monthly_grant: z.int(),
  next_grant_on: calendarDate.describe("In the org's timezone; in the past while a grant is overdue."),
  version: z.int().describe('Number of the newest ledger entry.'),
};

const walletSchema = z.object(walletFields).meta({ id: 'Wallet' });

const walletDetailSchema = z
  .object({
    ...walletFields,
    forfeited: z
      .object({
        this_month: z.int().describe("Since the first of the month in the org's timezone."),
        total: z.int(),
      })
      .describe('Earned or granted credits that did not fit below the cap and were lost.'),
  })
  .meta({ id: 'WalletDetail' });

const ledgerEntrySchema = z
  .object({
    id: z.uuid(),
    version: z.int().describe('1, 2, 3 … without gaps.'),
    change_amount: z.int(),
    balance_after: z.int(),
    forfeited: z.int().describe('What did not fit below the cap.'),
    reason: z
      .string()
      .describe(
        'schedule (held), capture, refund (released), repost_earned, campaign_earned, monthly_grant, or what ops wrote.',
      ),
    reference_type: z.string().nullable().describe('schedule, refund, monthly_grant or manual.'),
    reference_id: z.uuid().nullable().describe('The assignment, schedule or credit change it is about.'),
    other_member_id: z
      .uuid()
      .nullable()
      .describe('Of a repost: who made it, or, for who made it, whose track it was. Shown to ops only.'),
    other_member_name: z.string().nullable(),
    occurred_at: timestamp.describe('Business time.'),
    created_by: z
      .uuid()
      .nullable()
      .describe('Who caused it; shown to ops only, null for the product itself.'),
  })
  .meta({ id: 'LedgerEntry' });

const holdSchema = z
  .object({
    id: z.uuid(),
    assignment_id: z.uuid(),
    amount: z.int(),
    status: z.enum(['open', 'captured', 'released']),
    held_at: timestamp.describe('Business time.'),
    resolved_at: timestamp.nullable(),
    hold_entry_id: z.uuid(),
    resolving_entry_id: z.uuid().nullable(),
  })
  .meta({ id: 'CreditHold' });

function walletJson(row: WalletRow, { timezone }: CreditSettings): z.infer<typeof walletSchema> {
  const { member_id, member_name, size_tier, balance, held, cap, monthly_grant, version } = row;
  return {
    member_id,
    member_name,
    size_tier,
    balance,
    held,
    cap,
    headroom: headroom(row),
    monthly_grant,
    next_grant_on: nextGrantDate(row.last_granted_at.getTime(), timezone, row.month_after_granted),
    version,
  };
}

function ledgerEntryJson(row: LedgerRow, scope: Scope): z.infer<typeof ledgerEntrySchema> {
  const { created_by, other_member_id, other_member_name, occurred_at, ...rest } = row;
  const forOps = <T>(value: T) => (scope.ops ? value : null);
  return {
    ...rest,
    other_member_id: forOps(other_member_id),
    other_member_name: forOps(other_member_name),
    occurred_at: iso(occurred_at),
    created_by: forOps(created_by),
  };
}

function holdJson(row: HoldRow): z.infer<typeof holdSchema> {
  return {
    id: row.id,
    assignment_id: row.assignment_id,
    amount: row.amount,
    status: row.status as 'open' | 'captured' | 'released',
    held_at: iso(row.held_at),
    resolved_at: isoOrNull(row.resolved_at),
    hold_entry_id: row.hold_entry_id,
    resolving_entry_id: row.resolving_entry_id,
  };
}

/** @throws Problem not_found, also for a wallet the caller may not see */
async function requireWallet(scope: Scope, memberId: string): Promise<void> {
  if (!(await walletExists(scope.trx, scope.orgId, memberId))) throw new Problem('not_found');
}

const listRoute = defineRoute({
  ...own,
  access: 'ops',
  path: '/v1/wallets',
  operationId: 'listWallets',
  summary: 'Wallets of all members',
  query: z.strictObject({
    size_tier: sizeTier.optional(),
    min_balance: z.coerce.number().int().min(0).max(2_147_483_647).optional(),
    held: flag.optional().describe('true: only wallets with open holds; false: only those without.'),
    sort: z.enum(SORTS).default('name').describe("Of the member's name or creation."),
    ...pageQuery,
  }),
  answers: { 200: { description: 'A page.', schema: pageOf(walletSchema) } },
  handle: async ({ scope, query }) => {
    const settings = await asLogin(scope, (trx) => creditSettings(trx, scope.orgId));
    const rows = await listWallets(
      scope.trx,
      scope.orgId,
      { sizeTier: query.size_tier, minBalance: query.min_balance, held: query.held },
      {
        order: MEMBER_ORDERS[query.sort],
        after: readCursor(query.cursor, query.sort),
        limit: query.limit,
        timezone: settings.timezone,
      },
    );
    const keyOf = (row: (typeof rows)[number]) => ({ value: row.sort_key, id: row.member_id });
    return { body: toPage(rows, query.limit, query.sort, keyOf, (row) => walletJson(row, settings)) };
  },
});

const getRoute = defineRoute({
  ...own,
  path: '/v1/members/{member_id}/wallet',
  operationId: 'getWallet',
  summary: "A member's wallet",
  params,
  answers: { 200: { description: 'The wallet.', schema: walletDetailSchema } },
  problems: ['not_found'],
  handle: async ({ scope, deps, params: { member_id } }) => {
    const settings = await asLogin(scope, (trx) => creditSettings(trx, scope.orgId));
    const row = await findWallet(scope.trx, scope.orgId, member_id, settings.timezone);
    if (row === undefined) throw new Problem('not_found');
    const month = monthOf((await deps.businessNow(scope.trx)).getTime(), settings.timezone);
    const since = new Date(startOfDate(`${month}-01`, settings.timezone));
    const forfeited = await forfeitedOf(scope.trx, scope.orgId, member_id, since);
    return {
      body: {
        ...walletJson(row, settings),
        forfeited: { this_month: forfeited.since, total: forfeited.total },
      },
    };
  },
});

const LEDGER_SORT = '-version';

const ledgerRoute = defineRoute({
  ...own,
  path: '/v1/members/{member_id}/ledger',
  operationId: 'listLedger',
  summary: "A member's ledger, newest entry first",
  description: 'Entries are never changed or removed; a correction is a new entry.',
  params,
  query: z.strictObject(pageQuery),
  answers: { 200: { description: 'A page.', schema: pageOf(ledgerEntrySchema) } },
  problems: ['not_found'],
  handle: async ({ scope, query, params: { member_id } }) => {
    await requireWallet(scope, member_id);
    const after = readCursor(query.cursor, LEDGER_SORT);
    const page = { beforeVersion: after?.value ?? undefined, limit: query.limit };
    const rows = await listLedger(scope.trx, scope.orgId, member_id, page);
    const keyOf = (row: LedgerRow) => ({ value: String(row.version), id: row.id });
    const toJson = (row: LedgerRow) => ledgerEntryJson(row, scope);
    return { body: toPage(rows, query.limit, LEDGER_SORT, keyOf, toJson) };
  },
});

const HOLD_SORT = '-held_at';

const holdsRoute = defineRoute({
  ...own,
  path: '/v1/members/{member_id}/holds',
  operationId: 'listHolds',
  summary: "A member's holds, newest first",
  description: 'A hold reserves the price of a repost from publication until the repost is settled.',
  params,
  query: z.strictObject({
    open: flag.optional().describe('true: only open ones; false: only resolved ones.'),
    ...pageQuery,
  }),
  answers: { 200: { description: 'A page.', schema: pageOf(holdSchema) } },
  problems: ['not_found'],
  handle: async ({ scope, query, params: { member_id } }) => {
    await requireWallet(scope, member_id);
    const page = { after: readCursor(query.cursor, HOLD_SORT), limit: query.limit };
    const rows = await listHolds(scope.trx, scope.orgId, member_id, { open: query.open }, page);
    const keyOf = (row: HoldRow) => ({ value: row.sort_key, id: row.id });
    return { body: toPage(rows, query.limit, HOLD_SORT, keyOf, holdJson) };
  },
});

export const walletRoutes = [listRoute, getRoute, ledgerRoute, holdsRoute];
