/** Pieces of schemas that several nouns share. */
import { z } from 'zod';

/**
 * An id as callers send it. Upper case means the same id, but not the same text: workflow ids, command ids and
 * comparisons are made of it, so there is only one way to write it from here on.
 */
export const id = z.uuid().toLowerCase();

export const idParam = (what: string) => id.describe(`Id of the ${what}.`);

export const timestamp = z.iso.datetime().describe('UTC, ISO 8601.');
export const calendarDate = z.iso.date();

/** `YYYY-MM`. */
export const calendarMonth = z
  .string()
  .regex(/^[1-9]\d{3}-(0[1-9]|1[0-2])$/u, 'must be a month as YYYY-MM')
  .describe('YYYY-MM.');

/** Beside a member's id. Ops read all, members their own. */
export const memberName = z
  .string()
  .nullable()
  .describe(
    'Null without a member, and where the caller may not read it, as an API key without `members:read`.',
  );

/** Settings and simulation; ranges are rules. */
export const feePercent = z
  .number()
  .describe(
    'Percent of a price the network keeps, rounded down to whole credits: below 100 nothing of a price of 1, at 10 nothing of a price below 10.',
  );

/** Text for people: trimmed, not empty, without control characters. */
export const label = (max: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(max)
    .regex(/^\P{Cc}*$/u, 'must not contain control characters');

/** Longer text: line breaks and tabs are fine. */
export const prose = (max: number) =>
  z
    .string()
    .trim()
    .max(max)
    .regex(/^(?:\P{Cc}|[\n\r\t])*$/u, 'must not contain control characters');

/** SoundCloud or Spotify handle, as in the profile's address; kept in lower case. */
export const handle = z
  .string()
  .trim()
  .toLowerCase()
  .regex(/^@?[a-z0-9_.-]{1,255}$/u, 'must be a handle: letters, digits, dots, dashes and underscores')
  .transform((text) => text.replace(/^@/u, ''));

/** E-mail addresses are compared in lower case everywhere. Written so, then looked at: a pasted space is no mistake. */
export const email = z.string().trim().toLowerCase().max(320).check(z.email());

/** Query parameter `true` or `false`. */
export const flag = z.enum(['true', 'false']).transform((text) => text === 'true');

/** A time read from the database as ISO text. */
export function iso(value: Date | string): string {
  return (value instanceof Date ? value : new Date(value)).toISOString();
}

export function isoOrNull(value: Date | string | null): string | null {
  return value === null ? null : iso(value);
}

/** Stored facts as people read them: the named instants, kept as epoch milliseconds, become ISO text. */
export function withTimes(
  facts: Readonly<Record<string, unknown>>,
  instants: readonly string[],
): Record<string, unknown> {
  const readable = ([name, value]: [string, unknown]) =>
    typeof value === 'number' && instants.includes(name) ? [name, iso(new Date(value))] : [name, value];
  return Object.fromEntries(Object.entries(facts).map(readable));
}

/** A PATCH body that changes nothing is a mistake. */
export function atLeastOne<T extends z.ZodObject>(schema: T): T {
  return schema.refine((body) => Object.keys(body as object).length > 0, 'name at least one field to change');
}
