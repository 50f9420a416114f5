/**
 * Who comes into question for a submission, without looking at every pair: affinities by combination of genres, and
 * the few supporters of whom something else might speak against it.
 */
import { affinity as genreAffinity, genreKey } from './genre.js';
import type { FactsOfSubmission, FactsOfSupporter, QueueFacts } from './queue-generation-facts.js';
import { handleKey } from './targeting-exclusions.js';
import { sixDecimals } from './targeting-score.js';

/** Affinities by combination of genres: the rules of genre.ts are asked once per kind of track and kind of supporter. */
export function genreTable(facts: QueueFacts, due: FactsOfSubmission[], supporters: FactsOfSupporter[]) {
  const { settings } = facts;
  const kinds = new Map<string, number>();
  const tags: FactsOfSupporter['supporter']['genres'][] = [];
  const signature = Int32Array.from(supporters, ({ supporter }) => {
    const key = JSON.stringify(
      supporter.genres
        .map((g) => [genreKey(g.family), g.subgenre === null ? null : genreKey(g.subgenre)])
        .sort(),
    );
    const kind = kinds.get(key) ?? tags.push(supporter.genres) - 1;
    kinds.set(key, kind);
    return kind;
  });
  const weights = {
    sharedSubgenre: settings.affinity_shared_subgenre,
    sameFamily: settings.affinity_same_family,
  };
  const lines = new Map<string, Float64Array>();
  const lineOf = new Map<FactsOfSubmission, Float64Array>();
  for (const known of due) {
    const { family, subgenres } = known.submission;
    const key = JSON.stringify([family === null ? null : genreKey(family), subgenres.map(genreKey).sort()]);
    const line =
      lines.get(key) ??
      Float64Array.from(tags, (genres) =>
        sixDecimals(genreAffinity({ family, subgenres }, genres, settings.adjacency_matrix, weights).value),
      );
    lines.set(key, line);
    lineOf.set(known, line);
  }
  const line = (known: FactsOfSubmission) => lineOf.get(known) as Float64Array;
  return { signature, line };
}

/** Finds the supporters of whom something besides the genre might speak against a submission; ascending, each once. */
export function suspectFinder(facts: QueueFacts) {
  const byHandle = new Map<string, string[]>();
  const byAvoided = new Map<string, string[]>();
  const byTrack = new Map<string, string[]>();
  const byArtistHandle = new Map<string, string[]>();
  const byArtist = new Map<string, string[]>();
  const note = (map: Map<string, string[]>, key: string, member: string) => {
    const list = map.get(key);
    if (list === undefined) map.set(key, [member]);
    else list.push(member);
  };
  for (const { supporter, handle } of facts.supporters) {
    if (handle !== null) note(byHandle, handle, supporter.member_id);
    for (const avoided of supporter.avoided_handles) note(byAvoided, handleKey(avoided), supporter.member_id);
  }
  for (const [member, reposts] of facts.repostsOf) {
    for (const { track_url, artist, artist_id } of reposts) {
      note(byTrack, track_url, member);
      note(byArtistHandle, artist, member);
      if (artist_id !== null) note(byArtist, artist_id, member);
    }
  }
  return ({ submission, side }: FactsOfSubmission, indexOf: Map<string, number>): number[] => {
    const { member_id: own } = submission;
    const handles = [...side.handles];
    const members = [
      ...submission.asked_supporters,
      ...(byTrack.get(submission.track_url) ?? []),
      ...handles.flatMap((h) => [
        ...(byHandle.get(h) ?? []),
        ...(byAvoided.get(h) ?? []),
        ...(byArtistHandle.get(h) ?? []),
      ]),
      ...[...side.avoided].flatMap((h) => byHandle.get(h) ?? []),
    ];
    if (own !== null) {
      members.push(own, ...(byArtist.get(own) ?? []));
      for (const { artist_id } of facts.repostsOf.get(own) ?? [])
        if (artist_id !== null) members.push(artist_id);
    }
    const found = new Set<number>();
    for (const member of members) {
      const j = indexOf.get(member);
      if (j !== undefined) found.add(j);
    }
    return [...found].sort((a, b) => a - b);
  };
}
