/** What the inbox calls the things that wait. */

import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { insertAssignments, insertQueue } from '../db/queues.js';
import { saveWait } from '../db/waits.js';
import type { Wait } from '../domain/waiting.js';
import { type ApiWorld, createApiWorld } from '../test/support/api-world.js';
import { addApproved, addMembers } from '../test/support/queue-world.js';
import { dailyQueueId } from '../workflows/daily-queue/contract.js';

const DATE = '2026-05-11';
const NOON = Date.UTC(2026, 4, 11, 12);

let api: ApiWorld;

beforeAll(async () => {
  api = await createApiWorld();
});
afterAll(async () => {
  await api?.remove();
});

it('tracks by artist and title, never with a secret token; queues by date; page by page', async () => {
  const { db, orgId } = api;
  const [artist = '', supporter = ''] = await addMembers(db, orgId, [
    { handle: 'artist', activeAt: NOON },
    { handle: 'one', activeAt: NOON },
  ]);
  const [named = '', secret = ''] = await addApproved(
    db,
    orgId,
    ['track', 'hidden/s-Secret'].map((slug) => ({
      memberId: artist,
      slug,
      artist: 'artist',
      supportDate: DATE,
    })),
  );
  await sql`update public.soundcloud_submissions set artist_name = null, track_name = null
    where id = ${secret}`.execute(db);
  const waiting = (dueAt: number | null): Wait => ({
    stage: 'proof',
    waitingOn: 'supporter',
    whoCanAct: 'the supporter',
    howToAct: 'submitProof',
    since: NOON,
    dueAt,
    paused: false,
    remainingMs: null,
    breached: false,
  });
  const expected = await db.transaction().execute(async (trx) => {
    const queue = await insertQueue(trx, orgId, DATE);
    const assignments = [named, secret].map((submission_id, n) => ({
      id: randomUUID(),
      submission_id,
      supporter_id: supporter,
      position: n + 1,
      credits: 1,
      reach: 600,
      reach_factor: 0.06,
      slot_at: NOON + n * 3_600_000,
      replacement_for: null,
    }));
    await insertAssignments(trx, orgId, queue.id, assignments as never);
    const entries: [string, string, string][] = [
      ['submission', named, 'Artist – track'],
      ['assignment', assignments[0]?.id ?? '', 'Artist – track'],
      ['assignment', assignments[1]?.id ?? '', 'https://soundcloud.com/artist/hidden'],
      ['attribution', named, 'Artist – track'],
      ['queue', queue.id, `Queue of ${DATE}`],
    ];
    for (const [n, [entityType, entityId]] of entries.entries()) {
      const key = { orgId, workflowId: `${entityType}:${n}`, entityType, entityId };
      // The last one has no deadline and stands behind all others.
      await saveWait(trx, key, waiting(n === entries.length - 1 ? null : NOON + n));
    }
    return entries.map(([entity_type, , label]) => ({ entity_type, label }));
  });
  const seen: unknown[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const { body } = await api.call(
      'GET',
      `/v1/inbox?waiting_on=supporter&limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`,
    );
    expect(body.data.length).toBeLessThanOrEqual(2);
    seen.push(...body.data.map(({ entity_type, label }) => ({ entity_type, label })));
    cursor = body.next_cursor;
  }
  expect(seen).toEqual(expected);
});

it.each([null, NOON])(
  'shows both waits of a submission at the border of two pages, due %s',
  async (dueAt) => {
    const { db, orgId } = api;
    const [memberId = ''] = await addMembers(db, orgId, [{ handle: `due-${dueAt}`, activeAt: NOON }]);
    const [submission = ''] = await addApproved(db, orgId, [
      { memberId, slug: `due-${dueAt}`, artist: 'artist', supportDate: DATE },
    ]);
    const stage = `numbers due ${dueAt}`;
    const kinds = ['attribution', 'submission'];
    await db.transaction().execute(async (trx) => {
      for (const entityType of kinds) {
        const key = { orgId, workflowId: `${entityType}:${submission}`, entityType, entityId: submission };
        await saveWait(trx, key, {
          stage,
          waitingOn: 'provider',
          whoCanAct: 'nobody',
          howToAct: 'it is asked again',
          since: NOON,
          dueAt,
          paused: false,
          remainingMs: null,
          breached: false,
        });
      }
    });
    const address = `/v1/inbox?stage=${encodeURIComponent(stage)}&limit=1`;
    const first = await api.call('GET', address);
    const second = await api.call('GET', `${address}&cursor=${first.body.next_cursor}`);
    expect([...first.body.data, ...second.body.data].map(({ entity_type }) => entity_type)).toEqual(kinds);
    expect(second.body.next_cursor).toBeNull();
  },
);

it('names the address of a command: for a queue by its date', async () => {
  const { db, orgId } = api;
  const date = '2031-03-04';
  await db.transaction().execute(async (trx) => {
    const queue = await insertQueue(trx, orgId, date);
    const key = { orgId, workflowId: dailyQueueId(orgId, date), entityType: 'queue', entityId: queue.id };
    await saveWait(trx, key, {
      stage: 'approval',
      waitingOn: 'ops',
      whoCanAct: 'an admin or moderator',
      howToAct: 'approve, in whole or in part; before that regenerate, swapAssignment',
      since: NOON,
      dueAt: NOON,
      paused: false,
      remainingMs: null,
      breached: false,
    });
  });
  const { body } = await api.call('GET', '/v1/inbox?entity_type=queue&waiting_on=ops');
  expect(body.data.map(({ how_to_act }) => how_to_act)).toEqual([
    `approve (POST /v1/queues/${date}/approve), in whole or in part; before that regenerate (POST /v1/queues/${date}/regenerate), swapAssignment (POST /v1/queues/${date}/assignments/swap)`,
  ]);
});
