import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ProofSubject, readProofUrl } from './proof.js';

const TRACK = 'https://soundcloud.com/night-harbor/low-tide';
const SUBJECT: ProofSubject = { trackUrls: [TRACK], supporterHandle: 'Deep-Current' };

describe('a proof', () => {
  it.each([
    ['the track', TRACK, 'track', TRACK],
    [
      'the track on the mobile host, with a query',
      'm.soundcloud.com/Night-Harbor/Low-Tide?si=1',
      'track',
      TRACK,
    ],
    ['the track’s list of reposters', `${TRACK}/reposts`, 'track', TRACK],
    ['the track by its private link', `${TRACK}/s-AbC12`, 'track', `${TRACK}/s-AbC12`],
    ['the profile', 'https://soundcloud.com/deep-current', 'profile', 'https://soundcloud.com/deep-current'],
    [
      'the repost on the profile, inside a sentence',
      'here: https://soundcloud.com/deep-current/reposts.',
      'repost',
      'https://soundcloud.com/deep-current/reposts',
    ],
    ['a short link', 'https://on.soundcloud.com/AbCd', 'short_link', 'https://on.soundcloud.com/AbCd'],
  ])('may be %s', (_, text, kind, url) => {
    expect(readProofUrl(text, SUBJECT)).toEqual({ ok: true, kind, url });
  });

  it.each([
    ['another track', 'https://soundcloud.com/night-harbor/high-tide', /another track/],
    ['a track of the supporter', 'https://soundcloud.com/deep-current/my-own', /another track/],
    ['somebody else’s profile', 'https://soundcloud.com/night-harbor', /profile of night-harbor/],
    ['another site', 'https://example.com/proof.png', /not on soundcloud/],
    ['text', 'done, trust me', /no address/],
    ['nothing', ' ', /no address/],
    ['SoundCloud’s own page', 'https://soundcloud.com/discover', /no address/],
  ])('may not be %s', (_, text, reason) => {
    expect(readProofUrl(text, SUBJECT)).toEqual({ ok: false, reason: expect.stringMatching(reason) });
  });

  it('may be the public link of a private track, and any track while the submitted link is unknown', () => {
    const live = 'https://soundcloud.com/night-harbor/out-now';
    expect(readProofUrl(live, { ...SUBJECT, trackUrls: [`${TRACK}/s-AbC12`, live] }).ok).toBe(true);
    const unknown = { ...SUBJECT, trackUrls: ['https://on.soundcloud.com/AbCd'] };
    expect(readProofUrl(live, unknown).ok).toBe(true);
  });

  it('is read without ever throwing, and reading what was accepted changes nothing', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.webUrl(), fc.constantFrom(TRACK, 'soundcloud.com/deep-current/x')),
        (text) => {
          const read = readProofUrl(text, SUBJECT);
          if (read.ok) expect(readProofUrl(read.url, SUBJECT)).toEqual(read);
        },
      ),
    );
  });
});
