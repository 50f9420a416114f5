/**
 * What row-level security costs a read of the API: the very transactions of `GET /v1/submissions` and
 * `GET /v1/submissions/{id}`, with the same settings in the same round trip, once as the caller's role and once as a
 * role that passes by row-level security.
 */
import { sql } from 'kysely';
import { type Caller, createDatabase, type Db, type Trx, withCaller } from '../db/client.js';
import { orgsOfUser } from '../db/orgs.js';
import { createOrg } from '../db/setup.js';
import { linkLogin } from '../db/sign-in.js';
import { findSubmission, listSubmissions, SUBMISSION_ORDERS, waitOfEntity } from '../db/submission-lists.js';
import { startBenchDatabase } from './database.js';
import { type Bench, type BenchResult, median } from './result.js';

const ROUNDS = 7;
const READS = 400;
const AT_ONCE = 4;
const SUBMISSIONS = 100_000;
const MEMBERS = 2_000;
const ORGS = 3;
/** Has every grant of `authenticated`, and no policy applies to it. */
const BYPASSING = 'bench_bypassing';

interface Person {
  userId: string;
  orgId: string;
}

interface Read {
  name: string;
  as: Person;
  /** What the API reads in its transaction. @returns the rows' ids, to see that both sides read the same. */
  work(trx: Trx): Promise<string>;
}

export const rlsRead: Bench = {
  name: 'rls-read',
  target: 0.8,
  async run(report, size = 1): Promise<BenchResult> {
    const server = await startBenchDatabase(report);
    const api = createDatabase(server.apiUrl, { max: AT_ONCE });
    try {
      report(`writing ${Math.round(SUBMISSIONS * size)} submissions of ${ORGS} orgs`);
      const reads = await prepare(server.db, api, Math.round(SUBMISSIONS * size));
      const measured: Record<string, { ratio: number; protected_per_s: number; bypassing_per_s: number }> =
        {};
      for (const read of reads) {
        const rates = await compare(api, read, Math.max(AT_ONCE, Math.round(READS * size)));
        measured[read.name] = {
          ratio: median(rates.map((rate) => rate.own / rate.bypassing)),
          protected_per_s: median(rates.map((rate) => rate.own)),
          bypassing_per_s: median(rates.map((rate) => rate.bypassing)),
        };
        report(`${read.name}: ${measured[read.name]?.ratio.toFixed(3)}`);
      }
      return {
        ratio: Math.min(...Object.values(measured).map(({ ratio }) => ratio)),
        detail: {
          unit: 'transactions per second; the ratio is that of the worst read',
          reads: measured,
          submissions: Math.round(SUBMISSIONS * size),
          members: MEMBERS,
          orgs: ORGS,
          at_once: AT_ONCE,
          rounds: ROUNDS,
          compared:
            'withCaller as authenticated against withCaller as a BYPASSRLS role with the same grants: the same begin with set_config in one round trip, the same queries in the same transaction, over the same pool of spark_api; rounds alternate.',
        },
      };
    } finally {
      await api.destroy();
      await server.stop();
    }
  },
};

/** Reads per second of both sides, round by round; who begins alternates. */
async function compare(api: Db, read: Read, reads: number): Promise<{ own: number; bypassing: number }[]> {
  const once = (role: Caller['role']) => inScope(api, read, role);
  // Typed as a role of ours, so that both sides go through the same function.
  const bypassing = BYPASSING as Caller['role'];
  if ((await once('authenticated')) !== (await once(bypassing)))
    throw new Error(`${read.name}: the two sides read different rows.`);
  const rates: { own: number; bypassing: number }[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const order =
      round % 2 === 0 ? (['authenticated', bypassing] as const) : ([bypassing, 'authenticated'] as const);
    const [first, second] = [
      await rate(() => once(order[0]), reads),
      await rate(() => once(order[1]), reads),
    ];
    rates.push(round % 2 === 0 ? { own: first, bypassing: second } : { own: second, bypassing: first });
  }
  return rates;
}

/** As api/scope.ts opens it. */
function inScope(api: Db, read: Read, role: Caller['role']): Promise<string> {
  const { userId, orgId } = read.as;
  const claims = { sub: userId, aud: 'authenticated' };
  return withCaller(api, { claims, orgId, role }, async (trx) => {
    const [org] = await orgsOfUser(trx, userId);
    if (org === undefined) throw new Error('the caller belongs to no org');
    return read.work(trx);
  });
}

/** Calls per second. */
async function rate(call: () => Promise<unknown>, calls: number): Promise<number> {
  let left = calls;
  const begun = process.hrtime.bigint();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (; left > 0; left -= 1) await call();
    }),
  );
  return calls / (Number(process.hrtime.bigint() - begun) / 1e9);
}

