/**
 * Finds or obtains the Temporal CLI, whose `server start-dev` is the embedded Temporal server.
 * The order is: TEMPORAL_CLI_PATH, `temporal` on PATH, our cache, the SDK's download, a build by Go.
 */
import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cacheFolder } from './cache-folder.js';
import { waitForLock } from './folder-lock.js';
import { type Report, runWithProgress } from './obtain.js';

/** The newest tag that a plain `go install` takes; later ones carry a `replace` (server 1.29.1, UI 2.42.1). */
export const TEMPORAL_CLI_VERSION = 'v1.5.1';
const GO_PACKAGE = `github.com/temporalio/cli/cmd/temporal@${TEMPORAL_CLI_VERSION}`;
const DOWNLOAD_MS = 5 * 60_000;
const BUILD_MS = 40 * 60_000;

/**
 * Path of a Temporal CLI that runs.
 * @throws Error naming every way that was tried, why it failed, and what the operator can do.
 */
export async function temporalExecutable(report: Report, signal?: AbortSignal): Promise<string> {
  const given = process.env.TEMPORAL_CLI_PATH;
  if (given) {
    const trouble = await whyNot(given);
    if (!trouble) return given;
    throw new Error(`TEMPORAL_CLI_PATH is ${given}, which does not run (${trouble}). Correct or unset it.`);
  }
  const tried: string[] = [];
  const onPath = lookUpPath('temporal');
  if (onPath) {
    const trouble = await whyNot(onPath);
    if (!trouble) return onPath;
    tried.push(`${onPath} on PATH: ${trouble}`);
  } else {
    tried.push('`temporal` on PATH: not found');
  }

  const cache = path.join(cacheFolder(), 'temporal-cli');
  const cached = await usableIn(cache);
  if (cached) return cached;
  const lock = await waitForLock(
    path.join(cache, 'obtain.lock'),
    'obtain temporal',
    ({ pid }) => report(`waiting for process ${pid}, which is obtaining the Temporal server`),
    signal,
  );
  try {
    return (await usableIn(cache)) ?? (await obtain(cache, tried, report, signal));
  } finally {
    lock.release();
  }
}

async function obtain(cache: string, tried: string[], report: Report, signal?: AbortSignal): Promise<string> {
  report('downloading the Temporal server');
  const downloads = path.join(cache, 'sdk');
  const download = await sdkDownload('dev-server', downloads, report, signal);
  const downloaded = download ? undefined : await usableIn(cache);
  if (downloaded) return downloaded;
  tried.push(`the download by the Temporal SDK: ${download ?? 'left no program that runs here'}`);

  report(`no download; building the Temporal server with Go (${GO_PACKAGE}), about 6 minutes the first time`);
  const fresh = path.join(cache, `build.${process.pid}`);
  const built = await runWithProgress('go', ['install', GO_PACKAGE], {
    label: 'building the Temporal server',
    report,
    cwd: cache,
    env: { ...process.env, GOBIN: fresh, GOFLAGS: '' },
    timeoutMs: BUILD_MS,
    signal,
  });
  const trouble = built ?? (await whyNot(path.join(fresh, 'temporal')));
  if (!trouble) {
    const goal = path.join(cache, `go-${TEMPORAL_CLI_VERSION}`);
    rmSync(goal, { recursive: true, force: true });
    renameSync(fresh, goal);
    return path.join(goal, 'temporal');
  }
  rmSync(fresh, { recursive: true, force: true });
  tried.push(`\`go install ${GO_PACKAGE}\`: ${trouble}`);
  throw new Error(
    [
      'No Temporal server could be found or obtained. Tried:',
      ...tried.map((line) => `  - ${line}`),
      'Do one of these and start again:',
      '  - install the Temporal CLI (https://docs.temporal.io/cli) so that `temporal` is on PATH,',
      '  - set TEMPORAL_CLI_PATH to the program,',
      '  - install Go 1.24 or newer and let it reach its module proxy,',
      '  - allow downloads from temporal.download.',
    ].join('\n'),
  );
}

/**
 * Runs the SDK's own download into a folder.
 * @returns undefined on success, else the reason.
 */
export async function sdkDownload(
  which: 'dev-server' | 'time-skipping',
  folder: string,
  report: Report,
  signal?: AbortSignal,
): Promise<string | undefined> {
  mkdirSync(folder, { recursive: true });
  const program = fileURLToPath(new URL('./sdk-download.ts', import.meta.url));
  const root = path.dirname(path.dirname(program));
  return runWithProgress(process.execPath, ['--import', 'tsx', program, which, folder], {
    label: 'downloading',
    report,
    cwd: root,
    timeoutMs: DOWNLOAD_MS,
    signal,
  });
}

/** The program in our cache: what Go built, else what the SDK downloaded. */
async function usableIn(cache: string): Promise<string | undefined> {
  const downloads = path.join(cache, 'sdk');
  const candidates = [
    path.join(cache, `go-${TEMPORAL_CLI_VERSION}`, 'temporal'),
    ...(existsSync(downloads) ? readdirSync(downloads).map((name) => path.join(downloads, name)) : []),
  ];
  for (const candidate of candidates) {
    if (existsSync(candidate) && !(await whyNot(candidate))) return candidate;
  }
  return undefined;
}

/** Why a program is not a Temporal CLI that runs here; undefined when it is. */
async function whyNot(program: string): Promise<string | undefined> {
  try {
    accessSync(program, constants.X_OK);
    const { stdout } = await promisify(execFile)(program, ['--version'], { timeout: 30_000 });
    return /temporal/i.test(stdout) ? undefined : 'it does not answer --version as the Temporal CLI does';
  } catch (error) {
    return (error as Error).message.split('\n')[0];
  }
}

function lookUpPath(name: string): string | undefined {
  for (const folder of (process.env.PATH ?? '').split(path.delimiter)) {
    const candidate = path.join(folder || '.', name);
    try {
      accessSync(candidate, constants.X_OK);
      return path.resolve(candidate);
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}
