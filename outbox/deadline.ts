/** How long Temporal has to answer. */
import type { Client } from '@temporalio/client';

/** A server that hangs must hold up neither a start, nor the relay's transaction, nor who looks at many workflows; real ms. */
const DEADLINE_MS = 10_000;

/** What tests shorten. */
export interface Deadline {
  /** Real ms in which Temporal must answer. */
  deadlineMs?: number;
}

/** Asks Temporal. @throws ServiceError when it gives no answer in time */
export function inTime<R>(
  client: Client,
  ask: () => Promise<R>,
  { deadlineMs = DEADLINE_MS }: Deadline,
): Promise<R> {
  return client.withDeadline(Date.now() + deadlineMs, ask);
}
