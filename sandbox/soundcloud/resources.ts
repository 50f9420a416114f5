/**
 * The stand-in's catalogue: artists, tracks and short links, kept on disk, and how their numbers grow with business
 * time. Everything follows from what was put in: the same catalogue at the same business instant gives the same bytes.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { DAY_MS } from '../../domain/calendar.js';
import { type Journal, openJournal } from '../journal.js';

const slug = z.string().regex(/^[a-z0-9][a-z0-9_-]*$/, 'lower-case letters, digits, - and _');
const count = z.number().int().nonnegative();

export const userInput = z.object({
  handle: slug,
  name: z.string().min(1).optional(),
  followers: count,
  /** May be negative. */
  followersPerDay: z.number().default(0),
  /** The profile was deleted: it and its tracks are not found (404) until it is put in again. */
  gone: z.boolean().default(false),
});
/** What can change of an artist that is there. */
export const userChange = z
  .object({ followers: count, followersPerDay: z.number(), gone: z.boolean() })
  .partial();

export const trackInput = z.object({
  /** The artist; must exist. */
  handle: slug,
  slug: slug.optional(),
  title: z.string().min(1),
  kind: z.enum(['track', 'set']).default('track'),
  genre: z.string().nullable().default(null),
  tags: z.array(z.string().regex(/^[^"]+$/)).default([]),
  access: z.enum(['playable', 'preview', 'blocked']).default('playable'),
  revealStats: z.boolean().default(true),
  /** A private track is only found by the URL with this token (`s-…`). */
  secretToken: z
    .string()
    .regex(/^s-[A-Za-z0-9]+$/)
    .nullable()
    .default(null),
  /** Counts at the moment the track is first put in. */
  counts: z.object({ plays: count, likes: count, reposts: count, comments: count }).partial().default({}),
  /** Growth in a business day. */
  perDay: z
    .object({ plays: z.number(), likes: z.number(), reposts: z.number(), comments: z.number() })
    .partial()
    .default({}),
  /** Code of its short link; without one a code is made from the artist and the slug. */
  shortCode: z
    .string()
    .regex(/^[A-Za-z0-9_-]+$/)
    .optional(),
});

export const shortLinkInput = z.object({
  code: z.string().regex(/^[A-Za-z0-9_-]+$/),
  /** Where it leads; null makes it dead. */
  target: z.url().nullable(),
});

export type UserInput = z.input<typeof userInput>;
export type TrackInput = z.input<typeof trackInput>;
export interface Catalogue {
  users?: readonly UserInput[];
  tracks?: readonly TrackInput[];
}

const since = { /** Business epoch ms of the first put. */ since: z.number() };
const userRow = userInput.extend({ name: z.string(), urn: z.string(), ...since });
const trackRow = trackInput.extend({ slug, urn: z.string(), shortCode: z.string(), ...since });
const entry = z.union([
  z.object({ user: userRow }),
  z.object({ track: trackRow }),
  z.object({ link: shortLinkInput }),
]);

export type User = z.output<typeof userRow>;
export type Track = z.output<typeof trackRow>;

export class ResourceStore {
  readonly #journal: Journal<z.output<typeof entry>>;
  readonly #users = new Map<string, User>();
  readonly #tracks = new Map<string, Track>();
  readonly #links = new Map<string, string | null>();
  readonly #byPath = new Map<string, User | Track>();
  readonly #byUrn = new Map<string, User | Track>();

  constructor(dataDir: string) {
    this.#journal = openJournal(join(dataDir, 'catalogue.jsonl'), entry);
    for (const record of this.#journal.records) this.#apply(record);
  }

  /** Puts an artist in, or replaces what is known of one. @param now business epoch ms. */
  putUser(input: z.output<typeof userInput>, now: number): User {
    const known = this.#users.get(input.handle);
    const user: User = {
      ...input,
      name: input.name ?? known?.name ?? input.handle,
      urn: userUrn(input.handle),
      since: now,
    };
    this.#write({ user });
    return user;
  }

  /** Changes an artist that is there; growth goes on from the followers of now. Undefined: there is none. */
  changeUser(handle: string, change: z.output<typeof userChange>, now: number): User | undefined {
    const known = this.#users.get(handle);
    if (!known) return undefined;
    const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
    this.#write({ user: { ...known, followers: followersAt(known, now), ...given, since: now } });
    return this.#users.get(handle);
  }

  hasTrack(input: z.output<typeof trackInput>): boolean {
    return this.#tracks.has(pathOf({ ...input, slug: input.slug ?? slugOf(input.title) }));
  }

  /** Puts a track of a known artist in, or replaces one; its counts start anew only when they are given. */
  putTrack(input: z.output<typeof trackInput>, now: number): Track {
    const name = input.slug ?? slugOf(input.title);
    const path = pathOf({ ...input, slug: name });
    const known = this.#tracks.get(path);
    const track: Track = {
      ...input,
      slug: name,
      counts: Object.keys(input.counts).length === 0 && known ? known.counts : input.counts,
      urn: `soundcloud:${input.kind === 'set' ? 'playlists' : 'tracks'}:${numberFor(path)}`,
      shortCode: input.shortCode ?? known?.shortCode ?? codeFor(path),
      since: Object.keys(input.counts).length === 0 && known ? known.since : now,
    };
    this.#write({ track });
    return track;
  }

  putShortLink(link: z.output<typeof shortLinkInput>): void {
    this.#write({ link });
  }

  byUrn(urn: string): User | Track | undefined {
    return this.#visible(this.#byUrn.get(urn));
  }

  /** Also one whose profile is gone. */
  user(handle: string): User | undefined {
    return this.#users.get(handle);
  }

  /** What a soundcloud.com path leads to. A private track needs its secret token behind the path. */
  byPath(path: string): User | Track | undefined {
    const parts = path.split('/').filter((part) => part !== '');
    const token = parts.at(-1)?.startsWith('s-') ? parts.pop() : undefined;
    const found = this.#visible(this.#byPath.get(`/${parts.join('/').toLowerCase()}`));
    if (found && isTrack(found) && found.secretToken !== null && found.secretToken !== token)
      return undefined;
    return found;
  }

  /** Target of a short link; null or undefined: dead or never made. */
  shortLink(code: string): string | null | undefined {
    return this.#links.get(code);
  }

  get size(): { users: number; tracks: number } {
    return { users: this.#users.size, tracks: this.#tracks.size };
  }

  close(): void {
    this.#journal.close();
  }

  /** Nothing of an artist who is gone can be found. */
  #visible(row: User | Track | undefined): User | Track | undefined {
    return row && this.#users.get(row.handle)?.gone ? undefined : row;
  }

  #write(record: z.output<typeof entry>): void {
    this.#journal.append(record);
    this.#apply(record);
  }

  #apply(record: z.output<typeof entry>): void {
    if ('link' in record) {
      this.#links.set(record.link.code, record.link.target);
      return;
    }
    const row = 'user' in record ? record.user : record.track;
    const path = pathOf(row);
    if (isTrack(row)) {
      this.#tracks.set(path, row);
      this.#links.set(row.shortCode, permalinkUrl(row));
    } else this.#users.set(row.handle, row);
    this.#byPath.set(path, row);
    this.#byUrn.set(row.urn, row);
  }
}

export function isTrack(row: User | Track): row is Track {
  return 'title' in row;
}

/** The public URL, with the secret token of a private track. */
export function permalinkUrl(row: User | Track): string {
  const token = isTrack(row) && row.secretToken !== null ? `/${row.secretToken}` : '';
  return `https://soundcloud.com${pathOf(row)}${token}`;
}

/** Growth of a track that names none: a small, steady one. */
const USUAL_GROWTH = { plays: 24, likes: 2, reposts: 0.5, comments: 0.25 };

/**
 * A track's counts at a business instant (epoch ms); never before it was put in.
 * @param brought what reposts added by then.
 */
export function countsAt(
  track: Track,
  now: number,
  brought: { plays: number; likes: number; reposts: number },
): Record<keyof typeof USUAL_GROWTH, number> {
  const days = Math.max(0, now - track.since) / DAY_MS;
  const added: Partial<Record<keyof typeof USUAL_GROWTH, number>> = brought;
  const at = (of: keyof typeof USUAL_GROWTH) =>
    Math.max(0, Math.floor((track.counts[of] ?? 0) + (track.perDay[of] ?? USUAL_GROWTH[of]) * days)) +
    (added[of] ?? 0);
  return { plays: at('plays'), likes: at('likes'), reposts: at('reposts'), comments: at('comments') };
}

/** An artist's followers at a business instant (epoch ms). */
export function followersAt(user: User, now: number): number {
  return Math.max(
    0,
    Math.floor(user.followers + (user.followersPerDay * Math.max(0, now - user.since)) / DAY_MS),
  );
}

function pathOf(row: { handle: string; slug?: string; kind?: 'track' | 'set' }): string {
  if (row.slug === undefined) return `/${row.handle}`;
  return row.kind === 'set' ? `/${row.handle}/sets/${row.slug}` : `/${row.handle}/${row.slug}`;
}

function slugOf(title: string): string {
  return (
    title
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '') || 'untitled'
  );
}

/** The URN of an artist; an artist's number is the same for everybody who asks SoundCloud. */
export function userUrn(handle: string): string {
  return `soundcloud:users:${numberFor(handle)}`;
}

/** A nine-digit id that depends on the name alone, so that ids do not depend on the order of the catalogue. */
function numberFor(name: string): number {
  return 100_000_000 + (createHash('sha256').update(name).digest().readUInt32BE(0) % 900_000_000);
}

function codeFor(path: string): string {
  return createHash('sha256')
    .update(`short:${path}`)
    .digest('base64url')
    .replace(/[^A-Za-z0-9]/g, '')
    .slice(0, 17);
}
