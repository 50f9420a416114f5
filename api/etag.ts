/** Optimistic concurrency: an ETag names the version that was read, If-Match the version a change builds on. */
import { Problem } from './problems.js';

/** Strong ETag of a row with a version. */
export function etagOf(version: number | string): string {
  return `"${version}"`;
}

const ENTITY_TAG = /^(?:W\/)?"[\x21\x23-\x2b\x2d-\x7e]*"$/;

/**
 * The tags of an If-Match (RFC 9110), as written; `*` stands for any version. Ours have no comma inside.
 * @returns none without the header. @throws Problem invalid_request for what is neither
 */
export function readIfMatch(header: string | undefined): string[] {
  if (header === undefined || header.trim() === '') return [];
  const tags = header.split(',').map((tag) => tag.trim());
  if (tags.every((tag) => tag === '*' || ENTITY_TAG.test(tag))) return tags;
  const detail = 'If-Match takes an ETag as it was sent to you, with its quotes, such as "3".';
  throw new Problem('invalid_request', { detail, errors: [{ in: 'header', pointer: 'If-Match', detail }] });
}

/**
 * @param header If-Match as sent; a list and `*` are allowed (RFC 9110).
 * @throws Problem precondition_required without the header, invalid_request for no ETag, precondition_failed when no tag
 * fits.
 */
export function requireMatch(header: string | undefined, current: string): void {
  const tags = readIfMatch(header);
  if (tags.length === 0) throw new Problem('precondition_required');
  if (!tags.includes('*') && !tags.includes(current)) {
    throw new Problem('precondition_failed', { headers: { ETag: current } });
  }
}
