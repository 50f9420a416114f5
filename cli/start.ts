/** `spark start`: the whole product on this machine, until Ctrl-C. */
import type { Command } from 'commander';
import { REAL_DAY_SECONDS, SHORTEST_DAY_SECONDS } from '../domain/calendar.js';
import { defaultDataFolder } from '../sandbox/data-folder.js';
import { type Stack, type StackOptions, startStack } from '../sandbox/supervisor.js';
import { integerArgument } from './arguments.js';
import { DEMO_ORG, type DemoOrg, seedDemoOrg } from './demo-org.js';
import { untilInterrupted } from './interrupt.js';
import { say, sparkCommand, stackPrinter } from './output.js';
import { signToken } from './token.js';

interface StartOptions {
  data?: string;
  daySeconds?: number;
  port?: number;
}

const TOKEN_HOURS = 24;

export function registerStart(program: Command): void {
  program
    .command('start')
    .description('run everything on this machine: databases, Temporal, stand-ins, worker, API')
    .option('--data <folder>', 'data folder (default: SPARK_HOME, else ~/.local/share/artist-spark)')
    .option(
      '--day-seconds <n>',
      'real seconds of a business day; only when the folder is made (default: real time)',
      integerArgument(SHORTEST_DAY_SECONDS, REAL_DAY_SECONDS),
    )
    .option(
      '--port <n>',
      'port of the API (default: the last one, else 8080, else a free one)',
      integerArgument(1, 65_535),
    )
    .addHelpText(
      'after',
      '\nWith DATABASE_URL set, that database is used instead of the embedded one (see docs/guide/running.md).\nCtrl-C stops everything in order; the next start goes on where it was.',
    )
    .action(start);
}

async function start(options: StartOptions): Promise<void> {
  let demo: DemoOrg | undefined;
  await untilInterrupted({
    report: say,
    begin: (signal) =>
      startStack({
        folder: options.data ?? defaultDataFolder(),
        daySeconds: options.daySeconds,
        apiPort: options.port,
        database: externalDatabase(process.env),
        report: stackPrinter(),
        signal,
        prepare: async (addresses) => {
          demo = await seedDemoOrg(addresses);
        },
      }),
    running: async (stack) => {
      if (demo) say(await describe(stack, demo, process.env.DATABASE_URL ? undefined : options.data));
      return 'stay';
    },
  });
}

/**
 * Everything one needs to look inside, with a token per role.
 * @param data the folder that commands must be given; undefined where they find the database by themselves
 */
async function describe(stack: Stack, { orgId, logins }: DemoOrg, data?: string): Promise<string> {
  const { addresses, folder } = stack;
  const { sandbox, apiUrl, temporalAddress, temporalUiUrl, clock, jwtSecret } = addresses;
  const database = new URL(addresses.databaseUrls.owner);
  const tokens = await Promise.all(
    logins.map(
      async ({ role, login }) =>
        `  ${role}\n  ${await signToken({ secret: jwtSecret, login, hours: TOKEN_HOURS })}`,
    ),
  );
  return [
    '',
    'Artist Spark runs. Ctrl-C stops it.',
    '',
    `  API            ${apiUrl}/v1`,
    `  API docs       ${apiUrl}/docs`,
    `  Temporal UI    ${temporalUiUrl}`,
    `  Temporal       ${temporalAddress}`,
    `  Mailbox        ${sandbox.urls.mailboxPage ?? '-'}`,
    `  SoundCloud     ${sandbox.urls.soundcloud ?? '-'} (stand-in)`,
    `  Infl. Planner  ${sandbox.urls.planner ?? '-'} (stand-in)`,
    `  Slack          ${sandbox.urls.slack ?? '-'} (stand-in)`,
    `  Database       ${database.host}${database.pathname} (user ${database.username})`,
    `  Data folder    ${folder.root} (logs in logs/)`,
    `  A day lasts    ${clock.daySeconds === REAL_DAY_SECONDS ? '24 h (real time)' : `${clock.daySeconds} s`}`,
    '',
    `Org "${DEMO_ORG}": ${orgId}`,
    `Tokens for "Authorization: Bearer …", good for ${TOKEN_HOURS} h (more: ${sparkCommand('keys login EMAIL', data)}; is all well: ${sparkCommand('doctor', data)}):`,
    ...tokens,
    '',
  ].join('\n');
}

/**
 * The database of the environment, if one is given.
 * @throws Error when the logins of API and worker cannot be told from it.
 */
export function externalDatabase(env: NodeJS.ProcessEnv): StackOptions['database'] {
  const { DATABASE_URL: owner, SPARK_DB_PASSWORD: password } = env;
  if (!owner) return undefined;
  const as = (login: string, given: string | undefined) => {
    if (given) return given;
    if (!password) {
      throw new Error(
        'DATABASE_URL is set, but not how worker and API sign in there. Set SPARK_DB_PASSWORD (given to the logins spark_api and spark_worker), or SPARK_API_DATABASE_URL and SPARK_WORKER_DATABASE_URL. To use the embedded database, unset DATABASE_URL.',
      );
    }
    const url = new URL(owner);
    url.username = login;
    url.password = password;
    return url.href;
  };
  return {
    owner,
    api: as('spark_api', env.SPARK_API_DATABASE_URL),
    worker: as('spark_worker', env.SPARK_WORKER_DATABASE_URL),
    ...(password && { loginPassword: password }),
  };
}
