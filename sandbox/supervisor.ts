/**
 * The embedded stack in one folder: PostgreSQL, Temporal, the stand-ins of other companies' systems, worker and API.
 *
 * Every process has a session of its own and a record. Ctrl-C in a terminal therefore reaches the supervisor only, which
 * stops API → worker → stand-ins → Temporal → PostgreSQL; and a supervisor that is killed leaves orphans that the next
 * start finds: servers are adopted, programs are stopped (their code may be older than what is about to start).
 */
import { mkdirSync } from 'node:fs';
import { migrate } from '../db/migrator.js';
import type { BusinessClock } from '../domain/calendar.js';
import { type DataFolder, openDataFolder, type StackState } from './data-folder.js';
import { tryLock } from './folder-lock.js';
import { startNodeProgram } from './node-program.js';
import { freePort, type ReservedPort, reservePort } from './ports.js';
import { startPostgres } from './postgres.js';
import {
  inheritedEnvironment,
  PROGRAMS,
  type ProgramSpec,
  SANDBOX_PORTS,
  type StackAddresses,
} from './programs.js';
import { findRecorded } from './recorded-process.js';
import { Service } from './service.js';
import { establishClock, makeStackDatabase, STACK_DATABASE } from './stack-database.js';
import { startTemporal } from './temporal.js';

/** Name in the lock's record, by which short commands see that a whole stack is running. */
export const STACK_LOCK = 'spark stack';

export type StackEvent =
  | { kind: 'step'; step: string }
  | { kind: 'progress'; step: string; message: string }
  | { kind: 'done'; step: string; ms: number; detail: string }
  | { kind: 'trouble'; message: string };

export interface StackOptions {
  /** The data folder; made when missing. */
  folder: string;
  /** Real seconds of a business day (24 … 86,400), fixed when the folder is made. Default: as it was made, else real time. */
  daySeconds?: number | undefined;
  /** Business instant (epoch ms) at which a compressed clock begins. Default: the real one. */
  businessStart?: number | undefined;
  /** Port of the API; an error when it is taken. Default: the last one, else 8080, else any. */
  apiPort?: number | undefined;
  /**
   * An existing database instead of the embedded one: connection URLs of the owner and the two logins, and the
   * password to give to the logins (left as it is when absent).
   */
  database?: { owner: string; api: string; worker: string; loginPassword?: string } | undefined;
  /** Runs when database and stand-ins are ready, before worker and API: seeding. */
  prepare?: (addresses: StackAddresses) => Promise<void>;
  report?: (event: StackEvent) => void;
  /** Gives up starting; everything started so far is stopped. */
  signal?: AbortSignal | undefined;
  /** False makes the embedded database fast and unsafe against power loss (tests). */
  durable?: boolean;
  /** Default: the product's. */
  programs?: readonly ProgramSpec[];
  env?: NodeJS.ProcessEnv;
}

export interface Stack {
  addresses: StackAddresses;
  folder: DataFolder;
  /** `postgres` (unless external), `temporal`, `sandbox`, `worker`, `api`: to stop, start or crash one of them. */
  service(name: string): Service;
  /** Stops everything in order and lets go of the folder. A second call with `hurry` shortens a stop under way. */
  stop(options?: { hurry?: boolean }): Promise<void>;
}

const DEFAULT_API_PORT = 8080;
const DEFAULT_TEMPORAL_PORT = 7233;
const DEFAULT_TEMPORAL_UI_PORT = 8233;

/** Raised when another stack holds the folder. */
export class FolderInUseError extends Error {
  override readonly name = 'FolderInUseError';
}

