/** Reads JSON bodies: at most 256 KiB, uncompressed, UTF-8, and without what Postgres cannot store. */
import express, { type RequestHandler } from 'express';
import { isStorable } from '../../domain/storable-text.js';
import { Problem } from '../problems.js';

export const MAX_BODY_BYTES = 256 * 1024;
/** No document of ours is deeper than 5; a deep one only costs stack. */
const MAX_DEPTH = 32;

const parseJson = express.json({ limit: MAX_BODY_BYTES, inflate: false, strict: false, type: () => true });

export const jsonBody: RequestHandler = (request, response, next) => {
  // An answer to these methods never depends on a body; what is sent is left unread.
  if (request.method === 'GET' || request.method === 'HEAD' || !hasBody(request.headers)) {
    request.body = undefined;
    next();
    return;
  }
  if (!isJson(request.get('content-type'))) throw new Problem('unsupported_media_type');
  parseJson(request, response, (error?: unknown) => {
    try {
      if (error !== undefined) throw bodyProblem(error);
      checkStorable(request.body);
      next();
    } catch (problem) {
      next(problem);
    }
  });
};

function hasBody(headers: Record<string, string | string[] | undefined>): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function isJson(contentType: string | undefined): boolean {
  const [type = '', ...parameters] = (contentType ?? '').toLowerCase().split(';');
  const charset = parameters.map((one) => one.trim()).find((one) => one.startsWith('charset='));
  return (
    type.trim() === 'application/json' && (charset === undefined || /^charset="?utf-8"?$/u.test(charset))
  );
}

/** What a reader of bodies complains of, as a problem. */
export function bodyProblem(error: unknown): unknown {
  const type = typeof error === 'object' && error !== null && 'type' in error ? String(error.type) : '';
  switch (type) {
    case 'entity.too.large':
      return new Problem('payload_too_large');
    case 'encoding.unsupported':
    case 'charset.unsupported':
      return new Problem('unsupported_media_type');
    case 'entity.parse.failed':
    case 'request.size.invalid':
    case 'request.aborted':
      return new Problem('malformed_json');
    default:
      return error;
  }
}

/** Refuses text that Postgres cannot hold, and absurd depth. Iterative: depth is the attack. */
function checkStorable(body: unknown): void {
  const open: { value: unknown; depth: number }[] = [{ value: body, depth: 0 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, depth } = next;
    if (typeof value === 'string' && !isStorable(value)) {
      throw unstorable('A text contains the NUL character or half of a surrogate pair.');
    }
    if (typeof value !== 'object' || value === null) continue;
    if (depth >= MAX_DEPTH) throw unstorable('The body is nested too deeply.');
    for (const [key, child] of Object.entries(value)) {
      if (!isStorable(key)) {
        throw unstorable('A name contains the NUL character or half of a surrogate pair.');
      }
      open.push({ value: child, depth: depth + 1 });
    }
  }
}

function unstorable(detail: string): Problem {
  return new Problem('invalid_request', { detail, errors: [{ in: 'body', pointer: '', detail }] });
}
