import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { FaultRequest } from '../../sandbox/faults.js';
import { SANDBOX_KEYS } from '../../sandbox/systems.js';
import { createTestSandbox, type TestSandbox } from '../../test/support/sandbox-systems.js';
import { ProviderError } from '../errors.js';
import { RequestNotYetAllowed } from '../rate-limit.js';
import type { OutgoingMail } from './port.js';
import { createResendClient, type ResendClientOptions } from './resend-client.js';

let sandbox: TestSandbox;
let realNow = Date.parse('2026-03-01T00:00:00Z');

beforeAll(async () => {
  sandbox = await createTestSandbox({ now: () => realNow });
});
afterAll(() => sandbox.remove());
beforeEach(() => sandbox.admin.clearFaults('mailbox'));

function client(options: Partial<ResendClientOptions> = {}) {
  return createResendClient({
    baseUrl: sandbox.urls.mailbox,
    apiKey: SANDBOX_KEYS.resendApiKey,
    takeLeave: async () => ({ allowed: true }),
    ...options,
  });
}

function mail(key: string, change: Partial<OutgoingMail> = {}): OutgoingMail {
  return {
    idempotencyKey: key,
    from: 'Artist Spark <ops@spark.example>',
    to: 'paper-foxes@fans.example',
    subject: 'Your track was approved',
    html: '<p>Undertow goes out.</p>',
    ...change,
  };
}

