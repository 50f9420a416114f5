/** Whether Temporal answers, knows us, has workers, and runs the workflows that the database says are open. */
import type { Client } from '@temporalio/client';
import type { Config } from '../../config/config.js';
import { createTemporalClient, PROVIDER_QUEUES } from '../../config/temporal.js';
import { inspectSchedule, orgSchedules, restoreOrgSchedules } from '../../outbox/schedules.js';
import { createStarter, type Starter } from '../../outbox/starter.js';
import { SEARCH_ATTRIBUTES } from '../../sandbox/temporal.js';
import type { DatabaseFacts, OpenRow, SchedulingFacts } from './database.js';
import type { Finding } from './finding.js';

const PARALLEL = 16;
const NAMED = 5;
const TIMEOUT_MS = 5_000;
/** Queues that need a worker: workflows and database activities, and one per outside system. */
const QUEUE_SUFFIXES = ['', ...PROVIDER_QUEUES.map((name) => `-${name}`)];

/**
 * Looks at Temporal.
 * @param repair starts workflows that are missing or failed, and makes missing schedules
 */
export async function checkTemporal(
  config: Config,
  facts: DatabaseFacts,
  repair: boolean,
): Promise<Finding[]> {
  const { client, connection } = createTemporalClient(config);
  try {
    const unreachable = await checkServer(client, config);
    if (unreachable.length > 0) return unreachable;
    const starter = createStarter(client, config.SPARK_TASK_QUEUE);
    return [
      ...(await checkWorkers(client, config)),
      ...(await checkSchedules(client, config, facts.scheduling, repair)),
      ...(await checkWorkflows(starter, facts.openRows, config, repair)),
    ];
  } finally {
    await connection.close();
  }
}

async function checkServer(
  client: Client,
  { TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE: namespace }: Config,
): Promise<Finding[]> {
  try {
    const { customAttributes } = await client.connection.withDeadline(Date.now() + TIMEOUT_MS, () =>
      client.connection.operatorService.listSearchAttributes({ namespace }),
    );
    const missing = Object.keys(SEARCH_ATTRIBUTES).filter((name) => !(name in (customAttributes ?? {})));
    if (missing.length === 0) return [];
    return [
      {
        area: 'servers',
        problem: `Temporal does not know the search attributes ${missing.join(', ')}.`,
        repair: 'Start a worker: it registers them. Or: temporal operator search-attribute create.',
      },
    ];
  } catch (error) {
    return [
      {
        area: 'servers',
        problem: `Temporal at ${TEMPORAL_ADDRESS}, namespace ${namespace}, does not answer (${(error as Error).message}).`,
        repair: 'Start it, or correct TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE.',
      },
    ];
  }
}

async function checkWorkers(client: Client, config: Config): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const suffix of QUEUE_SUFFIXES) {
    const name = `${config.SPARK_TASK_QUEUE}${suffix}`;
    // 1 = workflow tasks, 2 = activity tasks; the provider queues have activities only.
    const { pollers } = await client.workflowService.describeTaskQueue({
      namespace: config.TEMPORAL_NAMESPACE,
      taskQueue: { name },
      taskQueueType: suffix === '' ? 1 : 2,
    });
    if ((pollers ?? []).length > 0) continue;
    findings.push({
      area: 'servers',
      problem: `No worker has asked for work on ${name} in the last minutes.`,
      repair: 'Start the worker (`spark start`, or `docker compose up worker`) and look at its log.',
    });
  }
  return findings;
}

async function checkSchedules(
  client: Client,
  config: Config,
  scheduling: SchedulingFacts | null,
  repair: boolean,
): Promise<Finding[]> {
  const found = new Map<string, { paused: boolean }>();
  for await (const { scheduleId, state } of client.schedule.list()) {
    if (scheduleId.startsWith(`${config.SPARK_TASK_QUEUE}:`)) found.set(scheduleId, state);
  }
  const paused = [...found].filter(([, state]) => state.paused).map(([id]) => id);
  const findings: Finding[] = [
    ...(await missingSchedules(client, config, new Set(found.keys()), scheduling, repair)),
    ...paused.sort().map((id) => ({
      area: 'schedules' as const,
      problem: `The schedule ${id} is paused.`,
      repair: `Resume it when it was not on purpose: temporal schedule toggle --unpause --schedule-id '${id}'. What it was to start meanwhile is not made up for by itself: trigger it once.`,
    })),
  ];
  if (found.size > 0) return findings;
  return [
    {
      area: 'schedules',
      problem: 'Temporal has none of our schedules.',
      repair: 'Restart the worker: it makes them when it starts.',
    },
    ...findings,
  ];
}

