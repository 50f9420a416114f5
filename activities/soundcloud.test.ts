import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { createDatabase, type Db } from '../db/client.js';
import { soundCloudOf } from '../test/support/soundcloud.js';
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
  const { orgId } = world;
  const { describeTrack: run } = createSoundCloudActivities({
    db: worker,
    soundcloud: soundCloudOf(world),
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
