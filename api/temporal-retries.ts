/**
 * Retries of calls to Temporal, short enough for somebody who waits for an answer. The SDK's own go on for half a
 * minute, also past a call's deadline, and one that fires after the connection was closed ends the process.
 */
import { type ConnectionOptions, isRetryableError, makeGrpcRetryInterceptor } from '@temporalio/client';

const MAX_ATTEMPTS = 3;
const FIRST_DELAY_MS = 100;
/** The longest pause before a retry: a connection may be closed this long after the last retry was allowed. */
export const LONGEST_RETRY_DELAY_MS = FIRST_DELAY_MS * 2 ** (MAX_ATTEMPTS - 1);

/** @param closing once aborted, nothing is retried any more */
export function shortRetries(closing: AbortSignal): NonNullable<ConnectionOptions['interceptors']> {
  return [
    makeGrpcRetryInterceptor({
      retryableDecider: (attempt, status) =>
        !closing.aborted && attempt < MAX_ATTEMPTS && isRetryableError(status),
      delayFunction: (attempt) => FIRST_DELAY_MS * 2 ** (attempt - 1),
    }),
  ];
}
