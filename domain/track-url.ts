/**
 * What counts as a track URL, and its one canonical form (rules.md, "Track URLs").
 *
 * The text comes from people and from spreadsheets: the address may stand inside other words, without its scheme, on
 * the mobile host, with tracking parameters. It is split by hand and not by the platform's URL class, because that one
 * repairs what must be refused here (`https://ｓoundcloud.com`, `https://soundcloud.com\@evil.example`).
 * A refusal never repeats the text, which may hold a password.
 */

export type TrackUrlKind = 'track' | 'set' | 'short_link';

/** Why a text is not a track URL. Permanent: the API answers with these. */
export const TRACK_URL_CODES = [
  'track_url_missing',
  'track_url_placeholder',
  'track_url_other_host',
  'track_url_profile',
  'track_url_not_a_track',
  'track_url_malformed',
  'track_url_too_long',
] as const;

export type TrackUrlCode = (typeof TRACK_URL_CODES)[number];

export interface TrackUrl {
  ok: true;
  /** Canonical: https, host soundcloud.com (or on.soundcloud.com), lower-case path, no query, no fragment. */
  url: string;
  /** `short_link` still has to be resolved by the provider. */
  kind: TrackUrlKind;
  /** `s-…` of a private track; case matters. Also part of `url`. */
  secretToken?: string;
  /** Handle of the artist, the first part of the path; absent for a short link. */
  handle?: string;
}

export interface TrackUrlRefusal {
  ok: false;
  code: TrackUrlCode;
  /** Whose profile it is, with the code `track_url_profile`. */
  handle?: string;
  /** For people: what is wrong and what to do. */
  reason: string;
}

/** Longest text that is read, in UTF-16 units. */
export const MAX_TRACK_URL_TEXT = 2_048;

/** First parts of a path that are SoundCloud's own pages. */
const RESERVED = new Set(
  'about activity apps charts checkout community-guidelines connect dashboard discover download explore feed for-artists go groups home imprint jobs library login logout messages mobile notifications oembed pages people player popular premium press pro register search session settings signin signup stations stream tags terms-of-use upload you your-sounds'.split(
    ' ',
  ),
);

/** Second parts of a path that are pages of a profile. */
const PROFILE_PAGES = new Set(
  'albums comments favorites followers following groups likes playlists popular-tracks reposts sets spotlight stations toptracks top-tracks tracks'.split(
    ' ',
  ),
);

/** Last parts of a path that are pages of a track or a set; they mean the track itself. */
const TRACK_PAGE = /^(?:albums|comments|comment-\d+|likes|recommended|related|reposts|sets)$/;

const SLUG = /^[a-z0-9_-]{1,255}$/;
const SECRET_TOKEN = /^s-[A-Za-z0-9]{4,40}$/;

/**
 * An address with a secret token, its first group the address without it; in words that JavaScript and PostgreSQL read
 * alike. A token stands behind the name of a track or set: `/artist/s-bahn` and `/artist/sets/s-mix` are public.
 */
export const PRIVATE_LINK = '^([a-z]+://[^/]+/[^/]+/(?:sets/[^/]+|(?!sets/)[^/]+))/s-[^/]+$';
const PRIVATE_LINK_RE = new RegExp(PRIVATE_LINK);

/** The same track with and without the secret token of its private link. */
export function withoutToken(trackUrl: string): string {
  return trackUrl.replace(PRIVATE_LINK_RE, '$1');
}
const SHORT_CODE = /^[A-Za-z0-9_-]{2,64}$/;

const PLACEHOLDER =
  /^(?:tb[acd]\b.*|n ?a|none|null|nil|undefined|unknown|x+|test|todo|pending|soon|coming soon|to be (?:announced|confirmed|decided|determined).*|not yet.*|no (?:link|url)(?: yet)?|later|link|url|track ?url|unreleased|wip|)$/;