async function failureOf(promise: Promise<unknown>): Promise<ProviderError> {
  const error = await promise.then(
    () => new Error('It succeeded.'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ProviderError);
  expect((error as ProviderError).message).not.toMatch(/@|re_sandbox|secret/);
  return error as ProviderError;
}

const withKey = (key: string) => sandbox.admin.mails({ key });

test('a mail arrives whole, once per idempotency key', async () => {
  const sent = await client().send(
    mail('whole', {
      text: 'Undertow goes out.',
      headers: { 'List-Unsubscribe': '<https://spark.example/u>' },
      tags: [{ name: 'template', value: 'submission_approved' }],
    }),
  );
  expect(await withKey('whole')).toEqual([
    expect.objectContaining({
      id: sent.messageId,
      from: 'Artist Spark <ops@spark.example>',
      to: ['paper-foxes@fans.example'],
      subject: 'Your track was approved',
      html: '<p>Undertow goes out.</p>',
      text: 'Undertow goes out.',
      headers: { 'List-Unsubscribe': '<https://spark.example/u>' },
      tags: [{ name: 'template', value: 'submission_approved' }],
    }),
  ]);
});

describe('repeats', () => {
  test('after an answer that was lost: outcome_unknown, then the same id and one mail', async () => {
    await sandbox.admin.addFault('mailbox', { kind: 'drop', path: '/emails', count: 1 });
    expect((await failureOf(client().send(mail('lost')))).kind).toBe('outcome_unknown');
    const stored = await withKey('lost');
    expect(stored).toHaveLength(1);
    expect(await client().send(mail('lost'))).toEqual({ messageId: stored[0]?.id });
    expect(await withKey('lost')).toHaveLength(1);
  });

  test('after a 500 that had taken effect, and after a lost request that had not', async () => {
    await sandbox.admin.addFault('mailbox', { kind: 'status', status: 500, processed: true, count: 1 });
    expect((await failureOf(client().send(mail('late')))).kind).toBe('unavailable');
    await client().send(mail('late'));
    expect(await withKey('late')).toHaveLength(1);
    await sandbox.admin.addFault('mailbox', { kind: 'drop', processed: false, path: '/emails', count: 1 });
    expect((await failureOf(client().send(mail('early')))).kind).toBe('outcome_unknown');
    expect(await withKey('early')).toHaveLength(0);
    await client().send(mail('early'));
    expect(await withKey('early')).toHaveLength(1);
  });

  test('another mail under the same key is final', async () => {
    await client().send(mail('taken'));
    expect(await failureOf(client().send(mail('taken', { subject: 'Another one' })))).toMatchObject({
      kind: 'rejected',
      details: { status: 409, code: 'invalid_idempotent_request' },
    });
    expect(await withKey('taken')).toHaveLength(1);
  });

  test('while the first is still being processed: to be tried again, and then the same id', async () => {
    await sandbox.admin.addFault('mailbox', { kind: 'hang', path: '/emails', count: 1 });
    const first = client().send(mail('both'));
    await expect
      .poll(
        async () =>
          (await sandbox.admin.requests('mailbox', '/emails')).filter((one) => !('status' in one)).length,
      )
      .toBe(1);
    expect(await failureOf(client().send(mail('both')))).toMatchObject({
      kind: 'unavailable',
      details: { status: 409, code: 'concurrent_idempotent_requests' },
    });
    await sandbox.admin.clearFaults('mailbox');
    expect(await client().send(mail('both'))).toEqual(await first);
    expect(await withKey('both')).toHaveLength(1);
  });

  test('a request that hangs ends in time; nothing was sent, so the repeat sends', async () => {
    await sandbox.admin.addFault('mailbox', { kind: 'hang', path: '/emails', count: 1 });
    expect(await failureOf(client({ timeoutMs: 100 }).send(mail('slow')))).toMatchObject({
      kind: 'outcome_unknown',
      details: { code: 'deadline_passed' },
    });
    // The stand-in forgets the request when it sees the closed connection, which may be a moment later.
    await expect
      .poll(() =>
        client()
          .send(mail('slow'))
          .then(
            () => 'sent',
            (error: ProviderError) => error.details.code,
          ),
      )
      .toBe('sent');
    expect(await withKey('slow')).toHaveLength(1);
  });

  test('survive a restart, and end after a day', async () => {
    const { messageId } = await client().send(mail('kept'));
    await sandbox.restart();
    expect(await client().send(mail('kept'))).toEqual({ messageId });
    realNow += 24 * 3_600_000;
    expect(await client().send(mail('kept'))).not.toEqual({ messageId });
    expect(await withKey('kept')).toHaveLength(2);
  });
});

describe('refusals', () => {
  const error = (statusCode: number, name: string, headers: Record<string, string> = {}): FaultRequest => ({
    kind: 'status',
    status: statusCode,
    headers,
    body: { statusCode, name, message: 'You can only mail yourself (someone@secret.example).' },
  });
  test.each([
    [
      error(429, 'rate_limit_exceeded', { 'retry-after': '1', 'ratelimit-reset': '2' }),
      { kind: 'rate_limited', details: { retryAfterMs: 1_000, code: 'rate_limit_exceeded' } },
    ],
    [
      error(429, 'rate_limit_exceeded', { 'ratelimit-reset': '2' }),
      { kind: 'rate_limited', details: { retryAfterMs: 2_000 } },
    ],
    [
      error(429, 'daily_quota_exceeded', { 'retry-after': '60' }),
      { kind: 'unauthorized', details: { status: 429 } },
    ],
    [error(429, 'monthly_quota_exceeded'), { kind: 'unauthorized' }],
    [error(401, 'missing_api_key'), { kind: 'unauthorized' }],
    [error(403, 'validation_error'), { kind: 'unauthorized' }],
    [error(422, 'validation_error'), { kind: 'rejected' }],
    [error(422, 'invalid_from_address'), { kind: 'rejected', details: { code: 'invalid_from_address' } }],
    [error(400, 'invalid_idempotency_key'), { kind: 'rejected' }],
    [error(500, 'application_error'), { kind: 'unavailable' }],
    [error(500, 'Not a name: secret'), { kind: 'unavailable', details: { code: 'application_error' } }],
    [{ kind: 'status', status: 502, body: '<h1>Bad gateway secret</h1>' }, { kind: 'unavailable' }],
    [{ kind: 'garbage' }, { kind: 'rejected' }],
    [{ kind: 'status', status: 200, body: {} }, { kind: 'rejected' }],
    [
      { kind: 'status', status: 301, headers: { location: 'https://elsewhere.example' } },
      { kind: 'rejected' },
    ],
  ] as [FaultRequest, object][])('%j → %j', async (fault, expected) => {
    await sandbox.admin.addFault('mailbox', { ...fault, path: '/emails', count: 1 });
    expect(await failureOf(client().send(mail('refused')))).toMatchObject(expected);
  });

  test('wrong, missing and unusable API keys, and keys of a wrong length', async () => {
    expect(await failureOf(client({ apiKey: 're_other' }).send(mail('x')))).toMatchObject({
      kind: 'unauthorized',
      details: { code: 'invalid_api_key' },
    });
    for (const apiKey of [undefined, '', 're_secret\nx']) {
      const failure = await failureOf(client({ apiKey }).send(mail('x')));
      expect(failure.kind).toBe('unauthorized');
      expect(failure.message).toContain('RESEND_API_KEY');
    }
    const before = (await sandbox.admin.requests('mailbox', '/emails')).length;
    for (const key of ['', 'k'.repeat(257)]) {
      expect((await failureOf(client().send(mail(key)))).kind).toBe('rejected');
    }
    expect((await sandbox.admin.requests('mailbox', '/emails')).length).toBe(before);
    await client().send(mail('k'.repeat(256)));
  });
});

test('nothing is sent without leave, and a cancellation stays one', async () => {
  const none = client({ takeLeave: async () => ({ allowed: false, notBefore: 5 }) });
  await expect(none.send(mail('leave'))).rejects.toBeInstanceOf(RequestNotYetAllowed);
  expect(await none.probe()).toMatchObject({ ok: true });
  const reason = new Error('cancelled');
  await expect(client().send(mail('leave'), AbortSignal.abort(reason))).rejects.toBe(reason);
  expect(await withKey('leave')).toHaveLength(0);
});

test('the probe tells a key that may only send from one that is wrong', async () => {
  expect(await client().probe()).toEqual({ ok: true, detail: 'Resend answers.' });
  expect(await client({ apiKey: 're_other' }).probe()).toMatchObject({ ok: false });
  expect(await client({ apiKey: undefined }).probe()).toMatchObject({ ok: false });
  await sandbox.admin.addFault('mailbox', {
    kind: 'status',
    status: 401,
    body: { statusCode: 401, name: 'restricted_api_key', message: '' },
    path: '/domains',
  });
  expect(await client().probe()).toMatchObject({ ok: true });
});

describe('the limit of the mailbox', () => {
  test('five requests a window, then 429 with the wait; raised with a compressed day', async () => {
    const limit = { requests: 5, windowMs: 60_000 };
    const strict = await createTestSandbox({ mailLimit: limit });
    const options = { baseUrl: strict.urls.mailbox };
    try {
      for (let count = 0; count < 5; count += 1) await client(options).send(mail(`limit-${count}`));
      const refused = await failureOf(client(options).send(mail('limit-5')));
      expect(refused).toMatchObject({
        kind: 'rate_limited',
        details: { code: 'rate_limit_exceeded', status: 429 },
      });
      expect(refused.details.retryAfterMs).toBeGreaterThan(0);
      expect(refused.details.retryAfterMs).toBeLessThanOrEqual(60_000);
      expect(await strict.admin.mails()).toHaveLength(5);
    } finally {
      await strict.remove();
    }
    const compressed = await createTestSandbox({ mailLimit: limit, daySeconds: 21_600 });
    try {
      const sends = Array.from({ length: 21 }, (_, index) =>
        client({ baseUrl: compressed.urls.mailbox })
          .send(mail(`c-${index}`))
          .then(
            () => 'sent',
            () => 'refused',
          ),
      );
      expect((await Promise.all(sends)).filter((outcome) => outcome === 'sent')).toHaveLength(20);
    } finally {
      await compressed.remove();
    }
  });

  test('is named in the headers of every answer', async () => {
    const response = await fetch(`${sandbox.urls.mailbox}/domains`, {
      headers: { authorization: `Bearer ${SANDBOX_KEYS.resendApiKey}` },
    });
    for (const name of ['ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset']) {
      expect(response.headers.get(name), name).toMatch(/^\d+$/);
    }
  });
});
