/**
 * A made-up network for the demo and for tests: 60 artists of all tiers and twelve tracks. Always the same. Genres are
 * the families and subgenres that every new org starts with; one track belongs to none of them on purpose. The artists
 * are members at Influence Planner too, all LINKED but five.
 */
import type { MemberInput } from '../influence-planner/members.js';
import type { Catalogue, TrackInput } from './resources.js';

export type DemoTier = 'T1' | 'T2' | 'T3' | 'T4';

export interface DemoArtist {
  handle: string;
  name: string;
  tier: DemoTier;
  followers: number;
  /** Name of a genre family, and of one of its subgenres. */
  family: string;
  subgenre: string;
}

export interface DemoTrack extends TrackInput {
  /** Family and subgenre its title, genre or tags speak of; null: none. */
  expected: { family: string; subgenre: string } | null;
}

/** Families and subgenres of the spec's samples ("Sample Subgenres"). */
const GENRES: readonly (readonly [family: string, subgenres: readonly string[]])[] = [
  ['Electronic', ['Dubstep', 'Future Bass', 'Trance', 'House', 'Techno']],
  ['Hip-Hop', ['Trap', 'Boom Bap', 'Cloud Rap', 'Drill']],
  ['Rock', ['Alternative Rock', 'Post Rock', 'Progressive Rock', 'Indie Rock']],
];

const FIRST_WORDS = [
  'Velvet',
  'Neon',
  'Paper',
  'Hollow',
  'Silver',
  'Distant',
  'Quiet',
  'Crimson',
  'Lunar',
  'Static',
];
const SECOND_WORDS = ['Harbor', 'Lantern', 'Meridian', 'Foxes', 'Avenue', 'Orchard'];

/** Follower ranges of the tiers, half-open (rules.md, "Tiers"), and how many of 60 artists each has. */
const TIERS: readonly (readonly [tier: DemoTier, from: number, below: number, share: number])[] = [
  ['T1', 120, 1_000, 20],
  ['T2', 1_000, 10_000, 20],
  ['T3', 10_000, 100_000, 14],
  ['T4', 100_000, 900_000, 6],
];

/** The 60 artists, biggest tier last, each with followers inside its tier. */
export function demoArtists(): DemoArtist[] {
  const names = FIRST_WORDS.flatMap((first) => SECOND_WORDS.map((second) => `${first} ${second}`));
  const kinds = GENRES.flatMap(([family, subgenres]) => subgenres.map((subgenre) => ({ family, subgenre })));
  const artists: DemoArtist[] = [];
  for (const [tier, from, below, share] of TIERS) {
    for (let place = 0; place < share; place += 1) {
      const index = artists.length;
      // Steps of 7 through the 60 names and of 5 through the 13 genres reach each, and mix tiers with genres.
      const name = names[(index * 7) % names.length] ?? '';
      const kind = kinds[(index * 5) % kinds.length] ?? { family: '', subgenre: '' };
      // Evenly spread on a logarithmic scale, as follower counts are; the odd remainder makes them look counted.
      const followers = Math.floor(from * (below / from) ** ((place + 0.5) / share)) + ((index * 37) % 23);
      artists.push({
        handle: name.toLowerCase().replace(' ', '-'),
        name,
        tier,
        followers: Math.min(followers, below - 1),
        ...kind,
      });
    }
  }
  return artists;
}

/** The twelve tracks, by twelve of the artists; the kinds of URL and of genre hints that the review must cope with. */
export function demoTracks(): DemoTrack[] {
  const artists = demoArtists();
  const rows: (Omit<DemoTrack, 'handle'> & { by: number })[] = [
    track(2, 'Undertow', 'Dubstep', ['bass', 'heavy'], 'Electronic', 'Dubstep'),
    track(5, 'Glass Kites', 'Future Bass', ['future bass', 'melodic'], 'Electronic', 'Future Bass'),
    // The genre field says nothing; the tags do.
    track(9, 'Northern Signal', null, ['trance', 'uplifting', '138'], 'Electronic', 'Trance'),
    track(14, 'Warehouse Window', 'Techno', ['industrial', 'peak time'], 'Electronic', 'Techno'),
    // Only the title names it.
    track(21, 'Corner Store Tapes (Boom Bap Instrumental)', null, ['beats'], 'Hip-Hop', 'Boom Bap'),
    track(26, 'Ninety Floors', 'Trap', ['808', 'dark'], 'Hip-Hop', 'Trap'),
    track(30, 'Slow Weather', 'Cloud Rap', ['hazy'], 'Hip-Hop', 'Cloud Rap'),
    track(33, 'Postcards to Nobody', 'Indie Rock', ['guitar', 'lofi'], 'Rock', 'Indie Rock'),
    {
      ...track(38, 'Tidal Maps', 'Post Rock', ['instrumental', 'cinematic'], 'Rock', 'Post Rock'),
      revealStats: false,
    },
    { ...track(41, 'After Hours', 'House', ['deep'], 'Electronic', 'House'), kind: 'set' },
    // Not public yet: the case of a submission that must wait for a live link.
    {
      ...track(44, 'First Light', 'Alternative Rock', ['demo tape'], 'Rock', 'Alternative Rock'),
      secretToken: 's-Qx7LmT2pV9a',
    },
    // Nothing in it matches a subgenre: the review flags it, and a person must say where it belongs.
    { ...track(50, 'Rain on a Tin Roof', 'Field Recordings', ['nature', 'sleep'], '', ''), expected: null },
  ];
  return rows.map(({ by, ...row }) => ({ ...row, handle: artists[by]?.handle ?? '' }));
}

/** Who is not LINKED at Influence Planner, by place among the artists; none of them hands in a demo track. */
const NOT_LINKED: Readonly<Record<number, Exclude<MemberInput['status'], undefined> | 'no member'>> = {
  // Reposts of theirs fail until they sign in again.
  7: 'INVALID',
  17: 'PENDING',
  27: 'PENDING_APPROVAL',
  43: 'UNLINKED',
  // Never joined: a schedule for them becomes a task of their own.
  55: 'no member',
};

/** The artists as members of the network at Influence Planner. */
export function demoPlannerMembers(): MemberInput[] {
  return demoArtists().flatMap(({ handle, name }, place): MemberInput[] => {
    const status = NOT_LINKED[place] ?? 'LINKED';
    return status === 'no member' ? [] : [{ handle, name, status }];
  });
}

/** All of it, as the stand-ins take it. */
export function demoCatalogue(): Required<Catalogue> & { members: MemberInput[] } {
  return {
    members: demoPlannerMembers(),
    users: demoArtists().map(({ handle, name, followers }) => ({ handle, name, followers })),
    tracks: demoTracks().map(({ expected: _expected, ...row }) => row),
  };
}

function track(
  by: number,
  title: string,
  genre: string | null,
  tags: string[],
  family: string,
  subgenre: string,
): Omit<DemoTrack, 'handle'> & { by: number } {
  const plays = 180 + by * 97;
  const counts = { plays, likes: Math.floor(plays / 18), reposts: Math.floor(plays / 90), comments: by % 5 };
  const perDay = { plays: 12 + by, likes: 1 + by / 20, reposts: 0.4, comments: 0.2 };
  return { by, title, genre, tags, counts, perDay, expected: { family, subgenre } };
}
