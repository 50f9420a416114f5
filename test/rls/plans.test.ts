/**
 * The policies use the org's index: asked of EXPLAIN, never of a clock. 60,000 submissions of one org, 600 of another;
 * who works in the small one must not read the large one's.
 */
import {
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type RawBuilder,
  sql,
} from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { behind, type Keyset, keysetOrderBy } from '../../db/keyset.js';
import { SUBMISSION_ORDERS } from '../../db/submission-lists.js';
import { type Actor, become } from './actors.js';
import { openRlsWorld, type RlsWorld } from './rls-world.js';
import { memberId, orgId, userId } from './world.js';

const LARGE = 60_000;
const SMALL = 600;

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  'Subplan Name'?: string;
  'Parent Relationship'?: string;
  'Actual Rows'?: number;
  'Actual Loops'?: number;
  'Rows Removed by Filter'?: number;
  Plans?: PlanNode[];
}

let world: RlsWorld;

beforeAll(async () => {
  world = await openRlsWorld();
  await world.owner.query('set session_replication_role = replica');
  await world.owner.query(
    `insert into soundcloud_submissions (org_id, member_id, track_url, submitted_at, created_at)
     select $1::uuid, $2::uuid, 'https://soundcloud.com/large/' || n, t.at, t.at
     from generate_series(1, ${LARGE}) n, lateral (select '2026-01-01'::timestamptz + n * interval '1 s') t (at)
     union all
     select $3::uuid, case n % 3 when 0 then $4::uuid else $5::uuid end, 'https://soundcloud.com/small/' || n, t.at, t.at
     from generate_series(1, ${SMALL}) n, lateral (select '2026-01-01'::timestamptz + n * interval '1 min') t (at)`,
    [
      orgId('there'),
      memberId('there', 'nobody'),
      orgId('here'),
      memberId('here', 'member'),
      memberId('here', 'nobody'),
    ],
  );
  await world.owner.query(
    `insert into soundcloud_notifications (org_id, user_id, title, message)
     select $1::uuid, u.id, 'Hello', 'Something happened.'
     from auth.users u cross join generate_series(1, 10000)`,
    [orgId('there')],
  );
  await world.owner.query('reset session_replication_role');
  await world.owner.query('analyze soundcloud_submissions, soundcloud_notifications, soundcloud_members');
});

afterAll(async () => {
  await world?.close();
});

/** Runs the query as the actor. @returns its plan with what really happened, flattened */
async function explain(actor: Actor, query: string): Promise<PlanNode[]> {
  const results = (await world.owner.query(
    `begin; ${become(actor)} explain (analyze, costs off, timing off, summary off, format json) ${query}; rollback`,
  )) as unknown as { rows: { 'QUERY PLAN': { Plan: PlanNode }[] }[] }[];
  const plan = results.at(-2)?.rows[0]?.['QUERY PLAN'][0]?.Plan;
  if (plan === undefined) throw new Error('No plan.');
  return flatten(plan);
}

const compiler = new Kysely<unknown>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
});

/** A query as one text: EXPLAIN is sent together with what makes the actor. */
function inText(query: RawBuilder<unknown>): string {
  const { sql: text, parameters } = query.compile(compiler);
  return text.replace(/\$(\d+)/g, (_, place) => pg.escapeLiteral(String(parameters[Number(place) - 1])));
}

const flatten = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(flatten)];

/** Rows of a table that the plan has looked at: given on and filtered out, over all loops. */
function looked(plan: readonly PlanNode[], table: string): number {
  return plan
    .filter((node) => node['Relation Name'] === table)
    .reduce(
      (sum, node) =>
        sum +
        ((node['Actual Rows'] ?? 0) + (node['Rows Removed by Filter'] ?? 0)) * (node['Actual Loops'] ?? 1),
      0,
    );
}

const admin: Actor = { role: 'authenticated', person: 'admin', scope: 'here', homes: ['here'] };
const member: Actor = { role: 'authenticated', person: 'member', scope: 'here', homes: ['here'] };

