/** Genre of a track and how well a supporter's genres fit it (rules.md, "Genre"). */

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
 * One direction is enough; a pair given in both directions must agree.
 */
export type AdjacencyMatrix = Record<string, Record<string, number>>;
