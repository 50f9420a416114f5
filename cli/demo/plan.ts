/**
 * What the demo sets out to show: who submits which track, and how each review has to end. The script plays it, and the
 * promises compare it with what database, Temporal and mailbox hold in the end.
 */
import { demoArtists, demoTracks } from '../../sandbox/soundcloud/catalogue.js';

export type Ending = 'approved' | 'rejected' | 'withdrawn';

export type Ops = 'admin' | 'moderator';

export interface PlannedReview {
  /** Short name of the track in the timeline. */
  track: string;
  /** Handle of the member who submits it. */
  handle: string;
  ending: Ending;
  /** Who of ops decides; null for a withdrawal. */
  decidedBy: Ops | null;
  /** Family the catalogue's title, tags and genre speak of; null: nobody can tell, ops must name one. */
  family: string | null;
  /** True for the one that is left lying until its promise is broken. */
  breaches: boolean;
  /** True for the one whose member must hand in a live link. */
  asksLink: boolean;
  /** True for the one that is decided by a Signal, as the Temporal UI would send it. */
  bySignal: boolean;
  /** True for those that are being decided when the worker is killed. */
  underKill: boolean;
}

/** Business hours of the promise to decide, and of the part after which ops are warned (the org's defaults). */
export const PROMISE_HOURS = 24;
export const WARNING_HOURS = 18;
/** Business hours after the question at which the member is reminded of the live link (the org's default). */
export const LINK_REMINDER_HOURS = [24, 72] as const;

/** The genre ops give the track that nobody can classify. */
export const NAMED_FAMILY = 'Electronic';

type Special = Partial<Omit<PlannedReview, 'track' | 'handle' | 'family'>>;

const SPECIAL: Record<string, Special> = {
  'Northern Signal': { bySignal: true },
  'Warehouse Window': { ending: 'rejected' },
  'Ninety Floors': { breaches: true, decidedBy: 'admin' },
  'Slow Weather': { ending: 'withdrawn', decidedBy: null },
  'Postcards to Nobody': { underKill: true },
  'Tidal Maps': { underKill: true, ending: 'rejected' },
  'After Hours': { underKill: true },
  'First Light': { asksLink: true },
};

/** All twelve, in the order of the catalogue. */
export function reviewPlan(): PlannedReview[] {
  return demoTracks().map(({ title, handle, expected }) => {
    const track = title.replace(/ \(.*\)$/u, '');
    return {
      track,
      handle,
      family: expected?.family ?? null,
      ending: 'approved',
      decidedBy: 'moderator',
      breaches: false,
      asksLink: false,
      bySignal: false,
      underKill: false,
      ...SPECIAL[track],
    };
  });
}

/** Whose followers cross a border of their tier, and whose account goes and comes back. None of them hands in a track. */
export const MONTH_END = {
  /** T1 → T2 with the first sweep. */
  promoted: { handle: 'paper-lantern', followers: 1_240, tier: 'T2' },
  /** T3 → T2 with the third. */
  demoted: { handle: 'quiet-avenue', followers: 9_310, tier: 'T2' },
  disconnected: { handle: 'velvet-lantern' },
} as const;

/** How many of the 60 members each tier has in the end. */
export function plannedTiers(): Record<string, number> {
  const { promoted, demoted } = MONTH_END;
  const moved = new Map<string, string>([promoted, demoted].map(({ handle, tier }) => [handle, tier]));
  const counts: Record<string, number> = {};
  for (const artist of demoArtists()) {
    const tier = moved.get(artist.handle) ?? artist.tier;
    counts[tier] = (counts[tier] ?? 0) + 1;
  }
  return counts;
}
