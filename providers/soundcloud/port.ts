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
  /** Users by URN, one request each; missing ones are absent from the result. */
  users(urns: readonly string[], signal?: AbortSignal): Promise<Map<string, SoundCloudUser>>;
  probe(): Promise<{ ok: boolean; detail: string }>;
}
