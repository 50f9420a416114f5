/** The public face of the monthly credit grant. Names and ids are permanent. */
import { defineQuery } from '@temporalio/workflow';
import type { GrantRun } from '../../activities/grants.js';
import type { GrantProgress, GrantResult, GrantTrouble } from '../../domain/monthly-grant.js';

export const MONTHLY_CREDIT_GRANT_TYPE = 'monthlyCreditGrantWorkflow';

/** Workflow id of a month's grant (`YYYY-MM`, org's timezone). */
export function monthlyCreditGrantId(orgId: string, month: string): string {
  return `grant:${orgId}:${month}`;
}

export interface MonthlyCreditGrantInput {
  orgId: string;
  /** The newest month to grant; every ungranted month before it is granted too. */
  month: string;
  /** Set by continue-as-new only. */
  carried?: { run: GrantRun; progress: GrantProgress; troubles: number };
}

/** Answer to the query. */
export interface MonthlyCreditGrantView {
  month: string;
  stage: 'opening' | 'granting' | 'trouble' | 'closed';
  /** Null before it has begun. */
  progress: GrantProgress | null;
  /** Wallets of the org when the run began; null before it has. */
  wallets: number | null;
  /** Why pages wait; null while they go on. */
  trouble: GrantTrouble | null;
  /** Null until the run has ended. */
  result: GrantResult | null;
}

export const monthlyCreditGrantState = defineQuery<MonthlyCreditGrantView>('state');
