/** `spark doctor`: is everything reachable, applied, consistent, and moving? Each finding says how to repair it. */
import type { Command } from 'commander';
import { readConfig } from '../config/config.js';
import type { DataFolder } from '../sandbox/data-folder.js';
import { checkApi } from './doctor/api.js';
import { checkDatabase, type DatabaseFacts } from './doctor/database.js';
import type { Finding } from './doctor/finding.js';
import { checkTemporal } from './doctor/temporal.js';
import { apiAddress } from './links.js';
import { answer, sparkCommand } from './output.js';
import { withOwnerDatabase } from './owner-database.js';

interface DoctorOptions {
  data?: string;
  json?: boolean;
  repair?: boolean;
}

export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .description(
      'check servers, migrations, ledger, outbox, schedules, automations and workflows; exit code 1 when something is wrong',
    )
    .option('--data <folder>', 'data folder of an embedded stack')
    .option('--repair', 'start workflows that are missing or failed, make missing schedules')
    .option('--json', 'print the findings as JSON')
    .action(async (options: DoctorOptions) => {
      const findings = await withOwnerDatabase(options, async ({ url, folder, stackRuns }) => {
        const { SPARK_ORG_SCHEDULES } = readConfig(process.env);
        const database = await checkDatabase(url, { orgSchedules: SPARK_ORG_SCHEDULES === 'on' });
        if (folder && !stackRuns) return typeable([...database.findings, notRunning(folder)], options.data);
        const temporal = await checkTemporal(temporalConfig(folder), database, options.repair ?? false);
        const found = [...database.findings, ...temporal, ...(await checkApi(apiAddress(folder)))];
        return folder ? typeable(found, options.data) : found;
      });
      answer(
        options.json ? JSON.stringify({ ok: findings.length === 0, findings }, null, 2) : asText(findings),
      );
      if (findings.length > 0) process.exitCode = 1;
    });
}

export type { DatabaseFacts };

/** Names commands of an embedded stack with its data folder, as they can be typed. */
function typeable(findings: readonly Finding[], data: string | undefined): Finding[] {
  return findings.map((finding) => ({
    ...finding,
    repair: finding.repair.replaceAll(
      /`spark ([^`]+)`/g,
      (_, command: string) => `\`${sparkCommand(command, data)}\``,
    ),
  }));
}

function notRunning(folder: DataFolder): Finding {
  return {
    area: 'servers',
    problem: `No stack runs in ${folder.root}, so that Temporal, worker and API could not be looked at.`,
    repair: 'Run `spark start`, then `spark doctor` again.',
  };
}

function temporalConfig(folder: DataFolder | undefined) {
  const config = readConfig(process.env);
  const ports = folder?.state()?.ports;
  if (!ports) return config;
  return {
    ...config,
    TEMPORAL_ADDRESS: `127.0.0.1:${ports.temporal}`,
    TEMPORAL_NAMESPACE: 'default',
    TEMPORAL_UI_URL: `http://127.0.0.1:${ports.temporalUi}`,
  };
}

function asText(findings: Finding[]): string {
  if (findings.length === 0)
    return '✓ Servers, migrations, ledger, outbox, schedules, automations and workflows are in order.';
  return findings.map(({ area, problem, repair }) => `✗ ${area}: ${problem}\n  → ${repair}`).join('\n');
}
