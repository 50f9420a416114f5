/** What the owner does once: the clock of a new database, and orgs. */
import { sql } from 'kysely';
import type { BusinessClock } from '../domain/calendar.js';
import { asOwner, type Db } from './client.js';

export interface CreatedOrg {
  orgId: string;
  /** The admin's login. */
  userId: string;
  /** False when an org of that name was there already and was only completed. */
  created: boolean;
}

/**
 * Makes an org with its default data and first admin, or completes the one of that name; safe to repeat.
 * On plain PostgreSQL a missing login is made; on Supabase the person must have been invited first.
 * @throws database error SPK01 `not_found` when the login is missing and cannot be made here.
 */
export async function createOrg(
  ownerDb: Db,
  org: { name: string; adminEmail: string } | { name: string; adminUserId: string },
): Promise<CreatedOrg> {
  const email = 'adminEmail' in org ? org.adminEmail : null;
  const userId = 'adminUserId' in org ? org.adminUserId : null;
  return asOwner(ownerDb, async (trx) => {
    const { rows } = await sql<{ org_id: string; user_id: string; created: boolean }>`
      select org_id, user_id, created
      from private.create_org(${org.name}, ${email}, ${userId}::uuid)`.execute(trx);
    const row = rows[0];
    if (row === undefined) throw new Error('private.create_org returned no row.');
    return { orgId: row.org_id, userId: row.user_id, created: row.created };
  });
}

/**
 * Sets the length of the business day of a database that has no org yet; the same length again changes nothing.
 * Without a call a database runs in real time.
 * @param clock.daySeconds real seconds of a business day, 24 … 86,400
 * @param clock.businessStart business instant (epoch ms) that begins now; default: the real one
 * @throws database error SPK01 `clock_fixed` when an org exists and the length differs.
 */
export async function setClock(
  ownerDb: Db,
  clock: { daySeconds: number; businessStart?: number },
): Promise<BusinessClock> {
  const start = clock.businessStart === undefined ? null : new Date(clock.businessStart);
  return asOwner(ownerDb, async (trx) => {
    const { rows } = await sql<{ real_start: Date; business_start: Date; day_seconds: number }>`
      select real_start, business_start, day_seconds
      from private.set_clock(${clock.daySeconds}, ${start})`.execute(trx);
    const row = rows[0];
    if (row === undefined) throw new Error('private.set_clock returned no row.');
    return {
      realStart: row.real_start.getTime(),
      businessStart: row.business_start.getTime(),
      daySeconds: row.day_seconds,
    };
  });
}
