/**
 * The one way a lifecycle waits. The row in `soundcloud_waits` is written by the transaction that changes the state;
 * here the same wait becomes visible in the Temporal UI: search attributes, current details, and the timer's summary.
 */
import { condition, setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import { type BusinessClock, compression, realWait, toBusiness } from '../../domain/calendar.js';
import type { Wait } from '../../domain/waiting.js';
import { searchAttributes } from './search-attributes.js';

/** The Temporal UI cuts the last line of its frame off: this one, a no-break space, is spare. */
const SPARE_LINE = '\u00a0';

/** The longest timer set at once; a longer wait is taken in steps, so that it stays right whatever its length. */
const LONGEST_TIMER_MS = 30 * 86_400_000;

export interface Waiting {
  /** Business time now, from workflow time. */
  now(): number;
  /**
   * Shows what the lifecycle waits for; writes to history only what changed.
   * @param about what the lifecycle is about, as the reader knows it: "Artist – Title".
   */
  announce(wait: Wait, about: string): void;
  /** Nothing is waited for any more; only what is owed outside is still handed over. */
  conclude(status: string, about: string): void;
  /**
   * Waits until `ready()` or until a business instant.
   * @returns true when `ready()` holds, false when the instant was reached first.
   */
  until(ready: () => boolean, at: number | null, summary: string): Promise<boolean>;
}

export function createWaiting(clock: BusinessClock, timezone: string): Waiting {
  let shown: Record<string, unknown> = {};
  const now = () => toBusiness(clock, Date.now());

  return {
    now,
    announce(wait, about) {
      const facts = {
        Stage: { key: searchAttributes.stage, value: wait.stage },
        WaitingOn: { key: searchAttributes.waitingOn, value: wait.waitingOn },
        DueAt: { key: searchAttributes.dueAt, value: wait.dueAt === null ? null : new Date(wait.dueAt) },
        Breached: { key: searchAttributes.breached, value: wait.breached },
      };
      const comparable = Object.fromEntries(
        Object.entries(facts).map(([name, fact]) => [name, String(fact.value)]),
      );
      const changed = Object.entries(facts).filter(([name]) => comparable[name] !== shown[name]);
      const news = changed.filter(
        ([name, fact]) => !(shown[name] === undefined && (fact.value === null || fact.value === false)),
      );
      if (news.length > 0) upsertSearchAttributes(news.map(([, fact]) => fact));
      shown = comparable;
      setCurrentDetails(describe(wait, clock, timezone, about));
    },
    conclude(status, about) {
      upsertSearchAttributes([
        { key: searchAttributes.stage, value: 'closed' },
        { key: searchAttributes.waitingOn, value: null },
        { key: searchAttributes.dueAt, value: null },
      ]);
      shown = { ...shown, Stage: 'closed', WaitingOn: 'null', DueAt: 'null' };
      setCurrentDetails(
        `**${about}**\n\nClosed: ${status}. What is owed outside is still handed over.\n\n${SPARE_LINE}`,
      );
    },
    async until(ready, at, summary) {
      if (at === null) {
        await condition(ready);
        return true;
      }
      while (!ready()) {
        const wait = realWait(clock, at - now());
        if (wait <= 0) return ready();
        if (await condition(ready, Math.min(wait, LONGEST_TIMER_MS), { summary })) return true;
      }
      return true;
    },
  };
}

function describe(wait: Wait, clock: BusinessClock, timezone: string, about: string): string {
  const when = (instant: number) =>
    new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short', timeZone: timezone }).format(
      new Date(instant),
    );
  const deadline = wait.dueAt === null ? 'no deadline' : `${when(wait.dueAt)} (${timezone})`;
  const until =
    wait.paused && wait.remainingMs !== null
      ? `clock paused with ${hours(wait.remainingMs)} left${wait.dueAt === null ? '' : `; ends ${deadline}`}`
      : deadline;
  const lines = [
    `**${about}**`,
    '',
    `- **Waits for:** ${wait.waitingOn} (stage \`${wait.stage}\`)`,
    `- **Since:** ${when(wait.since)} (${timezone})`,
    `- **Until:** ${until}${wait.breached ? ' **– breached**' : ''}`,
    `- **Who can act:** ${wait.whoCanAct}`,
    `- **How:** ${wait.howToAct}`,
  ];
  if (compression(clock) !== 1) {
    lines.push('', `_Times are business time: a day lasts ${clock.daySeconds} s here._`);
  }
  return [...lines, '', SPARE_LINE].join('\n');
}

function hours(ms: number): string {
  const rounded = Math.round(ms / 360_000) / 10;
  return `${rounded} h`;
}
