/** What is printed when the story is told: promises, mails, workflows, submissions, and where to look. */
import {
  addDays,
  atTimeOfDay,
  type BusinessClock,
  dateOf,
  toBusiness,
  toReal,
} from '../../domain/calendar.js';
import { MOST_DAYS_AHEAD } from '../../domain/daily-queue.js';
import type { StackAddresses } from '../../sandbox/programs.js';
import { sparkCommand } from '../output.js';
import type { DemoFacts, MemberFact } from './facts.js';
import type { PromiseResult } from './promise-result.js';
import { tally } from './promise-result.js';
import { CUT_OFF, GENERATED_AT, PARTS, type World } from './queue-plan.js';
import { businessDate } from './timeline.js';

/** The org's timezone, and so that of the story. */
const ZONE = 'UTC';
const HOUR_SECONDS = 3_600;

export function closingReport(facts: DemoFacts, promises: readonly PromiseResult[]): string {
  const kept = promises.filter((promise) => promise.held).length;
  const { reviews, reposts, queues, otherWorkflows } = facts;
  return [
    '',
    '══ What became of it (read from database, Temporal, mailbox and Slack) ══',
    '',
    ...promises.flatMap((promise) => promiseLines(promise)),
    '',
    ...columns(
      'Mails in the mailbox',
      tally(
        [...[...reviews, ...reposts].flatMap(({ mails }) => mails), ...facts.memberMails].flatMap((mail) =>
          Array<string>(mail.arrived).fill(mail.template),
        ),
      ),
    ),
    ...columns(
      "The org's workflows in Temporal",
      tally([
        ...reviews.map(({ workflow }) =>
          workflow === null
            ? 'review missing'
            : workflow.status === 'RUNNING'
              ? `review waits for ${workflow.waitingOn}`
              : `review ${workflow.status.toLowerCase()}`,
        ),
        ...queues.map(({ workflow }) => `queue ${workflow?.toLowerCase() ?? 'missing'}`),
        ...reposts.map(({ workflow }) => `assignment ${workflow?.status.toLowerCase() ?? 'missing'}`),
        ...otherWorkflows.map(
          ({ type, status }) => `${kindOf(type)} ${status.toLowerCase().replaceAll('_', ' ')}`,
        ),
      ]),
    ),
    ...columns(
      'Submissions',
      tally(
        reviews.map((review) =>
          review.withdrawnAt !== null
            ? `${review.status} (withdrawn)`
            : review.supportEndedAt !== null
              ? `${review.status} and supported`
              : review.status === 'approved' && review.closedAt === null
                ? 'approved, waits for a queue'
                : review.status,
        ),
      ),
    ),
    ...columns(
      'Reposts, and how they ended',
      tally(
        reposts.map(({ world, status }) => `${world === null ? 'not played' : label(world)} → ${status}`),
      ),
      [...new Set(reposts.flatMap(({ world }) => world ?? []))]
        .sort()
        .map((world) => `${label(world)}: of a supporter ${PARTS[world]}`),
    ),
    ...creditLines(facts),
    kept === promises.length
      ? `All ${kept} promises were kept.`
      : `${promises.length - kept} of ${promises.length} promises were BROKEN.`,
    '',
  ].join('\n');
}

/** Columns of the table of credits. */
const CREDITS: readonly (readonly [title: string, of: (member: MemberFact) => number])[] = [
  ['before', ({ firstGrant }) => firstGrant ?? 0],
  ['given', ({ given }) => given],
  ['granted', ({ newGrants }) => newGrants.reduce((sum, { credits }) => sum + credits, 0)],
  ['earned', ({ earned }) => earned],
  ['spent', ({ spent }) => spent],
  ['held', ({ held }) => held ?? 0],
  ['after', ({ balance }) => balance ?? 0],
  ['forfeit', ({ newGrants }) => newGrants.reduce((sum, { forfeited }) => sum + forfeited, 0)],
];

/** What the members of each tier had before, got and spent, and have now. */
function creditLines({ members, month }: DemoFacts): string[] {
  const tiers = [...new Set(members.map((member) => member.tier))].sort();
  const line = (title: string, of: readonly MemberFact[]) =>
    `  ${title.padEnd(8)} ${cells([of.length, ...CREDITS.map(([, credits]) => of.reduce((sum, member) => sum + credits(member), 0))])}`;
  return [
    `Credits (tier at the end; granted for ${month})`,
    `  ${'tier'.padEnd(8)} ${cells(['members', ...CREDITS.map(([title]) => title)])}`,
    ...tiers.map((tier) =>
      line(
        tier,
        members.filter((member) => member.tier === tier),
      ),
    ),
    line('all', members),
    '',
  ];
}

function cells(values: readonly (string | number)[]): string {
  return values.map((value) => String(value).padStart(8)).join(' ');
}

