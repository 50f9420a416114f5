/** The stack's database: made, and given the business clock of its data folder. */
import pg from 'pg';
import { createDatabase } from '../db/client.js';
import { readClock } from '../db/clock.js';
import { setClock } from '../db/setup.js';
import type { BusinessClock } from '../domain/calendar.js';

export const STACK_DATABASE = 'spark';

/** Makes the database on a server of ours when it is missing. */
export async function makeStackDatabase(adminUrl: string): Promise<void> {
  await onConnection(adminUrl, async (client) => {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [STACK_DATABASE]);
    if (rowCount === 0) await client.query(`create database ${STACK_DATABASE}`);
  });
}

/**
 * Sets the business clock of a new database, and answers with the clock it has.
 * @param wish real seconds of a business day, and the business instant (epoch ms) that begins now (default: the real
 *   one); undefined = as the database has it
 * @throws Error when the clock is another one and can no longer change.
 */
export async function establishClock(
  ownerUrl: string,
  wish: { daySeconds: number; businessStart?: number } | undefined,
): Promise<BusinessClock> {
  const db = createDatabase(ownerUrl, { max: 1 });
  try {
    const known = await readClock(db);
    if (wish === undefined || wish.daySeconds === known.daySeconds) return known;
    try {
      return await setClock(db, wish);
    } catch (error) {
      if (!(error instanceof pg.DatabaseError && error.message === 'clock_fixed')) throw error;
      throw new Error(
        `The database's business day lasts ${known.daySeconds} s, not ${wish.daySeconds} s, and can no longer change. Use --day-seconds ${known.daySeconds}, or another data folder or database.`,
        { cause: error },
      );
    }
  } finally {
    await db.destroy();
  }
}

async function onConnection<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