/**
 * Starts the stack of a folder.
 * @throws FolderInUseError; Error of the step that failed, after stopping what was started; the signal's reason.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const folder = openDataFolder(options.folder);
  const taken = tryLock(folder.lockFile, STACK_LOCK);
  if ('holder' in taken) {
    throw new FolderInUseError(
      `The data folder ${folder.root} is in use by process ${taken.holder.pid} (${taken.holder.name}). Stop that one, or choose another folder with --data.`,
    );
  }
  const run = new StackRun(folder, options);
  try {
    await run.start();
  } catch (error) {
    await run.stop();
    throw error;
  } finally {
    if (!run.started) taken.lock.release();
  }
  // Watching children does not keep Node running; being a supervisor does.
  const keepAlive = setInterval(() => {}, 2 ** 30);
  return {
    addresses: run.addresses,
    folder,
    service: (name) => run.service(name),
    async stop({ hurry = false } = {}) {
      if (hurry) return run.hurry();
      await run.stop();
      clearInterval(keepAlive);
      taken.lock.release();
    },
  };
}

class StackRun {
  started = false;
  #services: Service[] = [];
  #addresses: StackAddresses | undefined;
  #ports: Record<string, number> = {};
  #apiPort: ReservedPort | undefined;
  #stopped: Promise<void> | undefined;
  /** Aborted when one of several parallel steps fails, so that the operator hears of it at once. */
  readonly #giveUp = new AbortController();
  readonly #signal: AbortSignal;

  constructor(
    private readonly folder: DataFolder,
    private readonly options: StackOptions,
  ) {
    this.#signal = AbortSignal.any([this.#giveUp.signal, ...(options.signal ? [options.signal] : [])]);
  }

  get addresses(): StackAddresses {
    if (!this.#addresses) throw new Error('The stack has not been started.');
    return this.#addresses;
  }

  service(name: string): Service {
    const found = this.#services.find((service) => service.name === name);
    if (!found)
      throw new Error(`The stack has no service ${name}; it has ${this.#services.map((s) => s.name)}.`);
    return found;
  }

  async start(): Promise<void> {
    const { folder, options } = this;
    const programs = options.programs ?? PROGRAMS;
    const known = folder.state();
    const daySeconds = chosenDay(known, options, folder.root);
    this.#ports = { ...known?.ports };
    await this.#stopOrphans(programs);
    this.#signal.throwIfAborted();

    const apiPort = await this.#reserveApiPort();
    const [owner, temporal] = await this.#all([this.#startDatabase(), this.#startTemporal()]);
    const { database } = options;
    const urls = database
      ? { owner: database.owner, api: database.api, worker: database.worker }
      : this.#loginUrls(owner);
    this.#addresses = {
      databaseUrls: urls,
      ...temporal,
      apiPort,
      apiUrl: `http://127.0.0.1:${apiPort}`,
      jwtSecret: folder.secrets().jwtSecret,
      clock: await this.#migrate(urls.owner, daySeconds),
      sandbox: { urls: {}, env: {} },
      sandboxFolder: folder.sandbox,
      sandboxPorts: await this.#sandboxPorts(),
    };
    this.#saveState();
    this.#signal.throwIfAborted();
    const [first, ...rest] = programs;
    if (first) await this.#startProgram(first);
    const { prepare } = options;
    if (prepare) {
      await this.#step(
        'seed',
        () => prepare(this.addresses),
        () => '',
      );
    }
    await this.#all(rest.map((program) => this.#startProgram(program)));
    this.started = true;
  }

  /** Stops in the opposite order of the start; a second call waits for the first. */
  stop(): Promise<void> {
    this.#stopped ??= (async () => {
      await this.#apiPort?.release();
      const order = ['api', 'worker', 'sandbox', 'temporal', 'postgres'];
      const rank = (service: Service) => (order.includes(service.name) ? order.indexOf(service.name) : 0);
      for (const service of [...this.#services].sort((a, b) => rank(a) - rank(b))) {
        const since = Date.now();
        await service.stop();
        this.#report({ kind: 'done', step: `stop ${service.name}`, ms: Date.now() - since, detail: '' });
      }
    })();
    return this.#stopped;
  }

  async hurry(): Promise<void> {
    await Promise.all(this.#services.map((service) => service.stopNow()));
    await this.stop();
  }

  /**
   * Waits for all of them. When one fails the others are told to give up and waited for, so that nothing is left
   * starting behind the caller's back.
   */
  async #all<T extends readonly unknown[] | []>(
    work: T,
  ): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
    try {
      return await Promise.all(work);
    } catch (error) {
      this.#giveUp.abort(error);
      await Promise.allSettled(work);
      throw error;
    }
  }

  #report(event: StackEvent): void {
    this.options.report?.(event);
  }

  async #step<T>(step: string, work: () => Promise<T> | T, detail: (result: T) => string): Promise<T> {
    this.#report({ kind: 'step', step });
    const since = Date.now();
    const result = await work();
    this.#report({ kind: 'done', step, ms: Date.now() - since, detail: detail(result) });
    return result;
  }

  #progress(step: string) {
    return (message: string) => this.#report({ kind: 'progress', step, message });
  }

  #addService(options: Omit<ConstructorParameters<typeof Service>[0], 'report'>): Service {
    const service = new Service({
      ...options,
      report: (message) => this.#report({ kind: 'trouble', message }),
    });
    this.#services.push(service);
    return service;
  }

  /** Programs of an earlier supervisor that was killed. Its servers are adopted by their own starts. */
  async #stopOrphans(programs: readonly ProgramSpec[]): Promise<void> {
    for (const { name, graceMs } of [...programs].reverse()) {
      const orphan = findRecorded(this.folder.recordFile(name));
      if (!orphan) continue;
      await this.#step(
        `stop the ${name} of an earlier start`,
        () => orphan.stop('SIGTERM', graceMs),
        () => `process ${orphan.record.pid}`,
      );
    }
  }

  /** Chosen early, because others are told the address, and kept from other programs until the API takes it. */
  async #reserveApiPort(): Promise<number> {
    const { apiPort } = this.options;
    this.#apiPort = apiPort
      ? await reservePort(apiPort)
      : await reservePort(this.#ports.api, DEFAULT_API_PORT);
    if (apiPort && this.#apiPort.port !== apiPort) {
      throw new Error(`Port ${apiPort} is taken by another program. Choose another one with --port.`);
    }
    this.#ports.api = this.#apiPort.port;
    return this.#apiPort.port;
  }

  /** Another program came first to a port nobody had insisted on, in the moment before the API took it. */
  async #moveApi(): Promise<void> {
    this.#apiPort = await reservePort(0);
    const { port } = this.#apiPort;
    this.#ports.api = port;
    Object.assign(this.addresses, { apiPort: port, apiUrl: `http://127.0.0.1:${port}` });
    this.#saveState();
    await this.#apiPort.release();
  }

  #saveState(): void {
    this.folder.saveState({
      ports: this.#ports,
      daySeconds: this.addresses.clock.daySeconds,
      database: databaseName(this.options),
    });
  }

  async #sandboxPorts(): Promise<Record<string, number>> {
    const chosen: Record<string, number> = {};
    for (const system of SANDBOX_PORTS) {
      chosen[system] = this.#ports[system] = await freePort(this.#ports[system]);
    }
    return chosen;
  }

  /** @returns the owner's connection URL of the stack's database. */
  async #startDatabase(): Promise<string> {
    const { database } = this.options;
    if (database) return database.owner;
    let url = '';
    let restarted = false;
    const service = this.#addService({
      name: 'postgres',
      stopSignal: 'SIGINT',
      graceMs: 30_000,
      lastSignal: 'SIGQUIT',
      launch: async (aborted) => {
        const server = await startPostgres({
          folder: this.folder.postgres,
          port: this.#ports.postgres,
          fixedPort: restarted,
          durable: this.options.durable ?? true,
          report: this.#progress('PostgreSQL'),
          signal: aborted,
        });
        restarted = true;
        this.#ports.postgres = server.port;
        url = server.url(STACK_DATABASE);
        await makeStackDatabase(server.adminUrl);
        return server.process;
      },
    });
    await this.#step(
      'PostgreSQL',
      () => service.start(this.#signal),
      () => `127.0.0.1:${this.#ports.postgres}`,
    );
    return url;
  }

  async #startTemporal(): Promise<Pick<StackAddresses, 'temporalAddress' | 'temporalUiUrl'>> {
    let restarted = false;
    const service = this.#addService({
      name: 'temporal',
      stopSignal: 'SIGTERM',
      graceMs: 20_000,
      launch: async (aborted) => {
        const server = await startTemporal({
          folder: this.folder.temporal,
          port: this.#ports.temporal ?? (await freePort(DEFAULT_TEMPORAL_PORT)),
          uiPort: this.#ports.temporalUi ?? (await freePort(DEFAULT_TEMPORAL_UI_PORT)),
          fixedPorts: restarted,
          report: this.#progress('Temporal'),
          signal: aborted,
        });
        restarted = true;
        this.#ports.temporal = server.port;
        this.#ports.temporalUi = server.uiPort ?? 0;
        return server.process;
      },
    });
    const addresses = () => ({
      temporalAddress: `127.0.0.1:${this.#ports.temporal}`,
      temporalUiUrl: `http://127.0.0.1:${this.#ports.temporalUi}`,
    });
    await this.#step(
      'Temporal',
      () => service.start(this.#signal),
      () => addresses().temporalAddress,
    );
    return addresses();
  }

  #loginUrls(owner: string): StackAddresses['databaseUrls'] {
    const { loginPassword } = this.folder.secrets();
    const as = (login: string) => {
      const url = new URL(owner);
      url.username = login;
      url.password = loginPassword;
      return url.href;
    };
    return { owner, api: as('spark_api'), worker: as('spark_worker') };
  }

  async #migrate(owner: string, daySeconds: number | undefined): Promise<BusinessClock> {
    const { database, businessStart } = this.options;
    const loginPassword = database ? database.loginPassword : this.folder.secrets().loginPassword;
    const wish =
      daySeconds === undefined ? undefined : { daySeconds, ...(businessStart && { businessStart }) };
    const { clock } = await this.#step(
      'migrations',
      async () => {
        const result = await migrate({
          url: owner,
          report: this.#progress('migrations'),
          ...(loginPassword && { loginPassword }),
        });
        return { ...result, clock: await establishClock(owner, wish) };
      },
      ({ applied, alreadyApplied }) => `${applied.length} applied, ${alreadyApplied} were there`,
    );
    return clock;
  }

  async #startProgram(program: ProgramSpec): Promise<void> {
    const { folder, options } = this;
    mkdirSync(folder.sandbox, { recursive: true, mode: 0o700 });
    const service = this.#addService({
      name: program.name,
      stopSignal: 'SIGTERM',
      graceMs: program.graceMs,
      launch: async (signal) => {
        if (program.name === 'api') await this.#apiPort?.release();
        const start = async () =>
          startNodeProgram({
            name: program.name,
            script: program.script,
            ...(program.args && { args: program.args(this.addresses) }),
            env: {
              ...inheritedEnvironment(options.env ?? process.env),
              ...(await program.env(this.addresses)),
            },
            logFile: folder.logFile(program.name),
            recordFile: folder.recordFile(program.name),
            ready: program.ready,
            signal,
          });
        const { running, line } = await start().catch(async (error: unknown) => {
          if (program.name !== 'api' || options.apiPort || !String(error).includes('EADDRINUSE')) throw error;
          await this.#moveApi();
          return start();
        });
        program.onReady?.(line, this.addresses);
        return running;
      },
    });
    await this.#step(
      program.name,
      () => service.start(this.#signal),
      () => `log: ${folder.logFile(program.name)}`,
    );
  }
}

function chosenDay(known: StackState | undefined, options: StackOptions, root: string): number | undefined {
  if (known && known.database !== databaseName(options)) {
    throw new Error(
      `The data folder ${root} belongs to the database ${known.database}, not to ${databaseName(options)}. Choose another folder with --data, or set DATABASE_URL as before.`,
    );
  }
  if (known && options.daySeconds !== undefined && options.daySeconds !== known.daySeconds) {
    throw new Error(
      `The data folder ${root} was made with a day of ${known.daySeconds} s, which cannot change. Leave --day-seconds out, or choose another folder with --data.`,
    );
  }
  return options.daySeconds;
}

function databaseName({ database }: StackOptions): string {
  if (!database) return 'embedded';
  const { host, pathname } = new URL(database.owner);
  return `${host}${pathname}`;
}
