/** The lifecycles that Schedules start. An automation without an entry has no Schedule. */
import type { ScheduledAutomation } from '../../domain/scheduled-automations.js';
import { ACCOUNT_HEALTH_TYPE, accountHealthId } from '../account-health/contract.js';
import { DAILY_QUEUE_TYPE, dailyQueueId } from '../daily-queue/contract.js';
import type { ScheduledLifecycle } from './contract.js';

export const SCHEDULED_LIFECYCLES: Partial<Record<ScheduledAutomation, ScheduledLifecycle>> = {
  'account-health': {
    workflowType: ACCOUNT_HEALTH_TYPE,
    workflowId: accountHealthId,
    input: (orgId, date) => ({ orgId, date }),
    summary: (date) => `Look at all accounts on ${date}`,
  },
  'daily-queue': {
    workflowType: DAILY_QUEUE_TYPE,
    workflowId: dailyQueueId,
    input: (orgId, date) => ({ orgId, date }),
    summary: (date) => `Queue of ${date}`,
  },
};
