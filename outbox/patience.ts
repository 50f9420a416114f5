/** Waiting for a Temporal that is slow at a worker's start. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { Logger } from '../config/log.js';
import { type Deadline, inTime } from './deadline.js';
import { mayPass } from './server-errors.js';

const TRIES = 4;
/** Real ms. */
const FIRST_PAUSE_MS = 1_000;

/**
 * Asks Temporal with a deadline, again while it fails in a way that may pass: four times, for less than a minute. What is
 * asked must be harmless to repeat.
 * @param what is asked for, for the log
 * @param options.firstPauseMs real ms before the second try; each pause is twice the one before
 * @throws what Temporal refuses with, or the last failure
 */
export async function patiently<R>(
  client: Client,
  log: Logger,
  what: string,
  ask: () => Promise<R>,
  { firstPauseMs = FIRST_PAUSE_MS, ...deadline }: Deadline & { firstPauseMs?: number } = {},
): Promise<R> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await inTime(client, ask, deadline);
    } catch (error) {
      if (tries === TRIES || !mayPass(error)) throw error;
      log.warn({ err: error, tries }, `Temporal gave no answer in time; asked again: ${what}`);
      await delay(firstPauseMs * 2 ** (tries - 1));
    }
  }
}
