/** Promises about what goes on by itself: mails, targets, genres, and that no record contradicts another. */
import type { DemoFacts, ReviewFacts } from './facts.js';
import { NAMED_FAMILY } from './plan.js';
import { counted, judged, type PromiseResult, some, tally } from './promise-result.js';
import { latest, name } from './promises-time.js';

export function oneMailOfEachKind({ reviews, strayMails }: DemoFacts): PromiseResult {
  const wanted = reviews.map(expectedMails);
  const arrived = reviews.flatMap((review) =>
    review.mails.flatMap((mail) => Array<string>(mail.arrived).fill(mail.template)),
  );
  return judged(
    'Each mail that is due arrives once, none twice, none that is not due',
    { expected: counted(sum(wanted)), seen: counted(tally(arrived)) },
    [
      strayMails > 0 && `${strayMails} mails arrived that nobody wrote down.`,
      ...reviews.flatMap((review, index) => {
        const due = wanted[index] ?? {};
        const written = tally(review.mails.map((mail) => mail.template));
        const templates = new Set([...Object.keys(due), ...Object.keys(written)]);
        return [
          ...[...templates].map(
            (template) =>
              (due[template] ?? 0) !== (written[template] ?? 0) &&
              `${name(review)}: ${due[template] ?? 0} × ${template} due, ${written[template] ?? 0} written.`,
          ),
          ...review.mails.map(
            (mail) =>
              (mail.status !== 'sent' || mail.arrived !== 1) &&
              `${name(review)}: ${mail.template} is ${mail.status} and arrived ${mail.arrived} times.`,
          ),
        ];
      }),
    ],
  );
}

/** By the state of the row; how often a link is asked for is judged with the clock. */
function expectedMails(review: ReviewFacts): Record<string, number> {
  const asks = review.mails.filter((mail) => mail.template === 'request_live_link').length;
  return {
    submission_confirmation: 1,
    submission_approved: review.status === 'approved' ? 1 : 0,
    submission_rejected: review.status === 'rejected' && review.withdrawnAt === null ? 1 : 0,
    request_live_link: review.planned?.asksLink ? asks : 0,
    support_confirmation: review.supportEndedAt === null ? 0 : 1,
  };
}

export function targetsFresh(facts: DemoFacts): PromiseResult {
  const approved = facts.reviews.filter((review) => review.status === 'approved');
  const fresh = approved.filter((review) => freshUntil(review) > servedAt(facts, review));
  const due = approved.filter(
    (review) => !fresh.includes(review) && latest(facts, freshUntil(review)) >= servedAt(facts, review),
  );
  const rebuilt = approved.reduce((count, review) => count + Math.max(0, review.proposals.length - 1), 0);
  return judged(
    'Every approved track has targets, and a proposal not older than a day, until its queue is published',
    {
      expected: `${approved.length} fresh or just being renewed`,
      seen: `${fresh.length} fresh, ${due.length} just being renewed (${some(rebuilt, 'proposal')} built anew in the story)`,
    },
    [
      rebuilt === 0 && 'No proposal was built anew, so that this could not be seen.',
      ...approved.flatMap((review) => {
        const { proposals } = review;
        if (proposals.length === 0) return [`${name(review)} has no proposal.`];
        return [
          latest(facts, freshUntil(review)) < servedAt(facts, review) &&
            `${name(review)}: its proposal expired before it was served.`,
          ...proposals.map(
            ({ targets }, index) => targets === 0 && `${name(review)}: proposal ${index + 1} has no targets.`,
          ),
          review.suggestedSupporters === 0 && `${name(review)} names no suggested supporters.`,
          ...proposals.slice(1).map((next, index) => {
            const due = proposals[index]?.expiresAt ?? 0;
            return (
              (next.createdAt < due || next.createdAt > latest(facts, due)) &&
              `${name(review)}: proposal ${index + 2} was not built when the one before expired.`
            );
          }),
        ];
      }),
    ],
  );
}

