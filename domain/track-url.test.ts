import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  MAX_TRACK_URL_TEXT,
  parseTrackUrl,
  TRACK_URL_CODES,
  type TrackUrlCode,
  withoutToken,
} from './track-url.js';

const TRACK = 'https://soundcloud.com/night-harbour/low-tide';

/** Text → canonical URL and kind. */
const ACCEPTED: [name: string, text: string, url: string, kind: 'track' | 'set' | 'short_link'][] = [
  ['canonical', TRACK, TRACK, 'track'],
  ['http', 'http://soundcloud.com/night-harbour/low-tide', TRACK, 'track'],
  ['www', 'https://www.soundcloud.com/night-harbour/low-tide', TRACK, 'track'],
  ['mobile', 'https://m.soundcloud.com/night-harbour/low-tide', TRACK, 'track'],
  ['no scheme', 'soundcloud.com/night-harbour/low-tide', TRACK, 'track'],
  ['no scheme, www', 'www.soundcloud.com/night-harbour/low-tide', TRACK, 'track'],
  ['protocol-relative', '//soundcloud.com/night-harbour/low-tide', TRACK, 'track'],
  ['upper case', 'HTTPS://SoundCloud.COM/Night-Harbour/Low-Tide', TRACK, 'track'],
  ['trailing slash', `${TRACK}/`, TRACK, 'track'],
  ['doubled slashes', 'https://soundcloud.com//night-harbour//low-tide//', TRACK, 'track'],
  ['query', `${TRACK}?utm_source=clipboard&si=0a1b2c`, TRACK, 'track'],
  ['playing in a set', `${TRACK}?in=night-harbour/sets/tides`, TRACK, 'track'],
  ['fragment', `${TRACK}#t=1:30`, TRACK, 'track'],
  ['default port', 'https://soundcloud.com:443/night-harbour/low-tide', TRACK, 'track'],
  ['host with final dot', 'https://soundcloud.com./night-harbour/low-tide', TRACK, 'track'],
  ['percent-encoded letter', 'https://soundcloud.com/night%2Dharbour/low-t%69de', TRACK, 'track'],
  ['white space around', `  \t${TRACK}\r\n`, TRACK, 'track'],
  ['inside a sentence', `Hi! My new one: ${TRACK}. Thanks!`, TRACK, 'track'],
  ['no scheme, in a sentence', 'it is at soundcloud.com/night-harbour/low-tide, enjoy', TRACK, 'track'],
  ['behind a label', 'Track:soundcloud.com/night-harbour/low-tide', TRACK, 'track'],
  ['in brackets', `(${TRACK})`, TRACK, 'track'],
  ['markdown', `[Low Tide](${TRACK})`, TRACK, 'track'],
  ['html', `<a href="${TRACK}">Low Tide</a>`, TRACK, 'track'],
  ['in quotes', `“${TRACK}”`, TRACK, 'track'],
  ['beside another link', `https://youtu.be/abc ${TRACK}`, TRACK, 'track'],
  ['behind its profile', `https://soundcloud.com/night-harbour and ${TRACK}`, TRACK, 'track'],
  ['invisible characters', `\ufeff${TRACK}\u200b`, TRACK, 'track'],
  ["a track's list of likes", `${TRACK}/likes`, TRACK, 'track'],
  ['a comment', `${TRACK}/comment-123456`, TRACK, 'track'],
  ['recommended', `${TRACK}/recommended?ref=x`, TRACK, 'track'],
  ['digits and underscore', 'soundcloud.com/user_123/1', 'https://soundcloud.com/user_123/1', 'track'],
  ['track called like a page', 'soundcloud.com/a/discover', 'https://soundcloud.com/a/discover', 'track'],
  ['secret token', `${TRACK}/s-AbC12dEf`, `${TRACK}/s-AbC12dEf`, 'track'],
  [
    'secret token, upper-case path',
    'soundcloud.com/A/B/s-AbCdE',
    'https://soundcloud.com/a/b/s-AbCdE',
    'track',
  ],
  ['secret token and query', `${TRACK}/s-AbC12dEf?si=1`, `${TRACK}/s-AbC12dEf`, 'track'],
  ['secret token in the query', `${TRACK}?si=1&secret_token=s-AbC12dEf`, `${TRACK}/s-AbC12dEf`, 'track'],
  ['foreign value as secret token', `${TRACK}?secret_token=s-%2Fx`, TRACK, 'track'],
  ['set', 'soundcloud.com/A/Sets/My-EP', 'https://soundcloud.com/a/sets/my-ep', 'set'],
  ['secret set', 'soundcloud.com/a/sets/ep/s-QwErT', 'https://soundcloud.com/a/sets/ep/s-QwErT', 'set'],
  ['set with query', 'https://m.soundcloud.com/a/sets/ep?si=1#x', 'https://soundcloud.com/a/sets/ep', 'set'],
  ['short link', 'https://on.soundcloud.com/AbC12', 'https://on.soundcloud.com/AbC12', 'short_link'],
  ['short link, bare', 'on.soundcloud.com/AbC12/?x=1', 'https://on.soundcloud.com/AbC12', 'short_link'],
];

