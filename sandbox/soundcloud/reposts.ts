/**
 * Who reposted what, and since when, kept on disk. One memory serves both lists (reposters of a track, reposts of a
 * user), so they always agree. Times are business epoch ms.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { HOUR_MS } from '../../domain/calendar.js';
import { type Journal, openJournal } from '../journal.js';

const repostRow = z.object({
  /** Counts up; orders reposts of the same instant. */
  number: z.number().int(),
  userUrn: z.string(),
  trackUrn: z.string(),
  at: z.number(),
  /** The reposter's followers at that time; what the repost brings follows from them. */
  followers: z.number(),
});
const entry = z.union([
  z.object({ reposted: repostRow }),
  z.object({ removed: z.number().int(), at: z.number() }),
]);

export type Repost = z.output<typeof repostRow> & { /** Infinity while it stands. */ removedAt: number };

/** How many of a reposter's followers a repost reaches (settings.default_reach_factor of the product). */
const REACH_OF_FOLLOWERS = 0.06;
/** How many of those it reaches listen, and over how long. */
const LISTENERS_OF_REACH = 0.25;
const LISTENED_OVER_MS = 48 * HOUR_MS;
const LIKES_OF_LISTENERS = 0.05;

export class RepostStore {
  readonly #journal: Journal<z.output<typeof entry>>;
  readonly #reposts: Repost[] = [];
  readonly #byTrack = new Map<string, Repost[]>();
  readonly #byUser = new Map<string, Repost[]>();

  constructor(dataDir: string) {
    this.#journal = openJournal(join(dataDir, 'reposts.jsonl'), entry);
    for (const record of this.#journal.records) this.#apply(record);
  }

  /** Adds a repost; one that stands at that time already stays as it is. */
  add(repost: Omit<Repost, 'number' | 'removedAt'>): Repost {
    const standing = this.#ofPair(repost.userUrn, repost.trackUrn).find(
      (known) => known.removedAt > repost.at,
    );
    if (standing) return standing;
    const reposted = { ...repost, number: this.#reposts.length };
    this.#write({ reposted });
    return this.#reposts[reposted.number] as Repost;
  }

  /** Takes a standing repost down; one that was taken down at that time already stays so. @returns false when there is none. */
  remove(userUrn: string, trackUrn: string, at: number): boolean {
    const known = this.#ofPair(userUrn, trackUrn);
    const done = known.some((repost) => repost.removedAt === Math.max(at, repost.at));
    const standing = known.find((repost) => repost.removedAt === Infinity);
    // Done again, it does not take down what was reposted since.
    if (!standing || (done && standing.at > at)) return done;
    this.#write({ removed: standing.number, at: Math.max(at, standing.at) });
    return true;
  }

  /** Reposts of a track that stand at an instant, newest first. */
  ofTrack(trackUrn: string, now: number): Repost[] {
    return newestFirst(this.#byTrack.get(trackUrn), now);
  }

  /** Reposts by a user that stand at an instant, newest first. */
  ofUser(userUrn: string, now: number): Repost[] {
    return newestFirst(this.#byUser.get(userUrn), now);
  }

  /**
   * What reposts brought a track by an instant. A repost reaches 6 % of the reposter's followers; a quarter of those
   * listen, evenly over 48 h of business time; one listener of twenty likes. Taken down, it brings nothing more.
   */
  broughtTo(trackUrn: string, now: number): { plays: number; likes: number; reposts: number } {
    let listeners = 0;
    for (const repost of this.#byTrack.get(trackUrn) ?? []) {
      const lasted = Math.min(now, repost.removedAt) - repost.at;
      const share = Math.min(1, Math.max(0, lasted / LISTENED_OVER_MS));
      listeners += Math.floor(repost.followers * REACH_OF_FOLLOWERS * LISTENERS_OF_REACH * share);
    }
    return {
      plays: listeners,
      likes: Math.floor(listeners * LIKES_OF_LISTENERS),
      reposts: this.ofTrack(trackUrn, now).length,
    };
  }

  close(): void {
    this.#journal.close();
  }

  #ofPair(userUrn: string, trackUrn: string): Repost[] {
    return (this.#byUser.get(userUrn) ?? []).filter((repost) => repost.trackUrn === trackUrn);
  }

  #write(record: z.output<typeof entry>): void {
    this.#journal.append(record);
    this.#apply(record);
  }

  #apply(record: z.output<typeof entry>): void {
    if ('removed' in record) {
      const repost = this.#reposts[record.removed];
      if (repost) repost.removedAt = record.at;
      return;
    }
    const repost: Repost = { ...record.reposted, removedAt: Infinity };
    this.#reposts.push(repost);
    addTo(this.#byTrack, repost.trackUrn, repost);
    addTo(this.#byUser, repost.userUrn, repost);
  }
}

function newestFirst(reposts: readonly Repost[] = [], now: number): Repost[] {
  return reposts
    .filter((repost) => repost.at <= now && now < repost.removedAt)
    .sort((a, b) => b.at - a.at || b.number - a.number);
}

function addTo(map: Map<string, Repost[]>, key: string, repost: Repost): void {
  const known = map.get(key);
  if (known) known.push(repost);
  else map.set(key, [repost]);
}
