import type { ProblemCode } from './problems.js';

/** What a track's address can be refused for. */
export const TRACK_URL_PROBLEMS = [
  'track_url_missing',
  'track_url_placeholder',
  'track_url_other_host',
  'track_url_profile',
  'track_url_not_a_track',
  'track_url_malformed',
  'track_url_too_long',
] as const satisfies readonly ProblemCode[];
