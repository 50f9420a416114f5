/**
 * Days of a made-up network, from a seed: as many submissions and supporters as asked for, about half of all pairs
 * allowed, tiers and followers as in a real one (few large accounts, many small), credits as the tiers grant them.
 */
import { DAY_MS, HOUR_MS } from '../domain/calendar.js';
import type { QueueInput, QueueSubmission, QueueSupporter } from '../domain/queue-generation.js';
import { DEFAULT_SETTINGS, queueSettings } from '../domain/settings.js';
import type { SizeTier } from '../domain/tiers.js';

const FAMILIES: Record<string, string[]> = {
  Electronic: ['House', 'Techno', 'Trance', 'Drum & Bass', 'Dubstep', 'Ambient'],
  'Hip-Hop': ['Trap', 'Lo-Fi', 'Drill', 'Boom Bap'],
  Pop: ['Indie', 'R&B', 'Synthpop'],
};
const ADJACENCY = {
  Electronic: { Pop: 0.4 },
  Pop: { Electronic: 0.4 },
};
/** Members up to that share, followers `[from, to)` log-uniform, and credits of a submitting member. */
const TIERS: { tier: SizeTier; below: number; from: number; to: number; cap: number }[] = [
  { tier: 'T1', below: 0.35, from: 100, to: 1_000, cap: 3 },
  { tier: 'T2', below: 0.75, from: 1_000, to: 10_000, cap: 6 },
  { tier: 'T3', below: 0.95, from: 10_000, to: 100_000, cap: 20 },
  { tier: 'T4', below: 1, from: 100_000, to: 1_500_000, cap: 60 },
];
const NOW = Date.UTC(2026, 4, 4, 4);

export interface QueueSize {
  submissions: number;
  supporters: number;
}

/** A uniform random number in [0, 1), the same for the same seed. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 4_294_967_296;
  };
}

export function queueInstance(seed: number, size: QueueSize): QueueInput {
  const random = randomFrom(seed);
  const whole = (below: number) => Math.floor(random() * below);
  const pick = <T>(list: readonly T[]): T => list[whole(list.length)] as T;
  const genres = Object.entries(FAMILIES).flatMap(([family, list]) =>
    list.map((subgenre) => ({ family, subgenre })),
  );
  const supporters: QueueSupporter[] = [];
  for (let n = 0; n < size.supporters; n++) {
    const draw = random();
    const tier = TIERS.find(({ below }) => draw < below) as (typeof TIERS)[number];
    const followers = Math.floor(tier.from * (tier.to / tier.from) ** random());
    const own = Array.from({ length: 1 + whole(3) }, () => pick(genres));
    supporters.push({
      member_id: `m${String(n).padStart(6, '0')}`,
      account_id: `a${String(n).padStart(6, '0')}`,
      handle: `handle-${n}`,
      followers,
      reach_factor: random() < 0.2 ? 0.03 + Math.round(random() * 60) / 1_000 : null,
      tier: tier.tier,
      credits_cap: tier.cap,
      status: random() < 0.98 ? 'active' : 'needs_reconnect',
      account_status: random() < 0.97 ? 'linked' : 'reconnect',
      last_activity_at: NOW - whole(95) * DAY_MS,
      genres: own,
      avoided_handles: random() < 0.02 ? [`handle-${whole(size.supporters)}`] : [],
      completed: whole(30),
      failed: whole(5),
      last_assignment_at: random() < 0.7 ? NOW - whole(14) * DAY_MS : null,
    });
  }
  const submissions: QueueSubmission[] = [];
  const balances = new Map<string, number>();
  while (submissions.length < size.submissions) {
    const member = pick(supporters);
    if (balances.has(member.member_id)) continue;
    balances.set(member.member_id, 1 + whole(member.credits_cap));
    for (
      let tracks = random() < 0.15 ? 2 : 1;
      tracks > 0 && submissions.length < size.submissions;
      tracks--
    ) {
      const { family, subgenre } = pick(genres);
      const n = submissions.length;
      const replacement = random() < 0.05;
      submissions.push({
        id: `s${String(n).padStart(6, '0')}`,
        member_id: member.member_id,
        track_url: `https://soundcloud.com/${member.handle}/track-${n}`,
        family,
        subgenres: [subgenre],
        handles: [member.handle ?? ''],
        avoided_handles: random() < 0.05 ? [`handle-${whole(size.supporters)}`] : [],
        support_date: '2026-05-04',
        submitted_at: NOW - whole(72) * HOUR_MS,
        shift_count: whole(3),
        demand: replacement ? { kind: 'replacement', count: 1 + whole(2) } : { kind: 'first' },
        asked_supporters: [],
      });
    }
  }
  return {
    org_id: 'org',
    date: '2026-05-04',
    timezone: 'Europe/Berlin',
    now: NOW,
    earliest: NOW,
    settings: queueSettings({ ...DEFAULT_SETTINGS, adjacency_matrix: ADJACENCY }),
    submissions,
    supporters,
    balances: [...balances].map(([member_id, spendable]) => ({ member_id, spendable })),
    taken: supporters.flatMap(({ member_id }) =>
      random() < 0.15 ? [{ member_id, at: Date.UTC(2026, 4, 4, 10 + whole(10), whole(60)) }] : [],
    ),
    history: supporters.flatMap(({ member_id }) =>
      Array.from({ length: whole(8) }, () => {
        const artist = pick(submissions);
        return {
          supporter_id: member_id,
          artist_id: artist.member_id,
          track_url: random() < 0.3 ? artist.track_url : `${artist.track_url}-older`,
          at: NOW - whole(30) * DAY_MS,
        };
      }),
    ),
  };
}
