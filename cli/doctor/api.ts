/** Whether the API answers and sees everything it needs. */
import type { Finding } from './finding.js';

const TIMEOUT_MS = 10_000;

/** Asks the API whether it is ready. */
export async function checkApi(address: string): Promise<Finding[]> {
  try {
    const response = await fetch(`${address}/readyz`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    const body = (await response.text()).slice(0, 500);
    if (response.ok) return [];
    return [
      {
        area: 'servers',
        problem: `The API at ${address} is not ready (${response.status}): ${body}`,
        repair: 'Repair what it names; it becomes ready by itself.',
      },
    ];
  } catch (error) {
    return [
      {
        area: 'servers',
        problem: `The API at ${address} does not answer (${(error as Error).message}).`,
        repair: 'Start it (`spark start`, or `docker compose up api`), or set PUBLIC_URL to where it is.',
      },
    ];
  }
}
