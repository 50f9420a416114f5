/** Genre of a track and how well a supporter's genres fit it (rules.md, "Genre"). */
import type { SettingsProblem } from './tiers.js';

/**
 * One genre of a supporter: family by name, and a subgenre of it by name, or null for the family as a whole.
 * Names are compared without regard to case and surrounding space.
 */
export interface GenreTag {
  family: string;
  subgenre: string | null;
}

/**
 * `soundcloud_settings.adjacency_matrix`: family name → family name → 0..1, symmetric, absent = 0.
 * Entries of a family with itself have no effect: `affinity_same_family` says what that is worth.
 */
export type AdjacencyMatrix = Record<string, Record<string, number>>;

/** A row of `soundcloud_subgenres` with the name of its family. */
export interface SubgenrePattern {
  id: string;
  family: string;
  name: string;
  /** Words or phrases that mean this subgenre. */
  patterns: string[];
  order_index: number;
}

/** A pattern found in the track's words. */
export interface GenreMatch {
  family: string;
  subgenre: string;
  /** The pattern as it is stored. */
  pattern: string;
  /** Where it was found. */
  source: 'title' | 'tags' | 'genre';
}

export interface GenreClassification {
  family: string;
  /** Subgenres of the family, best match first. */
  subgenres: string[];
  /** Why: first the match that decided the family, then the others, also those of other families. */
  matches: GenreMatch[];
}

interface Hit extends GenreMatch {
  id: string;
  order: number;
  /** Text and span, so that a longer hit can swallow a shorter one inside it. */
  text: number;
  start: number;
  end: number;
}

/**
 * Finds the genre of a track by the subgenres' patterns: word-bounded, case-insensitive; the longest pattern wins and
 * swallows shorter ones inside it (`progressive house` is not also `house`); order_index, then name, then id break ties.
 * The best match decides the family; all matched subgenres of that family are named.
 * Hyphens, underscores and runs of space count as one space on both sides, so `hip-hop` finds `Hip Hop`.
 * Null when nothing matches (reason `genre_unknown`: ops name the family when they approve).
 */
export function classify({
  title,
  tags,
  genre,
  subgenres,
}: {
  title: string | null;
  tags: string[];
  genre: string | null;
  /** Active subgenres of active families, in any order. */
  subgenres: SubgenrePattern[];
}): GenreClassification | null {
  const texts: [GenreMatch['source'], string][] = [
    ['genre', genre ?? ''],
    ...tags.map((tag): [GenreMatch['source'], string] => ['tags', tag]),
    ['title', title ?? ''],
  ];
  const words = texts.map(([source, text]) => ({ source, text: plain(text) }));
  const hits = subgenres.flatMap((subgenre) => hitsOf(subgenre, words)).sort(compareHits);
  const taken: Hit[] = [];
  for (const hit of hits) {
    const inside = taken.some((t) => t.text === hit.text && t.start <= hit.start && hit.end <= t.end);
    // The same span may mean several subgenres; only a longer one swallows.
    const equal = taken.some((t) => t.text === hit.text && t.start === hit.start && hit.end === t.end);
    if (!inside || equal) taken.push(hit);
  }
  const best = taken[0];
  if (best === undefined) return null;
  const matches: GenreMatch[] = [];
  for (const { family, subgenre, pattern, source } of taken) {
    const known = matches.some((m) => m.family === family && m.subgenre === subgenre);
    if (!known) matches.push({ family, subgenre, pattern, source });
  }
  const own = matches.filter((match) => match.family === best.family);
  return { family: best.family, subgenres: own.map((match) => match.subgenre), matches };
}

function hitsOf(subgenre: SubgenrePattern, texts: { source: GenreMatch['source']; text: string }[]): Hit[] {
  return subgenre.patterns.flatMap((pattern) => {
    const needle = plain(pattern);
    if (needle === '') return [];
    // Not \b, which knows no letters beyond ASCII and finds no border beside the & of r&b.
    const bounded = new RegExp(`(?<![\\p{L}\\p{N}])${escaped(needle)}(?![\\p{L}\\p{N}])`, 'gu');
    return texts.flatMap(({ source, text }, index) =>
      [...text.matchAll(bounded)].map((match) => ({
        family: subgenre.family,
        subgenre: subgenre.name,
        pattern,
        source,
        id: subgenre.id,
        order: subgenre.order_index,
        text: index,
        start: match.index,
        end: match.index + needle.length,
      })),
    );
  });
}

function compareHits(a: Hit, b: Hit): number {
  return (
    b.end - b.start - (a.end - a.start) ||
    a.order - b.order ||
    compareText(a.subgenre, b.subgenre) ||
    compareText(a.id, b.id) ||
    compareText(a.pattern, b.pattern) ||
    a.text - b.text ||
    a.start - b.start
  );
}

