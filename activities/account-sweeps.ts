/** Database activities of the daily look at all accounts: its beginning, the prompts to reconnect, its end. */

import {
  type ConnectionRow,
  lockConnections,
  openConnections,
  savePrompt,
  unhealthyConnections,
} from '../db/account-health.js';
import { accountsByStatus, closeSweep, noteInactivity, openSweep, tally } from '../db/account-sweeps.js';
import { reportAutomation } from '../db/automation-health.js';
import { type Db, type Trx, withOrg } from '../db/client.js';
import { readClock } from '../db/clock.js';
import { emitEvent } from '../db/events.js';
import { notify } from '../db/notifications.js';
import { loadSettings } from '../db/settings.js';
import { clearWait, saveWait } from '../db/waits.js';
import {
  type AccountHealthSettings,
  nextPromptAt,
  type PromptStanding,
  promptsAfter,
} from '../domain/account-health.js';
import {
  type SweepResult,
  type SweepTrouble,
  sweepNotice,
  sweepWait,
  TOLD_AFTER_TIMES,
} from '../domain/account-sweep.js';
import { addDays, type BusinessClock, DAY_MS, dateOf, startOfDate, toBusiness } from '../domain/calendar.js';
import type { ScheduledAutomation } from '../domain/scheduled-automations.js';
import type { SweepMoment } from './account-connections.js';
import { notFound } from './failures.js';

export interface SweepTarget {
  orgId: string;
  /** `YYYY-MM-DD`, org's timezone. */
  date: string;
  workflowId: string;
}

export interface SweepRun {
  clock: BusinessClock;
  timezone: string;
  /** Business ms. */
  startedAt: number;
  /** The end of the date, until which a provider that is away is waited for; business ms. */
  endsAt: number;
  /** Accounts that have no row of their own, because another one has the same handle. */
  leftOut: number;
}

const AUTOMATION: ScheduledAutomation = 'account-health';
const CONSOLE_PAGE = '/console/accounts';
const PROMPT_PAGE = 200;

