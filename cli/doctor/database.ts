/** What the database tells about itself: migrations, ledger, outbox, rows that should have a workflow. */
import { sql } from 'kysely';
import { lateAutomations } from '../../db/automation-health.js';
import { createDatabase, type Db } from '../../db/client.js';
import { readClock } from '../../db/clock.js';
import { migrationStatus } from '../../db/migrator.js';
import type { BusinessClock } from '../../domain/calendar.js';
import type { ScheduledAutomation } from '../../domain/scheduled-automations.js';
import { scheduledOrgs } from '../../outbox/org-schedules.js';
import type { ScheduledOrg } from '../../outbox/schedules.js';
import { automationsWithSchedule } from '../../workflows/scheduled-start/lifecycles.js';
import type { Finding } from './finding.js';
import { checkLedger } from './ledger.js';

/** A row whose lifecycle should be open. */
export interface OpenRow {
  orgId: string;
  entityType: string;
  entityId: string;
  /** What its workflow id is built from where that is not the row's id. */
  entityKey: string | null;
}

export interface DatabaseFacts {
  findings: Finding[];
  /** Rows that should have an open workflow; those whose start still waits in the outbox are left out. */
  openRows: OpenRow[];
  /** What Schedules follow; null while the database is not migrated. */
  scheduling: SchedulingFacts | null;
}

export interface SchedulingFacts {
  clock: BusinessClock;
  orgs: ScheduledOrg[];
}

export interface DoctorChoice {
  /** Whether this installation keeps Schedules of orgs. */
  orgSchedules: boolean;
}

/** An event this old should have been relayed: the relay is told at once and looks by itself every few seconds. */
const BACKLOG_AFTER = '1 minute';

/** Looks at the database as its owner. @throws when it cannot be reached. */
export async function checkDatabase(url: string, { orgSchedules }: DoctorChoice): Promise<DatabaseFacts> {
  const { pending, edited } = await migrationStatus(url);
  const findings: Finding[] = [];
  if (edited.length > 0) {
    findings.push({
      area: 'migrations',
      problem: `Files differ from what was applied: ${edited.join(', ')}.`,
      repair: 'Restore the files from version control; correct a mistake with a new migration.',
    });
  }
  if (pending.length > 0) {
    findings.push({
      area: 'migrations',
      problem: `Not applied: ${shortened(pending)}.`,
      repair: 'Run `spark migrate`, then `spark doctor` again (the rest was not looked at).',
    });
    return { findings, openRows: [], scheduling: null };
  }
  const db = createDatabase(url, { max: 2, applicationName: 'artist-spark doctor' });
  try {
    findings.push(
      ...(await checkLedger(db)),
      ...(await checkOutbox(db)),
      ...(await checkAutomations(db, orgSchedules)),
    );
    const scheduling = orgSchedules ? { clock: await readClock(db), orgs: await scheduledOrgs(db) } : null;
    return { findings, openRows: await openRows(db), scheduling };
  } finally {
    await db.destroy();
  }
}

/** An empty database misses all of them, which nobody wants to read. */
function shortened(names: readonly string[]): string {
  const [first, ...more] = names;
  const last = more.at(-1);
  if (names.length <= 3 || last === undefined) return names.join(', ');
  return `${names.length} migrations, ${first} to ${last}`;
}

async function checkOutbox(db: Db): Promise<Finding[]> {
  const { rows } = await sql<{ waiting: number; oldest: string; failing: number; error: string | null }>`
    select count(*)::int as waiting,
           date_trunc('second', now() - min(created_at))::text as oldest,
           count(*) filter (where relay_error is not null)::int as failing,
           (array_agg(relay_error order by seq) filter (where relay_error is not null))[1] as error
    from public.soundcloud_events
    where relayed_at is null and created_at < now() - ${BACKLOG_AFTER}::interval`.execute(db);
  const [backlog] = rows;
  if (!backlog || backlog.waiting === 0) return [];
  const failing = backlog.failing > 0 ? `, ${backlog.failing} of them failing (first: ${backlog.error})` : '';
  return [
    {
      area: 'outbox',
      problem: `${backlog.waiting} events wait to be relayed, the oldest for ${backlog.oldest}${failing}.`,
      repair: 'Check that a worker runs and reaches Temporal; the events are relayed by themselves then.',
    },
  ];
}

/** Runs that failed three times in a row, and those that did not come. */
async function checkAutomations(db: Db, orgSchedules: boolean): Promise<Finding[]> {
  const failing = await db
    .selectFrom('soundcloud_automation_health')
    .select(['org_id', 'automation_name', 'consecutive_errors', 'last_error_message'])
    .where('status', '=', 'error')
    .orderBy('automation_name')
    .orderBy('org_id')
    .execute();
  const late = orgSchedules ? await lateAutomations(db, automationsWithSchedule()) : [];
  return [
    ...failing.map((row) => ({
      area: 'automations' as const,
      problem: `${row.automation_name} of org ${row.org_id} failed ${row.consecutive_errors} times in a row, lastly: ${row.last_error_message}`,
      repair: 'Correct the cause; its next run that succeeds makes it healthy again.',
    })),
    ...late.map(({ orgId, name, lastSuccessAt }) => ({
      area: 'automations' as const,
      problem: `${name} of org ${orgId} is late: ${lastSuccessAt === null ? 'it has never succeeded' : `its last success was on ${lastSuccessAt.toISOString()} (business time)`}.`,
      repair: repairOfLate(name),
    })),
  ];
}

function repairOfLate(name: ScheduledAutomation): string {
  const first =
    'Check that a worker runs and that its Schedule is neither missing nor paused (see "schedules" here). ';
  return name === 'monthly-credit-grant'
    ? `${first}Then POST /v1/grants/run: it grants every month that was missed, each once.`
    : `${first}It acts on the newest date when it starts next; trigger its Schedule in the Temporal UI to start it now.`;
}

async function openRows(db: Db): Promise<OpenRow[]> {
  const { rows } = await sql<OpenRow>`
    select candidate.org_id as "orgId", candidate.entity_type as "entityType", candidate.entity_id as "entityId",
      candidate.entity_key as "entityKey"
    from private.reconcile_candidates() candidate
    where not exists (
      select from public.soundcloud_events event
      where event.org_id = candidate.org_id
        and event.entity_type = candidate.entity_type
        and event.entity_id = candidate.entity_id
        and event.relayed_at is null
    )`.execute(db);
  return rows;
}
