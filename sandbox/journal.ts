/**
 * An append-only file of JSON lines: the memory of a sandbox system. Each record is written before the answer that
 * depends on it leaves, so a killed process loses nothing it had answered for.
 */
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, truncateSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { z } from 'zod';

export interface Journal<T> {
  /** What was in the file when it was opened, oldest first. */
  readonly records: readonly T[];
  append(record: T): void;
  close(): void;
}

/**
 * Opens or makes the file. A last line that a killed process left unfinished is cut off.
 * @throws Error naming file and line when a finished line does not fit the schema.
 */
export function openJournal<S extends z.ZodType>(path: string, schema: S): Journal<z.output<S>> {
  mkdirSync(dirname(path), { recursive: true });
  const content = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
  const whole = content.lastIndexOf(0x0a) + 1;
  if (whole < content.length) truncateSync(path, whole);
  const lines = content.subarray(0, whole).toString('utf8').split('\n').slice(0, -1);
  const records = lines.map((line, index) => readLine(path, line, index + 1, schema));
  const file = openSync(path, 'a', 0o600);
  return {
    records,
    append: (record) => {
      writeSync(file, `${JSON.stringify(record)}\n`);
    },
    close: () => closeSync(file),
  };
}

function readLine<S extends z.ZodType>(path: string, line: string, number: number, schema: S): z.output<S> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new Error(
      `${path}:${number} is not JSON. Delete the file to start this stand-in with an empty memory.`,
    );
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new Error(
    `${path}:${number} was written by another version. Delete the file to start this stand-in with an empty memory.`,
  );
}
