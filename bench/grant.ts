/** The monthly grant of 100,000 members, page by page as the run's activity calls it, against one UPDATE of the same wallets. */
import { sql } from 'kysely';
import { createDatabase, type Db } from '../db/client.js';
import type { GrantPage } from '../db/credits.js';
import { ledgerViolations } from '../db/ledger-invariants.js';
import { grantNextPages } from '../db/monthly-grants.js';
import { createOrg } from '../db/setup.js';
import { startBenchDatabase } from './database.js';
import { type Bench, type BenchResult, median } from './result.js';

const MEMBERS = 100_000;
const PAGE = 500;
const PAGES = 12;
const ROUNDS = 5;
/** Followers of the four tiers, so that grants of 1, 1, 2 and 3 credits meet caps of 3 to 60. */
const FOLLOWERS = [500, 5_000, 50_000, 500_000];

export const grant: Bench = {
  name: 'grant',
  target: 0.1,
  async run(report, size = 1): Promise<BenchResult> {
    const server = await startBenchDatabase(report, { durable: true });
    const worker = createDatabase(server.workerUrl, { max: 3 });
    const { db } = server;
    try {
      const members = Math.max(PAGE, Math.round(MEMBERS * size));
      const { orgId } = await createOrg(db, { name: 'Bench', adminEmail: 'admin@bench.test' });
      const filled = await seconds(() => fill(db, orgId, members));
      report(`${members} members made in ${filled.toFixed(1)} s`);
      const rounds: { pages: number; update: number; granted: number; forfeited: number }[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        const month = await nextMonth(db, orgId);
        await sql.raw('vacuum analyze bench_wallet').execute(db);
        await sql.raw('vacuum analyze soundcloud_repost_credit_wallet').execute(db);
        await sql.raw('vacuum analyze soundcloud_members').execute(db);
        let totals = { granted: 0, forfeited: 0 };
        const ours = async () => {
          totals = await grantMonth(worker, orgId, month);
        };
        const update = () => updateAtOnce(db, orgId);
        // Who goes first alternates.
        const order = round % 2 === 0 ? [ours, update] : [update, ours];
        const took = new Map<unknown, number>();
        for (const side of order) {
          // Neither side pays for pages that the other left to be written.
          await sql.raw('checkpoint').execute(db);
          took.set(side, await seconds(side));
        }
        if (totals.granted !== members)
          throw new Error(`${totals.granted} of ${members} members were granted.`);
        rounds.push({ pages: took.get(ours) ?? 0, update: took.get(update) ?? 0, ...totals });
        report(
          `${month}: pages ${took.get(ours)?.toFixed(2)} s, one UPDATE ${took.get(update)?.toFixed(2)} s, forfeited ${totals.forfeited}`,
        );
      }
      const [violation] = await ledgerViolations(db, 1);
      if (violation) throw new Error(`The books do not add up: ${violation.rule}, ${violation.detail}.`);
      return {
        ratio: median(rounds.map(({ pages, update }) => update / pages)),
        detail: {
          unit: 'seconds for all members; the ratio is UPDATE time ÷ time of the pages',
          pages_s: median(rounds.map(({ pages }) => pages)),
          update_s: median(rounds.map(({ update }) => update)),
          microseconds_a_member: (median(rounds.map(({ pages }) => pages)) / members) * 1e6,
          rounds,
          members,
          page: PAGE,
          making_the_members_s: filled,
          compared:
            'ours: grantNextPages, pages of 500 members, three at once, on three connections of spark_worker: wallet, ledger entry with all indexes and references, and mirror on the member. The other: one UPDATE of balance, version, last_granted_at and updated_at of the same wallets, on a copy of the wallet table with its columns, checks, indexes, fillfactor and trigger of updated_at, which is not called; without ledger and mirror. Both on one durable server with its default settings, vacuumed before each round, after a checkpoint.',
        },
      };
    } finally {
      await worker.destroy();
      await server.stop();
    }
  },
};

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const begun = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - begun) / 1e9;
}

/** As the run's activity does it: twelve pages between heartbeats, three at once, one transaction each. */
async function grantMonth(
  worker: Db,
  orgId: string,
  month: string,
): Promise<{ granted: number; forfeited: number }> {
  const totals = { granted: 0, forfeited: 0 };
  const at = new Date(`${month}-01T00:05:00Z`);
  let after: string | null = null;
  do {
    const from: string | null = after;
    const done: GrantPage = await grantNextPages(
      worker,
      { orgId, month, after: from, limit: PAGE, at },
      PAGES,
    );
    totals.granted += done.granted;
    totals.forfeited += done.forfeited;
    after = done.next;
  } while (after !== null);
  return totals;
}

/** As lean as it can be written: it sets `updated_at` by itself, so that no trigger is called. */
function updateAtOnce(db: Db, orgId: string): Promise<unknown> {
  return sql`
    update bench_wallet
    set balance = least(balance + monthly_grant, cap), version = version + 1,
        last_granted_at = last_granted_at + interval '1 month', updated_at = now()
    where org_id = ${orgId}`.execute(db);
}

/** The month after the last granted one. */
async function nextMonth(db: Db, orgId: string): Promise<string> {
  const { rows } = await sql<{ month: string }>`
    select to_char(max(last_granted_at) at time zone 'UTC' + interval '1 month', 'YYYY-MM') as month
    from soundcloud_repost_credit_wallet where org_id = ${orgId}`.execute(db);
  return rows[0]?.month ?? '';
}

async function fill(db: Db, orgId: string, members: number): Promise<void> {
  await sql`
    insert into soundcloud_members (org_id, name, emails, soundcloud_followers)
    select ${orgId}, 'Member ' || n, array['member-' || n || '@bench.test'], (${FOLLOWERS}::int[])[1 + n % 4]
    from generate_series(1, ${members}) n`.execute(db);
  await sql.raw('create table bench_wallet (like soundcloud_repost_credit_wallet including all)').execute(db);
  await sql.raw('alter table bench_wallet set (fillfactor = 70)').execute(db);
  const { rows } = await sql<{ trigger: string }>`
    select replace(pg_get_triggerdef(oid), 'public.soundcloud_repost_credit_wallet', 'bench_wallet') as trigger
    from pg_trigger where tgname = 'update_soundcloud_repost_credit_wallet_updated_at'`.execute(db);
  if (rows[0] === undefined) throw new Error('The wallets have no trigger of updated_at.');
  await sql.raw(rows[0].trigger).execute(db);
  await sql.raw('insert into bench_wallet select * from soundcloud_repost_credit_wallet').execute(db);
}
