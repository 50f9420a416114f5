/**
 * The facts of a queue, in order and found by key, and what they say about one supporter and one pair. The rules
 * themselves are the target builder's (targeting-exclusions.ts); here they get the history of the pair.
 */
import { priceOf, reachOf } from './credits.js';
import type { Affinity } from './genre.js';
import { freeSlots, type SlotWindow, slotsOnDate, slotWindow } from './queue-generation-slots.js';
import {
  QUEUE_EXCLUSION_CODES,
  type QueueConflict,
  type QueueInput,
  type QueueSettings,
  type QueueSubmission,
  type QueueSupporter,
  type StandingRepost,
} from './queue-generation-types.js';
import { exclusionsOf, handleKey, type TrackSide, trackSide } from './targeting-exclusions.js';
import { affinityTo } from './targeting-score.js';
import type { TargetCandidate, TargetTrack } from './targeting-types.js';

/** A standing repost with its artist's handle. */
export interface KnownRepost extends StandingRepost {
  artist: string;
}

/** What a submission shares with others: two of them that share a key never go to one supporter in one queue. */
export interface FactsOfSubmission {
  submission: QueueSubmission;
  side: TrackSide;
  keys: string[];
}

export interface FactsOfSupporter {
  supporter: QueueSupporter;
  handle: string | null;
  factor: number;
  reach: number;
  price: number;
  /** Slots taken elsewhere, ascending. */
  busy: number[];
  free: number;
  /** Exclusions that hold whatever the track. */
  conflicts: QueueConflict[];
}

export interface QueueFacts {
  input: QueueInput;
  settings: QueueSettings;
  window: SlotWindow;
  /** Sorted by id, like every list here. */
  submissions: FactsOfSubmission[];
  supporters: FactsOfSupporter[];
  submission: Map<string, FactsOfSubmission>;
  supporter: Map<string, FactsOfSupporter>;
  spendable: Map<string, number>;
  /** By reposting member. */
  repostsOf: Map<string, KnownRepost[]>;
}

/**
 * Prepares the facts once; all functions that judge pairs take the result.
 * @throws RangeError when a row is given twice: the loading query is wrong then.
 */
export function prepareFacts(input: QueueInput): QueueFacts {
  const window = slotWindow(input);
  const { settings } = input;
  const busy = new Map<string, number[]>();
  for (const { member_id, at } of input.taken) push(busy, member_id, at);
  const repostsOf = new Map<string, KnownRepost[]>();
  const artists = new Map<string, string>();
  for (const repost of input.history) {
    const artist = artists.get(repost.track_url) ?? handleKey(repost.track_url);
    artists.set(repost.track_url, artist);
    push(repostsOf, repost.supporter_id, { ...repost, artist });
  }
  const submissions = sortedOnce(input.submissions, (row) => row.id, 'Submission').map((submission) => {
    const side = trackSide(targetTrack(submission));
    return { submission, side, keys: sharedKeys(submission, side, settings) };
  });
  const none: number[] = [];
  const freeByDefault = freeSlots(none, window);
  const supporters = sortedOnce(input.supporters, (row) => row.member_id, 'Member').map((supporter) => {
    const taken = busy.get(supporter.member_id)?.sort((a, b) => a - b) ?? none;
    const factor = supporter.reach_factor ?? settings.default_reach_factor;
    const reach = reachOf(supporter.followers, factor);
    const known: FactsOfSupporter = {
      supporter,
      handle: supporter.handle === null ? null : handleKey(supporter.handle),
      factor,
      reach,
      price: priceOf(reach, settings.reach_per_credit, supporter.credits_cap),
      busy: taken,
      free: taken.length === 0 ? freeByDefault : freeSlots(taken, window),
      conflicts: [],
    };
    known.conflicts = conflictsOfSupporter(known, input, window);
    return known;
  });
  const spendable = new Map<string, number>();
  for (const row of sortedOnce(input.balances, (balance) => balance.member_id, 'Balance of member')) {
    spendable.set(row.member_id, Math.max(0, row.spendable));
  }
  return {
    input,
    settings,
    window,
    submissions,
    supporters,
    submission: new Map(submissions.map((facts) => [facts.submission.id, facts])),
    supporter: new Map(supporters.map((facts) => [facts.supporter.member_id, facts])),
    spendable,
    repostsOf,
  };
}

/** Credits the submitting member can spend in this queue, on all of their submissions together. */
export function budgetOf(submission: QueueSubmission, facts: QueueFacts): number {
  return submission.member_id === null ? 0 : (facts.spendable.get(submission.member_id) ?? 0);
}

/** Affinity of a supporter to a submission, with its reason. */
export function affinityOf(
  submission: QueueSubmission,
  supporter: QueueSupporter,
  facts: QueueFacts,
): Affinity {
  return affinityTo(supporter, targetTrack(submission), facts.settings);
}

/**
 * Everything that speaks against a pair but for what else is in the queue, in the order of `QUEUE_EXCLUSION_CODES`.
 * Empty = allowed.
 */
export function conflictsOfPair(
  { submission, side }: FactsOfSubmission,
  known: FactsOfSupporter,
  affinity: number,
  facts: QueueFacts,
): QueueConflict[] {
  const { input, settings, window } = facts;
  const candidate = asCandidate(known, window, lastReposts(submission, side, known, facts));
  const conflicts: QueueConflict[] = [];
  for (const { code, facts: because } of exclusionsOf(
    candidate,
    side,
    exclusionQuestion(input, settings),
    affinity,
  )) {
    if (code !== 'budget') conflicts.push({ code, facts: because });
  }
  for (const conflict of known.conflicts) {
    if (!conflicts.some(({ code }) => code === conflict.code)) conflicts.push(conflict);
  }
  if (submission.asked_supporters.includes(known.supporter.member_id)) {
    conflicts.push({ code: 'already_asked', facts: { submission_id: submission.id } });
  }
  return inOrder(conflicts);
}

