/** The public face of the monthly credit grant. Names and ids are permanent. */

export const MONTHLY_CREDIT_GRANT_TYPE = 'monthlyCreditGrantWorkflow';

/** Workflow id of a month's grant (`YYYY-MM`, org's timezone). */
export function monthlyCreditGrantId(orgId: string, month: string): string {
  return `grant:${orgId}:${month}`;
}

export interface MonthlyCreditGrantInput {
  orgId: string;
  /** The newest month to grant; every ungranted month before it is granted too. */
  month: string;
}
