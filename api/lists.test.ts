/** Lists: every row once, in order, also while rows come and go between two pages. */
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AnswerBody, type ApiWorld, createApiWorld } from '../test/support/api-world.js';

let world: ApiWorld;
const COUNT = 23;

beforeAll(async () => {
  world = await createApiWorld();
  // Written in one statement: equal times, so that only the id orders many of them.
  await sql`insert into public.soundcloud_submissions
      (org_id, member_id, track_url, status, support_date, submitted_at, created_at, imported_at)
    select ${world.orgId}, ${world.memberId}, 'https://soundcloud.com/night-harbor/list-' || n,
      (array['new', 'pending', 'approved', 'rejected', 'qa_flag'])[1 + n % 5]::public.soundcloud_submission_status,
      case when n % 3 = 0 then null else date '2026-03-01' + n % 4 end,
      timestamptz '2026-02-01 00:00:00.123456Z' + (n % 7) * interval '1 microsecond',
      timestamptz '2026-02-01 00:00:00.123456Z' + (n % 5) * interval '1 microsecond', now()
    from generate_series(1, ${COUNT}) n`.execute(world.db);
});
afterAll(async () => {
  await world?.remove();
});

async function pages(
  path: string,
  limit: number,
  between: () => Promise<unknown> = async () => {},
): Promise<AnswerBody[]> {
  const rows: AnswerBody[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const separator = path.includes('?') ? '&' : '?';
    const page = await world.call('GET', `${path}${separator}limit=${limit}${cursor && `&cursor=${cursor}`}`);
    expect(page.status).toBe(200);
    expect(page.body.data.length).toBeLessThanOrEqual(limit);
    rows.push(...page.body.data);
    cursor = page.body.next_cursor;
    await between();
  }
  return rows;
}

describe('lists of submissions', () => {
  const SORTS = [
    'created_at',
    '-created_at',
    'submitted_at',
    '-submitted_at',
    'support_date',
    '-support_date',
  ];

  it.each(SORTS)('by %s show every row once, page by page', async (sort) => {
    const whole = await pages(`/v1/submissions?sort=${sort}`, 250);
    expect(new Set(whole.map((row) => row.id)).size).toBe(COUNT);
    for (const limit of [1, 4, 23]) {
      expect((await pages(`/v1/submissions?sort=${sort}`, limit)).map((row) => row.id)).toEqual(
        whole.map((row) => row.id),
      );
    }
  });

  it('neither repeat nor lose a row when rows are added meanwhile', async () => {
    const before = (await pages('/v1/submissions', 250)).map((row) => row.id);
    let number = 0;
    const seen = await pages('/v1/submissions', 5, async () => {
      number += 1;
      await sql`insert into public.soundcloud_submissions (org_id, member_id, track_url, imported_at)
        values (${world.orgId}, ${world.memberId}, ${`https://soundcloud.com/night-harbor/late-${number}`}, now())`.execute(
        world.db,
      );
    });
    expect(seen.map((row) => row.id)).toEqual(before);
    await sql`delete from public.soundcloud_submissions where track_url like '%/late-%'`.execute(world.db);
  });

  it('filter by status, member, date and openness', async () => {
    const statuses = async (query: string) =>
      new Set((await pages(`/v1/submissions?${query}`, 250)).map((row) => row.status));
    expect(await statuses('status=new')).toEqual(new Set(['new']));
    expect(await statuses('status=new,qa_flag')).toEqual(new Set(['new', 'qa_flag']));
    expect(await statuses('status=approved,new')).toEqual(new Set(['approved', 'new']));
    expect(await statuses('open=true')).toEqual(new Set());
    const dated = await pages('/v1/submissions?support_date=2026-03-02', 250);
    expect(new Set(dated.map((row) => row.support_date))).toEqual(new Set(['2026-03-02']));
    const someone = await world.addMember(world.orgId);
    expect(await pages(`/v1/submissions?member_id=${someone}`, 250)).toEqual([]);
  });

  it('name the member beside the id, to members only themselves', async () => {
    const other = await world.addMember(world.orgId);
    await sql`insert into public.soundcloud_submissions (org_id, member_id, track_url, status, imported_at)
      values (${world.orgId}, ${other}, ${world.trackUrl()}, 'rejected', now())`.execute(world.db);
    const nameOf = async (id: string) => (await world.call('GET', `/v1/members/${id}`)).body.name;
    const names = { [world.memberId]: await nameOf(world.memberId), [other]: await nameOf(other) };
    const seen = async (as = world.admin) => {
      const { body } = await world.call('GET', '/v1/submissions?status=rejected&limit=250', { as });
      return Object.fromEntries(body.data.map((row) => [row.member_id, row.member_name]));
    };
    expect(await seen()).toEqual(names);
    expect(await seen(world.moderator)).toEqual(names);
    expect(await seen(world.member)).toEqual({ [world.memberId]: names[world.memberId] });
    await sql`delete from public.soundcloud_submissions where member_id = ${other}`.execute(world.db);
  });

  it('refuse a cursor of another sort', async () => {
    const page = await world.call('GET', '/v1/submissions?limit=1');
    const answer = await world.call(
      'GET',
      `/v1/submissions?sort=support_date&cursor=${page.body.next_cursor}`,
    );
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_cursor']);
  });
});

describe('lists of members', () => {
  it('page by name and find by e-mail and handle', async () => {
    for (let i = 0; i < 7; i += 1) await world.addMember(world.orgId, `listed${i}@members.test`);
    const whole = await pages('/v1/members', 250);
    expect((await pages('/v1/members', 3)).map((row) => row.id)).toEqual(whole.map((row) => row.id));
    const found = await pages('/v1/members?email=Listed3@members.test', 50);
    expect(found.map((row) => row.primary_email)).toEqual(['listed3@members.test']);
  });
});
