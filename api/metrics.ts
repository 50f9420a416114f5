/** Prometheus metrics: HTTP by route, what waits in the database, and credits over all orgs. */
import type { RequestHandler } from 'express';
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { type AutomationCount, countAutomations } from '../db/automation-health.js';
import { type Backlog, backlog } from '../db/backlog.js';
import type { Db } from '../db/client.js';
import { type CreditTotals, creditTotals } from '../db/credit-totals.js';
import { type AccountHealthTotals, accountHealthTotals } from '../db/integration-status.js';
import { countLedgerViolations } from '../db/ledger-checks.js';
import { ACCOUNT_STATUSES } from '../domain/account-health.js';
import { automationsWithSchedule } from '../workflows/scheduled-start/lifecycles.js';

export interface Metrics {
  registry: Registry;
  /** Measures every request. */
  observe: RequestHandler;
}

export function createMetrics(database: Db): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const duration = new Histogram({
    name: 'spark_http_request_duration_seconds',
    help: 'Time until the answer was sent, by method, route and status.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  });
  addBacklogGauges(registry, database);
  addCreditGauges(registry, database);
  addAutomationGauges(registry, database);
  addAccountGauges(registry, database);
  return {
    registry,
    observe: (request, response, next) => {
      const end = duration.startTimer();
      response.once('close', () => {
        // The path's template: with ids in it there would be one series per row.
        const route: unknown = request.route?.path;
        end({
          method: request.method,
          route: typeof route === 'string' ? route : 'none',
          status: response.statusCode,
        });
      });
      next();
    },
  };
}

/** Read at each scrape, by one query for all gauges that share it; undefined while the database is away. */
function sharedRead<T>(query: () => Promise<T>): () => Promise<T | undefined> {
  let reading: Promise<T | undefined> | undefined;
  return () => {
    reading ??= query()
      .catch(() => undefined)
      .finally(() => {
        reading = undefined;
      });
    return reading;
  };
}

/** A gauge of one number of a shared read; NaN while the database is away, never a stale number. */
function addNumber<T>(
  registry: Registry,
  read: () => Promise<T | undefined>,
  [name, help, value]: readonly [name: string, help: string, value: (now: T) => number],
): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    async collect() {
      const now = await read();
      this.set(now === undefined ? Number.NaN : value(now));
    },
  });
}

function addAccountGauges(registry: Registry, database: Db): void {
  const read = sharedRead<AccountHealthTotals>(() => accountHealthTotals(database));
  new Gauge({
    name: 'spark_accounts',
    help: 'SoundCloud accounts of all orgs, by status of their connection.',
    labelNames: ['status'],
    registers: [registry],
    async collect() {
      const now = await read();
      for (const status of ACCOUNT_STATUSES)
        this.set({ status }, now === undefined ? Number.NaN : (now.accounts[status] ?? 0));
    },
  });
  const total = (name: string) => (now: AccountHealthTotals) => now.totals[name] ?? 0;
  const gauges = [
    [
      'spark_account_sweep_age_seconds',
      'Business seconds since the last finished look at the accounts, of the org that waits longest; NaN before any.',
      (now) => now.oldest_sweep_seconds ?? Number.NaN,
    ],
    ['spark_reconnect_prompts', 'Members asked to reconnect, over all sweeps.', total('prompts')],
    ['spark_accounts_lost', 'Accounts that became unhealthy, over all sweeps.', total('lost')],
    ['spark_accounts_reconnected', 'Accounts that became healthy again, over all sweeps.', total('restored')],
  ] as const satisfies readonly (readonly [string, string, (now: AccountHealthTotals) => number])[];
  for (const gauge of gauges) addNumber(registry, read, gauge);
}

function addCreditGauges(registry: Registry, database: Db): void {
  const read = sharedRead<CreditTotals>(() => creditTotals(database));
  const gauges = [
    ['spark_credits_balance', 'Credits that can be spent, over all wallets.', (now) => now.balance],
    ['spark_credits_held', 'Credits that open holds reserve.', (now) => now.held],
    ['spark_credit_holds_open', 'Holds that are neither captured nor released.', (now) => now.openHolds],
    [
      'spark_credits_forfeited_this_month',
      'Credits that did not fit below caps since the first of the month, UTC.',
      (now) => now.forfeitedThisMonth,
    ],
    [
      'spark_credit_changes_pending',
      'Manual credit changes that wait for a second person.',
      (now) => now.pendingChanges,
    ],
  ] as const satisfies readonly (readonly [string, string, (now: CreditTotals) => number])[];
  for (const gauge of gauges) addNumber(registry, read, gauge);
  const readCheck = sharedRead(async () => ({ found: await countLedgerViolations(database) }));
  addNumber(registry, readCheck, [
    'spark_ledger_violations',
    'Broken rules of the ledger at the newest daily look, over all orgs, at most 100 of each; NaN before any look.',
    ({ found }) => found ?? Number.NaN,
  ]);
}

function addBacklogGauges(registry: Registry, database: Db): void {
  const read = sharedRead<Backlog>(() => backlog(database));
  const number = (name: string, help: string, value: (now: Backlog) => number) =>
    addNumber(registry, read, [name, help, value]);
  number('spark_outbox_events', 'Events that are not relayed yet.', (now) => now.outboxEvents);
  number(
    'spark_outbox_oldest_seconds',
    'Real seconds the oldest event that is not relayed waits.',
    (now) => now.oldestEventSeconds,
  );
  number(
    'spark_commands_pending',
    'Commands that were taken but neither applied nor refused yet.',
    (now) => now.pendingCommands,
  );
  const perWait = (name: string, help: string, value: (wait: Backlog['waits'][number]) => number) =>
    new Gauge({
      name,
      help,
      labelNames: ['entity_type', 'stage', 'waiting_on'],
      registers: [registry],
      async collect() {
        const now = await read();
        this.reset();
        for (const wait of now?.waits ?? []) {
          const { entity_type, stage, waiting_on } = wait;
          this.set({ entity_type, stage, waiting_on }, value(wait));
        }
      },
    });
  perWait(
    'spark_waits',
    'Lifecycles that wait, by entity, stage and whom they wait for.',
    (wait) => wait.waiting,
  );
  perWait('spark_waits_breached', 'Waits whose promised time is over.', (wait) => wait.breached);
}

/** Counts over all orgs: nothing is said of any one. Empty while the database is away. */
function addAutomationGauges(registry: Registry, database: Db): void {
  let reading: Promise<AutomationCount[]> | undefined;
  const read = () => {
    reading ??= countAutomations(database, automationsWithSchedule())
      .catch(() => [])
      .finally(() => {
        reading = undefined;
      });
    return reading;
  };
  new Gauge({
    name: 'spark_automations',
    help: 'Scheduled automations of orgs, by status: healthy, warning (failed), error (failed three times), disabled.',
    labelNames: ['automation', 'status'],
    registers: [registry],
    async collect() {
      const counts = await read();
      this.reset();
      for (const { automation, status, orgs } of counts) this.set({ automation, status }, orgs);
    },
  });
  new Gauge({
    name: 'spark_automations_late',
    help: 'Scheduled automations of orgs whose last success is older than it should be.',
    labelNames: ['automation'],
    registers: [registry],
    async collect() {
      const counts = await read();
      this.reset();
      for (const { automation, late } of counts) this.inc({ automation }, late);
    },
  });
}
