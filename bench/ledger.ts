/**
 * What a post of credits costs beside its least possible form: one UPDATE of the wallet and one INSERT of the entry,
 * in one transaction, as somebody would write it who needs no keys, holds, caps, refusals and mirrors.
 */
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { createDatabase, type Db, withOrg } from '../db/client.js';
import { postCredits } from '../db/credits.js';
import { ledgerViolations } from '../db/ledger-invariants.js';
import { createOrg } from '../db/setup.js';
import { type BenchDatabase, startBenchDatabase } from './database.js';
import { type Bench, type BenchResult, median } from './result.js';

const ROUNDS = 9;
const POSTS = 3_000;
const AT_ONCE = 8;
const WALLETS = 2_000;
const AT = new Date('2026-03-10T09:00:00Z');

interface World {
  worker: Db;
  orgId: string;
  /** Of the first member, everybody posts to the wallet; the others' are posted to in turn. */
  memberIds: string[];
}

/** One post of one credit. */
type Post = (world: World, memberId: string, amount: 1 | -1) => Promise<unknown>;

export const ledger: Bench = {
  name: 'ledger',
  target: 0.8,
  async run(report, size = 1): Promise<BenchResult> {
    const server = await startBenchDatabase(report);
    const worker = createDatabase(server.workerUrl, { max: AT_ONCE });
    try {
      const world = await prepare(server, worker);
      const posts = Math.max(AT_ONCE, Math.round(POSTS * size));
      const measured: Record<string, Measured> = {};
      for (const [name, wallets] of [
        ['many wallets', world.memberIds.slice(1)],
        ['one wallet', world.memberIds.slice(0, 1)],
      ] as const) {
        const found = await compare(world, wallets, posts);
        measured[name] = found;
        report(
          `${name}: ${found.ratio.toFixed(3)} (ours ${found.ours.toFixed(0)}/s, bare ${found.bare.toFixed(0)}/s)`,
        );
      }
      const [violation] = await ledgerViolations(server.db, 1);
      if (violation) throw new Error(`The books do not add up: ${violation.rule}, ${violation.detail}.`);
      return {
        ratio: Math.min(...Object.values(measured).map(({ ratio }) => ratio)),
        detail: {
          unit: 'transactions per second; the ratio is that of the worse case, each the median of its rounds',
          ...measured,
          at_once: AT_ONCE,
          posts_per_round: posts,
          rounds: ROUNDS,
          compared:
            'ours: withOrg and postCredits of one manual change, +1 and -1 in turn (begin with the org, post_credits, commit: 3 round trips). bare: the same pool of spark_worker, begin, UPDATE of the wallet returning balance and version, INSERT of the entry with them, commit (4 round trips), on copies of both tables with the same columns, checks, indexes and references, without mirrors, keys that are looked up, limits and rights by org. bare_in_one: the same UPDATE and INSERT as one statement between begin and commit (3 round trips); it is not the yardstick. Rounds alternate.',
        },
      };
    } finally {
      await worker.destroy();
      await server.stop();
    }
  },
};

interface Measured {
  ratio: number;
  ours: number;
  bare: number;
  bare_in_one: number;
}

async function compare(world: World, wallets: readonly string[], posts: number): Promise<Measured> {
  const sides = [ours, bare, bareInOne] as const;
  for (const side of sides) await rate(world, side, wallets, Math.ceil(posts / 4));
  const rounds: Record<string, number>[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const rates: Record<string, number> = {};
    // Each side is first, second and third equally often.
    for (let place = 0; place < sides.length; place += 1) {
      const side = sides[(round + place) % sides.length] ?? ours;
      rates[side.name] = await rate(world, side, wallets, posts);
    }
    rounds.push(rates);
  }
  const of = (side: Post) => rounds.map((rates) => rates[side.name] ?? Number.NaN);
  return {
    ratio: median(rounds.map((rates) => (rates[ours.name] ?? 0) / (rates[bare.name] ?? Number.NaN))),
    ours: median(of(ours)),
    bare: median(of(bare)),
    bare_in_one: median(of(bareInOne)),
  };
}

