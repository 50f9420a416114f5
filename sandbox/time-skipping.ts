/**
 * The Temporal test server that skips time, for tests of timers: the SDK's download, else the Java server from Maven.
 */
import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from './cache-folder.js';
import { waitForLock } from './folder-lock.js';
import { type Report, runWithProgress } from './obtain.js';
import { sdkDownload } from './temporal-executable.js';

export const TEST_SERVER_VERSION = '1.38.0';
const MAVEN_MS = 15 * 60_000;

/**
 * Path of an executable for `createTimeSkipping({ server: { executable: { type: 'existing-path', path } } })`.
 * @throws Error naming both ways and what the operator can do.
 */
export async function timeSkippingExecutable(report: Report): Promise<string> {
  const given = process.env.TEMPORAL_TEST_SERVER_PATH;
  if (given) return given;
  const cache = path.join(cacheFolder(), 'temporal-test-server');
  const cached = find(cache);
  if (cached) return cached;
  const lock = await waitForLock(path.join(cache, 'obtain.lock'), 'obtain test server', ({ pid }) =>
    report(`waiting for process ${pid}, which is obtaining the time-skipping server`),
  );
  try {
    return find(cache) ?? (await obtain(cache, report));
  } finally {
    lock.release();
  }
}

async function obtain(cache: string, report: Report): Promise<string> {
  report('downloading the time-skipping test server');
  const fresh = path.join(cache, `fresh.${process.pid}`);
  rmSync(fresh, { recursive: true, force: true });
  const download = await sdkDownload('time-skipping', fresh, report);
  if (!download && readdirSync(fresh).length > 0) {
    renameSync(fresh, path.join(cache, 'sdk'));
    return find(cache) ?? '';
  }
  report(`no download; fetching io.temporal:temporal-test-server:${TEST_SERVER_VERSION} with Maven (38 MB)`);
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  writeFileSync(path.join(fresh, 'pom.xml'), pom());
  const maven =
    (await whyNoJava()) ??
    (await runWithProgress(
      'mvn',
      ['--batch-mode', '--no-transfer-progress', 'dependency:copy-dependencies', '-DoutputDirectory=lib'],
      { label: 'fetching the time-skipping server', report, cwd: fresh, timeoutMs: MAVEN_MS },
    ));
  if (maven === undefined) {
    const script = path.join(fresh, 'temporal-test-server');
    writeFileSync(script, wrapper());
    chmodSync(script, 0o755);
    const goal = path.join(cache, `maven-${TEST_SERVER_VERSION}`);
    rmSync(goal, { recursive: true, force: true });
    renameSync(fresh, goal);
    return path.join(goal, 'temporal-test-server');
  }
  rmSync(fresh, { recursive: true, force: true });
  throw new Error(
    [
      'The time-skipping test server could not be obtained. Tried:',
      `  - the download by the Temporal SDK: ${download ?? 'left no program'}`,
      `  - Maven, io.temporal:temporal-test-server:${TEST_SERVER_VERSION}: ${maven}`,
      'Install Java 11 or newer and Maven, or set TEMPORAL_TEST_SERVER_PATH to the program, and run the tests again.',
    ].join('\n'),
  );
}

function find(cache: string): string | undefined {
  const maven = path.join(cache, `maven-${TEST_SERVER_VERSION}`, 'temporal-test-server');
  if (existsSync(maven)) return maven;
  const downloads = path.join(cache, 'sdk');
  const name = existsSync(downloads) ? readdirSync(downloads)[0] : undefined;
  return name && path.join(downloads, name);
}

async function whyNoJava(): Promise<string | undefined> {
  try {
    await promisify(execFile)('java', ['-version'], { timeout: 30_000 });
    return undefined;
  } catch (error) {
    return `java does not run (${(error as Error).message.split('\n')[0]})`;
  }
}

/** A small heap and the client compiler: the server starts several times in a test run, beside everything else. */
function wrapper(): string {
  return `#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd)
exec java -Xmx512m -XX:TieredStopAtLevel=1 -cp "$here/lib/*" io.temporal.testserver.TestServer "$@"
`;
}

function pom(): string {
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>artist-spark</groupId>
  <artifactId>time-skipping</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>io.temporal</groupId>
      <artifactId>temporal-test-server</artifactId>
      <version>${TEST_SERVER_VERSION}</version>
    </dependency>
  </dependencies>
</project>
`;
}
