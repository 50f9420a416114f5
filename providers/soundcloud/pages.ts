/** Paged lists: the next page is named by the API (`next_href`) and asked of the API's own origin only. */
import type { z } from 'zod';
import { type HttpAnswer, providerFailure, readJson, requireSuccess } from '../http/failures.js';
import type { SoundCloudPage } from './port.js';

export interface PageQuestion<T> {
  operation: string;
  /** Without a slash at its end. */
  apiUrl: string;
  /** Path and query of the first page. */
  first: string;
  /** Path and query that the page before named; null for the first page. */
  cursor: string | null;
  get: (url: string) => Promise<HttpAnswer>;
  schema: z.ZodType<{ collection: T[]; next_href?: string | null | undefined }>;
}

/**
 * Reads one page. A cursor is only path and query, so no token can be led to another host by one.
 * @returns null for 404 and 410.
 * @throws ProviderError `rejected` when the next page is on another origin, or is this one again (an endless list).
 */
export async function readPage<T extends { urn: string }>(
  question: PageQuestion<T>,
): Promise<SoundCloudPage<T> | null> {
  const { operation, apiUrl } = question;
  const { origin } = new URL(apiUrl);
  const refuse = (what: string) => providerFailure('soundcloud', 'rejected', operation, what);
  const url = question.cursor === null ? `${apiUrl}${question.first}` : within(question.cursor);
  if (url === null) throw refuse('was given a cursor that leads to another host');
  const answer = await question.get(url);
  if (answer.status === 404 || answer.status === 410) return null;
  const page = readJson(
    'soundcloud',
    operation,
    requireSuccess('soundcloud', operation, answer),
    question.schema,
  );
  const next = page.next_href ? within(page.next_href) : undefined;
  if (next === null) throw refuse('was answered with a next page on another host');
  if (next === url) throw refuse('was answered with a next page that is the same page');
  return {
    rows: [...new Map(page.collection.map((row) => [row.urn, row])).values()],
    nextCursor: next === undefined ? null : next.slice(origin.length),
  };

  /** The address when it is on the API's origin, else null. */
  function within(href: string): string | null {
    const target = URL.canParse(href, apiUrl) ? new URL(href, apiUrl) : null;
    return target?.origin === origin && target.username === '' ? target.href : null;
  }
}
