/** Proposals over HTTP: what ops read of them, and that nobody else does. */
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { withOrg } from '../db/client.js';
import { insertSubmissionProposal } from '../db/proposals.js';
import { loadSettings } from '../db/settings.js';
import { planTargets } from '../db/target-plan.js';
import { type ApiWorld, createApiWorld } from '../test/support/api-world.js';
import { addApproved, addMembers } from '../test/support/queue-world.js';

const BUILT_AT = Date.UTC(2026, 4, 11, 9, 30);
const EXPIRES_AT = Date.UTC(2026, 4, 12, 9, 30);

let world: ApiWorld;
let supporter: string;
let resting: string;
let path: string;

beforeAll(async () => {
  world = await createApiWorld();
  const { orgId } = world;
  const ids = await addMembers(world.db, orgId, [
    { handle: 'artist', balance: 3, activeAt: BUILT_AT },
    { handle: 'supporter', activeAt: BUILT_AT },
    { handle: 'resting', activeAt: Date.UTC(2026, 0, 1) },
  ]);
  const [artist = ''] = ids;
  [, supporter = '', resting = ''] = ids;
  const [submission = ''] = await addApproved(world.db, orgId, [
    { memberId: artist, slug: 'track', artist: 'artist', supportDate: '2026-05-12' },
  ]);
  const id = await withOrg(world.db, orgId, async (trx) => {
    const plan = await planTargets(trx, {
      orgId,
      submission: {
        id: submission,
        member_id: artist,
        track_url: 'https://soundcloud.com/artist/track',
        family: 'Electronic',
        subgenres: [],
      },
      settings: await loadSettings(trx, orgId),
      now: BUILT_AT,
    });
    return insertSubmissionProposal(trx, {
      orgId,
      submissionId: submission,
      ...plan,
      createdAt: BUILT_AT,
      expiresAt: EXPIRES_AT,
    });
  });
  path = `/v1/proposals/${id}`;
});

afterAll(async () => {
  await world?.remove();
});

it('a proposal names its targets and exclusions, and when the facts were read, as a time', async () => {
  const { status, body } = await world.call('GET', path, { as: world.moderator });
  expect(status).toBe(200);
  expect(body).toMatchObject({
    created_at: '2026-05-11T09:30:00.000Z',
    criteria: { built_at: '2026-05-11T09:30:00.000Z', support_date: '2026-05-12' },
    proposed_targets: [{ member_id: supporter, price: 1 }],
  });
  expect(body.conflicts).toContainEqual(
    expect.objectContaining({
      member_id: resting,
      code: 'inactive',
      facts: { last_activity_at: '2026-01-01T00:00:00.000Z', inactivity_days: 90 },
    }),
  );
});

it('one that was pruned keeps the time as well', async () => {
  await sql`update public.soundcloud_target_proposals
    set conflicts = '[]', criteria = criteria - 'not_chosen' || '{"pruned_at": "2026-05-13T00:00:00.000Z"}'
    where org_id = ${world.orgId}`.execute(world.db);
  const { body } = await world.call('GET', path);
  expect(body).toMatchObject({
    pruned_at: '2026-05-13T00:00:00.000Z',
    criteria: { built_at: '2026-05-11T09:30:00.000Z', pruned_at: '2026-05-13T00:00:00.000Z' },
    conflicts: [],
  });
});

it('is for ops', async () => {
  for (const hidden of [path, '/v1/proposals']) {
    const refused = await world.call('GET', hidden, { as: world.member });
    expect([refused.status, refused.body.code]).toEqual([403, 'forbidden']);
  }
  expect((await world.call('GET', path, { as: world.otherAdmin })).status).toBe(404);
});
