/** Finds open rows whose workflow is missing or failed, and starts them again. */
import { createHash } from 'node:crypto';
import { heartbeat } from '@temporalio/activity';
import { sql } from 'kysely';
import { lateAutomations } from '../db/automation-health.js';
import { type Db, withOrg } from '../db/client.js';
import { notify } from '../db/notifications.js';
import type { ScheduledAutomation } from '../domain/scheduled-automations.js';
import { checkBooks } from './book-checks.js';
import { withLifesign } from './lifesign.js';

export type LifecycleCondition = 'running' | 'missing' | 'failed' | 'ended' | 'unknown';

/** What the reconciler needs of the relay's room; given by the worker. */
export interface LifecycleStarter {
  lifecycleOf(row: ReconciledRow): { workflowId: string; mayRunAgain: boolean } | undefined;
  inspect(workflowId: string): Promise<LifecycleCondition>;
  /** A little behind the truth; undefined when there is no list to be had. */
  listedAsRunning(workflowIds: readonly string[]): Promise<Set<string> | undefined>;
  /** Whether Temporal answers at all. */
  answers(): Promise<boolean>;
  startAgain(row: ReconciledRow): Promise<boolean>;
}

/** A row that should have an open workflow. */
export interface ReconciledRow {
  entityType: string;
  orgId: string;
  entityId: string;
  entityKey: string | null;
}

export interface ReconcilerReport {
  checked: number;
  running: number;
  /** Of those, how many were asked for one by one; the others are listed as running. */
  inspected: number;
  /** Started because no workflow was there. */
  started: number;
  /** Started again because the workflow had failed; admins were told. */
  restarted: number;
  /** Open rows whose workflow ended well: a defect, reported to admins. */
  stranded: number;
  /** Rows that could not be looked at this time: the next run does. */
  troubled: number;
  /** Automations of orgs whose last success is older than it should be; their admins were told. */
  late: number;
  /** Broken rules of the ledger, in orgs whose books were due to be looked at; their admins were told. */
  violations: number;
  /** Temporal did not answer any more, so that the rest was left to the next run. */
  unfinished: boolean;
}

const AT_ONCE = 10;
/** Workflows of one list. */
const PAGE = 100;
/** Runs in which every row is inspected once, whatever the list says of it: a day of them. */
const TURNS = 144;
const RUN_MS = 600_000;

