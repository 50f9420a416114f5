/**
 * The stand-ins as a process of their own. Prints one line of JSON when all listen:
 * `{"ready":true,"urls":{…},"ports":{…},"env":{…}}`, and ends on SIGTERM or SIGINT.
 *
 *   --data-dir DIR         where their state is kept (required)
 *   --ports JSON           exact ports, such as {"mailbox":8025}
 *   --clock JSON           {"realStart":ms,"businessStart":ms,"daySeconds":s}, the row of soundcloud_clock
 *   --day-seconds N        length of a business day, when no clock is given
 *   --catalogue demo|FILE  the demo's network, or a JSON file {"users":[…],"tracks":[…],"members":[…]}
 *   --planner-webhook URL  where Influence Planner's webhooks go
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { memberInput } from './influence-planner/members.js';
import { demoCatalogue } from './soundcloud/catalogue.js';
import { trackInput, userInput } from './soundcloud/resources.js';
import { SANDBOX_SYSTEMS, type SandboxOptions, startSandboxSystems } from './systems.js';

const json = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'must be JSON' });
    return z.NEVER;
  }
});

const argumentsSchema = z.object({
  'data-dir': z.string({ error: 'is required: the folder for the state of the stand-ins' }).min(1),
  ports: json.pipe(z.partialRecord(z.enum(SANDBOX_SYSTEMS), z.number().int().min(0).max(65_535))).optional(),
  clock: json
    .pipe(z.object({ realStart: z.number(), businessStart: z.number(), daySeconds: z.number() }))
    .optional(),
  'day-seconds': z.coerce.number().positive().optional(),
  catalogue: z.string().optional(),
  'planner-webhook': z.url().optional(),
});

const catalogueSchema = z.object({
  users: z.array(userInput).optional(),
  tracks: z.array(trackInput).optional(),
  members: z.array(memberInput).optional(),
});

function readCatalogue(from: string | undefined): SandboxOptions['catalogue'] {
  if (from === undefined) return undefined;
  if (from === 'demo') return demoCatalogue();
  const { users, tracks, members } = catalogueSchema.parse(JSON.parse(readFileSync(from, 'utf8')));
  return { users: users ?? [], tracks: tracks ?? [], members: members ?? [] };
}

async function main(): Promise<void> {
  const string = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      'data-dir': string,
      ports: string,
      clock: string,
      'day-seconds': string,
      catalogue: string,
      'planner-webhook': string,
    },
  });
  const args = argumentsSchema.safeParse(values);
  if (!args.success) throw new Error(z.prettifyError(args.error));
  const systems = await startSandboxSystems({
    dataDir: args.data['data-dir'],
    ports: args.data.ports,
    clock: args.data.clock,
    daySeconds: args.data['day-seconds'],
    catalogue: readCatalogue(args.data.catalogue),
    plannerWebhookUrl: args.data['planner-webhook'],
  });
  let stopping = false;
  const stop = () => {
    if (stopping) return;
    stopping = true;
    void systems.stop().finally(() => process.exit(0));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  console.log(JSON.stringify({ ready: true, urls: systems.urls, ports: systems.ports, env: systems.env }));
}

main().catch((error: unknown) => {
  console.error(`The stand-ins did not start: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
});