const readers: [string, Actor][] = [
  ['ops', admin],
  ['ops on Supabase, without app.org_id', { ...admin, scope: undefined }],
  ['a member', member],
  ['a member on Supabase, without app.org_id', { ...member, scope: undefined }],
  ['the worker', { role: 'spark_worker', scope: 'here', homes: ['here'] }],
  [
    'an API key',
    { role: 'spark_integrator', keyOf: 'here', scopes: ['submissions:read'], scope: 'here', homes: ['here'] },
  ],
];

describe('a list without a condition on the org', () => {
  it.each(readers)('reads the rows of the org through an index, for %s', async (_name, actor) => {
    const plan = await explain(actor, 'select id, track_url, status from soundcloud_submissions');
    expect(
      plan.filter((node) => node['Node Type'] === 'Seq Scan').map((node) => node['Relation Name']),
    ).not.toContain('soundcloud_submissions');
    // The few sample rows are there too.
    expect(looked(plan, 'soundcloud_submissions')).toBeLessThan(SMALL * 2.5);
  });
});

describe('a page of the newest', () => {
  const pages = (org: 'here' | 'there', sort: '-created_at' | 'created_at', after?: Keyset) => {
    const order = SUBMISSION_ORDERS[sort];
    const behindIt = after === undefined ? sql`` : sql`and ${behind(order, after)}`;
    return inText(sql`select * from soundcloud_submissions where org_id = ${orgId(org)}::uuid ${behindIt}
      order by ${keysetOrderBy(order)} limit 50`);
  };

  it.each(readers)('reads the rows of the org only, for %s', async (_name, actor) => {
    const plan = await explain(actor, pages('here', '-created_at'));
    expect(looked(plan, 'soundcloud_submissions')).toBeLessThan(SMALL * 2.5);
  });

  const large: Actor = { role: 'spark_worker', scope: 'there', homes: ['there'] };
  const foreign: Actor = { role: 'authenticated', person: 'foreign', scope: 'there', homes: ['there'] };
  const middle = { value: '2026-01-01 08:20:00+00', id: orgId('there') };
  it.each([
    ['newest first, for the worker', large, '-created_at', undefined],
    ['newest first, for ops', foreign, '-created_at', undefined],
    ['oldest first, for ops', foreign, 'created_at', undefined],
    ['a page in the middle, newest first, for ops', foreign, '-created_at', middle],
    ['a page in the middle, oldest first, for ops', foreign, 'created_at', middle],
  ] as const)('of a large org comes sorted out of the index: %s', async (_name, actor, sort, after) => {
    const plan = await explain(actor, pages('there', sort, after));
    expect(plan.map((node) => node['Index Name'])).toContain('idx_soundcloud_submissions_by_creation');
    expect(plan.map((node) => node['Node Type'])).not.toContain('Sort');
    expect(looked(plan, 'soundcloud_submissions')).toBeLessThan(60);
  });
});

describe('the functions of the policies', () => {
  it.each(readers)('run once per statement, for %s', async (_name, actor) => {
    const plan = await explain(actor, 'select count(*) from soundcloud_submissions');
    const subplans = plan.filter((node) => node['Subplan Name'] !== undefined);
    expect(subplans.length).toBeGreaterThan(0);
    expect(subplans.filter((node) => node['Parent Relationship'] !== 'InitPlan')).toEqual([]);
    expect(subplans.filter((node) => (node['Actual Loops'] ?? 1) > 1)).toEqual([]);
  });
});

describe('one’s own notifications', () => {
  it('are found without reading those of others', async () => {
    const plan = await explain(
      member,
      `select * from soundcloud_notifications
       where user_id = '${userId('member')}' order by created_at desc limit 20`,
    );
    expect(plan.map((node) => node['Index Name'])).toContain(
      'idx_soundcloud_notifications_user_id_created_at',
    );
    expect(plan.map((node) => node['Node Type'])).not.toContain('Seq Scan');
  });
});

describe('hot lists', () => {
  it('use their partial index under the policies', async () => {
    const plan = await explain(
      admin,
      `select id from soundcloud_submissions
       where org_id = '${orgId('here')}' and status in ('new', 'pending', 'qa_flag')
       order by submitted_at limit 20`,
    );
    expect(plan.map((node) => node['Index Name'])).toContain('idx_soundcloud_submissions_undecided');
  });
});
