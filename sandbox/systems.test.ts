import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createResendClient } from '../providers/email/resend-client.js';
import { createTestSandbox, type TestSandbox } from '../test/support/sandbox-systems.js';
import { createSandboxAdmin } from './admin-client.js';
import { openJournal } from './journal.js';
import { SANDBOX_KEYS, startSandboxSystems } from './systems.js';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function sandboxOf(options: Parameters<typeof createTestSandbox>[0] = {}): Promise<TestSandbox> {
  const sandbox = await createTestSandbox(options);
  cleanups.push(() => sandbox.remove());
  return sandbox;
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'artist-spark-sandbox-'));
  cleanups.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function sendMail(baseUrl: string, key: string, subject = 'Hello') {
  const email = createResendClient({
    baseUrl,
    apiKey: SANDBOX_KEYS.resendApiKey,
    takeLeave: async () => ({ allowed: true }),
  });
  return email.send({
    idempotencyKey: key,
    from: 'ops@spark.example',
    to: 'velvet-harbor@fans.example',
    subject,
    html: `<p>${subject}</p><script>alert(1)</script>`,
    tags: [{ name: 'template', value: key }],
  });
}

describe('a restart', () => {
  test('keeps ports, clock, catalogue, mails, messages and faults', async () => {
    const sandbox = await sandboxOf({ daySeconds: 3_600 });
    const { admin, urls } = sandbox;
    await admin.addUsers([{ handle: 'velvet-harbor', followers: 10 }]);
    const [track] = await admin.addTracks([{ handle: 'velvet-harbor', title: 'Undertow' }]);
    const { messageId } = await sendMail(urls.mailbox, 'first');
    await fetch(urls.slackWebhook, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ text: 'overdue' }),
    });
    await admin.addFault('mailbox', { kind: 'status', status: 503, path: '/emails', count: 2 });
    await expect(sendMail(urls.mailbox, 'second')).rejects.toMatchObject({ kind: 'unavailable' });

    await sandbox.restart();

    await expect(sendMail(urls.mailbox, 'second')).rejects.toMatchObject({ kind: 'unavailable' });
    await sendMail(urls.mailbox, 'second');
    expect((await admin.mails()).map((mail) => mail.idempotency_key)).toEqual(['second', 'first']);
    expect((await sendMail(urls.mailbox, 'first')).messageId).toBe(messageId);
    expect(await admin.addTracks([{ handle: 'velvet-harbor', title: 'Undertow' }])).toEqual([track]);
    expect(await admin.slackMessages()).toHaveLength(1);
    await sandbox.stop();
    const again = await startSandboxSystems({ dataDir: sandbox.dataDir, daySeconds: 7_200 });
    expect(again.clock).toEqual(sandbox.clock);
    expect(again.ports).toEqual(sandbox.ports);
    await again.stop();
  });

  test('a line left unfinished by a killed process is cut off; a foreign line is named', () => {
    const path = join(folder(), 'journal.jsonl');
    const schema = z.object({ n: z.number() });
    const first = openJournal(path, schema);
    first.append({ n: 1 });
    first.close();
    appendFileSync(path, '{"n":2');
    const second = openJournal(path, schema);
    expect(second.records).toEqual([{ n: 1 }]);
    second.append({ n: 3 });
    second.close();
    expect(readFileSync(path, 'utf8')).toBe('{"n":1}\n{"n":3}\n');
    appendFileSync(path, '{"m":4}\n');
    expect(() => openJournal(path, schema)).toThrow(/journal\.jsonl:3/);
  });

  test('an exact port that is taken is an error, and nothing is left running', async () => {
    const sandbox = await sandboxOf();
    const ports = { soundcloud: 0, planner: 0, mailbox: 0, slack: sandbox.ports.slack };
    await expect(startSandboxSystems({ dataDir: folder(), ports })).rejects.toThrow('EADDRINUSE');
  });
});