async function prepare(db: Db, api: Db, submissions: number): Promise<Read[]> {
  await sql.raw(`create role ${BYPASSING} nologin bypassrls in role authenticated`).execute(db);
  await sql.raw(`grant ${BYPASSING} to spark_api`).execute(db);
  const orgs: Person[] = [];
  for (let made = 0; made < ORGS; made += 1) {
    orgs.push(await createOrg(db, { name: `Bench ${made}`, adminEmail: `admin-${made}@bench.test` }));
  }
  await fill(db, submissions);
  const [org] = orgs;
  if (org === undefined) throw new Error('there is no org');
  const member = await memberLogin(db, api, org.orgId);
  const { id } = await db
    .selectFrom('soundcloud_submissions')
    .select('id')
    .where('member_id', '=', member.memberId)
    .executeTakeFirstOrThrow();

  const list = (filter: Parameters<typeof listSubmissions>[2], order: keyof typeof SUBMISSION_ORDERS) =>
    async function work(trx: Trx): Promise<string> {
      const rows = await listSubmissions(trx, (org as Person).orgId, filter, {
        order: SUBMISSION_ORDERS[order],
        after: undefined,
        limit: 50,
      });
      return rows.map((row) => row.id).join();
    };
  const one = async (trx: Trx): Promise<string> => {
    const row = await findSubmission(trx, org.orgId, id);
    const wait = await waitOfEntity(trx, org.orgId, 'submission', id);
    return `${row?.id} ${wait?.workflow_id}`;
  };
  return [
    { name: 'ops list the newest', as: org, work: list({}, '-created_at') },
    {
      name: 'ops list what is undecided, oldest first',
      as: org,
      work: list({ statuses: ['new', 'pending', 'qa_flag'], open: true }, 'submitted_at'),
    },
    {
      name: 'ops list those of one member',
      as: org,
      work: list({ memberId: member.memberId }, '-created_at'),
    },
    { name: 'ops read one', as: org, work: one },
    { name: 'a member reads one of their own', as: member, work: one },
  ];
}

/** Members and submissions spread over the orgs; one in fifty is open, half of those undecided. */
async function fill(db: Db, submissions: number): Promise<void> {
  await db.connection().execute(async (connection) => {
    // Written as they lie there after years: quota, events and mirrors are not what is measured.
    await sql`set session_replication_role = replica`.execute(connection);
    await sql`
      insert into public.soundcloud_members (org_id, name, emails)
      select o.id, 'Member ' || n, array['member-' || n || '@bench.test']
      from generate_series(1, ${MEMBERS}) n
      join (select id, row_number() over (order by name) - 1 as place from public.orgs) o on o.place = n % ${ORGS}`.execute(
      connection,
    );
    await sql`
      insert into public.soundcloud_submissions
        (org_id, member_id, track_url, artist_name, status, submitted_at, created_at, closed_at)
      select m.org_id, m.id, 'https://soundcloud.com/artist/track-' || n, 'Artist ' || n,
        (case when n % 50 = 0 then (case when n % 100 = 0 then 'new' else 'approved' end) else 'rejected' end)
          ::public.soundcloud_submission_status,
        at, at, case when n % 50 = 0 then null else at + interval '1 day' end
      from (select n, now() - n * interval '1 minute' as at from generate_series(1, ${submissions}) n) s
      join (select id, org_id, row_number() over (order by id) - 1 as place from public.soundcloud_members) m
        on m.place = s.n % ${MEMBERS}`.execute(connection);
    await sql`
      insert into public.soundcloud_waits
        (org_id, workflow_id, entity_type, entity_id, stage, waiting_on, who_can_act, how_to_act, since)
      select org_id, 'submission:' || org_id || ':' || id, 'submission', id, 'decision', 'ops', 'ops', 'decide', submitted_at
      from public.soundcloud_submissions where closed_at is null`.execute(connection);
    await sql`set session_replication_role = origin`.execute(connection);
    await sql`vacuum (analyze) public.soundcloud_submissions, public.soundcloud_members, public.soundcloud_waits`.execute(
      connection,
    );
  });
}

async function memberLogin(db: Db, api: Db, orgId: string): Promise<Person & { memberId: string }> {
  const member = await db
    .selectFrom('soundcloud_members')
    .select(['id', sql<string>`emails[1]`.as('email')])
    .where('org_id', '=', orgId)
    .orderBy('id')
    .executeTakeFirstOrThrow();
  const { rows } = await sql<{ id: string }>`
    insert into auth.users (email, email_confirmed_at) values (${member.email}, now()) returning id`.execute(
    db,
  );
  const userId = rows[0]?.id ?? '';
  if ((await linkLogin(api, userId, member.email)) !== 1) throw new Error('the member got no login');
  return { userId, orgId, memberId: member.id };
}
