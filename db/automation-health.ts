/** `soundcloud_automation_health`: how the things that run unattended are. */
import { sql } from 'kysely';
import { lateAfterHours, type ScheduledAutomation } from '../domain/scheduled-automations.js';
import type { Queryable, Trx } from './client.js';
import { jsonb } from './json.js';
import { notify } from './notifications.js';

/**
 * Tells how a run went; admins are notified, once a day, of an automation that keeps failing. In the transaction of an
 * org ({@link withOrg}). @param error what went wrong, without addresses; null on success.
 */
export async function reportAutomation(
  trx: Trx,
  name: string,
  success: boolean,
  error: string | null,
): Promise<void> {
  await sql`select public.update_automation_health(${name}, ${success}, ${error})`.execute(trx);
  if (success) return;
  const health = await trx
    .selectFrom('soundcloud_automation_health')
    .select(['org_id', 'status', 'consecutive_errors', 'last_run_at', 'last_error_message'])
    .where('org_id', '=', sql<string>`private.current_org()`)
    .where('automation_name', '=', name)
    .executeTakeFirst();
  if (health?.status !== 'error' || health.last_run_at === null) return;
  await notify(trx, {
    orgId: health.org_id,
    audience: { kind: 'admins' },
    type: 'error',
    title: 'An automation keeps failing',
    message: `${name} failed ${health.consecutive_errors} times in a row, lastly: ${health.last_error_message ?? 'no reason was given'}`,
    actionUrl: '/console/automations',
    metadata: { automation: name },
    dedupeKey: `automation-error:${name}:${health.last_run_at.toISOString().slice(0, 10)}`,
  });
}

/** Tells that what failed before went well after all; of an automation that is well nothing is counted. */
export async function reportRecovery(trx: Trx, orgId: string, name: string): Promise<void> {
  const failing = await trx
    .selectFrom('soundcloud_automation_health')
    .select('automation_name')
    .where('org_id', '=', orgId)
    .where('automation_name', '=', name)
    .where('consecutive_errors', '>', 0)
    .executeTakeFirst();
  if (failing !== undefined) await reportAutomation(trx, name, true, null);
}

/** Names of the automations an admin switched off. */
export async function disabledAutomations(trx: Trx, orgId: string): Promise<Set<string>> {
  const rows = await trx
    .selectFrom('soundcloud_automation_health')
    .select('automation_name')
    .where('org_id', '=', orgId)
    .where('status', '=', 'disabled')
    .execute();
  return new Set(rows.map((row) => row.automation_name));
}

export interface Automation {
  name: string;
  /** `not_built`: nothing runs it yet. */
  status: 'healthy' | 'warning' | 'error' | 'disabled' | 'not_built';
  last_run_at: Date | null;
  last_success_at: Date | null;
  /** Business time from which on it was to run anew; null = never off, and the org never moved. */
  expected_since: Date | null;
  last_error_at: Date | null;
  last_error_message: string | null;
  success_count: number;
  error_count: number;
  consecutive_errors: number;
  total_runs: number;
  /** Real time. */
  created_at: Date;
}

/** The automations of an org, by name. @param options.name only that one, locked against changes */
export async function listAutomations(
  trx: Trx,
  orgId: string,
  options: { name?: string } = {},
): Promise<Automation[]> {
  const { name } = options;
  const rows = await trx
    .selectFrom('soundcloud_automation_health')
    .select([
      'automation_name as name',
      'status',
      'last_run_at',
      'last_success_at',
      'expected_since',
      'last_error_at',
      'last_error_message',
      'success_count',
      'error_count',
      'consecutive_errors',
      'total_runs',
      'created_at',
    ])
    .where('org_id', '=', orgId)
    .$if(name !== undefined, (query) => query.where('automation_name', '=', name ?? '').forUpdate())
    .orderBy('automation_name')
    .execute();
  return rows.map((row) => ({ ...row, status: row.status as Automation['status'] }));
}

/** Switches an automation off, or on again. As the caller: the policies let only admins. @returns its status now */
export async function switchAutomation(
  trx: Trx,
  orgId: string,
  name: string,
  to: 'healthy' | 'disabled',
): Promise<Automation['status']> {
  const { status } = await trx
    .updateTable('soundcloud_automation_health')
    .set({ status: to })
    .where('org_id', '=', orgId)
    .where('automation_name', '=', name)
    .returning('status')
    .executeTakeFirstOrThrow();
  return status as Automation['status'];
}

/** How SQL takes the hours after which automations are late. */
function lateAfter(names: readonly ScheduledAutomation[]) {
  return jsonb(Object.fromEntries(names.map((name) => [name, lateAfterHours(name)])));
}

export interface LateAutomation {
  orgId: string;
  name: ScheduledAutomation;
  lastSuccessAt: Date | null;
}

/** Those of these automations, of all orgs, whose last success is older than it should be. As the owner or the worker. */
export async function lateAutomations(
  db: Queryable,
  names: readonly ScheduledAutomation[],
): Promise<LateAutomation[]> {
  const { rows } = await sql<LateAutomation>`
    select org_id as "orgId", automation_name as name, last_success_at as "lastSuccessAt"
    from private.scheduled_automations(${lateAfter(names)})
    where late
    order by automation_name, org_id`.execute(db);
  return rows;
}

export interface AutomationCount {
  automation: string;
  status: string;
  orgs: number;
  late: number;
}

/** How many orgs' automations are how, over all orgs. For /metrics; as the login of the API. */
export async function countAutomations(
  db: Queryable,
  names: readonly ScheduledAutomation[],
): Promise<AutomationCount[]> {
  const { rows } = await sql<AutomationCount>`
    select automation, status, orgs, late from private.api_automation_counts(${lateAfter(names)})`.execute(
    db,
  );
  return rows;
}

/**
 * Writes that ops want the grant of a month, for the relay. @param month `YYYY-MM`; null = the current one.
 * @returns the month. @throws SPK01 month_not_begun, automation_disabled; 42501 for who is not ops
 */
export async function requestGrant(
  trx: Trx,
  orgId: string,
  month: string | null,
  key: string,
): Promise<string> {
  const { rows } = await sql<{ month: string }>`
    select private.api_request_grant(${orgId}, ${month}, ${key}) as month`.execute(trx);
  const [row] = rows;
  if (row === undefined) throw new Error('private.api_request_grant gave no row.');
  return row.month;
}
