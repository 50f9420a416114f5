import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { createServer as createTcpServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { ProviderError } from '../errors.js';
import { kindOfStatus, requireSuccess, retryAfterMs } from './failures.js';
import { createGuardedFetch, type GuardedFetchOptions } from './guarded-fetch.js';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function listen(handler: RequestListener): Promise<string> {
  const server: Server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function fetchOf(options: Partial<GuardedFetchOptions> = {}) {
  return createGuardedFetch({ provider: 'soundcloud', ...options });
}

async function failureOf(promise: Promise<unknown>): Promise<ProviderError> {
  const error = await promise.then(
    () => new Error('It succeeded.'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ProviderError);
  return error as ProviderError;
}

describe('what a failure means', () => {
  test('a refused connection is unavailable: nothing was sent', async () => {
    const url = await listen((_req, res) => res.end());
    for (const close of closers.splice(0)) close();
    const failure = await failureOf(fetchOf()({ operation: 'read', url }));
    expect(failure.kind).toBe('unavailable');
    expect(failure.details.code).toBe('ECONNREFUSED');
  });

  test('a connection that is never accepted in time is unavailable, also by the deadline of the whole request', async () => {
    // A dispatcher whose connection is under way for ever: nothing can have been sent.
    const { Agent } = await import('undici');
    const never = new Agent({ connect: () => undefined });
    const failure = await failureOf(
      fetchOf({ dispatcher: never, timeouts: { totalMs: 50 } })({
        operation: 'read',
        url: 'http://127.0.0.1:9',
      }),
    );
    expect(failure.kind).toBe('unavailable');
    expect(failure.details.code).toBe('deadline_passed');
  });

  test('no answer in time is outcome_unknown, by the phase and by the whole', async () => {
    const url = await listen(() => undefined);
    const byPhase = await failureOf(fetchOf({ timeouts: { headersMs: 50 } })({ operation: 'read', url }));
    expect(byPhase).toMatchObject({ kind: 'outcome_unknown', details: { code: 'UND_ERR_HEADERS_TIMEOUT' } });
    const byWhole = await failureOf(fetchOf({ timeouts: { totalMs: 50 } })({ operation: 'read', url }));
    expect(byWhole).toMatchObject({ kind: 'outcome_unknown', details: { code: 'deadline_passed' } });
  });

  test('a body that stops coming is outcome_unknown, and a body that drips is ended by the deadline', async () => {
    const stops = await listen((_req, res) => {
      res.writeHead(200, { 'content-length': '10' });
      res.write('12345');
    });
    const stopped = await failureOf(fetchOf({ timeouts: { bodyMs: 50 } })({ operation: 'read', url: stops }));
    expect(stopped).toMatchObject({ kind: 'outcome_unknown', details: { code: 'UND_ERR_BODY_TIMEOUT' } });

    const drips = await listen((_req, res) => {
      res.writeHead(200);
      const timer = setInterval(() => res.write('.'), 5);
      res.once('close', () => clearInterval(timer));
    });
    const dripped = await failureOf(
      fetchOf({ timeouts: { totalMs: 80 } })({ operation: 'read', url: drips }),
    );
    expect(dripped).toMatchObject({ kind: 'outcome_unknown', details: { code: 'deadline_passed' } });
  });

  test('a connection lost after sending is outcome_unknown', async () => {
    const url = await listen((req) => req.socket.destroy());
    const failure = await failureOf(fetchOf()({ operation: 'send', url, method: 'POST', body: '{}' }));
    expect(failure.kind).toBe('outcome_unknown');
  });

  test('something that does not speak HTTP is outcome_unknown: it took the request', async () => {
    const sockets: Socket[] = [];
    const server = createTcpServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => undefined);
      socket.once('data', () => socket.write('SSH-2.0-OpenSSH\r\n'));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect((await failureOf(fetchOf()({ operation: 'read', url }))).kind).toBe('outcome_unknown');
  });

  test.each([
    [401, 'unauthorized'],
    [402, 'unauthorized'],
    [403, 'unauthorized'],
    [404, 'not_found'],
    [408, 'unavailable'],
    [410, 'not_found'],
    [418, 'rejected'],
    [422, 'rejected'],
    [429, 'rate_limited'],
    [500, 'unavailable'],
    [503, 'unavailable'],
  ] as const)('%i is %s', (status, kind) => {
    expect(kindOfStatus(status)).toBe(kind);
  });
});

describe('limits', () => {
  test('an answer over the cap is rejected, whether its length is announced or not', async () => {
    const url = await listen((_req, res) => {
      res.writeHead(200);
      res.write('x'.repeat(600));
      res.end('x'.repeat(600));
    });
    const failure = await failureOf(fetchOf({ maxAnswerBytes: 1_000 })({ operation: 'read', url }));
    expect(failure).toMatchObject({ kind: 'rejected', details: { code: 'answer_too_large' } });
    expect((await fetchOf({ maxAnswerBytes: 1_200 })({ operation: 'read', url })).text).toHaveLength(1_200);
  });

  test('a refusal keeps its status when its body breaks off', async () => {
    const url = await listen((req, res) => {
      res.writeHead(429, { 'retry-after': '7', 'content-length': '100' });
      res.write('half', () => req.socket.destroy());
    });
    const answer = await fetchOf()({ operation: 'read', url });
    expect(answer.status).toBe(429);
    expect(
      await failureOf(Promise.resolve().then(() => requireSuccess('soundcloud', 'read', answer))),
    ).toMatchObject({
      kind: 'rate_limited',
      details: { status: 429, retryAfterMs: 7_000 },
    });
  });

  test('a redirect is an error unless the caller asked for it, and is never followed', async () => {
    const asked: string[] = [];
    const url = await listen((req, res) => {
      asked.push(req.url ?? '');
      res.writeHead(302, { location: '/elsewhere' }).end();
    });
    expect(await failureOf(fetchOf()({ operation: 'read', url }))).toMatchObject({
      kind: 'rejected',
      details: { status: 302 },
    });
    const answer = await fetchOf()({ operation: 'read', url, redirect: 'return' });
    expect(answer).toMatchObject({ status: 302, headers: { location: '/elsewhere' } });
    expect(asked).toEqual(['/', '/']);
  });
});

describe('cancellation', () => {
  test('the reason of the caller comes back as it is, before and during a request', async () => {
    const url = await listen(() => controller.abort(reason));
    const controller = new AbortController();
    const reason = new Error('The activity was cancelled.');
    await expect(fetchOf()({ operation: 'read', url, signal: controller.signal })).rejects.toBe(reason);
    await expect(fetchOf()({ operation: 'read', url, signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
  });
});

describe('what a message may say', () => {
  test('names the operation and the next step, never URL, header or what the provider wrote', async () => {
    const url = await listen((req) => req.socket.destroy());
    const failure = await failureOf(
      fetchOf()({
        operation: 'resolve a URL',
        url: `${url}/hidden-path?token=secret-query`,
        headers: { authorization: 'OAuth secret-token' },
      }),
    );
    expect(failure.message).toMatch(
      /^soundcloud: resolve a URL was sent but got no whole answer \(.+\)\. Look for/,
    );
    expect(JSON.stringify([failure.message, failure.details])).not.toMatch(/secret|hidden/);
  });

  test('a header that cannot be sent is rejected without being repeated', async () => {
    const failure = await failureOf(
      fetchOf()({ operation: 'read', url: 'http://127.0.0.1:9', headers: { authorization: 'secret\nline' } }),
    );
    expect(failure.kind).toBe('rejected');
    expect(failure.message).not.toContain('secret');
  });
});

describe('the wait an answer asks for', () => {
  const now = Date.parse('2026-03-01T12:00:00Z');
  test.each([
    [{ 'retry-after': '3' }, 3_000],
    [{ 'retry-after': 'Sun, 01 Mar 2026 12:00:05 GMT' }, 5_000],
    [{ 'retry-after': 'Sun, 01 Mar 2026 11:00:00 GMT' }, 0],
    [{ 'retry-after': 'soon', 'x-ratelimit-reset': '9' }, 9_000],
    [{ 'x-ratelimit-reset': String(now / 1_000 + 60) }, 60_000],
    [{ 'x-ratelimit-reset': String(now + 1_500) }, 1_500],
    [{ 'ratelimit-reset': '1' }, 1_000],
    [{ 'x-ratelimit-reset': 'never' }, undefined],
    [{}, undefined],
  ])('%j → %s ms', (headers, expected) => {
    expect(retryAfterMs(headers, now)).toBe(expected);
  });
});