/** Splits text into words: white space, brackets, quotes, separators, and invisible characters. */
const SEPARATORS = /[\s<>"'`()[\]{}|,;“”‘’«»\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+/u;
/** C0 and C1 controls other than tab and line breaks. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/;
const WITH_SCHEME = /https?:\/\/.+$/i;
const PROTOCOL_RELATIVE = /^\/\/(?=[^/])/;
/** A scheme-less address that begins like SoundCloud's host, not inside a longer host, a path or a mail address. */
const BARE_HOST = /(?<![\p{L}\p{N}_.@%/\\-])(?:(?:www|m|on)\.)?soundcloud\.com.*$/iu;
/** Another host without scheme: with a path, or ending like the hosts music is found on (not `Vol.One`). */
const OTHER_BARE_HOST =
  /^(?:[\p{L}\p{N}-]+\.)+(?:\p{L}{2,24}[/?#]|(?:com|net|org|io|fm|be|me|tv|app|link)$)/iu;
const PARTS = /^(?:https?:)?\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?/i;

/**
 * Reads a track, set or short link out of a text.
 * Of several addresses the first usable one counts. Never throws.
 */
export function parseTrackUrl(text: string): TrackUrl | TrackUrlRefusal {
  if (text.length > MAX_TRACK_URL_TEXT) {
    return refuse(
      'track_url_too_long',
      `The text is longer than ${MAX_TRACK_URL_TEXT} characters. Send only the address of the track.`,
    );
  }
  if (CONTROL.test(text)) {
    return refuse(
      'track_url_malformed',
      'The text holds control characters. Copy the address of the track again from the browser.',
    );
  }
  let firstRefusal: TrackUrlRefusal | null = null;
  for (const word of text.split(SEPARATORS)) {
    const address = addressIn(word);
    if (address === null) continue;
    const result = parseAddress(address);
    if (result.ok) return result;
    // A word about a SoundCloud address helps more than one about a foreign link beside it.
    if (firstRefusal === null || firstRefusal.code === 'track_url_other_host') firstRefusal = result;
  }
  return firstRefusal ?? refuseWithoutAddress(text);
}

/** The address in a word, made to start with `//` or a scheme; null when there is none. */
function addressIn(word: string): string | null {
  const withScheme = WITH_SCHEME.exec(word);
  const bare = BARE_HOST.exec(word);
  // The one that starts first: the other stands in its query.
  if (bare !== null && bare.index < (withScheme?.index ?? word.length)) return `//${trimEnd(bare[0])}`;
  if (withScheme !== null) return trimEnd(withScheme[0]);
  if (PROTOCOL_RELATIVE.test(word)) return trimEnd(word);
  return OTHER_BARE_HOST.test(word) ? `//${trimEnd(word)}` : null;
}

/** Drops punctuation that belongs to the sentence around an address. */
function trimEnd(address: string): string {
  return address.replace(/[.!?:*~…]+$/u, '');
}

function parseAddress(address: string): TrackUrl | TrackUrlRefusal {
  const parts = PARTS.exec(address);
  const authority = parts?.[1] ?? '';
  const at = authority.lastIndexOf('@');
  const hostAndPort = authority.slice(at + 1).toLowerCase();
  const [, rawHost = '', port = ''] = /^(.*?)(?::(\d*))?$/.exec(hostAndPort) ?? [];
  const host = rawHost.replace(/\.$/, '').replace(/^(?:www|m)\.(?=soundcloud\.com$)/, '');
  if (authority === '' || authority.includes('\\') || authority.includes('%')) {
    return malformed('The address has no readable host.');
  }
  if (host !== 'soundcloud.com' && host !== 'on.soundcloud.com') {
    return refuse(
      'track_url_other_host',
      'The address is not on soundcloud.com. Send the address of the track on SoundCloud.',
    );
  }
  if (at >= 0) return malformed('The address holds a user name or password.');
  if (port !== '' && port !== '443' && port !== '80') return malformed('The address names a port.');

  const segments = pathSegments(parts?.[2] ?? '');
  if (segments === null) return malformed('The path of the address has characters SoundCloud does not use.');
  if (host === 'on.soundcloud.com') return parseShortLink(segments);
  return parsePath(segments, parts?.[3] ?? '');
}

/** Decoded parts of a path, empty ones left out; null when one cannot be decoded. */
function pathSegments(path: string): string[] | null {
  try {
    return path
      .split('/')
      .filter((segment) => segment !== '')
      .map((segment) => decodeURIComponent(segment));
  } catch {
    return null;
  }
}

function parseShortLink(segments: string[]): TrackUrl | TrackUrlRefusal {
  const [code, ...rest] = segments;
  if (code === undefined) {
    return refuse(
      'track_url_not_a_track',
      'This is the start of a SoundCloud short link without its code. Copy the whole link.',
    );
  }
  // The code's case matters, so it is kept.
  if (!SHORT_CODE.test(code) || rest.length > 0) return malformed('This is no SoundCloud short link.');
  return { ok: true, url: `https://on.soundcloud.com/${code}`, kind: 'short_link' };
}

function parsePath(segments: string[], query: string): TrackUrl | TrackUrlRefusal {
  const handle = segments[0]?.toLowerCase();
  if (handle === undefined) {
    return refuse('track_url_not_a_track', "This is SoundCloud's home page. Send the address of the track.");
  }
  if (!SLUG.test(handle)) {
    return malformed('The path of the address has characters SoundCloud does not use.');
  }
  if (RESERVED.has(handle)) {
    return refuse(
      'track_url_not_a_track',
      `soundcloud.com/${handle} is one of SoundCloud's own pages. Open the track and copy its address.`,
    );
  }
  const second = segments[1]?.toLowerCase();
  if (second === undefined) {
    return profile(
      handle,
      'This is the address of a profile. Open the track on it and copy the address of the track.',
    );
  }
  const isSet = second === 'sets' && segments.length > 2;
  if (!isSet && PROFILE_PAGES.has(second)) {
    return profile(
      handle,
      'This is a list on a profile. Open the track in it and copy the address of the track.',
    );
  }
  const slug = isSet ? segments[2]?.toLowerCase() : second;
  if (slug === undefined || !SLUG.test(slug)) {
    return malformed('The path of the address has characters SoundCloud does not use.');
  }
  const rest = segments.slice(isSet ? 3 : 2);
  const inPath = rest[0] !== undefined && SECRET_TOKEN.test(rest[0]) ? rest.shift() : undefined;
  if (rest.length > 1 || (rest[0] !== undefined && !TRACK_PAGE.test(rest[0].toLowerCase()))) {
    return refuse(
      'track_url_not_a_track',
      'The address goes on behind the track. Open the track and copy its address.',
    );
  }
  const secretToken = inPath ?? tokenInQuery(query);
  const url = `https://soundcloud.com/${handle}/${isSet ? 'sets/' : ''}${slug}${secretToken ? `/${secretToken}` : ''}`;
  return { ok: true, url, kind: isSet ? 'set' : 'track', ...(secretToken && { secretToken }), handle };
}

/** `secret_token=s-…` as the share dialog of older pages and embeds writes it. */
function tokenInQuery(query: string): string | undefined {
  const value = /(?:^|&)secret_token=([^&]*)/.exec(query)?.[1];
  return value !== undefined && SECRET_TOKEN.test(value) ? value : undefined;
}

function refuseWithoutAddress(text: string): TrackUrlRefusal {
  if (text.trim() === '') {
    return refuse('track_url_missing', 'There is no track URL. Send the address of the track on SoundCloud.');
  }
  if (/soundcloud\.com/i.test(text)) return malformed('The address is incomplete or misspelt.');
  const words = text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();
  if (PLACEHOLDER.test(words) || PLACEHOLDER.test(words.replaceAll(' ', ''))) {
    return refuse(
      'track_url_placeholder',
      'This is a placeholder. Submit the track once it has an address on SoundCloud (a private link will do).',
    );
  }
  return refuse(
    'track_url_missing',
    'The text holds no address of a track. Send it as soundcloud.com/artist/track.',
  );
}

function malformed(what: string): TrackUrlRefusal {
  return refuse('track_url_malformed', `${what} Copy the address of the track again from the browser.`);
}

function profile(handle: string, reason: string): TrackUrlRefusal {
  return { ...refuse('track_url_profile', reason), handle };
}

function refuse(code: TrackUrlCode, reason: string): TrackUrlRefusal {
  return { ok: false, code, reason };
}
