/**
 * Processes that outlive their parent, and the records by which the next start knows them again.
 *
 * A record names pid, start time and command line. A pid alone proves nothing: the system hands it out again. So a
 * process counts as ours only while all three agree with what the system says about it now.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export interface ProcessRecord {
  /** What the process is to us: `postgres`, `temporal`, `worker`, … */
  name: string;
  pid: number;
  /** Opaque start time: boot id and clock ticks on Linux, `ps` start date elsewhere. */
  startTime: string;
  commandLine: string;
  /** What the starter needs in order to adopt the process, for example its ports. */
  details: Record<string, string | number | boolean>;
}

export interface SpawnOptions {
  name: string;
  executable: string;
  args: string[];
  cwd?: string;
  env: NodeJS.ProcessEnv;
  /** Standard output and error are appended here, so that they stay valid when the parent dies. */
  logFile: string;
  recordFile: string;
  details?: ProcessRecord['details'];
  uid?: number;
  gid?: number;
}

/** A process that runs, be it started here or adopted from an earlier start. */
export interface RunningProcess {
  readonly record: ProcessRecord;
  alive(): boolean;
  /** Resolves when the process is gone, to how it ended: `exit code 1`, `signal SIGKILL`. */
  readonly exited: Promise<string>;
  /**
   * Sends `signal`, waits `graceMs`, then follows with `lastSignal` and waits until the process is gone.
   * The record is removed. Does nothing to a process that is gone.
   */
  stop(signal: NodeJS.Signals, graceMs: number, lastSignal?: NodeJS.Signals): Promise<void>;
}

/** A process just started by this one: the system tells us when it ends, so nobody has to look. */
interface OwnChild {
  /** How it ended; undefined while it runs. */
  ending(): string | undefined;
  exited: Promise<string>;
}

const POLL_MS = 25;
/** A process shows its command line within microseconds of its start; this long, on a machine that is held up. */
const COMMAND_LINE_MS = 2_000;
/** Of an adopted process only its end can be seen. */
const UNKNOWN_ENDING = 'how is not known';

/**
 * Starts a process in a session of its own (so that Ctrl-C in the terminal reaches only the supervisor, which stops
 * things in order) and records it.
 * @throws Error when the executable cannot be started.
 */
export async function spawnRecorded(options: SpawnOptions): Promise<RunningProcess> {
  mkdirSync(path.dirname(options.logFile), { recursive: true });
  mkdirSync(path.dirname(options.recordFile), { recursive: true });
  const log = openSync(options.logFile, 'a', 0o600);
  try {
    const child = spawn(options.executable, options.args, {
      cwd: options.cwd,
      env: options.env,
      detached: true,
      stdio: ['ignore', log, log],
      ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.gid }),
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (error) =>
        reject(new Error(`${options.name} cannot be started (${options.executable}): ${error.message}`)),
      );
    });
    const pid = child.pid ?? 0;
    const own = ownChild(child);
    child.unref();
    const seen = await onceNamed(pid);
    const record: ProcessRecord = {
      name: options.name,
      pid,
      // A process that died at once is recorded with an empty start time, which never matches anything.
      startTime: seen?.startTime ?? '',
      commandLine: seen?.commandLine ?? '',
      details: options.details ?? {},
    };
    writeRecord(options.recordFile, record);
    return handle(record, options.recordFile, own);
  } finally {
    closeSync(log);
  }
}

/**
 * What the system says of a process that was started a moment ago, with its command line: between the start of a program
 * and its first instruction the command line is empty, and a record with an empty one would match no later look.
 * @returns undefined when the process is gone
 */
export async function onceNamed(
  pid: number,
  look: typeof inspect = inspect,
): Promise<{ startTime: string; commandLine: string } | undefined> {
  const end = Date.now() + COMMAND_LINE_MS;
  for (;;) {
    const seen = look(pid);
    if (seen === undefined || seen.commandLine !== '' || Date.now() >= end) return seen;
    await delay(1);
  }
}

/** The process of a record file, if it still runs and is the one that was recorded. */
export function findRecorded(recordFile: string): RunningProcess | undefined {
  const record = readRecord(recordFile);
  if (!record || !isSameProcess(record)) return undefined;
  return handle(record, recordFile);
}

/** A process known by pid that is to be treated like a recorded one; undefined when it does not run. */
export function adoptPid(name: string, pid: number, recordFile: string): RunningProcess | undefined {
  const seen = inspect(pid);
  if (!seen) return undefined;
  const record: ProcessRecord = { name, pid, ...seen, details: {} };
  return handle(record, recordFile);
}

