/** The embedded Temporal server: the Temporal CLI's development server, on a database file or in memory. */
import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { homedir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { logSize, logTail } from './log-tail.js';
import type { Report } from './obtain.js';
import { listensOn, portFor } from './ports.js';
import { findRecorded, type RunningProcess, spawnRecorded } from './recorded-process.js';
import { temporalExecutable } from './temporal-executable.js';

/** What `shared/search-attributes.ts` of the workflows sets; a server must know them before the first start. */
export const SEARCH_ATTRIBUTES = {
  OrgId: 'Keyword',
  EntityId: 'Keyword',
  Stage: 'Keyword',
  WaitingOn: 'Keyword',
  DueAt: 'Datetime',
  Breached: 'Bool',
} as const;

export interface TemporalOptions {
  /** Holds record, log and database file. Made when missing. */
  folder: string;
  /** Ports to take when they are free. */
  port?: number | undefined;
  uiPort?: number | undefined;
  /** True takes those ports or none: a restart under clients that know them. */
  fixedPorts?: boolean;
  /** False keeps everything in memory and leaves the web UI out (tests). */
  persistent?: boolean;
  /** Settings of the server itself, by their name in its dynamic configuration. */
  dynamicConfig?: Readonly<Record<string, number>>;
  report?: Report;
  /** Gives up and leaves nothing running. */
  signal?: AbortSignal | undefined;
}

export interface TemporalServer {
  /** `127.0.0.1:<port>` of the gRPC frontend. */
  address: string;
  port: number;
  /** Of the web UI; undefined when it is left out. */
  uiUrl?: string;
  uiPort?: number;
  process: RunningProcess;
  adopted: boolean;
  stop(): Promise<void>;
}

const READY_MS = 90_000;
const STOP_MS = 20_000;
const POLL_MS = 50;

/**
 * Starts the server of a folder, or adopts the one an earlier start left running.
 * @throws Error with the beginning of the server's log when it does not come up, or naming all ways to get the program.
 */
export async function startTemporal(options: TemporalOptions): Promise<TemporalServer> {
  const { persistent = true, report = () => {}, signal } = options;
  mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  const recordFile = path.join(options.folder, 'process.json');
  const logFile = path.join(options.folder, 'temporal.log');

  const leftover = findRecorded(recordFile);
  if (leftover) {
    const { port, uiPort, persistent: was } = leftover.record.details;
    if (was === persistent && (await serves(`127.0.0.1:${port}`))) {
      return server(leftover, Number(port), Number(uiPort), true);
    }
    await stopServer(leftover);
  }

  const executable = await temporalExecutable(report, signal);
  const deadline = Date.now() + READY_MS;
  let wished: Pick<TemporalOptions, 'port' | 'uiPort'> = options;
  for (;;) {
    signal?.throwIfAborted();
    const port = await portFor(wished.port, options.fixedPorts);
    const uiPort = persistent ? await portFor(wished.uiPort, options.fixedPorts) : 0;
    const logStart = logSize(logFile);
    const running = await spawnRecorded({
      name: 'temporal',
      executable,
      args: [
        ...serverArguments(port, uiPort, persistent ? path.join(options.folder, 'temporal.db') : undefined),
        ...Object.entries(options.dynamicConfig ?? {}).flatMap(([name, value]) => [
          '--dynamic-config-value',
          `${name}=${value}`,
        ]),
      ],
      cwd: options.folder,
      // No TEMPORAL_* of ours: the CLI would read them as its own settings.
      env: { PATH: process.env.PATH, HOME: homedir() },
      logFile,
      recordFile,
      details: { port, uiPort, persistent },
    });
    if (await untilReady(running, port, uiPort, deadline, signal))
      return server(running, port, uiPort, false);
    signal?.throwIfAborted();
    const log = logTail(logFile, 400, logStart);
    // Somebody took a port between our look and the bind; the server says so, or panics a little later.
    if (!/address already in use/.test(log) || Date.now() > deadline) {
      throw new Error(`The Temporal server did not start. Its log (${logFile}) begins:\n${firstLines(log)}`);
    }
    if (!options.fixedPorts) wished = {};
    await delay(POLL_MS);
  }

  function server(running: RunningProcess, port: number, uiPort: number, adopted: boolean): TemporalServer {
    return {
      address: `127.0.0.1:${port}`,
      port,
      ...(uiPort > 0 && { uiUrl: `http://127.0.0.1:${uiPort}`, uiPort }),
      process: running,
      adopted,
      stop: () => stopServer(running),
    };
  }
}

function serverArguments(port: number, uiPort: number, databaseFile?: string): string[] {
  return [
    'server',
    'start-dev',
    '--ip',
    '127.0.0.1',
    '--port',
    String(port),
    '--log-level',
    'warn',
    ...(uiPort > 0 ? ['--ui-port', String(uiPort)] : ['--headless']),
    ...(databaseFile
      ? [
          '--db-filename',
          databaseFile,
          // Nearly as fast as memory; safe against killed processes, not against power loss.
          '--sqlite-pragma',
          'journal_mode=wal',
          '--sqlite-pragma',
          'synchronous=off',
        ]
      : []),
    ...Object.entries(SEARCH_ATTRIBUTES).flatMap(([name, type]) => ['--search-attribute', `${name}=${type}`]),
  ];
}

/** A panic's reason comes before its long stack. */
function firstLines(log: string): string {
  return log.split('\n').slice(0, 15).join('\n');
}

async function stopServer(running: RunningProcess): Promise<void> {
  await running.stop('SIGTERM', STOP_MS);
}

async function untilReady(
  running: RunningProcess,
  port: number,
  uiPort: number,
  deadline: number,
  signal?: AbortSignal,
): Promise<boolean> {
  while (Date.now() < deadline && !signal?.aborted) {
    if (!running.alive()) return false;
    if (
      (await accepts(port)) &&
      listensOn(running.record.pid, port) &&
      (await serves(`127.0.0.1:${port}`)) &&
      (uiPort === 0 || ((await accepts(uiPort)) && listensOn(running.record.pid, uiPort)))
    ) {
      return true;
    }
    await delay(POLL_MS);
  }
  await stopServer(running);
  return false;
}

/** Whether the frontend answers and knows the default namespace and our search attributes. */
async function serves(address: string): Promise<boolean> {
  let connection: Connection | undefined;
  try {
    connection = await Connection.connect({ address, connectTimeout: 2_000 });
    const open = connection;
    return await open.withDeadline(Date.now() + 3_000, async () => {
      await open.workflowService.describeNamespace({ namespace: 'default' });
      const { customAttributes } = await open.operatorService.listSearchAttributes({ namespace: 'default' });
      return Object.keys(SEARCH_ATTRIBUTES).every((name) => name in (customAttributes ?? {}));
    });
  } catch {
    return false;
  } finally {
    await connection?.close();
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const done = (yes: boolean) => {
      socket.destroy();
      resolve(yes);
    };
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
    socket.setTimeout(1_000, () => done(false));
  });
}
