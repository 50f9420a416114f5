/** Request limits of providers and endpoints: token buckets that all processes share (`soundcloud_rate_buckets`). */
import { sql } from 'kysely';
import type { Db } from './client.js';

export interface RateBucket {
  /** One per provider key or endpoint, such as `resend`. Holds no secret. */
  key: string;
  /** Requests that may go at once. */
  capacity: number;
  /** Requests regained in a real second. */
  refillPerSecond: number;
}

/** As providers/rate-limit.ts has it (`RequestLeave`); times are real, epoch ms. */
export type BucketLeave = { allowed: true } | { allowed: false; notBefore: number };

/**
 * Takes leave for some requests from a bucket, which is made full at its first use. Without leave nothing is taken.
 * @param db the worker's login; a pool, never an open transaction, because the bucket stays locked until it ends.
 * @param units requests about to be sent (default 1), at most the capacity.
 * @throws DatabaseError 22023 when `units` never fit.
 */
export async function takeRequestLeave(db: Db, bucket: RateBucket, units = 1): Promise<BucketLeave> {
  const { rows } = await sql<{ allowed: boolean; not_before: Date }>`
    select allowed, not_before
    from private.take_request_leave(${bucket.key}, ${bucket.capacity}, ${bucket.refillPerSecond}, ${units})
  `.execute(db);
  const row = rows[0];
  if (!row) throw new Error(`The bucket "${bucket.key}" gave no answer. Run \`spark migrate\`.`);
  // Rounded up: the database counts in microseconds, and a caller that comes back too early is refused again.
  return row.allowed ? { allowed: true } : { allowed: false, notBefore: row.not_before.getTime() + 1 };
}

/** The leave of one bucket in the form provider clients take it (`TakeRequestLeave`). */
export function createTakeRequestLeave(db: Db, bucket: RateBucket): (units?: number) => Promise<BucketLeave> {
  return (units) => takeRequestLeave(db, bucket, units);
}