/** The record of this very process, for locks. */
export function ownRecord(name: string): ProcessRecord {
  const seen = inspect(process.pid);
  return {
    name,
    pid: process.pid,
    startTime: seen?.startTime ?? '',
    commandLine: seen?.commandLine ?? '',
    details: {},
  };
}

/** Whether the recorded process still runs: same pid, same start time, same command line. */
export function isSameProcess(record: ProcessRecord): boolean {
  if (record.startTime === '') return false;
  const seen = inspect(record.pid);
  if (seen?.startTime !== record.startTime) return false;
  // A process that is being torn down has lost its command line while it still holds its ports and files.
  return seen.commandLine === record.commandLine || seen.commandLine === '';
}

/** Reads a record; undefined when there is none or it is damaged (a damaged one proves nothing). */
export function readRecord(file: string): ProcessRecord | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Writes a record in one step, so that a reader never sees half of it. */
export function writeRecord(file: string, record: ProcessRecord): void {
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(record)}\n`, { mode: 0o600 });
  renameSync(temporary, file);
}

/** Start time and command line of a running process; undefined when there is none, or only its zombie. */
export function inspect(pid: number): { startTime: string; commandLine: string } | undefined {
  if (!Number.isSafeInteger(pid) || pid <= 1) return undefined;
  return process.platform === 'linux' ? inspectProc(pid) : inspectPs(pid);
}

function inspectProc(pid: number): { startTime: string; commandLine: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the name in parentheses and may itself contain spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie is gone, unless other threads of it are still letting go of what they hold.
    if (fields[0] === 'X' || (fields[0] === 'Z' && readdirSync(`/proc/${pid}/task`).length <= 1))
      return undefined;
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    return { startTime: `${boot}:${fields[19]}`, commandLine };
  } catch {
    return undefined;
  }
}

function inspectPs(pid: number): { startTime: string; commandLine: string } | undefined {
  try {
    const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC' };
    const ask = (field: string) =>
      execFileSync('ps', ['-ww', '-o', `${field}=`, '-p', String(pid)], { env, encoding: 'utf8' }).trim();
    if (ask('stat').startsWith('Z')) return undefined;
    return { startTime: ask('lstart'), commandLine: ask('command') };
  } catch {
    return undefined;
  }
}

function ownChild(child: ChildProcess): OwnChild {
  const ending = () => {
    if (child.signalCode !== null) return `signal ${child.signalCode}`;
    return child.exitCode === null ? undefined : `exit code ${child.exitCode}`;
  };
  const exited = new Promise<string>((resolve) => {
    const end = () => resolve(ending() ?? UNKNOWN_ENDING);
    if (ending() === undefined) child.once('exit', end);
    else end();
  });
  return { ending, exited };
}

function handle(record: ProcessRecord, recordFile: string, own?: OwnChild): RunningProcess {
  // While a child of ours runs nobody else can have its pid; one that is only its zombie is gone for everybody.
  const alive = own
    ? () => own.ending() === undefined && inspect(record.pid) !== undefined
    : () => isSameProcess(record);
  let exited = own?.exited;
  const send = (signal: NodeJS.Signals) => {
    if (!alive()) return;
    try {
      process.kill(record.pid, signal);
    } catch (error) {
      // It ended between the look and the signal.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  };
  return {
    record,
    get exited() {
      // Not our child: only looking tells, and looking alone must not keep Node running.
      exited ??= untilGone(alive, false).then(() => UNKNOWN_ENDING);
      return exited;
    },
    alive,
    async stop(signal, graceMs, lastSignal = 'SIGKILL') {
      send(signal);
      if (!(await goneWithin(alive, graceMs))) {
        send(lastSignal);
        await untilGone(alive);
      }
      if (readRecord(recordFile)?.pid === record.pid) rmSync(recordFile, { force: true });
    },
  };
}

async function goneWithin(alive: () => boolean, milliseconds: number): Promise<boolean> {
  const end = Date.now() + milliseconds;
  while (alive()) {
    if (Date.now() >= end) return false;
    await delay(POLL_MS);
  }
  return true;
}

async function untilGone(alive: () => boolean, ref = true): Promise<void> {
  while (alive()) await delay(POLL_MS * 4, undefined, { ref });
}

function isRecord(value: unknown): value is ProcessRecord {
  if (typeof value !== 'object' || value === null) return false;
  const record = value as Partial<ProcessRecord>;
  return (
    typeof record.name === 'string' &&
    typeof record.pid === 'number' &&
    typeof record.startTime === 'string' &&
    typeof record.commandLine === 'string' &&
    typeof record.details === 'object' &&
    record.details !== null
  );
}