/** Text → reason code. */
const REFUSED: [name: string, text: string, code: TrackUrlCode][] = [
  ['empty', '', 'track_url_missing'],
  ['blank', ' \n\t ', 'track_url_missing'],
  ['words only', 'my best work so far', 'track_url_missing'],
  ['artist and title', 'Night Harbour - Vol.One', 'track_url_missing'],
  ['a mail address', 'artist@example.com', 'track_url_missing'],
  ['TBD', 'TBD', 'track_url_placeholder'],
  ['tbd with words', ' tbd - next week ', 'track_url_placeholder'],
  ['TBA', 'T.B.A', 'track_url_placeholder'],
  ['n/a', 'N/A', 'track_url_placeholder'],
  ['dashes', '---', 'track_url_placeholder'],
  ['coming soon', 'Coming soon…', 'track_url_placeholder'],
  ['other host', 'https://open.spotify.com/track/1a2b', 'track_url_other_host'],
  ['other host without scheme', 'youtu.be/abc', 'track_url_other_host'],
  ['other host only', 'bandcamp.com', 'track_url_other_host'],
  ['lookalike below another domain', 'https://soundcloud.com.evil.tld/a/b', 'track_url_other_host'],
  ['the same, bare', 'soundcloud.com.evil.tld/a/b', 'track_url_other_host'],
  ['lookalike before', 'https://notsoundcloud.com/a/b', 'track_url_other_host'],
  ['the same, bare', 'my-soundcloud.com/a/b', 'track_url_other_host'],
  ['other top level', 'https://soundcloud.co/a/b', 'track_url_other_host'],
  ['unknown subdomain', 'https://evil.soundcloud.com/a/b', 'track_url_other_host'],
  ['the player', 'https://w.soundcloud.com/player/?url=https%3A//soundcloud.com/a/b', 'track_url_other_host'],
  ['the API', 'https://api.soundcloud.com/tracks/123', 'track_url_other_host'],
  ['in the path of another host', 'https://evil.tld/soundcloud.com/a/b', 'track_url_other_host'],
  ['in the query of another host', 'https://evil.tld/?u=https://soundcloud.com/a/b', 'track_url_other_host'],
  ['Cyrillic letter in the host', 'https://soundсloud.com/a/b', 'track_url_other_host'],
  ['punycode host', 'https://xn--soundloud-5yg.com/a/b', 'track_url_other_host'],
  ['full-width host', 'https://ｓoundcloud.com/a/b', 'track_url_other_host'],
  ['host as user name', 'https://soundcloud.com@evil.tld/a/b', 'track_url_other_host'],
  ['address literal', 'http://127.0.0.1/a/b', 'track_url_other_host'],
  ['profile', 'https://soundcloud.com/night-harbour', 'track_url_profile'],
  ['profile, bare, with slash and query', 'soundcloud.com/night-harbour/?x=1', 'track_url_profile'],
  ...[
    'likes',
    'reposts',
    'followers',
    'following',
    'tracks',
    'albums',
    'sets',
    'popular-tracks',
    'comments',
    'Likes/',
  ].map((page): [string, string, TrackUrlCode] => [
    `profile page ${page}`,
    `https://soundcloud.com/night-harbour/${page}`,
    'track_url_profile',
  ]),
  ['profile beside another link', 'https://youtu.be/abc soundcloud.com/night-harbour', 'track_url_profile'],
  ['home page at the end of a sentence', 'see soundcloud.com.', 'track_url_not_a_track'],
  ['home page', 'https://soundcloud.com/', 'track_url_not_a_track'],
  ['home page, bare', 'soundcloud.com', 'track_url_not_a_track'],
  ...[
    'discover',
    'stream',
    'you/likes',
    'search?q=x',
    'upload',
    'charts/top',
    'Tags/techno',
    'discover/sets/x',
  ].map((page): [string, string, TrackUrlCode] => [
    `SoundCloud's page ${page}`,
    `https://soundcloud.com/${page}`,
    'track_url_not_a_track',
  ]),
  ['more behind the track', `${TRACK}/something`, 'track_url_not_a_track'],
  ['more behind a page of the track', `${TRACK}/likes/more`, 'track_url_not_a_track'],
  ['more behind the secret token', `${TRACK}/s-AbC12/s-AbC12`, 'track_url_not_a_track'],
  ['short link without code', 'https://on.soundcloud.com/', 'track_url_not_a_track'],
  ['short link with a path', 'https://on.soundcloud.com/a/b', 'track_url_malformed'],
  ['short link with odd code', 'https://on.soundcloud.com/a%20b', 'track_url_malformed'],
  ['user name and password', 'https://me:secret@soundcloud.com/a/b', 'track_url_malformed'],
  ['the same, bare', 'me:secret@soundcloud.com/a/b', 'track_url_malformed'],
  ['port', 'https://soundcloud.com:8443/a/b', 'track_url_malformed'],
  ['backslash', 'https://soundcloud.com\\@evil.tld/a/b', 'track_url_malformed'],
  ['encoded host', 'https://sound%63loud.com/a/b', 'track_url_malformed'],
  ['encoded slash', 'https://soundcloud.com/a%2Fb/c', 'track_url_malformed'],
  ['twice encoded', 'https://soundcloud.com/a/b%252e', 'track_url_malformed'],
  ['broken encoding', 'https://soundcloud.com/a/%E0%A4%A', 'track_url_malformed'],
  ['encoded zero byte', 'https://soundcloud.com/a/b%00', 'track_url_malformed'],
  ['dot segments', 'https://soundcloud.com/a/../b', 'track_url_malformed'],
  ['letters SoundCloud does not use', 'https://soundcloud.com/a/tráck', 'track_url_malformed'],
  ['other scheme', 'ftp://soundcloud.com/a/b', 'track_url_malformed'],
  ['one slash', 'https:/soundcloud.com/a/b', 'track_url_malformed'],
  ['no host', 'https:///a/b', 'track_url_malformed'],
  ['zero byte', `${TRACK}\u0000`, 'track_url_malformed'],
  ['escape character', `\u001b[31m${TRACK}`, 'track_url_malformed'],
  ['very long path', `https://soundcloud.com/a/${'b'.repeat(256)}`, 'track_url_malformed'],
  ['very long text', `${TRACK} ${'x'.repeat(MAX_TRACK_URL_TEXT)}`, 'track_url_too_long'],
];

