import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { FaultRequest } from '../../sandbox/faults.js';
import { createTestSandbox, type TestSandbox } from '../../test/support/sandbox-systems.js';
import { ProviderError } from '../errors.js';
import { createSlackClient } from './webhook-client.js';

let sandbox: TestSandbox;
beforeAll(async () => {
  sandbox = await createTestSandbox();
});
afterAll(() => sandbox.remove());
beforeEach(() => sandbox.admin.clearFaults('slack'));

const message = (text: string) => ({ webhookUrl: sandbox.urls.slackWebhook, channel: '#ops', text });
const client = (timeoutMs?: number) =>
  createSlackClient({ extraOrigins: [sandbox.urls.slack], ...(timeoutMs && { timeoutMs }) });

test('a message arrives; the log of requests does not hold the webhook', async () => {
  await client().post(message('A review is overdue: Undertow'));
  expect(await sandbox.admin.slackMessages()).toEqual([
    expect.objectContaining({ channel: '#ops', text: 'A review is overdue: Undertow' }),
  ]);
  const log = await sandbox.admin.requests('slack');
  expect(log.map((request) => request.path)).toContain('/services/…');
  expect(JSON.stringify(log)).not.toContain('sandbox');
});

test.each([
  [
    { kind: 'status', status: 429, headers: { 'Retry-After': '30' } },
    { kind: 'rate_limited', details: { retryAfterMs: 30_000 } },
  ],
  [
    { kind: 'status', status: 404, body: 'no_service' },
    { kind: 'not_found', details: { code: 'no_service' } },
  ],
  [{ kind: 'status', status: 410, body: 'channel_is_archived' }, { kind: 'not_found' }],
  [{ kind: 'status', status: 403, body: 'action_prohibited' }, { kind: 'unauthorized' }],
  [
    { kind: 'status', status: 500, body: 'a long text with a secret' },
    { kind: 'unavailable', details: { status: 500 } },
  ],
  [{ kind: 'drop' }, { kind: 'outcome_unknown' }],
  [{ kind: 'hang' }, { kind: 'outcome_unknown' }],
] as [FaultRequest, object][])('%j → %j', async (fault, expected) => {
  await sandbox.admin.addFault('slack', { ...fault, path: '/services/*', count: 1 });
  const failure = await client(fault.kind === 'hang' ? 100 : 5_000)
    .post(message('Overdue'))
    .catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(ProviderError);
  expect(failure).toMatchObject(expected);
  expect(String(failure)).not.toMatch(/secret|T0|B0/);
});

test('only webhooks of Slack, and of origins the operator allowed, are posted to', async () => {
  for (const webhookUrl of [
    sandbox.urls.slackWebhook,
    'http://169.254.169.254/latest',
    'not a url',
    'http://hooks.slack.com/services/a',
  ]) {
    const failure = await createSlackClient()
      .post({ webhookUrl, channel: '', text: 'x' })
      .catch((error: unknown) => error);
    expect(failure, webhookUrl).toMatchObject({ kind: 'rejected' });
  }
});
