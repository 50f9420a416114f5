/** What the month's end left behind, and what the doctor says: for the facts of the demo. */
import { readConfig } from '../../config/config.js';
import { DAY_MS } from '../../domain/calendar.js';
import type { StackAddresses } from '../../sandbox/programs.js';
import { demoArtists } from '../../sandbox/soundcloud/catalogue.js';
import { checkDatabase } from '../doctor/database.js';
import { checkTemporal } from '../doctor/temporal.js';
import type { Sources } from './collect.js';
import type { DemoFacts, MemberFact } from './facts.js';

const MOVES = ['member.promoted', 'member.demoted', 'member.disconnected', 'member.reconnected'];
const MEMBER_MAILS = ['tier_promotion', 'reconnect_prompt'];

/** @param month `YYYY-MM`, the one that began in the story. @param changedAt when the world changed */
export async function monthFacts(
  sources: Sources,
  month: string,
  changedAt: number,
  arrivedByLog: ReadonlyMap<string, number>,
): Promise<Pick<DemoFacts, 'month' | 'moves' | 'memberMails' | 'unhealthyAccounts' | 'members'>> {
  const { db, orgId } = sources;
  const members = await db
    .selectFrom('soundcloud_members as member')
    .leftJoin('soundcloud_repost_credit_wallet as wallet', (join) =>
      join.onRef('wallet.org_id', '=', 'member.org_id').onRef('wallet.member_id', '=', 'member.id'),
    )
    .leftJoin('soundcloud_member_accounts as account', (join) =>
      join.onRef('account.org_id', '=', 'member.org_id').onRef('account.member_id', '=', 'member.id'),
    )
    .select((select) => [
      'member.id',
      'member.size_tier',
      'member.submissions_this_month',
      'wallet.balance',
      'wallet.held',
      'account.handle',
      'account.status',
      select
        .selectFrom('soundcloud_member_genres as genre')
        .select((count) => count.fn.countAll<number>().as('count'))
        .whereRef('genre.org_id', '=', 'member.org_id')
        .whereRef('genre.member_id', '=', 'member.id')
        .as('genres'),
    ])
    .where('member.org_id', '=', orgId)
    .execute();
  const entries = await db
    .selectFrom('soundcloud_repost_credit_ledger')
    .select(['member_id', 'change_amount', 'forfeited', 'idempotency_key', 'occurred_at'])
    .where('org_id', '=', orgId)
    .where('reference_type', '=', 'monthly_grant')
    .execute();
  const moved = await movedCredits(sources);
  const events = await db
    .selectFrom('soundcloud_events')
    .select(['type', 'entity_id', 'data', 'occurred_at'])
    .where('org_id', '=', orgId)
    .where('type', 'in', MOVES)
    .orderBy('seq')
    .execute();
  const mails = await db
    .selectFrom('soundcloud_email_logs')
    .select(['id', 'template_name', 'related_object_id'])
    .where('org_id', '=', orgId)
    .where('template_name', 'in', MEMBER_MAILS)
    .execute();
  const handleOf = (id: unknown) => members.find((member) => member.id === id)?.handle ?? String(id);
  const joined = new Map(demoArtists().map(({ handle, tier }) => [handle, tier as string]));
  const moves = events.map(({ type, entity_id, data, occurred_at: at }) => {
    const { member_id, old_tier, new_tier } = data as Record<string, unknown>;
    return {
      handle: handleOf(member_id ?? entity_id),
      type,
      at: at.getTime(),
      // A sweep a day, the first on the day after the change.
      sweeps: Math.floor(at.getTime() / DAY_MS) - Math.floor(changedAt / DAY_MS),
      from: typeof old_tier === 'string' ? old_tier : null,
      to: typeof new_tier === 'string' ? new_tier : null,
    };
  });
  const facts = members.map((row): MemberFact => {
    const handle = row.handle ?? row.id;
    const own = entries.filter((entry) => entry.member_id === row.id);
    const fresh = own.filter((entry) => entry.idempotency_key.endsWith(month));
    const grantedAt = fresh[0]?.occurred_at.getTime() ?? Number.POSITIVE_INFINITY;
    const before = moves.filter((move) => move.handle === handle && move.to !== null && move.at <= grantedAt);
    return {
      id: row.id,
      handle,
      tier: row.size_tier,
      tierAtGrant: before.at(-1)?.to ?? joined.get(handle) ?? row.size_tier,
      balance: row.balance,
      held: row.held,
      given: moved.given.get(row.id) ?? 0,
      earned: moved.earned.get(row.id) ?? 0,
      spent: moved.spent.get(row.id) ?? 0,
      firstGrant: own.find((entry) => !entry.idempotency_key.endsWith(month))?.change_amount ?? null,
      newGrants: fresh.map((entry) => ({ credits: entry.change_amount, forfeited: entry.forfeited })),
      submissionsThisMonth: row.submissions_this_month,
      genres: row.genres ?? 0,
    };
  });
  return {
    month,
    members: facts,
    moves: moves.map(({ handle, type, sweeps }) => ({ handle, type, sweeps })),
    memberMails: mails.map((mail) => ({
      handle: handleOf(mail.related_object_id),
      template: mail.template_name,
      arrived: arrivedByLog.get(mail.id) ?? 0,
    })),
    unhealthyAccounts: members.flatMap((row) =>
      row.status === 'linked' || row.handle === null ? [] : [row.handle],
    ),
  };
}

/** Credits by member: given by ops, earned by reposts, spent on reposts. Not from the grants' entries, nor the wallet. */
async function movedCredits({ db, orgId }: Sources): Promise<Record<'given' | 'earned' | 'spent', Credits>> {
  const changes = await db
    .selectFrom('soundcloud_credit_change_requests')
    .select(['member_id', 'amount'])
    .where('org_id', '=', orgId)
    .where('status', 'in', ['applied', 'approved'])
    .execute();
  const earnings = await db
    .selectFrom('soundcloud_repost_credit_ledger')
    .select(['member_id', 'change_amount as amount'])
    .where('org_id', '=', orgId)
    .where('reason', '=', 'repost_earned')
    .execute();
  const captured = await db
    .selectFrom('soundcloud_credit_holds')
    .select(['member_id', 'amount'])
    .where('org_id', '=', orgId)
    .where('status', '=', 'captured')
    .execute();
  return { given: summed(changes), earned: summed(earnings), spent: summed(captured) };
}

type Credits = ReadonlyMap<string, number>;

function summed(rows: readonly { member_id: string; amount: number }[]): Credits {
  const sums = new Map<string, number>();
  for (const { member_id, amount } of rows) sums.set(member_id, (sums.get(member_id) ?? 0) + amount);
  return sums;
}

/** What `spark doctor` finds in the stack, one sentence each. */
export async function doctorFindings({ databaseUrls, temporalAddress }: StackAddresses): Promise<string[]> {
  const config = readConfig({ TEMPORAL_ADDRESS: temporalAddress });
  const database = await checkDatabase(databaseUrls.owner, { orgSchedules: true });
  const temporal = await checkTemporal(config, database, false);
  return [...database.findings, ...temporal].map(({ area, problem }) => `${area}: ${problem}`);
}
