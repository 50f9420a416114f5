/** The public face of the daily look at all accounts of an org. Names and ids are permanent. */
import { defineQuery } from '@temporalio/workflow';
import type { SweepRun } from '../../activities/account-sweeps.js';
import type {
  PlannerProgress,
  ProfileProgress,
  SweepResult,
  SweepTrouble,
} from '../../domain/account-sweep.js';

export const ACCOUNT_HEALTH_TYPE = 'accountHealthWorkflow';

/** Workflow id of a date's sweep (`YYYY-MM-DD`, org's timezone). */
export function accountHealthId(orgId: string, date: string): string {
  return `account-health:${orgId}:${date}`;
}

export interface AccountHealthInput {
  orgId: string;
  date: string;
  /** Set by continue-as-new only. */
  carried?: AccountHealthCarried;
}

export interface AccountHealthCarried {
  run: SweepRun;
  profiles: ProfileProgress;
  planner: PlannerProgress;
  /** Parts that were given up or left out, with the sentence for ops. */
  notes: string[];
}

/** Answer to the query. */
export interface AccountHealthView {
  date: string;
  stage: 'opening' | 'sweeping' | 'closing' | 'closed';
  profiles: ProfileProgress;
  planner: PlannerProgress;
  /** Providers that are waited for. */
  troubles: SweepTrouble[];
  /** Null until it has ended. */
  result: SweepResult | null;
}

export const accountHealthState = defineQuery<AccountHealthView>('state');
