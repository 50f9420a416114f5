/**
 * What a database error means to the caller. Constraint and function names stay inside; the refusals our SQL raises
 * itself (SQLSTATE SPK01) carry their code as message and the next step as detail.
 */
import { isProblemCode, Problem, type ProblemCode } from './problems.js';

interface DatabaseError extends Error {
  code: string;
  detail?: string | undefined;
  /** With a refusal: the id of the row, or the number, it is about. */
  hint?: string | undefined;
  constraint?: string | undefined;
}

const CONNECTION_ERRORS = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENOENT',
]);

const BY_STATE: Record<string, [ProblemCode, string?]> = {
  '23502': ['rule_violated', 'A required value is missing.'],
  '23505': ['already_exists'],
  '23514': ['rule_violated', 'A value is outside of what is allowed.'],
  '23001': ['in_use'],
  '42501': ['forbidden'],
  '22P02': ['invalid_request', 'A value cannot be read as the type it must have.'],
  '22P05': ['invalid_request', 'A text contains a character that cannot be stored.'],
  '22021': ['invalid_request', 'A text contains a character that cannot be stored.'],
  '22001': ['invalid_request', 'A text is too long.'],
  '22003': ['invalid_request', 'A number is out of range.'],
  '22007': ['invalid_request', 'A date or time cannot be read.'],
  '22008': ['invalid_request', 'A date or time is out of range.'],
  '40001': ['database_busy'],
  '40P01': ['database_busy'],
  '55P03': ['database_busy'],
  '57014': ['database_busy', 'The request took longer than the database allows.'],
  '53300': ['database_unavailable'],
  '25006': ['database_unavailable'],
  '57P01': ['database_unavailable'],
  '57P02': ['database_unavailable'],
  '57P03': ['database_unavailable'],
};

/** The Problem behind an error of the database driver; undefined for an error that is none. */
export function databaseProblem(error: unknown): Problem | undefined {
  if (!(error instanceof Error)) return undefined;
  if (isConnectionLoss(error)) return new Problem('database_unavailable', { cause: error });
  if (!hasCode(error)) return undefined;
  if (error.code === 'SPK01') return refusal(error);
  if (error.code === '23503') {
    const code = /still referenced/u.test(error.message + (error.detail ?? ''))
      ? 'in_use'
      : 'unknown_reference';
    return new Problem(code, { cause: error });
  }
  const known =
    BY_STATE[error.code] ?? (/^(08|53|58)/u.test(error.code) ? ['database_unavailable' as const] : undefined);
  if (known === undefined) return undefined;
  const [code, detail] = known;
  return new Problem(code, { cause: error, ...(detail !== undefined && { detail }) });
}

function refusal(error: DatabaseError): Problem {
  const { message, detail, hint } = error;
  // What our SQL refuses and the registry does not know is our own mistake: wrong_org, for example.
  if (!isProblemCode(message)) return new Problem('internal', { cause: error });
  return new Problem(message, {
    cause: error,
    ...(detail !== undefined && { detail }),
    ...(hint ? { extensions: extensionsOf(message, hint) } : {}),
  });
}

/** What a refusal's hint tells, as members of the problem document. */
function extensionsOf(code: ProblemCode, hint: string): Record<string, unknown> {
  if (code === 'duplicate_track') return { submission_id: hint };
  if (code === 'above_headroom') return { headroom: Number(hint) };
  if (code === 'insufficient_credits') return { balance: Number(hint) };
  return {};
}

function hasCode(error: Error): error is DatabaseError {
  return 'code' in error && typeof error.code === 'string' && /^[0-9A-Z]{5}$/u.test(error.code);
}

function isConnectionLoss(error: Error): boolean {
  if (error instanceof AggregateError)
    return error.errors.some((one) => one instanceof Error && isConnectionLoss(one));
  if ('code' in error && typeof error.code === 'string' && CONNECTION_ERRORS.has(error.code)) return true;
  return /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Query read timeout|Cannot use a pool after calling end)/u.test(
    error.message,
  );
}
