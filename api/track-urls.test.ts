/** Track URLs over HTTP: what is refused, with which code, and that a refusal leaves nothing behind. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiWorld, createApiWorld } from '../test/support/api-world.js';

let world: ApiWorld;

beforeAll(async () => {
  world = await createApiWorld();
});
afterAll(async () => {
  await world?.remove();
});

const submit = (track_url: string) =>
  world.call('POST', '/v1/submissions', { body: { track_url, member_id: world.memberId } });

describe('a track URL', () => {
  it('that names no track is refused with a code of its own; no row, no event', async () => {
    const before = [await world.count('soundcloud_submissions'), await world.count('soundcloud_events')];
    const cases: [string, string][] = [
      ['', 'track_url_missing'],
      ['   ', 'track_url_missing'],
      ['please listen to my new song', 'track_url_missing'],
      ['TBD', 'track_url_placeholder'],
      ['tbc', 'track_url_placeholder'],
      ['N/A', 'track_url_placeholder'],
      ['coming soon', 'track_url_placeholder'],
      ['https://open.spotify.com/track/123', 'track_url_other_host'],
      ['https://soundcloud.com.evil.example/night-harbor/low-tide', 'track_url_other_host'],
      ['https://evil.example/https://soundcloud.com/night-harbor/low-tide', 'track_url_other_host'],
      ['https://soundcloud.com@evil.example/a/b', 'track_url_other_host'],
      ['https://ｓoundcloud.com/night-harbor/low-tide', 'track_url_other_host'],
      ['https://soundcloud.com/night-harbor', 'track_url_profile'],
      ['https://soundcloud.com/night-harbor/likes', 'track_url_profile'],
      ['https://soundcloud.com/night-harbor/sets', 'track_url_profile'],
      ['https://soundcloud.com', 'track_url_not_a_track'],
      ['https://soundcloud.com/discover/sets/abc', 'track_url_not_a_track'],
      ['https://on.soundcloud.com/', 'track_url_not_a_track'],
      ['https://soundcloud.com/night-harbor/low-tide/extra/deep', 'track_url_not_a_track'],
      ['https://user:secret@soundcloud.com/night-harbor/low-tide', 'track_url_malformed'],
      ['https://soundcloud.com:8080/night-harbor/low-tide', 'track_url_malformed'],
      ['https://soundcloud.com/night%ZZharbor/low-tide', 'track_url_malformed'],
      ['https://soundcloud.com\\@evil.example', 'track_url_malformed'],
      ['https://soundcloud.com/night-harbor/low tide\u0007', 'track_url_malformed'],
      [`https://soundcloud.com/night-harbor/${'x'.repeat(3_000)}`, 'track_url_too_long'],
    ];
    for (const [url, code] of cases) {
      const answer = await submit(url);
      expect([url, answer.status, answer.body.code]).toEqual([url, 422, code]);
      expect(JSON.stringify(answer.body)).not.toContain('secret');
    }
    expect(cases.length).toBeGreaterThanOrEqual(20);
    expect([await world.count('soundcloud_submissions'), await world.count('soundcloud_events')]).toEqual(
      before,
    );
  });

  it('is stored in its canonical form, so that its spellings are one track', async () => {
    const first = await submit('Out Friday! m.soundcloud.com/Night-Harbor/Low-Tide?utm_source=mail#t=0:10');
    expect([first.status, first.body.track_url]).toEqual([
      201,
      'https://soundcloud.com/night-harbor/low-tide',
    ]);
    const again = await submit('https://www.soundcloud.com/night-harbor/low-tide/');
    expect([again.status, again.body.code, again.body.submission_id]).toEqual([
      409,
      'duplicate_track',
      first.body.id,
    ]);
    const secret = await submit('https://soundcloud.com/night-harbor/unreleased/s-AbCd1234?si=1');
    expect(secret.body.track_url).toBe('https://soundcloud.com/night-harbor/unreleased/s-AbCd1234');
    expect((await submit('https://on.soundcloud.com/AbC12')).body.track_url).toBe(
      'https://on.soundcloud.com/AbC12',
    );
  });
});