describe('faults', () => {
  test('strike by method, path and count, in the order of requests', async () => {
    const { admin, urls } = await sandboxOf();
    await admin.addFault('mailbox', {
      kind: 'status',
      status: 500,
      method: 'post',
      path: '/emails*',
      count: 1,
    });
    expect((await fetch(`${urls.mailbox}/mailbox`)).status).toBe(200);
    await expect(sendMail(urls.mailbox, 'a')).rejects.toMatchObject({ kind: 'unavailable' });
    await sendMail(urls.mailbox, 'a');
    const [first, second] = await admin.requests('mailbox', '/emails');
    expect(first).toMatchObject({ method: 'POST', status: 500, faults: ['status'] });
    expect(second).toMatchObject({ status: 200, faults: [] });
  });

  test('latency delays; a hang of a processed request holds the answer until it is cleared', async () => {
    const { admin, urls } = await sandboxOf();
    await admin.addFault('mailbox', { kind: 'latency', ms: 30, count: 1 });
    const before = performance.now();
    await sendMail(urls.mailbox, 'slow');
    expect(performance.now() - before).toBeGreaterThanOrEqual(29);
    await admin.addFault('mailbox', { kind: 'hang', processed: true, path: '/emails' });
    const held = sendMail(urls.mailbox, 'held');
    await expect.poll(() => admin.mails({ key: 'held' })).toHaveLength(1);
    await admin.clearFaults('mailbox');
    expect((await held).messageId).toBe((await admin.mails({ key: 'held' }))[0]?.id);
  });

  test('what a system cannot act out, or cannot be read, is refused', async () => {
    const { admin, urls } = await sandboxOf();
    await expect(admin.addFault('slack', { kind: 'stale', days: 1 })).rejects.toThrow('422');
    for (const body of ['{"kind":"flood"}', '{"kind":"latency"}', '{', '[]']) {
      const response = await fetch(`${urls.slack}/_admin/faults`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
      expect([400, 422], body).toContain(response.status);
    }
    expect((await fetch(`${urls.slack}/_admin/faults/none`, { method: 'DELETE' })).status).toBe(404);
  });

  test('can be placed before the first request', async () => {
    const { urls } = await sandboxOf({ faults: { mailbox: [{ kind: 'drop', processed: false, count: 1 }] } });
    await expect(sendMail(urls.mailbox, 'x')).rejects.toMatchObject({ kind: 'outcome_unknown' });
    await sendMail(urls.mailbox, 'x');
  });
});

describe('the mailbox', () => {
  test('shows mails as a page, with everything escaped, and as JSON with filters', async () => {
    const { urls, admin, clock } = await sandboxOf({ daySeconds: 3_600 });
    await sendMail(urls.mailbox, 'one', 'Approved <b>&amp; out</b>');
    await sendMail(urls.mailbox, 'two', 'Rejected');
    const asPage = { headers: { accept: 'text/html' } };
    const page = await fetch(urls.mailboxPage, asPage);
    expect(page.headers.get('content-type')).toContain('text/html');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    const list = await page.text();
    expect(list).toContain('Approved &lt;b&gt;&amp;amp; out');
    expect(list.indexOf('Rejected')).toBeLessThan(list.indexOf('Approved'));
    const [mail] = await admin.mails({ subject: 'approved' });
    const one = await (await fetch(`${urls.mailboxPage}/${mail?.id}`, asPage)).text();
    expect(one).toContain('<iframe sandbox srcdoc=');
    expect(one).not.toContain('<script>');

    expect(await admin.mails({ tag: 'template:two' })).toHaveLength(1);
    expect(await admin.mails({ tag: 'template' })).toHaveLength(2);
    expect(await admin.mails({ to: 'VELVET' })).toHaveLength(2);
    expect(await admin.mails({ to: 'nobody' })).toHaveLength(0);
    expect(await admin.mails({ since: new Date(Date.now() + 60_000).toISOString() })).toHaveLength(0);
    const elapsed = Date.parse(mail?.business_at ?? '') - clock.businessStart;
    expect(elapsed).toBe((Date.parse(mail?.created_at ?? '') - clock.realStart) * 24);
    expect((await fetch(`${urls.mailboxPage}?limit=0`)).status).toBe(400);
    expect((await fetch(`${urls.mailboxPage}/none`)).status).toBe(404);
  });

  test('refuses a mail without its fields and without a key', async () => {
    const { urls, admin } = await sandboxOf();
    const post = async (body: unknown, authorization = `Bearer ${SANDBOX_KEYS.resendApiKey}`) => {
      const response = await fetch(`${urls.mailbox}/emails`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization },
        body: JSON.stringify(body),
      });
      return [response.status, z.object({ name: z.string() }).parse(await response.json()).name];
    };
    const whole = { from: 'a@spark.example', to: 'b@fans.example', subject: 'Hi', text: 'Hi' };
    expect(await post({ ...whole, to: undefined })).toEqual([422, 'missing_required_field']);
    expect(await post({ ...whole, text: undefined })).toEqual([422, 'missing_required_field']);
    expect(await post({ ...whole, subject: 7 })).toEqual([422, 'validation_error']);
    expect(await post(whole, '')).toEqual([401, 'missing_api_key']);
    expect(await post(whole, 'Bearer nope')).toEqual([403, 'invalid_api_key']);
    expect(await admin.mails()).toEqual([]);
  });

  test('keeps no key, no address and no query value in its log', async () => {
    const { urls, admin } = await sandboxOf();
    await sendMail(urls.mailbox, 'idempotency-of-mine');
    await admin.mails({ to: 'velvet-harbor@fans.example' });
    const log = JSON.stringify(await admin.requests('mailbox'));
    expect(log).toContain('/emails');
    expect(log).not.toMatch(/fans\.example|re_sandbox|idempotency-of-mine/);
  });
});

describe('as a process of its own', () => {
  async function start(dataDir: string): Promise<{ child: ChildProcess; ready: z.output<typeof readyLine> }> {
    const child = spawn(
      process.execPath,
      [
        '--import',
        'tsx',
        'sandbox/main.ts',
        '--data-dir',
        dataDir,
        '--catalogue',
        'demo',
        '--day-seconds',
        '60',
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    cleanups.push(() => {
      child.kill('SIGKILL');
    });
    for await (const line of createInterface({ input: child.stdout })) {
      return { child, ready: readyLine.parse(JSON.parse(line)) };
    }
    throw new Error('It ended without a ready line.');
  }
  const readyLine = z.object({
    ready: z.literal(true),
    urls: z.object({ soundcloud: z.url(), planner: z.url(), mailbox: z.url(), slack: z.url() }),
    env: z.record(z.string(), z.string()),
  });

  test('says when it is ready, survives SIGKILL on the same ports, and ends on SIGTERM', async () => {
    const dataDir = folder();
    const first = await start(dataDir);
    expect(first.ready.env).toMatchObject({
      RESEND_BASE_URL: first.ready.urls.mailbox,
      SOUNDCLOUD_CLIENT_ID: 'sandbox-app',
    });
    await sendMail(first.ready.urls.mailbox, 'before the kill');
    const killed = once(first.child, 'exit');
    first.child.kill('SIGKILL');
    await killed;

    const second = await start(dataDir);
    expect(second.ready.urls).toEqual(first.ready.urls);
    expect(await createSandboxAdmin(second.ready.urls).mails()).toHaveLength(1);
    const ended = once(second.child, 'exit');
    second.child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  });
});