/** The cool-downs two submissions start for each other when one supporter would repost both: the keys they share. */
export function sharedKey(a: FactsOfSubmission, b: FactsOfSubmission): string | null {
  return a.keys.find((key) => b.keys.includes(key)) ?? null;
}

/** The cool-down a shared key stands for. */
export function cooldownOfKey(key: string): 'track_cooldown' | 'artist_cooldown' | 'pair_cooldown' {
  if (key.startsWith('track ')) return 'track_cooldown';
  return key.startsWith('artist ') ? 'artist_cooldown' : 'pair_cooldown';
}

function conflictsOfSupporter(
  known: FactsOfSupporter,
  input: QueueInput,
  window: SlotWindow,
): QueueConflict[] {
  const anyTrack = trackSide({
    parent_type: 'submission',
    parent_id: '',
    track_url: '',
    family: null,
    subgenres: [],
    member_id: null,
    handles: [],
    avoided_handles: [],
  });
  const never = { track: null, artist: null, pair: null };
  const candidate = asCandidate(known, window, never);
  const conflicts: QueueConflict[] = [];
  for (const { code, facts } of exclusionsOf(
    candidate,
    anyTrack,
    exclusionQuestion(input, input.settings),
    1,
  )) {
    if (code !== 'budget') conflicts.push({ code, facts });
  }
  if (known.free <= 0 && !conflicts.some(({ code }) => code === 'daily_cap')) {
    const { rolling_cap, rolling_hours, spacing_minutes } = window.pacing;
    conflicts.push({
      code: 'no_slot_left',
      facts: { taken_slots: known.busy.length, rolling_cap, rolling_hours, spacing_minutes },
    });
  }
  if (known.reach === 0) {
    conflicts.push({
      code: 'no_reach',
      facts: { followers: known.supporter.followers, reach_factor: known.factor },
    });
  }
  return inOrder(conflicts);
}

function exclusionQuestion(input: QueueInput, settings: QueueSettings) {
  return { settings, now: input.now, support_date: input.date };
}

interface LastReposts {
  track: number | null;
  artist: number | null;
  pair: number | null;
}

/** The pair cool-down goes both ways: the member reposted the supporter's track, or the supporter the member's. */
function lastReposts(
  submission: QueueSubmission,
  side: TrackSide,
  known: FactsOfSupporter,
  facts: QueueFacts,
): LastReposts {
  const last: LastReposts = { track: null, artist: null, pair: null };
  const artist = submission.member_id;
  const self = known.supporter.member_id;
  for (const repost of facts.repostsOf.get(self) ?? []) {
    const mine = artist !== null && repost.artist_id === artist;
    if (repost.track_url === submission.track_url) last.track = later(last.track, repost.at);
    if (mine || side.handles.has(repost.artist)) last.artist = later(last.artist, repost.at);
    if (mine) last.pair = later(last.pair, repost.at);
  }
  for (const repost of artist === null ? [] : (facts.repostsOf.get(artist) ?? [])) {
    if (repost.artist_id === self) last.pair = later(last.pair, repost.at);
  }
  return last;
}

function asCandidate(known: FactsOfSupporter, window: SlotWindow, last: LastReposts): TargetCandidate {
  return {
    ...known.supporter,
    last_same_track_at: last.track,
    last_same_artist_at: last.artist,
    last_pair_at: last.pair,
    assignments_on_date: slotsOnDate(known.busy, window),
  };
}

function sharedKeys(submission: QueueSubmission, side: TrackSide, settings: QueueSettings): string[] {
  const keys: string[] = [];
  if (settings.track_cooldown_days > 0) keys.push(`track ${submission.track_url}`);
  if (settings.artist_cooldown_days > 0) {
    for (const handle of [...side.handles].sort()) keys.push(`artist @${handle}`);
    if (submission.member_id !== null) keys.push(`artist ${submission.member_id}`);
  }
  if (settings.pair_cooldown_days > 0 && submission.member_id !== null)
    keys.push(`pair ${submission.member_id}`);
  return keys;
}

function targetTrack(submission: QueueSubmission): TargetTrack {
  return {
    parent_type: 'submission',
    parent_id: submission.id,
    track_url: submission.track_url,
    family: submission.family,
    subgenres: submission.subgenres,
    member_id: submission.member_id,
    handles: submission.handles,
    avoided_handles: submission.avoided_handles,
  };
}

function inOrder(conflicts: QueueConflict[]): QueueConflict[] {
  return conflicts.sort(
    (a, b) => QUEUE_EXCLUSION_CODES.indexOf(a.code) - QUEUE_EXCLUSION_CODES.indexOf(b.code),
  );
}

function later(a: number | null, b: number): number {
  return a === null ? b : Math.max(a, b);
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

function sortedOnce<T>(rows: readonly T[], idOf: (row: T) => string, what: string): T[] {
  const sorted = [...rows].sort((a, b) => (idOf(a) < idOf(b) ? -1 : idOf(a) > idOf(b) ? 1 : 0));
  const twice = sorted.find((row, i) => i > 0 && idOf(row) === idOf(sorted[i - 1] as T));
  if (twice !== undefined) throw new RangeError(`${what} ${idOf(twice)} is given twice. Load one row each.`);
  return sorted;
}
