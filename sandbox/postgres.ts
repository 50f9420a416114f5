/** An embedded PostgreSQL server: made on first use, started, adopted, stopped. */
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { logSize, logTail } from './log-tail.js';
import { portFor } from './ports.js';
import {
  canReach,
  ownedFolder,
  type PostgresBinaries,
  type PostgresMajor,
  postgresBinaries,
  SYSTEM_FOLDER,
} from './postgres-binaries.js';
import { adoptPid, findRecorded, inspect, type RunningProcess, spawnRecorded } from './recorded-process.js';

export interface PostgresOptions {
  /** Holds password, record, log, and the data unless the server's user cannot reach it. Made when missing. */
  folder: string;
  major?: PostgresMajor;
  /** Port to take when it is free. */
  port?: number | undefined;
  /** True takes that port or none: a restart under clients that know it. */
  fixedPort?: boolean;
  /** False switches fsync off (tests): commits still outlive a killed server, but not a power loss. */
  durable?: boolean;
  /** Told what takes time. */
  report?: (message: string) => void;
  /** Gives up and leaves nothing running. */
  signal?: AbortSignal | undefined;
}

export interface PostgresServer {
  port: number;
  /** Superuser connection to database `postgres`. */
  adminUrl: string;
  /** Superuser connection to another database. */
  url(database: string): string;
  process: RunningProcess;
  adopted: boolean;
  /** Fast shutdown: sessions are ended, transactions rolled back, the data written. */
  stop(): Promise<void>;
}

const SUPERUSER = 'postgres';
const READY_MS = 60_000;
const STOP_MS = 30_000;
const POLL_MS = 40;

/**
 * Starts the server of a folder, or adopts the one an earlier start left running.
 * @throws Error with the end of the server's log when it does not come up.
 */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const { report = () => {}, durable = true, signal } = options;
  mkdirSync(options.folder, { recursive: true, mode: 0o711 });
  const folder = realpathSync(options.folder);
  const binaries = postgresBinaries(options.major);
  const password = secret(path.join(folder, 'password'));
  const home = serverHome(folder, binaries);
  const data = path.join(home, `data-${options.major ?? '18'}`);
  const recordFile = path.join(folder, 'process.json');
  const logFile = path.join(folder, 'postgres.log');
  const urlAt = (port: number) => (database: string) => serverUrl(port, password, database);

  const leftover = findLeftover(recordFile, data);
  if (leftover) {
    const port = Number(leftover.record.details.port);
    if (leftover.record.details.durable === durable && (await answers(urlAt(port)('postgres'), 3_000))) {
      return server(leftover, port, true);
    }
    await stopServer(leftover);
  }

  if (!existsSync(data)) {
    report('making the database folder');
    await makeCluster(binaries, home, data, password, durable, signal);
  }

  const deadline = Date.now() + READY_MS;
  let wished = options.port;
  for (;;) {
    signal?.throwIfAborted();
    const port = await portFor(wished, options.fixedPort);
    const logStart = logSize(logFile);
    const running = await spawnRecorded({
      name: 'postgres',
      executable: binaries.postgres,
      args: serverArguments(data, port, durable),
      cwd: home,
      env: serverEnvironment(),
      logFile,
      recordFile,
      details: { port, durable },
      ...binaries.runAs,
    });
    if (await untilReady(running, urlAt(port)('postgres'), deadline, signal))
      return server(running, port, false);
    signal?.throwIfAborted();
    const tail = logTail(logFile, 15, logStart);
    const again =
      // Somebody took the port between our look and the bind.
      /could not bind|could not create any TCP\/IP sockets/.test(tail) ||
      // Children of a killed server are still letting go of its memory.
      /pre-existing shared memory block|lock file "postmaster.pid" already exists/.test(tail);
    if (!again || Date.now() > deadline) {
      throw new Error(`PostgreSQL did not start. The end of its log (${logFile}):\n${tail}`);
    }
    if (!options.fixedPort) wished = undefined;
    await delay(200);
  }

  function server(running: RunningProcess, port: number, adopted: boolean): PostgresServer {
    const url = urlAt(port);
    return {
      port,
      url,
      adminUrl: url('postgres'),
      process: running,
      adopted,
      stop: () => stopServer(running),
    };
  }
}

/**
 * Stops what a folder's earlier start left running and removes the folder's data: for test folders whose owner died.
 */
export async function removePostgres(folder: string): Promise<void> {
  if (!existsSync(folder)) return;
  const real = realpathSync(folder);
  const home = homeFile(real);
  const data = home && existsSync(home) ? readdirSync(home).filter((name) => name.startsWith('data-')) : [];
  const recordFile = path.join(real, 'process.json');
  const recorded = findRecorded(recordFile);
  if (recorded) await stopServer(recorded);
  for (const name of data) {
    const leftover = findLeftover(recordFile, path.join(home ?? '', name));
    if (leftover) await stopServer(leftover);
  }
  if (home) rmSync(home, { recursive: true, force: true });
  rmSync(real, { recursive: true, force: true });
}

