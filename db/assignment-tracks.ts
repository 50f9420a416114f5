/** The tracks behind assignments, as far as the caller may know them. Call this as the login, not as the caller. */
import { sql } from 'kysely';
import type { Trx } from './client.js';

export interface AssignmentTrack {
  assignment_id: string;
  submission_id: string;
  /** The public link when the member handed one in, else the submitted address; a secret token is for ops only. */
  track_url: string;
  track_name: string | null;
  artist_name: string | null;
  family: string | null;
}

/**
 * Tracks by assignment id: a supporter gets those of the own assignments of published queues, ops all of their org.
 * Assignments the caller may not see are left out.
 */
export async function assignmentTracks(
  trx: Trx,
  assignmentIds: readonly string[],
): Promise<Map<string, AssignmentTrack>> {
  if (assignmentIds.length === 0) return new Map();
  const { rows } = await sql<AssignmentTrack>`
    select * from private.assignment_tracks(${[...assignmentIds]}::uuid[])`.execute(trx);
  return new Map(rows.map((row) => [row.assignment_id, row]));
}