/** Lower case, compatibility forms folded, separators as one space. */
function plain(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\s_\-\u2010-\u2015]+/gu, ' ')
    .trim();
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The form in which names of families and subgenres are compared. */
export function genreKey(name: string): string {
  return name.trim().toLowerCase();
}

export interface Affinity {
  /** 0..1; 0 = the genres have nothing to do with each other. */
  value: number;
  /** What it rests on: `subgenre House`, `family Electronic`, `Electronic ~ Pop`, or `none`. */
  because: string;
}

/** What closeness is worth; the defaults are rules.md's. */
export interface AffinityWeights {
  sharedSubgenre: number;
  sameFamily: number;
}

/**
 * How well a supporter's genres fit a track: a shared subgenre (of the same family), else the same family, else the
 * adjacency of the two families; the best over all of the supporter's genres, ties by name.
 */
export function affinity(
  track: { family: string | null; subgenres: string[] },
  supporter: GenreTag[],
  adjacency: AdjacencyMatrix,
  weights: AffinityWeights,
): Affinity {
  const none: Affinity = { value: 0, because: 'none' };
  if (track.family === null) return none;
  const { family } = track;
  const trackFamily = genreKey(family);
  const trackSubgenres = new Set(track.subgenres.map(genreKey));
  const fits = supporter.map((tag): Affinity => {
    if (genreKey(tag.family) !== trackFamily) {
      return { value: adjacencyOf(adjacency, family, tag.family), because: `${family} ~ ${tag.family}` };
    }
    return tag.subgenre !== null && trackSubgenres.has(genreKey(tag.subgenre))
      ? { value: weights.sharedSubgenre, because: `subgenre ${tag.subgenre}` }
      : { value: weights.sameFamily, because: `family ${tag.family}` };
  });
  return fits.reduce((best, fit) => {
    if (fit.value !== best.value) return fit.value > best.value ? fit : best;
    return fit.value > 0 && compareText(fit.because, best.because) < 0 ? fit : best;
  }, none);
}

/** Entry of the matrix for two families, whichever way round it is stored and whatever its case; 0 when absent. */
export function adjacencyOf(matrix: AdjacencyMatrix, a: string, b: string): number {
  return entry(matrix, a, b) ?? entry(matrix, b, a) ?? 0;
}

function entry(matrix: AdjacencyMatrix, from: string, to: string): number | undefined {
  const row: Record<string, number> | null | undefined = byKey(matrix, from);
  return row === undefined || row === null ? undefined : byKey(row, to);
}

function byKey<T>(record: Record<string, T>, name: string): T | undefined {
  if (Object.hasOwn(record, name)) return record[name];
  const key = genreKey(name);
  const found = Object.keys(record).find((candidate) => genreKey(candidate) === key);
  return found === undefined ? undefined : record[found];
}

/** What is wrong with an adjacency matrix: values 0..1, symmetric, each family once. Empty = valid. */
export function adjacencyProblems(matrix: AdjacencyMatrix): SettingsProblem[] {
  const problems: SettingsProblem[] = [];
  if (typeof matrix !== 'object' || matrix === null || Array.isArray(matrix)) {
    return [
      {
        path: 'adjacency_matrix',
        code: 'adjacency_not_a_matrix',
        message: 'Give adjacency_matrix as an object of families, each an object of families and numbers.',
      },
    ];
  }
  problems.push(...doubled(Object.keys(matrix), 'adjacency_matrix'));
  for (const [from, row] of Object.entries(matrix)) {
    const path = `adjacency_matrix.${from}`;
    if (typeof row !== 'object' || row === null || Array.isArray(row)) {
      problems.push({ path, code: 'adjacency_not_a_matrix', message: `Give ${from} an object of families.` });
      continue;
    }
    problems.push(...doubled(Object.keys(row), path));
    for (const [to, value] of Object.entries(row)) {
      if (typeof value !== 'number' || !(value >= 0 && value <= 1)) {
        problems.push({
          path: `${path}.${to}`,
          code: 'adjacency_out_of_range',
          message: `Set the closeness of ${from} and ${to} to a number from 0 to 1.`,
        });
      } else if ((entry(matrix, to, from) ?? 0) !== value) {
        problems.push({
          path: `${path}.${to}`,
          code: 'adjacency_not_symmetric',
          message: `Set ${to} → ${from} to ${value} as well: closeness goes both ways.`,
        });
      }
    }
  }
  return problems;
}

function doubled(names: string[], path: string): SettingsProblem[] {
  const seen = new Set<string>();
  return names.flatMap((name) => {
    const key = genreKey(name);
    if (!seen.has(key)) {
      seen.add(key);
      return [];
    }
    return [{ path: `${path}.${name}`, code: 'adjacency_doubled', message: `Name ${name} only once.` }];
  });
}