/** The superuser's connection URL. */
export function serverUrl(port: number, password: string, database: string): string {
  return `postgresql://${SUPERUSER}:${encodeURIComponent(password)}@127.0.0.1:${port}/${encodeURIComponent(database)}`;
}

async function stopServer(running: RunningProcess): Promise<void> {
  // SIGINT = fast shutdown; SIGQUIT = at once, recovered from the log at the next start.
  await running.stop('SIGINT', STOP_MS, 'SIGQUIT');
}

/** A secret made once and kept for the owner's eyes only. */
function secret(file: string): string {
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  const value = randomBytes(24).toString('base64url');
  writeFileSync(file, value, { mode: 0o600, flag: 'wx' });
  return value;
}

/**
 * Where the data lies: in the folder, or below /var/lib/artist-spark when the server's user cannot reach the folder.
 * The choice is written down, so that it stays the same when the folder's mode changes later.
 */
function serverHome(folder: string, binaries: PostgresBinaries): string {
  const { runAs } = binaries;
  let home = homeFile(folder);
  if (!home) {
    home = path.join(folder, 'server');
    if (runAs && !canReach(folder, runAs)) {
      // The id belongs to the folder, not to its path: a folder made anew at the same place starts from nothing.
      const id = createHash('sha256').update(folder).update(randomBytes(16)).digest('hex').slice(0, 16);
      home = path.join(SYSTEM_FOLDER, 'data', id);
    }
    writeFileSync(path.join(folder, 'home'), `${home}\n`, { mode: 0o600 });
  }
  mkdirSync(path.dirname(home), { recursive: true, mode: 0o755 });
  ownedFolder(home, runAs);
  if (runAs && !canReach(home, runAs)) {
    throw new Error(
      `The user postgres cannot reach ${home}. Let it (chmod o+x on the folders above), or set DATABASE_URL.`,
    );
  }
  return home;
}

function homeFile(folder: string): string | undefined {
  const file = path.join(folder, 'home');
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined;
}

/** initdb into a neighbour and rename, so that an interrupted run is never taken for a whole cluster. */
async function makeCluster(
  binaries: PostgresBinaries,
  home: string,
  data: string,
  password: string,
  durable: boolean,
  signal?: AbortSignal,
): Promise<void> {
  const fresh = `${data}.new`;
  rmSync(fresh, { recursive: true, force: true });
  const passwordFile = path.join(home, 'password.tmp');
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  if (binaries.runAs) chownSync(passwordFile, binaries.runAs.uid, binaries.runAs.gid);
  // Unicode-aware and the same on every machine, whatever locales are installed.
  const locale = binaries.version.startsWith('15.')
    ? ['--locale-provider=icu', '--icu-locale=und']
    : ['--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  try {
    await promisify(execFile)(
      binaries.initdb,
      [
        `--pgdata=${fresh}`,
        `--username=${SUPERUSER}`,
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale=C',
        ...locale,
        ...(durable ? [] : ['--no-sync']),
      ],
      { cwd: home, env: serverEnvironment(), signal, ...binaries.runAs },
    );
  } catch (error) {
    signal?.throwIfAborted();
    const { stderr } = error as { stderr?: string };
    throw new Error(`initdb could not make ${data}:\n${stderr?.trim() || (error as Error).message}`);
  } finally {
    rmSync(passwordFile, { force: true });
  }
  renameSync(fresh, data);
}

function serverArguments(data: string, port: number, durable: boolean): string[] {
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    // No socket file: nothing of ours in /tmp, and two servers never meet there.
    unix_socket_directories: '',
    max_connections: '200',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...(durable ? {} : { fsync: 'off', full_page_writes: 'off' }),
  };
  return [
    '-D',
    data,
    '-p',
    String(port),
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
}

/** Nothing of our own environment (PG* variables, secrets) reaches the server. */
function serverEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
}

/**
 * The server an earlier start left running on this data: by our record, else by the server's own postmaster.pid
 * (a start killed between spawning and recording), believed only when that process names this data folder.
 */
function findLeftover(recordFile: string, data: string): RunningProcess | undefined {
  const recorded = findRecorded(recordFile);
  if (recorded) return recorded;
  const pidFile = path.join(data, 'postmaster.pid');
  if (!existsSync(pidFile)) return undefined;
  const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0]);
  return inspect(pid)?.commandLine.includes(` -D ${data} `)
    ? adoptPid('postgres', pid, recordFile)
    : undefined;
}

async function untilReady(
  running: RunningProcess,
  url: string,
  deadline: number,
  signal?: AbortSignal,
): Promise<boolean> {
  while (Date.now() < deadline && !signal?.aborted) {
    if (!running.alive()) return false;
    if (await answers(url, 5_000)) return true;
    await delay(POLL_MS);
  }
  await stopServer(running);
  return false;
}

/** Whether a server answers a query. */
export async function answers(url: string, timeoutMs: number): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: timeoutMs });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('select 1');
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}
