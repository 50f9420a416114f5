/** Stand-ins of a test file: in this process, over real HTTP, in a folder that goes away with them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createSandboxAdmin, type SandboxAdmin } from '../../sandbox/admin-client.js';
import { type SandboxOptions, type SandboxSystems, startSandboxSystems } from '../../sandbox/systems.js';

export interface TestSandbox extends SandboxSystems {
  admin: SandboxAdmin;
  dataDir: string;
  /** Stops the systems and starts them again on the same folder and ports. */
  restart(): Promise<void>;
  /** Stops the systems and removes the folder. */
  remove(): Promise<void>;
}

/** A test asks faster than 5 a second or 30 a minute; tests of the limits set them themselves. */
const UNLIMITED = { requests: 1_000_000, windowMs: 1_000 };

export async function createTestSandbox(options: Omit<SandboxOptions, 'dataDir'> = {}): Promise<TestSandbox> {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'artist-spark-sandbox-'));
  const start = (ports = options.ports) =>
    startSandboxSystems({ mailLimit: UNLIMITED, plannerLimit: UNLIMITED, ...options, ports, dataDir });
  let systems = await start();
  const { urls, ports, env, clock } = systems;
  return {
    urls,
    ports,
    env,
    clock,
    dataDir,
    admin: createSandboxAdmin(urls),
    stop: () => systems.stop(),
    restart: async () => {
      await systems.stop();
      systems = await start(ports);
    },
    remove: async () => {
      await systems.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