export function createAccountSweepActivities({ db }: { db: Db }) {
  return {
    /**
     * Begins a date's sweep, or takes it up again.
     * @param realNow epoch ms of workflow time.
     * @throws ApplicationFailure not_found for a date that has not begun.
     */
    async openAccountSweep(input: SweepTarget & { realNow: number }): Promise<SweepRun> {
      const { orgId, date, realNow } = input;
      return withOrg(db, orgId, async (trx) => {
        const clock = await readClock(trx);
        const { timezone } = await loadSettings(trx, orgId);
        const now = toBusiness(clock, realNow);
        const today = dateOf(now, timezone);
        if (!/^\d{4}-\d{2}-\d{2}$/.test(date) || date > today)
          throw notFound(`"${date}" has not begun. Sweep ${today} or an earlier date, as YYYY-MM-DD.`);
        const leftOut = await openConnections(trx, orgId);
        const startedAt = await openSweep(trx, orgId, date, now);
        const endsAt = startOfDate(addDays(date, 1), timezone);
        return { clock, timezone, startedAt, endsAt, leftOut };
      });
    },

    /** A provider is away: the inbox shows it, and from the third time on ops are told, once a date. */
    async reportSweepTrouble(
      input: SweepTarget & { troubles: SweepTrouble[]; since: number; endsAt: number },
    ): Promise<void> {
      const { orgId, date, workflowId, troubles, since, endsAt } = input;
      await withOrg(db, orgId, async (trx) => {
        if (troubles.length === 0) await clearWait(trx, orgId, workflowId);
        else await saveWait(trx, waitKey(input), sweepWait(since, endsAt, troubles));
        for (const { provider, reason, times } of troubles) {
          if (times < TOLD_AFTER_TIMES) continue;
          await notify(trx, {
            orgId,
            audience: { kind: 'ops' },
            type: 'warning',
            title: `${provider} does not answer the look at the accounts`,
            message: `It is asked again by itself until the day ends. ${reason}`,
            actionUrl: CONSOLE_PAGE,
            metadata: { workflow_id: workflowId, date },
            dedupeKey: `account-health:${date}:${provider}`,
          });
        }
      });
    },

    /**
     * Asks the members of unhealthy accounts to reconnect, where that is due: by an event, which sends the mail.
     * @returns when the next prompt of today's is due, business ms; null when there is none within `soonMs`.
     */
    async promptToReconnect(input: SweepMoment & { soonMs: number }): Promise<{ nextAt: number | null }> {
      const { orgId, at, soonMs } = input;
      let nextAt: number | null = null;
      const { account_health: settings } = await withOrg(db, orgId, (trx) => loadSettings(trx, orgId));
      for (let after: string | null = null; ; ) {
        const page = { after, limit: PROMPT_PAGE };
        const rows: ConnectionRow[] = await withOrg(db, orgId, async (trx) => {
          const found = await unhealthyConnections(trx, orgId, page);
          for (const row of found) await prompt(trx, input, settings, row);
          return found;
        });
        for (const row of rows) {
          const due = nextPromptAt(standingOf(row), settings);
          if (due !== null && due > at && due <= at + soonMs) nextAt = Math.min(due, nextAt ?? due);
        }
        after = rows.at(-1)?.account_id ?? null;
        if (rows.length < PROMPT_PAGE) return { nextAt };
      }
    },

    /** The last transaction of a sweep: who became inactive, what it came to, whom to tell, the automation's health. */
    async closeAccountSweep(
      input: SweepTarget & { at: number; outcome: SweepResult['outcome']; notes: string[] },
    ): Promise<SweepResult> {
      const { orgId, date, workflowId, at, outcome, notes } = input;
      return withOrg(db, orgId, async (trx) => {
        const { inactivity_days: inactivityDays, account_health: settings } = await loadSettings(trx, orgId);
        const { inactive, became } = await noteInactivity(trx, orgId, inactivityDays, at);
        const counts = await closeSweep(trx, orgId, { date, at, outcome, notes });
        const accounts = await accountsByStatus(trx, orgId);
        const result = {
          date,
          outcome,
          counts,
          accounts,
          alarming: accounts.disconnected > settings.disconnected_alert_above,
          inactive_members: inactive,
          became_inactive: became,
          notes,
        };
        const notice = sweepNotice(result);
        if (notice !== null) {
          const { slack: _, ...told } = notice;
          await notify(trx, {
            orgId,
            audience: { kind: 'ops' },
            ...told,
            actionUrl: CONSOLE_PAGE,
            metadata: { workflow_id: workflowId, date, disconnected: accounts.disconnected },
            dedupeKey: `account-health:${date}:${told.title}`,
          });
        }
        await reportAutomation(
          trx,
          AUTOMATION,
          outcome === 'complete',
          outcome === 'complete' ? null : notes.join(' '),
        );
        await clearWait(trx, orgId, workflowId);
        return result;
      });
    },
  };
}

/** A sweep has no row with an id: the org stands for it. */
function waitKey({ orgId, workflowId }: SweepTarget) {
  return { orgId, workflowId, entityType: 'account_health', entityId: orgId };
}

export function standingOf(row: ConnectionRow): PromptStanding {
  return {
    status: row.status,
    planner: row.data.influence_planner?.status ?? null,
    failures: row.error_count,
    unhealthySince: row.unhealthy_since?.getTime() ?? null,
    prompts: row.reconnect_prompts,
    lastPromptAt: row.reconnect_sent_at?.getTime() ?? null,
  };
}

/** The row is read, written and told of under its lock, so that two sweeps do not both ask. */
async function prompt(
  trx: Trx,
  { orgId, date, at }: SweepMoment,
  settings: AccountHealthSettings,
  seen: ConnectionRow,
): Promise<void> {
  if (promptsAfter(standingOf(seen), at, settings) === null) return;
  const [row] = await lockConnections(trx, orgId, [seen.account_id]);
  const standing = row && standingOf(row);
  const prompts = standing === undefined ? null : promptsAfter(standing, at, settings);
  if (row === undefined || prompts === null || row.unhealthy_since === null) return;
  await savePrompt(trx, orgId, { id: row.id, prompts, at });
  seen.reconnect_prompts = prompts;
  seen.reconnect_sent_at = new Date(at);
  await emitEvent(trx, {
    orgId,
    type: 'member.reconnect_due',
    entityType: 'member',
    entityId: row.member_id,
    data: {
      member_id: row.member_id,
      account_id: row.account_id,
      account_handle: row.handle,
      status: row.status,
      prompt: prompts,
      days_disconnected: Math.floor((at - row.unhealthy_since.getTime()) / DAY_MS),
    },
    occurredAt: at,
    dedupeKey: `member.reconnect_due:${row.account_id}:${row.unhealthy_since.getTime()}:${prompts}`,
  });
  await tally(trx, orgId, date, { prompts: 1 });
}