describe('the secret token of a private link', () => {
  it.each([
    [
      'https://soundcloud.com/neon-orchard/first-light/s-Qx7LmT2pV9a',
      'https://soundcloud.com/neon-orchard/first-light',
    ],
    [
      'https://soundcloud.com/neon-orchard/sets/tapes/s-Qx7LmT2pV9a',
      'https://soundcloud.com/neon-orchard/sets/tapes',
    ],
    [
      'https://soundcloud.com/neon-orchard/s-bahn/s-Qx7LmT2pV9a',
      'https://soundcloud.com/neon-orchard/s-bahn',
    ],
  ])('is taken from %s', (address, bare) => {
    expect(withoutToken(address)).toBe(bare);
  });

  it.each([
    'https://soundcloud.com/neon-orchard/first-light',
    'https://soundcloud.com/neon-orchard/s-bahn',
    'https://soundcloud.com/neon-orchard/sets/s-mix',
    'https://on.soundcloud.com/s-abc',
  ])('is not seen in %s', (address) => {
    expect(withoutToken(address)).toBe(address);
  });
});

describe('parseTrackUrl', () => {
  it.each(ACCEPTED)('accepts: %s', (_name, text, url, kind) => {
    expect(parseTrackUrl(text)).toMatchObject({ ok: true, url, kind });
  });

  it.each(REFUSED)('refuses: %s', (_name, text, code) => {
    const result = parseTrackUrl(text);
    expect(result).toMatchObject({ ok: false, code });
    expect(!result.ok && result.reason.length).toBeGreaterThan(20);
  });

  it('has a case for every code', () => {
    expect(new Set(REFUSED.map(([, , code]) => code))).toEqual(new Set(TRACK_URL_CODES));
  });

  it('names secret token and handle', () => {
    expect(parseTrackUrl('m.soundcloud.com/Night-Harbour/x/s-AbC12')).toEqual({
      ok: true,
      url: 'https://soundcloud.com/night-harbour/x/s-AbC12',
      kind: 'track',
      secretToken: 's-AbC12',
      handle: 'night-harbour',
    });
    expect(parseTrackUrl(TRACK)).not.toHaveProperty('secretToken');
  });

  it('never repeats a password', () => {
    expect(JSON.stringify(parseTrackUrl('https://me:hunter2@soundcloud.com/a/b'))).not.toContain('hunter2');
  });

  // No page of SoundCloud starts with q.
  const slug = fc.stringMatching(/^[qQ][a-zA-Z0-9_-]{0,30}$/);
  const token = fc.option(fc.stringMatching(/^s-[A-Za-z0-9]{5,11}$/), { nil: null });

  it('gives one form for every way to write a track, and that form again for itself', () => {
    fc.assert(
      fc.property(
        slug,
        slug,
        token,
        fc.constantFrom('', 'http://', 'https://', 'HTTPS://'),
        fc.constantFrom('', 'www.', 'm.', 'WWW.'),
        fc.constantFrom('', '/', '?a=b', '#t=1', '/?x=https://evil.tld', ' and more', '.'),
        fc.constantFrom('', 'see ', 'x\n', '"'),
        (handle, track, secret, scheme, host, tail, head) => {
          const path = `${handle}/${track}`.toLowerCase() + (secret === null ? '' : `/${secret}`);
          const written = `${head}${scheme}${host}soundcloud.com/${handle}/${track}${secret === null ? '' : `/${secret}`}${tail}`;
          const result = parseTrackUrl(written);
          expect(result).toMatchObject({ ok: true, url: `https://soundcloud.com/${path}`, kind: 'track' });
          expect(result.ok && parseTrackUrl(result.url)).toEqual(result);
        },
      ),
    );
  });

  it('answers any text, and what it accepts is canonical', () => {
    const piece = fc.constantFrom(
      'https://',
      'soundcloud.com',
      'on.',
      'm.',
      '/',
      '/a',
      '/sets/',
      '?',
      '#',
      '@',
      ':',
      '%2f',
      '\\',
      ' ',
      '.',
      'x.tld',
      's-AbCdE',
      'é',
      '\u0000',
    );
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(piece, { maxLength: 12 }).map((p) => p.join('')),
    );
    fc.assert(
      fc.property(text, (value) => {
        const result = parseTrackUrl(value);
        if (result.ok) {
          expect(result.url).toMatch(/^https:\/\/(on\.)?soundcloud\.com(\/[A-Za-z0-9_-]+){1,4}$/);
          expect(parseTrackUrl(result.url)).toEqual(result);
        } else {
          expect(TRACK_URL_CODES).toContain(result.code);
        }
      }),
      { numRuns: 500 },
    );
  });
});
