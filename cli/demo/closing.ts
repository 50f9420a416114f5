/** What is printed when the story is told: promises, mails, workflows, submissions, and where to look. */
import type { StackAddresses } from '../../sandbox/programs.js';
import type { DemoFacts, MemberFact } from './facts.js';
import type { PromiseResult } from './promise-result.js';
import { tally } from './promise-result.js';

export function closingReport(facts: DemoFacts, promises: readonly PromiseResult[]): string {
  const kept = promises.filter((promise) => promise.held).length;
  const { reviews, reposts, queues } = facts;
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
      'Workflows in Temporal',
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
              : review.status,
        ),
      ),
    ),
    ...columns(
      'Reposts, and how they ended',
      tally(reposts.map(({ world, status }) => `${world?.replaceAll('_', ' ') ?? 'not played'} → ${status}`)),
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

function columns(title: string, counts: Readonly<Record<string, number>>): string[] {
  const rows = Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    title,
    ...rows.map(([name, count]) => `  ${name.padEnd(32)} ${String(count).padStart(3)}`),
    ...(rows.length === 0 ? ['  none'] : []),
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

/** For --keep: everything one needs to go on by hand. */
export function keptReport(options: {
  addresses: StackAddresses;
  orgId: string;
  folder: string;
  tokens: readonly { who: string; token: string | null }[];
  /** A track that the member may submit. */
  trackUrl: string;
}): string {
  const { addresses, orgId, folder, tokens, trackUrl } = options;
  return [
    'Everything keeps running. Ctrl-C stops it; `spark start --data` goes on with it:',
    ...addressLines(addresses),
    `  API           ${addresses.apiUrl}/v1`,
    `  Data folder   ${folder} (logs in logs/)`,
    `  Org           ${orgId}`,
    '',
    'Tokens for "Authorization: Bearer …":',
    ...tokens.flatMap(({ who, token }) => [`  ${who}`, `  ${token}`]),
    '',
    'For example, a new submission by that member:',
    `  curl -X POST ${addresses.apiUrl}/v1/submissions -H "Authorization: Bearer $TOKEN" \\`,
    `    -H 'Idempotency-Key: try-1' -H 'Content-Type: application/json' \\`,
    `    -d '{"track_url":"${trackUrl}"}'`,
    '',
  ].join('\n');
}