/** @param deps.scheduled the automations that have a Schedule here */
export function createReconcilerActivities({
  db,
  starter,
  scheduled,
}: {
  db: Db;
  starter: LifecycleStarter;
  scheduled: readonly ScheduledAutomation[];
}) {
  return {
    /** Goes through all open lifecycle rows of all orgs; imported history is not among them. */
    async reconcile(): Promise<ReconcilerReport> {
      const rows = await openRows();
      const ended: ReconciledRow[] = [];
      const report: ReconcilerReport = {
        checked: 0,
        running: 0,
        inspected: 0,
        started: 0,
        restarted: 0,
        stranded: 0,
        troubled: 0,
        late: 0,
        violations: 0,
        unfinished: false,
      };
      let hasList = true;
      for (let at = 0; at < rows.length; at += PAGE) {
        const known = rows.slice(at, at + PAGE).flatMap((row) => {
          const lifecycle = starter.lifecycleOf(row);
          return lifecycle === undefined ? [] : [{ row, id: lifecycle.workflowId }];
        });
        const listed: ReadonlySet<string> | undefined = hasList
          ? await starter.listedAsRunning(known.map(({ id }) => id))
          : undefined;
        // A list that does not answer costs its deadline each time: once in a run is enough.
        hasList = listed !== undefined;
        const page = notListed(known, listed ?? new Set(), report);
        for (let next = 0; next < page.length && !report.unfinished; next += AT_ONCE) {
          report.unfinished = !(await checkSome(page.slice(next, next + AT_ONCE), report, ended));
          heartbeat(report);
        }
        heartbeat(report);
        // Each further row would only cost its deadline.
        if (report.unfinished) break;
      }
      await reportStranded(ended, report);
      await reportLate(report);
      const books = await withLifesign(
        () => checkBooks(db),
        () => report,
      );
      report.violations = books.violations;
      report.troubled += books.failed;
      return report;
    },
  };

  async function openRows(): Promise<ReconciledRow[]> {
    const { rows } = await sql<ReconciledRow>`
      select org_id as "orgId", entity_type as "entityType", entity_id as "entityId", entity_key as "entityKey"
      from (select * from private.reconcile_candidates() union all select * from private.open_attributions()) as open`.execute(
      db,
    );
    return rows;
  }

  /** Rows whose workflow is not listed as running, and those whose turn it is to be inspected all the same. */
  function notListed(
    known: readonly { row: ReconciledRow; id: string }[],
    listed: ReadonlySet<string>,
    report: ReconcilerReport,
  ): ReconciledRow[] {
    const left = known.filter(({ id }) => !listed.has(id) || isTurnOf(id, Date.now()));
    report.checked += known.length - left.length;
    report.running += known.length - left.length;
    return left.map(({ row }) => row);
  }

  /** @returns false when Temporal does not answer */
  async function checkSome(
    rows: readonly ReconciledRow[],
    report: ReconcilerReport,
    ended: ReconciledRow[],
  ): Promise<boolean> {
    const before = report.troubled;
    const outcomes = await Promise.allSettled(rows.map((row) => check(row, report, ended)));
    // One row that cannot be looked at keeps no other from being repaired; the next run tries it again.
    report.troubled += outcomes.filter((outcome) => outcome.status === 'rejected').length;
    return report.troubled - before < rows.length || starter.answers();
  }

  async function check(row: ReconciledRow, report: ReconcilerReport, ended: ReconciledRow[]): Promise<void> {
    const lifecycle = starter.lifecycleOf(row);
    if (lifecycle === undefined) return;
    report.checked += 1;
    report.inspected += 1;
    switch (await starter.inspect(lifecycle.workflowId)) {
      case 'running':
        report.running += 1;
        return;
      case 'unknown':
        report.troubled += 1;
        return;
      case 'missing':
        if (await starter.startAgain(row)) report.started += 1;
        return;
      case 'failed':
        if (!(await starter.startAgain(row))) return;
        report.restarted += 1;
        await tellAdmins(
          row,
          lifecycle.workflowId,
          'failed and was started again',
          'Look at the failed run in the Temporal UI.',
        );
        return;
      case 'ended':
        // One that may run again was opened again, and the relay has not started it yet.
        if (!lifecycle.mayRunAgain) ended.push(row);
        else if (await starter.startAgain(row)) report.started += 1;
    }
  }

  /** A workflow closes its row before it ends, so only a row that is still open afterwards was left open. */
  async function reportStranded(ended: readonly ReconciledRow[], report: ReconcilerReport): Promise<void> {
    if (ended.length === 0) return;
    const stillOpen = new Set((await openRows()).map((row) => `${row.entityType}:${row.entityId}`));
    for (const row of ended) {
      const lifecycle = starter.lifecycleOf(row);
      if (lifecycle === undefined || !stillOpen.has(`${row.entityType}:${row.entityId}`)) continue;
      report.stranded += 1;
      await tellAdmins(
        row,
        lifecycle.workflowId,
        'has ended, but its row is open',
        'Run `spark doctor`; it says how to repair the row.',
      );
    }
  }

  /** Nobody else would notice a run that was never started. */
  async function reportLate(report: ReconcilerReport): Promise<void> {
    for (const { orgId, name, lastSuccessAt } of await lateAutomations(db, scheduled)) {
      report.late += 1;
      const last = lastSuccessAt === null ? 'has never succeeded' : `last succeeded on ${day(lastSuccessAt)}`;
      await withOrg(db, orgId, (trx) =>
        notify(trx, {
          orgId,
          audience: { kind: 'admins' },
          type: 'error',
          title: 'An automation is late',
          message: `${name} ${last}. Run \`spark doctor\`; it says what stands in the way.`,
          actionUrl: '/console/automations',
          metadata: { automation: name },
          dedupeKey: `automation-late:${name}:${day(new Date())}`,
        }),
      );
    }
  }

  async function tellAdmins(
    row: ReconciledRow,
    workflowId: string,
    what: string,
    next: string,
  ): Promise<void> {
    await withOrg(db, row.orgId, (trx) =>
      notify(trx, {
        orgId: row.orgId,
        audience: { kind: 'admins' },
        type: 'error',
        title: 'A workflow needs a look',
        message: `${workflowId} ${what}. ${next}`,
        actionUrl: `/console/${row.entityType}s/${row.entityId}`,
        metadata: { workflow_id: workflowId, what },
        // Once a day: a workflow that fails again tomorrow is news.
        dedupeKey: `reconciler:${workflowId}:${what}:${day(new Date())}`,
      }),
    );
  }
}

function day(at: Date): string {
  return at.toISOString().slice(0, 10);
}

function isTurnOf(workflowId: string, now: number): boolean {
  const turn = createHash('sha256').update(workflowId).digest().readUInt32BE(0) % TURNS;
  return turn === Math.floor(now / RUN_MS) % TURNS;
}
