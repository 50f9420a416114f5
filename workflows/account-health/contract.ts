/** The public face of the daily look at all accounts of an org. Names and ids are permanent. */

export const ACCOUNT_HEALTH_TYPE = 'accountHealthWorkflow';

/** Workflow id of a date's sweep (`YYYY-MM-DD`, org's timezone). */
export function accountHealthId(orgId: string, date: string): string {
  return `account-health:${orgId}:${date}`;
}

export interface AccountHealthInput {
  orgId: string;
  date: string;
}
