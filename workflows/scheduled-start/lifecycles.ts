/** The lifecycles that Schedules start. An automation without an entry has no Schedule. */
import { SCHEDULED_AUTOMATIONS, type ScheduledAutomation } from '../../domain/scheduled-automations.js';
import { ACCOUNT_HEALTH_TYPE, accountHealthId } from '../account-health/contract.js';
import { DAILY_QUEUE_TYPE, dailyQueueId } from '../daily-queue/contract.js';
import { MONTHLY_CREDIT_GRANT_TYPE, monthlyCreditGrantId } from '../monthly-credit-grant/contract.js';
import type { ScheduledLifecycle } from './contract.js';

const monthOfDate = (date: string) => date.slice(0, 7);

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
    // Asked for early by ops it may have found no demand; a queue that is over ends a second run at once.
    mayRunAgain: true,
  },
  'monthly-credit-grant': {
    workflowType: MONTHLY_CREDIT_GRANT_TYPE,
    workflowId: (orgId, date) => monthlyCreditGrantId(orgId, monthOfDate(date)),
    input: (orgId, date) => ({ orgId, month: monthOfDate(date) }),
    summary: (date) => `Monthly grant of ${monthOfDate(date)}`,
  },
};

/** The automations that have a Schedule. */
export function automationsWithSchedule(): ScheduledAutomation[] {
  return SCHEDULED_AUTOMATIONS.filter((automation) => SCHEDULED_LIFECYCLES[automation] !== undefined);
}
