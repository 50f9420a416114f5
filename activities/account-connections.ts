/** What follows when an account's connection is judged: status, member, events, assignments given to others. */

import {
  assignmentsToDo,
  type ConnectionChange,
  type ConnectionData,
  type ConnectionRow,
  saveConnections,
} from '../db/account-health.js';
import { tally } from '../db/account-sweeps.js';
import type { Trx } from '../db/client.js';
import { emitEvent } from '../db/events.js';
import { type AccountHealthSettings, type AccountStatus, accountStatus } from '../domain/account-health.js';

/** One account as it was locked, and what was heard of it. */
export interface Heard {
  row: ConnectionRow;
  failures: number;
  /** Null leaves the date of the last look at the profile. */
  checkedOn: string | null;
  /** Parts of `connection_data` that are new. */
  data: ConnectionData;
  error: string | null;
}

export interface SweepMoment {
  orgId: string;
  date: string;
  /** Business ms. */
  at: number;
}

/** Writes what was heard of a page of accounts, and everything that follows. The rows must be locked. */
export async function settleConnections(
  trx: Trx,
  moment: SweepMoment,
  settings: AccountHealthSettings,
  heard: readonly Heard[],
): Promise<void> {
  const { orgId, date, at } = moment;
  const settled = heard.map((one) => ({ row: one.row, change: changeOf(one, settings, at) }));
  await saveConnections(
    trx,
    orgId,
    settled.map(({ change }) => change),
    at,
  );
  const lost = settled.filter(({ row, change }) => row.status === 'linked' && change.status !== 'linked');
  const restored = settled.filter(({ row, change }) => row.status !== 'linked' && change.status === 'linked');
  for (const { row, change } of [...lost, ...restored]) await tell(trx, moment, row, change.status);
  const dropped = await dropOut(trx, moment, lost);
  await tally(trx, orgId, date, { lost: lost.length, restored: restored.length, dropped_out: dropped });
}

function changeOf(
  { row, failures, checkedOn, data, error }: Heard,
  settings: AccountHealthSettings,
  at: number,
): ConnectionChange {
  const planner = data.influence_planner?.status ?? row.data.influence_planner?.status ?? null;
  const status = accountStatus({ status: row.status, planner, failures }, settings);
  const healthy = status === 'linked';
  const since = healthy ? null : (row.unhealthy_since ?? new Date(at));
  return {
    id: row.id,
    account_id: row.account_id,
    member_id: row.member_id,
    status,
    data,
    error_count: failures,
    unhealthy_since: since === null ? null : since.toISOString(),
    // The next trouble has prompts of its own; when the last one was sent stays.
    reconnect_prompts: since === null || row.unhealthy_since === null ? 0 : row.reconnect_prompts,
    last_error_message: error ?? (healthy ? null : (REASONS[status] ?? null)),
    succeeded: error === null,
    checked_on: checkedOn,
  };
}

const REASONS: Partial<Record<AccountStatus, string>> = {
  reconnect: 'Influence Planner cannot use the account any more. The member must reconnect it there.',
  disconnected:
    'The account is not part of the network in Influence Planner any more. The member must join again.',
};

async function tell(
  trx: Trx,
  { orgId, date, at }: SweepMoment,
  row: ConnectionRow,
  status: AccountStatus,
): Promise<void> {
  const type = status === 'linked' ? 'member.reconnected' : 'member.disconnected';
  await emitEvent(trx, {
    orgId,
    type,
    entityType: 'member',
    entityId: row.member_id,
    data: {
      member_id: row.member_id,
      account_id: row.account_id,
      account_handle: row.handle,
      status,
      previous_status: row.status,
    },
    occurredAt: at,
    // The rows say whether it changed; within a date it may change more than once.
    dedupeKey: `${type}:${row.account_id}:${date}:${at}`,
  });
}

/** Assignments of the lost accounts are told, so that others can take them. @returns how many. */
async function dropOut(
  trx: Trx,
  { orgId, at }: SweepMoment,
  lost: readonly { row: ConnectionRow; change: ConnectionChange }[],
): Promise<number> {
  if (lost.length === 0) return 0;
  const statuses = new Map(lost.map(({ row, change }) => [row.member_id, change.status]));
  const open = await assignmentsToDo(trx, orgId, [...statuses.keys()], at);
  for (const assignment of open) {
    await emitEvent(trx, {
      orgId,
      type: 'assignment.dropped_out',
      entityType: 'assignment',
      entityId: assignment.id,
      data: { reason: `account_${statuses.get(assignment.supporter_id) ?? 'disconnected'}` },
      occurredAt: at,
      dedupeKey: `assignment.dropped_out:${assignment.id}`,
    });
  }
  return open.length;
}
