import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../test/support/database.js';
import { createDatabase, type Db } from './client.js';
import { createTakeRequestLeave, takeRequestLeave } from './rate-buckets.js';

let database: TestDatabase;
let worker: Db;
let owner: Db;

beforeAll(async () => {
  database = await createTestDatabase();
  worker = createDatabase(database.workerUrl, { max: 10 });
  owner = createDatabase(database.adminUrl, { max: 1 });
});
afterAll(async () => {
  await worker.destroy();
  await owner.destroy();
  await database.drop();
});

/** A refill so slow that none happens during a test. */
const SLOW = 1 / 100_000;

/** Moves a bucket's last filling into the past, which is what waiting does. */
async function letPass(key: string, seconds: number): Promise<void> {
  await sql`update soundcloud_rate_buckets set filled_at = filled_at - make_interval(secs => ${seconds}) where key = ${key}`.execute(
    owner,
  );
}

test('gives the capacity, then says when the next request may go', async () => {
  const take = createTakeRequestLeave(worker, { key: 'one', capacity: 3, refillPerSecond: SLOW });
  const before = Date.now();
  expect([await take(), await take(2)]).toEqual([{ allowed: true }, { allowed: true }]);
  const refused = await take();
  expect(refused.allowed).toBe(false);
  if (refused.allowed) return;
  expect(refused.notBefore).toBeGreaterThan(before + 99_000_000);
  expect(refused.notBefore).toBeLessThan(Date.now() + 100_001_000);
});

test('refills with real time, never beyond the capacity; a refusal takes nothing', async () => {
  const bucket = { key: 'refill', capacity: 2, refillPerSecond: 0.001 };
  await takeRequestLeave(worker, bucket, 2);
  await letPass('refill', 1_000);
  expect(await takeRequestLeave(worker, bucket, 2)).toMatchObject({ allowed: false });
  expect(await takeRequestLeave(worker, bucket, 1)).toEqual({ allowed: true });
  await letPass('refill', 1_000_000);
  expect(await takeRequestLeave(worker, bucket, 2)).toEqual({ allowed: true });
  expect(await takeRequestLeave(worker, bucket, 1)).toMatchObject({ allowed: false });
});

test('many at once never get more than there is, and buckets do not share', async () => {
  const take = createTakeRequestLeave(worker, { key: 'crowd', capacity: 7, refillPerSecond: SLOW });
  const leaves = await Promise.all(Array.from({ length: 40 }, () => take()));
  expect(leaves.filter((leave) => leave.allowed)).toHaveLength(7);
  const other = createTakeRequestLeave(worker, { key: 'other', capacity: 7, refillPerSecond: SLOW });
  expect(await other()).toEqual({ allowed: true });
});

test('more than ever fits is an error, not an endless wait', async () => {
  const bucket = { key: 'small', capacity: 2, refillPerSecond: 1 };
  await expect(takeRequestLeave(worker, bucket, 3)).rejects.toMatchObject({ code: '22023' });
});
