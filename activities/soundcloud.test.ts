import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { createDatabase, type Db } from '../db/client.js';
import { createSoundCloudClient } from '../providers/soundcloud/http-client.js';
import { createWorld, type World } from '../test/support/world.js';
import { createSoundCloudActivities } from './soundcloud.js';

let world: World;
let worker: Db;

beforeAll(async () => {
  world = await createWorld();
  worker = createDatabase(world.database.workerUrl, { max: 2 });
});

afterEach(() => world.sandbox.admin.clearFaults('soundcloud'));

afterAll(async () => {
  await worker?.destroy();
  await world?.remove();
});

async function describeTrack() {
  const { config, orgId } = world;
  const takeLeave = async () => ({ allowed: true as const });
  const { describeTrack: run } = createSoundCloudActivities({
    db: worker,
    soundcloud: createSoundCloudClient({
      apiUrl: config.SOUNDCLOUD_API_URL,
      tokenUrl: config.SOUNDCLOUD_TOKEN_URL,
      shortLinkUrl: config.SOUNDCLOUD_SHORT_LINK_URL,
      clientId: config.SOUNDCLOUD_CLIENT_ID,
      clientSecret: config.SOUNDCLOUD_CLIENT_SECRET,
      takeLeave,
      takeTokenLeave: takeLeave,
    }),
  });
  const submission = await world.submit();
  return new MockActivityEnvironment().run(run, { orgId, submissionId: submission.id });
}

it('a request SoundCloud refuses is about the track: ops look at it instead of waiting for SoundCloud', async () => {
  await world.sandbox.admin.addFault('soundcloud', { kind: 'status', status: 422, path: '/resolve' });
  expect(await describeTrack()).toEqual({ outcome: 'not_found' });
});

it('a SoundCloud that is down is waited for', async () => {
  await world.sandbox.admin.addFault('soundcloud', { kind: 'status', status: 503, path: '/resolve' });
  await expect(describeTrack()).rejects.toMatchObject({ type: 'provider_unavailable' });
});
