/**
 * Database activities of the monthly credit grant. Grants are idempotent by member and month, so a page may be granted
 * again; what a run came to is read from the ledger at its end, never added up on the way.
 */
import { activityInfo, CancelledFailure, cancellationSignal, heartbeat } from '@temporalio/activity';
import { reportAutomation } from '../db/automation-health.js';
import { type Db, withOrg } from '../db/client.js';
import { readClock } from '../db/clock.js';
import { emitEvent } from '../db/events.js';
import { grantedMonths, grantNextPages, walletsToGrant } from '../db/monthly-grants.js';
import { notify } from '../db/notifications.js';
import { loadSettings } from '../db/settings.js';
import { takeStep } from '../db/steps.js';
import { clearWait, loadWait, saveWait } from '../db/waits.js';
import { type BusinessClock, monthOf, toBusiness } from '../domain/calendar.js';
import {
  addPage,
  beginGrant,
  type GrantProgress,
  type GrantResult,
  type GrantTrouble,
  grantNotice,
  grantResult,
  grantWait,
} from '../domain/monthly-grant.js';
import type { ScheduledAutomation } from '../domain/scheduled-automations.js';
import { notBegun, unlessRefused } from './failures.js';
import { withLifesign } from './lifesign.js';

export interface GrantTarget {
  orgId: string;
  /** The newest month to grant, `YYYY-MM`. */
  month: string;
  workflowId: string;
}

export interface GrantRun {
  clock: BusinessClock;
  timezone: string;
  /** Business ms of the run: the time of all its entries, by which its end finds them. */
  at: number;
  begin: GrantProgress;
  /** Of the org when it began. */
  wallets: number;
}

const AUTOMATION: ScheduledAutomation = 'monthly-credit-grant';
const PAGE_SIZE = 500;
/** After so many pages a heartbeat says how far it is, and a run that was stopped ends. */
const PAGES_PER_BEAT = 12;
/** After so many heartbeats the workflow is told, which then shows it and may continue as new. */
const BEATS_PER_CALL = 10;

export function createGrantActivities({ db }: { db: Db }) {
  return {
    /**
     * Begins a run; one that takes over from a run that was lost goes on with its time.
     * @param realNow epoch ms of workflow time.
     * @throws ApplicationFailure not_begun for a month that has not begun.
     */
    async openGrantRun(input: GrantTarget & { realNow: number }): Promise<GrantRun> {
      const { orgId, month, workflowId, realNow } = input;
      return withOrg(db, orgId, async (trx) => {
        const clock = await readClock(trx);
        const { timezone } = await loadSettings(trx, orgId);
        const now = toBusiness(clock, realNow);
        const current = monthOf(now, timezone);
        if (!/^\d{4}-(0[1-9]|1[0-2])$/.test(month) || month > current)
          throw notBegun(`Month "${month}" has not begun. Grant ${current} or an earlier one, as YYYY-MM.`);
        const at = (await loadWait(trx, orgId, workflowId))?.since ?? now;
        await saveWait(trx, waitKey(input), grantWait(at, null));
        const { wallets, oldest } = await walletsToGrant(trx, orgId);
        const begin = beginGrant(oldest?.getTime() ?? null, timezone, month);
        return { clock, timezone, at, begin, wallets };
      });
    },

    /** Grants some pages of members, several at once, each in one transaction, from the cursor on. @returns how far it is now. */
    async grantPages(input: {
      orgId: string;
      month: string;
      at: number;
      progress: GrantProgress;
    }): Promise<GrantProgress> {
      const { orgId, month: until } = input;
      const at = new Date(input.at);
      let progress: GrantProgress = activityInfo().heartbeatDetails ?? input.progress;
      return withLifesign(
        async () => {
          for (let beats = 0; beats < BEATS_PER_CALL; beats += 1) {
            const { month, after } = progress;
            if (month === null) break;
            if (cancellationSignal().aborted) throw new CancelledFailure('stopped between pages');
            const page = { orgId, month, after, limit: PAGE_SIZE, at };
            const pages = await grantNextPages(db, page, PAGES_PER_BEAT).catch((error: unknown) => {
              throw unlessRefused(error);
            });
            progress = addPage(progress, pages, until);
            heartbeat(progress);
          }
          return progress;
        },
        () => progress,
      );
    },

    /** Pages could not be granted: the inbox shows it, ops are told, the automation's health falls. */
    async reportGrantTrouble(
      input: GrantTarget & { trouble: GrantTrouble; since: number; stepId: string },
    ): Promise<void> {
      const { orgId, month, workflowId, trouble, since, stepId } = input;
      await withOrg(db, orgId, async (trx) => {
        const step = {
          orgId,
          stepId,
          workflowId,
          taker: workflowId,
          name: 'report_trouble',
          payload: trouble,
        };
        await takeStep(trx, step, async () => {
          await reportAutomation(trx, AUTOMATION, false, trouble.reason);
          await saveWait(trx, waitKey(input), grantWait(since, trouble));
          await notify(trx, {
            orgId,
            audience: { kind: 'ops' },
            type: 'error',
            title: 'Monthly credits could not be granted',
            message: `The grant of ${month} waits and is tried again by itself: ${trouble.reason}`,
            actionUrl: CONSOLE_PAGE,
            metadata: { workflow_id: workflowId, month },
            // Once a run; what happens meanwhile stands in the inbox.
            dedupeKey: `grant-trouble:${workflowId}:${since}`,
          });
          return null;
        });
      });
    },

    /** Pages are granted again: nothing waits for ops any more. */
    async resumeGrantRun(input: GrantTarget & { since: number }): Promise<void> {
      await withOrg(db, input.orgId, (trx) => saveWait(trx, waitKey(input), grantWait(input.since, null)));
    },

    /**
     * The run's last transaction: what it came to, one event for each month it granted, the notification, and its
     * health.
     */
    async closeGrantRun(input: GrantTarget & { at: number; stepId: string }): Promise<GrantResult> {
      const { orgId, month, workflowId, at, stepId } = input;
      return withOrg(db, orgId, async (trx) => {
        const step = { orgId, stepId, workflowId, taker: workflowId, name: 'close' };
        const { result: closed } = await takeStep(trx, step, async () => {
          const result = grantResult(month, await grantedMonths(trx, orgId, new Date(at)));
          for (const granted of result.months) {
            await emitEvent(trx, {
              orgId,
              type: 'credits.granted',
              entityType: 'grant',
              entityId: orgId,
              data: { ...granted },
              occurredAt: at,
              dedupeKey: `credits.granted:${granted.month}:${workflowId}:${at}`,
            });
          }
          if (result.months.length > 0) {
            await notify(trx, {
              orgId,
              audience: { kind: 'ops' },
              ...grantNotice(result),
              actionUrl: CONSOLE_PAGE,
              metadata: {
                workflow_id: workflowId,
                month,
                credits: result.credits,
                forfeited: result.forfeited,
              },
              dedupeKey: `grant:${workflowId}:${at}`,
            });
          }
          await reportAutomation(trx, AUTOMATION, true, null);
          await clearWait(trx, orgId, workflowId);
          return result;
        });
        return closed;
      });
    },
  };
}

const CONSOLE_PAGE = '/console/automations';

/** A grant has no row of its own: the org stands for it. */
function waitKey({ orgId, workflowId }: GrantTarget) {
  return { orgId, workflowId, entityType: 'grant', entityId: orgId };
}
