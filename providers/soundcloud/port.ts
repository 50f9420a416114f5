/** A track as the product needs it. Counts are null when the artist hides them (`reveal_stats` false), never 0. */
export interface SoundCloudTrack {
  /** `soundcloud:tracks:<n>` */
  urn: string;
  kind: 'track' | 'set';
  title: string;
  permalinkUrl: string;
  artist: { urn: string; name: string; handle: string };
  genre: string | null;
  tags: string[];
  access: 'playable' | 'preview' | 'blocked';
  revealStats: boolean;
  plays: number | null;
  likes: number | null;
  reposts: number | null;
  comments: number | null;
}

export interface SoundCloudUser {
  /** `soundcloud:users:<n>` */
  urn: string;
  handle: string;
  name: string;
  permalinkUrl: string;
  followers: number;
}

/** A user as lists name one. */
export type SoundCloudUserReference = Pick<SoundCloudUser, 'urn' | 'handle' | 'name'>;

/** One page of a list. Lists are known to lie (empty, days old, rows missing): what is not in one proves nothing. */
export interface SoundCloudPage<T> {
  /** In the order of the API, each row once. */
  rows: T[];
  /** Pass it on to read the next page; null at the end of the list. Holds no secret. */
  nextCursor: string | null;
}

export interface SoundCloudPageRequest {
  /** Rows of a page, 1 … 200 (default 200). A cursor brings its own. */
  limit?: number;
  /** `nextCursor` of the page before. */
  cursor?: string | null;
}

export type ResolvedResource =
  | { kind: 'track' | 'set'; track: SoundCloudTrack }
  | { kind: 'user'; user: SoundCloudUser }
  | { kind: 'not_found' };

export interface SoundCloudPort {
  /** False when no credentials are configured: the product then runs in degraded mode and says so. */
  readonly configured: boolean;
  /** What a soundcloud.com URL points at. @throws ProviderError, RequestNotYetAllowed. */
  resolve(url: string, signal?: AbortSignal): Promise<ResolvedResource>;
  /** Follows an on.soundcloud.com short link. @returns the long URL, or null when the link is dead. */
  expandShortLink(url: string, signal?: AbortSignal): Promise<string | null>;
  /** Tracks by URN, batched; rows the batch left out are asked for one by one, missing ones are absent from the result. */
  tracks(urns: readonly string[], signal?: AbortSignal): Promise<Map<string, SoundCloudTrack>>;
  /**
   * Users by URN, batched; rows the batch left out are asked for one by one, missing ones are absent from the result.
   * Hand in a page at a time (up to 50 are one request) to be able to go on where a failure ended the work.
   */
  users(urns: readonly string[], signal?: AbortSignal): Promise<Map<string, SoundCloudUser>>;
  /**
   * Who reposted a track or set. The API names no times.
   * @returns null when the track does not exist (any more). @throws ProviderError, RequestNotYetAllowed.
   */
  reposters(
    trackUrn: string,
    page?: SoundCloudPageRequest,
    signal?: AbortSignal,
  ): Promise<SoundCloudPage<SoundCloudUserReference> | null>;
  /**
   * What a user reposted, newest first, blocked tracks included: the tracks, or the sets.
   * @returns null when the user does not exist (any more). @throws ProviderError, RequestNotYetAllowed.
   */
  userReposts(
    userUrn: string,
    page?: SoundCloudPageRequest & { kind?: 'track' | 'set' },
    signal?: AbortSignal,
  ): Promise<SoundCloudPage<SoundCloudTrack> | null>;
  probe(): Promise<{ ok: boolean; detail: string }>;
}
