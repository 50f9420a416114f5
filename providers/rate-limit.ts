/**
 * Leave to send one request, taken before each HTTP request. The bucket lives in Postgres (`soundcloud_rate_buckets`),
 * one row per provider key, so that it counts requests of all processes.
 */
export type RequestLeave =
  | { allowed: true }
  | { allowed: false /** Real time, epoch ms. */; notBefore: number };

/** @param units how many requests the caller is about to send (default 1). */
export type TakeRequestLeave = (units?: number) => Promise<RequestLeave>;

/** Thrown by a client that got no leave. Not an error of the provider: the activity hands `notBefore` to the workflow. */
export class RequestNotYetAllowed extends Error {
  override readonly name = 'RequestNotYetAllowed';
  constructor(readonly notBefore: number) {
    super('No request leave yet.');
  }
}
