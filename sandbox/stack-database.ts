/** The stack's database: made, and given the business clock of its data folder. */
import pg from 'pg';
import { createDatabase } from '../db/client.js';
import { readClock } from '../db/clock.js';
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
 * Writes the business clock of a migrated database, once; later only checks that the day is the one it was made with.
 * @param daySeconds real seconds of a business day
 * @throws Error when the database already has a clock with another day.
 */
export async function establishClock(ownerUrl: string, daySeconds: number): Promise<BusinessClock> {
  await onConnection(ownerUrl, (client) =>
    client.query(
      `insert into public.soundcloud_clock (real_start, business_start, day_seconds)
       values (clock_timestamp(), clock_timestamp(), $1) on conflict (id) do nothing`,
      [daySeconds],
    ),
  );
  const db = createDatabase(ownerUrl, { max: 1 });
  try {
    const clock = await readClock(db);
    if (clock.daySeconds !== daySeconds) {
      throw new Error(
        `The database's business day lasts ${clock.daySeconds} s, not ${daySeconds} s, and cannot change. Use --day-seconds ${clock.daySeconds}, or another data folder or database.`,
      );
    }
    return clock;
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
