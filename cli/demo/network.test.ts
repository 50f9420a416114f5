/** What the demo does to its org through the API, as the API takes it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ApiWorld, createApiWorld } from '../../test/support/api-world.js';
import { ApiClient } from './api-client.js';
import { holdQueues } from './network.js';

let world: ApiWorld;

beforeAll(async () => {
  world = await createApiWorld();
});
afterAll(async () => {
  await world?.remove();
});

test('a kept demo drafts no queue by itself until an admin switches it on again', async () => {
  const { url, orgId, admin } = world;
  const { signal } = new AbortController();
  await holdQueues(new ApiClient({ url, orgId, token: admin.token, signal }));
  const path = '/v1/automations/daily-queue';
  expect((await world.call('GET', path)).body).toMatchObject({ status: 'disabled', late: false });
  expect((await world.call('GET', '/v1/automations/account-health')).body.status).toBe('healthy');
  const on = await world.call('PATCH', path, { body: { status: 'enabled' } });
  expect([on.status, on.body.status]).toEqual([200, 'healthy']);
});
