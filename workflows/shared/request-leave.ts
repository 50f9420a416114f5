/** How a workflow waits when a request limit sends it back. */

const FIRST_SPREAD_MS = 100;
const LARGEST_SPREAD_MS = 300_000;

/**
 * Real milliseconds to sleep before the next try. Everybody a bucket sends back hears the same instant, so each adds
 * a random wait that doubles with each try: a crowd spreads out, and a limit that lasts for hours fills no history.
 * @param notBefore real time, epoch ms. @param tries how often it was sent back before.
 */
export function waitForLeave(notBefore: number, tries: number): number {
  const spread = Math.min(FIRST_SPREAD_MS * 2 ** tries, LARGEST_SPREAD_MS);
  return Math.max(notBefore - Date.now(), 0) + Math.ceil(spread * (0.5 + Math.random() / 2));
}
