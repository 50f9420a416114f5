/** Temporal is stopped and comes back on its database file: creation goes on meanwhile, and nothing is forgotten. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backlog } from '../../db/backlog.js';
import { createDatabase } from '../../db/client.js';
import { eventually } from '../support/review-facts.js';
import { createWorld, type Submission, type World } from '../support/world.js';
import { expectInvariants } from './support/invariants.js';
import { type OwnTemporal, ownTemporal } from './support/own-servers.js';
import { reviewsOf } from './support/reviews.js';

const CREATED_MEANWHILE = 20;
/** The worker's polls and the relay come back by themselves, at longer and longer intervals. */
const COMES_BACK_MS = 60_000;

let temporal: OwnTemporal;
let world: World;
let reviews: ReturnType<typeof reviewsOf>;
let before: Submission[];
const meanwhile: Submission[] = [];

beforeAll(async () => {
  temporal = await ownTemporal();
  world = await createWorld({ servers: { temporalAddress: temporal.address } });
  reviews = reviewsOf(world);
  await world.startWorker();
  before = [await world.submit(), await world.submit()];
  for (const submission of before) await reviews.taken(submission);
});

afterAll(async () => {
  await world?.remove();
  await temporal?.remove();
});

describe('while Temporal is down', () => {
  it('submissions are created; their events wait in the outbox', { timeout: 120_000 }, async () => {
    await temporal.stop();
    for (let made = 0; made < CREATED_MEANWHILE; made += 1) meanwhile.push(await world.submit());
    const api = createDatabase(world.database.apiUrl, { max: 1 });
    try {
      expect((await backlog(api)).outboxEvents).toBe(CREATED_MEANWHILE);
    } finally {
      await api.destroy();
    }
    await temporal.start();
  });
});

describe('when Temporal is back', () => {
  it('every submission gets its review, once', { timeout: 120_000 }, async () => {
    for (const submission of meanwhile) await reviews.taken(submission, COMES_BACK_MS);
    for (const submission of meanwhile) {
      expect((await reviews.handleOf(submission).describe()).status.name).toBe('RUNNING');
      expect(await reviews.facts.mails(submission)).toEqual(['submission_confirmation sent']);
      expect(await reviews.facts.events(submission)).toEqual(['submission.created']);
    }
  });

  it('the reviews from before go on', { timeout: 120_000 }, async () => {
    for (const submission of before) {
      await reviews.reject(submission);
      expect(await reviews.facts.row(submission)).toMatchObject({ status: 'rejected' });
      await reviews.mailed(submission, ['submission_confirmation', 'submission_rejected']);
    }
    await eventually('the outbox is empty', async () => {
      const left = await world.db
        .selectFrom('soundcloud_events')
        .select('id')
        .where('relayed_at', 'is', null)
        .execute();
      return left.length === 0;
    });
  });

  it('everything adds up', async () => {
    await expectInvariants(world);
  });
});
