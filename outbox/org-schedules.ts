/** Which orgs have schedules, and when theirs must change. */
import type { Client } from '@temporalio/client';
import { sql } from 'kysely';
import { type Db, withOrg } from '../db/client.js';
import { readClock } from '../db/clock.js';
import { loadSettings } from '../db/settings.js';
import { withDefaults } from '../domain/settings.js';
import { ensureOrgSchedules } from './schedules.js';

/** Events after which an org's schedules are brought up to date. */
export const SCHEDULING_EVENTS: readonly string[] = ['org.created', 'settings.changed'];

export interface OrgScheduler {
  /** Brings the schedules of one org up to date. @throws ServiceError when Temporal is away. */
  ensure(orgId: string): Promise<void>;
  /** Those of all orgs, at a worker's start. */
  ensureAll(): Promise<void>;
}

/** @param db pool of the login `spark_worker`. */
export function createOrgScheduler(client: Client, taskQueue: string, db: Db): OrgScheduler {
  return {
    async ensure(orgId) {
      const clock = await readClock(db);
      const settings = await withOrg(db, orgId, (trx) => loadSettings(trx, orgId));
      const { timezone, queue_hours: queueHours } = settings;
      await ensureOrgSchedules(client, taskQueue, clock, { orgId, timezone, queueHours });
    },
    async ensureAll() {
      const clock = await readClock(db);
      const { rows } = await sql<{ org_id: string; timezone: string; queue_hours: object }>`
        select org_id, timezone, queue_hours from private.active_orgs()`.execute(db);
      for (const row of rows) {
        const { queue_hours: queueHours } = withDefaults({ queue_hours: row.queue_hours });
        await ensureOrgSchedules(client, taskQueue, clock, {
          orgId: row.org_id,
          timezone: row.timezone,
          queueHours,
        });
      }
    },
  };
}

/** For an installation that keeps no schedules. */
export const noOrgSchedules: OrgScheduler = {
  async ensure() {},
  async ensureAll() {},
};
