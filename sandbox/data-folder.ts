/**
 * The one folder of an embedded stack: databases, process records, logs, ports, secrets. Deleting it forgets the stack
 * (as root the database itself may lie below /var/lib/artist-spark; see postgres.ts).
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { z } from 'zod';

const ROTATE_BYTES = 20 * 1024 * 1024;

const stateSchema = z.object({
  /** Ports that were used last; taken again when they are free, so that links survive a restart. */
  ports: z.record(z.string(), z.number().int()),
  /** Real seconds of a business day, fixed when the folder was made. */
  daySeconds: z.number(),
  /** Whose database it is: the embedded one's, or that of a DATABASE_URL (host and name only). */
  database: z.string(),
});
export type StackState = z.infer<typeof stateSchema>;

const secretsSchema = z.object({ jwtSecret: z.string().min(32), loginPassword: z.string().min(16) });
export type StackSecrets = z.infer<typeof secretsSchema>;

export interface DataFolder {
  readonly root: string;
  readonly lockFile: string;
  readonly postgres: string;
  readonly temporal: string;
  readonly sandbox: string;
  recordFile(service: string): string;
  /** Path of a service's log; a large one is put aside first. */
  logFile(service: string): string;
  /** undefined in a folder that no stack was made in. */
  state(): StackState | undefined;
  saveState(state: StackState): void;
  /** Made on first use, readable by the owner only. */
  secrets(): StackSecrets;
}

/** `SPARK_HOME`, else `~/.local/share/artist-spark` (or below XDG_DATA_HOME). */
export function defaultDataFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env.SPARK_HOME) return path.resolve(env.SPARK_HOME);
  const base = env.XDG_DATA_HOME && path.isAbsolute(env.XDG_DATA_HOME) ? env.XDG_DATA_HOME : undefined;
  return path.join(base ?? path.join(homedir(), '.local', 'share'), 'artist-spark');
}

/** Whether a stack was made in a folder, or begun to be: looking makes nothing. */
export function isDataFolder(folder: string): boolean {
  return ['stack.json', 'postgres'].some((part) => existsSync(path.join(folder, part)));
}

/**
 * Opens a data folder and makes it when missing.
 * @throws Error naming the folder when it cannot be made or written.
 */
export function openDataFolder(folder: string): DataFolder {
  const root = path.resolve(folder);
  try {
    // Walkable, not readable: as root the database's own user must get to its part. Files are closed one by one.
    mkdirSync(root, { recursive: true, mode: 0o711 });
    for (const part of ['run', 'logs']) mkdirSync(path.join(root, part), { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new Error(
      `The data folder ${root} cannot be made (${(cause as Error).message}). Choose another one with --data or SPARK_HOME.`,
      { cause },
    );
  }
  const stateFile = path.join(root, 'stack.json');
  const secretsFile = path.join(root, 'secrets.json');
  return {
    root,
    lockFile: path.join(root, 'run', 'lock'),
    postgres: path.join(root, 'postgres'),
    temporal: path.join(root, 'temporal'),
    sandbox: path.join(root, 'sandbox'),
    recordFile: (service) => path.join(root, 'run', `${service}.json`),
    logFile: (service) => rotated(path.join(root, 'logs', `${service}.log`)),
    state: () => (existsSync(stateFile) ? readJson(stateFile, stateSchema) : undefined),
    saveState: (state) => writeWhole(stateFile, state),
    secrets: () => {
      if (!existsSync(secretsFile)) {
        const made = randomBytes(66).toString('base64url');
        writeWhole(secretsFile, { jwtSecret: made.slice(0, 48), loginPassword: made.slice(48, 80) });
      }
      return readJson(secretsFile, secretsSchema);
    },
  };
}

function readJson<S extends z.ZodType>(file: string, schema: S): z.output<S> {
  try {
    return schema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (cause) {
    // The content is not repeated: it may be secret.
    throw new Error(
      `${file} is damaged. Restore it, or choose another data folder with --data (a new one starts from nothing).`,
      { cause },
    );
  }
}

function writeWhole(file: string, value: unknown): void {
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
  renameSync(temporary, file);
}

function rotated(file: string): string {
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > ROTATE_BYTES) renameSync(file, `${file}.1`);
  return file;
}