function promiseLines({ title, expected, seen, held, problems }: PromiseResult): string[] {
  return [
    `${held ? '✓' : '✗'} ${title}`,
    `    expected  ${expected}`,
    `    seen      ${seen}`,
    ...problems.map((problem) => `    ✗ ${problem}`),
  ];
}

function label(world: World): string {
  return world.replaceAll('_', ' ');
}

/** `monthlyCreditGrantWorkflow` as `monthly credit grant`. */
function kindOf(type: string): string {
  return type
    .replace(/Workflow$/u, '')
    .replace(/[A-Z]/gu, (letter) => ` ${letter.toLowerCase()}`)
    .trim();
}

/** @param legend what the names mean, a line each */
function columns(
  title: string,
  counts: Readonly<Record<string, number>>,
  legend: readonly string[] = [],
): string[] {
  const rows = Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    title,
    ...rows.map(([name, count]) => `  ${name.padEnd(32)} ${String(count).padStart(3)}`),
    ...(rows.length === 0 ? ['  none'] : []),
    ...legend.map((line) => `    ${line}`),
    '',
  ];
}

/** Where to look while it runs. */
export function addressLines(addresses: StackAddresses): string[] {
  const { apiUrl, temporalUiUrl, sandbox } = addresses;
  return [
    `  Temporal UI   ${temporalUiUrl}/namespaces/default/workflows`,
    `  API docs      ${apiUrl}/docs`,
    `  Mailbox       ${sandbox.urls.mailboxPage ?? '-'}`,
    `  Slack         ${sandbox.urls.slack ?? '-'}/messages (stand-in)`,
  ];
}

/** How queues go on, for who wants to approve one by hand: the day is as long as it is for as long as the data is kept. */
function queueLines(clock: BusinessClock): string[] {
  const { daySeconds } = clock;
  const now = toBusiness(clock, Date.now());
  const date = addDays(dateOf(now, ZONE), MOST_DAYS_AHEAD);
  const ahead = (toReal(clock, atTimeOfDay(date, hour(CUT_OFF), ZONE)) - Date.now()) / 60_000;
  const morning = ((CUT_OFF - GENERATED_AT) / 24) * daySeconds;
  return [
    `Queues: a day passes in ${daySeconds} s, so no queue is drafted by itself any more; what is approved waits for one. As admin:`,
    `  PATCH /v1/automations/daily-queue {"status":"enabled"} drafts one each morning again, to be approved from ${hour(GENERATED_AT)} to ${hour(CUT_OFF)}, for ${Math.round(morning)} s.`,
    `  POST /v1/queues {"date":"${date}"} then asks for that of a later day, up to ${MOST_DAYS_AHEAD} ahead: you have until ${hour(CUT_OFF)} of that day, now ${Math.floor(ahead)} min, to look and approve.`,
    '  Deadlines of reviews and proofs run on.',
  ];
}

function hour(of: number): string {
  return `${String(of).padStart(2, '0')}:00`;
}

/** For --keep: everything one needs to go on by hand. */
export function keptReport(options: {
  addresses: StackAddresses;
  orgId: string;
  folder: string;
  /** The last one is the member's. */
  tokens: readonly { who: string; token: string | null }[];
  /** A track that the member may submit. */
  trackUrl: string;
}): string {
  const { addresses, orgId, folder, tokens, trackUrl } = options;
  const { clock } = addresses;
  const example = tokens.at(-1)?.token ?? undefined;
  return [
    'Everything keeps running. Ctrl-C stops it. To look at it, and to go on with it after Ctrl-C:',
    `  ${sparkCommand('doctor', folder)}`,
    `  ${sparkCommand('start', folder)}`,
    '',
    ...addressLines(addresses),
    `  API           ${addresses.apiUrl}/v1`,
    `  Data folder   ${folder} (logs in logs/)`,
    `  Org           ${orgId}`,
    `  Business time ${businessDate(toBusiness(clock, Date.now()))} now, and it runs on`,
    '',
    ...queueLines(clock),
    '',
    'Tokens for "Authorization: Bearer …":',
    ...tokens.flatMap(({ who, token }) => [`  ${who}`, `  ${token}`]),
    '',
    'For example, a new submission by that member:',
    ...(example === undefined ? [] : [`  TOKEN=${example}`]),
    `  curl -X POST ${addresses.apiUrl}/v1/submissions -H "Authorization: Bearer $TOKEN" \\`,
    `    -H 'Idempotency-Key: try-1' -H 'Content-Type: application/json' \\`,
    `    -d '{"track_url":"${trackUrl}"}'`,
    '',
  ].join('\n');
}

/** For --keep: the last words, when everything is stopped. @param daySeconds real seconds of a business day */
export function keptFarewell(folder: string, daySeconds: number): string {
  const days = Math.round(HOUR_SECONDS / daySeconds);
  return [
    `Stopped. Its data folder is ${folder}; it goes on with:`,
    `  ${sparkCommand('start', folder)}`,
    `Its clock does not stop: an hour from now it is ${days} days later there. Delete the folder once you are done with it.`,
  ].join('\n');
}
