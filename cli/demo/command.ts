/** `spark demo`: one org's three days in about five minutes, on a stack of its own, and whether every promise held. */
import type { Command } from 'commander';
import { readConfig } from '../../config/config.js';
import { createTemporalClient } from '../../config/temporal.js';
import { createDatabase } from '../../db/client.js';
import { DAY_MS, HOUR_MS } from '../../domain/calendar.js';
import { createSandboxAdmin } from '../../sandbox/admin-client.js';
import { demoTracks } from '../../sandbox/soundcloud/catalogue.js';
import { type Stack, type StackEvent, startStack } from '../../sandbox/supervisor.js';
import { integerArgument } from '../arguments.js';
import { untilInterrupted } from '../interrupt.js';
import { answer, say, stackPrinter } from '../output.js';
import { addressLines, closingReport, keptFarewell, keptReport } from './closing.js';
import { collectFacts } from './collect.js';
import { doctorFindings } from './collect-month.js';
import { keepDemoFolder, makeDemoFolder, removeDemoFolder, sweepDemoFolders } from './folder.js';
import { chooseConnections } from './month-end.js';
import { buildNetwork, type DemoOps, holdQueues, makeOrg, type Network } from './network.js';
import { InVainError } from './patience.js';
import { reviewPlan } from './plan.js';
import { judgePromises } from './promises.js';
import { UNREPOST_AFTER_HOURS, USUAL_WATCH_HOURS, WATCH_HOURS } from './queue-plan.js';
import { Stage } from './stage.js';
import { tellStory } from './story.js';
import { Timeline } from './timeline.js';
import { Witness } from './witness.js';

interface DemoOptions {
  keep?: boolean;
  daySeconds: number;
  data?: string;
}

const USUAL_DAY_SECONDS = 72;
/** In an hour of the business day ops must be able to give a few commands. */
const FASTEST_DAY_SECONDS = 60;
const LONGEST_DAY_SECONDS = 600;
const WEDNESDAY = 3;
const INTERRUPTED = 130;
/** Real time in which the stack starts and the network is made, before the midnight at which the story opens. */
const PREPARATION_MS = 45_000;
/** A submission that is possible after the story, for who wants to go on by hand. */
const AGAIN = { handle: 'distant-harbor', url: 'https://soundcloud.com/distant-harbor/slow-weather' };

export function registerDemo(program: Command): void {
  program
    .command('demo')
    .description(
      'show reviews, queues, proofs, credits and the end of a month: three business days in five minutes',
    )
    .option(
      '--keep',
      'leave everything running at the end, without further queues, and print addresses and tokens',
    )
    .option(
      '--day-seconds <n>',
      'real seconds of a business day',
      integerArgument(FASTEST_DAY_SECONDS, LONGEST_DAY_SECONDS),
      USUAL_DAY_SECONDS,
    )
    .option(
      '--data <folder>',
      'a new or empty data folder (default: one of its own, below the temporary folder)',
    )
    .addHelpText(
      'after',
      '\nExit code 0: every promise held. 1: one was broken. Without --keep its data folder is removed at the end.',
    )
    .action(demo);
}

async function demo(options: DemoOptions): Promise<void> {
  await sweepDemoFolders(say);
  const folder = makeDemoFolder(options.data);
  if (options.keep) keepDemoFolder(folder);
  const began = Date.now();
  const opening = openingAfter(new Date());
  let ops: DemoOps | undefined;
  let timeline: Timeline | undefined;
  let finished = false;
  const printStart = stackPrinter();
  // Once the story runs, what happens to the stack belongs into its timeline.
  const report = (event: StackEvent) => {
    if (timeline && event.kind === 'trouble') timeline.say('alarm', `Supervisor: ${event.message}.`);
    else printStart(event);
  };
  say(introduction(options.daySeconds));
  try {
    await untilInterrupted({
      report: say,
      farewell: options.keep ? keptFarewell(folder, options.daySeconds) : 'Stopped.',
      begin: (signal) =>
        startStack({
          folder,
          daySeconds: options.daySeconds,
          businessStart: opening - (PREPARATION_MS / 1_000 / options.daySeconds) * DAY_MS,
          report,
          signal,
          prepare: async ({ databaseUrls }) => {
            ops = await makeOrg(databaseUrls.owner);
          },
        }),
      running: async (stack, signal) => {
        if (!ops) throw new Error('The stack was started without its org.');
        timeline = new Timeline(stack.addresses.clock, answer, began);
        try {
          const network = await perform({ stack, ops, timeline, opening, signal });
          finished = true;
          if (!options.keep) return 'stop';
          await holdQueues(network.admin);
          answer(
            keptReport({
              ...stack,
              folder,
              orgId: ops.orgId,
              tokens: tokensOf(network),
              trackUrl: AGAIN.url,
            }),
          );
          return 'stay';
        } catch (error) {
          if (signal.aborted) return 'stop';
          throw error;
        } finally {
          timeline = undefined;
        }
      },
    });
  } finally {
    if (!options.keep) await removeDemoFolder(folder);
  }
  if (!finished) process.exitCode = INTERRUPTED;
}

