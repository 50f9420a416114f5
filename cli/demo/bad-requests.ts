/** Requests that must be refused: each with its status and its stable code, and without leaving anything behind. */
import type { Stage } from './stage.js';

/** A few kinds of malformed requests, and of people who may not. */
export async function sendBadRequests(stage: Stage): Promise<void> {
  const { network, timeline } = stage;
  const member = stage.member('Undertow');
  const path = '/v1/submissions';
  const submit = (what: string, code: string, trackUrl: string, status = 422) =>
    stage.refused(
      `submit ${what}`,
      { status, code },
      { client: member, path, body: { track_url: trackUrl } },
    );
  timeline.say('act', 'Requests that must be refused:');
  await submit('a profile', 'track_url_profile', 'https://soundcloud.com/paper-meridian');
  await submit('a malformed URL', 'track_url_malformed', 'https://soundcloud.com/paper-meridian/under%ZZtow');
  await submit('another host', 'track_url_other_host', 'https://music.example.com/track/1');
  await submit('"TBD"', 'track_url_placeholder', 'TBD');
  await submit('the same track again', 'duplicate_track', stage.url('Undertow'), 409);
  await stage.refused(
    'broken JSON',
    { status: 400, code: 'malformed_json' },
    { client: member, path, raw: '{"' },
  );
  await stage.refused(
    'a body of another shape',
    { status: 400, code: 'invalid_request' },
    { client: member, path, body: {} },
  );
  await stage.refused(
    'no Idempotency-Key',
    { status: 400, code: 'idempotency_key_required' },
    { client: member, path, body: { track_url: stage.url('Rain on a Tin Roof') }, key: null },
  );
  await stage.refused(
    'no token',
    { status: 401, code: 'unauthenticated' },
    { client: network.stranger, path, body: { track_url: stage.url('Rain on a Tin Roof') } },
  );
  await stage.refused(
    'a member decides the own track',
    { status: 403, code: 'forbidden' },
    { client: member, path: `${path}/${stage.submitted('Undertow').id}/decide`, body: { action: 'approve' } },
  );
}

/** A decision that the review itself refuses. */
export async function refusedDecision(
  stage: Stage,
  track: string,
  what: string,
  expected: { status: number; code: string },
  body: unknown,
): Promise<void> {
  const path = `/v1/submissions/${stage.submitted(track).id}/decide`;
  await stage.refused(`${track}: ${what}`, expected, { client: stage.ops('moderator'), path, body });
}
