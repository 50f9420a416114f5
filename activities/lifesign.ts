/** Signs of life of long calls. */
import { heartbeat } from '@temporalio/activity';

/** Well below the heartbeat timeouts of workflows/shared/activities.ts. */
const EVERY_MS = 4_000;

/**
 * Lets Temporal know every few seconds that a call still runs: one that died with its worker is then tried again within
 * seconds instead of when its whole time is over.
 * @param details what the next try is given; each sign of life carries it, because one without would wipe it out
 */
export async function withLifesign<T>(work: () => Promise<T>, details?: () => unknown): Promise<T> {
  const beat = setInterval(() => heartbeat(details?.()), EVERY_MS);
  try {
    return await work();
  } finally {
    clearInterval(beat);
  }
}
