/** The programs of the stack that are ours, and what each is told. */
import path from 'node:path';
import { z } from 'zod';
import type { BusinessClock } from '../domain/calendar.js';
import { cacheFolder } from './cache-folder.js';
import type { LogLine, NodeProgram } from './node-program.js';

/** Everything a program may need to know about the rest of the stack. */
export interface StackAddresses {
  databaseUrls: { owner: string; api: string; worker: string };
  temporalAddress: string;
  temporalUiUrl: string;
  apiUrl: string;
  apiPort: number;
  jwtSecret: string;
  clock: BusinessClock;
  /** The stand-ins: known once they run. `urls` for people, `env` for worker and API. */
  sandbox: { urls: Record<string, string>; env: Record<string, string> };
  /** Folder and ports of the stand-ins. */
  sandboxFolder: string;
  sandboxPorts: Record<string, number>;
}

export interface ProgramSpec {
  name: string;
  script: string;
  args?(addresses: StackAddresses): string[];
  env(addresses: StackAddresses): NodeJS.ProcessEnv | Promise<NodeJS.ProcessEnv>;
  ready: NodeProgram['ready'];
  /** Takes over what the program says about itself when it is ready. */
  onReady?(line: LogLine, addresses: StackAddresses): void;
  /** How long it may finish what it does after SIGTERM. */
  graceMs: number;
}

/** Systems of `sandbox/systems.ts`; their ports are kept by the stack like all others. */
export const SANDBOX_PORTS = ['soundcloud', 'planner', 'mailbox', 'slack'] as const;

const sandboxLine = z.object({
  urls: z.record(z.string(), z.string()),
  env: z.record(z.string(), z.string()),
});

/** The first one is ready before the others start: they are told its addresses. Stopped in the opposite order. */
export const PROGRAMS: readonly ProgramSpec[] = [
  {
    name: 'sandbox',
    script: 'sandbox/main.ts',
    args: ({ sandboxFolder, sandboxPorts, clock, apiUrl }) => [
      '--data-dir',
      sandboxFolder,
      '--ports',
      JSON.stringify(sandboxPorts),
      '--clock',
      JSON.stringify(clock),
      '--catalogue',
      'demo',
      '--planner-webhook',
      `${apiUrl}/v1/webhooks/influence-planner`,
    ],
    env: () => ({}),
    ready: (line) => line.ready === true,
    onReady: (line, addresses) => {
      addresses.sandbox = sandboxLine.parse(line);
    },
    graceMs: 5_000,
  },
  {
    name: 'worker',
    script: 'worker.ts',
    env: async (addresses) => ({
      ...common(addresses),
      SPARK_WORKER_DATABASE_URL: addresses.databaseUrls.worker,
      SPARK_WORKFLOW_BUNDLE: await keptBundle(),
    }),
    ready: (line) => line.msg === 'worker ready',
    graceMs: 30_000,
  },
  {
    name: 'api',
    script: 'api/server.ts',
    env: (addresses) => ({
      ...common(addresses),
      SPARK_API_DATABASE_URL: addresses.databaseUrls.api,
      HOST: '127.0.0.1',
      PORT: String(addresses.apiPort),
      JWT_SECRET: addresses.jwtSecret,
    }),
    ready: (line) => line.msg === 'api ready',
    graceMs: 15_000,
  },
];

/** Made at the first start; a worker that was killed is back sooner with it. */
async function keptBundle(): Promise<string> {
  // Loads the whole worker library, which short commands can do without.
  const { workflowBundle } = await import('./workflow-bundle.js');
  return workflowBundle(path.join(cacheFolder(), 'workflow-bundles'));
}

function common({ temporalAddress, temporalUiUrl, apiUrl, sandbox }: StackAddresses): NodeJS.ProcessEnv {
  return {
    TEMPORAL_ADDRESS: temporalAddress,
    TEMPORAL_NAMESPACE: 'default',
    TEMPORAL_UI_URL: temporalUiUrl,
    PUBLIC_URL: apiUrl,
    ...sandbox.env,
  };
}

/**
 * The environment a program inherits: ours without what belongs to other deployments or to the owner. What the stack
 * sets itself wins over what happens to be exported in the operator's shell.
 */
export function inheritedEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const foreign =
    /^(DATABASE_URL|SPARK_.*DATABASE_URL|SPARK_DB_PASSWORD|PG[A-Z]+|TEMPORAL_.*|JWKS_URL|JWT_SECRET)$/;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !foreign.test(name)));
}
