/** What operators read: steps as they happen, and errors that name the next step. */
import type { StackEvent } from '../sandbox/supervisor.js';

/** A line for people. Everything that is not a result goes to standard error, so that results can be piped. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** A result, for people or programs. */
export function answer(text: string): void {
  process.stdout.write(`${text}\n`);
}

/**
 * A command as it can be typed where the repository lies.
 * @param data the data folder it is for; undefined where it is the usual one
 */
export function sparkCommand(command: string, data: string | undefined): string {
  if (data === undefined) return `npx spark ${command}`;
  const quoted = /^[\w./~+-]+$/.test(data) ? data : `'${data.replaceAll("'", "'\\''")}'`;
  return `npx spark ${command} --data ${quoted}`;
}

/** Prints the events of a starting or stopping stack, one line each. */
export function stackPrinter(): (event: StackEvent) => void {
  const began = Date.now();
  const at = () => `${((Date.now() - began) / 1_000).toFixed(1).padStart(6)} s`;
  return (event) => {
    switch (event.kind) {
      case 'step':
        return say(`${at()}  … ${event.step}`);
      case 'progress':
        return say(`${at()}    ${event.step}: ${event.message}`);
      case 'done':
        return say(`${at()}  ✓ ${event.step}${event.detail && ` (${event.detail})`}`);
      case 'trouble':
        return say(`${at()}  ! ${event.message}`);
    }
  };
}

/**
 * An error as an operator should read it: what happened and what to do, without a stack trace unless asked for.
 * @param verbose adds stack and causes
 */
export function explain(error: unknown, verbose: boolean): string {
  const message = hint(error) ?? (error instanceof Error ? error.message : String(error));
  if (!verbose || !(error instanceof Error)) return message;
  const cause = error.cause instanceof Error ? `\nCaused by: ${error.cause.stack}` : '';
  return `${message}\n\n${error.stack}${cause}`;
}

/** Errors of the network and the database whose own text does not say what to do. */
function hint(error: unknown): string | undefined {
  if (error instanceof AggregateError && error.errors.length > 0) return hint(error.errors[0]);
  if (!(error instanceof Error)) return undefined;
  const { code, address, port, detail } = error as NodeJS.ErrnoException & {
    address?: string;
    port?: number;
    detail?: string;
  };
  const where = address ? ` at ${address}:${port}` : '';
  switch (code) {
    case 'ECONNREFUSED':
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
      return `Nothing answers${where}. Start that server, or correct the address (DATABASE_URL, TEMPORAL_ADDRESS).`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${error.message}: the host is not known. Correct DATABASE_URL or TEMPORAL_ADDRESS.`;
    case 'SPK01':
      // A refusal raised in SQL: its detail is the text for people, its message a code.
      return detail ?? error.message;
    case '28P01':
    case '28000':
      return `The database refuses the login (${error.message}). Correct user and password in DATABASE_URL.`;
    case '3D000':
      return `${error.message}. Create it, or correct the name in DATABASE_URL.`;
    case '42P01':
    case '3F000':
      return `The database is not migrated (${error.message}). Run \`spark migrate\`.`;
    case '42501':
      return `${error.message}. DATABASE_URL must be the owner's connection.`;
    default:
      return undefined;
  }
}
