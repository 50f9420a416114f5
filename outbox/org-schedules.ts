/** Which orgs have schedules, and when theirs must change. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { sql } from 'kysely';
import type { Logger } from '../config/log.js';
import { type Db, type Queryable, withOrg } from '../db/client.js';
import { readClock } from '../db/clock.js';
import { walletsToGrant } from '../db/monthly-grants.js';
import { loadSettings } from '../db/settings.js';
import { monthOf, toBusiness } from '../domain/calendar.js';
import { beginGrant } from '../domain/monthly-grant.js';
import { withDefaults } from '../domain/settings.js';
import { type Deadline, inTime } from './deadline.js';
import { ensureOrgSchedules, restoreOrgSchedules, type ScheduledOrg } from './schedules.js';
import { mayPass } from './server-errors.js';

/** Events after which an org's schedules are brought up to date. */
export const SCHEDULING_EVENTS: readonly string[] = ['org.created', 'settings.changed'];

/** Real ms, both. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;

export interface OrgScheduler {
  /**
   * Brings the schedules of one org up to date. The grant is started if its Schedule was lost, or is made only now, and
   * the org misses it meanwhile. @throws ServiceError when Temporal is away.
   */
  ensure(orgId: string): Promise<void>;
  /**
   * Those of all orgs, at a worker's start. Once Temporal does not answer in time, the rest is done beside the worker,
   * as often as it takes: a slow Temporal keeps no worker from starting. @throws ServiceError when Temporal refuses.
   */
  ensureAll(): Promise<void>;
  /** Ends what `ensureAll` does beside the worker; the next start does it. */
  stop(): Promise<void>;
}

/** The orgs that have schedules to keep. @param db as the login `spark_worker` or the owner. @param orgId only that one */
export async function scheduledOrgs(db: Queryable, orgId?: string): Promise<ScheduledOrg[]> {
  const { rows } = await sql<{ org_id: string; timezone: string; queue_hours: object }>`
    select org_id, timezone, queue_hours from private.active_orgs()
    where ${orgId ?? null}::uuid is null or org_id = ${orgId ?? null}::uuid`.execute(db);
  return rows.map((row) => ({
    orgId: row.org_id,
    timezone: row.timezone,
    queueHours: withDefaults({ queue_hours: row.queue_hours }).queue_hours,
  }));
}

/**
 * @param db pool of the login `spark_worker`.
 * @param deadline of bringing the schedules of one org up to date
 */
export function createOrgScheduler(
  client: Client,
  taskQueue: string,
  db: Db,
  log: Logger,
  deadline: Deadline = {},
): OrgScheduler {
  const stopping = new AbortController();
  let beside: Promise<void> = Promise.resolve();

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
      await inTime(
        client,
        () => ensureOrgSchedules(client, taskQueue, clock, { orgId, timezone, queueHours }, { startGrant }),
        deadline,
      );
    },
    async ensureAll() {
      const left = (await scheduledOrgs(db)).map(({ orgId }) => orgId);
      const trouble = await restore(left);
      if (trouble === undefined) return;
      if (!mayPass(trouble)) throw trouble;
      tell(trouble, left);
      beside = restoreTheRest(left);
    },
    async stop() {
      stopping.abort();
      await beside;
    },
  };

  /**
   * Takes orgs off the list as their schedules are up to date; one that could not be brought up to date goes to the end.
   * Their settings are read one by one, since the relay follows changes meanwhile. @returns what went wrong with it
   */
  async function restore(left: string[]): Promise<unknown> {
    const clock = await readClock(db);
    for (let orgId = left[0]; orgId !== undefined && !stopping.signal.aborted; orgId = left[0]) {
      const [org] = await scheduledOrgs(db, orgId);
      try {
        if (org !== undefined)
          await inTime(client, () => restoreOrgSchedules(client, taskQueue, clock, org), deadline);
      } catch (error) {
        left.push(...left.splice(0, 1));
        return error;
      }
      left.shift();
    }
    return undefined;
  }

  async function restoreTheRest(left: string[]): Promise<void> {
    for (let pause = FIRST_PAUSE_MS; left.length > 0; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      await delay(pause, undefined, { signal: stopping.signal }).catch(() => {});
      if (stopping.signal.aborted) return;
      const before = left.length;
      // The database may be away as well.
      const trouble = await restore(left).catch((error: unknown) => error);
      if (left.length < before) pause = FIRST_PAUSE_MS;
      if (trouble !== undefined) tell(trouble, left);
      else if (left.length === 0) log.info('the Schedules of all orgs are up to date');
    }
  }

  function tell(trouble: unknown, left: readonly string[]): void {
    const facts = { err: trouble, orgs: left.length, org_id: left.at(-1) };
    const again =
      'Those that are left are tried again beside the work; `spark doctor` names what is missing.';
    if (mayPass(trouble))
      log.warn(facts, `Temporal gave no answer in time about the Schedules of an org. ${again}`);
    else log.error(facts, `The Schedules of an org cannot be brought up to date. ${again}`);
  }
}

/** For an installation that keeps no schedules. */
export const noOrgSchedules: OrgScheduler = {
  async ensure() {},
  async ensureAll() {},
  async stop() {},
};
