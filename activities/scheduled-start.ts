/** What a scheduled run must know before it starts anything. */

import { disabledAutomations } from '../db/automation-health.js';
import { type Db, withOrg } from '../db/client.js';
import { readClock } from '../db/clock.js';
import { loadSettings } from '../db/settings.js';
import type { BusinessClock } from '../domain/calendar.js';
import type { ScheduledAutomation } from '../domain/scheduled-automations.js';
import type { QueueHours } from '../domain/settings.js';

export interface ScheduledRun {
  clock: BusinessClock;
  timezone: string;
  queueHours: QueueHours;
  /** Switched off by an admin (`soundcloud_automation_health.status` = disabled). */
  disabled: ScheduledAutomation[];
}

export function createScheduledStartActivities({ db }: { db: Db }) {
  return {
    /** Reads the org's hours and which of its automations are switched off. */
    async openScheduledRun(input: {
      orgId: string;
      automations: ScheduledAutomation[];
    }): Promise<ScheduledRun> {
      const { orgId, automations } = input;
      return withOrg(db, orgId, async (trx) => {
        const { timezone, queue_hours } = await loadSettings(trx, orgId);
        const disabled = await disabledAutomations(trx, orgId);
        return {
          clock: await readClock(trx),
          timezone,
          queueHours: queue_hours,
          disabled: automations.filter((automation) => disabled.has(automation)),
        };
      });
    },
  };
}
