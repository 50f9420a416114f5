/**
 * What the demo sets out to show of queues: who reposts which track, and what really becomes of each repost in the
 * outside world. The script plays it; the promises compare it with what was stored.
 */

/** What really happens to a repost, whatever anybody writes down. */
export type World =
  /** Influence Planner makes it, and it stays. */
  | 'scheduled'
  /** Made by hand and proved; it stays. */
  | 'kept'
  /** Made and proved, taken down within the watch. */
  | 'taken_down'
  /** Never made. */
  | 'absent'
  /** Made and proved, but SoundCloud's lists come back empty. */
  | 'hidden'
  /** The supporter says before the afternoon that it will not be made. */
  | 'skipped'
  /** Made and taken down when the org's settings say so: by Influence Planner, or by hand. */
  | 'planned_scheduled'
  | 'planned';

/** After "a supporter": why ops of the story want one, and what the last table means by each part. */
export const PARTS: Readonly<Record<World, string>> = {
  scheduled: 'for whom Influence Planner makes the repost, which stays',
  kept: 'who reposts by hand, proves it and leaves it up',
  taken_down: 'who reposts and proves it, and takes it down within the watch',
  absent: 'who says nothing and never reposts',
  hidden: "who reposts and proves it while SoundCloud's lists come back empty",
  skipped: 'who says in time that there will be no repost, so that somebody steps in',
  planned_scheduled: 'for whom Influence Planner makes the repost, and takes it down as planned',
  planned: 'who reposts by hand, and takes it down as planned',
};

export interface PlannedRepost {
  /** Handle of the supporter. */
  handle: string;
  world: World;
}

/** Hours of the day at which a queue is drafted, and until which it can be approved (the org's defaults). */
export const GENERATED_AT = 6;
export const CUT_OFF = 12;
/** Hours of the watch that the org has by default. */
export const USUAL_WATCH_HOURS = 48;
/** Hours of the watch in the demo, so that credits move within the story. */
export const WATCH_HOURS = 12;
/** Hours after the slot at which reposts of the second queue come down as planned. */
export const UNREPOST_AFTER_HOURS = 3;
/** Credits ops give some artists, so that their tracks get three reposts: no more fits below the cap of T1. */
export const GIVEN_CREDITS = 2;

/** Tracks whose artists are given credits, with whom ops want in the draft. Everybody else is as generated. */
export const QUEUE_CASTS: Readonly<Record<string, readonly PlannedRepost[]>> = {
  // The scheduled one comes last: a repost known to be later than the slot is what makes a missing one count.
  Undertow: [
    { handle: 'hollow-orchard', world: 'scheduled' },
    { handle: 'lunar-harbor', world: 'taken_down' },
    { handle: 'distant-lantern', world: 'absent' },
  ],
  'Northern Signal': [
    { handle: 'hollow-lantern', world: 'kept' },
    { handle: 'lunar-avenue', world: 'skipped' },
    { handle: 'crimson-meridian', world: 'hidden' },
  ],
  'Glass Kites': [
    { handle: 'static-avenue', world: 'planned_scheduled' },
    { handle: 'static-meridian', world: 'planned' },
    { handle: 'paper-orchard', world: 'kept' },
  ],
};

/** Who lets Influence Planner repost for them; everybody else does it by hand. */
export const LINKED = ['hollow-orchard', 'static-avenue', 'velvet-lantern'] as const;

/** How a repost must end. */
export interface PlannedEnd {
  status: 'completed' | 'skipped' | 'failed';
  /** `outcome_reason` of the row; null: none, undefined: a person's words. */
  reason: string | null | undefined;
  hold: 'captured' | 'released';
}

const PAID: PlannedEnd = { status: 'completed', reason: null, hold: 'captured' };

export const QUEUE_ENDS: Readonly<Record<World, PlannedEnd>> = {
  scheduled: PAID,
  kept: PAID,
  planned_scheduled: PAID,
  planned: PAID,
  hidden: { ...PAID, reason: undefined },
  taken_down: { status: 'failed', reason: 'unreposted', hold: 'released' },
  absent: { status: 'failed', reason: 'repost_absent', hold: 'released' },
  skipped: { status: 'skipped', reason: undefined, hold: 'released' },
};
