/** Target proposals over HTTP: who accepts which, until when, and what the refusals say. */
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiWorld, createApiWorld, type Person } from '../test/support/api-world.js';

let api: ApiWorld;

beforeAll(async () => {
  api = await createApiWorld();
});

afterAll(async () => {
  await api?.remove();
});

/** A proposal of a new campaign, or of a new submission. @param hours until it expires */
async function proposal(parent: 'campaign' | 'submission', hours = 24, orgId = api.orgId): Promise<string> {
  const inserted =
    parent === 'campaign'
      ? sql<{
          id: string;
        }>`insert into public.soundcloud_campaigns (org_id, artist_name, track_name, track_url)
          values (${orgId}, 'Night Harbor', 'Low Tide', ${api.trackUrl()}) returning id`
      : sql<{ id: string }>`insert into public.soundcloud_submissions (org_id, member_id, track_url)
          values (${orgId}, ${api.memberId}, ${api.trackUrl()}) returning id`;
  const { rows: parents } = await inserted.execute(api.db);
  const { rows } = await sql<{ id: string }>`
    insert into public.soundcloud_target_proposals (org_id, parent_type, parent_id, total_capacity, expires_at)
    select ${orgId}, ${parent}, ${parents[0]?.id}, 1200, private.business_now() + make_interval(hours => ${hours})
    returning id`.execute(api.db);
  return rows[0]?.id ?? '';
}

const accept = (id: string, as: Person = api.admin) => api.call('POST', `/v1/proposals/${id}/accept`, { as });

const audits = async (id: string) => {
  const { rows } = await sql<{ actor_id: string }>`
    select actor_id from public.soundcloud_audit_log
    where entity_id = ${id} and action = 'proposal.accept'`.execute(api.db);
  return rows.map(({ actor_id }) => actor_id);
};

describe('a proposal of a campaign', () => {
  it('is accepted once by ops, with who and when, and does not expire any more', async () => {
    const id = await proposal('campaign');
    expect((await api.call('GET', `/v1/proposals/${id}`, { as: api.admin })).body).toMatchObject({
      state: 'open',
      accepted_by: null,
    });
    const accepted = await accept(id, api.moderator);
    expect([accepted.status, accepted.body]).toMatchObject([
      200,
      { state: 'accepted', accepted_by: api.moderator.id, accepted_at: expect.any(String) },
    ]);
    expect(await audits(id)).toEqual([api.moderator.id]);
    await sql`update public.soundcloud_target_proposals set expires_at = private.business_now() - interval '1 hour'
      where id = ${id}`.execute(api.db);
    const again = await accept(id);
    expect([again.status, again.body.code]).toEqual([409, 'proposal_accepted']);
    const shown = await api.call('GET', `/v1/proposals/${id}`, { as: api.admin });
    expect(shown.body).toMatchObject({ state: 'accepted', accepted_by: api.moderator.id });
  });

  it('is accepted by one of two at the same moment', async () => {
    const id = await proposal('campaign');
    const answers = await Promise.all([accept(id), accept(id, api.moderator)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    expect(answers.find(({ status }) => status === 409)?.body.code).toBe('proposal_accepted');
    expect(await audits(id)).toHaveLength(1);
  });

  it('that has expired is refused with what to do, and stays as it is', async () => {
    const id = await proposal('campaign', -1);
    const late = await accept(id);
    expect([late.status, late.body.code]).toEqual([409, 'proposal_expired']);
    expect(late.body.detail).toMatch(/newest one of its campaign/);
    const shown = await api.call('GET', `/v1/proposals/${id}`, { as: api.admin });
    expect(shown.body).toMatchObject({ state: 'expired', accepted_at: null });
    expect(await audits(id)).toEqual([]);
  });

  it('is not there for another org, and not for members', async () => {
    expect((await accept(await proposal('campaign', 24, api.otherOrgId))).status).toBe(404);
    expect((await accept(await proposal('campaign'), api.member)).status).toBe(403);
  });
});

it('a proposal of a submission only advises: its queue is approved', async () => {
  const id = await proposal('submission');
  const refused = await accept(id);
  expect([refused.status, refused.body.code]).toEqual([409, 'proposal_advisory']);
  expect(refused.body.detail).toMatch(/Approve the queue/);
});
