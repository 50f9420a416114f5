/** Which orgs have schedules, and when theirs must change. */
import type { Client } from '@temporalio/client';
import { sql } from 'kysely';
import { type Db, type Queryable, withOrg } from '../db/client.js';
import { readClock } from '../db/clock.js';
import { walletsToGrant } from '../db/monthly-grants.js';
import { loadSettings } from '../db/settings.js';
import { monthOf, toBusiness } from '../domain/calendar.js';
import { beginGrant } from '../domain/monthly-grant.js';
import { withDefaults } from '../domain/settings.js';
import { ensureOrgSchedules, restoreOrgSchedules, type ScheduledOrg } from './schedules.js';

/** Events after which an org's schedules are brought up to date. */
export const SCHEDULING_EVENTS: readonly string[] = ['org.created', 'settings.changed'];

/** Real ms. */
const DEADLINE_MS = 10_000;

export interface OrgScheduler {
  /**
   * Brings the schedules of one org up to date. The grant is started if its Schedule was lost, or is made only now, and
   * the org misses it meanwhile. @throws ServiceError when Temporal is away.
   */
  ensure(orgId: string): Promise<void>;
  /** Those of all orgs, at a worker's start. */
  ensureAll(): Promise<void>;
}

/** The orgs that have schedules to keep. @param db as the login `spark_worker` or the owner. */
export async function scheduledOrgs(db: Queryable): Promise<ScheduledOrg[]> {
  const { rows } = await sql<{ org_id: string; timezone: string; queue_hours: object }>`
    select org_id, timezone, queue_hours from private.active_orgs()`.execute(db);
  return rows.map((row) => ({
    orgId: row.org_id,
    timezone: row.timezone,
    queueHours: withDefaults({ queue_hours: row.queue_hours }).queue_hours,
  }));
}

/** @param db pool of the login `spark_worker`. */
export function createOrgScheduler(client: Client, taskQueue: string, db: Db): OrgScheduler {
  return {
    async ensure(orgId) {
      const clock = await readClock(db);
      const { settings, oldest } = await withOrg(db, orgId, async (trx) => ({
        settings: await loadSettings(trx, orgId),
        oldest: (await walletsToGrant(trx, orgId)).oldest,
      }));
      const { timezone, queue_hours: queueHours } = settings;
      const month = monthOf(toBusiness(clock, Date.now()), timezone);
      const startGrant = beginGrant(oldest?.getTime() ?? null, timezone, month).month !== null;
      // The relay waits for this with its transaction open: a server that hangs must not hold it.
      await client.withDeadline(Date.now() + DEADLINE_MS, () =>
        ensureOrgSchedules(client, taskQueue, clock, { orgId, timezone, queueHours }, { startGrant }),
      );
    },
    async ensureAll() {
      const clock = await readClock(db);
      for (const org of await scheduledOrgs(db)) await restoreOrgSchedules(client, taskQueue, clock, org);
    },
  };
}

/** For an installation that keeps no schedules. */
export const noOrgSchedules: OrgScheduler = {
  async ensure() {},
  async ensureAll() {},
};