function freshUntil({ proposals }: ReviewFacts): number {
  return proposals.at(-1)?.expiresAt ?? 0;
}

/** Until then somebody may look at the targets: the publication of its queue, or now while it still waits. */
function servedAt({ now }: DemoFacts, { events }: ReviewFacts): number {
  return events.find(({ type }) => type === 'submission.assigned')?.at ?? now;
}

export function genresKnown({ reviews }: DemoFacts): PromiseResult {
  const known = reviews.filter((review) => review.planned?.family !== null);
  const right = known.filter((review) => review.family === review.planned?.family);
  const unknown = reviews.filter((review) => review.planned?.family === null);
  const named = unknown.filter(
    (review) => review.flags.includes('genre_unknown') && review.family === NAMED_FAMILY,
  );
  return judged(
    'Genres are read from title, tags and genre; a track without one goes to a person',
    {
      expected: `${known.length} classified, ${unknown.length} flagged and named`,
      seen: `${right.length} classified, ${named.length} flagged and named`,
    },
    [
      ...known.map(
        (review) =>
          !right.includes(review) &&
          `${name(review)} is ${review.family ?? 'nothing'}, not ${review.planned?.family}.`,
      ),
      ...unknown.map((review) => !named.includes(review) && `${name(review)} was not flagged and named.`),
    ],
  );
}

export function twoRecordsAgree({ reviews }: DemoFacts): PromiseResult {
  const open = reviews.filter((review) => review.closedAt === null);
  const running = reviews.filter(({ workflow }) => workflow?.status === 'RUNNING');
  return judged(
    'Database and Temporal tell the same: what is open, what it waits for, until when',
    {
      expected: `${open.length} open, ${reviews.length - open.length} closed`,
      seen: `${running.length} running, ${reviews.length - running.length} ended`,
    },
    reviews.flatMap(({ workflow, wait, closedAt, ...rest }) => {
      const title = rest.planned?.track ?? rest.id;
      if (workflow === null) return [];
      if (closedAt !== null) {
        return [
          workflow.status !== 'COMPLETED' && `${title} is closed, its review ${workflow.status}.`,
          wait !== null && `${title} is closed and still waits for ${wait.waitingOn}.`,
        ];
      }
      if (wait === null) return [`${title} is open and waits for nothing.`];
      const seen = [workflow.stage, workflow.waitingOn, workflow.dueAt, workflow.breached];
      const expected = [wait.stage, wait.waitingOn, wait.dueAt, wait.breached];
      return [
        workflow.status !== 'RUNNING' && `${title} is open, its review ${workflow.status}.`,
        JSON.stringify(seen) !== JSON.stringify(expected) &&
          `${title} waits for ${expected.join(' / ')}, Temporal shows ${seen.join(' / ')}.`,
      ];
    }),
  );
}

export function nothingLeftLying({
  reviews,
  reposts,
  pendingCommands,
  outbox,
  ledgerViolations,
}: DemoFacts): PromiseResult {
  const written = [...reviews, ...reposts].flatMap(({ mails }) => mails);
  const mails = written.filter(({ status }) => status === 'pending');
  return judged(
    'Nothing is left lying: outbox, commands and mails are done, the ledger adds up',
    {
      expected: '0 events, 0 commands, 0 mails, 0 violations',
      seen: `${outbox.unrelayed} events, ${pendingCommands} commands, ${mails.length} mails, ${some(ledgerViolations.length, 'violation')}`,
    },
    [
      outbox.unrelayed > 0 && `${outbox.unrelayed} events wait in the outbox (${outbox.failing} failing).`,
      pendingCommands > 0 && `${pendingCommands} commands have no outcome.`,
      mails.length > 0 && `${mails.length} mails are not sent.`,
      ...ledgerViolations,
    ],
  );
}

function sum(all: readonly Record<string, number>[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const counts of all) {
    for (const [key, count] of Object.entries(counts)) total[key] = (total[key] ?? 0) + count;
  }
  return total;
}
