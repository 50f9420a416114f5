import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { freePort, isPortFree } from './ports.js';
import { findRecorded } from './recorded-process.js';
import { SEARCH_ATTRIBUTES, startTemporal } from './temporal.js';
import { temporalExecutable } from './temporal-executable.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'temporal-'));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  for (const where of [folder, path.join(folder, 'a'), path.join(folder, 'b')]) {
    await findRecorded(path.join(where, 'process.json'))?.stop('SIGKILL', 5_000);
  }
  rmSync(folder, { recursive: true, force: true });
});

async function withClient<T>(address: string, work: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address });
  try {
    return await work(new Client({ connection }));
  } finally {
    await connection.close();
  }
}

/** Starts a workflow that no worker serves: it stays where it is. */
const startWorkflow = (address: string) =>
  withClient(address, (client) =>
    client.workflow.start('anyWorkflow', { workflowId: 'kept', taskQueue: 'nobody', args: [] }),
  );

const workflowStatus = (address: string) =>
  withClient(address, async (client) => (await client.workflow.getHandle('kept').describe()).status.name);

describe('the embedded Temporal server', () => {
  test.each([
    ['a clean stop', 'SIGTERM'],
    ['SIGKILL', 'SIGKILL'],
  ] as const)('keeps workflows over %s and start', async (_how, signal) => {
    const first = await startTemporal({ folder });
    await startWorkflow(first.address);
    await first.process.stop(signal, 20_000);
    expect(await isPortFree(first.port)).toBe(true);
    expect(await isPortFree(first.uiPort ?? 0)).toBe(true);

    const second = await startTemporal({ folder, port: first.port, uiPort: first.uiPort });
    expect(second.address).toBe(first.address);
    expect(await workflowStatus(second.address)).toBe('RUNNING');
  });

  test('is adopted by a start that finds it running', async () => {
    const first = await startTemporal({ folder, persistent: false });
    const second = await startTemporal({ folder, persistent: false });
    expect(second).toMatchObject({ adopted: true, address: first.address });
    await second.stop();
    expect(first.process.alive()).toBe(false);
  });

  test('finds another port when two of them want the same at the same moment', async () => {
    const port = await freePort();
    const folders = ['a', 'b'].map((name) => path.join(folder, name));
    const servers = await Promise.all(
      folders.map((each) => startTemporal({ folder: each, persistent: false, port })),
    );
    expect(new Set(servers.map((server) => server.port)).size).toBe(2);
    // Each address belongs to the server that says so.
    await startWorkflow(servers[0]?.address ?? '');
    await expect(workflowStatus(servers[1]?.address ?? '')).rejects.toThrow(/not found/);
  });

  test('knows our search attributes and shows its web page', async () => {
    const server = await startTemporal({ folder });
    const types = await withClient(server.address, async ({ connection }) => {
      const { customAttributes } = await connection.operatorService.listSearchAttributes({
        namespace: 'default',
      });
      return Object.keys(customAttributes ?? {});
    });
    expect(types).toEqual(expect.arrayContaining(Object.keys(SEARCH_ATTRIBUTES)));
    expect((await fetch(server.uiUrl ?? '')).status).toBe(200);
  });

  test('gives up in the middle of a start and leaves nothing running', async () => {
    const giveUp = new AbortController();
    const starting = startTemporal({ folder, persistent: false, signal: giveUp.signal });
    const recordFile = path.join(folder, 'process.json');
    await expect.poll(() => findRecorded(recordFile), { interval: 5 }).toBeDefined();
    const running = findRecorded(recordFile);
    giveUp.abort(new Error('changed my mind'));
    await expect(starting).rejects.toThrow('changed my mind');
    expect(running?.alive() ?? false).toBe(false);
  });
});

describe('finding the server', () => {
  test('TEMPORAL_CLI_PATH that does not run is an error that names the variable', async () => {
    vi.stubEnv('TEMPORAL_CLI_PATH', path.join(folder, 'nothing'));
    await expect(temporalExecutable(() => {})).rejects.toThrow(/TEMPORAL_CLI_PATH is .*Correct or unset it/);
  });

  test('a program on PATH is taken; one that is something else is passed over', async () => {
    const right = path.join(folder, 'right');
    const wrong = path.join(folder, 'wrong');
    for (const [where, text] of [
      [right, 'echo "temporal version 1.2.3"'],
      [wrong, 'echo "something else"'],
    ] as const) {
      mkdirSync(where);
      writeFileSync(path.join(where, 'temporal'), `#!/bin/sh\n${text}\n`);
      chmodSync(path.join(where, 'temporal'), 0o755);
    }
    vi.stubEnv('TEMPORAL_CLI_PATH', '');
    vi.stubEnv('PATH', `${right}${path.delimiter}${wrong}`);
    expect(await temporalExecutable(() => {})).toBe(path.join(right, 'temporal'));
  });

  test('without any way the error names all of them, and the build was announced', async () => {
    vi.stubEnv('TEMPORAL_CLI_PATH', '');
    vi.stubEnv('PATH', folder);
    vi.stubEnv('XDG_CACHE_HOME', folder);
    // Nothing listens there: the SDK's download fails as it does without a network.
    for (const name of ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy']) {
      vi.stubEnv(name, 'http://127.0.0.1:1');
    }
    const told: string[] = [];
    const message = await temporalExecutable((line) => told.push(line)).then(
      () => 'found one',
      (error: Error) => error.message,
    );
    expect(message).toContain('`temporal` on PATH: not found');
    expect(message).toMatch(/download by the Temporal SDK: /);
    expect(message).toContain('go is not installed');
    expect(message).toContain('set TEMPORAL_CLI_PATH');
    expect(message).toContain('https://docs.temporal.io/cli');
    expect(told.join('\n')).toMatch(/downloading[\s\S]*building the Temporal server with Go/);
  });
});