interface Performance {
  stack: Stack;
  ops: DemoOps;
  timeline: Timeline;
  /** Business time at which the story opens. */
  opening: number;
  signal: AbortSignal;
}

/** Builds the network, tells the story, judges the promises. Sets the exit code. */
async function perform({ stack, ops, timeline, opening, signal }: Performance): Promise<Network> {
  const { addresses } = stack;
  timeline.chapter(
    'The network',
    `An org with an admin, a moderator and 60 members, made through the HTTP API. Days and times on the left are business time: the story is set at the end of ${monthOf(opening)}, whatever today is. Beside them stands the real time since the start. To watch:`,
  );
  for (const line of addressLines(addresses)) answer(` ${line}`);
  const { client: temporal, connection } = createTemporalClient(
    readConfig({ TEMPORAL_ADDRESS: addresses.temporalAddress }),
  );
  const db = createDatabase(addresses.databaseUrls.owner, { max: 4, applicationName: 'artist-spark demo' });
  try {
    const { soundcloud = '', planner = '', mailbox = '', slack = '' } = addresses.sandbox.urls;
    const sandbox = createSandboxAdmin({ soundcloud, planner, mailbox, slack });
    const sources = { orgId: ops.orgId, db, clock: addresses.clock, temporal, sandbox };
    const plan = reviewPlan();
    await chooseConnections(sandbox);
    const network = await buildNetwork({ addresses, ops, signal });
    timeline.say('system', '60 members of the tiers T1 to T4 in 3 genre families; all of them sign in.');
    timeline.say(
      'act',
      `Admin sets: the watch over a repost lasts ${WATCH_HOURS} h (by default ${USUAL_WATCH_HOURS} h).`,
    );
    const tracks = await sandbox.addTracks(demoTracks().map(({ expected: _expected, ...track }) => track));
    const links = new Map(
      plan.map(({ track }, index) => [track, tracks[index] ?? { url: '', shortUrl: '', urn: '' }]),
    );
    const stage = new Stage({ stack, network, sources, timeline, links, opening, signal });
    const witness = new Witness({
      sources,
      timeline,
      people: network.people,
      nameOf: (id) => stage.nameOf(id),
      nameOfMember: (id) => network.nameOf(network.handleOf(id)),
    });
    witness.start();
    const told = await tellStory(stage)
      .then(
        () => true,
        (error: unknown) => {
          if (signal.aborted || !(error instanceof InVainError)) throw error;
          timeline.say('alarm', `The story stops here: ${error.message}`);
          return false;
        },
      )
      .finally(() => witness.stop());
    await witness.look();
    const workerPid = stack.service('worker').pid ?? null;
    const facts = await collectFacts(sources, stage.record, {
      waits: witness.waits,
      flags: witness.flags,
      workerPid,
      doctor: await doctorFindings(addresses),
    });
    const promises = judgePromises(facts);
    answer(closingReport(facts, promises));
    if (!told || promises.some((promise) => !promise.held)) process.exitCode = 1;
    return network;
  } finally {
    await connection.close();
    await db.destroy();
  }
}

function introduction(daySeconds: number): string {
  const hour = ((daySeconds * HOUR_MS) / DAY_MS).toFixed(1);
  return [
    'The demo runs on a stack of its own: databases, Temporal, stand-ins of SoundCloud, Influence Planner, the mail provider and Slack.',
    `Its business day lasts ${daySeconds} s, so that an hour passes in ${hour} s; limits of requests to the systems outside are as much higher.`,
    `Program and rules are those of production. Two settings differ from an org's defaults, so that credits move and reposts come`,
    `down within the story: the watch over a repost lasts ${WATCH_HOURS} h rather than ${USUAL_WATCH_HOURS}, and from the second day on reposts are taken down`,
    `${UNREPOST_AFTER_HOURS} h after their slot, where by default they stay. What members and SoundCloud do is played by a script.`,
    'The first start may take minutes, where the Temporal server has to be built.',
    '',
  ].join('\n');
}

/** The Monday before a first of the month that is a Wednesday, at midnight: the month ends in the middle of the story. */
function openingAfter(today: Date): number {
  for (let month = today.getUTCMonth(); ; month += 1) {
    const first = new Date(Date.UTC(today.getUTCFullYear(), month, 1));
    if (first.getUTCDay() === WEDNESDAY) return first.getTime() - 2 * DAY_MS;
  }
}

/** `September 2026`. */
function monthOf(instant: number): string {
  return new Date(instant).toLocaleDateString('en-GB', { month: 'long', year: 'numeric', timeZone: 'UTC' });
}

/** The member is one who may submit again: the track was withdrawn. */
function tokensOf(network: Network): { who: string; token: string | null }[] {
  const { handle } = AGAIN;
  return [
    { who: 'admin', token: network.admin.token },
    { who: 'moderator', token: network.moderator.token },
    { who: `member (${network.nameOf(handle)})`, token: network.member(handle).token },
  ];
}
