/** How the timeline words what somebody waits for. */
import { HOUR_MS } from '../../domain/calendar.js';
import type { SeenWait } from './facts.js';
import { businessTime, type Mark } from './timeline.js';

/** What a wait means to a reader: for whom, until when, who can act. Waits that read the same are told once, of one submission or of several. */
export function describeWait(wait: SeenWait, whoCanAct: string): string {
  switch (wait.stage) {
    case 'live_link': {
      const left = ((wait.remainingMs ?? 0) / HOUR_MS).toFixed(1);
      return `waiting for the live link, clock stopped with ${left} h left; to act: ${whoCanAct}`;
    }
    case 'queue':
      return `waiting for a queue; to act: ${whoCanAct}`;
    case 'support':
      return `waiting for ${wait.waitingOn === 'queue' ? 'a replacement' : 'reposts'}; to act: ${whoCanAct}`;
    default: {
      const until = wait.dueAt === null ? 'without a deadline' : `until ${businessTime(wait.dueAt)}`;
      const broken = wait.breached ? ', BREACHED' : '';
      return `waiting for ${wait.waitingOn} ${until}${broken}; to act: ${whoCanAct}`;
    }
  }
}

/** What an event of an assignment says of its repost; null for another event. */
export function describeRepost(type: string, reason: string | null): { line: string; mark: Mark } | null {
  switch (type) {
    case 'assignment.completed':
      return { line: 'the repost counts, and the watch over it begins', mark: 'system' };
    case 'assignment.skipped':
      return { line: 'skipped; the credits go back to the artist', mark: 'system' };
    case 'assignment.failed':
      return { line: `failed (${reason ?? 'no reason'}); the credits go back to the artist`, mark: 'alarm' };
    case 'assignment.unreposted':
      return { line: 'taken down within the watch; the credits go back to the artist', mark: 'alarm' };
    case 'assignment.settled':
      return { line: 'settled', mark: 'system' };
    default:
      return null;
  }
}

/** Puts together what reads the same. */
export function grouped(
  items: readonly { name: string; line: string }[],
): { line: string; names: string[] }[] {
  const groups = new Map<string, string[]>();
  for (const { name, line } of items) groups.set(line, [...(groups.get(line) ?? []), name]);
  return [...groups].map(([line, names]) => ({ line, names }));
}

/** `a, b and c`. */
export function listed(names: readonly string[]): string {
  const last = names.at(-1) ?? '';
  return names.length < 2 ? last : `${names.slice(0, -1).join(', ')} and ${last}`;
}
