/**
 * SoundCloud's JSON, read into the port's shapes. Only the fields the product uses; unknown ones are ignored.
 * Source: the public API's OpenAPI document of 2026-07 (providers.md).
 */
import { z } from 'zod';
import { storable } from '../../domain/storable-text.js';
import type { ResolvedResource, SoundCloudTrack, SoundCloudUser } from './port.js';

/** What people wrote, and addresses made of it: characters that nothing of ours can store are replaced here, once. */
const text = z.string().overwrite(storable);
const someText = z.string().min(1).overwrite(storable);

const count = z.number().int().nonnegative().nullish();

const userReference = z.object({
  urn: someText,
  username: text,
  permalink: someText,
});

const listened = z.object({
  urn: someText,
  title: text,
  permalink_url: someText,
  user: userReference,
  genre: text.nullish(),
  tag_list: text.nullish(),
  access: z.enum(['playable', 'preview', 'blocked']).nullish(),
  reveal_stats: z.boolean().nullish(),
});

const track = listened.extend({
  playback_count: count,
  favoritings_count: count,
  reposts_count: count,
  comment_count: count,
});

/** A set has no plays and no comments of its own, and counts its likes under another name than a track. */
const playlist = listened.extend({ likes_count: count, repost_count: count });

const user = userReference.extend({
  permalink_url: someText,
  followers_count: z.number().int().nonnegative(),
});

function asTrack(row: z.output<typeof track>): SoundCloudTrack {
  return {
    ...asListened(row),
    kind: 'track',
    ...shown(row.reveal_stats, {
      plays: row.playback_count,
      likes: row.favoritings_count,
      reposts: row.reposts_count,
      comments: row.comment_count,
    }),
  };
}

function asSet(row: z.output<typeof playlist>): SoundCloudTrack {
  return {
    ...asListened(row),
    kind: 'set',
    ...shown(row.reveal_stats, {
      plays: null,
      likes: row.likes_count,
      reposts: row.repost_count,
      comments: null,
    }),
  };
}

function asUser(row: z.output<typeof user>): SoundCloudUser {
  return {
    urn: row.urn,
    handle: row.permalink,
    name: row.username,
    permalinkUrl: row.permalink_url,
    followers: row.followers_count,
  };
}

export const trackAnswer = track.transform(asTrack);
export const setAnswer = playlist.transform(asSet);
export const userAnswer = user.transform(asUser);
/** A batch is a plain array, or a collection when the API pages it. */
export const trackListAnswer = z.union([
  z.array(trackAnswer),
  z.object({ collection: z.array(trackAnswer) }).transform((page) => page.collection),
]);

export const userListAnswer = z.union([
  z.array(userAnswer),
  z.object({ collection: z.array(userAnswer) }).transform((page) => page.collection),
]);

/** A page of a list. Users of a list may come without the numbers of a whole user. */
const pageOf = <S extends z.ZodType>(row: S) =>
  z.object({ collection: z.array(row), next_href: z.string().nullish() });
export const reposterPageAnswer = pageOf(
  userReference.transform((row) => ({ urn: row.urn, handle: row.permalink, name: row.username })),
);
export const trackPageAnswer = pageOf(trackAnswer);
export const setPageAnswer = pageOf(setAnswer);

/** The resource behind /resolve, told apart by its `kind`. */
export const resolvedAnswer = z.union([
  track
    .extend({ kind: z.literal('track') })
    .transform((row): ResolvedResource => ({ kind: 'track', track: asTrack(row) })),
  playlist
    .extend({ kind: z.literal('playlist') })
    .transform((row): ResolvedResource => ({ kind: 'set', track: asSet(row) })),
  user
    .extend({ kind: z.literal('user') })
    .transform((row): ResolvedResource => ({ kind: 'user', user: asUser(row) })),
]);

function asListened(row: z.output<typeof listened>) {
  return {
    urn: row.urn,
    title: row.title,
    permalinkUrl: row.permalink_url,
    artist: { urn: row.user.urn, name: row.user.username, handle: row.user.permalink },
    genre: row.genre?.trim() || null,
    tags: parseTagList(row.tag_list ?? ''),
    access: row.access ?? 'playable',
    revealStats: row.reveal_stats ?? true,
  };
}

type Counts = Record<'plays' | 'likes' | 'reposts' | 'comments', number | null | undefined>;

/** Hidden counts are null, whatever number came with them: nothing is invented (rules.md, "Attribution"). */
function shown(reveal: boolean | null | undefined, counts: Counts): Record<keyof Counts, number | null> {
  const value = (of: number | null | undefined) => (reveal === false ? null : (of ?? null));
  return {
    plays: value(counts.plays),
    likes: value(counts.likes),
    reposts: value(counts.reposts),
    comments: value(counts.comments),
  };
}

/**
 * Reads a tag list: tags are separated by spaces, those with spaces inside stand in double quotes. Machine tags
 * (`soundcloud:source=…`) are left out.
 */
export function parseTagList(list: string): string[] {
  const tags = [...list.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => (match[1] ?? match[2] ?? '').trim());
  return tags.filter((tag) => tag !== '' && !/^\w+:\w+=/.test(tag));
}