/** Orgs without their Schedules; with `repair` they are made. */
async function missingSchedules(
  client: Client,
  config: Config,
  found: ReadonlySet<string>,
  scheduling: SchedulingFacts | null,
  repair: boolean,
): Promise<Finding[]> {
  const missing: string[] = [];
  const { clock, orgs } = scheduling ?? { clock: null, orgs: [] };
  for (const org of orgs) {
    if (clock === null) break;
    const gone = orgSchedules(config.SPARK_TASK_QUEUE, clock, org)
      .map(({ scheduleId }) => scheduleId)
      // The list is behind for a moment; what was made a second ago is there.
      .filter((id) => !found.has(id));
    const conditions = await Promise.all(gone.map((id) => inspectSchedule(client, id)));
    const absent = gone.filter((_, at) => conditions[at]?.state === 'missing');
    if (absent.length > 0 && repair) await restoreOrgSchedules(client, config.SPARK_TASK_QUEUE, clock, org);
    else missing.push(...absent);
  }
  if (missing.length === 0) return [];
  return [
    {
      area: 'schedules',
      problem: `${missing.length} schedules of orgs are missing: ${some(missing)}.`,
      repair: 'Run `spark doctor --repair`, or restart the worker: both make them.',
    },
  ];
}

/** @param config where the Temporal UI is. @param repair starts what is missing or failed */
export async function checkWorkflows(
  starter: Starter,
  rows: readonly OpenRow[],
  config: Pick<Config, 'TEMPORAL_UI_URL' | 'TEMPORAL_NAMESPACE'>,
  repair: boolean,
): Promise<Finding[]> {
  const missing: string[] = [];
  const failed: string[] = [];
  const unknown: string[] = [];
  for (let from = 0; from < rows.length; from += PARALLEL) {
    await Promise.all(
      rows.slice(from, from + PARALLEL).map(async (row) => {
        const lifecycle = starter.lifecycleOf(row);
        if (!lifecycle) return;
        const condition = await starter.inspect(lifecycle.workflowId);
        if (condition === 'running') return;
        const list = { unknown, failed, missing, ended: missing }[condition];
        const startable = condition === 'missing' || condition === 'failed';
        if (repair && startable && (await starter.startAgain(row))) return;
        list.push(lifecycle.workflowId);
      }),
    );
    // Each further row would only cost its deadline.
    if (unknown.length > 0 && !(await starter.answers())) break;
  }
  const findings: Finding[] = [];
  if (missing.length > 0) {
    findings.push({
      area: 'workflows',
      problem: `${missing.length} open rows have no running workflow: ${some(missing)}.`,
      repair:
        'The reconciler starts them within 10 minutes while a worker runs; `spark doctor --repair` does it now.',
    });
  }
  if (failed.length > 0) {
    findings.push({
      area: 'workflows',
      problem: `${failed.length} open rows have a workflow that failed: ${some(failed)}.`,
      repair: `Read why at ${config.TEMPORAL_UI_URL}/namespaces/${config.TEMPORAL_NAMESPACE}/workflows, correct the cause, then run \`spark doctor --repair\`.`,
    });
  }
  if (unknown.length > 0) {
    findings.push({
      area: 'workflows',
      problem: `Temporal did not say in time how the workflows of open rows stand: ${some(unknown)}.`,
      repair:
        'Look at Temporal and its database, then run `spark doctor` again: rows may not have been looked at.',
    });
  }
  return findings;
}

function some(ids: string[]): string {
  return ids.length > NAMED
    ? `${ids.slice(0, NAMED).join(', ')} and ${ids.length - NAMED} more`
    : ids.join(', ');
}