/** Posts per second; each wallet is given one credit and then loses one, so that no limit is met. */
async function rate(world: World, post: Post, wallets: readonly string[], posts: number): Promise<number> {
  let next = 0;
  const begun = process.hrtime.bigint();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (next < posts) {
        const turn = next;
        next += 1;
        const memberId = wallets[turn % wallets.length] ?? '';
        await post(world, memberId, Math.floor(turn / wallets.length) % 2 === 0 ? 1 : -1);
      }
    }),
  );
  return posts / (Number(process.hrtime.bigint() - begun) / 1e9);
}

const ours: Post = ({ worker, orgId }, memberId, amount) =>
  withOrg(worker, orgId, (trx) =>
    postCredits(
      trx,
      orgId,
      [{ kind: 'manual', member_id: memberId, amount, reason: 'benchmark', key: randomUUID() }],
      { at: AT },
    ),
  );

/** As long as that of ours. */
const HASH = '0'.repeat(64);

const bare: Post = ({ worker, orgId }, memberId, amount) =>
  worker.transaction().execute(async (trx) => {
    const { rows } = await sql<{ balance: number; version: number }>`
      update bench_wallet set balance = balance + ${amount}, version = version + 1, updated_at = now()
      where org_id = ${orgId} and member_id = ${memberId}
      returning balance, version`.execute(trx);
    await sql`
      insert into bench_ledger
        (org_id, member_id, version, change_amount, balance_after, reason, reference_type, idempotency_key,
         request_hash, occurred_at)
      values (${orgId}, ${memberId}, ${rows[0]?.version}, ${amount}, ${rows[0]?.balance}, 'benchmark', 'manual',
         ${`manual:${randomUUID()}`}, ${HASH}, ${AT})`.execute(trx);
  });

const bareInOne: Post = ({ worker, orgId }, memberId, amount) =>
  worker.transaction().execute((trx) =>
    sql`
      with wallet as (
        update bench_wallet set balance = balance + ${amount}, version = version + 1, updated_at = now()
        where org_id = ${orgId} and member_id = ${memberId}
        returning balance, version
      )
      insert into bench_ledger
        (org_id, member_id, version, change_amount, balance_after, reason, reference_type, idempotency_key,
         request_hash, occurred_at)
      select ${orgId}, ${memberId}, version, ${amount}::int, balance, 'benchmark', 'manual',
         ${`manual:${randomUUID()}`}, ${HASH}, ${AT} from wallet`.execute(trx),
  );

async function prepare({ db }: BenchDatabase, worker: Db): Promise<World> {
  const { orgId } = await createOrg(db, { name: 'Bench', adminEmail: 'admin@bench.test' });
  const { rows } = await sql<{ id: string }>`
    insert into soundcloud_members (org_id, name, soundcloud_followers)
    select ${orgId}, 'Member ' || n, 500000 from generate_series(0, ${WALLETS}) n returning id`.execute(db);
  const memberIds = rows.map((row) => row.id);
  // Room for the posts that are under way at the same moment.
  await withOrg(worker, orgId, (trx) =>
    postCredits(
      trx,
      orgId,
      memberIds.map((member_id) => ({
        kind: 'manual' as const,
        member_id,
        amount: 25,
        reason: 'start',
        key: member_id,
      })),
      { at: AT },
    ),
  );
  for (const [copy, table] of [
    ['bench_wallet', 'soundcloud_repost_credit_wallet'],
    ['bench_ledger', 'soundcloud_repost_credit_ledger'],
  ] as const) {
    await sql.raw(`create table ${copy} (like ${table} including all)`).execute(db);
    await sql.raw(`insert into ${copy} select * from ${table}`).execute(db);
    const { rows: references } = await sql<{ definition: string }>`
      select pg_get_constraintdef(oid) as definition from pg_constraint
      where conrelid = ${table}::regclass and contype = 'f'`.execute(db);
    for (const { definition } of references) {
      await sql.raw(`alter table ${copy} add ${definition}`).execute(db);
    }
    await sql.raw(`grant select, insert, update on ${copy} to spark_worker`).execute(db);
  }
  await sql.raw('vacuum analyze').execute(db);
  return { worker, orgId, memberIds };
}
