/** Optimistic concurrency: an ETag names the version that was read, If-Match the version a change builds on. */
import { Problem } from './problems.js';

/** Strong ETag of a row with a version. */
export function etagOf(version: number | string): string {
  return `"${version}"`;
}

/**
 * @param header If-Match as sent; a list and `*` are allowed (RFC 9110).
 * @throws Problem precondition_required without the header, precondition_failed when no tag fits.
 */
export function requireMatch(header: string | undefined, current: string): void {
  if (header === undefined || header.trim() === '') throw new Problem('precondition_required');
  const tags = header.split(',').map((tag) => tag.trim());
  if (!tags.includes('*') && !tags.includes(current)) {
    throw new Problem('precondition_failed', { headers: { ETag: current } });
  }
}
